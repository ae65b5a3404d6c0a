// Schedules of a file go before the compiler's own: they change the code, not what it computes.
//
//   WEBNNC=build/webnnc node --test tests/cli/schedules.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const digits = join(root, 'models/digits/digits.onnx');
/** @type {string} */
let folder;

/** @param {string} name @param {string} [schedules] */
function compile(name, schedules) {
  const flags = schedules === undefined ? [] : ['--schedules', join(folder, `${name}.schedules`)];
  if (schedules !== undefined) writeFileSync(join(folder, `${name}.schedules`), schedules);
  execFileSync(webnnc, [digits, '-o', join(folder, name), '--quiet', ...flags]);
  return readFileSync(join(folder, name, 'model.wasm'));
}

/** @param {string} name */
async function probabilities(name) {
  const { load } = await import(pathToFileURL(join(folder, name, 'model.js')).href);
  const model = await load({ backend: 'wasm' });
  const image = Float32Array.from({ length: 28 * 28 }, (_, i) => (i * 37 % 101) / 100);
  return (await model.run({ image })).digit_probabilities.data;
}

before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-schedules-')); });
after(() => rmSync(folder, { recursive: true }));

test('what --emit schedules prints is what the compiler does', () => {
  const chosen = execFileSync(webnnc, [digits, '--emit', 'schedules'], { encoding: 'utf8' });
  assert.match(chosen, /^for wasm "/m);
  assert.deepEqual(compile('again', chosen), compile('chosen'));
});

test('other schedules give other code and the same numbers', async () => {
  const chosen = execFileSync(webnnc, [digits, '--emit', 'schedules'], { encoding: 'utf8' });
  // Loops as they are written: slow, and right.
  const plain = chosen.replaceAll(/schedule \{[^}]*\bsplit\b[^}]*\}/g, 'schedule {\n}');
  assert.notEqual(plain, chosen);
  assert.notDeepEqual(compile('plain', plain), compile('chosen'));
  const expected = await probabilities('chosen');
  (await probabilities('plain')).forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5));
});

/** @param {string[]} flags */
const emit = (...flags) => execFileSync(webnnc, [...flags, '--quiet'], { encoding: 'utf8', maxBuffer: 1 << 26 });

/** Each target's keys, with what stands behind them. @param {string} schedules @returns {Map<string, string>} */
const entriesOf = (schedules) => new Map([...schedules.matchAll(/^for (\S+ "\w+") (schedule \{[^}]*\})/gm)].map(([, key, text]) => [key, text]));

/** @param {string} name @param {Parameters<typeof onnxModel>[0]} model */
function write(name, model) {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, onnxModel(model));
  return path;
}

/** A product and a softmax of it. @param {string[]} names @param {'f16' | 'f32'} dtype @param {number | string} rows */
const product = ([x, y, product, softmax, z], dtype, rows) => ({
  inputs: { [x]: /** @type {any} */ ([dtype, [rows, 96]]), [y]: /** @type {any} */ ([dtype, [96, 64]]) },
  outputs: { [z]: /** @type {any} */ ([dtype, [rows, 64]]) },
  nodes: [
    { op: 'MatMul', name: product, inputs: [x, y], outputs: ['h'] },
    { op: 'Softmax', name: softmax, inputs: ['h'], outputs: [z] },
  ],
});

test('programs in f16 and in f32 have schedules of their own', () => {
  const model = write('half', product(['x', 'y', 'a', 'b', 'z'], 'f16', 64)), file = join(folder, 'half.schedules');
  const chosen = emit(model, '--target', 'webgpu', '--emit', 'schedules');
  const entries = [...entriesOf(chosen).keys()];
  assert.ok(entries.some((key) => key.startsWith('generic-f16 ')), chosen);
  assert.ok(entries.some((key) => key.startsWith('generic ')), chosen);
  writeFileSync(file, chosen);
  const shaders = (/** @type {string[]} */ ...flags) => emit(model, '--target', 'webgpu', '--emit', 'wgsl', ...flags);
  assert.equal(shaders('--schedules', file), shaders());
});

test('keys are of what is computed, not of names', () => {
  const keys = (/** @type {string} */ name, /** @type {any} */ model, /** @type {string[]} */ ...flags) =>
    [...entriesOf(emit(write(name, model), '--emit', 'schedules', ...flags)).keys()].sort();
  const usual = keys('usual', product(['x', 'y', 'a', 'b', 'z'], 'f32', 'batch'));
  assert.deepEqual(keys('other', product(['p', 'q', 'c', 'd', 'r'], 'f32', 'N'), '--dim', 'N=?1..16'),
    keys('named', product(['x', 'y', 'a', 'b', 'z'], 'f32', 'batch'), '--dim', 'batch=?1..16'));
  for (const different of [product(['x', 'y', 'a', 'b', 'z'], 'f16', 'batch'), product(['x', 'y', 'a', 'b', 'z'], 'f32', 12)])
    assert.deepEqual(keys('different', different).filter((key) => usual.includes(key)), []);
});

test('strides, dilations and axes are part of keys', () => {
  /** Windows of an image of which only the attributes differ, not the types. @param {Record<string, number[]>} attributes */
  const windows = (attributes) => emit(write('windows', {
    inputs: { x: ['f32', [1, 8, 17, 17]], w: ['f32', [8, 8, 3, 3]] }, outputs: { y: ['f32', [1, 8, 8, 8]] },
    nodes: [{ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'], attributes }],
  }), '--emit', 'schedules', '--target', 'wasm');
  const keys = [
    { strides: [2, 2] }, { strides: [2, 2], pads: [1, 1, 0, 0] }, { strides: [2, 2], dilations: [2, 2], pads: [1, 1, 1, 1] },
    { strides: [1, 1], dilations: [5, 5], pads: [1, 1, 0, 0] },
  ].map((attributes) => [...entriesOf(windows(attributes)).keys()].join());
  assert.equal(new Set(keys).size, keys.length, keys.join('\n'));
  /** @param {number} axis */
  const sum = (axis) => [...entriesOf(emit(write('sum', {
    inputs: { x: ['f32', [24, 24]] }, outputs: { y: ['f32', [24]] },
    nodes: [{ op: 'ReduceMax', inputs: ['x'], outputs: ['y'], attributes: { axes: [axis], keepdims: 0 } }],
  }), '--emit', 'schedules', '--target', 'wasm')).keys()].join();
  assert.notEqual(sum(0), sum(1));
});

test('a schedule that does not fit is warned of by name, and the own one is taken', () => {
  const chosen = emit(digits, '--emit', 'schedules'), own = compile('chosen');
  const [key, text] = [...entriesOf(chosen)].find(([key]) => key.startsWith('wasm ')) ?? assert.fail(chosen);
  const [gpu] = [...entriesOf(chosen)].find(([key]) => key.startsWith('generic ')) ?? assert.fail(chosen);
  const file = join(folder, 'misfit.schedules');
  writeFileSync(file, `for ${key} schedule {\n  split nowhere 4\n}\nfor ${gpu} schedule {\n  bind nowhere thread\n}\n`);
  const { status, stderr } = spawnSync(webnnc, [digits, '-o', join(folder, 'misfit'), '--schedules', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stderr, new RegExp(`warning: --schedules: the schedule for ${key} does not fit its kernel, \\w+ f32.*nowhere`), text);
  assert.match(stderr, new RegExp(`warning: --schedules: the schedule for ${gpu} does not fit its kernel, \\w+ f32.*nowhere`));
  assert.equal(readFileSync(join(folder, 'misfit/model.wasm')).length, own.length);
});

test('what is no key is refused with a way out', () => {
  const file = join(folder, 'old.schedules');
  writeFileSync(file, 'for wasm "softmax f32[10] -> f32[10]" schedule {\n}\n');
  const { status, stderr } = spawnSync(webnnc, [digits, '-o', join(folder, 'old'), '--schedules', file], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /old\.schedules:1:.*"softmax f32\[10\] -> f32\[10\]" is no key.*--emit schedules/s);
});

test('a schedule that keeps more than a wasm module should is warned of', () => {
  const model = write('large', {
    inputs: { x: ['f32', [1000, 8]], y: ['f32', [8, 1000]] }, outputs: { z: ['f32', [1000, 1000]] },
    nodes: [{ op: 'MatMul', name: 'm', inputs: ['x', 'y'], outputs: ['z'] }],
  });
  const flags = [model, '--target', 'wasm'], file = join(folder, 'large.schedules');
  const [key] = [...entriesOf(emit(...flags, '--emit', 'schedules')).keys()].filter((entry) => entry.startsWith('wasm "'));
  // Outside all loops, so that the whole result is kept.
  writeFileSync(file, `for ${key} schedule {\n  keep\n}\n`);
  const { status, stderr } = spawnSync(webnnc, [...flags, '--schedules', file, '-o', join(folder, 'large')], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /does not fit its kernel, matmul .*: too many registers/);
});
