// Sums of millions of terms in f32 are right to a bound: src/schedule/bound_sums.h. What they should be is summed in
// f64 here. Terms that are all the same are the worst case: each rounding goes the same way.
//
//   WEBNNC=build/webnnc node --test tests/web/long_sums.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-sums-'));
after(() => rmSync(folder, { recursive: true }));
const device = await makeDevice({ requiredLimits: { maxStorageBufferBindingSize: 2 ** 28, maxBufferSize: 2 ** 28 } });
after(() => device.destroy());

/** Of the sum. In one variable it is off by 10^-2 for the numbers of below. */
const BOUND = 5e-5;

/**
 * @typedef {object} Sum
 * @property {string} name
 * @property {Parameters<typeof onnxModel>[0]} model
 * @property {(count: number) => Record<string, {data: Float32Array, shape: number[]}>} inputs of about so many elements
 * @property {(inputs: Record<string, {data: Float32Array, shape: number[]}>) => number[]} reference the first elements of the result
 */

/** @param {number} count @param {(i: number) => number} [value] */
const floats = (count, value = () => 0.1) => Float32Array.from({ length: count }, (_, i) => value(i));

/** In f64. @param {Float32Array} data @param {(x: number) => number} [f] @param {number} [first] @param {number} [step] */
function sum(data, f = (x) => x, first = 0, step = 1) {
  let total = 0;
  for (let i = first; i < data.length; i += step) total += f(data[i]);
  return total;
}

/** @param {string} name @param {string} op @param {(total: number, count: number) => number} finish @param {(x: number) => number} [f] @returns {Sum} */
function reduction(name, op, finish, f) {
  return {
    name,
    model: { inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', []] }, nodes: [{ op, inputs: ['x'], outputs: ['y'], attributes: { keepdims: 0 } }] },
    inputs: (count) => ({ x: { data: floats(count), shape: [count] } }),
    reference: ({ x: { data } }) => [finish(sum(data, f), data.length)],
  };
}

/** @type {Sum[]} */
const SUMS = [
  reduction('ReduceSum', 'ReduceSum', (total) => total),
  reduction('ReduceMean', 'ReduceMean', (total, count) => total / count),
  reduction('ReduceL1', 'ReduceL1', (total) => total, Math.abs),
  reduction('ReduceL2', 'ReduceL2', (total) => Math.sqrt(total), (x) => x * x),
  reduction('ReduceSumSquare', 'ReduceSumSquare', (total) => total, (x) => x * x),
  {
    name: 'ReduceSum of columns',
    model: {
      inputs: { x: ['f32', ['n', 8]] }, outputs: { y: ['f32', [8]] }, opset: 11,
      nodes: [{ op: 'ReduceSum', inputs: ['x'], outputs: ['y'], attributes: { axes: [0], keepdims: 0 } }],
    },
    inputs: (count) => ({ x: { data: floats(count, (i) => 0.1 * (i % 8 + 1)), shape: [count / 8, 8] } }),
    reference: ({ x: { data } }) => Array.from({ length: 8 }, (_, c) => sum(data, undefined, c, 8)),
  },
  {
    name: 'GlobalAveragePool',
    model: { inputs: { x: ['f32', [1, 2, 'h', 'w']] }, outputs: { y: ['f32', [1, 2, 1, 1]] }, nodes: [{ op: 'GlobalAveragePool', inputs: ['x'], outputs: ['y'] }] },
    inputs: (count) => ({ x: { data: floats(count), shape: [1, 2, 1024, count / 2048] } }),
    reference: ({ x: { data } }) => [data[0], data[0]],
  },
  {
    name: 'GlobalAveragePool of a size that is known',
    model: { inputs: { x: ['f32', [1, 1, 2048, 4096]] }, outputs: { y: ['f32', [1, 1, 1, 1]] }, nodes: [{ op: 'GlobalAveragePool', inputs: ['x'], outputs: ['y'] }] },
    inputs: () => ({ x: { data: floats(2 ** 23), shape: [1, 1, 2048, 4096] } }),
    reference: ({ x: { data } }) => [data[0]],
  },
  {
    name: 'MatMul of long rows',
    model: { inputs: { a: ['f32', [2, 'k']], b: ['f32', ['k', 3]] }, outputs: { y: ['f32', [2, 3]] }, nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }] },
    inputs: (count) => ({ a: { data: floats(count / 2), shape: [2, count / 4] }, b: { data: floats(count / 4 * 3), shape: [count / 4, 3] } }),
    reference: ({ a: { data } }) => Array(6).fill(data.length / 2 * data[0] * data[0]),
  },
  {
    name: 'MatMul of rows that are known to be long',
    model: { inputs: { a: ['f32', [4, 2 ** 20]], b: ['f32', [2 ** 20, 4]] }, outputs: { y: ['f32', [4, 4]] }, nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }] },
    inputs: () => ({ a: { data: floats(2 ** 22), shape: [4, 2 ** 20] }, b: { data: floats(2 ** 22), shape: [2 ** 20, 4] } }),
    reference: ({ a: { data } }) => Array(16).fill(2 ** 20 * data[0] * data[0]),
  },
  {
    name: 'Gemm of a vector',
    model: { inputs: { a: ['f32', [1, 'k']], b: ['f32', [1, 'k']] }, outputs: { y: ['f32', [1, 1]] }, nodes: [{ op: 'Gemm', inputs: ['a', 'b'], outputs: ['y'], attributes: { transB: 1 } }] },
    inputs: (count) => ({ a: { data: floats(count / 2), shape: [1, count / 2] }, b: { data: floats(count / 2), shape: [1, count / 2] } }),
    reference: ({ a: { data } }) => [data.length * data[0] * data[0]],
  },
  {
    name: 'Softmax',
    model: { inputs: { x: ['f32', [1, 'n']] }, outputs: { y: ['f32', [1, 'n']] }, nodes: [{ op: 'Softmax', inputs: ['x'], outputs: ['y'], attributes: { axis: 1 } }] },
    // All but the first are e^-1 of it, which is no round number.
    inputs: (count) => ({ x: { data: floats(count, (i) => i ? 0 : 1), shape: [1, count] } }),
    reference({ x: { data } }) {
      const rest = Math.exp(-1) / (1 + (data.length - 1) * Math.exp(-1));
      return [rest * Math.E, rest, rest, rest, rest];
    },
  },
  {
    name: 'InstanceNormalization',
    model: {
      inputs: { x: ['f32', [1, 1, 'n']] }, outputs: { y: ['f32', [1, 1, 'n']] }, constants: { scale: [1], bias: [0] },
      nodes: [{ op: 'InstanceNormalization', inputs: ['x', 'scale', 'bias'], outputs: ['y'], attributes: { epsilon: { float: 0 } } }],
    },
    inputs: (count) => ({ x: { data: floats(count, (i) => i % 2 ? 0.7 : 0.1), shape: [1, 1, count] } }),
    reference: () => [-1, 1, -1, 1],
  },
];

/** @type {['wasm' | 'webgpu', number][]} */
const BACKENDS = [['wasm', 2 ** 23], ['webgpu', 2 ** 21]];
describe('a long sum is right', () => {
  SUMS.forEach(({ name, model, inputs, reference }, i) => {
    for (const [backend, count] of BACKENDS) {
      test(`${name} on ${backend}`, async () => {
        const file = join(folder, `${i}.onnx`), out = join(folder, `${i}`);
        writeFileSync(file, onnxModel(model));
        execFileSync(webnnc, [file, '-o', out, '--quiet', '--no-report']);
        const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
        const compiled = await load({ backend, device: backend === 'webgpu' ? device : undefined });
        const given = inputs(count), { y } = await compiled.run(given);
        reference(given).forEach((value, at) => {
          const off = Math.abs(y.data[at] / value - 1);
          assert.ok(off < BOUND, `element ${at} is ${y.data[at]}, and should be ${value}: off by ${off}`);
        });
        compiled.dispose();
      });
    }
  });
});
