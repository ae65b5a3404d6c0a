// How far models in f16 are from the f32 models that they were made of, on wasm: no further than ONNX Runtime's CPU is,
// but for 10 %, with exports of ../shared. A folder has a model, its inputs, and what ONNX Runtime made of them; the
// original's folder stands beside it. And what is rounded, and what is not, with small models.
//
//   WEBNNC=build/webnnc node --test tests/web/half.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const MODELS = ['own_unet.new', 'text_distilbert.new', 'whisper_encoder.new'], MOST = 1.1;

const root = fileURLToPath(new URL('../..', import.meta.url)), cache = process.env.CACHE ?? join(root, 'build/cache');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const zoo = execFileSync(join(root, 'tests/unpack_shared'), ['zoo', cache], { encoding: 'utf8' }).trim();
if (!zoo) console.log('skipped: distances of models in f16, for which the zoo of ../shared is needed');

const work = mkdtempSync(join(tmpdir(), 'webnnc-half-'));
after(() => rmSync(work, { recursive: true }));

/** @param {string} file @param {string} name */
async function loaded(file, name) {
  const out = join(work, name);
  execFileSync(webnnc, [file, '-o', out, '--quiet', '--target', 'wasm']);
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
  return load({ backend: 'wasm' });
}

// ---- Numbers

/** The number that 16 bits are. @param {number} bits */
function numberOf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

/** The bits of a number that f16 has, and that is not subnormal. @param {number} value */
function bitsOf(value) {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  return (value < 0 ? 0x8000 : 0) | (exponent + 15) << 10 | (Math.abs(value) / 2 ** exponent - 1) * 1024;
}

/** The elements of a result or tensor. @param {{ dataType: string, data: any }} tensor @returns {number[]} */
const elements = ({ dataType, data }) => dataType !== 'float16' ? Array.from(data, Number)
  : Array.from(new Uint16Array(data.buffer, data.byteOffset, data.length), numberOf);

/** A file of TensorProto, with its elements as bytes. @param {string} path */
function readTensor(path) {
  const TYPES = /** @type {const} */ ({ 1: ['float32', Float32Array], 6: ['int32', Int32Array], 7: ['int64', BigInt64Array], 9: ['bool', Uint8Array], 10: ['float16', Uint16Array] });
  const file = readFileSync(path), shape = [];
  let at = 0, name = '', type = 1, raw = file.subarray(0, 0);
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = file[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < file.length) {
    const key = varint(), field = key >> 3;
    assert.ok((key & 7) === 0 || (key & 7) === 2, `${path} has elements that are no bytes`);
    const value = varint();
    if ((key & 7) === 0) {
      if (field === 1) shape.push(value);
      if (field === 2) type = value;
      continue;
    }
    const content = file.subarray(at, at += value);
    if (field === 8) name = content.toString();
    if (field === 9) raw = content;
  }
  const [dataType, Elements] = TYPES[/** @type {keyof typeof TYPES} */ (type)];
  return { name, dataType, shape, data: new Elements(new Uint8Array(raw).buffer) };
}

/** What is in a folder of data. @param {string} model @param {'input' | 'output'} kind */
function readAll(model, kind) {
  const folder = join(zoo, model, 'test_data_set_0');
  const number = (/** @type {string} */ file) => parseInt(file.slice(kind.length + 1));
  return readdirSync(folder).filter((file) => file.startsWith(kind)).sort((a, b) => number(a) - number(b)).map((file) => readTensor(join(folder, file)));
}

/** The root of the mean of squared differences. @param {number[][]} results @param {number[][]} expected */
function distance(results, expected) {
  let sum = 0, count = 0;
  for (const [r, values] of expected.entries()) {
    assert.equal(results[r].length, values.length);
    for (const [i, value] of values.entries()) sum += (results[r][i] - value) ** 2;
    count += values.length;
  }
  return Math.sqrt(sum / count);
}

describe('models in f16 are as near to their originals as in ONNX Runtime', { skip: !zoo }, () => {
  for (const name of MODELS) {
    test(name, async () => {
      const model = await loaded(join(zoo, `${name}.f16`, 'model.onnx'), name);
      try {
        const results = await model.run(Object.fromEntries(readAll(`${name}.f16`, 'input').map(({ name: port, ...tensor }) => [port, tensor])));
        const original = readAll(name, 'output').map(elements), theirs = readAll(`${name}.f16`, 'output').map(elements);
        const ours = model.outputs.map((/** @type {{ name: string }} */ port) => elements(results[port.name]));
        const ratio = distance(ours, original) / distance(theirs, original);
        console.log(`${name}: ${ratio.toFixed(2)} times as far as ONNX Runtime`);
        assert.ok(ratio <= MOST, `${ratio} times as far from the original as ONNX Runtime`);
      } finally {
        model.dispose();
      }
    });
  }
});

/** A matrix of f16. @param {number[]} shape @param {number[]} values @returns {import('../onnx_model.mjs').Tensor} */
const half = (shape, values) => ({ type: ['f16', shape], bytes: new Uint8Array(Uint16Array.from(values, bitsOf).buffer) });

/**
 * Takes apart what is only there where nothing is rounded in between: 1 + 2^-12 - 1, by two products.
 * @param {string} name @param {import('../onnx_model.mjs').Node[]} between from `a` to `b`
 * @param {Record<string, any>} [constants]
 */
async function difference(name, between, constants = {}) {
  const file = join(work, `${name}.onnx`);
  writeFileSync(file, onnxModel({
    inputs: { x: ['f16', [1, 2]] }, outputs: { y: ['f16', [1, 1]] },
    nodes: [{ op: 'MatMul', name: 'first', inputs: ['x', 'p'], outputs: ['a'] }, ...between, { op: 'MatMul', name: 'second', inputs: ['b', 'q'], outputs: ['y'] }],
    constants: { p: half([2, 2], [1, 1, 1, 0]), q: half([2, 1], [1, -1]), ...constants },
  }));
  const model = await loaded(file, name);
  const { y } = await model.run({ x: { data: Uint16Array.of(bitsOf(1), bitsOf(2 ** -12)), shape: [1, 2] } });
  model.dispose();
  return elements(y)[0];
}

test('what flows between operators is not rounded', async () => {
  assert.equal(await difference('flows', [{ op: 'Abs', inputs: ['a'], outputs: ['b'] }]), 2 ** -12);
});

test('what a model casts to f16 is rounded', async () => {
  const wide = { op: 'Cast', name: 'wide', inputs: ['a'], outputs: ['w'], attributes: { to: 1 } };
  const narrow = { op: 'Cast', name: 'narrow', inputs: ['w'], outputs: ['b'], attributes: { to: 10 } };
  assert.equal(await difference('cast', [wide, narrow]), 0);
  const like = { op: 'CastLike', name: 'like', inputs: ['w', 'p'], outputs: ['b'] };
  assert.equal(await difference('cast_like', [wide, like]), 0);
});

test('inputs and outputs keep f16', async () => {
  const file = join(work, 'ports.onnx');
  // 2049 is no number of f16.
  writeFileSync(file, onnxModel({
    inputs: { x: ['f16', ['n']] }, outputs: { y: ['f16', ['n']] }, nodes: [{ op: 'Add', inputs: ['x', 'c'], outputs: ['y'] }], constants: { c: half([], [1]) },
  }));
  const model = await loaded(file, 'ports');
  const { y } = await model.run({ x: { data: Uint16Array.of(bitsOf(2048), bitsOf(0.5)), shape: [2] } });
  assert.deepEqual([y.dataType, elements(y)], ['float16', [2048, 1.5]]);
  model.dispose();
});
