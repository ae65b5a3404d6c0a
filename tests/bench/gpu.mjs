// Times compiled models on a real GPU, through Dawn in Node, against ONNX Runtime's WebGPU backend in the
// same run, and compares what both compute. tools/bench --gpu starts it.
//
//   WEBNNC=build/webnnc node tests/bench/gpu.mjs [--runs 60] [--device large] MODEL...
//
// A MODEL is an .onnx file, or matmul:N:f32 or matmul:N:f16, the product of two square matrices.
//
// A run's time is what a caller waits for: inputs uploaded, kernels run, outputs read back; the median
// and the best are printed, and the sum of the kernels' own times by the GPU's clock. Inputs are
// made up. A product of matrices is given in TFLOP/s, by the GPU's clock and after two seconds of such
// products with tensors that stay on the GPU: it takes an H200 0.3 s of work without a pause until one
// in f16 takes 3.3 ms instead of 19.
//
// Packages: webgpu (Dawn), onnxruntime-node; NODE_PATH may name where they are. WEBNNC_KERNELS=1 also
// prints the kernels that take longest.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { onnxModel } from '../onnx_model.mjs';
import { printTable } from './table.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const webnnc = process.env.WEBNNC ?? join(here, '../../build/webnnc');
const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '60' },
    device: { type: 'string', default: 'generic' },
    // What ONNX Runtime's result is compared with: its CPU backend.
    'no-peer': { type: 'boolean', default: false },
  },
});
const require = createRequire(import.meta.url);
const { create, globals } = require('webgpu');
Object.assign(globalThis, globals);
/** Kept, since devices die with it. */
const gpu = create([
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
]);

/** @param {number[]} values */
const sorted = (values) => [...values].sort((a, b) => a - b);

/** Numbers that look random and are the same each time. @param {number} count */
function madeUp(count) {
  const values = new Float32Array(count);
  let state = 1;
  for (let i = 0; i < count; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

/** Sizes that are symbolic are taken as 1. */
function inputsOf(ports) {
  const inputs = {};
  for (const { name, dataType, shape } of ports) {
    const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
    const count = sizes.reduce((a, b) => a * b, 1);
    const values = madeUp(count);
    const data =
      dataType === 'float32' ? values
      : dataType === 'float16' ? Uint16Array.from(values, toHalf)
      : dataType === 'int64' ? BigInt64Array.from(values, (v) => BigInt(Math.floor(Math.abs(v) * 100)))
      : Int32Array.from(values, (v) => Math.floor(Math.abs(v) * 100));
    inputs[name] = { data, shape: sizes, dataType };
  }
  return inputs;
}

/** The bits of the f16 that a number is rounded to; for numbers of normal size. @param {number} value */
function toHalf(value) {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0];
  const exponent = ((bits >> 23) & 255) - 112;
  if (exponent <= 0) return (bits >> 16) & 0x8000;
  return ((bits >> 16) & 0x8000) | ((exponent << 10) + ((((bits & 0x7fffff) >> 12) + 1) >> 1));
}

/** @param {number} half */
function fromHalf(half) {
  const exponent = (half >> 10) & 31, fraction = half & 1023;
  const value = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
  return half & 0x8000 ? -value : value;
}

/** What ONNX Runtime's backend takes and gives. */
async function peer(model, inputs, provider, runs) {
  const ort = require('onnxruntime-node');
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 3 });
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { data, shape, dataType }]) => [name, new ort.Tensor(dataType, data, shape)]));
  const times = [];
  let outputs;
  for (let i = 0; i < runs + 10; ++i) {
    const start = performance.now();
    outputs = await session.run(feeds);
    for (const output of Object.values(outputs)) await output.getData();
    if (i >= 10) times.push(performance.now() - start);
  }
  const results = {};
  for (const [name, output] of Object.entries(outputs)) results[name] = await output.getData();
  await session.release();
  return { times: sorted(times), results };
}

/** The largest difference, in parts of the largest element. */
function distance(results, expected) {
  let worst = 0;
  for (const [name, wanted] of Object.entries(expected)) {
    const half = results[name].dataType === 'float16';
    const a = half ? Array.from(results[name].data, fromHalf) : results[name].data;
    const b = half ? Array.from(wanted, fromHalf) : wanted;
    let most = 0, off = 0;
    for (let i = 0; i < b.length; ++i) {
      most = Math.max(most, Math.abs(Number(b[i])));
      off = Math.max(off, Math.abs(Number(a[i]) - Number(b[i])));
    }
    worst = Math.max(worst, off / (most || 1));
  }
  return worst;
}

/** Of matmul:N:DTYPE. @param {string} name */
function productOf(name) {
  const match = /^matmul:(\d+):(f16|f32)$/.exec(name);
  return match && { size: Number(match[1]), half: match[2] === 'f16' };
}

/** @param {{size: number, half: boolean}} product */
function productModel({ size, half }) {
  /** @type {import('../onnx_model.mjs').Type} */
  const type = [half ? 'f16' : 'f32', [size, size]];
  return onnxModel({
    inputs: { a: type, b: type }, outputs: { c: type },
    nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['c'] }],
  });
}

/**
 * How far the first rows of a product are from the exact sums, in parts of the largest element.
 *
 * @param {Record<string, any>} inputs @param {any} results @param {{size: number, half: boolean}} product
 */
function distanceOfProduct({ a, b }, { c }, { size, half }) {
  const rows = 4, [left, right, got] = [a.data.subarray(0, rows * size), b.data, c.data.subarray(0, rows * size)]
    .map((data) => half ? Float64Array.from(data, fromHalf) : data);
  let most = 0, off = 0;
  for (let i = 0; i < rows; ++i) {
    const sums = new Float64Array(size);
    for (let k = 0; k < size; ++k) {
      const factor = left[i * size + k];
      for (let j = 0; j < size; ++j) sums[j] += factor * right[k * size + j];
    }
    sums.forEach((sum, j) => {
      most = Math.max(most, Math.abs(sum));
      off = Math.max(off, Math.abs(got[i * size + j] - sum));
    });
  }
  return off / most;
}

/** Milliseconds that the kernels take on a GPU whose clock has risen. */
async function sustained(model, device, inputs) {
  const onGpu = {};
  for (const [name, { data, shape }] of Object.entries(inputs)) {
    const buffer = device.createBuffer({ size: data.byteLength, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST | GPUBufferUsage.STORAGE });
    device.queue.writeBuffer(buffer, 0, data);
    onGpu[name] = { buffer, shape };
  }
  // One run is always waiting while another one runs.
  let before = device.queue.onSubmittedWorkDone();
  for (const end = performance.now() + 2000; performance.now() < end; ) {
    const outputs = await model.run(onGpu, { outputs: 'gpu' });
    const done = device.queue.onSubmittedWorkDone();
    await before;
    before = done.then(() => Object.values(outputs).forEach(({ buffer }) => buffer.destroy()));
  }
  const { total } = await model.profile(onGpu, { runs: 20 });
  await before;
  return total;
}

/** @param {string} name a MODEL of the command line */
async function measure(name) {
  const out = mkdtempSync(join(tmpdir(), 'webnnc-gpu-')), product = productOf(name);
  try {
    const model = product ? join(out, 'matmul.onnx') : resolve(name);
    if (product) writeFileSync(model, productModel(product));
    execFileSync(webnnc, [model, '-o', join(out, 'b'), '--device', options.device, '--quiet'], { stdio: ['ignore', 'inherit', 'inherit'] });
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    const features = ['timestamp-query', 'shader-f16'].filter((feature) => adapter.features.has(feature));
    const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
    const device = await adapter.requestDevice({
      requiredFeatures: features,
      requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
    });
    const { load } = await import(pathToFileURL(join(out, 'b/model.js')).href);
    const begin = performance.now();
    const compiled = await load({ backend: 'webgpu', device });
    const loaded = performance.now() - begin;
    const inputs = inputsOf(compiled.inputs);
    const times = [];
    const runs = Number(options.runs);
    let results;
    for (let i = 0; i < runs + 10; ++i) {
      const start = performance.now();
      results = await compiled.run(inputs);
      if (i >= 10) times.push(performance.now() - start);
    }
    const own = sorted(times), profile = await compiled.profile(inputs, { runs: 20 });
    const row = {
      name: product ? name : basename(model, '.onnx') === 'model' ? basename(dirname(model)) : basename(model, '.onnx'),
      median: own[runs >> 1], best: own[0], kernels: profile.total, dispatches: profile.steps.length, loaded,
    };
    if (product) row.rate = 2 * product.size ** 3 / await sustained(compiled, device, inputs) / 1e9;
    if (!options['no-peer']) {
      const theirs = await peer(model, inputs, 'webgpu', runs);
      row.peer = theirs.times[runs >> 1];
      if (!product) row.difference = distance(results, (await peer(model, inputs, 'cpu', 1)).results);
    }
    if (product) row.difference = distanceOfProduct(inputs, results, product);
    compiled.dispose();
    device.destroy();
    return { row, profile };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
if (!adapter) {
  console.error('error: WebGPU finds no GPU on this machine');
  process.exit(1);
}
console.log(`${adapter.info.description || adapter.info.device || adapter.info.vendor}, --device ${options.device}; times in ms\n`);
/** @param {number | undefined} value */
const figure = (value) => value === undefined ? '' : value.toPrecision(3);
const rows = [['model', 'run', 'best', 'kernels', 'dispatches', 'load', 'ONNX Runtime WebGPU', 'speed', 'differs by', 'TFLOP/s']];
for (const model of models) {
  const { row, profile } = await measure(model);
  rows.push([row.name, figure(row.median), figure(row.best), figure(row.kernels), String(row.dispatches), row.loaded.toFixed(0),
    figure(row.peer), row.peer ? `${(row.peer / row.median).toFixed(2)} x` : '', row.difference?.toExponential(1) ?? '',
    row.rate?.toFixed(1) ?? '']);
  // A row as soon as there is one: what comes after may take long.
  console.error(rows.at(-1).filter(Boolean).join('  '));
  if (!process.env.WEBNNC_KERNELS) continue;
  for (const { kernel, ms, calls } of profile.kernels.slice(0, 12)) console.error(`  ${(ms * 1000).toFixed(1).padStart(8)} us  ${calls} x ${kernel}`);
}
printTable(rows);
// Dawn would keep the process alive.
process.exit(0);
