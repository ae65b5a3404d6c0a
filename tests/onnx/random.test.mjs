// Random numbers are what docs/decisions.md says, in the interpreter, on wasm and on WebGPU: here the hash is written once
// more, and what it gives is looked at.
//
//   NODE_TESTS=build/node_tests node --test tests/onnx/random.test.mjs

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { onnxModel } from '../onnx_model.mjs';
import { runCases, writeCase } from './write_cases.mjs';

/** triple32 of https://github.com/skeeto/hash-prospector, with a key behind its first product. @param {number} x */
function hash(x, key = 0) {
  x = Math.imul(x ^ x >>> 17, 0xed5ad4bb) ^ key;
  x = Math.imul(x ^ x >>> 11, 0xac4c1b51);
  x = Math.imul(x ^ x >>> 15, 0x31848bab);
  return (x ^ x >>> 14) >>> 0;
}

/** The words of elements 0, 1, ... @param {number} seed @param {number} count @param {0 | 1} word */
function words(seed, count, word) {
  const [bits] = new Uint32Array(Float32Array.of(seed).buffer), key = hash(bits), second = hash(key + 1 >>> 0);
  return Array.from({ length: count }, (_, i) => hash(2 * i + word ^ key, second));
}

/** In [0, 1). @param {number} seed @param {number} count @param {0 | 1} [word] */
const uniform = (seed, count, word = 0) => words(seed, count, word).map((bits) => (bits >>> 8) / 2 ** 24);
/** @param {number} seed @param {number} count */
const normal = (seed, count) => uniform(seed, count, 0).map((u, i) => Math.sqrt(-2 * Math.log(u + 2 ** -24)) * Math.cos(2 * Math.PI * uniform(seed, count, 1)[i]));

test('numbers on all backends', () => {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-random-')), cases = join(folder, 'cases');
  const float = (/** @type {number} */ value) => ({ float: value });
  /** @type {(name: string, op: string, attributes: any, inputs: any, type: 'f32' | 'i64' | 'i32', shape: number[], data: number[], fed?: any[]) => void} */
  const add = (name, op, attributes, inputs, type, shape, data, fed = []) => writeCase(join(cases, `test_${name}`),
    onnxModel({ inputs, outputs: { y: [type, shape] }, nodes: [{ op, inputs: Object.keys(inputs), outputs: ['y'], attributes }], opset: 15 }),
    [{ inputs: fed, outputs: [{ name: 'y', type, shape, data }] }]);
  try {
    const like = { name: 'x', type: 'f32', shape: [2, 3], data: new Float32Array(6).fill(0.25) };
    add('uniform', 'RandomUniform', { seed: float(7), low: float(-2), high: float(3), shape: [4, 5] }, {}, 'f32', [4, 5], uniform(7, 20).map((u) => u * 5 - 2));
    add('uniform_like', 'RandomUniformLike', { seed: float(0.5) }, { x: ['f32', ['n', 3]] }, 'f32', [2, 3], uniform(0.5, 6), [like]);
    add('normal', 'RandomNormal', { seed: float(7), mean: float(1), scale: float(2), shape: [50] }, {}, 'f32', [50], normal(7, 50).map((z) => z * 2 + 1));
    add('normal_like', 'RandomNormalLike', { seed: float(-1) }, { x: ['f32', ['n', 3]] }, 'f32', [2, 3], normal(-1, 6), [like]);
    add('drawn', 'Bernoulli', { seed: float(3) }, { x: ['f32', ['n', 3]] }, 'f32', [2, 3], uniform(3, 6).map((u) => +(u < 0.25)), [like]);
    const logits = [0, 1, -1, 2], scores = uniform(9, 24).map((u, i) => logits[i % 4] - Math.log(-Math.log(u + 2 ** -25)));
    const classes = Array.from({ length: 6 }, (_, i) => scores.slice(4 * i, 4 * i + 4)).map((row) => row.indexOf(Math.max(...row)));
    add('classes', 'Multinomial', { seed: float(9), sample_size: 6, dtype: 7 }, { x: ['f32', ['n', 4]] }, 'i64', [1, 6], classes,
      [{ name: 'x', type: 'f32', shape: [1, 4], data: Float32Array.from(logits) }]);
    const backends = ['interpreter', 'wasm', 'webgpu'], printed = runCases(cases, join(folder, 'work'), backends);
    for (const backend of backends) assert.ok(printed.includes(`${backend}: 6 passed, 0 failed, 0 unsupported`), printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('they look random', () => {
  const count = 1 << 16, mean = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0) / values.length;
  for (const seed of [0, 1, 2, -1, 0.001]) {
    const u = uniform(seed, count), v = uniform(seed, count, 1), other = uniform(seed + 1, count);
    const centred = u.map((x) => x - 0.5), near = (/** @type {number} */ a, /** @type {number} */ b) => assert.ok(Math.abs(a - b) < 4 / Math.sqrt(count), `${seed}: ${a}, not ${b}`);
    near(mean(centred), 0);
    near(mean(centred.map((x) => x * x)), 1 / 12);
    // Neighbours, the other word and another seed have nothing to do with it.
    near(mean(centred.slice(1).map((x, i) => x * centred[i])), 0);
    near(mean(centred.map((x, i) => x * (v[i] - 0.5))), 0);
    near(mean(centred.map((x, i) => x * (other[i] - 0.5))), 0);
    const buckets = new Array(64).fill(0);
    for (const x of u) ++buckets[Math.floor(x * 64)];
    // Chi squared of 63 degrees of freedom is above 118 once in 30,000 times.
    const squares = buckets.reduce((sum, n) => sum + (n - count / 64) ** 2 / (count / 64), 0);
    assert.ok(squares < 118, `${seed}: chi squared is ${squares}`);
  }
});
