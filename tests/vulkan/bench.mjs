// What WebGPU adds: the same SPIR-V by Vulkan and, as WGSL, by Dawn in Node, both by the GPU's clock.
//
//   WEBNNC=build/webnnc HOST=build/vulkan_host node tests/vulkan/bench.mjs [--device large] [--runs 50] [--kernels] MODEL.onnx...
//
// A time is that of all dispatches, with what the GPU does between them: in Vulkan one command buffer with a barrier behind
// each dispatch, in WebGPU the one pass of a run. Models must be of known sizes. Needs webgpu (Dawn); NODE_PATH may name
// where that is.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { printTable } from '../bench/table.mjs';

const { WEBNNC: webnnc = 'build/webnnc', HOST: host = 'build/vulkan_host' } = process.env;
const { values: options, positionals: models } = parseArgs({
  allowPositionals: true, options: { device: { type: 'string', default: 'generic' }, runs: { type: 'string', default: '50' }, kernels: { type: 'boolean', default: false } },
});
const { create, globals } = createRequire(import.meta.url)('webgpu');
Object.assign(globalThis, globals);
const gpu = create(['enable-dawn-features=allow_unsafe_apis', 'disable-dawn-features=timestamp_quantization']);
const findAdapter = () => gpu.requestAdapter({ powerPreference: 'high-performance' });
const adapter = await findAdapter();
if (!adapter?.features.has('timestamp-query')) throw new Error('there is no GPU with a clock');

/** @param {number[]} values */
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/** A device whose compute passes are stamped at both ends. */
async function stampedDevice() {
  // An adapter makes one device.
  const adapter = await findAdapter();
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
  // Without shader-f16, so that both run the same program.
  const device = await adapter.requestDevice({
    requiredFeatures: ['timestamp-query'], requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
  });
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 }), resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const make = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = make(descriptor), begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (pass) => begin({ timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 }, ...pass });
    return encoder;
  };
  /** Of the last pass, in ms. */
  const last = async () => {
    const encoder = make();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const [from, to] = new BigInt64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    return Number(to - from) / 1e6;
  };
  return { device, last };
}

/** Elements that are made up; indices are small. */
function inputsOf(ports) {
  return Object.fromEntries(ports.map(({ name, dataType, shape }) => {
    const count = shape.reduce((a, b) => a * b, 1), Type = { int64: BigInt64Array, int32: Int32Array, bool: Uint8Array }[dataType] ?? Float32Array;
    return [name, Type === Float32Array ? Float32Array.from({ length: count }, (_, i) => Math.sin(i)) : new Type(count).fill(Type === BigInt64Array ? 1n : 1)];
  }));
}

/** As the GPU holds them. */
const wordsOf = (data) => data instanceof Float32Array || data instanceof Int32Array ? data : data instanceof Uint8Array ? Uint32Array.from(data) : Int32Array.from(data, Number);

/** The largest difference, in parts of the largest element. */
function distance(file, { data }) {
  const bytes = readFileSync(file), wanted = wordsOf(data), got = new wanted.constructor(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  let most = 0, off = 0;
  for (let i = 0; i < wanted.length; ++i) {
    most = Math.max(most, Math.abs(wanted[i]));
    off = Math.max(off, Math.abs(got[i] - wanted[i]));
  }
  return off / (most || 1);
}

/** @param {string} model */
async function measure(model) {
  const work = mkdtempSync(join(tmpdir(), 'webnnc-vulkan-')), out = join(work, 'out'), flags = ['--device', options.device, '--quiet'];
  try {
    execFileSync(webnnc, [model, '-o', out, '--no-report', ...flags]);
    execFileSync(webnnc, [model, '--emit', 'dispatches', ...flags], { stdio: ['ignore', openSync(join(work, 'program.txt'), 'w'), 'inherit'] });
    const { device, last } = await stampedDevice(), { load } = await import(pathToFileURL(join(out, 'model.js')).href), own = await load({ backend: 'webgpu', device });
    const inputs = inputsOf(own.inputs), times = [];
    let results;
    for (let run = 0; run < 1.5 * Number(options.runs); ++run) {
      results = await own.run(inputs);
      const ms = await last();
      if (run >= Number(options.runs) / 2) times.push(ms);
    }
    own.dispose();
    device.destroy();
    const files = (kind, ports) => ports.flatMap(({ name }, i) => [`--${kind}`, `${name}=${join(work, `${kind}_${i}`)}`]);
    own.inputs.forEach(({ name }, i) => writeFileSync(join(work, `input_${i}`), wordsOf(inputs[name])));
    const said = execFileSync(host, [join(work, 'program.txt'), '--weights', join(out, 'model.weights.bin'), '--runs', options.runs, ...options.kernels ? ['--kernels'] : [],
      ...files('input', own.inputs), ...files('output', own.outputs)], { encoding: 'utf8' });
    const [, vulkan, best, wall, dispatches] = /gpu ([\d.]+) ms, best ([\d.]+) ms, wall ([\d.]+) ms, (\d+) dispatches/.exec(said);
    if (options.kernels) console.error(said);
    const webgpu = median(times), difference = Math.max(...own.outputs.map(({ name }, i) => distance(join(work, `output_${i}`), results[name])));
    return [basename(model, '.onnx'), dispatches, vulkan, best, wall, webgpu.toFixed(4), `${(webgpu / Number(vulkan)).toFixed(2)} x`, difference.toExponential(1)];
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const rows = [['model', 'dispatches', 'Vulkan, ms', 'best', 'wall', 'WebGPU, ms', 'ratio', 'differs by']];
for (const model of models) {
  rows.push(await measure(model));
  console.error(rows.at(-1).join('  '));
}
console.log(`${adapter.info.description || adapter.info.device || adapter.info.vendor}, --device ${options.device}\n`);
printTable(rows);
// Dawn would keep the process alive.
process.exit(0);
