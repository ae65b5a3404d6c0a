// A GPU as what kernels are measured on.

/** @import { Job } from './job.js' */
/** @import { Machine } from './session.js' */

import { Bench } from './bench.js';
import { deviceOf, labelOf, weightBytesOf } from './job.js';

/** @param {GPU} gpu @param {GPUAdapter} adapter @param {Job} job @param {(kernel: number, candidate: number) => Promise<string>} wgsl @returns {Machine} */
export function onGpu(gpu, adapter, job, wgsl) {
  return {
    label: labelOf(adapter.info),
    // Some features are the shading language's.
    has: (name) => adapter.features.has(name) || gpu.wgslLanguageFeatures.has(name),
    open: async (kernels) => {
      const device = await deviceOf(adapter, job), bench = new Bench(device, weightBytesOf(kernels)), lost = device.lost.then(({ message }) => {
        throw new Error(`the GPU was lost: ${message || 'it does not say why'}`);
      });
      lost.catch(() => {});
      return {
        measure: async (kernel, index, candidates, signal) => {
          const codes = await Promise.all(candidates.map(async (c) => ({ .../** @type {any} */ (kernel.candidates[c]), wgsl: await wgsl(index, c) })));
          return Promise.race([bench.measure(kernel, codes, () => signal.throwIfAborted()), lost]);
        },
        close: () => device.destroy(),
      };
    },
  };
}
