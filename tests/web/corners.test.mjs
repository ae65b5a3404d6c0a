// Small models whose shapes once led schedules astray, compiled and run on wasm and on WebGPU in Node.
// Expected values are computed here, from the operators' definitions.
//
//   WEBNNC=build/webnnc node --test tests/web/corners.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
/** @type {string} */ let folder;
/** @type {GPUDevice} */ let device;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-corners-'));
  device = await makeDevice();
});
after(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

/** @param {number} n */
const count = (n) => Float32Array.from({ length: n }, (_, i) => i + 1);

/**
 * @param {string} name @param {Parameters<typeof onnxModel>[0]} model
 * @param {Record<string, {data: Float32Array, shape: number[]}>} inputs @param {(number | bigint)[]} expected elements of y
 */
async function check(name, model, inputs, expected) {
  const file = join(folder, `${name}.onnx`), out = join(folder, name);
  writeFileSync(file, onnxModel(model));
  execFileSync(webnnc, [file, '-o', out, '--quiet']);
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
  for (const options of [{ backend: 'wasm' }, { backend: 'webgpu', device }]) {
    const loaded = await load(options);
    const { y } = await loaded.run(inputs);
    assert.deepEqual([...y.data], expected, options.backend);
    loaded.dispose();
  }
}

test('sums of one product, whose results are vectors', async () => {
  const a = count(3), b = count(8);
  await check('outer', {
    inputs: { a: ['f32', [3, 1]], b: ['f32', [1, 8]] }, outputs: { y: ['f32', [3, 8]] },
    nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }],
  }, { a: { data: a, shape: [3, 1] }, b: { data: b, shape: [1, 8] } }, [...a].flatMap((x) => [...b].map((z) => x * z)));
});

test('an open number of columns, and few rows', async () => {
  const a = count(25), n = 7, b = count(5 * n);
  const expected = Array.from({ length: 5 * n }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < 5; ++k) sum += a[Math.floor(i / n) * 5 + k] * b[k * n + i % n];
    return sum;
  });
  await check('columns', {
    inputs: { a: ['f32', [5, 5]], b: ['f32', [5, 'n']] }, outputs: { y: ['f32', [5, 'n']] },
    nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }],
  }, { a: { data: a, shape: [5, 5] }, b: { data: b, shape: [5, n] } }, expected);
});

test('the largest of one', async () => {
  await check('argmax', {
    inputs: { x: ['f32', ['n', 1, 4]] }, outputs: { y: ['i64', ['n', 4]] },
    nodes: [{ op: 'ArgMax', inputs: ['x'], outputs: ['y'], attributes: { axis: 1, keepdims: 0 } }],
  }, { x: { data: count(8), shape: [2, 1, 4] } }, Array(8).fill(0n));
});

test('an einsum whose labels are the names of loops that rules make', async () => {
  const a = count(12), b = count(12), c = count(8);
  const expected = [];
  for (let k = 0; k < 3; ++k) {
    for (let q = 0; q < 2; ++q) {
      let sum = 0;
      for (let e = 0; e < 4; ++e) for (let r = 0; r < 3; ++r) sum += a[k * 4 + e] * b[e * 3 + r] * c[q * 3 + r];
      expected.push(sum);
    }
  }
  await check('einsum', {
    inputs: { a: ['f32', [3, 4]], b: ['f32', [4, 3]], c: ['f32', [2, 3]] }, outputs: { y: ['f32', [3, 2]] },
    nodes: [{ op: 'Einsum', inputs: ['a', 'b', 'c'], outputs: ['y'], attributes: { equation: 'ke,er,qr->kq' } }],
  }, { a: { data: a, shape: [3, 4] }, b: { data: b, shape: [4, 3] }, c: { data: c.slice(0, 6), shape: [2, 3] } }, expected);
});

test('more tensors behind each other than WebGPU binds at once', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `x${i}`);
  await check('concat', {
    inputs: Object.fromEntries(names.map((name) => [name, ['f32', [2]]])), outputs: { y: ['f32', [40]] },
    nodes: [{ op: 'Concat', inputs: names, outputs: ['y'], attributes: { axis: 0 } }],
  }, Object.fromEntries(names.map((name, i) => [name, { data: Float32Array.of(2 * i, 2 * i + 1), shape: [2] }])),
  Array.from({ length: 40 }, (_, i) => i));
});
