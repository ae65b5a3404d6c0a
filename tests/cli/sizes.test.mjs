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
    /seq = 5 \(of "x"\): it was compiled for min\(4,seq\) == seq \(node "positions"\)/.test(error.message));
  assert.deepEqual([...(await model.run({ x: count(2) })).y.data], [10, 21]);
});

test('inputs with names of their own broadcast in the run', async () => {
  const { model, warnings } = await load('names', {
    inputs: { a: ['f32', ['n', 2]], b: ['f32', ['number of rows', 2]] }, outputs: { y: ['f32', ['k', 2]] },
    nodes: [{ op: 'Add', inputs: ['a', 'b'], outputs: ['y'] }],
  });
  assert.match(warnings, /a run will be refused unless n == "number of rows", or one of them is 1 \(node "Add"\)\n/);
  assert.deepEqual(model.inputs[1].shape, ['number of rows', 2]);
  /** @param {number} n @param {number} m */
  const run = async (n, m) => {
    const { y } = await model.run({ a: { data: count(2 * n), shape: [n, 2] }, b: { data: count(2 * m), shape: [m, 2] } });
    return [y.shape, [...y.data]];
  };
  // NumPy's values.
  assert.deepEqual(await run(2, 2), [[2, 2], [0, 2, 4, 6]]);
  assert.deepEqual(await run(3, 1), [[3, 2], [0, 2, 2, 4, 4, 6]]);
  assert.deepEqual(await run(1, 3), [[3, 2], [0, 2, 2, 4, 4, 6]]);
  assert.deepEqual(await run(1, 1), [[1, 2], [0, 2]]);
  await assert.rejects(run(2, 3), (error) => error.name === 'InputError' &&
    /n = 2 \(of "a"\), number of rows = 3 \(of "b"\): it was compiled for n == "number of rows", or one of them is 1/.test(error.message));
  await assert.rejects(run(3, 2), { name: 'InputError' });
});

test('rows, columns and ranks that broadcast', async () => {
  const { model } = await load('ranks', {
    inputs: { a: ['f32', ['n', 'm']], b: ['f32', ['k']], c: ['bool', ['p', 1, 1]] }, outputs: { y: ['f32', ['q', 'r', 's']] },
    nodes: [
      { op: 'Exp', inputs: ['a'], outputs: ['e'] },
      { op: 'Log', inputs: ['e'], outputs: ['l'] },
      { op: 'Sub', inputs: ['b', 'l'], outputs: ['d'] },
      { op: 'Where', inputs: ['c', 'd', 'b'], outputs: ['w'] },
      { op: 'Round', inputs: ['w'], outputs: ['y'] },
    ],
  });
  /** @param {number[]} a @param {number} k @param {boolean[]} c */
  const run = async (a, k, c) => {
    const { y } = await model.run({ a: { data: count(a[0] * a[1]), shape: a }, b: { data: count(k), shape: [k] },
      c: { data: Uint8Array.from(c, Number), shape: [c.length, 1, 1] } });
    return [y.shape, [...y.data].map((value) => value + 0)];
  };
  // where(c, b - a, b), as NumPy has it.
  assert.deepEqual(await run([2, 3], 1, [true]), [[1, 2, 3], [0, -1, -2, -3, -4, -5]]);
  assert.deepEqual(await run([2, 1], 3, [true, false]), [[2, 2, 3], [0, 1, 2, -1, 0, 1, 0, 1, 2, 0, 1, 2]]);
  assert.deepEqual(await run([1, 3], 3, [false, true]), [[2, 1, 3], [0, 1, 2, 0, 0, 0]]);
  await assert.rejects(run([2, 3], 2, [true]), { name: 'InputError' });
});

test('the batches of a product', async () => {
  const { model } = await load('batches', {
    inputs: { a: ['f32', ['n', 2, 2]], b: ['f32', ['m', 2, 1]] }, outputs: { y: ['f32', ['k', 2, 1]] },
    nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }],
  });
  /** @param {number} n @param {number} m */
  const run = async (n, m) => {
    const { y } = await model.run({ a: { data: count(4 * n), shape: [n, 2, 2] }, b: { data: count(2 * m), shape: [m, 2, 1] } });
    return [y.shape, [...y.data]];
  };
  assert.deepEqual(await run(2, 2), [[2, 2, 1], [1, 3, 23, 33]]);
  assert.deepEqual(await run(2, 1), [[2, 2, 1], [1, 3, 5, 7]]);
  assert.deepEqual(await run(1, 2), [[2, 2, 1], [1, 3, 3, 13]]);
  await assert.rejects(run(2, 3), { name: 'InputError' });
});

test('a size that meets a number', async () => {
  const { model } = await load('number', {
    inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', [4]] },
    nodes: [{ op: 'Add', inputs: ['x', 'four'], outputs: ['y'] }], constants: { four: [10, 20, 30, 40] },
  });
  assert.deepEqual([...(await model.run({ x: count(4) })).y.data], [10, 21, 32, 43]);
  assert.deepEqual([...(await model.run({ x: Float32Array.of(5) })).y.data], [15, 25, 35, 45]);
  await assert.rejects(model.run({ x: count(3) }), { name: 'InputError' });
});

test('an expansion to an open size', async () => {
  const { model } = await load('expand', {
    inputs: { x: ['f32', ['n']], like: ['f32', ['m']] }, outputs: { y: ['f32', ['k']] },
    nodes: [
      { op: 'Shape', inputs: ['like'], outputs: ['shape'] },
      { op: 'Expand', inputs: ['x', 'shape'], outputs: ['y'] },
    ],
  });
  /** @param {number} n @param {number} m */
  const run = async (n, m) => [...(await model.run({ x: count(n), like: count(m) })).y.data];
  assert.deepEqual(await run(1, 3), [0, 0, 0]);
  assert.deepEqual(await run(3, 1), [0, 1, 2]);
  assert.deepEqual(await run(3, 3), [0, 1, 2]);
  await assert.rejects(run(2, 3), { name: 'InputError' });
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

/** @param {number[]} shape @returns {import('../onnx_model.mjs').Tensor} */
const zeros = (shape) => ({ type: ['f32', shape], bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b)) });

test("a state's batch is that of the sequence, by whatever name", async () => {
  // One step from 0 with weights of 0 and an update gate of 1/2: half of the state is left.
  const { model, warnings } = await load('state', {
    inputs: { x: ['f32', ['time', 'n', 1]], h: ['f32', [1, 'streams', 2]] }, outputs: { y: ['f32', [1, 'n', 2]] },
    nodes: [{ op: 'GRU', name: 'cell', inputs: ['x', 'w', 'r', '', '', 'h'], outputs: ['', 'y'], attributes: { hidden_size: 2 } }],
    constants: { w: zeros([1, 6, 1]), r: zeros([1, 6, 2]) },
  });
  assert.match(warnings, /a run will be refused unless (streams == n|n == streams) \(node "cell"\)/);
  const feed = (/** @type {number} */ n, /** @type {number} */ streams) =>
    ({ x: { data: count(n), shape: [1, n, 1] }, h: { data: count(2 * streams), shape: [1, streams, 2] } });
  assert.deepEqual([...(await model.run(feed(2, 2))).y.data], [0, 0.5, 1, 1.5]);
  await assert.rejects(model.run(feed(2, 3)), (error) => error.name === 'InputError' && /streams = 3/.test(error.message));
});

test('rows and the indices into them', async () => {
  const { model, warnings } = await load('rows_indices', {
    inputs: { x: ['f32', ['n', 3]], i: ['i64', ['questions', 1]] }, outputs: { y: ['f32', ['n']] },
    nodes: [{ op: 'GatherND', name: 'pick', inputs: ['x', 'i'], outputs: ['y'], attributes: { batch_dims: 1 } }],
  });
  assert.match(warnings, /a run will be refused unless (questions == n|n == questions) \(node "pick"\)/);
  const run = (/** @type {bigint[]} */ indices) => model.run({ x: { data: count(6), shape: [2, 3] },
    i: { data: BigInt64Array.from(indices), shape: [indices.length, 1] } });
  assert.deepEqual([...(await run([2n, 0n])).y.data], [2, 3]);
  await assert.rejects(run([0n, 0n, 0n]), (error) => error.name === 'InputError' && /questions = 3/.test(error.message));
});
