// Schedules of a file say how wide the panels are that weights lie in: the numbers stay, and the
// weights file has each layout that some program reads.
//
//   WEBNNC=build/webnnc node --test tests/cli/pack_weights.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from '../web/dawn.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const ROWS = 5, INNER = 64, COLUMNS = 104;
/** @type {string} */
let folder;
/** @type {string} */
let model;
const device = await makeDevice();

const weight = Float32Array.from({ length: INNER * COLUMNS }, (_, i) => (i * 29 % 83 - 41) / 64);
const input = Float32Array.from({ length: ROWS * INNER }, (_, i) => (i * 37 % 101 - 50) / 32);
const expected = Array.from({ length: ROWS * COLUMNS }, (_, at) => {
  const row = Math.floor(at / COLUMNS), column = at % COLUMNS;
  let sum = 0;
  for (let k = 0; k < INNER; ++k) sum += input[row * INNER + k] * weight[k * COLUMNS + column];
  return sum;
});

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-pack-'));
  model = join(folder, 'product.onnx');
  writeFileSync(model, onnxModel({
    inputs: { x: ['f32', [ROWS, INNER]] }, outputs: { y: ['f32', [ROWS, COLUMNS]] },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    constants: { w: { type: ['f32', [INNER, COLUMNS]], bytes: new Uint8Array(weight.buffer) } },
  }));
});
after(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

/** The schedules in use, those of a target with their weights packed. @param {RegExp} target @param {string[]} packs @param {string[]} flags */
function packed(target, packs, ...flags) {
  const chosen = execFileSync(webnnc, [model, '--emit', 'schedules', '--quiet', ...flags], { encoding: 'utf8' });
  const changed = chosen.replaceAll(/^for (\S+) "\w+" schedule \{\n/gm,
    (entry, name) => target.test(name) ? `${entry}${packs.map((pack) => `  ${pack}\n`).join('')}` : entry);
  assert.notEqual(changed, chosen, chosen);
  return changed;
}

/** @param {string} name @param {string} schedules @param {string[]} flags */
function compile(name, schedules, ...flags) {
  const file = join(folder, `${name}.schedules`), out = join(folder, name);
  if (schedules) flags.push('--schedules', file);
  writeFileSync(file, schedules);
  const { status, stderr } = spawnSync(webnnc, [model, '-o', out, ...flags], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return { out, stderr, bytes: statSync(join(out, 'model.weights.bin')).size };
}

/** @param {string} out @param {'wasm' | 'webgpu'} backend */
async function run(out, backend = 'wasm') {
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
  const loaded = await load(backend === 'wasm' ? { backend } : { backend, device });
  return (await loaded.run({ x: input })).y.data;
}

/** @param {ArrayLike<number>} actual @param {ArrayLike<number>} wanted */
function close(actual, wanted) {
  assert.equal(actual.length, wanted.length);
  for (let i = 0; i < wanted.length; ++i) assert.ok(Math.abs(actual[i] - wanted[i]) < 1e-4, `${i}: ${actual[i]}, not ${wanted[i]}`);
}

test('panels of any width compute the same', async () => {
  for (const width of [1, 3, 4, 16, COLUMNS]) {
    const { out, stderr } = compile(`width${width}`, packed(/./, [`pack %x1 ${width}`]));
    assert.doesNotMatch(stderr, /warning/);
    close(await run(out), expected);
    close(await run(out, 'webgpu'), expected);
  }
});

test('words of four bits and their scales go into other panels, too', async () => {
  const flags = ['--quantize', 'int4'], usual = compile('usual4', '', ...flags);
  const both = compile('packed4', packed(/./, ['pack %x0 4', 'pack %x1 16'], ...flags), ...flags);
  assert.doesNotMatch(both.stderr, /warning.*fit/);
  close(await run(both.out), await run(usual.out));
  close(await run(both.out, 'webgpu'), await run(usual.out, 'webgpu'));
});

test('a weight is stored for each layout that programs read it in, and once where they agree', () => {
  const usual = compile('usual', ''), cpu = compile('cpu', packed(/^wasm/, ['pack %x1 4']));
  assert.ok(cpu.bytes >= usual.bytes + 4 * INNER * COLUMNS, `${cpu.bytes} bytes, usually ${usual.bytes}`);
  assert.equal(compile('all', packed(/./, ['pack %x1 4'])).bytes, usual.bytes);
});

test('rules pack what one row is multiplied by, so that a tile is one stream, and the file stays as large', async () => {
  // A row by a matrix that is beyond the second cache; a lookup reads the rows of another, which is a product's, too.
  const inner = 512, columns = 320, file = join(folder, 'row.onnx'), tied = join(folder, 'tied.onnx');
  const matrix = Float32Array.from({ length: inner * columns }, (_, i) => (i * 29 % 83 - 41) / 64), row = Float32Array.from({ length: inner }, (_, i) => (i * 37 % 101 - 50) / 32);
  const constants = /** @type {const} */ ({ w: { type: ['f32', [inner, columns]], bytes: new Uint8Array(matrix.buffer) } });
  writeFileSync(file, onnxModel({ inputs: { x: ['f32', [1, inner]] }, outputs: { y: ['f32', [1, columns]] }, nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }], constants }));
  writeFileSync(tied, onnxModel({
    inputs: { x: ['f32', [1, inner]], z: ['f32', [7, inner]] }, outputs: { y: ['f32', [1, columns]], all: ['f32', [7, columns]] },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }, { op: 'MatMul', inputs: ['z', 'w'], outputs: ['all'] }], constants,
  }));
  const packs = (/** @type {string[]} */ ...flags) => (execFileSync(webnnc, [...flags, '--emit', 'schedules', '--quiet'], { encoding: 'utf8' }).match(/pack %/g) ?? []).length;
  assert.ok(packs(file, '--target', 'wasm') > 0);
  // GPUs read panels of eight, and so do products of several rows.
  assert.equal(packs(file), 0);
  assert.equal(packs(tied, '--target', 'wasm'), 0);
  for (const flags of [['--target', 'wasm'], []]) {
    const out = join(folder, `row${flags.length}`);
    execFileSync(webnnc, [file, '-o', out, '--quiet', ...flags]);
    const { size } = statSync(join(out, 'model.weights.bin'));
    assert.ok(size < 4 * inner * columns + 512, `${size} bytes`);
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
    const { y } = await (await load({ backend: 'wasm' })).run({ x: row });
    close(y.data, Array.from({ length: columns }, (_, j) => row.reduce((sum, value, k) => sum + value * matrix[k * columns + j], 0)));
  }
});

test('what is no weight in panels is not packed', async () => {
  for (const [buffer, reason] of [['x0', 'is no weight in panels'], ['nothing', 'is no weight in panels'], ['x1', 'has no more than 104 columns']]) {
    const { out, stderr } = compile(`not-${buffer}`, packed(/^wasm$/, [`pack %${buffer} 105`], '--target', 'wasm'), '--target', 'wasm');
    assert.match(stderr, new RegExp(`warning: --schedules: the schedule for wasm "\\w+" does not fit its kernel, matmul .*%${buffer} ${reason}`));
    close(await run(out), expected);
  }
});
