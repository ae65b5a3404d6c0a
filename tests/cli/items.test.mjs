// Long kernels of the CPU are called item by item, so that engines go on in better code in the middle of a first run.
//
//   WEBNNC=build/webnnc node --test tests/cli/items.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..'), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-items-'));
after(() => rmSync(folder, { recursive: true }));

/** Whole numbers, so that sums are exact in whichever order they come. */
const weightAt = (/** @type {number} */ i) => (i * 7 + (i >> 5)) % 5 - 2, valueAt = (/** @type {number} */ i) => (i * 3 + (i >> 7)) % 4 - 1;

/** relu(x W). @param {string} name @param {(number | string)[]} shape of x, without its columns @param {number} size of W */
function modelOf(name, shape, size) {
  const file = join(folder, `${name}.onnx`), weights = Float32Array.from({ length: size * size }, (_, i) => weightAt(i));
  writeFileSync(file, onnxModel({
    inputs: { x: ['f32', [...shape, size]] }, outputs: { y: ['f32', [...shape, size]] },
    constants: { w: { type: ['f32', [size, size]], bytes: new Uint8Array(weights.buffer) } },
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] }, { op: 'Relu', inputs: ['h'], outputs: ['y'] }],
  }));
  return file;
}

/** How often kernels call a function for an item. @param {string} file */
function callsOf(file) {
  const text = execFileSync(webnnc, [file, '--target', 'wasm', '--emit', 'llvm'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return [...text.matchAll(/call (?:fastcc )?void @"?kernel\.[\w.]+\.item"?\(/g)].length;
}

test('a long kernel calls a function for each item, a short one is one call', () => {
  assert.ok(callsOf(modelOf('long', [256], 256)) >= 1);
  assert.equal(callsOf(modelOf('short', [4], 16)), 0);
});

for (const [name, shape] of /** @type {[string, (number | string)[]][]} */ ([['rows', ['n']], ['images', ['n', 64]], ['both', [3, 'n']]])) {
  test(`${name}: results are right for any size, also none`, async () => {
    const size = 128, file = modelOf(name, shape, size), out = join(folder, name);
    execFileSync(webnnc, [file, '-o', out, '--target', 'wasm', '--quiet', '--no-report']);
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href), model = await load({ backend: 'wasm', threads: 1 });
    for (const n of [1, 0, 5, 131]) {
      const sizes = [...shape.map((given) => typeof given === 'number' ? given : n), size], rows = sizes.slice(0, -1).reduce((a, b) => a * b, 1);
      const x = Float32Array.from({ length: rows * size }, (_, i) => valueAt(i)), { y } = await model.run({ x: { data: x, shape: sizes } });
      assert.deepEqual(y.shape, sizes);
      for (let row = 0; row < rows; ++row) {
        for (let column = 0; column < size; ++column) {
          let sum = 0;
          for (let k = 0; k < size; ++k) sum += x[row * size + k] * weightAt(k * size + column);
          if (y.data[row * size + column] !== Math.max(sum, 0)) assert.fail(`row ${row}, column ${column} of ${n}`);
        }
      }
    }
    model.dispose();
  });
}
