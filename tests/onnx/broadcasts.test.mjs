// The models of tests/web/broadcasts.mjs as cases in ONNX's layout, for those who take such: the definitions of
// operations in the interpreter, and the WASI command. Results are ONNX Runtime's (broadcasts_reference.json).
//
//   NODE_TESTS=build/node_tests node --test tests/onnx/broadcasts.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { CASES, inputsOf } from '../web/broadcasts.mjs';

const nodeTests = process.env.NODE_TESTS ?? fileURLToPath(new URL('../../build/node_tests', import.meta.url));
/** @type {Record<string, ({ shape: number[], data: number[] } | null)[]>} */
const reference = JSON.parse(readFileSync(new URL('../web/broadcasts_reference.json', import.meta.url), 'utf8'));

/** Numbers of ONNX's element types. @type {Record<string, number>} */
const TYPES = { f32: 1, i32: 6, i64: 7, bool: 9 };

/** @param {number} value @returns {number[]} */
const varint = (value) => value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];

/** A TensorProto. @param {string} name @param {string} type @param {number[]} shape @param {ArrayBufferView} data */
function tensorFile(name, type, shape, { buffer, byteOffset, byteLength }) {
  return Uint8Array.from([
    ...shape.flatMap((size) => [1 << 3, ...varint(size)]), 2 << 3, TYPES[type], 8 << 3 | 2, ...varint(name.length), ...Buffer.from(name),
    9 << 3 | 2, ...varint(byteLength), ...new Uint8Array(buffer, byteOffset, byteLength),
  ]);
}

/** @param {string} type @param {number[]} values @returns {ArrayBufferView} */
function elements(type, values) {
  if (type === 'i64') return BigInt64Array.from(values, BigInt);
  return type === 'bool' ? Uint8Array.from(values) : type === 'i32' ? Int32Array.from(values) : Float32Array.from(values);
}

test('sizes that broadcast in the interpreter and in the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-broadcasts-')), cases = join(folder, 'cases');
  try {
    for (const [name, example] of Object.entries(CASES)) {
      const to = join(cases, `test_${name.replaceAll(' ', '_')}`);
      const fitting = example.runs.flatMap((sizes, i) => reference[name][i] ? [{ sizes, y: reference[name][i] }] : []);
      for (const [k, { sizes, y }] of fitting.entries()) {
        const set = join(to, `test_data_set_${k}`), [type] = example.model.outputs.y;
        mkdirSync(set, { recursive: true });
        for (const [i, [input, { data, shape }]] of Object.entries(inputsOf(example, sizes)).entries())
          writeFileSync(join(set, `input_${i}.pb`), tensorFile(input, example.model.inputs[input][0], shape, data));
        writeFileSync(join(set, 'output_0.pb'), tensorFile('y', type, y.shape, elements(type, y.data)));
      }
      writeFileSync(join(to, 'model.onnx'), onnxModel(example.model));
    }
    const { stdout, stderr } = spawnSync(nodeTests,
      ['--jobs', '2', '--work', join(folder, 'work'), '--backend', 'interpreter', '--backend', 'wasi', '--verbose', cases], { encoding: 'utf8' });
    const all = `${Object.keys(CASES).length} passed, 0 failed, 0 unsupported, 0 with wrong data`;
    for (const backend of ['interpreter', 'wasi'])
      assert.ok(stdout.includes(`${backend}: ${all}`), `${stdout}${stderr}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
