// Buffers that results are read back through. A run takes one and gives it back when its results are copied, so
// that as many are there as runs are in flight; of those that wait for a run only a few are kept.

/** @import { Gpu } from './gpu_device.js' */

import { COPY_DST, MAP_READ, READ } from './gpu_device.js';

/** Of three runs in flight, and one more. */
const MOST_FREE = 4;

export class Staging {
  /** Those that no run uses, the one that was used last at the end. @type {GPUBuffer[]} */
  #free = [];

  /** @param {Gpu} gpu */
  constructor(gpu) {
    this.gpu = gpu;
  }

  /** A buffer of at least so many bytes: one that is free, or a new one. @param {number} bytes */
  take(bytes) {
    const at = this.#free.findIndex(({ size }) => size >= bytes);
    return at < 0 ? this.gpu.makeBuffer('staging', bytes, MAP_READ | COPY_DST) : this.#free.splice(at, 1)[0];
  }

  /**
   * Waits for what was copied to a buffer that was taken, and gives the buffer back.
   *
   * @template T @param {GPUBuffer} buffer @param {number} bytes @param {(mapped: ArrayBuffer) => T} copy out of them
   * @param {Promise<unknown>} [verdict] that may say that there is nothing to read @returns {Promise<T>}
   */
  async read(buffer, bytes, copy, verdict) {
    try {
      // Not all of a buffer that is larger: engines copy what they map.
      await Promise.all([buffer.mapAsync(READ, 0, bytes), verdict]);
    } catch (error) {
      this.gpu.destroyBuffer(buffer);
      throw error;
    }
    const copied = copy(bytes ? buffer.getMappedRange(0, bytes) : new ArrayBuffer(0));
    buffer.unmap();
    this.giveBack(buffer);
    return copied;
  }

  /** A buffer that was taken, and need not be read. @param {GPUBuffer} buffer */
  giveBack(buffer) {
    if (this.gpu.isDisposed) this.gpu.destroyBuffer(buffer);
    else this.#free.push(buffer);
    if (this.#free.length > MOST_FREE) this.gpu.destroyBuffer(this.#free.shift());
  }

  /** Tensors on the GPU may be read when the model is gone. */
  dispose() {
    for (const buffer of this.#free.splice(0)) this.gpu.destroyBuffer(buffer);
  }
}
