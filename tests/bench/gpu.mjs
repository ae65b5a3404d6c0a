// Times compiled models on a real GPU, through Dawn in Node, against ONNX Runtime's WebGPU backend and PyTorch in the
// same call, and compares what they compute. tools/bench --gpu starts it.
//
//   WEBNNC=build/webnnc node tests/bench/gpu.mjs [--runs 60] [--device large]... [--no-peer] [--kernels] [--seconds N]
//     [--quantize TYPE] [--precision f16] [--gpu-features LIST] [MODEL...]
//
// A MODEL is an .onnx file; one of the networks that PyTorch writes, where it is installed; q4: and one of these, with weights of
// products in 4 bits (q4_model.mjs); or matmul:N:f32 or matmul:N:f16, the product of two square matrices. Without any it is all
// of the networks but llama_1b, and matmul:4096:f32. --device is what models are compiled for, `large` and `generic` if it is not given.
//
// A row is printed to standard error as soon as there is one. At the end comes the table:
//
//   run            what a caller waits for, in ms: inputs uploaded, kernels run, outputs read back; the median. Of a decoder one
//                  token after the other: its cache stays on the GPU, as ONNX Runtime's and PyTorch's does
//   kernels        the sum of the kernels' own times, by the GPU's clock
//   ONNX Runtime   the same as `run`, of its WebGPU backend; and how many times as long that is as the first device's
//   PyTorch        a CUDA graph, by the GPU's clock: compare it with `kernels`; and how many times as long as it these are
//   differs        from ONNX Runtime's CPU backend, in parts of the largest element; a product from exact sums
//   tokens/s       of a decoder: the first device's, ONNX Runtime's, and what the GPU's memory would let through (--kernels) if
//                  nothing but weights and cache were waited for
//   TFLOP/s        of a product, by the GPU's clock and after two seconds of such products with tensors that stay on the GPU: it
//                  takes an H200 0.3 s of work without a pause until one in f16 takes 3.3 ms instead of 19
//
// --kernels also prints the kernels of each model for the first device, against what the GPU can compute and move; of those that
// reach less than a third of it, why.
// --quantize, --precision and --gpu-features are handed to webnnc: `differs` then tells what they cost, too.
// With --seconds no model begins after that time. Inputs are made up.
//
// Packages: webgpu (Dawn), onnxruntime-node; NODE_PATH may name where they are. PYTHON is the Python that may have torch,
// torchvision and transformers; MODELS a folder in which networks that it writes are kept.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { findAdapter, measurePeak } from './gpu/device.mjs';
import { describePeak, printKernels } from './gpu/kernels.mjs';
import { measureNetwork } from './gpu/network.mjs';
import { runOnnxRuntime } from './gpu/onnx_runtime.mjs';
import { distanceOfProduct, productModel, productOf } from './gpu/product.mjs';
import { NETWORKS, PyTorch, hasPyTorch } from './gpu/pytorch.mjs';
import { distance } from './gpu/tensors.mjs';
import { inFourBits, q4Of } from './q4_model.mjs';
import { printTable } from './table.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '60' },
    device: { type: 'string', multiple: true, default: ['large', 'generic'] },
    'no-peer': { type: 'boolean', default: false },
    kernels: { type: 'boolean', default: false },
    seconds: { type: 'string', default: 'Infinity' },
    quantize: { type: 'string' },
    precision: { type: 'string' },
    'gpu-features': { type: 'string' },
  },
});
const { device: kinds } = options, runs = Number(options.runs), deadline = performance.now() + 1000 * Number(options.seconds);
const flags = /** @type {const} */ (['quantize', 'precision', 'gpu-features']).flatMap((name) => options[name] ? [`--${name}`, options[name]] : []);

/**
 * A row of the table, by column; columns that no row has are left out.
 *
 * @typedef {Record<string, string>} Row
 */

/** @param {number | undefined} value */
const figure = (value) => value === undefined ? '' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);
/** @param {number | undefined} of @param {number | undefined} by */
const ratio = (of, by) => of === undefined || by === undefined ? '' : `${(of / by).toFixed(2)} x`;

const COLUMNS = [
  'model', ...kinds.flatMap((kind) => [`${kind}: run`, `${kind}: kernels`, `${kind}: dispatches`]), 'ONNX Runtime', 'ratio',
  'PyTorch f32', 'PyTorch f16', 'kernels to f32', 'differs', 'tokens/s', 'TFLOP/s', 'problem',
];

/** What a peer can give; where it fails, that is said and the others go on. @template T @param {Row} row @param {string} who @param {() => Promise<T>} work */
async function attempt(row, who, work) {
  try {
    return await work();
  } catch (error) {
    row.problem = [row.problem, `${who}: ${String(/** @type {any} */ (error)?.message ?? error).split('\n')[0].slice(0, 100)}`].filter(Boolean).join('; ');
    return undefined;
  }
}

/**
 * @param {string} name a MODEL of the command line @param {string} folder for files @param {PyTorch | undefined} pytorch
 * @param {import('../../runtime-js/model.js').Peak} [peak]
 */
async function measure(name, folder, pytorch, peak) {
  const product = productOf(name), original = q4Of(name) ?? name, isFile = original.endsWith('.onnx');
  const title = !isFile ? name : basename(name, '.onnx') === 'model' ? basename(dirname(resolve(name))) : basename(name, '.onnx');
  const row = /** @type {Row} */ ({ model: title });
  const native = isFile ? undefined : await pytorch?.measure(original);
  const { sizes, memory } = native ?? {};
  if (native?.error) row.problem = `PyTorch: ${native.error}`;
  const file = product ? join(folder, 'product.onnx') : isFile ? resolve(original) : native?.path;
  if (product) writeFileSync(file, productModel(product));
  if (!file) return { row };
  // Beside the original, whose other weights may be in files of their own.
  const model = original === name ? file : file.replace(/\.onnx$/, '.q4.onnx');
  if (model !== file) writeFileSync(model, inFourBits(readFileSync(file)));
  /** @type {import('./gpu/network.mjs').Measured[]} */
  const own = [];
  for (const kind of kinds) {
    const measured = await attempt(row, kind, () => measureNetwork(webnnc, model, folder, { sizes, memory, kind, flags, runs, peak, isProduct: product !== null }));
    if (!measured) continue;
    own.push(measured);
    Object.assign(row, { [`${kind}: run`]: figure(measured.median), [`${kind}: kernels`]: figure(measured.profile.total), [`${kind}: dispatches`]: String(measured.profile.steps.length) });
  }
  const [first] = own;
  Object.assign(row, { 'PyTorch f32': figure(native?.f32), 'PyTorch f16': figure(native?.f16) });
  if (!first) return { row };
  row['kernels to f32'] = ratio(first.profile.total, native?.f32);
  if (product) row['TFLOP/s'] = (2 * product.size ** 3 / /** @type {number} */ (first.sustained) / 1e9).toFixed(1);
  if (product) row.differs = Math.max(...own.map(({ inputs, results }) => distanceOfProduct(inputs, results, product))).toExponential(1);
  const atPeak = peak && first.profile.kernels.reduce((bytes, kernel) => bytes + kernel.bytes, 0) / peak.bytesPerSecond * 1000;
  if (!options['no-peer']) await compare(row, model, own, { isProduct: product !== null, memory });
  if (memory && Object.keys(memory).length > 0) row['tokens/s'] = [first.median, Number(row['ONNX Runtime']) || undefined, atPeak].map((ms) => ms ? (1000 / ms).toFixed(0) : '-').join(' / ');
  return { row, profile: first.profile };
}

/** @param {Row} row @param {string} model @param {import('./gpu/network.mjs').Measured[]} own @param {{isProduct: boolean, memory?: Record<string, string>}} what */
async function compare(row, model, own, { isProduct, memory }) {
  const [{ inputs, median }] = own;
  const theirs = await attempt(row, 'ONNX Runtime', () => runOnnxRuntime(model, inputs, 'webgpu', { runs, warm: 10, memory }));
  row['ONNX Runtime'] = figure(theirs?.median);
  row.ratio = ratio(theirs?.median, median);
  if (isProduct) return;
  const exact = await attempt(row, 'ONNX Runtime on the CPU', () => runOnnxRuntime(model, inputs, 'cpu', { runs: 1, warm: 0 }));
  if (exact) row.differs = Math.max(...own.map(({ results }) => distance(results, exact.results))).toExponential(1);
}

const adapter = await findAdapter();
if (!adapter) {
  console.error('error: WebGPU finds no GPU on this machine');
  process.exit(1);
}
const isMissing = (/** @type {string} */ name) => !name.endsWith('.onnx') && !productOf(name);
const named = positionals.length > 0 ? positionals : [...NETWORKS, 'matmul:4096:f32'];
const withPyTorch = named.some((name) => !name.endsWith('.onnx')) && hasPyTorch();
const models = withPyTorch ? named : named.filter((name) => !isMissing(name));
if (models.length < named.length) console.error(`skipped: ${named.filter(isMissing).join(', ')}, which PyTorch writes: ${process.env.PYTHON ?? 'python3'} has none with CUDA`);

const work = mkdtempSync(join(tmpdir(), 'webnnc-gpu-')), kept = process.env.MODELS ?? work;
if (!existsSync(kept)) mkdirSync(kept, { recursive: true });
const pytorch = withPyTorch ? new PyTorch(kept) : undefined, peak = options.kernels ? await measurePeak() : undefined;
console.log(`${adapter.info.description || adapter.info.device || adapter.info.vendor}${peak ? `: ${describePeak(peak)}` : ''}; times in ms\n`);
/** @type {Awaited<ReturnType<typeof measure>>[]} */
const measured = [];
try {
  for (const name of models) {
    if (performance.now() > deadline) {
      console.error(`left out, for want of time: ${models.slice(measured.length).join(', ')}`);
      break;
    }
    const folder = mkdtempSync(join(work, 'model-'));
    measured.push(await measure(name, folder, pytorch, peak));
    rmSync(folder, { recursive: true });
    const { row } = measured[measured.length - 1];
    console.error(COLUMNS.filter((column) => row[column]).map((column) => column === 'model' ? row.model : `${column} ${row[column]}`).join(', '));
  }
} finally {
  pytorch?.end();
  rmSync(work, { recursive: true });
}
const columns = COLUMNS.filter((column) => measured.some(({ row }) => row[column]));
printTable([columns, ...measured.map(({ row }) => columns.map((column) => row[column] ?? ''))]);
if (peak) for (const { row, profile } of measured) if (profile) printKernels(`${row.model} (${kinds[0]})`, profile, peak);
// Dawn would keep the process alive.
process.exit(measured.some(({ row }) => row.problem) ? 1 : 0);
