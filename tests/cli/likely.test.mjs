// What open sizes are likely to be: said by --dim, else guessed; it decides schedules and what reports show, and
// no result.
//
//   WEBNNC=build/webnnc node --test tests/cli/likely.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-likely-')), file = join(folder, 'm.onnx');
after(() => rmSync(folder, { recursive: true }));
writeFileSync(file, onnxModel({
  inputs: { x: ['f32', ['rows', 64, 'columns']], w: ['f32', [64, 32]] }, outputs: { y: ['f32', ['rows', 32, 'columns']] },
  nodes: [
    { op: 'Transpose', inputs: ['x'], outputs: ['t'], attributes: { perm: [0, 2, 1] } },
    { op: 'MatMul', inputs: ['t', 'w'], outputs: ['p'] },
    { op: 'Transpose', inputs: ['p'], outputs: ['y'], attributes: { perm: [0, 2, 1] } },
  ],
}));

/** @param {string[]} flags */
const webnnc = (...flags) => spawnSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [file, ...flags], { encoding: 'utf8' });
/** @param {string[]} flags */
const schedules = (...flags) => webnnc('--emit', 'schedules', ...flags).stdout;
/** @param {string[]} flags */
const sizes = (...flags) => JSON.parse(webnnc('-o', join(folder, 'out'), '--json', ...flags).stdout).sizes;

test('what is shown is for typical sizes', () => {
  assert.deepEqual(sizes(), { columns: 128, rows: 1 });
  assert.deepEqual(sizes('--dim', 'columns=?4..100', '--dim', 'rows=?6'), { columns: 20, rows: 6 });
  assert.deepEqual(sizes('--dim', 'rows=3', '--dim', 'columns=?7'), { columns: 7 });
});

test('schedules are made for them', () => {
  const usual = schedules(), large = schedules('--dim', 'rows=?512..1024', '--dim', 'columns=?1024');
  assert.match(usual, /^for generic/m);
  assert.notEqual(large, usual);
});

test('other sizes run, too', async () => {
  assert.equal(webnnc('-o', join(folder, 'out'), '--quiet', '--dim', 'rows=?512', '--dim', 'columns=?1024').status, 0);
  const { load } = await import(pathToFileURL(join(folder, 'out/model.js')).href);
  const model = await load({ backend: 'wasm' });
  for (const [rows, columns] of [[1, 1], [3, 5], [2, 40]]) {
    const x = Float32Array.from({ length: rows * 64 * columns }, (_, i) => i % 7), w = Float32Array.from({ length: 64 * 32 }, (_, i) => i % 5);
    const { y } = await model.run({ x: { data: x, shape: [rows, 64, columns] }, w });
    const expected = Array.from({ length: rows * 32 * columns }, (_, i) => {
      const row = Math.floor(i / (32 * columns)), out = Math.floor(i / columns) % 32, column = i % columns;
      let sum = 0;
      for (let k = 0; k < 64; ++k) sum += x[(row * 64 + k) * columns + column] * w[k * 32 + out];
      return sum;
    });
    assert.deepEqual([...y.data], expected);
  }
  model.dispose();
});

test('what cannot be is refused', () => {
  /** @type {[string, RegExp][]} */
  const cases = [
    ['rows=?', /rows=\? is not of the form NAME=\?LOW\.\.HIGH/],
    ['rows=?many', /is not of the form NAME=\?LOW\.\.HIGH/],
    ['rows=?0..4', /--dim rows: 0\.\.4 is no range of sizes from 1 to 2147483647/],
    ['rows=?8..1', /--dim rows: 8\.\.1 is no range of sizes/],
    ['height=?8', /--dim names "height", which is not an open size of an input\n.*columns = 128, rows = 1/],
  ];
  for (const [value, message] of cases) {
    const { status, stderr } = webnnc('-o', join(folder, 'refused'), '--dim', value);
    assert.match(stderr, message);
    assert.notEqual(status, 0);
  }
  // Fixed and likely at once.
  const both = webnnc('-o', join(folder, 'refused'), '--dim', 'rows=2', '--dim', 'rows=?2..4');
  assert.match(both.stderr, /--dim names "rows", which is not an open size of an input/);
});
