// `webnnc tune --target wasm`: candidates of the CPU's kernels are right, what is measured goes to the file, and the compiler takes the
// fastest. WEBNNC names the compiler; without it, build/webnnc.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { architecture, cpu, engineOf, labelOfCpu } from '../../runtime-js/tune/cpu.js';
import { CpuBench } from '../../runtime-js/tune/cpu_bench.js';
import { tune } from '../../runtime-js/tune/session.js';
import { TimesFile } from '../../runtime-js/tune/times_file.js';
import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'webnnc-tune-cpu-'));
after(() => rmSync(folder, { recursive: true }));

const ROWS = 24, INNER = 40, COLUMNS = 48;
const model = join(folder, 'product.onnx');
writeFileSync(model, onnxModel({
  inputs: { x: ['f32', [ROWS, INNER]], y: ['f32', [INNER, COLUMNS]] }, outputs: { z: ['f32', [ROWS, COLUMNS]] },
  nodes: [{ op: 'MatMul', name: 'product', inputs: ['x', 'y'], outputs: ['z'] }],
}));
const x = Float32Array.from({ length: ROWS * INNER }, (_, i) => (i * 37 % 101) / 100), y = Float32Array.from({ length: INNER * COLUMNS }, (_, i) => (i * 53 % 89) / 89 - 0.5);
const z = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) =>
  Array.from({ length: INNER }, (_, k) => x[Math.floor(i / COLUMNS) * INNER + k] * y[k * COLUMNS + i % COLUMNS]).reduce((a, b) => a + b));
const isRight = (/** @type {Float32Array} */ result) => result.forEach((value, i) => assert.ok(Math.abs(value - z[i]) < 1e-4, `${i}: ${value} ${z[i]}`));

const printed = JSON.parse(execFileSync(webnnc, [model, '--target', 'wasm', '--emit', 'candidates', '--candidates', '24'], { encoding: 'utf8', maxBuffer: 1 << 28 }));
/** @type {import('../../runtime-js/tune/job.js').Kernel[]} */ const kernels = printed.kernels;
const kernelFor = (/** @type {string} */ target) => /** @type {typeof kernels[0]} */ (kernels.find((each) => each.target === target));
const jobOf = (/** @type {object} */ more = {}) => ({ ...printed, model: 'product.onnx', output: 'x', on: 'wasm', most: 16, measurements: 200, ...more });

/** The schedule that the compiler takes with a file. @param {string} file @param {string} target */
function takenWith(file, target) {
  const { status, stdout, stderr } = spawnSync(webnnc, [model, '--target', 'wasm', '--emit', 'schedules', '--schedules', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /warning/);
  return new RegExp(`^for ${target} "${kernelFor(target).key}" (schedule \\{[^}]*\\})`, 'm').exec(stdout)?.[1];
}

/** What a file of times holds. @param {string} path */
const entriesOf = (path) => [...readFileSync(path, 'utf8').matchAll(/^for (\S+) "(\w+)" on "([^"]+)" (\d+) ns (schedule \{[^}]*\})/gm)]
  .map(([, target, key, device, ns, schedule]) => ({ target, key, device, ns: Number(ns), schedule }));

test('each candidate is a function of the module, and computes the same', async () => {
  assert.deepEqual(printed.targets, [{ name: 'wasm-relaxed', features: ['relaxed-simd'] }, { name: 'wasm', features: [] }]);
  const { wasm, candidates, buffers } = kernelFor('wasm');
  assert.ok(candidates.length > 8, `${candidates.length}`);
  assert.equal(new Set(candidates.map(({ schedule }) => schedule)).size, candidates.length);
  assert.ok(candidates.every(({ seconds }) => seconds > 0));
  assert.deepEqual(buffers.map(({ bytes }) => bytes), [x.byteLength, y.byteLength, 4 * z.length]);
  const { instance } = await WebAssembly.instantiate(Buffer.from(/** @type {string} */ (wasm), 'hex')), exports = /** @type {any} */ (instance.exports);
  const places = buffers.reduce((all, { bytes }) => [...all, /** @type {number} */ (all.at(-1)) + bytes + 64], [exports.__heap_base.value + 64 & ~63]);
  exports.memory.grow(4);
  const tensor = (/** @type {number} */ n) => new Float32Array(exports.memory.buffer, places[n], buffers[n].bytes / 4);
  tensor(0).set(x);
  tensor(1).set(y);
  candidates.forEach((_, c) => {
    tensor(2).fill(NaN);
    exports[c](...places.slice(0, 3));
    isRight(tensor(2));
  });
});

test('what is measured goes to the file, and the compiler takes the fastest', async () => {
  for (const [features, target] of /** @type {[string[], string][]} */ ([[['relaxed-simd'], 'wasm-relaxed'], [[], 'wasm']])) {
    const output = join(folder, `${target}.schedules`), job = jobOf({ output }), record = new TimesFile(output, job), { candidates, key } = kernelFor(target), fastest = candidates.length - 3;
    /** @type {number[]} */ const measured = [];
    const secondsOf = (/** @type {number} */ c) => c === fastest ? 1e-6 : 1e-5 + c * 1e-8;
    await tune({
      label: 'made up x86', has: (feature) => features.includes(feature),
      open: async () => ({ close: () => {}, measure: async (kernel, index, numbers) => {
        assert.equal(job.kernels[index], kernel);
        assert.equal(kernel.target, target);
        measured.push(...numbers);
        return numbers.map(secondsOf);
      } }),
    }, { job, measuredOn: async (label) => record.measuredOn(label), report: async (label, times) => record.add(label, times), onState: () => {}, signal: new AbortController().signal });
    assert.equal(new Set(measured).size, candidates.length);
    const entries = entriesOf(output);
    assert.equal(entries.length, candidates.length);
    for (const { device, ns, schedule, ...entry } of entries) {
      const c = candidates.findIndex((each) => each.schedule.trim() === schedule);
      assert.deepEqual({ ...entry, device, ns }, { target, key, device: 'made up x86', ns: Math.round(secondsOf(c) * 1e9) });
    }
    assert.equal(takenWith(output, target), candidates[fastest].schedule.trim());
    assert.notEqual(candidates[fastest].schedule, candidates[0].schedule);
  }
});

test('where the best one is disturbed, others do not seem faster', async () => {
  const output = join(folder, 'disturbed.schedules'), job = jobOf({ output }), record = new TimesFile(output, job);
  let batches = 0;
  await tune({
    label: 'made up x86', isSteady: true, has: () => false,
    open: async () => ({ close: () => {}, measure: async (_, __, numbers) => (++batches, numbers.map((c) => (c ? 2e-5 : 1e-5) * (c === 0 && batches > 1 ? 10 - batches : 1))) }),
  }, { job, measuredOn: async () => [], report: async (label, times) => record.add(label, times), onState: () => {}, signal: new AbortController().signal });
  assert.ok(batches > 2);
  assert.equal(takenWith(output, 'wasm'), kernelFor('wasm').candidates[0].schedule.trim());
});

test('files of GPU and CPU are one behind the other, and the network computes the same', async () => {
  const gpus = JSON.parse(execFileSync(webnnc, [model, '--target', 'webgpu', '--emit', 'candidates', '--candidates', '3'], { encoding: 'utf8' })).kernels;
  for (const fastest of [1, 5, 7]) {
    const file = join(folder, `both${fastest}.schedules`), out = join(folder, `both${fastest}`);
    const entries = (/** @type {typeof kernels} */ all, /** @type {number} */ best) => all.flatMap(({ target, key, candidates }) =>
      candidates.map(({ schedule }, c) => `for ${target} "${key}" on "some device" ${c === best ? 1000 : 2000} ns ${schedule}`)).join('');
    writeFileSync(file, entries(gpus, 1) + entries(kernels, fastest));
    for (const target of ['wasm', 'wasm-relaxed']) assert.equal(takenWith(file, target), kernelFor(target).candidates[fastest].schedule.trim());
    execFileSync(webnnc, [model, '-o', out, '--quiet', '--schedules', file]);
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href), network = await load({ backend: 'wasm' });
    isRight((await network.run({ x, y })).z.data);
    network.dispose();
  }
});

describe('the bench', () => {
  // (module (memory (export "memory") 1) (global (export "__heap_base") i32 (i32.const 1024)) and two functions that count their
  // parameter down: "0" from 2,000, and "1" from 200,000.)
  const leb = (/** @type {number} */ n) => n < 64 ? [n] : [n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127];
  const section = (/** @type {number} */ id, /** @type {number[][]} */ ...parts) => [id, parts.flat().length, ...parts.flat()];
  const text = (/** @type {string} */ name) => [name.length, ...Buffer.from(name)];
  const countdown = (/** @type {number} */ from) => {
    const body = [0, 0x41, ...leb(from), 0x21, 0, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x0b];
    return [body.length, ...body];
  };
  const module = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, ...section(1, [1, 0x60, 1, 0x7f, 0]), ...section(3, [2, 0, 0]), ...section(5, [1, 0, 1]),
    ...section(6, [1, 0x7f, 0, 0x41, 0x80, 8, 0x0b]), ...section(7, [4], text('memory'), [2, 0], text('__heap_base'), [3, 0], text('0'), [0, 0], text('1'), [0, 1]),
    ...section(10, [2], countdown(2000), countdown(200_000))]);
  const kernel = { buffers: [{ type: 'f32', bytes: 4000, isWeight: true }] }, both = [{ index: 0, sizes: [] }, { index: 1, sizes: [] }];

  test('tells which function is faster, and loads a module once', async () => {
    let loads = 0;
    const bench = new CpuBench(1 << 20), load = async () => (++loads, module);
    const [fast, slow] = await bench.measure(kernel, load, both);
    assert.ok(fast > 0 && slow > 10 * fast && slow < 1000 * fast, `${fast} ${slow}`);
    const [again] = await bench.measure(kernel, load, [both[0]]);
    assert.ok(again < slow / 10, `${again} ${slow}`);
    assert.equal(loads, 1);
  });

  test('can be stopped between turns, and lets others run', async () => {
    const stop = new AbortController();
    const bench = new CpuBench(0, () => new Promise((done) => setImmediate(done)));
    setTimeout(() => stop.abort(new Error('stopped')), 20);
    await assert.rejects(bench.measure(kernel, async () => module, both, () => stop.signal.throwIfAborted()), /stopped/);
  });
});

test('a device is an engine, its version and a kind of processor', () => {
  const named = [
    [{ v8: '11.3.244.8-node.20' }, 'v8 11'],
    [{ userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36' }, 'v8 13'],
    [{ userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0' }, 'spidermonkey 141'],
    [{ userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15' }, 'javascriptcore 18'],
  ];
  for (const [known, name] of named) assert.equal(engineOf(/** @type {any} */ (known)), name);
  const kinds = /** @type {Record<string, string>} */ ({ x64: 'x86', ia32: 'x86', arm64: 'arm', arm: 'arm' });
  assert.equal(architecture(), kinds[process.arch]);
  assert.match(labelOfCpu(), /^v8 \d+ (x86|arm)$/);
  // Or a disturbed measurement would make all others look fast.
  assert.equal(cpu(async () => assert.fail()).isSteady, true);
});

/** @param {string[]} flags */
const call = (flags) => spawnSync(webnnc, ['tune', ...flags], { encoding: 'utf8', cwd: folder });

test('--on node measures, goes on from its file, and stops when it is told to', async () => {
  const output = join(folder, 'node.schedules'), flags = [model, '--on', 'node', '--target', 'wasm', '-o', output, '--candidates', '12'];
  const child = spawn(webnnc, ['tune', ...flags], { cwd: folder });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => said += text);
  const ended = new Promise((done) => child.on('close', done));
  while (!existsSync(output)) await Promise.race([new Promise((done) => setTimeout(done, 10)), ended.then(() => assert.fail(said))]);
  child.kill('SIGINT');
  await ended;
  assert.match(said, /stopped; called again, it goes on/);
  const first = entriesOf(output);
  assert.ok(first.length >= 1 && first.length < 12, `${first.length}`);
  assert.equal(call(flags).status, 0);
  const entries = entriesOf(output);
  assert.deepEqual(entries.slice(0, first.length), first);
  // One that is measured again with less is written again.
  assert.equal(new Set(entries.map(({ schedule }) => schedule)).size, 12);
  assert.ok(entries.every(({ device, ns }) => device === labelOfCpu() && ns > 0));
  // Several may have taken as long, and one that was written twice counts with its least.
  const leastOf = (/** @type {typeof entries} */ some) => Math.min(...some.map(({ ns }) => ns)), taken = takenWith(output, entries[0].target);
  assert.equal(leastOf(entries.filter(({ schedule }) => schedule === taken)), leastOf(entries));
  const again = call(flags);
  assert.equal(again.status, 0, again.stderr);
  assert.deepEqual(entriesOf(output), entries);
});

test('what is missing or wrong is said with a way out', async () => {
  const plain = join(folder, 'relu.onnx');
  writeFileSync(plain, onnxModel({ inputs: { x: ['f32', [8]] }, outputs: { y: ['f32', [8]] }, nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }] }));
  for (const [flags, expected] of /** @type {[string[], RegExp][]} */ ([
    [[plain, '--on', 'node', '--target', 'wasm'], /no kernel of relu\.onnx has several schedules for wasm: there is nothing to measure/],
    [[model, '--on', 'node', '--target', 'cpu'], /--target names "cpu": there are webgpu and wasm/],
    [[model, '--target'], /--target is given no value/],
  ])) {
    const { status, stderr } = call(flags);
    assert.notEqual(status, 0, String(expected));
    assert.match(stderr, expected);
  }
  const { WebAssembly: own } = globalThis;
  try {
    for (const engine of [undefined, { validate: () => false }]) {
      Object.assign(globalThis, { WebAssembly: engine });
      assert.throws(() => cpu(async () => assert.fail()), /this engine has no WebAssembly with SIMD.*use a newer one/);
    }
  } finally {
    Object.assign(globalThis, { WebAssembly: own });
  }
});
