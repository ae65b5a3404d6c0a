// --quantize: how many bytes weights have then.
//
//   WEBNNC=build/webnnc node --test tests/cli/quantize.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc';
/** @type {string} */
let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-quantize-')); });
after(() => rmSync(folder, { recursive: true }));

/** @param {string[]} flags */
function run(...flags) {
  const { status, stdout, stderr } = spawnSync(webnnc, flags, { encoding: 'utf8', timeout: 60000, cwd: folder });
  return { status, stdout, stderr };
}
/** The bytes of the weights file. @param {string[]} flags */
function weightsOf(...flags) {
  const { status, stderr } = run(...flags, '-o', 'out', '--quiet', '--no-report');
  assert.equal(status, 0, stderr);
  return statSync(join(folder, 'out/model.weights.bin')).size;
}

/** Numbers that are the same each time, evenly between -1 and 1. @param {(number | string)[]} shape */
function madeUp(shape) {
  const values = new Float32Array(shape.reduce((count, size) => count * Number(size), 1));
  let state = 7;
  for (let i = 0; i < values.length; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return { type: /** @type {['f32', number[]]} */ (['f32', shape]), bytes: new Uint8Array(values.buffer) };
}

/** Two products, the second of which is by the table that rows are looked up in: a language model's ends. */
function tiedModel() {
  return onnxModel({
    inputs: { ids: ['i64', ['n']] }, outputs: { y: ['f32', ['n', 512]] },
    nodes: [
      { op: 'Gather', inputs: ['table', 'ids'], outputs: ['x'] },
      { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
      { op: 'Transpose', inputs: ['table'], outputs: ['columns'], attributes: { perm: [1, 0] } },
      { op: 'MatMul', inputs: ['h', 'columns'], outputs: ['y'] },
    ],
    constants: { table: madeUp([512, 128]), w: madeUp([128, 128]) },
  });
}

describe('the weights file', () => {
  before(() => writeFileSync(join(folder, 'product.onnx'), onnxModel({
    inputs: { x: ['f32', ['n', 256]] }, outputs: { y: ['f32', ['n', 512]] },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['m'] }, { op: 'Add', inputs: ['m', 'b'], outputs: ['y'] }],
    constants: { w: madeUp([256, 512]), b: madeUp([512]) },
  })));

  const elements = 256 * 512, bias = 512 * 4;
  for (const [format, bytes] of /** @type {[string, number][]} */ ([
    ['f16', 2 * elements], ['int8', elements + 512 * 4], ['int4', elements / 2 + elements / 32 * 2], ['int4:64', elements / 2 + elements / 64 * 2],
  ])) {
    test(`has as many bytes as ${format} takes, with scales and what stays`, () => {
      for (const target of ['wasm', 'webgpu', 'webgpu,wasm']) {
        // Each weight begins at a multiple of 256.
        const size = weightsOf('product.onnx', '--quantize', format, '--target', target);
        assert.ok(size >= bytes + bias && size < bytes + bias + 3 * 256, `${size} on ${target}, not ${bytes + bias}`);
      }
    });
  }

  test('has small weights as they are', () => {
    writeFileSync(join(folder, 'small.onnx'), onnxModel({
      inputs: { x: ['f32', ['n', 32]] }, outputs: { y: ['f32', ['n', 32]] },
      nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }], constants: { w: madeUp([32, 32]) },
    }));
    assert.ok(weightsOf('small.onnx', '--quantize', 'int8') >= 32 * 32 * 4);
  });
});

describe('a flag that says nothing', () => {
  for (const text of ['int5', 'int4:0', 'int4:33', 'int4:', 'int8:32', 'f16:32', 'int4:2048']) {
    test(`is refused: ${text}`, () => {
      const { status, stderr } = run('product.onnx', '-o', 'refused', '--quantize', text);
      assert.equal(status, 2);
      assert.match(stderr, /--quantize: .* is not of the form/);
    });
  }
});
