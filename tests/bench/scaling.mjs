// How much faster several threads are than one, in Node on this machine's CPU, and ONNX Runtime Web with as many.
//
//   WEBNNC=build/webnnc node tests/bench/scaling.mjs [--threads 1,2,4,8] [--rounds 3] [--runs 20] MODEL.onnx...
//
// Each measurement is a process of its own; rounds interleave engines and numbers of threads. Inputs are made up, and sizes that are
// open are 1. WebAssembly's relaxed instructions are used where Node has them. ORT_WEB may name the folder of ONNX Runtime Web's package.
// The column "apart" is what the machine has to give: how many runs as many processes of one thread end in the time in which one process
// alone ends one. Cores that others use, too, that share their units or run slower side by side give less than their number.

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';

import { printTable } from './table.mjs';

const here = dirname(fileURLToPath(import.meta.url)), webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const ortWeb = process.env.ORT_WEB ?? join(here, 'node_modules/onnxruntime-web');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1,2,4,8' }, rounds: { type: 'string', default: '3' }, runs: { type: 'string', default: '20' },
    // What a process of its own measures.
    engine: { type: 'string' },
  },
});

/** @typedef {() => Promise<unknown>} Run */
const ARRAYS = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array };

/** @param {readonly {name: string, dataType: string, shape: readonly (number | string)[]}[]} ports */
const inputsOf = (ports) => ports.map(({ name, dataType, shape }) => {
  const sizes = shape.map((size) => typeof size === 'number' ? size : 1), Type = /** @type {any} */ (ARRAYS)[dataType];
  const count = sizes.reduce((a, b) => a * b, 1), isFloat = dataType === 'float32';
  const data = Type.from({ length: count }, (/** @type {unknown} */ _, /** @type {number} */ i) => isFloat ? Math.sin(i) : dataType === 'int64' ? BigInt(i % 7) : i % 7);
  return { name, dataType, data, shape: sizes };
});

/** @type {Record<string, (bundle: string, model: string, threads: number) => Promise<Run>>} */
const ENGINES = {
  async webnnc(bundle, _, threads) {
    const { load } = await import(pathToFileURL(join(bundle, 'model.js')).href);
    const loaded = await load({ threads });
    if (loaded.threads !== threads) throw new Error(`it has ${loaded.threads} threads: ${loaded.backendReason}`);
    const feeds = Object.fromEntries(inputsOf(loaded.inputs).map(({ name, data, shape }) => [name, { data, shape }]));
    return () => loaded.run(feeds);
  },
  async ort(bundle, model, threads) {
    const { load } = await import(pathToFileURL(join(bundle, 'model.js')).href), { inputs } = await load({ threads: 1 });
    const ort = await import(pathToFileURL(join(ortWeb, 'dist/ort.node.min.mjs')).href);
    Object.assign(ort.env.wasm, { numThreads: threads });
    ort.env.logLevel = 'error';
    const session = await ort.InferenceSession.create(readFileSync(model), { executionProviders: ['wasm'] });
    const feeds = Object.fromEntries(inputsOf(inputs).map(({ name, dataType, data, shape }) => [name, new ort.Tensor(dataType, data, shape)]));
    return () => session.run(feeds);
  },
};

/** In a process of its own: times of runs, in ms. */
async function measure() {
  const [bundle, model] = positionals, run = await ENGINES[/** @type {string} */ (options.engine)](bundle, model, Number(options.threads));
  const times = [];
  for (let i = 0; i < 5; ++i) await run();
  for (let i = 0; i < Number(options.runs); ++i) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  console.log(JSON.stringify(times));
  process.exit();
}

const median = (/** @type {number[]} */ values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Takes the time of an engine's runs in a process of its own. @param {string} engine @param {string} threads @param {string} bundle @param {string} model */
async function timesOf(engine, threads, bundle, model) {
  const flags = process.allowedNodeEnvironmentFlags.has('--experimental-wasm-relaxed-simd') ? ['--experimental-wasm-relaxed-simd'] : [];
  const { stdout } = await promisify(execFile)(process.execPath,
    [...flags, fileURLToPath(import.meta.url), '--engine', engine, '--threads', threads, '--runs', options.runs, bundle, model]);
  return /** @type {number[]} */ (JSON.parse(stdout));
}

/** @param {string} model */
async function report(model) {
  const bundle = mkdtempSync(join(tmpdir(), 'webnnc-scaling-')), counts = options.threads.split(',');
  try {
    execFileSync(webnnc, [model, '-o', bundle, '--quiet', '--target', 'wasm', '--no-report']);
    /** @type {Map<string, number[]>} */
    const times = new Map();
    for (let round = 0; round < Number(options.rounds); ++round) {
      for (const threads of counts) {
        for (const engine of Object.keys(ENGINES)) {
          const key = `${engine} ${threads}`;
          times.set(key, [...times.get(key) ?? [], ...await timesOf(engine, threads, bundle, model)]);
        }
        const apart = await Promise.all(Array.from({ length: Number(threads) }, () => timesOf('webnnc', '1', bundle, model)));
        times.set(`apart ${threads}`, [...times.get(`apart ${threads}`) ?? [], ...apart.flat()]);
      }
    }
    const of = (/** @type {string} */ engine, /** @type {string} */ threads) => times.get(`${engine} ${threads}`) ?? [];
    const one = of('webnnc', counts[0]);
    const rows = counts.map((threads) => {
      const own = of('webnnc', threads), ort = of('ort', threads), apart = Number(threads) * median(one) / median(of('apart', threads));
      return [threads, median(own).toPrecision(3), Math.min(...own).toPrecision(3), (median(one) / median(own)).toFixed(2), (Math.min(...one) / Math.min(...own)).toFixed(2),
        apart.toFixed(2), median(ort).toPrecision(3), (median(ort) / median(own)).toFixed(2)];
    });
    console.log(`\n${basename(dirname(model))}/${basename(model)}\n`);
    printTable([['threads', 'ms', 'best', `speed to ${counts[0]}`, 'best', 'apart', 'ONNX Runtime Web, ms', 'ratio'], ...rows]);
  } finally {
    rmSync(bundle, { recursive: true });
  }
}

if (options.engine) await measure();
else if (positionals.length) for (const model of positionals) await report(model);
else {
  console.error('usage: scaling.mjs [--threads 1,2,4,8] [--rounds N] [--runs N] MODEL.onnx...');
  process.exit(1);
}
