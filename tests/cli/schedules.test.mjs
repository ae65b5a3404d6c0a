// Schedules of a file go before the compiler's own: they change the code, not what it computes.
//
//   WEBNNC=build/webnnc node --test tests/cli/schedules.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

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
