// Writes models with inputs and expected outputs as cases in ONNX's layout, and has node_tests run them.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { TYPES } from '../onnx_model.mjs';

const nodeTests = process.env.NODE_TESTS ?? fileURLToPath(new URL('../../build/node_tests', import.meta.url));

/** @param {number} value @returns {number[]} */
const varint = (value) => value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];

/** A TensorProto. @param {string} name @param {keyof typeof TYPES} type @param {number[]} shape @param {ArrayBufferView} data */
function tensorFile(name, type, shape, { buffer, byteOffset, byteLength }) {
  return Uint8Array.from([
    ...shape.flatMap((size) => [1 << 3, ...varint(size)]), 2 << 3, TYPES[type], 8 << 3 | 2, ...varint(name.length), ...Buffer.from(name),
    9 << 3 | 2, ...varint(byteLength), ...new Uint8Array(buffer, byteOffset, byteLength),
  ]);
}

/** Numbers of JSON, which has "NaN" and infinities as text. @param {string} type @param {(number | string)[]} values @returns {ArrayBufferView} */
function elements(type, values) {
  if (type === 'i64') return BigInt64Array.from(values, BigInt);
  const numbers = values.map(Number);
  if (type === 'bool' || type === 'u8') return Uint8Array.from(numbers);
  return type === 'i32' ? Int32Array.from(numbers) : type === 'f64' ? Float64Array.from(numbers) : Float32Array.from(numbers);
}

/** @typedef {{ name: string, type: keyof typeof TYPES, shape: number[], data: any }} Value its data an array of its type, or numbers of JSON */

/** @param {string} folder of the case @param {Buffer} model @param {{ inputs: Value[], outputs: Value[], allowed?: Value[] }[]} sets `allowed`: in f32, how far each element of an output may be off */
export function writeCase(folder, model, sets) {
  for (const [k, { inputs, outputs, allowed = [] }] of sets.entries()) {
    const set = join(folder, `test_data_set_${k}`);
    mkdirSync(set, { recursive: true });
    for (const [kind, values] of Object.entries({ input: inputs, output: outputs, allowed })) {
      for (const [i, { name, type, shape, data }] of values.entries())
        writeFileSync(join(set, `${kind}_${i}.pb`), tensorFile(name, type, shape, Array.isArray(data) ? elements(type, data) : data));
    }
  }
  writeFileSync(join(folder, 'model.onnx'), model);
}

/** What node_tests prints of the cases. @param {string} cases @param {string} work @param {string[]} backends */
export function runCases(cases, work, backends) {
  const { stdout, stderr } = spawnSync(nodeTests,
    ['--jobs', '2', '--work', work, ...backends.flatMap((backend) => ['--backend', backend]), '--verbose', cases], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return `${stdout}${stderr}`;
}
