// Measures how long steps take on the GPU.

/** @import { Step } from './gpu_commands.js' */
/** @import { Gpu } from './gpu_device.js' */

import { COPY_DST, COPY_SRC, MAP_READ, QUERY_RESOLVE, READ } from './gpu_device.js';

const QUERIES_IN_A_SET = 4096, STAMP_BYTES = 8;

/**
 * Milliseconds of each step, each in a pass of its own.
 *
 * @param {Gpu} gpu @param {Step[]} steps @param {(encoder: GPUCommandEncoder) => void} write writes the inputs
 * @returns {Promise<number[]>}
 */
export function timeSteps(gpu, steps, write) {
  return hasClock(gpu) ? timeOnGpu(gpu, steps, write) : timeFromOutside(gpu, steps, write);
}

/** @param {Gpu} gpu */
export const hasClock = (gpu) => gpu.device.features.has('timestamp-query');

/** @param {GPUComputePassEncoder} pass @param {Step} step */
function encodeStep(pass, step) {
  pass.setPipeline(step.pipeline);
  pass.setBindGroup(0, step.group);
  if (globalThis.WEBNNC_WALKS !== false && step.told) pass.dispatchWorkgroupsIndirect(step.told.buffer, step.told.offset);
  else pass.dispatchWorkgroups(step.x, step.y, step.z);
  pass.end();
}

/** @type {typeof timeSteps} */
async function timeOnGpu(gpu, steps, write) {
  const { device } = gpu, count = 2 * steps.length;
  const sets = Array.from({ length: Math.ceil(count / QUERIES_IN_A_SET) }, () =>
    device.createQuerySet({ type: 'timestamp', count: QUERIES_IN_A_SET }));
  const bytes = sets.length * QUERIES_IN_A_SET * STAMP_BYTES;
  const resolved = gpu.makeBuffer('timestamps', bytes, QUERY_RESOLVE | COPY_SRC);
  const staging = gpu.makeBuffer('timestamps', bytes, MAP_READ | COPY_DST);
  try {
    const encoder = device.createCommandEncoder();
    write(encoder);
    steps.forEach((step, s) => {
      const querySet = sets[Math.floor(2 * s / QUERIES_IN_A_SET)], first = 2 * s % QUERIES_IN_A_SET;
      const timestampWrites = { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
      encodeStep(encoder.beginComputePass({ timestampWrites }), step);
    });
    sets.forEach((set, i) => {
      const used = Math.min(QUERIES_IN_A_SET, count - i * QUERIES_IN_A_SET);
      encoder.resolveQuerySet(set, 0, used, resolved, i * QUERIES_IN_A_SET * STAMP_BYTES);
    });
    if (bytes) encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(READ);
    const stamps = new BigInt64Array(staging.getMappedRange());
    // Some clocks step back between passes.
    return steps.map((_, s) => Math.max(0, Number(stamps[2 * s + 1] - stamps[2 * s]) / 1e6));
  } finally {
    for (const set of sets) set.destroy();
    gpu.destroyBuffer(resolved);
    gpu.destroyBuffer(staging);
  }
}

/** @type {typeof timeSteps} */
async function timeFromOutside({ device }, steps, write) {
  const submit = async (/** @type {(encoder: GPUCommandEncoder) => void} */ fill) => {
    const encoder = device.createCommandEncoder(), start = performance.now();
    fill(encoder);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await submit(write);
  const times = [];
  for (const step of steps) times.push(await submit((encoder) => encodeStep(encoder.beginComputePass(), step)));
  return times;
}
