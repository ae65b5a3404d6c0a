// Models whose sizes are open: what must be equal in a run is assumed, said, and checked.
//
//   WEBNNC=build/webnnc node --test tests/cli/sizes.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
/** @type {string} */
let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-sizes-')); });
after(() => rmSync(folder, { recursive: true }));

/** Compiles and loads a model. @param {string} name @param {Parameters<typeof onnxModel>[0]} model */
async function load(name, model) {
  const file = join(folder, `${name}.onnx`), out = join(folder, name);
  writeFileSync(file, onnxModel(model));
  const { status, stderr } = spawnSync(webnnc, [file, '-o', out, '--target', 'wasm'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const module = await import(pathToFileURL(join(out, 'model.js')).href);
  return { model: await module.load({ backend: 'wasm' }), warnings: stderr, report: readFileSync(join(out, 'report.html'), 'utf8') };
}

/** @param {number} n */
const count = (n) => Float32Array.from({ length: n }, (_, i) => i);

test('a table that is cut to the length of the sequence', async () => {
  const { model, warnings, report } = await load('table', {
    inputs: { x: ['f32', ['seq']] }, outputs: { y: ['f32', ['seq']] },
    nodes: [
      { op: 'Shape', inputs: ['x'], outputs: ['length'] },
      { op: 'Slice', inputs: ['table', 'zero', 'length'], outputs: ['rows'] },
      { op: 'Add', name: 'positions', inputs: ['x', 'rows'], outputs: ['y'] },
    ],
    constants: { table: [10, 20, 30, 40], zero: [0n] },
  });
  assert.match(warnings, /warning: a run will be refused unless min\(4,seq\) == seq \(node "positions"\)\n/);
  assert.match(report, /"assumptions":\["/);
  assert.deepEqual([...(await model.run({ x: count(3) })).y.data], [10, 21, 32]);
  assert.deepEqual([...(await model.run({ x: count(4) })).y.data], [10, 21, 32, 43]);
  await assert.rejects(model.run({ x: count(5) }), (error) => error.name === 'InputError' &&
    /seq = 5: it was compiled for min\(4,seq\) == seq \(node "positions"\)/.test(error.message));
  assert.deepEqual([...(await model.run({ x: count(2) })).y.data], [10, 21]);
});

test('inputs with names of their own for one size', async () => {
  const { model } = await load('names', {
    inputs: { a: ['f32', ['n', 2]], b: ['f32', ['number of rows', 2]] }, outputs: { y: ['f32', ['n', 2]] },
    nodes: [{ op: 'Add', inputs: ['a', 'b'], outputs: ['y'] }],
  });
  assert.deepEqual(model.inputs[1].shape, ['number of rows', 2]);
  const { y } = await model.run({ a: count(4), b: { data: count(4), shape: [2, 2] } });
  assert.deepEqual([...y.data], [0, 2, 4, 6]);
  await assert.rejects(model.run({ a: count(4), b: count(6) }), { name: 'InputError' });
});

test('a reshape by a divisor', async () => {
  const { model } = await load('reshape', {
    inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['m', 4]] },
    nodes: [{ op: 'Reshape', inputs: ['x', 'shape'], outputs: ['y'] }],
    constants: { shape: [-1n, 4n] },
  });
  assert.deepEqual((await model.run({ x: count(8) })).y.shape, [2, 4]);
  await assert.rejects(model.run({ x: count(9) }), { name: 'InputError' });
});

test('all but the last element', async () => {
  const { model } = await load('slice', {
    inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['m']] },
    nodes: [
      { op: 'Shape', inputs: ['x'], outputs: ['length'] },
      { op: 'Sub', inputs: ['length', 'one'], outputs: ['end'] },
      { op: 'Slice', inputs: ['x', 'zero', 'end'], outputs: ['y'] },
    ],
    constants: { zero: [0n], one: [1n] },
  });
  assert.deepEqual([...(await model.run({ x: count(3) })).y.data], [0, 1]);
  assert.deepEqual([...(await model.run({ x: count(1) })).y.data], []);
});

test('a dimension that must be 1', async () => {
  const { model, warnings } = await load('squeeze', {
    inputs: { x: ['f32', ['n', 3]] }, outputs: { y: ['f32', [3]] },
    nodes: [{ op: 'Squeeze', inputs: ['x', 'axes'], outputs: ['y'] }],
    constants: { axes: [0n] },
  });
  assert.match(warnings, /unless n == 1 \(node "Squeeze"\)\n/);
  assert.deepEqual((await model.run({ x: count(3) })).y.shape, [3]);
  await assert.rejects(model.run({ x: count(6) }), { name: 'InputError' });
});

test('SAME padding that depends on an open size', async () => {
  const { model, warnings } = await load('same', {
    inputs: { x: ['f32', [1, 1, 'n']] }, outputs: { y: ['f32', [1, 1, 'm']] },
    nodes: [
      { op: 'Unsqueeze', inputs: ['taps', 'axes'], outputs: ['filter'] },
      { op: 'Conv', inputs: ['x', 'filter'], outputs: ['y'], attributes: { auto_pad: 'SAME_UPPER', strides: [2] } },
    ],
    constants: { taps: [1, 10, 100], axes: [0n, 1n] },
  });
  assert.equal(warnings.match(/refused/), null);
  for (const n of [1, 2, 5, 6, 7]) {
    const x = count(n).map((i) => i + 1), places = Math.ceil(n / 2);
    // Where the padding is odd, one more goes behind.
    const before = Math.floor(((places - 1) * 2 + 3 - n) / 2);
    const expected = Array.from({ length: places }, (_, p) =>
      [1, 10, 100].reduce((sum, tap, k) => sum + tap * (x[2 * p + k - before] ?? 0), 0));
    assert.deepEqual([...(await model.run({ x: { data: x, shape: [1, 1, n] } })).y.data], expected, `n = ${n}`);
  }
});

test('known sizes that differ are still errors', () => {
  const file = join(folder, 'wrong.onnx');
  writeFileSync(file, onnxModel({
    inputs: { a: ['f32', ['n', 2]], b: ['f32', ['n', 3]] }, outputs: { y: ['f32', ['n', 2]] },
    nodes: [{ op: 'Add', name: 'sum', inputs: ['a', 'b'], outputs: ['y'] }],
  }));
  const { status, stderr } = spawnSync(webnnc, [file, '-o', join(folder, 'wrong')], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /node "sum" \(Add, opset 13\): cannot broadcast/);
});
