// Times products with weights of 4 bits on a real GPU, through Dawn in Node, against what the GPU can copy and, in the same call, ONNX
// Runtime's WebGPU backend; and compares what they compute.
//
//   WEBNNC=build/webnnc node tests/bench/nbits.mjs [--runs 60] [--device large] [--no-peer] [--schedules FILE] [MODEL...]
//
// A MODEL is nbits:M:K:N, or nbits:M:K:N:BITS:BLOCK, as in bench.mjs; without any it is a row and 128 rows by 4096 x 14336, and a row
// by 4096 x 4096. A run multiplies by as many matrices, one after another, as no cache holds, at most 64; of many rows, by one. Columns:
//
//   product        of one product, in microseconds: a run's time on the GPU, by its clock, over their number. Between two is what WebGPU
//                  waits there, as in a decoder, but not what it takes to read the clock
//   GB/s           weights and scales, over that; and what part of the GPU's copying that is
//   TFLOP/s        the same of what is computed
//   run            what a caller waits for, in ms: rows uploaded, products, results read back; the median
//   ONNX Runtime   the same as `run`, of its WebGPU backend; and how many times as long that is
//   differs        from ONNX Runtime's CPU backend, in parts of the largest element
//
// Packages: webgpu (Dawn), onnxruntime-node; NODE_PATH may name where they are.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { findAdapter, makeDevice, measurePeak } from './gpu/device.mjs';
import { describePeak } from './gpu/kernels.mjs';
import { runOnnxRuntime } from './gpu/onnx_runtime.mjs';
import { distance, inputsOf } from './gpu/tensors.mjs';
import { bytesOf, nbitsModel, nbitsOf } from './nbits_model.mjs';
import { printTable } from './table.mjs';

const webnnc = process.env.WEBNNC ?? join(dirname(fileURLToPath(import.meta.url)), '../../build/webnnc');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '60' },
    device: { type: 'string', default: 'large' },
    'no-peer': { type: 'boolean', default: false },
    schedules: { type: 'string' },
  },
});
const runs = Number(options.runs), models = positionals.length > 0 ? positionals : ['nbits:1:4096:14336', 'nbits:1:4096:4096', 'nbits:128:4096:14336'];
/** More than caches hold, which small products do not come to; rows from which on it is not memory that a product waits for; runs, and milliseconds, before those that count; passes that are stamped. */
const COLD_BYTES = 200e6, MOST_PRODUCTS = 64, MANY_ROWS = 8, WARM_RUNS = 10, WARM_MS = 500, MOST_PASSES = 1024;

/** Stamps all that a device computes from now on. @param {GPUDevice} device @param {number} passes at most */
function stamp(device, passes) {
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * passes }), create = device.createCommandEncoder.bind(device);
  let used = 0;
  device.createCommandEncoder = (descriptor) => {
    const encoder = create(descriptor), begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (pass) => {
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * used, endOfPassWriteIndex: 2 * used + 1 };
      return used++ < passes ? begin({ ...pass, timestampWrites }) : begin(pass);
    };
    return encoder;
  };
  /** Milliseconds of each pass so far, in the order in which they were encoded. */
  return async () => {
    const size = 8 * 2 * passes, { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC }), read = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
    const encoder = create();
    encoder.resolveQuerySet(querySet, 0, 2 * passes, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, read, 0, size);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(read.getMappedRange());
    return Array.from({ length: Math.min(used, passes) }, (_, i) => Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6);
  };
}

/** @param {string} file @param {string} out where to */
async function measure(file, out) {
  const schedules = options.schedules ? ['--schedules', options.schedules] : [];
  execFileSync(webnnc, [file, '-o', out, '--device', options.device, '--target', 'webgpu', '--no-report', '--quiet', ...schedules], { stdio: ['ignore', 'inherit', 'inherit'] });
  const device = await makeDevice();
  try {
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href), model = await load({ backend: 'webgpu', device });
    const inputs = inputsOf(model.inputs), results = await model.run(inputs), times = [];
    // Until the GPU's clock has risen.
    for (const end = performance.now() + WARM_MS; performance.now() < end; ) await model.run(inputs);
    const passes = stamp(device, MOST_PASSES);
    for (let i = -WARM_RUNS; i < runs; ++i) {
      const start = performance.now();
      await model.run(inputs);
      if (i >= 0) times.push(performance.now() - start);
    }
    // The last run's commands may be those of a next one, which has not been.
    const all = await passes(), each = Math.max(1, Math.round(all.length / (WARM_RUNS + runs))), sums = [];
    for (let i = 0; i + each <= all.length - each; i += each) sums.push(all.slice(i, i + each).reduce((sum, ms) => sum + ms, 0));
    model.dispose();
    return { inputs, results, median: times.sort((a, b) => a - b)[runs >> 1], computing: sums.sort((a, b) => a - b)[sums.length >> 1] };
  } finally {
    device.destroy();
  }
}

const adapter = await findAdapter();
if (!adapter) {
  console.error('error: WebGPU finds no GPU on this machine');
  process.exit(1);
}
const peak = await measurePeak(), folder = mkdtempSync(join(tmpdir(), 'webnnc-nbits-'));
console.log(`${adapter.info.description || adapter.info.device || adapter.info.vendor}: ${describePeak(peak)}\n`);
const rows = [['model', 'products', 'product, us', 'GB/s', 'of copying', 'TFLOP/s', 'run, ms', 'ONNX Runtime', 'ratio', 'differs']];
try {
  for (const [index, name] of models.entries()) {
    const product = nbitsOf(name);
    if (!product) throw new Error(`${name} is not nbits:M:K:N`);
    const { m, k, n } = product, bytes = bytesOf(product), count = m > MANY_ROWS ? 1 : Math.min(MOST_PRODUCTS, Math.ceil(COLD_BYTES / bytes));
    const file = join(folder, `${index}.onnx`);
    writeFileSync(file, nbitsModel(product, count));
    const { inputs, results, median, computing } = await measure(file, join(folder, `${index}`));
    const ms = computing / count;
    const theirs = options['no-peer'] ? undefined : await runOnnxRuntime(file, inputs, 'webgpu', { runs, warm: WARM_RUNS });
    const exact = await runOnnxRuntime(file, inputs, 'cpu', { runs: 1, warm: 0 });
    const speed = bytes / ms * 1000;
    rows.push([name, String(count), (ms * 1000).toFixed(1), (speed / 1e9).toFixed(0), `${(100 * speed / peak.bytesPerSecond).toFixed(0)} %`,
      (2 * m * k * n / ms / 1e9).toFixed(2), median.toPrecision(3), theirs?.median.toPrecision(3) ?? '', theirs ? `${(theirs.median / median).toFixed(2)} x` : '',
      distance(results, exact.results).toExponential(1)]);
    console.error(rows[rows.length - 1].join(', '));
  }
} finally {
  rmSync(folder, { recursive: true });
}
printTable(rows);
// Dawn would keep the process alive.
process.exit(0);
