// tools/bench's table of engines: LiteRT.js and TF.js compute of a network what ONNX Runtime Web does, so that their times are of the
// same work; and what an engine cannot do is said.
//
//   WEBNNC=build/webnnc node --test tests/bench/bench.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { onnxModel } from '../onnx_model.mjs';
import { hasBrowser } from '../web/harness.mjs';

/** @import { Node, Tensor } from '../onnx_model.mjs' */

const skip = !existsSync(join(import.meta.dirname, 'node_modules/@litertjs')) ? 'needs tools/npm_ci tests/bench' : !hasBrowser('chromium') && 'needs Chromium';
/** Sums in another order, of some hundred terms. */
const TOLERANCE = 1e-5;
const folder = mkdtempSync(join(tmpdir(), 'webnnc-bench-test-'));
after(() => rmSync(folder, { recursive: true }));

/** @type {Record<string, Tensor | number[] | bigint[]>} */
const constants = {};
/** A weight of made-up numbers, by its name. @param {string} name @param {number[]} shape */
function weight(name, ...shape) {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1 + i * 12.9898 + name.length) / 2);
  constants[name] = { type: ['f32', shape], bytes: new Uint8Array(values.buffer) };
  return name;
}
/** @param {string} name @param {number} value */
function scalar(name, value) {
  constants[name] = { type: ['f32', []], bytes: new Uint8Array(Float32Array.of(value).buffer) };
  return name;
}
/** @param {string} name @param {number[]} values */
function integers(name, ...values) {
  constants[name] = values.map(BigInt);
  return name;
}
/** @param {string} text "y = Op(a, b)" @param {Node['attributes']} [attributes] @returns {Node} */
function node(text, attributes) {
  const [, output, op, inputs] = /** @type {RegExpExecArray} */ (/^(\S+) = (\w+)\((.*)\)$/.exec(text));
  return { op, name: output, inputs: inputs.split(', '), outputs: [output], attributes };
}

/** Each operator that peers/layers.mjs knows: a small network of pictures, and a layer of a transformer behind it. */
function network() {
  const nodes = [
    node(`c1 = Conv(x, ${weight('w1', 8, 3, 3, 3)}, ${weight('b1', 8)})`, { strides: [2, 2], pads: [1, 1, 1, 1] }), node('r1 = Relu(c1)'),
    node('p1 = MaxPool(r1)', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    node(`c2 = Conv(p1, ${weight('depthwise', 8, 1, 3, 3)}, ${weight('b2', 8)})`, { group: 8, pads: [1, 1, 1, 1] }),
    node(`r2 = Clip(c2, ${scalar('zero', 0)}, ${scalar('six', 6)})`), node(`c3 = Conv(r2, ${weight('w3', 8, 8, 1, 1)})`),
    node('s1 = Add(c3, p1)'), node('r3 = Relu(s1)'), node('p2 = AveragePool(r3)', { kernel_shape: [2, 2], strides: [2, 2] }),
    node('g1 = GlobalAveragePool(p2)'), node(`c4 = Conv(p2, ${weight('w4', 8, 8, 3, 3)}, ${weight('b4', 8)})`, { strides: [1, 1], auto_pad: 'SAME_UPPER' }),
    node('s2 = Mul(c4, g1)'), node('both = Concat(p2, s2)', { axis: 1 }),
    // 16 channels of 4 x 4 places become 16 words of 16 numbers.
    node(`f1 = Reshape(both, ${integers('words', 1, 16, -1)})`), node('t1 = Transpose(f1)', { perm: [0, 2, 1] }),
    node(`n1 = LayerNormalization(t1, ${weight('scale', 16)}, ${weight('shift', 16)})`, { axis: -1 }), node(`f2 = Reshape(n1, ${integers('rows', 16, 16)})`),
    node(`m1 = Gemm(f2, ${weight('w5', 16, 48)}, ${weight('b5', 48)})`), ...['q', 'k', 'v'].flatMap((name, i) => [
      node(`${name}1 = Slice(m1, ${integers(`from ${name}`, 16 * i)}, ${integers(`to ${name}`, 16 * i + 16)}, ${integers('columns', 1)})`),
      node(`${name}2 = Reshape(${name}1, ${integers('heads', 16, 2, 8)})`), node(`${name}3 = Transpose(${name}2)`, { perm: name === 'k' ? [1, 2, 0] : [1, 0, 2] }),
    ]),
    node(`q4 = Div(q3, ${scalar('root', Math.sqrt(8))})`), node('a1 = MatMul(q4, k3)'), node('a2 = Softmax(a1)', { axis: -1 }), node('a3 = MatMul(a2, v3)'),
    node('a4 = Transpose(a3)', { perm: [1, 0, 2] }), node('a5 = Reshape(a4, rows)'), node('a6 = Sub(a5, f2)'),
    node(`e1 = Div(a6, ${scalar('sqrt 2', Math.SQRT2)})`), node('e2 = Erf(e1)'), node(`e3 = Add(e2, ${scalar('one', 1)})`), node('e4 = Mul(a6, e3)'),
    node(`e5 = Mul(e4, ${scalar('half', 0.5)})`), node('l1 = Gather(e5, index)', { axis: 0 }), node('l2 = Flatten(l1)', { axis: 0 }),
    node(`y = Gemm(l2, ${weight('w6', 10, 16)}, ${weight('b6', 10)})`, { transB: 1 }),
  ];
  constants.index = { type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(3n).buffer) };
  return onnxModel({ opset: 17, inputs: { x: ['f32', [1, 3, 32, 32]] }, outputs: { y: ['f32', [1, 10]] }, nodes, constants });
}

/** What the bench prints of a model: the cells of each engine's row, and all text. @param {Buffer} model @param {string[]} flags */
function bench(model, ...flags) {
  const file = join(folder, 'model.onnx');
  writeFileSync(file, model);
  const { stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'bench.mjs'), '--rounds', '1', '--runs', '1', ...flags, file], { encoding: 'utf8' });
  const rows = stdout.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()));
  return { rows: new Map(rows.map(([name, ...cells]) => [name, cells])), text: stdout + stderr };
}

const ENGINES = ['webnnc', 'ONNX Runtime Web', 'LiteRT.js', 'TF.js'];

test('all engines compute the same', { skip }, () => {
  const { rows, text } = bench(network(), '--parts');
  for (const engine of ENGINES) assert.ok(Number(rows.get(engine)?.at(-1)) < TOLERANCE, text);
  for (const part of ['model.js: downloaded', 'module: compiled', 'first run']) assert.ok(Number(rows.get(part)?.at(-1)) > 0, text);
});

test('so they do with two threads', { skip }, () => {
  const { rows, text } = bench(network(), '--threads', '2');
  for (const engine of ENGINES) assert.ok(Number(rows.get(engine)?.at(-1)) < TOLERANCE, text);
});

test('an engine that lacks an operator has no times, and it is said why', { skip }, () => {
  const model = onnxModel({ inputs: { x: ['f32', [1, 4]] }, outputs: { y: ['f32', [1, 4]] }, nodes: [node('y = Asinh(x)')] });
  const { rows, text } = bench(model);
  assert.equal(rows.get('LiteRT.js')?.at(-1), '-', text);
  assert.match(text, /^LiteRT.js: .*Asinh/m);
  assert.ok(Number(rows.get('webnnc')?.at(-1)) < TOLERANCE, text);
});
