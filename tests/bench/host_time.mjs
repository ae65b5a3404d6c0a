// How long a run on WebGPU keeps the CPU, without the driver: model.js with a device that does nothing, in Node.
//
//   WEBNNC=build/webnnc node tests/bench/host_time.mjs [--runs 1000] [--device large] [--dim NAME=N]... MODEL.onnx
//   before 0.104 ms, during 0.241 ms, after 0.041 ms; 4 submits, 0.02 bind groups
//
// `before` is from a call of `run` to the first commands that are submitted, while the GPU has nothing to do; `during` until it
// would say that results are there; `after` until `run` gives them. Each is what the fastest tenth of all runs take at most:
// other processes make the rest slower. A model with state goes on from what it has, beginning with sizes that --dim gives.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { inputsOf } from './gpu/tensors.mjs';

const here = dirname(fileURLToPath(import.meta.url)), webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: options, positionals: [file] } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '1000' }, device: { type: 'string', default: 'large' }, dim: { type: 'string', multiple: true, default: [] } },
});
if (!file) {
  console.error('usage: host_time.mjs [--runs N] [--device PROFILE] [--dim NAME=N]... MODEL.onnx');
  process.exit(1);
}

/** When it happened last, in ms, and how often what was done. */
const when = { submitted: 0, done: 0, mapped: 0 }, counts = { submits: 0, groups: 0 };

/** @param {GPUBufferDescriptor} descriptor */
const makeBuffer = ({ size, usage }) => {
  const memory = new ArrayBuffer(usage & 1 ? size : 0);
  return {
    size, usage, unmap() {}, destroy() {},
    getMappedRange: (/** @type {number} */ at, /** @type {number} */ bytes) => at === 0 && bytes === size ? memory : memory.slice(at, at + bytes),
    // When all is done that need not wait for it.
    mapAsync: () => new Promise((resolve) => setImmediate(() => {
      when.mapped = performance.now();
      resolve(undefined);
    })),
  };
};
const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, dispatchWorkgroupsIndirect() {}, end() {} };
const encoder = { beginComputePass: () => pass, copyBufferToBuffer() {}, finish: () => ({}) };
const pipeline = { getBindGroupLayout: () => ({}) };
const MOST = { get: (/** @type {any} */ _, /** @type {string} */ name) => name === 'maxComputeWorkgroupsPerDimension' ? 65535 : 2 ** 31 };
/** @type {any} */
const device = {
  features: new Set(['shader-f16']), limits: new Proxy({}, MOST), lost: new Promise(() => {}),
  queue: {
    submit() {
      ++counts.submits;
      if (when.submitted <= when.done) when.submitted = performance.now();
    },
    writeBuffer() {},
    onSubmittedWorkDone: async () => {},
  },
  createBuffer: makeBuffer, createCommandEncoder: () => encoder,
  createBindGroup: () => ++counts.groups && {}, createBindGroupLayout: () => ({}), createPipelineLayout: () => ({}),
  createShaderModule: () => ({ getCompilationInfo: async () => ({ messages: [] }) }),
  createComputePipelineAsync: async () => pipeline,
  pushErrorScope() {}, popErrorScope: async () => null, destroy() {},
};

const folder = mkdtempSync(join(tmpdir(), 'webnnc-host-time-'));
try {
  execFileSync(webnnc, [file, '-o', folder, '--force', '--device', options.device, '--target', 'webgpu', '--no-report', '--quiet'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const { load } = await import(pathToFileURL(join(folder, 'model.js')).href), model = await load({ backend: 'webgpu', device });
  const sizes = Object.fromEntries(options.dim.map((dim) => [dim.split('=')[0], Number(dim.split('=')[1])]));
  const first = inputsOf(model.inputs, sizes), kept = (model.state?.names ?? []).map((/** @type {any} */ { input }) => input);
  const next = Object.fromEntries(Object.entries(first).filter(([name]) => !kept.includes(name)));
  await model.run(first);
  const runs = Number(options.runs), times = { before: /** @type {number[]} */ ([]), during: /** @type {number[]} */ ([]), after: /** @type {number[]} */ ([]) };
  for (let run = -Math.ceil(runs / 10); run < runs; ++run) {
    if (run === 0) counts.submits = counts.groups = 0;
    const begin = performance.now();
    await model.run(next);
    when.done = performance.now();
    if (run < 0) continue;
    times.before.push(when.submitted - begin);
    times.during.push(when.mapped - when.submitted);
    times.after.push(when.done - when.mapped);
  }
  const told = Object.entries(times).map(([name, all]) => `${name} ${all.sort((a, b) => a - b)[runs / 10 | 0].toFixed(3)} ms`);
  console.log(`${told.join(', ')}; ${counts.submits / runs} submits, ${(counts.groups / runs).toFixed(2)} bind groups`);
  model.dispose();
} finally {
  rmSync(folder, { recursive: true });
}
