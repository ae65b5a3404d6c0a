// Times compiled models against ONNX Runtime Web, in headless Chromium, one thread each.
//
//   WEBNNC=build/webnnc node tests/bench/bench.mjs [--rounds 5] [--runs 20] [--dim NAME=SIZE]... MODEL...
//
// A MODEL is an .onnx file; or nbits:M:K:N, M rows by a matrix of K x N weights of 4 bits with a scale for 32 (MatMulNBits), or
// nbits:M:K:N:BITS:BLOCK; or int8dyn:FILE, the model in an .onnx file, its weights quantised to bytes as by quantize_dynamic.
//
// Each measurement is a fresh page. Rounds interleave the engines, so that other work on the machine
// slows both. Compare only figures of one call.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { launch, serve } from '../web/harness.mjs';
import { int8dynOf, quantisedDynamically } from './int8dyn_model.mjs';
import { nbitsModel, nbitsOf } from './nbits_model.mjs';
import { printTable } from './table.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: { rounds, runs, dim }, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '20' },
    dim: { type: 'string', multiple: true, default: [] },
  },
});
/** Sizes by the name of their symbol. */
const sizes = new Map(dim.map((given) => /** @type {[string, number]} */ ([given.split('=')[0], Number(given.split('=')[1])])));

const ENGINES = [
  { name: 'webnnc, wasm', query: { engine: 'webnnc', backend: 'wasm' } },
  { name: 'ONNX Runtime Web, wasm', query: { engine: 'ort', backend: 'wasm' } },
];
/** For a page to load and measure, in ms. */
const TIMEOUT = 300_000;

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted ? values.toSorted((a, b) => a - b) : [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The inputs of a bundle, sizes that are symbolic taken as --dim says or as 1. @param {string} bundle */
async function inputsOf(bundle) {
  const module = await WebAssembly.compile(readFileSync(join(bundle, 'model.wasm')));
  const manifest = JSON.parse(new TextDecoder().decode(WebAssembly.Module.customSections(module, 'webnnc.manifest')[0]));
  return manifest.inputs.map(({ name, dataType, shape }) =>
    ({ name, dataType, shape: shape.map((size) => typeof size === 'number' ? size : sizes.get(size) ?? 1) }));
}

/** @param {string} model @param {string} bundle */
async function measure(model, bundle) {
  const mounts = { '/': here, '/model': bundle, '/onnx': model, '/ort': join(here, 'node_modules/onnxruntime-web/dist') };
  const inputs = JSON.stringify(await inputsOf(bundle));
  /** @type {Map<string, {first: number, times: number[], output: number[]}[]>} */
  const results = new Map(ENGINES.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(rounds); ++round) {
    for (const { name, query } of ENGINES) {
      const server = await serve(mounts), browser = await launch('chromium');
      try {
        const page = await browser.open(`${server.url}/page.html?${new URLSearchParams({ ...query, inputs, runs })}`, { timeout: TIMEOUT });
        await page.until(() => window.result !== undefined || window.failure !== undefined);
        const failure = await page.evaluate(() => window.failure);
        if (failure) throw new Error(`${name}: ${failure}`);
        results.get(name).push(await page.evaluate(() => window.result));
      } finally {
        await browser.close();
        await server.close();
      }
    }
  }
  return results;
}

/** The largest difference, relative to the largest finite value. @param {number[]} a @param {number[]} b */
function difference(a, b) {
  const largest = Math.max(...b.map(Math.abs).filter(Number.isFinite), 1e-30);
  return Math.max(...a.map((value, i) => Object.is(value, b[i]) ? 0 : Math.abs(value - b[i]))) / largest;
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
    const results = await measure(model, bundle);
    const reference = [...results.values()][1];
    const base = median(reference.flatMap(({ times }) => times)), baseFirst = median(reference.map(({ first }) => first));
    const rows = [['engine', 'run, ms', 'best', 'speed', 'first result, ms', 'speed', 'differs by']];
    for (const [engine, taken] of results) {
      const times = taken.flatMap((result) => result.times), first = median(taken.map((result) => result.first));
      rows.push([engine, median(times).toPrecision(3), Math.min(...times).toPrecision(3), `${(base / median(times)).toFixed(2)} x`,
        first.toFixed(0), `${(baseFirst / first).toFixed(2)} x`, difference(taken[0].output, reference[0].output).toExponential(1)]);
    }
    const code = ['model.wasm', 'model.js'].reduce((sum, file) => sum + gzipSync(readFileSync(join(bundle, file)), { level: 9 }).length, 0);
    console.log(`\n${name.includes(':') ? name : `${basename(dirname(model))}/${basename(model)}`}: code ${(code / 1000).toFixed(1)} kB gzipped\n`);
    printTable(rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const model of models) await report(model);
