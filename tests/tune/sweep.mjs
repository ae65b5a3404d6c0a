// Measures all candidates of kernels on this machine's GPU, by Dawn, for tests/tune/learn.test.mjs: what a search would have found.
//
//   webnnc MODEL.onnx --target webgpu --device large --emit candidates --candidates 96 > NAME.json        for each network
//   node tests/tune/sweep.mjs --seconds 120 --kernels 8 --output sweep.json NAME.json...
//
// Kernels come in turns, the most expensive ones of each network first; with --seconds none begins after that time. With --part 2/6
// it takes every sixth of them: several processes compile side by side, and take turns on the GPU by --lock FOLDER, which one of them
// has at a time. The package webgpu is looked for where NODE_PATH says.

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

import { Bench, compilePipeline } from '../../runtime-js/tune/bench.js';
import { deviceOf, labelOf } from '../../runtime-js/tune/job.js';

/** How many are measured beside the compiler's choice at a time. */
const BATCH = 16;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: 'Infinity' }, kernels: { type: 'string', default: '8' }, output: { type: 'string', default: 'sweep.json' },
    part: { type: 'string', default: '1/1' }, lock: { type: 'string', default: '' } },
});
const deadline = performance.now() + 1000 * Number(options.seconds);
const { create } = createRequire(import.meta.url)('webgpu');
/** Kept, since devices die with it. @type {GPU} */
const gpu = create(['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia', 'disable-dawn-features=timestamp_quantization']);
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
if (!adapter) throw new Error('there is no GPU');

/** @typedef {import('../../runtime-js/tune/job.js').Kernel} Kernel */
const networks = positionals.map((path) => {
  const { kernels, targets } = JSON.parse(readFileSync(path, 'utf8'));
  return { name: basename(path, '.json'), targets, kernels: /** @type {Kernel[]} */ (kernels).slice(0, Number(options.kernels)) };
});
const device = await deviceOf(adapter, /** @type {any} */ ({ targets: networks.flatMap(({ targets }) => targets) }));
const turns = Array.from({ length: Number(options.kernels) }, (_, i) => networks.flatMap(({ name, kernels }) => kernels[i] ? [{ name, kernel: kernels[i], all: kernels }] : [])).flat();
const [part, parts] = options.part.split('/').map(Number);
/** @template T @param {() => Promise<T>} work */
async function alone(work) {
  for (let isHeld = !options.lock; !isHeld; ) {
    try {
      mkdirSync(options.lock);
      isHeld = true;
    } catch {
      await new Promise((done) => setTimeout(done, 2));
    }
  }
  return work().finally(() => options.lock && rmdirSync(options.lock));
}
/** @type {any[]} */
const swept = [];
for (const { name, kernel, all } of turns.filter((_, i) => i % parts === part - 1)) {
  if (performance.now() > deadline) break;
  const weightBytes = all.reduce((sum, { launches, buffers }) => sum + launches * buffers.reduce((own, { bytes, isWeight }) => own + (isWeight ? bytes : 0), 0), 0);
  const bench = new Bench(device, weightBytes), seconds = [Infinity], start = performance.now();
  const [own, ...others] = /** @type {any[]} */ (kernel.candidates);
  for (let first = 0; first < others.length; first += BATCH) {
    const batch = await Promise.all([own, ...others.slice(first, first + BATCH)].map(async (candidate) => ({ ...candidate, pipeline: await compilePipeline(device, candidate).catch(() => undefined) })));
    const [again, ...times] = await alone(() => bench.measure(kernel, batch));
    if (first === 0) seconds[0] = again;
    seconds.push(...times.map((time) => time * seconds[0] / again));
  }
  bench.release();
  const best = Math.min(...seconds);
  console.log(`${name} ${kernel.title}: ${(seconds[0] * 1e6).toFixed(1)} us, best ${(best * 1e6).toFixed(1)} us of ${seconds.length}, ${((performance.now() - start) / 1e3).toFixed(1)} s`);
  swept.push({ network: name, title: kernel.title, launches: kernel.launches, traits: kernel.candidates.map(({ traits }) => traits.map((trait) => Math.round(trait * 100) / 100)),
    ns: seconds.map((time) => time < Infinity ? Math.round(time * 1e9) : null) });
}
writeFileSync(options.output, JSON.stringify({ device: labelOf(adapter.info), kernels: swept }).replaceAll('{"network"', '\n{"network"') + '\n');
// Dawn would keep the process alive.
process.exit(0);
