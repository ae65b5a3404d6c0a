// Models that decide while they run, compiled: loops whose end the data tells, values that grow, branches of different
// sizes, sizes that are counted. What they must give follows from ONNX's text, and is computed here. On both backends,
// many times, with memory that stays what it is, with runs that are aborted and devices that are lost.
//
//   WEBNNC=build/webnnc node --test tests/web/decisions.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { gpu, makeDevice } from './dawn.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-decisions-'));
after(() => rmSync(work, { recursive: true }));

/** @typedef {Parameters<typeof onnxModel>[0]} Model */
/** @typedef {Record<string, {shape: number[], data: number[]}>} Tensors */

/** A scalar. @type {(value: number) => {type: any, bytes: Uint8Array}} */
const f32 = (value) => ({ type: ['f32', []], bytes: new Uint8Array(Float32Array.of(value).buffer) });
const yes = { type: /** @type {any} */ (['bool', []]), bytes: Uint8Array.of(1) };
const { fround } = Math;

// ---- Models, and what they compute

/** Halves until the largest is less than 1: what decides is computed from all elements. @type {Model} */
const HALVING = {
  inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['n']], all: ['f32', ['k', 'n']] }, constants: { go: yes },
  nodes: [{
    op: 'Loop', inputs: ['', 'go', 'x'], outputs: ['y', 'all'],
    attributes: {
      body: {
        graph: {
          inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', ['n']] }, outputs: { next: ['bool', []], half: ['f32', ['n']], slice: ['f32', ['n']] },
          constants: { by: f32(0.5), least: f32(1) },
          nodes: [
            { op: 'Mul', inputs: ['v', 'by'], outputs: ['half'] }, { op: 'Identity', inputs: ['half'], outputs: ['slice'] },
            { op: 'ReduceMax', inputs: ['half'], outputs: ['most'], attributes: { keepdims: 0 } },
            { op: 'Less', inputs: ['most', 'least'], outputs: ['done'] }, { op: 'Not', inputs: ['done'], outputs: ['next'] },
          ],
        },
      },
    },
  }],
};
/** @param {number[]} x @returns {Tensors} */
function halve(x) {
  let y = x, k = 0;
  const all = [];
  do {
    y = y.map((value) => value / 2);
    all.push(...y);
    ++k;
  } while (Math.max(...y) >= 1);
  return { y: { shape: [x.length], data: y }, all: { shape: [k, x.length], data: all } };
}

/** Puts the sum of all that is there behind it, as often as it is told. @type {Model} */
const GROWING = {
  inputs: { x: ['f32', ['n']], trips: ['i64', []] }, outputs: { y: ['f32', ['m']], sums: ['f32', ['k']] }, constants: { go: yes },
  nodes: [{
    op: 'Loop', inputs: ['trips', 'go', 'x'], outputs: ['y', 'sums'],
    attributes: {
      body: {
        graph: {
          inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', ['v']] }, outputs: { c2: ['bool', []], longer: ['f32', ['w']], s0: ['f32', []] },
          constants: { one: [1n], quarter: f32(0.25) },
          nodes: [
            { op: 'Identity', inputs: ['c'], outputs: ['c2'] },
            { op: 'ReduceSum', inputs: ['v'], outputs: ['whole'], attributes: { keepdims: 0 } }, { op: 'Mul', inputs: ['whole', 'quarter'], outputs: ['s0'] },
            { op: 'Reshape', inputs: ['s0', 'one'], outputs: ['s1'] }, { op: 'Concat', inputs: ['v', 's1'], outputs: ['longer'], attributes: { axis: 0 } },
          ],
        },
      },
    },
  }],
};
/** @param {number[]} x @param {number} trips @returns {Tensors} */
function grow(x, trips) {
  const y = [...x], sums = [];
  for (let i = 0; i < trips; ++i) {
    sums.push(y.reduce((a, b) => a + b, 0) / 4);
    y.push(sums[i]);
  }
  return { y: { shape: [y.length], data: y }, sums: { shape: [trips], data: sums } };
}

/** Where there is something, and what it is, doubled. @type {Model} */
const COUNTING = {
  inputs: { x: ['f32', ['n', 5]] }, outputs: { at: ['i64', [2, 'm']], twice: ['f32', ['m']], rest: ['f32', [1]] }, constants: { two: f32(2), axis: [1n] },
  nodes: [
    { op: 'NonZero', inputs: ['x'], outputs: ['at'] }, { op: 'Transpose', inputs: ['at'], outputs: ['places'] },
    { op: 'GatherND', inputs: ['x', 'places'], outputs: ['found'] }, { op: 'Mul', inputs: ['found', 'two'], outputs: ['twice'] },
    { op: 'ReduceSum', inputs: ['twice'], outputs: ['rest'] },
  ],
};
/** @param {number[]} x of rows of 5 @returns {Tensors} */
function count(x) {
  const places = [...x.keys()].filter((i) => x[i]), twice = places.map((i) => 2 * x[i]);
  return {
    at: { shape: [2, places.length], data: [...places.map((i) => Math.floor(i / 5)), ...places.map((i) => i % 5)] },
    twice: { shape: [places.length], data: twice }, rest: { shape: [1], data: [twice.reduce((a, b) => a + b, 0)] },
  };
}

/** Both branches take from around them, and differ in size. @type {Model} */
const BRANCHING = {
  inputs: { x: ['f32', ['n']], go: ['bool', []] }, outputs: { y: ['f32', ['m']] }, constants: { two: f32(2) },
  nodes: [{
    op: 'If', inputs: ['go'], outputs: ['z'],
    attributes: {
      then_branch: { graph: { inputs: {}, outputs: { t: ['f32', ['n']] }, nodes: [{ op: 'Mul', inputs: ['x', 'two'], outputs: ['t'] }] } },
      else_branch: { graph: { inputs: {}, outputs: { e: ['f32', ['k']] }, nodes: [{ op: 'Concat', inputs: ['x', 'x'], outputs: ['e'], attributes: { axis: 0 } }] } },
    },
  }, { op: 'Sub', inputs: ['z', 'two'], outputs: ['y'] }],
};
/** @param {number[]} x @param {boolean} go @returns {Tensors} */
function branch(x, go) {
  const y = (go ? x.map((value) => 2 * value) : [...x, ...x]).map((value) => value - 2);
  return { y: { shape: [y.length], data: y } };
}

/** Branches that each have a size of their own, counted in them, and make results of one size. @type {Model} */
const CHOOSING = {
  inputs: { x: ['f32', ['n']], go: ['bool', []] }, outputs: { y: ['f32', ['n']], z: ['f32', ['n']] }, constants: { two: f32(2) },
  nodes: [{
    op: 'If', inputs: ['go'], outputs: ['y', 'z'],
    attributes: {
      then_branch: {
        graph: {
          inputs: {}, outputs: { t: ['f32', ['n']], t2: ['f32', ['n']] },
          nodes: [
            { op: 'NonZero', inputs: ['x'], outputs: ['at'] }, { op: 'Gather', inputs: ['x', 'at'], outputs: ['found'] },
            { op: 'Mul', inputs: ['found', 'two'], outputs: ['twice'] }, { op: 'ReduceSum', inputs: ['twice'], outputs: ['sum'], attributes: { keepdims: 0 } },
            { op: 'Add', inputs: ['x', 'sum'], outputs: ['t'] }, { op: 'Mul', inputs: ['t', 'two'], outputs: ['t2'] },
          ],
        },
      },
      else_branch: {
        graph: {
          inputs: {}, outputs: { e: ['f32', ['n']], e2: ['f32', ['n']] },
          nodes: [
            { op: 'Less', inputs: ['x', 'two'], outputs: ['small'] }, { op: 'Compress', inputs: ['x', 'small'], outputs: ['few'], attributes: { axis: 0 } },
            { op: 'ReduceSum', inputs: ['few'], outputs: ['sum'], attributes: { keepdims: 0 } },
            { op: 'Sub', inputs: ['x', 'sum'], outputs: ['e'] }, { op: 'Sub', inputs: ['e', 'two'], outputs: ['e2'] },
          ],
        },
      },
    },
  }],
};
/** @param {number[]} x @param {boolean} go @returns {Tensors} */
function choose(x, go) {
  const sum = go ? x.reduce((all, value) => all + 2 * value, 0) : x.reduce((all, value) => all + (value < 2 ? value : 0), 0);
  const y = x.map((value) => go ? value + sum : value - sum), z = y.map((value) => go ? 2 * value : value - 2);
  return { y: { shape: [x.length], data: y }, z: { shape: [x.length], data: z } };
}

const ones = (/** @type {number} */ rows) => ({ type: /** @type {any} */ (['f32', [rows, 2]]), bytes: new Uint8Array(new Float32Array(2 * rows).fill(1).buffer) });
/** Each branch takes one size alone. @type {Model} */
const PICKY = {
  inputs: { x: ['f32', [1, 'n']], go: ['bool', []] }, outputs: { y: ['f32', [1, 2]] }, constants: { three: ones(3), five: ones(5) },
  nodes: [{
    op: 'If', inputs: ['go'], outputs: ['y'],
    attributes: {
      then_branch: { graph: { inputs: {}, outputs: { t: ['f32', [1, 2]] }, nodes: [{ op: 'MatMul', inputs: ['x', 'three'], outputs: ['t'] }] } },
      else_branch: { graph: { inputs: {}, outputs: { e: ['f32', [1, 2]] }, nodes: [{ op: 'MatMul', inputs: ['x', 'five'], outputs: ['e'] }] } },
    },
  }],
};

/** A loop in a loop: adds i for each j < i, for each i < trips. @type {Model} */
const NESTED = {
  inputs: { x: ['f32', [3]], trips: ['i64', []] }, outputs: { y: ['f32', [3]] }, constants: { go: yes },
  nodes: [{
    op: 'Loop', inputs: ['trips', 'go', 'x'], outputs: ['y'],
    attributes: {
      body: {
        graph: {
          inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', [3]] }, outputs: { c2: ['bool', []], w: ['f32', [3]] },
          nodes: [
            { op: 'Identity', inputs: ['c'], outputs: ['c2'] }, { op: 'Cast', inputs: ['i'], outputs: ['step'], attributes: { to: 1 } },
            {
              op: 'Loop', inputs: ['i', 'c', 'v'], outputs: ['w'],
              attributes: {
                body: {
                  graph: {
                    inputs: { j: ['i64', []], d: ['bool', []], u: ['f32', [3]] }, outputs: { d2: ['bool', []], sum: ['f32', [3]] },
                    nodes: [{ op: 'Identity', inputs: ['d'], outputs: ['d2'] }, { op: 'Add', inputs: ['u', 'step'], outputs: ['sum'] }],
                  },
                },
              },
            },
          ],
        },
      },
    },
  }],
};
/** @param {number[]} x @param {number} trips @returns {Tensors} */
function nest(x, trips) {
  let y = x;
  for (let i = 0; i < trips; ++i) y = y.map((value) => value + i * i);
  return { y: { shape: [3], data: y } };
}

/** Counts up for ever: its condition is on the host, and true. @type {Model} */
const ENDLESS = {
  inputs: { x: ['f32', ['n']], go: ['bool', []] }, outputs: { y: ['f32', ['n']] },
  nodes: [{
    op: 'Loop', inputs: ['', 'go', 'x'], outputs: ['y'],
    attributes: {
      body: {
        graph: {
          inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', ['n']] }, outputs: { c2: ['bool', []], w: ['f32', ['n']] }, constants: { one: f32(1) },
          nodes: [{ op: 'Identity', inputs: ['c'], outputs: ['c2'] }, { op: 'Add', inputs: ['v', 'one'], outputs: ['w'] }],
        },
      },
    },
  }],
};

/** Remembers all rows that it was given: state that grows. @type {Model} */
const REMEMBERING = {
  inputs: { past: ['f32', ['p', 4]], x: ['f32', ['n', 4]] }, outputs: { sum: ['f32', [4]], present: ['f32', ['q', 4]] },
  nodes: [
    { op: 'Concat', inputs: ['past', 'x'], outputs: ['present'], attributes: { axis: 0 } },
    { op: 'ReduceSum', inputs: ['present', 'rows'], outputs: ['sum'], attributes: { keepdims: 0 } },
  ],
  constants: { rows: [0n] },
};

/** The first of columns of any length, as many as it is told; NaN is larger than all numbers. @type {Model} */
const SORTING = {
  inputs: { x: ['f32', ['n', 2]], k: ['i64', [1]] },
  outputs: { least: ['f32', ['m', 2]], at: ['i64', ['m', 2]], most: ['f32', ['m', 2]], where: ['i64', ['m', 2]] },
  nodes: [
    { op: 'TopK', inputs: ['x', 'k'], outputs: ['least', 'at'], attributes: { axis: 0, largest: 0 } },
    { op: 'TopK', inputs: ['x', 'k'], outputs: ['most', 'where'], attributes: { axis: 0 } },
  ],
};
/** @param {number[]} x @param {number} k @returns {Tensors} */
function first(x, k) {
  const of = (/** @type {number} */ sign) => {
    const columns = [0, 1].map((c) => Array.from({ length: x.length / 2 }, (_, i) => i).sort((a, b) => {
      const p = x[2 * a + c], q = x[2 * b + c];
      return sign * (Number(Number.isNaN(p)) - Number(Number.isNaN(q)) || (p - q || 0)) || a - b;
    }));
    return Array.from({ length: 2 * k }, (_, i) => columns[i % 2][i >> 1]);
  };
  const pick = (/** @type {number[]} */ at) => ({ shape: [k, 2], data: at.map((i, j) => x[2 * i + j % 2]) });
  const at = of(1), where = of(-1);
  return { least: pick(at), at: { shape: [k, 2], data: at }, most: pick(where), where: { shape: [k, 2], data: where } };
}

// ---- Running them

const MODELS = { HALVING, GROWING, COUNTING, BRANCHING, CHOOSING, PICKY, NESTED, REMEMBERING, SORTING, ENDLESS };
/** @type {Record<string, string[]>} */
const FLAGS = { REMEMBERING: ['--state', 'past=present'] };
/** @type {Record<string, Promise<typeof import('../../runtime-js/model.js')>>} */
const compiled = {};

/** @param {keyof typeof MODELS} name */
function compile(name) {
  return compiled[name] ??= (async () => {
    const file = join(work, `${name}.onnx`), out = join(work, name);
    writeFileSync(file, onnxModel(MODELS[name]));
    execFileSync(webnnc, [file, '-o', out, '--quiet', ...FLAGS[name] ?? []]);
    return import(pathToFileURL(join(out, 'model.js')).href);
  })();
}

/** @type {GPUDevice[]} */
const devices = [];
afterEach(() => devices.splice(0).forEach((device) => device.destroy()));
/** Of wasm modules, as they are loaded. @type {WebAssembly.Memory[]} */
const memories = [];
const { instantiate } = WebAssembly;
WebAssembly.instantiate = /** @type {any} */ (async (/** @type {any} */ ...args) => {
  const made = /** @type {any} */ (await instantiate(...(/** @type {[any, any]} */ (args))));
  if (made.exports?.memory) memories.push(made.exports.memory);
  return made;
});

/** A device, how many bytes its buffers have, and how many were written to it and read back. */
async function watched() {
  const device = await makeDevice(), seen = { bytes: 0, written: 0, read: 0 };
  devices.push(device);
  const queue = new Proxy(device.queue, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name !== 'writeBuffer') return typeof value === 'function' ? value.bind(target) : value;
      return (/** @type {any[]} */ ...[buffer, offset, data, from, size]) => {
        seen.written += size ?? data.byteLength;
        return target.writeBuffer(buffer, offset, data, from, size);
      };
    },
  });
  const createBuffer = (/** @type {GPUBufferDescriptor} */ descriptor) => {
    const buffer = device.createBuffer(descriptor), destroy = buffer.destroy.bind(buffer), range = buffer.getMappedRange.bind(buffer);
    let size = buffer.size;
    buffer.getMappedRange = (offset, size) => {
      seen.read += size ?? buffer.size;
      return range(offset, size);
    };
    seen.bytes += size;
    buffer.destroy = () => {
      seen.bytes -= size;
      size = 0;
      return destroy();
    };
    return buffer;
  };
  const proxy = new Proxy(device, {
    get(target, name) {
      if (name === 'createBuffer') return createBuffer;
      if (name === 'queue') return queue;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { device: proxy, seen };
}

/** @param {any} outputs @param {Tensors} expected */
function check(outputs, expected) {
  for (const [name, { shape, data }] of Object.entries(expected)) {
    assert.deepEqual(outputs[name].shape, shape, name);
    assert.deepEqual([...outputs[name].data].map(Number), data.map(fround), name);
  }
}

/** From 0 to 1, the same on every machine. */
function randomFrom(/** @type {number} */ seed) {
  let state = seed;
  return () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32;
}
/** Numbers that f32 adds without rounding. @param {() => number} random @param {number} n @param {number} most */
const numbers = (random, n, most) => Array.from({ length: n }, () => Math.floor(random() * most));

/** Inputs at random, and what must come of them. @type {Record<string, (random: () => number) => {inputs: any, expected: Tensors}>} */
const DRAW = {
  HALVING(random) {
    const x = numbers(random, 1 + Math.floor(random() * 200), 2 ** Math.floor(random() * 12));
    return { inputs: { x: Float32Array.from(x) }, expected: halve(x) };
  },
  GROWING(random) {
    const x = numbers(random, Math.floor(random() * 50), 16).map((value) => 2 ** 8 * value), trips = Math.floor(random() * 7);
    return { inputs: { x: Float32Array.from(x), trips: BigInt64Array.of(BigInt(trips)) }, expected: grow(x, trips) };
  },
  COUNTING(random) {
    const density = random(), x = numbers(random, 5 * Math.floor(1 + random() * 60), 100).map((value) => random() < density ? value : 0);
    return { inputs: { x: Float32Array.from(x) }, expected: count(x) };
  },
  BRANCHING(random) {
    const x = numbers(random, Math.floor(1 + random() * 300), 1000), go = random() < 0.5;
    return { inputs: { x: Float32Array.from(x), go }, expected: branch(x, go) };
  },
  CHOOSING(random) {
    const x = numbers(random, Math.floor(1 + random() * 300), 5), go = random() < 0.5;
    return { inputs: { x: Float32Array.from(x), go }, expected: choose(x, go) };
  },
  NESTED(random) {
    const x = numbers(random, 3, 100), trips = Math.floor(random() * 8);
    return { inputs: { x: Float32Array.from(x), trips: BigInt64Array.of(BigInt(trips)) }, expected: nest(x, trips) };
  },
  SORTING(random) {
    const n = Math.floor(1 + random() ** 3 * 1500), k = Math.floor(1 + random() * n), x = numbers(random, 2 * n, n);
    if (random() < 0.3) x[Math.floor(random() * n)] = NaN;
    return { inputs: { x: { data: Float32Array.from(x), shape: [n, 2] }, k: BigInt64Array.of(BigInt(k)) }, expected: first(x, k) };
  },
};
const NAMES = /** @type {(keyof typeof MODELS)[]} */ (Object.keys(DRAW));

for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
  describe(backend, () => {
    for (const name of NAMES) {
      test(`${name.toLowerCase()}, and memory stays what it is`, async () => {
        const { load } = await compile(name), { device, seen } = await watched(), random = randomFrom(7);
        const model = await load(backend === 'wasm' ? { backend } : { backend, device }), memory = /** @type {WebAssembly.Memory} */ (memories.at(-1));
        const used = () => [memory.buffer.byteLength, seen.bytes];
        const runs = Array.from({ length: 40 }, () => DRAW[name](random));
        for (const { inputs, expected } of runs) check(await model.run(inputs), expected);
        const before = used();
        for (let round = 0; round < 3; ++round) for (const { inputs, expected } of runs) check(await model.run(inputs), expected);
        assert.deepEqual(used(), before);
        model.dispose();
      });
    }

    test('what a branch assumes is asked of runs that take it', async () => {
      const { load, InputError } = await compile('PICKY'), { device } = await watched(), model = await load(backend === 'wasm' ? { backend } : { backend, device });
      const run = (/** @type {number} */ n, /** @type {boolean} */ go) => model.run({ x: { data: new Float32Array(n).fill(1), shape: [1, n] }, go });
      for (const [n, go] of /** @type {[number, boolean][]} */ ([[3, true], [5, false], [3, true]])) assert.deepEqual([...(await run(n, go)).y.data], [n, n]);
      await assert.rejects(run(3, false), InputError);
      await assert.rejects(run(5, true), InputError);
      assert.deepEqual([...(await run(5, false)).y.data], [5, 5]);
      model.dispose();
    });

    test('state that grows is empty at first, and no byte of it crosses', async () => {
      const { load } = await compile('REMEMBERING'), { device, seen } = await watched();
      const model = await load(backend === 'wasm' ? { backend } : { backend, device }), other = model.session(), sums = [0, 0, 0, 0];
      for (let run = 0; run < 60; ++run) {
        const n = 1 + run % 3, x = Array.from({ length: 4 * n }, (_, i) => run + i), before = { ...seen };
        x.forEach((value, i) => sums[i % 4] += value);
        assert.deepEqual([...(await model.run({ x: { data: Float32Array.from(x), shape: [n, 4] } })).sum.data], sums);
        if (backend === 'webgpu') assert.ok(seen.read - before.read <= 16 && seen.written - before.written <= 16 * n + 4096, JSON.stringify([before, seen]));
      }
      assert.deepEqual((await /** @type {any} */ (model.state).save()).past.shape, [120, 4]);
      assert.deepEqual([...(await other.run({ x: { data: new Float32Array(4).fill(2), shape: [1, 4] } })).sum.data], [2, 2, 2, 2]);
      model.dispose();
    });

    test('a loop without an end is aborted', async () => {
      const { load } = await compile('ENDLESS'), { device } = await watched(), model = await load(backend === 'wasm' ? { backend } : { backend, device });
      const x = Float32Array.of(1, 2);
      assert.deepEqual((await model.run({ x, go: false })).y.data, x);
      for (let round = 0; round < 3; ++round) {
        const controller = new AbortController(), run = model.run({ x, go: true }, { signal: controller.signal });
        await new Promise((done) => setTimeout(done, 100));
        const start = performance.now();
        controller.abort();
        await assert.rejects(run, { name: 'AbortError' });
        const next = await model.run({ x, go: false }), waited = performance.now() - start;
        assert.deepEqual(next.y.data, x);
        // The run itself must have ended; on a busy machine it takes a little longer.
        assert.ok(waited < 500, `${waited} ms`);
      }
      model.dispose();
    });
  });
}

test('what decides is read back, and nothing else', async () => {
  const { load } = await compile('HALVING'), { device, seen } = await watched(), model = await load({ backend: 'webgpu', device });
  const x = Float32Array.from({ length: 300 }, (_, i) => 3 * i);
  await model.run({ x });
  const before = { ...seen }, { y, all } = await model.run({ x }), [k] = all.shape;
  // Of each iteration a bool, which is a word there.
  assert.equal(seen.read - before.read, 4 * k + y.data.byteLength + all.data.byteLength);
  model.dispose();
});

test('devices that are lost at any moment: the next run is right', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  const random = randomFrom(3);
  for (const name of /** @type {const} */ (['HALVING', 'COUNTING'])) {
    const { load, DeviceLostError } = await compile(name), model = await load({ backend: 'webgpu' });
    for (let round = 0; round < 15; ++round) {
      const { device } = model, ended = [];
      for (let i = 0; i < 4; ++i) {
        const { inputs, expected } = DRAW[name](random);
        ended.push(model.run(inputs).then((outputs) => check(outputs, expected), (error) => assert.ok(error instanceof DeviceLostError, String(error))));
      }
      setTimeout(() => device?.destroy(), random() * 10);
      await Promise.all(ended);
      await device?.lost;
      const { inputs, expected } = DRAW[name](random);
      check(await model.run(inputs), expected);
    }
    model.dispose();
  }
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
});

test('in Chromium, in the page and in a worker', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, async () => {
  await Promise.all([compile('HALVING'), compile('ENDLESS')]);
  const server = await serve({ '/': work, '/test': join(root, 'tests/web/pages') }, { csp: STRICT_CSP }), browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/test/blank.html`), x = numbers(randomFrom(5), 100, 1000);
    for (const options of [{ backend: 'wasm' }, { backend: 'webgpu' }, { backend: 'wasm', worker: true }]) {
      const { y, all, shape, waited } = await page.evaluate(async (options, x) => {
        const open = async (/** @type {string} */ name) => (await import(`/${name}/model.js`)).load(options);
        const halving = await open('HALVING'), { y, all } = await halving.run({ x: Float32Array.from(x) });
        const endless = await open('ENDLESS'), controller = new AbortController();
        const run = endless.run({ x: Float32Array.of(1), go: true }, { signal: controller.signal });
        await new Promise((done) => setTimeout(done, 100));
        const start = performance.now();
        controller.abort();
        await run.catch(() => {});
        await endless.run({ x: Float32Array.of(1), go: false });
        return { y: [...y.data], all: [...all.data], shape: all.shape, waited: performance.now() - start };
      }, options, x);
      const expected = halve(x);
      assert.deepEqual([y, all, shape], [expected.y.data, expected.all.data, expected.all.shape]);
      assert.ok(waited < 1000, `${waited} ms`);
    }
  } finally {
    await browser.close();
    await server.close();
  }
});
