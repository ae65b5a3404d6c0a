// Branches and loops that were made to do harm, on both backends: sizes and trips beyond all bounds, values that are
// carried crosswise, given on as they came, given twice, or not used at all. A run that is refused leaves the next one
// right. What must come of them follows from ONNX's text.
//
//   WEBNNC=build/webnnc node --test tests/web/perils.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-perils-'));
after(() => rmSync(work, { recursive: true }));
/** @type {GPUDevice[]} */
const devices = [];
afterEach(() => devices.splice(0).forEach((device) => device.destroy()));

/** @typedef {Parameters<typeof onnxModel>[0]} Model */
/** @typedef {Model['nodes'][number]} Node */
/** @typedef {Omit<Model, 'opset' | 'functions'>} Graph */

/** @type {(value: number) => {type: any, bytes: Uint8Array}} */
const f32 = (value) => ({ type: ['f32', []], bytes: new Uint8Array(Float32Array.of(value).buffer) });
/** @type {(value: bigint) => {type: any, bytes: Uint8Array}} */
const i64 = (value) => ({ type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(value).buffer) });
const yes = { type: /** @type {any} */ (['bool', []]), bytes: Uint8Array.of(1) };

/** @type {(op: string, inputs: string[], outputs: string[], attributes?: Node['attributes']) => Node} */
const node = (op, inputs, outputs, attributes) => ({ op, inputs, outputs, attributes });
/** @type {(inputs: string[], outputs: string[], body: Graph) => Node} */
const loop = (inputs, outputs, body) => node('Loop', inputs, outputs, { body: { graph: body } });
/** @type {(condition: string, outputs: string[], then: Graph, other: Graph) => Node} */
const branch = (condition, outputs, then, other) => node('If', [condition], outputs, { then_branch: { graph: then }, else_branch: { graph: other } });
/** The first inputs of each loop's body. @type {Graph['inputs']} */
const counter = { i: ['i64', []], c: ['bool', []] };
const row = /** @type {[any, any]} */ (['f32', ['n']]);

/** @param {Model} model @param {string} file */
function compile(model, file = 'model.onnx') {
  const folder = mkdtempSync(join(work, 'model-')), out = join(folder, 'out');
  writeFileSync(join(folder, file), onnxModel(model));
  const { status, stderr, signal } = spawnSync(webnnc, [join(folder, file), '-o', out, '--quiet'], { encoding: 'utf8', timeout: 120000 });
  assert.equal(signal, null, stderr);
  return { status, stderr, load: async () => (await import(pathToFileURL(join(out, 'model.js')).href)) };
}

/** @param {any} outputs @param {Record<string, number[]>} expected */
function check(outputs, expected) {
  for (const [name, values] of Object.entries(expected)) assert.deepEqual([...outputs[name].data].map(Number), values, name);
}

/** @type {Record<string, { model: Model, runs: [any, Record<string, number[]>][] }>} */
const CASES = {
  'values carried crosswise': {
    model: {
      inputs: { x: row, y: row, trips: ['i64', []] }, outputs: { a: row, b: row, d: row }, constants: { go: yes },
      nodes: [loop(['trips', 'go', 'x', 'y', 'x'], ['a', 'b', 'd'], {
        inputs: { ...counter, p: row, q: row, r: row }, outputs: { c: ['bool', []], q: row, r: row, p: row }, nodes: [],
      })],
    },
    runs: [0, 1, 2, 3, 4].map((trips) => {
      const turned = [[1, 2], [3, 4], [1, 2]].map((_, i, all) => all[(i + trips) % 3]);
      return [{ x: Float32Array.of(1, 2), y: Float32Array.of(3, 4), trips: BigInt64Array.of(BigInt(trips)) }, { a: turned[0], b: turned[1], d: turned[2] }];
    }),
  },
  'one value given several times, inputs and constants as results': {
    model: {
      inputs: { x: row, trips: ['i64', []] }, outputs: { a: row, b: row, e: ['f32', []], s: ['f32', ['k', 'n']], t: ['f32', ['k']], u: ['f32', ['k', 'n']] },
      constants: { go: yes, one: f32(1), first: f32(7) },
      nodes: [loop(['trips', 'go', 'x', 'x', 'first'], ['a', 'b', 'e', 's', 't', 'u'], {
        inputs: { ...counter, p: row, q: row, r: ['f32', []] }, outputs: { c: ['bool', []], w: row, w2: row, five: ['f32', []], x1: row, five1: ['f32', []], w3: row },
        constants: { five: f32(5) },
        nodes: [node('Add', ['p', 'one'], ['w']), node('Identity', ['w'], ['w2']), node('Identity', ['w'], ['w3']), node('Identity', ['x'], ['x1']), node('Identity', ['five'], ['five1'])],
      })],
    },
    runs: [2, 0, 3].map((trips) => [{ x: Float32Array.of(1, 2), trips: BigInt64Array.of(BigInt(trips)) }, {
      a: [1 + trips, 2 + trips], b: [1 + trips, 2 + trips], e: [trips ? 5 : 7], s: Array.from({ length: trips }, () => [1, 2]).flat(), t: Array(trips).fill(5),
      u: Array.from({ length: trips }, (_, i) => [2 + i, 3 + i]).flat(),
    }]),
  },
  'results that nobody uses': {
    model: {
      inputs: { x: row, trips: ['i64', []] }, outputs: { y: row }, constants: { go: yes, one: f32(1) },
      nodes: [loop(['trips', 'go', 'x', 'x'], ['', 'y', 'unused'], {
        inputs: { ...counter, p: row, q: row }, outputs: { c: ['bool', []], w: row, v: row, s: row },
        nodes: [node('Add', ['p', 'one'], ['w']), node('Add', ['q', 'p'], ['v']), node('Mul', ['p', 'q'], ['s'])],
      })],
    },
    runs: [[{ x: Float32Array.of(1, 2), trips: BigInt64Array.of(3n) }, { y: [1 + 1 + 2 + 3, 2 + 2 + 3 + 4] }]],
  },
  'taken from around, three deep, and carried too': {
    model: {
      inputs: { x: row, trips: ['i64', []], flag: ['bool', []] }, outputs: { y: ['f32', ['m']], z: row }, constants: { go: yes },
      nodes: [branch('flag', ['y', 'z'], {
        inputs: {}, outputs: { y1: ['f32', ['m1']], z1: row },
        nodes: [loop(['trips', 'go', 'x'], ['z1'], {
          inputs: { ...counter, p: row }, outputs: { c: ['bool', []], w: row },
          nodes: [node('Cast', ['i'], ['f'], { to: 1 }), node('Cast', ['f'], ['odd'], { to: 9 }), branch('odd', ['w'], {
            inputs: {}, outputs: { w1: row }, nodes: [loop(['i', 'c', 'p'], ['w1'], { inputs: { j: ['i64', []], d: ['bool', []], h: row }, outputs: { d: ['bool', []], o: row }, nodes: [node('Add', ['h', 'x'], ['o'])] })],
          }, { inputs: {}, outputs: { w2: row }, nodes: [node('Add', ['p', 'p'], ['w2'])] })],
        }), node('Concat', ['z1', 'x'], ['y1'], { axis: 0 })],
      }, {
        inputs: {}, outputs: { x2: ['f32', ['m2']], z2: row },
        nodes: [node('Identity', ['x'], ['x2']), loop(['trips', 'go', 'x'], ['z2'], { inputs: { ...counter, p: row }, outputs: { c: ['bool', []], w: row }, nodes: [node('Mul', ['p', 'x'], ['w'])] })],
      })],
    },
    runs: [[0, true], [3, true], [2, false], [1, true], [0, false]].map(([trips, flag]) => {
      const x = [1, 3];
      let z = x;
      for (let i = 0; i < Number(trips); ++i) z = z.map((v, at) => flag ? (i ? v + i * x[at] : v + v) : v * x[at]);
      return [{ x: Float32Array.from(x), trips: BigInt64Array.of(BigInt(trips)), flag }, { y: flag ? [...z, ...x] : x, z }];
    }),
  },
  'a loop that grows in a loop, and ends before it began': {
    model: {
      inputs: { x: row, trips: ['i64', []] }, outputs: { y: ['f32', ['m']], s: ['f32', ['k', 'n']] }, constants: { go: yes },
      nodes: [loop(['trips', 'go', 'x'], ['y', 's'], {
        inputs: { ...counter, p: ['f32', ['v']] }, outputs: { c: ['bool', []], w: ['f32', ['w']], x3: row },
        nodes: [node('Identity', ['x'], ['x3']), loop(['i', 'go', 'p'], ['w'], {
          inputs: { j: ['i64', []], d: ['bool', []], h: ['f32', ['h']] }, outputs: { d: ['bool', []], o: ['f32', ['o']] }, nodes: [node('Concat', ['x', 'h'], ['o'], { axis: 0 })],
        })],
      })],
    },
    runs: [0, 4, 1, 3].map((trips) => [{ x: Float32Array.of(1, 2), trips: BigInt64Array.of(BigInt(trips)) },
      { y: Array.from({ length: 1 + trips * (trips - 1) / 2 }, () => [1, 2]).flat(), s: Array.from({ length: trips }, () => [1, 2]).flat() }]),
  },
  'slices of a loop as what another carries, and as a branch gives them': {
    model: {
      inputs: { x: row, trips: ['i64', []], flag: ['bool', []] }, outputs: { y: ['f32', ['m']], z: ['f32', ['l']] }, constants: { go: yes, flat: [-1n], one: f32(1) },
      nodes: [loop(['trips', 'go', 'x'], ['y'], {
        inputs: { ...counter, p: ['f32', ['v']] }, outputs: { c: ['bool', []], w: ['f32', ['w']] },
        nodes: [loop(['trips', 'go'], ['s'], { inputs: { j: ['i64', []], d: ['bool', []] }, outputs: { d: ['bool', []], o: ['f32', ['v']] }, nodes: [node('Add', ['p', 'one'], ['o'])] }), node('Reshape', ['s', 'flat'], ['w'])],
      }), branch('flag', ['z'], {
        inputs: {}, outputs: { a: ['f32', ['e']] },
        nodes: [loop(['trips', 'go'], ['s2'], { inputs: { j: ['i64', []], d: ['bool', []] }, outputs: { d: ['bool', []], o: row }, nodes: [node('Add', ['x', 'one'], ['o'])] }), node('Reshape', ['s2', 'flat'], ['a'])],
      }, { inputs: {}, outputs: { b: ['f32', ['f']] }, nodes: [node('Identity', ['y'], ['b'])] })],
    },
    runs: [[2, true], [2, false], [0, true], [3, true], [1, false]].map(([trips, flag]) => {
      const repeat = (/** @type {number[]} */ values) => Array.from({ length: Number(trips) }, () => values.map((value) => value + 1)).flat();
      let y = [1, 2];
      for (let i = 0; i < Number(trips); ++i) y = repeat(y);
      return [{ x: Float32Array.of(1, 2), trips: BigInt64Array.of(BigInt(trips)), flag }, { y, z: flag ? repeat([1, 2]) : y }];
    }),
  },
};

/** Runs that must be refused, and one after them that must not. @type {Record<string, { model: Model, good: [any, Record<string, number[]>], bad: [any, string, RegExp][] }>} */
const REFUSED = {
  'sizes that are none': {
    model: {
      inputs: { x: row, sizes: ['i64', [2]] }, outputs: { y: ['f32', ['a', 'b']], s: ['f32', []] }, constants: { v: [1] },
      nodes: [node('Expand', ['v', 'sizes'], ['y']), node('ReduceSum', ['x'], ['s'], { keepdims: 0 })],
    },
    good: [{ x: Float32Array.of(1, 2), sizes: BigInt64Array.of(2n, 3n) }, { y: [1, 1, 1, 1, 1, 1], s: [3] }],
    bad: [[2n ** 62n, 1n], [-1n, 2n], [1n, -(2n ** 63n)], [2n ** 31n, 1n], [2n ** 30n, 2n ** 30n], [0n, 2n ** 62n]].map((sizes) => [{ x: Float32Array.of(1), sizes: BigInt64Array.from(sizes) }, 'InputError', /size|too large/]),
  },
  'a Range without an end': {
    model: {
      inputs: { limit: ['i64', []], step: ['i64', []] }, outputs: { y: ['i64', ['k']] }, constants: { zero: i64(0n) },
      nodes: [node('Range', ['zero', 'limit', 'step'], ['y'])],
    },
    good: [{ limit: BigInt64Array.of(5n), step: BigInt64Array.of(2n) }, { y: [0, 2, 4] }],
    bad: [[2n ** 62n, 1n], [2n ** 63n - 1n, 1n], [-(2n ** 62n), -1n]].map(([limit, step]) => [{ limit: BigInt64Array.of(limit), step: BigInt64Array.of(step) }, 'InputError', /size/]),
  },
  'slices without an end': {
    model: {
      inputs: { x: row, trips: ['i64', []] }, outputs: { s: ['f32', ['k', 100000]], y: row }, constants: { go: yes, many: [100000n] },
      nodes: [loop(['trips', 'go', 'x'], ['y', 's'], {
        inputs: { ...counter, p: row }, outputs: { c: ['bool', []], w: row, large: ['f32', [100000]] }, constants: { none: [0n], one: [1n] },
        nodes: [node('Identity', ['p'], ['w']), node('Slice', ['p', 'none', 'one'], ['h']), node('Expand', ['h', 'many'], ['large'])],
      })],
    },
    good: [{ x: Float32Array.of(1, 2), trips: BigInt64Array.of(0n) }, { y: [1, 2], s: [] }],
    bad: [[{ x: Float32Array.of(1, 2), trips: BigInt64Array.of(2n ** 62n) }, 'OutOfMemoryError', /memory|allows/]],
  },
  'values that grow without an end': {
    model: {
      inputs: { x: row, trips: ['i64', []] }, outputs: { y: ['f32', ['m']] }, constants: { go: yes },
      nodes: [loop(['trips', 'go', 'x'], ['y'], {
        inputs: { ...counter, p: ['f32', ['v']] }, outputs: { c: ['bool', []], w: ['f32', ['w']] }, nodes: [node('Concat', ['p', 'p'], ['w'], { axis: 0 })],
      })],
    },
    good: [{ x: Float32Array.of(1), trips: BigInt64Array.of(2n) }, { y: [1, 1, 1, 1] }],
    bad: [[{ x: Float32Array.of(1, 2), trips: BigInt64Array.of(2n ** 62n) }, '', /memory|allows|size|too large/]],
  },
};

const GPU = { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 };
for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
  describe(backend, () => {
    /** @param {Model} model */
    async function open(model) {
      const { status, stderr, load } = compile(model);
      assert.equal(status, 0, stderr);
      const bundle = await load();
      if (backend === 'wasm') return bundle.load({ backend });
      const device = await makeDevice({ requiredLimits: GPU });
      devices.push(device);
      return bundle.load({ backend, device });
    }
    for (const [name, { model, runs }] of Object.entries(CASES)) {
      test(name, async () => {
        const opened = await open(model);
        for (let round = 0; round < 2; ++round) for (const [inputs, expected] of runs) check(await opened.run(inputs), expected);
        opened.dispose();
      });
    }
    for (const [name, { model, good, bad }] of Object.entries(REFUSED)) {
      test(name, async () => {
        const opened = await open(model);
        for (const [inputs, kind, text] of bad) {
          await assert.rejects(opened.run(inputs), (/** @type {any} */ error) => {
            assert.ok(['InputError', 'OutOfMemoryError'].includes(error.name) && (!kind || error.name === kind), String(error));
            assert.match(error.message, text);
            return true;
          }, String(Object.values(inputs).map((a) => a.join(' '))));
          check(await opened.run(good[0]), good[1]);
        }
        opened.dispose();
      });
    }
  });
}
