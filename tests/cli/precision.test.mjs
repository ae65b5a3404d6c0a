// --precision f16: what it is told of results, what stays float32, and what it refuses.
//
//   WEBNNC=build/webnnc node --test tests/cli/precision.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc';
/** @type {string} */
let folder;

/** @param {string[]} flags */
function run(...flags) {
  const { status, stdout, stderr } = spawnSync(webnnc, flags, { encoding: 'utf8', timeout: 60000, cwd: folder });
  return { status, stdout, stderr };
}
/** What is said of the build. @param {string} model @param {string[]} flags */
function build(model, ...flags) {
  const { status, stdout, stderr } = run(model, '-o', 'out', '--json', '--no-report', '--precision', 'f16', ...flags);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Numbers that are the same each time, evenly between -1 and 1. @param {number[]} shape */
function madeUp(shape) {
  const values = new Float32Array(shape.reduce((count, size) => count * size, 1));
  let state = 7;
  for (let i = 0; i < values.length; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return { type: /** @type {['f32', number[]]} */ (['f32', shape]), bytes: new Uint8Array(values.buffer) };
}
const number = (/** @type {number} */ value) => ({ type: /** @type {['f32', number[]]} */ (['f32', []]), bytes: new Uint8Array(Float32Array.of(value).buffer) });

/** Two products with `nodes` between h and s. @param {any[]} nodes @param {Record<string, any>} [constants] */
const between = (nodes, constants = {}) => onnxModel({
  inputs: { x: ['f32', ['n', 64]] }, outputs: { y: ['f32', ['n', 16]] },
  nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] }, ...nodes, { op: 'MatMul', inputs: ['s', 'v'], outputs: ['y'] }],
  constants: { w: madeUp([64, 32]), v: madeUp([32, 16]), ...constants },
});

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-precision-'));
  writeFileSync(join(folder, 'plain.onnx'), between([{ op: 'Relu', inputs: ['h'], outputs: ['s'] }]));
  // Squares of thousands.
  writeFileSync(join(folder, 'large.onnx'), between([
    { op: 'Mul', inputs: ['h', 'k'], outputs: ['l'] }, { op: 'Mul', inputs: ['l', 'l'], outputs: ['s'] },
  ], { k: number(1000) }));
  writeFileSync(join(folder, 'integers.onnx'), onnxModel({
    inputs: { x: ['i64', ['n']] }, outputs: { y: ['i64', ['n']] }, nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
  }));
  writeFileSync(join(folder, 'sum.onnx'), onnxModel({
    inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['n']] }, nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
  }));
  writeFileSync(join(folder, 'half.onnx'), onnxModel({
    inputs: { x: ['f16', ['n']] }, outputs: { y: ['f16', ['n']] }, nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
  }));
});
after(() => rmSync(folder, { recursive: true }));

test('weights and what is between products become f16, inputs and outputs stay', async () => {
  const { inputs, outputs, programs, quantization, weights } = build('plain.onnx');
  assert.deepEqual([inputs[0].type, outputs[0].type], ['float32[n,64]', 'float32[n,16]']);
  assert.deepEqual([...new Set(weights.map((/** @type {any} */ { type }) => type.replace(/\[.*/, '')))], ['float16']);
  assert.deepEqual(programs.filter((/** @type {any} */ { kind }) => kind === 'webgpu').map((/** @type {any} */ { features }) => features), [['shader-f16'], []]);
  assert.equal(quantization.precision.type, 'f16');
  assert.ok(quantization.bytesAfter === quantization.bytesBefore / 2);
  const [{ error }] = quantization.errors;
  assert.ok(error > 1e-5 && error < 2 ** -11, `${error}`);
  const { load } = await import(pathToFileURL(join(folder, 'out/model.js')).href), model = await load({ backend: 'wasm' });
  const { y } = await model.run({ x: { data: new Float32Array(128).fill(0.5), shape: [2, 64] } });
  assert.deepEqual([y.dataType, y.shape], ['float32', [2, 16]]);
  model.dispose();
});

test('what overflows stays float32, and --explain says which', () => {
  const { quantization } = build('large.onnx');
  assert.ok(quantization.errors[0].error < 2 ** -10, `${quantization.errors[0].error}`);
  assert.deepEqual(quantization.precision.kept.find((/** @type {any} */ { reason }) => reason === 'too large for f16'), { reason: 'too large for f16', values: 3 });
  assert.match(run('large.onnx', '-o', 'out', '--precision', 'f16', '--explain', '--no-report').stdout, /precision: \d+ values in f16\n( {2}.*\n)* {2}3 in f32, too large for f16: %l\S* %s\S* %y\S*\n/);
});

test('weights may have fewer bits besides', () => {
  writeFileSync(join(folder, 'wide.onnx'), onnxModel({
    inputs: { x: ['f32', ['n', 64]] }, outputs: { y: ['f32', ['n', 32]] },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] }, { op: 'Relu', inputs: ['h'], outputs: ['r'] }, { op: 'MatMul', inputs: ['r', 'v'], outputs: ['y'] }],
    constants: { w: madeUp([64, 256]), v: madeUp([256, 32]) },
  }));
  for (const [format, type] of [['int8', 'int8'], ['int4', 'int32']]) {
    const { quantization, weights } = build('wide.onnx', '--quantize', format);
    assert.match(quantization.storage, new RegExp(`^${format}`));
    assert.ok(quantization.precision.values > 0);
    // Those of int4 are packed into words.
    assert.ok(weights.some((/** @type {any} */ weight) => weight.type.startsWith(type)), `${format} of ${weights.map((/** @type {any} */ weight) => weight.type)}`);
  }
});

// As exporters write a decoder: a mask of all tokens, whose number has a name of its own, and a table of 40 positions.
test('inputs that are made up have sizes that fit each other', () => {
  writeFileSync(join(folder, 'decoder.onnx'), onnxModel({
    inputs: { x: ['f32', ['n', 's', 64]], past: ['f32', ['n', 'p', 64]], mask: ['f32', ['n', 'p + s']] }, outputs: { y: ['f32', ['n', 't', 64]] },
    nodes: [
      { op: 'Concat', inputs: ['past', 'x'], outputs: ['all'], attributes: { axis: 1 } }, { op: 'Reshape', inputs: ['mask', 'column'], outputs: ['m'] }, { op: 'Mul', inputs: ['all', 'm'], outputs: ['masked'] },
      { op: 'Shape', inputs: ['all'], outputs: ['shape'] }, { op: 'Slice', inputs: ['shape', 'one', 'two'], outputs: ['count'] }, { op: 'Slice', inputs: ['table', 'zero', 'count', 'zero'], outputs: ['rows'] },
      { op: 'Add', inputs: ['masked', 'rows'], outputs: ['sum'] }, { op: 'MatMul', inputs: ['sum', 'w'], outputs: ['h'] }, { op: 'Relu', inputs: ['h'], outputs: ['r'] }, { op: 'MatMul', inputs: ['r', 'w'], outputs: ['y'] },
    ],
    constants: { column: [0n, -1n, 1n], zero: [0n], one: [1n], two: [2n], table: madeUp([40, 64]), w: madeUp([64, 64]) },
  }));
  const { quantization } = build('decoder.onnx');
  assert.ok(quantization.madeUp && quantization.precision.values > 0);
});

// Of sizes of 128 a run takes minutes, and is ended.
test('inputs that are made up are as large as a run of seconds allows', () => {
  writeFileSync(join(folder, 'volume.onnx'), onnxModel({
    inputs: { x: ['f32', ['n', 'd', 'h', 'w', 64]] }, outputs: { y: ['f32', ['n', 'd', 'h', 'w', 64]] },
    nodes: [{ op: 'MatMul', inputs: ['x', 'v'], outputs: ['m'] }, { op: 'Relu', inputs: ['m'], outputs: ['r'] }, { op: 'MatMul', inputs: ['r', 'v'], outputs: ['y'] }],
    constants: { v: madeUp([64, 64]) },
  }));
  const { quantization } = build('volume.onnx');
  assert.ok(quantization.madeUp && quantization.precision.values > 0);
});

test('a budget holds', () => {
  const { status, stderr } = run('plain.onnx', '-o', 'budget', '--precision', 'f16', '--max-error', '1e-6');
  assert.equal(status, 1);
  assert.match(stderr, /output "y" differs by 0\.\d+ of its size from float32's, and --max-error allows/);
  assert.ok(!existsSync(join(folder, 'budget')));
});

test('is refused where it would do nothing, with the reason', () => {
  for (const [model, why] of /** @type {[string, RegExp][]} */ ([
    ['half.onnx', /note: the model is in float16 as it is, and computed so without the flag/], ['integers.onnx', /note: the model has no values of float32/],
    ['sum.onnx', /note: all stay float32: 1 read in f32 alone/],
  ])) {
    const { status, stderr } = run(model, '-o', 'refused', '--precision', 'f16');
    assert.equal(status, 1);
    assert.match(stderr, /--precision f16: there is nothing that would be computed in f16/);
    assert.match(stderr, why);
    assert.ok(!existsSync(join(folder, 'refused')));
  }
  assert.equal(run('plain.onnx', '-o', 'refused', '--precision', 'f32').status, 2);
});
