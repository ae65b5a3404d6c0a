// What is to be measured: what `webnnc --emit candidates` prints (src/compile/candidates.h), and which of it a machine runs.

/**
 * A candidate of a GPU's kernel has `bindings`, `workgroups`, `features` and `wgsl`; a kernel of the CPU has `wasm`, a module in hexadecimal
 * digits with a function for each candidate. What a page gets is without code.
 *
 * @typedef {{schedule: string, seconds: number, sizes: number[], traits: number[], bindings: string, workgroups: number[], features: string[],
 *   wgsl?: string}} Candidate
 * @typedef {{target: string, key: string, title: string, launches: number, operations: number, bytes: number,
 *   buffers: {type: string, bytes: number, isWeight: boolean}[], candidates: Candidate[], wasm?: string}} Kernel
 * @typedef {{model: string, on: 'webgpu' | 'wasm', targets: {name: string, features: string[]}[], kernels: Kernel[], most: number, measurements: number, output: string}} Job how many kernels are tuned at most, and how much is measured
 * @typedef {{kernel: number, candidate: number, seconds: number}} Time of a candidate of a kernel, by their numbers
 */

/** Those of the program that a model runs on this machine, the most expensive ones first. @param {Job} job @param {(feature: string) => boolean} has @param {number} most */
export function kernelsFor({ targets, kernels }, has, most) {
  const target = targets.find((each) => each.features.every(has));
  if (!target) throw new Error(`this machine lacks what the model needs: ${targets[0]?.features.join(', ')}`);
  return kernels.map((kernel, index) => ({ kernel, index })).filter(({ kernel }) => kernel.target === target.name).slice(0, most);
}

/** @param {Kernel[]} kernels */
export const weightBytesOf = (kernels) => kernels.reduce((sum, { launches, buffers }) =>
  sum + launches * buffers.reduce((own, { bytes, isWeight }) => own + (isWeight ? bytes : 0), 0), 0);

/** What a kind of device is called. @param {GPUAdapterInfo} info */
export const labelOf = ({ vendor, architecture, device, description }) =>
  [vendor, architecture || device || description].filter(Boolean).join(' ').replaceAll(/[^\w .()-]/g, '') || 'unknown';

/** A device with all that candidates may make use of. @param {GPUAdapter} adapter @param {Job} job */
export function deviceOf(adapter, { targets }) {
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = adapter.limits;
  const wanted = ['timestamp-query', ...targets.flatMap(({ features }) => features)];
  return adapter.requestDevice({
    requiredFeatures: /** @type {GPUFeatureName[]} */ ([...new Set(wanted)].filter((name) => adapter.features.has(name))),
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX },
  });
}
