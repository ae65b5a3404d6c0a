// Runs per second on a real GPU with 1, 2 and 3 runs in flight, through Dawn in Node, against ONNX Runtime's WebGPU
// backend in the same run. tools/bench --throughput starts it.
//
//   WEBNNC=build/webnnc node tests/bench/throughput.mjs [--seconds 2] [--rounds 5] [--device large] [--dim NAME=SIZE]... MODEL...
//
// A MODEL is an .onnx file, with the states of a streaming network behind it, each an input and the output that
// the next run takes for it: `model.onnx,h=h_out,c=c_out`. Of such a network a state stays on the GPU, and what else
// it gives is read while the next run goes on; ONNX Runtime's states pass through memory.
//
// Each measurement starts runs for --seconds, as a page does that shows video: whenever fewer than so many are in
// flight, with inputs that change. All that a run gives is read. Engines take turns for --rounds, each time another
// first, and the median is printed. "differs by" is how far results with 1, 2 and 3 runs in flight are from those of ONNX Runtime's CPU backend.
//
// --bundles NAME=FOLDER, once or more, takes what was compiled before, by the model's name in that folder, and compiles
// nothing: to compare two compilers, or where there is none.
// Packages: webgpu (Dawn), onnxruntime-node; NODE_PATH may name where they are.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { printTable } from './table.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    device: { type: 'string', default: 'generic' },
    dim: { type: 'string', multiple: true, default: [] },
    bundles: { type: 'string', multiple: true },
  },
});
/** Sizes by the name of their symbol. */
const sizes = new Map(options.dim.map((given) => /** @type {[string, number]} */ ([given.split('=')[0], Number(given.split('=')[1])])));
const require = createRequire(import.meta.url);
const { create, globals } = require('webgpu');
const ort = require('onnxruntime-node');
Object.assign(globalThis, globals);
/** Kept, since devices die with it. */
const gpu = create([
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
]);

/** How many runs may be in flight. */
const WIDTHS = [1, 2, 3];
/** For how long an engine runs before it is measured, in seconds: clocks of GPUs rise with work. */
const WARM_UP = 0.2;
/** Different inputs, so that results tell which run they are of. */
const VARIANTS = 4;

/** Numbers that look random and are the same each time. @param {number} count @param {number} seed */
function madeUp(count, seed) {
  const values = new Float32Array(count);
  let state = seed + 1;
  for (let i = 0; i < count; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/** @param {string} text of the command line */
function parseModel(text) {
  const [path, ...pairs] = text.split(',');
  const file = resolve(path), name = basename(file, '.onnx') === 'model' ? basename(dirname(file)) : basename(file, '.onnx');
  return { file, name, states: pairs.map((pair) => /** @type {[string, string]} */ (pair.split('='))) };
}

/** What both engines are given; open sizes are 1, of f32. @param {any[]} ports @param {[string, string][]} states @param {number} seed */
function inputsOf(ports, states, seed) {
  const isState = (/** @type {string} */ name) => states.some(([input]) => input === name);
  return Object.fromEntries(ports.map(({ name, shape }) => {
    const extents = shape.map((/** @type {any} */ size) => typeof size === 'number' ? size : sizes.get(size) ?? 1);
    const count = extents.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    return [name, { data: isState(name) ? new Float32Array(count) : madeUp(count, seed), shape: extents }];
  }));
}

/**
 * An engine with a model: `run(i)` starts the run of the i-th inputs. Its first promise is kept when the next may
 * be started, and gives one for the results.
 *
 * @typedef {{run: (variant: number) => Promise<{results: Promise<Record<string, Float32Array>>}>, reset: () => void, end: () => void}} Engine
 */

/** @param {ReturnType<typeof parseModel>} model @param {string} bundle @returns {Promise<Engine & {ports: any[]}>} */
async function openOwn({ states }, bundle) {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
  const requiredFeatures = ['shader-f16'].filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } });
  const { load } = await import(pathToFileURL(join(bundle, 'model.js')).href);
  // As ONNX Runtime does not check indices that are computed.
  const model = await load({ backend: 'webgpu', device, validate: false });
  const variants = Array.from({ length: VARIANTS }, (_, seed) => inputsOf(model.inputs, states, seed));
  /** @type {Record<string, any>} */
  let kept = {};
  const reset = () => {
    for (const { buffer } of Object.values(kept)) buffer.destroy();
    kept = {};
  };
  const outputs = model.outputs.map(({ name }) => name).filter((name) => !states.some(([, output]) => output === name));
  return {
    ports: model.inputs,
    reset,
    end() {
      model.dispose();
      device.destroy();
    },
    async run(variant) {
      if (!states.length) {
        const results = model.run(variants[variant]).then((tensors) => Object.fromEntries(outputs.map((name) => [name, tensors[name].data])));
        return { results };
      }
      const tensors = await model.run({ ...variants[variant], ...kept }, { outputs: 'gpu' });
      reset();
      kept = Object.fromEntries(states.map(([input, output]) => [input, tensors[output]]));
      const results = Promise.all(outputs.map(async (name) => {
        const { data } = await tensors[name].read();
        tensors[name].buffer.destroy();
        return [name, data];
      })).then(Object.fromEntries);
      return { results };
    },
  };
}

/** @param {ReturnType<typeof parseModel>} model @param {any[]} ports @param {'webgpu' | 'cpu'} provider @returns {Promise<Engine>} */
async function openPeer({ file, states }, ports, provider) {
  const session = await ort.InferenceSession.create(file, { executionProviders: [provider], logSeverityLevel: 3 });
  const variants = Array.from({ length: VARIANTS }, (_, seed) =>
    Object.fromEntries(Object.entries(inputsOf(ports, states, seed)).map(([name, { data, shape }]) => [name, new ort.Tensor('float32', data, shape)])));
  /** @type {Record<string, any>} */
  let kept = {};
  const start = async (/** @type {number} */ variant) => {
    const tensors = await session.run({ ...variants[variant], ...kept });
    kept = Object.fromEntries(states.map(([input, output]) => [input, tensors[output]]));
    return Object.fromEntries(await Promise.all(Object.entries(tensors).filter(([name]) => !states.some(([, output]) => output === name))
      .map(async ([name, tensor]) => [name, await tensor.getData()])));
  };
  return {
    reset: () => void (kept = {}),
    end: () => session.release(),
    async run(variant) {
      const results = start(variant);
      // The next needs this one's state.
      if (states.length) await results;
      return { results };
    },
  };
}

/**
 * Runs per second with so many in flight.
 *
 * @param {Engine} engine @param {number} width @param {number} seconds
 */
async function rate(engine, width, seconds) {
  /** @type {Promise<any>[]} */
  const inFlight = [];
  let started = 0, done = 0;
  const begin = performance.now(), end = begin + 1000 * seconds;
  while (performance.now() < end) {
    const { results } = await engine.run(started++ % VARIANTS);
    results.catch(() => {});
    inFlight.push(results);
    if (inFlight.length < width) continue;
    await inFlight.shift();
    ++done;
  }
  const taken = (performance.now() - begin) / 1000;
  await Promise.all(inFlight);
  return done / taken;
}

/** The results of a few runs, with so many in flight. @param {Engine} engine @param {number} width */
async function resultsOf(engine, width) {
  engine.reset();
  /** @type {any[]} */
  const all = [], inFlight = [];
  for (let i = 0; i < 3 * VARIANTS; ++i) {
    inFlight.push((await engine.run(i % VARIANTS)).results);
    if (inFlight.length === width) all.push(await inFlight.shift());
  }
  all.push(...await Promise.all(inFlight));
  engine.reset();
  return all;
}

/** The largest difference, in parts of the largest element. @param {any[]} results @param {any[]} expected */
function distance(results, expected) {
  let worst = 0;
  expected.forEach((wanted, i) => {
    for (const [name, values] of Object.entries(wanted)) {
      let most = 0, off = 0;
      values.forEach((/** @type {number} */ value, /** @type {number} */ j) => {
        most = Math.max(most, Math.abs(value));
        off = Math.max(off, Math.abs(results[i][name][j] - value));
      });
      worst = Math.max(worst, off / (most || 1));
    }
  });
  return worst;
}

const median = (/** @type {number[]} */ values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** @param {string} text of the command line @param {string} folder */
async function measure(text, folder) {
  const model = parseModel(text), given = options.bundles?.map((pair) => pair.split('=')) ?? [['webnnc', folder]];
  if (!options.bundles) execFileSync(webnnc, [model.file, '-o', join(folder, model.name), '--device', options.device, '--quiet'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const own = await Promise.all(given.map(([, place]) => openOwn(model, resolve(place, model.name))));
  /** @type {[string, Engine][]} */
  const engines = own.map((engine, i) => [given[i][0], engine]);
  const { ports } = own[0], reference = await openPeer(model, ports, 'cpu'), expected = await resultsOf(reference, 1);
  reference.end();
  engines.push(['ONNX Runtime WebGPU', await openPeer(model, ports, 'webgpu')]);
  /** @type {string[][]} */
  const rows = [];
  /** @type {Map<string, number[][]>} */
  const rates = new Map(engines.map(([name]) => [name, WIDTHS.map(() => [])]));
  /** @type {Map<string, number>} */
  const differs = new Map();
  for (const [name, engine] of engines) {
    for (const width of WIDTHS) {
      const off = distance(await resultsOf(engine, width), expected);
      differs.set(name, Math.max(differs.get(name) ?? 0, off));
    }
  }
  for (let round = 0; round < Number(options.rounds); ++round) {
    for (const [name, engine] of engines.map((_, e) => engines[(e + round) % engines.length])) {
      for (const [i, width] of WIDTHS.entries()) {
        await rate(engine, width, WARM_UP);
        rates.get(name)?.[i].push(await rate(engine, width, Number(options.seconds)));
      }
    }
  }
  for (const [name, engine] of engines) {
    const medians = (rates.get(name) ?? []).map(median);
    rows.push([model.name, name, ...medians.map((value) => value.toFixed(0)), `${(Math.max(...medians) / medians[0]).toFixed(2)} x`, (differs.get(name) ?? 0).toExponential(1)]);
    engine.end();
  }
  return rows;
}

const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
if (!adapter) {
  console.error('error: WebGPU finds no GPU on this machine');
  process.exit(1);
}
console.log(`${adapter.info.description || adapter.info.device || adapter.info.vendor}, --device ${options.device}; runs per second\n`);
const folder = mkdtempSync(join(tmpdir(), 'webnnc-throughput-'));
const rows = [['model', 'engine', ...WIDTHS.map((width) => `${width} in flight`), 'gain', 'differs by']];
try {
  for (const model of models) {
    const taken = await measure(model, folder);
    // As soon as they are there: what comes after may take long.
    for (const row of taken) console.error(row.join('  '));
    rows.push(...taken);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
printTable(rows);
// Dawn would keep the process alive.
process.exit(0);
