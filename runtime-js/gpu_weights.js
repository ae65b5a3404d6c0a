// Weights on the GPU.

/** @import { Place } from './host.js' */
/** @import { Host } from './host.js' */
/** @import { LoadControl } from './weights.js' */

import { DisposedError, ModelLoadError } from './errors.js';
import { COPY_DST, Gpu, STORAGE, roundUp } from './gpu_device.js';
import { loadWeights } from './weights.js';

const BINDING_ALIGNMENT = 256;
const BLOCK_BYTES = 1 << 20;

/** @typedef {{first: number, end: number, buffer: GPUBuffer}} Part of the weights file */

export class GpuWeights {
  /** @type {Part[]} */
  parts = [];

  /**
   * Streams the weights of a program into buffers.
   *
   * @param {Gpu} gpu @param {Host} host @param {number} index of the program @param {LoadControl} control
   */
  static async load(gpu, host, index, control) {
    const range = host.weightRange(index), weights = new GpuWeights();
    weights.parts = await gpu.guard(() => split(range.weights, gpu.device.limits.maxBufferSize).map(({ first, end }) =>
      ({ first, end, buffer: gpu.makeBuffer('weights', end - first, STORAGE | COPY_DST) })));
    // Chunks come in odd sizes, writes are in whole words.
    const block = new Uint8Array(BLOCK_BYTES);
    let start = range.first, filled = 0;
    const flush = () => {
      weights.write(gpu.device.queue, block, start, filled);
      start += filled;
      filled = 0;
    };
    await loadWeights(range, (chunk) => {
      if (gpu.isDisposed) throw new DisposedError('the GPU is not used any more');
      for (let used = 0; used < chunk.length;) {
        const piece = chunk.subarray(used, used + BLOCK_BYTES - filled);
        block.set(piece, filled);
        filled += piece.length;
        used += piece.length;
        if (filled === BLOCK_BYTES) flush();
      }
    }, control);
    flush();
    return weights;
  }

  /**
   * @param {GPUQueue} queue @param {Uint8Array<ArrayBuffer>} block @param {number} start its place in the file
   * @param {number} filled bytes of it in use
   */
  write(queue, block, start, filled) {
    for (const { first, end, buffer } of this.parts) {
      const from = Math.max(start, first), bytes = Math.min(start + filled, end) - from;
      if (bytes > 0) queue.writeBuffer(buffer, from - first, block, from - start, roundUp(bytes, 4));
    }
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
