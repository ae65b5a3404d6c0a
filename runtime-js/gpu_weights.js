// Weights on the GPU.

/** @import { Place } from './host.js' */
/** @import { Host } from './host.js' */
/** @import { LoadControl } from './files.js' */
/** @import { Range, Weights } from './weights.js' */

import { BINDING_ALIGNMENT } from './abi.js';
import { DisposedError, ModelLoadError, OutOfMemoryError, megabytes } from './errors.js';
import { COPY_DST, COPY_SRC, Gpu, STORAGE, roundUp } from './gpu_device.js';
import { piecesOf } from './weights.js';

/** @typedef {{first: number, end: number, buffer: GPUBuffer}} Part of the weights file */

export class GpuWeights {
  /** @type {Part[]} */
  parts = [];

  /**
   * Streams weights into buffers, through wasm's memory, where they are checked.
   *
   * @param {Gpu} gpu @param {Host} host @param {Place[]} places @param {Range} range that all of them are in @param {Weights} weights
   * @param {LoadControl} control
   */
  static async load(gpu, host, places, range, weights, control) {
    const result = new GpuWeights(), { queue, limits } = gpu.device;
    result.parts = await gpu.guard(() => split(places, limits.maxBufferSize).map(({ first, end }) =>
      ({ first, end, buffer: gpu.makeBuffer('weights', end - first, STORAGE | COPY_SRC | COPY_DST) })));
    const longest = Math.max(0, ...piecesOf(range).map(({ start, end }) => end - start));
    const address = host.exports.webnnc_staging(roundUp(longest, 4)) >>> 0;
    if (!address && longest) throw new OutOfMemoryError(`wasm has not enough memory to check weights: ${megabytes(longest)}`);
    const accept = (/** @type {number} */ start, /** @type {number} */ end) => {
      if (gpu.isDisposed) throw new DisposedError('the GPU is not used any more');
      for (const { first, end: partEnd, buffer } of result.parts) {
        const from = Math.max(start, first), bytes = Math.min(end, partEnd) - from;
        // Writes are in whole words; behind the last byte of a weight nothing matters.
        if (bytes > 0) queue.writeBuffer(buffer, from - first, host.bytes, address + from - start, roundUp(bytes, 4));
      }
    };
    await weights.load(range, host, { address: () => address, accept }, control, true);
    return result;
  }

  /** @param {Place} place @param {number} size @returns {GPUBufferBinding} */
  binding({ offset }, size) {
    const part = this.parts.find(({ first, end }) => first <= offset && offset < end);
    if (!part) throw new ModelLoadError('a weight is not in model.weights.bin: compile the model again');
    return { buffer: part.buffer, offset: offset - part.first, size };
  }
}

/**
 * As few parts of the file as the limit for one buffer allows.
 *
 * @param {Place[]} weights @param {number} most bytes of a part
 */
function split(weights, most) {
  /** @type {{first: number, end: number}[]} */
  const parts = [];
  for (const { offset, bytes } of [...weights].sort((a, b) => a.offset - b.offset)) {
    // One without elements is bound as well.
    const end = roundUp(offset + Math.max(bytes, 1), BINDING_ALIGNMENT), part = parts.at(-1);
    if (part && end - part.first <= most) part.end = Math.max(part.end, end);
    else parts.push({ first: offset, end });
  }
  return parts;
}
