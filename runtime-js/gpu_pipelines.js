// Compiles shaders.

/** @import { Kernel } from './host.js' */

import { UnsupportedError, messageOf } from './errors.js';

/** @type {Record<string, GPUBufferBindingType>} */
const BINDING_TYPES = { r: 'read-only-storage', w: 'storage', s: 'storage', u: 'uniform' };
const COMPUTE = 4;

/**
 * The pipelines of kernels: each shader is compiled once, and all at the same time.
 *
 * @param {GPUDevice} device @param {Kernel[]} kernels @param {string[]} shaders
 * @returns {Promise<GPUComputePipeline[]>}
 */
export function compilePipelines(device, kernels, shaders) {
  const layoutOf = memoize((/** @type {string} */ bindings) => makeLayout(device, bindings));
  const moduleOf = memoize((/** @type {string} */ code) => device.createShaderModule({ code }));
  /** @type {Map<string, Promise<GPUComputePipeline>>} */
  const pipelines = new Map();
  return Promise.all(kernels.map(({ name, shader, bindings }) => {
    const key = bindings + shaders[shader];
    const pipeline = pipelines.get(key) ?? device.createComputePipelineAsync({
      label: name, layout: layoutOf(bindings), compute: { module: moduleOf(shaders[shader]), entryPoint: 'main' },
    }).catch((cause) => {
      throw new UnsupportedError(`the GPU refuses kernel ${name}: ${messageOf(cause)}`, { cause });
    });
    pipelines.set(key, pipeline);
    return pipeline;
  }));
}

/** @param {GPUDevice} device @param {string} bindings */
function makeLayout(device, bindings) {
  const entries = [...bindings].map((letter, binding) =>
    ({ binding, visibility: COMPUTE, buffer: { type: BINDING_TYPES[letter] } }));
  return device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] });
}

/** @template K, V @param {(key: K) => V} make @returns {(key: K) => V} */
function memoize(make) {
  /** @type {Map<K, V>} */
  const made = new Map();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}
