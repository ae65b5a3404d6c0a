// Compiles shaders.

/** @import { LoadControl } from './files.js' */
/** @import { Kernel } from './host.js' */

import { GpuError, messageOf } from './errors.js';

/** @type {Record<string, GPUBufferBindingType>} */
const BINDING_TYPES = { r: 'read-only-storage', w: 'storage', u: 'uniform' };
const COMPUTE = 4;

/** What a pipeline's layout follows from. @typedef {Pick<Kernel, 'bindings' | 'uniformBytes'>} Bound */

/**
 * Compiles the pipelines of kernels: each shader once, whoever asks for it, and all at the same time.
 *
 * @param {GPUDevice} device @param {LoadControl} control
 * @returns {(kernels: Kernel[], shaders: Promise<string[]>) => Promise<GPUComputePipeline[]>}
 */
export function compilerFor(device, { onProgress }) {
  let loaded = 0, total = 0;
  const report = () => onProgress?.({ phase: 'compilation', loaded, total });
  const layoutOf = memoize((_, /** @type {Bound} */ bound) => makeLayout(device, bound));
  const pipelineOf = memoize(async (/** @type {string} */ code, /** @type {Kernel} */ { name, bindings, uniformBytes }) => {
    try {
      const module = device.createShaderModule({ code });
      const compute = { module, entryPoint: 'main' };
      ++total;
      const layout = layoutOf(`${bindings} ${uniformBytes}`, { bindings, uniformBytes });
      const pipeline = await device.createComputePipelineAsync({ label: name, layout, compute });
      ++loaded;
      report();
      return pipeline;
    } catch (cause) {
      throw new GpuError(`the GPU refuses kernel ${name}: ${messageOf(cause)}`, { cause });
    }
  });
  return async (kernels, shaders) => {
    const texts = await shaders, pipelines = Promise.all(kernels.map((kernel) => pipelineOf(texts[kernel.shader], kernel)));
    report();
    return pipelines;
  };
}

/**
 * Says how long the buffer of sizes is. wgpu asks a shader only when the layout changes, so that kernels that shared
 * one in spite of unlike sizes would be measured by each other's.
 *
 * @param {GPUDevice} device @param {Bound} bound
 */
export function makeLayout(device, { bindings, uniformBytes }) {
  const entries = [...bindings].map((letter, binding) => {
    const type = BINDING_TYPES[letter];
    return { binding, visibility: COMPUTE, buffer: type === 'uniform' ? { type, minBindingSize: uniformBytes } : { type } };
  });
  return device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] });
}

/**
 * Makes what belongs to a key once.
 *
 * @template V, X @param {(key: string, more: X) => V} make @returns {(key: string, more?: X) => V}
 */
function memoize(make) {
  /** @type {Map<string, V>} */
  const made = new Map();
  return (key, more) => {
    const value = made.get(key) ?? make(key, /** @type {X} */ (more));
    made.set(key, value);
    return value;
  };
}
