// Finds a GPU that can run a model, and looks after what it gives.

/** @import * as Api from './model.js' */
/** @import { ProgramRecord } from './build.js' */
/** @import { Destination } from './options.js' */

import { BUILD } from './build.js';
import { GpuError, OutOfMemoryError, UnsupportedError, megabytes, messageOf } from './errors.js';
import { MODELS, needsOf } from './models.js';

// WebGPU's flags. In Node there are no globals with their names.
export const MAP_READ = 1, COPY_SRC = 4, COPY_DST = 8, UNIFORM = 64, STORAGE = 128, INDIRECT = 256, QUERY_RESOLVE = 512;
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

const MATRICES = 'chromium-experimental-subgroup-matrix';
/** Whether it is a feature of the device or adapter, or of the engine's WGSL. @param {string} name @param {Offered} from */
function hasFeature(name, from) {
  if (name === MATRICES && !multipliesFragments(from)) return false;
  return from.features.has(name) || Boolean(globalThis.navigator?.gpu?.wgslLanguageFeatures?.has(name));
}

/** Whether subgroups have 32 threads and multiply fragments of 16 x 16 in f16, with sums in f32. @param {Offered} from */
function multipliesFragments(from) {
  const { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = /** @type {any} */ (from).info ?? /** @type {any} */ (from).adapterInfo ?? {};
  return subgroupMinSize === 32 && subgroupMaxSize === 32 && subgroupMatrixConfigs.some((/** @type {any} */ { componentType, resultComponentType, M, N, K }) =>
    componentType === 'f16' && resultComponentType === 'f32' && M === 16 && N === 16 && K === 16);
}

/**
 * What a program needs that a device or adapter does not have; empty if nothing.
 *
 * @param {ProgramRecord} program @param {Offered} from
 */
function whatIsMissing(program, from) {
  const feature = program.features.find((name) => !hasFeature(name, from));
  if (feature) return `the feature ${feature}`;
  for (const [name, wanted] of Object.entries(program.limits)) {
    const has = /** @type {any} */ (from.limits)[name] ?? 0;
    if (has < wanted) return `${name} of ${wanted} (it has ${has})`;
  }
  return '';
}

/** What a device or adapter has. @typedef {{features: ReadonlySet<string>, limits: GPUSupportedLimits}} Offered */
/** What a device is asked for. @typedef {Pick<ProgramRecord, 'features' | 'limits'>} Needs */
/**
 * The program that a model runs on a GPU, by its index, or why there is none; and of one that is not the best, why a better one cannot run.
 *
 * @typedef {{index: number, problem?: unknown, obstacle?: string}} Choice
 */

/** The first program that lacks nothing. @param {ProgramRecord[]} programs @param {Offered} from @returns {Choice} */
function choose(programs, from) {
  let missing = '';
  for (const [index, program] of programs.entries()) {
    if (program.kind !== 'webgpu') continue;
    const obstacle = missing && `the GPU lacks ${missing}`;
    missing = whatIsMissing(program, from);
    if (!missing) return { index, obstacle };
  }
  throw new UnsupportedError(`the GPU lacks ${missing}`);
}

/** The programs of all models, one of which can be run at least. @param {Offered} from @returns {Choice[]} */
function chooseForAll(from) {
  const chooseFrom = (/** @type {Offered} */ offered) => MODELS.map(({ programs }) => {
    try {
      return choose(programs, offered);
    } catch (problem) {
      return { index: -1, problem };
    }
  });
  const choices = chooseFrom(from);
  if (choices.every(({ index }) => index < 0)) throw choices[0].problem;
  // Tensors go from one model to another as they are: f16 has 16 bits in all of them, or in none.
  const needsHalf = (/** @type {ProgramRecord} */ program) => program.features.includes('shader-f16');
  const lacksHalf = choices.some(({ index }, m) => index > 0 && needsHalf(MODELS[m].programs[0]) && !needsHalf(MODELS[m].programs[index]));
  if (!lacksHalf) return choices;
  return chooseFrom({ features: new Set([...from.features].filter((name) => name !== 'shader-f16')), limits: from.limits })
    .map((choice, m) => choice.obstacle ? { ...choice, obstacle: choices[m].obstacle || 'another model of the bundle cannot use shader-f16 on this GPU' } : choice);
}

/**
 * Which of a model's programs for GPUs a choice is, and why it is not a better one, in words; '' if there is only one.
 *
 * @param {number} model @param {Choice} choice
 */
export function variantOf(model, { index, obstacle }) {
  const programs = MODELS[model].programs.filter(({ kind }) => kind === 'webgpu');
  if (programs.length < 2) return '';
  const { features } = programs[index], variant = features.length ? `with ${features.join(', ')}` : 'without optional features';
  return `, the variant ${variant}${obstacle && `; a better one is there, but ${obstacle}`}`;
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
 * Looks for a GPU, if one is wanted. Whoever does not wait for it need not know that there is none.
 *
 * @param {Api.LoadOptions['backend']} [wanted] @param {GPUDevice} [given]
 * @param {(choices: Choice[]) => void} [chosen] is told what models run there as soon as that is known, before there is a device
 */
export function searchGpu(wanted = 'auto', given, chosen) {
  const search = wanted === 'wasm' ? new Promise(() => {}) : findDevice(wanted === 'webgpu', given, chosen);
  search.catch(() => {});
  return /** @type {ReturnType<typeof findDevice>} */ (search);
}

/**
 * What each model runs on the GPU, and its device.
 *
 * @param {boolean} isAsked whether WebGPU was asked for: then a GPU that the CPU emulates will do as well
 * @param {GPUDevice} [given] @param {(choices: Choice[]) => void} [chosen]
 */
async function findDevice(isAsked, given, chosen) {
  if (!MODELS[0].programs.some((p) => p.kind === 'webgpu')) {
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
  const choices = globalThis.WEBNNC_MODELS !== false ? chooseForAll(offered) : [choose(BUILD.programs, offered)];
  chosen?.(choices);
  return { choices, device: given ?? await requestDevice(/** @type {GPUAdapter} */ (adapter), needsOf(choices)) };
}

/** @param {GPUAdapter} adapter @param {Needs} needs */
async function requestDevice(adapter, needs) {
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const features = [...needs.features, 'timestamp-query'].filter((name) => adapter.features.has(/** @type {GPUFeatureName} */ (name)));
  try {
    return await adapter.requestDevice({
      requiredFeatures: /** @type {GPUFeatureName[]} */ (features),
      // Tensors may need more than the defaults, how much may depend on the sizes of a run.
      requiredLimits: { ...needs.limits, maxBufferSize, maxStorageBufferBindingSize },
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
    const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = device.limits;
    /** Those that a run asks for: engines may make an object of all whenever they are asked. */
    this.limits = { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension };
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
    const { maxBufferSize } = this.limits;
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

/** What several models have on one device. */
export class CommonGpu extends Gpu {
  /** Where the activations are of whichever runs. @type {GPUBuffer | undefined} */
  arena;
  /** @type {Set<object>} */
  users = new Set();

  /** The last one frees the device. @param {object} user */
  leave(user) {
    this.users.delete(user);
    if (!this.users.size && !this.isDisposed) this.dispose();
  }
}

/** The device for one of several models: buffers that are made by it are that one's, and go with it. */
export class GpuOfOne extends Gpu {
  /** @param {CommonGpu} common */
  constructor(common) {
    super(common.device, common.isOwn);
    this.common = common;
    common.users.add(this);
  }

  /** @override */
  dispose() {
    this.isDisposed = true;
    for (const buffer of this.buffers) buffer.destroy();
    this.common.leave(this);
  }
}

/** @param {Gpu} gpu of one of several models */
export const commonOf = (gpu) => /** @type {GpuOfOne} */ (gpu).common;

/** @param {number} n @param {number} to */
export const roundUp = (n, to) => Math.ceil(n / to) * to;
