// Compiles shaders.

/** @import { LoadControl } from './files.js' */
/** @import { Kernel } from './host.js' */

import { UnsupportedError, messageOf } from './errors.js';

/** @type {Record<string, GPUBufferBindingType>} */
const BINDING_TYPES = { r: 'read-only-storage', w: 'storage', s: 'storage', u: 'uniform' };
const COMPUTE = 4;

/**
 * The pipelines of kernels: each shader is compiled once, and all at the same time.
 *
 * @param {GPUDevice} device @param {Kernel[]} kernels @param {string[]} shaders @param {LoadControl} control
 * @returns {Promise<GPUComputePipeline[]>}
 */
export function compilePipelines(device, kernels, shaders, { onProgress }) {
  let loaded = 0, total = 0;
  const report = () => onProgress?.({ phase: 'compilation', loaded, total });
  const layoutOf = memoize((/** @type {string} */ bindings) => makeLayout(device, bindings));
  const pipelineOf = memoize(async (/** @type {string} */ code, /** @type {Kernel} */ { name, bindings }) => {
    try {
      const module = device.createShaderModule({ code });
      const compute = { module, entryPoint: 'main' };
      ++total;
      const pipeline = await device.createComputePipelineAsync({ label: name, layout: layoutOf(bindings), compute });
      ++loaded;
      report();
      return pipeline;
    } catch (cause) {
      throw new UnsupportedError(`the GPU refuses kernel ${name}: ${messageOf(cause)}`, { cause });
    }
  });
  const pipelines = Promise.all(kernels.map((kernel) => pipelineOf(shaders[kernel.shader], kernel)));
  report();
  return pipelines;
}

/** @param {GPUDevice} device @param {string} bindings */
function makeLayout(device, bindings) {
  const entries = [...bindings].map((letter, binding) =>
    ({ binding, visibility: COMPUTE, buffer: { type: BINDING_TYPES[letter] } }));
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
