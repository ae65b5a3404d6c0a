// What is computed as vectors on the CPU, as the code says.
//
//   WEBNNC=build/webnnc node --test tests/cli/vectors.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { TYPES, onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..'), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-vectors-'));
after(() => rmSync(folder, { recursive: true }));

/** The code of the model's kernels. @param {Parameters<typeof onnxModel>[0]} model */
function codeOf(model) {
  const file = join(folder, 'model.onnx');
  writeFileSync(file, onnxModel(model));
  const text = execFileSync(webnnc, [file, '--target', 'wasm', '--emit', 'llvm'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return [...text.matchAll(/^define hidden void @"?kernel\.[^]*?^}/gm)].map(([code]) => code).join('\n');
}

for (const type of /** @type {const} */ (['u8', 'i8', 'u16', 'i16'])) {
  test(`floats become ${type} by way of i32, for which vectors have an instruction`, () => {
    const code = codeOf({ inputs: { x: ['f32', [64, 64]] }, outputs: { y: [type, [64, 64]] }, nodes: [{ op: 'Cast', inputs: ['x'], outputs: ['y'], attributes: { to: TYPES[type] } }], opset: 13 });
    assert.match(code, /@llvm\.fptosi\.sat\.v4i32\.v4f32/);
    assert.doesNotMatch(code, /@llvm\.fpto[su]i\.sat\.v\d+i(8|16)\./);
  });
}

test('what a condition chooses between is loaded as vectors', () => {
  const code = codeOf({ inputs: { c: ['bool', [64, 64]], x: ['f32', [64, 64]], b: ['f32', [64, 64]] }, outputs: { y: ['f32', [64, 64]] }, nodes: [{ op: 'Where', inputs: ['c', 'x', 'b'], outputs: ['y'] }], opset: 13 });
  assert.match(code, /select <4 x i1>/);
  assert.doesNotMatch(code, /load float,/);
});
