// How long passes take on a GPU: by its own clock where it has one that runs, else by the time that passes here.

import { COPY_DST, COPY_SRC, MAP_READ, QUERY_RESOLVE, READ } from '../gpu_device.js';

/** Encodes so many repeats into a pass. @typedef {(pass: GPUComputePassEncoder, repeats: number) => void} Work */
/** @typedef {{work: Work, repeats: number}} Timed */

const STAMP_BYTES = 8;
/** @type {[number, number]} */
const ROUNDS = [2, 6];

/** Engines round their clocks to 0.1 ms. @typedef {import('./rounds.js').Clock<Work>} Clock */

/** @param {GPUDevice} device @param {Work} work that takes some time @returns {Promise<Clock>} */
export async function clockOf(device, work) {
  if (device.features.has('timestamp-query')) {
    const clock = gpuClock(device);
    for (let repeats = 1; repeats <= 1 << 10; repeats *= 4) if ((await clock.time([{ work, repeats }]))[0] > 0) return clock;
  }
  return wallClock(device);
}

/** @param {GPUCommandEncoder} encoder @param {Timed} timed @param {GPUComputePassDescriptor} [descriptor] */
function runPass(encoder, { work, repeats }, descriptor) {
  const pass = encoder.beginComputePass(descriptor);
  work(pass, repeats);
  pass.end();
}

/** All in one submission, so that what comes back late comes once. @param {GPUDevice} device @returns {Clock} */
function gpuClock(device) {
  const time = async (/** @type {Timed[]} */ all) => {
    const count = 2 * all.length, bytes = count * STAMP_BYTES;
    const querySet = device.createQuerySet({ type: 'timestamp', count });
    const resolved = device.createBuffer({ size: bytes, usage: QUERY_RESOLVE | COPY_SRC });
    const staging = device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST });
    try {
      const encoder = device.createCommandEncoder();
      all.forEach(({ work, repeats }, i) => {
        const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
        runPass(encoder, { work, repeats }, { timestampWrites });
      });
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(READ);
      const stamps = new BigInt64Array(staging.getMappedRange());
      return all.map(({ repeats }, i) => Math.max(0, Number(stamps[2 * i + 1] - stamps[2 * i])) / 1e9 / repeats);
    } finally {
      for (const each of [querySet, resolved, staging]) each.destroy();
    }
  };
  return { shortest: 0.002, rounds: ROUNDS, time };
}

/** So many repeats, and twice as many: the difference is free of what a submission takes. @param {GPUDevice} device @returns {Clock} */
function wallClock(device) {
  const submit = async (/** @type {Work} */ work, /** @type {number} */ repeats) => {
    const encoder = device.createCommandEncoder();
    runPass(encoder, { work, repeats });
    const commands = encoder.finish(), start = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / 1e3;
  };
  const time = async (/** @type {Timed[]} */ all) => {
    const seconds = [];
    for (const { work, repeats } of all) {
      const once = await submit(work, repeats), twice = await submit(work, 2 * repeats);
      // Noise may be more than the work; then the whole is at least no less than it.
      seconds.push((twice > once ? twice - once : twice / 2) / repeats);
    }
    return seconds;
  };
  return { shortest: 0.008, rounds: ROUNDS, time };
}
