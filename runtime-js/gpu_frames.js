// Pictures that go from a canvas, image, video or frame to the GPU without passing the CPU.

/** @import { Gpu } from './gpu_device.js' */
/** @import { Drawable, Pixels, Region } from './pictures.js' */

import { InputError } from './errors.js';
import { GpuFrame, ROW_PIXELS } from './frames.js';
import { whyUnreadable } from './pictures.js';

/** WebGPU's flags of textures. */
const TEXTURE_COPY_SRC = 1, TEXTURE_COPY_DST = 2, RENDER_ATTACHMENT = 16;

/** How many textures are kept for frames to come: those of three runs in flight, and one more. */
const MOST_FREE = 4;

export class GpuFrames {
  /** Textures that no run uses, the one that was used last at the end. @type {GPUTexture[]} */
  #free = [];
  /** What has been seen to work: types of sources. @type {Set<string>} */
  #proven = new Set();

  /** @param {Gpu} gpu */
  constructor(gpu) {
    this.gpu = gpu;
  }

  /**
   * The pictures in textures; undefined if this engine or GPU does not take them.
   *
   * @param {(Pixels | Drawable)[]} pictures @param {Region} region @param {string} what
   */
  take(pictures, region, what) {
    const { device } = this.gpu, { width, height } = region;
    const fits = Math.max(width, height) <= device.limits.maxTextureDimension2D && typeof device.queue.copyExternalImageToTexture === 'function';
    if (!fits || pictures.some((picture) => !('source' in picture))) return undefined;
    const textures = pictures.map(() => this.#takeTexture(width, height));
    const kind = pictures.map((picture) => /** @type {Drawable} */ (picture).source.constructor.name).join();
    const check = !this.#proven.has(kind);
    if (check) device.pushErrorScope('validation');
    try {
      pictures.forEach((picture, i) => device.queue.copyExternalImageToTexture(
        { source: /** @type {Drawable} */ (picture).source, origin: [region.x, region.y] },
        { texture: textures[i], colorSpace: 'srgb', premultipliedAlpha: false }, [width, height]));
    } catch (error) {
      if (check) device.popErrorScope();
      this.#giveBack(textures);
      if (/** @type {any} */ (error)?.name === 'SecurityError') throw new InputError(`${what} ${whyUnreadable(error, /** @type {any} */ (pictures[0]).source)}`);
      return undefined;
    }
    const verdict = check ? device.popErrorScope().then((error) => {
      if (error) throw new InputError(`${what} is a ${kind} that WebGPU does not take: ${error.message}`);
      this.#proven.add(kind);
    }) : Promise.resolve();
    verdict.catch(() => {});
    return new GpuFrame(textures, verdict, (unused) => this.#giveBack(unused));
  }

  /** @param {number} width @param {number} height */
  #takeTexture(width, height) {
    const fitting = this.#free.findLast((texture) => texture.width === width && texture.height === height);
    if (fitting) this.#free.splice(this.#free.indexOf(fitting), 1);
    return fitting ?? this.gpu.device.createTexture({
      label: 'frame', size: [width, height], format: 'rgba8unorm', usage: TEXTURE_COPY_SRC | TEXTURE_COPY_DST | RENDER_ATTACHMENT,
    });
  }

  /** Keeps textures for other runs, but not for all that there ever were at a time. @param {GPUTexture[]} textures */
  #giveBack(textures) {
    this.#free.push(...textures);
    const most = this.gpu.isDisposed ? 0 : Math.max(MOST_FREE, textures.length);
    for (const texture of this.#free.splice(0, this.#free.length - most)) texture.destroy();
  }

  /** @param {GPUCommandEncoder} encoder @param {GpuFrame} frame @param {GPUBuffer} buffer @param {number} offset */
  copy(encoder, { textures }, buffer, offset) {
    for (const texture of textures) {
      const { width, height } = texture, bytesPerRow = Math.ceil(width / ROW_PIXELS) * ROW_PIXELS * 4;
      encoder.copyTextureToBuffer({ texture }, { buffer, offset, bytesPerRow, rowsPerImage: height }, [width, height]);
      offset += bytesPerRow * height;
    }
  }

  dispose() {
    for (const texture of this.#free.splice(0)) texture.destroy();
  }
}
