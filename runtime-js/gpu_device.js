// Finds a GPU that can run a model, and looks after what it gives.

/** @import { ProgramRecord } from './build.js' */
/** @import { Destination } from './options.js' */

import { BUILD } from './build.js';
import { GpuError, OutOfMemoryError, UnsupportedError, megabytes, messageOf } from './errors.js';

// WebGPU's flags. In Node there are no globals with their names.
export const MAP_READ = 1, COPY_SRC = 4, COPY_DST = 8, UNIFORM = 64, STORAGE = 128, QUERY_RESOLVE = 512;
/** Of mapAsync. */
export const READ = 1;

/** @param {any} value @returns {value is GPUBuffer} */
export const isGpuBuffer = (value) => typeof value?.mapAsync === 'function';

/** Buffers of a model's state, which need no validation. @type {WeakSet<GPUBuffer>} */
export const STATE_BUFFERS = new WeakSet();
/** Whether it is a buffer of the caller's. @param {any} value */
export const isForeign = (value) => isGpuBuffer(value) && (globalThis.WEBNNC_WALKS === false || !STATE_BUFFERS.has(value));

/** Whether an output stays on the GPU. @param {Destination | undefined} destination @returns {destination is Exclude<Destination, 'data' | 'none'>} */
export const isOnGpu = (destination) => destination === 'gpu' || globalThis.WEBNNC_WALKS !== false && typeof destination === 'object';

/**
 * What a program needs that a device or adapter does not have; empty if nothing.
 *
 * @param {ProgramRecord} program @param {{features: ReadonlySet<string>, limits: GPUSupportedLimits}} from
 */
function whatIsMissing(program, from) {
  const feature = program.features.find((name) => !from.features.has(name));
  if (feature) return `the feature ${feature}`;
  for (const [name, wanted] of Object.entries(program.limits)) {
    const has = /** @type {any} */ (from.limits)[name] ?? 0;
    if (has < wanted) return `${name} of ${wanted} (it has ${has})`;
  }
  return '';
}

/** Names of GPUs that are none, where engines do not say so themselves. */
const EMULATED = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

/** @param {GPUAdapter} adapter */
function isEmulated(adapter) {
  const info = /** @type {any} */ (adapter.info ?? {});
  // Engines that do not know say false.
  return info.isFallbackAdapter || /** @type {any} */ (adapter).isFallbackAdapter ||
    EMULATED.test([info.vendor, info.architecture, info.device, info.description].join(' '));
}

/**
 * The first program that the GPU can run, and its device.
 *
 * @param {boolean} isAsked whether WebGPU was asked for: then a GPU that the CPU emulates will do as well
 * @param {GPUDevice} [given]
 */
export async function findDevice(isAsked, given) {
  const { programs } = BUILD;
  if (!programs.some((p) => p.kind === 'webgpu')) {
    throw new UnsupportedError('the model was compiled without the target webgpu');
  }
  const gpu = globalThis.navigator?.gpu;
  if (!given && !gpu) {
    const insecure = globalThis.isSecureContext === false;
    throw new UnsupportedError(`there is no WebGPU here${insecure ? ': it needs a page from https or localhost' : ''}`);
  }
  const adapter = given ? null : await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!given && !adapter) throw new UnsupportedError('WebGPU found no GPU that it can use');
  if (adapter && !isAsked && isEmulated(adapter)) throw new UnsupportedError('the only GPU is emulated by the CPU, which is slower than wasm');
  const offered = /** @type {GPUDevice | GPUAdapter} */ (given ?? adapter);
  let missing = '';
  for (const [index, program] of programs.entries()) {
    if (program.kind !== 'webgpu') continue;
    missing = whatIsMissing(program, offered);
    if (missing) continue;
    const device = given ?? await requestDevice(/** @type {GPUAdapter} */ (adapter), program);
    return { index, device };
  }
  throw new UnsupportedError(`the GPU lacks ${missing}`);
}

/** @param {GPUAdapter} adapter @param {ProgramRecord} program */
async function requestDevice(adapter, program) {
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const features = adapter.features.has('timestamp-query') ? [...program.features, 'timestamp-query'] : program.features;
  try {
    return await adapter.requestDevice({
      requiredFeatures: /** @type {GPUFeatureName[]} */ (features),
      // Tensors may need more than the defaults, how much may depend on the sizes of a run.
      requiredLimits: { ...program.limits, maxBufferSize, maxStorageBufferBindingSize },
    });
  } catch (cause) {
    throw new UnsupportedError(`the GPU gives no device: ${messageOf(cause)}`, { cause });
  }
}

/** A device, and whether it is still there. */
export class Gpu {
  isLost = false;
  isDisposed = false;

  /** @param {GPUDevice} device @param {boolean} isOwn whether no one else uses it */
  constructor(device, isOwn) {
    this.device = device;
    this.isOwn = isOwn;
    /** Why the device was lost. */
    this.loss = device.lost.then(({ message }) => {
      this.isLost = true;
      return message;
    });
    /** @type {Set<GPUBuffer>} */
    this.buffers = new Set();
  }

  /**
   * Makes objects, and throws if the GPU refuses them.
   *
   * @template T @param {() => T} make @returns {Promise<T>}
   */
  async guard(make) {
    const { device } = this;
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    let memory, invalid;
    try {
      return make();
    } finally {
      [memory, invalid] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
      if (memory) throw new OutOfMemoryError(`the GPU has not enough memory: ${memory.message}`);
      if (invalid) throw new GpuError(`the GPU refuses the model: ${invalid.message}`);
    }
  }

  /** A buffer that lives as long as the model. @param {string} label @param {number} bytes @param {number} usage */
  makeBuffer(label, bytes, usage) {
    const buffer = this.makeLooseBuffer(label, bytes, usage);
    this.buffers.add(buffer);
    return buffer;
  }

  /** A buffer that someone else destroys. @param {string} label @param {number} bytes @param {number} usage */
  makeLooseBuffer(label, bytes, usage) {
    const { maxBufferSize } = this.device.limits;
    if (bytes > maxBufferSize) {
      throw new OutOfMemoryError(`the model needs a buffer of ${megabytes(bytes)} on the GPU, ` +
        `which allows ${megabytes(maxBufferSize)}: try smaller inputs`);
    }
    return this.device.createBuffer({ label, size: Math.max(16, roundUp(bytes, 4)), usage });
  }

  /** For an output that stays on the GPU. @param {Destination} destination @param {string} label @param {number} bytes */
  bufferFor(destination, label, bytes) {
    return globalThis.WEBNNC_WALKS !== false && typeof destination === 'object' ? destination.take(this, bytes) : this.makeLooseBuffer(label, bytes, STORAGE | COPY_SRC | COPY_DST);
  }

  /** @param {GPUBuffer | undefined} buffer */
  destroyBuffer(buffer) {
    buffer?.destroy();
    if (buffer) this.buffers.delete(buffer);
  }

  dispose() {
    this.isDisposed = true;
    if (this.isOwn) this.device.destroy();
    else for (const buffer of this.buffers) buffer.destroy();
  }
}

/** @param {number} n @param {number} to */
export const roundUp = (n, to) => Math.ceil(n / to) * to;
