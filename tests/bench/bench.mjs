// Times compiled models against ONNX Runtime Web, LiteRT.js and TF.js, on the CPU, in headless Chromium.
//
//   WEBNNC=build/webnnc node tests/bench/bench.mjs [--rounds 5] [--runs 20] [--threads 1] [--parts] [--dim NAME=SIZE]... MODEL...
//
// A MODEL is an .onnx file; or nbits:M:K:N, M rows by a matrix of K x N weights of 4 bits with a scale for 32 (MatMulNBits), or
// nbits:M:K:N:BITS:BLOCK; or int8dyn:FILE, the model in an .onnx file, its weights quantised to bytes as by quantize_dynamic.
//
// LiteRT.js and TF.js get the model with the same weights in their own formats (peers/); where an operator is not known there they
// have no times, and it is said why. --threads makes pages cross-origin isolated, and gives all engines so many threads. --parts also
// prints what our first result is made of.
//
// Each measurement is a fresh page in a fresh browser. Rounds interleave the engines, so that other work on the machine
// slows all. Compare only figures of one call.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { launch, serve } from '../web/harness.mjs';
import { int8dynOf, quantisedDynamically } from './int8dyn_model.mjs';
import { nbitsModel, nbitsOf } from './nbits_model.mjs';
import { graphModelOf } from './peers/graph_model.mjs';
import { layersOf } from './peers/layers.mjs';
import { tfliteOf } from './peers/tflite.mjs';
import { printTable } from './table.mjs';

/** @import { Part } from './first_result.mjs' */
/** @import { Network } from './peers/layers.mjs' */
/** @typedef {{first: number, times: number[], output: number[], parts?: Part[]}} Result of a page */
/** @typedef {{results: Result[], failure?: string}} Taken of an engine, until it failed */

const here = dirname(fileURLToPath(import.meta.url));
const webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: { rounds, runs, threads, parts: printsParts, dim }, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '20' },
    threads: { type: 'string', default: '1' },
    parts: { type: 'boolean', default: false },
    dim: { type: 'string', multiple: true, default: [] },
  },
});
/** Sizes by the name of their symbol. */
const sizes = new Map(dim.map((given) => /** @type {[string, number]} */ ([given.split('=')[0], Number(given.split('=')[1])])));

const OURS = 'webnnc', REFERENCE = 'ONNX Runtime Web';
const ENGINES = new Map([[OURS, 'webnnc'], [REFERENCE, 'ort'], ['LiteRT.js', 'litert'], ['TF.js', 'tfjs']]);
/** For a page to load and measure, in ms. */
const TIMEOUT = 300_000;

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The inputs of a bundle, sizes that are symbolic taken as --dim says or as 1, and all such sizes. @param {string} bundle */
async function inputsOf(bundle) {
  const module = await WebAssembly.compile(readFileSync(join(bundle, 'model.wasm')));
  const manifest = JSON.parse(new TextDecoder().decode(WebAssembly.Module.customSections(module, 'webnnc.manifest')[0]));
  /** @type {Record<string, number>} */
  const open = {}, sizeOf = (/** @type {number | string} */ size) => typeof size === 'number' ? size : open[size] = sizes.get(size) ?? 1;
  /** @type {{name: string, dataType: string, shape: number[]}[]} */
  const inputs = manifest.inputs.map((/** @type {any} */ { name, dataType, shape }) => ({ name, dataType, shape: shape.map(sizeOf) }));
  return { inputs, open };
}

/** @param {unknown} error */
const firstLine = (error) => String(error).split('\n')[0];

/**
 * The model in the formats of LiteRT.js and TF.js, and which of them cannot have it.
 *
 * @param {string} model @param {Awaited<ReturnType<typeof inputsOf>>} ports @param {string} folder
 */
async function writePeers(model, { inputs, open }, folder) {
  /** @type {Map<string, string>} */
  const failures = new Map();
  /** @type {[string, (network: Network) => void][]} */
  const writers = [
    ['LiteRT.js', (network) => writeFileSync(join(folder, 'model.tflite'), tfliteOf(network))],
    ['TF.js', (network) => {
      const { json, weights } = graphModelOf(network);
      writeFileSync(join(folder, 'model.json'), json);
      writeFileSync(join(folder, 'weights.bin'), weights);
    }],
  ];
  const network = layersOf(model, inputs, open);
  for (const [name, write] of writers) await network.then(write).catch((error) => failures.set(name, firstLine(error)));
  return failures;
}

/** One page's result. @param {Record<string, string>} mounts @param {Record<string, string>} query @returns {Promise<Result>} */
async function measurePage(mounts, query) {
  const server = await serve(mounts, { isolate: threads !== '1' }), browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/page.html?${new URLSearchParams(query)}`, { timeout: TIMEOUT });
    await page.until(() => window.result !== undefined || window.failure !== undefined);
    const failure = await page.evaluate(() => window.failure);
    if (failure) throw new Error(firstLine(failure));
    return await page.evaluate(() => window.result);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** @param {string} model @param {string} bundle @param {string} folder for files of the peers @returns {Promise<Map<string, Taken>>} */
async function measure(model, bundle, folder) {
  const packages = (/** @type {string} */ name) => join(here, 'node_modules', name), ports = await inputsOf(bundle), failures = await writePeers(model, ports, folder);
  const mounts = {
    '/': here, '/model': bundle, '/onnx': model, '/tflite': join(folder, 'model.tflite'), '/graph': folder, '/runtime': join(here, '../../runtime-js'),
    '/ort': packages('onnxruntime-web/dist'), '/litert': packages('@litertjs/core'), '/litert-wasm-utils': packages('@litertjs/wasm-utils/dist'),
    ...Object.fromEntries(['core', 'converter', 'backend-cpu', 'backend-wasm'].map((part) => [`/tfjs-${part}`, packages(`@tensorflow/tfjs-${part}/dist`)])),
  };
  const taken = new Map([...ENGINES.keys()].map((name) => [name, /** @type {Taken} */ ({ results: [], failure: failures.get(name) })]));
  for (let round = 0; round < Number(rounds); ++round) {
    for (const [name, of] of taken) {
      if (of.failure) continue;
      const engine = /** @type {string} */ (ENGINES.get(name)), parts = printsParts && name === OURS;
      const query = { engine, backend: 'wasm', threads, inputs: JSON.stringify(ports.inputs), runs, ...parts && { parts: '1' } };
      try {
        of.results.push(await measurePage(mounts, query));
      } catch (error) {
        of.failure = firstLine(error);
      }
    }
  }
  return taken;
}

/** The largest difference, relative to the largest finite value. @param {number[]} a @param {number[]} b */
function difference(a, b) {
  // One by one, since there may be more of them than a call takes arguments.
  const largest = b.reduce((most, value) => Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most, 1e-30);
  return a.reduce((most, value, i) => Object.is(value, b[i]) ? most : Math.max(most, Math.abs(value - b[i])), 0) / largest;
}

/** @param {Result[]} results */
function summary(results) {
  const times = results.flatMap((result) => result.times);
  return { run: median(times), best: Math.min(...times), first: median(results.map(({ first }) => first)), output: results[0].output };
}

/** Times of all engines, and how many times as long as ours they are. @param {Map<string, Taken>} taken */
function printTimes(taken) {
  const done = new Map([...taken].filter(([, { failure }]) => !failure).map(([name, { results }]) => [name, summary(results)]));
  const ours = done.get(OURS), reference = done.get(REFERENCE);
  const rows = [['engine', 'run, ms', 'x ours', 'best, ms', 'x ours', 'first result, ms', 'x ours', 'differs by']];
  for (const name of taken.keys()) {
    const of = done.get(name), ratio = (/** @type {'run' | 'best' | 'first'} */ key) => of && ours ? (of[key] / ours[key]).toFixed(2) : '-';
    rows.push(!of ? [name, ...rows[0].slice(1).fill('-')] : [name, of.run.toPrecision(3), ratio('run'), of.best.toPrecision(3), ratio('best'), of.first.toFixed(0), ratio('first'),
      reference ? difference(of.output, reference.output).toExponential(1) : '-']);
  }
  printTable(rows);
  for (const [name, { failure }] of taken) if (failure) console.log(`\n${name}: ${failure}`);
}

/** What our first result is made of, each the median of all pages. @param {Result[]} results */
function printParts(results) {
  const all = results.flatMap(({ parts }) => parts ?? []), names = new Set(all.map(({ part }) => part));
  const middle = (/** @type {string} */ name, /** @type {'from' | 'to' | 'took'} */ key) => {
    const values = all.flatMap(({ part, [key]: value }) => part === name && value !== undefined ? [value] : []);
    return values.length ? median(values).toFixed(1) : '';
  };
  if (!names.size) return;
  console.log('');
  printTable([['first result of webnnc', 'from, ms', 'to, ms', 'takes, ms'], ...[...names].map((name) => [name, middle(name, 'from'), middle(name, 'to'), middle(name, 'took')])]);
}

/** The file of a MODEL of the command line. @param {string} name @param {string} folder of those that are made */
function fileOf(name, folder) {
  const product = nbitsOf(name), original = int8dynOf(name), made = join(folder, 'made.onnx');
  if (!product && !original) return resolve(name);
  writeFileSync(made, product ? nbitsModel(product) : quantisedDynamically(readFileSync(/** @type {string} */ (original))));
  return made;
}

/** @param {string} name a MODEL of the command line */
async function report(name) {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-bench-'));
  try {
    const bundle = join(folder, 'out'), model = fileOf(name, folder);
    execFileSync(webnnc, [model, '-o', bundle, '--quiet']);
    const taken = await measure(model, bundle, folder);
    const code = ['model.wasm', 'model.shaders.json', 'model.js'].filter((file) => existsSync(join(bundle, file))).reduce((sum, file) => sum + gzipSync(readFileSync(join(bundle, file)), { level: 9 }).length, 0);
    const title = name.includes(':') ? name : `${basename(dirname(model))}/${basename(model)}`;
    console.log(`\n${title}: code ${(code / 1000).toFixed(1)} kB gzipped, ${threads === '1' ? 'one thread' : `${threads} threads`}\n`);
    printTimes(taken);
    if (printsParts) printParts(/** @type {Taken} */ (taken.get(OURS)).results);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const model of models) await report(model);
