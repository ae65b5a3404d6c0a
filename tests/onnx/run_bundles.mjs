// Runs compiled bundles in Node on files.
//
//   node run_bundles.mjs BACKEND LIST ANSWERS
//
// LIST is a file with a folder a line. A folder holds bundle/, case.json and, for each of the data
// sets that case.json names, a folder SET with the inputs. Outputs are written to SET/BACKEND/. For
// each folder a line is appended to ANSWERS: "ok", "unsupported: ..." or "failed: ...".
//
// Backends: `wasm` and `webgpu` run what model.js loads in Node, with WebGPU from Dawn;
// `chromium-wasm`, `firefox-webgpu` and so on run it in a browser, `deno-webgpu` and `deno-wasm` in Deno; `wasi` runs model.wasm as a command
// under node:wasi.

import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';

import { runModel } from './run_model.mjs';

/** @import { Job } from './run_model.mjs' */

/** @type {Promise<GPUDevice> | undefined} */
let device;

/** One device for all bundles, with all that the adapter offers; another one after a loss. */
function gpuDevice() {
  device ??= (async () => {
    const { gpu } = await import('../web/dawn.mjs');
    const adapter = await gpu.requestAdapter();
    if (!adapter) throw new Error('Dawn found no adapter');
    const requiredLimits = Object.fromEntries(
      ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage',
       'maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX']
        .map((name) => [name, Reflect.get(adapter.limits, name)]));
    const made = await adapter.requestDevice({
      requiredLimits,
      requiredFeatures: /** @type {GPUFeatureName[]} */ ([...adapter.features].filter((f) => f === 'shader-f16')),
    });
    made.lost.then(() => (device = undefined));
    return made;
  })();
  return device;
}

/** @param {Job} job */
async function runUnderWasi({ bundle, inputs, outputs }) {
  const files = (/** @type {string} */ flag, /** @type {Record<string, string>} */ of) =>
    Object.entries(of).flatMap(([port, path]) => [flag, `${port}=${path}`]);
  const errors = join(bundle, '..', 'stderr.txt');
  const stderr = openSync(errors, 'w');
  const wasi = new WASI({
    version: 'preview1',
    args: ['model.wasm', '--weights', join(bundle, 'model.weights.bin'),
           ...files('--input', inputs), ...files('--output', outputs)],
    preopens: { '/': '/' },
    stderr,
    returnOnExit: true,
  });
  const module = await WebAssembly.compile(readFileSync(join(bundle, 'model.wasm')));
  const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
  const status = wasi.start(instance);
  closeSync(stderr);
  if (status !== 0) throw new Error(`exit ${status}: ${readFileSync(errors, 'utf8').trim()}`);
}

/** @typedef {{ run: (job: Job) => Promise<void>, close?: () => Promise<void> }} Runner */

/** @param {string} backend @returns {Promise<Runner>} */
async function open(backend) {
  switch (backend) {
    case 'wasm': return { run: (job) => runModel(job, { backend }) };
    case 'webgpu': return { run: async (job) => runModel(job, { backend, device: await gpuDevice() }) };
    case 'wasi': return { run: runUnderWasi };
    default: {
      const [name, where] = backend.split('-');
      if (name === 'deno') return openInDeno(where);
      const { openBrowser } = await import('./browser.mjs');
      const browser = await openBrowser(/** @type {'chromium' | 'firefox'} */ (name));
      return { run: (job) => browser.run(job, { backend: where }), close: browser.close };
    }
  }
}

/** @param {string} backend @returns {Promise<Runner>} */
async function openInDeno(backend) {
  const { openDeno } = await import('../web/deno.mjs');
  const deno = openDeno(fileURLToPath(new URL('in_deno.mjs', import.meta.url)));
  return {
    async run(job) {
      const { name, error } = await deno.ask({ job, options: { backend } });
      if (error !== undefined) throw Object.assign(new Error(error), { name });
    },
    close: async () => deno.close(),
  };
}

/**
 * @param {Runner} runner
 * @param {string} folder
 * @param {string} backend
 */
async function runCase(runner, folder, backend) {
  const { sets, lists } = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
  for (const set of sets) {
    const at = join(folder, set.name);
    mkdirSync(join(at, backend), { recursive: true });
    const below = (/** @type {string} */ base, /** @type {Record<string, string>} */ files) =>
      Object.fromEntries(Object.entries(files).map(([port, file]) => [port, join(base, file)]));
    await runner.run({
      bundle: join(folder, 'bundle'),
      inputs: below(at, set.inputs),
      outputs: below(join(at, backend), set.outputs),
      lists,
    });
  }
}

/** What a case may take, in seconds: beyond that it hangs. */
const LIMIT = 600;

/** @template T @param {Promise<T>} work @returns {Promise<T>} */
function inTime(work) {
  /** @type {NodeJS.Timeout} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result within ${LIMIT} s`)), LIMIT * 1000);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const [backend, list, answers] = process.argv.slice(2);
const runner = await open(backend);
for (const folder of readFileSync(list, 'utf8').split('\n').filter(Boolean)) {
  let answer = 'ok', isLate = false;
  try {
    await inTime(runCase(runner, folder, backend));
  } catch (error) {
    const unsupported = error instanceof Error && error.name === 'UnsupportedError';
    answer = `${unsupported ? 'unsupported' : 'failed'}: ${error}`.replaceAll('\n', ' ');
    isLate = answer.includes('no result within');
  }
  appendFileSync(answers, `${answer}\n`);
  // What still runs would slow the next one down. Whoever started this process starts another.
  if (isLate) {
    await runner.close?.();
    process.exit(1);
  }
}
await runner.close?.();
// Dawn would keep the process alive.
process.exit(0);
