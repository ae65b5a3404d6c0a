// The commands of a run.

/** @typedef {{pipeline: GPUComputePipeline, group: GPUBindGroup, x: number, y: number, z: number, name: string, number?: number, told?: {buffer: GPUBuffer, offset: number}}} Step */
/** From a buffer and offset to another, so many bytes. @typedef {[GPUBuffer, number, GPUBuffer, number, number]} Copy */

/** Steps that are submitted first, and how many times as many each time after that. */
const FIRST_STEPS = 8, MORE_STEPS = 4;

/**
 * In parts, each of which is submitted by itself: the GPU begins with the first while the others are encoded and taken by the
 * driver, which takes less time than to compute what is before them.
 *
 * @param {GPUDevice} device @param {Step[]} steps @param {Copy[]} copies behind them
 */
export function* commandsOf(device, steps, copies) {
  let first = 0;
  for (let count = FIRST_STEPS; !first || first < steps.length; count *= MORE_STEPS) {
    const encoder = device.createCommandEncoder();
    encodeSteps(encoder, steps.slice(first, first += count));
    if (first >= steps.length) for (const copy of copies) encoder.copyBufferToBuffer(...copy);
    yield encoder.finish();
  }
}

/** One pass. @param {GPUCommandEncoder} encoder @param {Step[]} steps */
function encodeSteps(encoder, steps) {
  const pass = encoder.beginComputePass();
  let current;
  for (const { pipeline, group, x, y, z } of steps) {
    if (pipeline !== current) pass.setPipeline(current = pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y, z);
  }
  pass.end();
}
