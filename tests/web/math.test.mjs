// What mathematical functions of the CPU's are off by, and their results for numbers that are none, too large or too small.
//
//   WEBNNC=build/webnnc node [--experimental-wasm-relaxed-simd] --test tests/web/math.test.mjs
//
// With relaxed SIMD, where the engine has it, products and sums are rounded once. References are the engine's functions of
// float64, and Python's erf.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'webnnc-math-'));
after(() => rmSync(folder, { recursive: true }));

const NAMES = ['Exp', 'Log', 'Tanh', 'Erf'];
const file = join(folder, 'model.onnx');
writeFileSync(file, onnxModel({
  inputs: { x: ['f32', ['n']] }, outputs: Object.fromEntries(NAMES.map((name) => [name, ['f32', ['n']]])),
  nodes: NAMES.map((name) => ({ op: name, inputs: ['x'], outputs: [name] })),
}));
execFileSync(webnnc, [file, '-o', join(folder, 'out'), '--target', 'wasm', '--quiet', '--no-report']);
const model = await (await import(pathToFileURL(join(folder, 'out/model.js')).href)).load();

/** @param {Float32Array} x @param {string} name @returns {Promise<Float32Array>} */
const computed = async (x, name) => (await model.run({ x: { data: x, shape: [x.length] } }))[name].data;

/** Numbers from `low` to `high`, not a whole number of vectors. @param {number} low @param {number} high */
const between = (low, high) => Float32Array.from({ length: 20_001 }, (_, i) => low + (high - low) * i / 20_000);

/** How far f32s next to a normal number are apart. @param {number} value */
const unit = (value) => 2 ** (Math.floor(Math.log2(Math.abs(Math.fround(value)))) - 23);

/** @type {[string, (x: number) => number, number, number][]} */
const EXACT = [
  ['Exp', Math.exp, -87.3, 88.7], ['Exp', Math.exp, -1, 1], ['Log', Math.log, 1e-30, 1e-3], ['Log', Math.log, 0.5, 2], ['Log', Math.log, 1, 1e30],
  ['Tanh', Math.tanh, -10, 10], ['Tanh', Math.tanh, -0.7, 0.7],
];
for (const [name, exact, low, high] of EXACT) {
  test(`${name} of ${low} to ${high} is off by at most 2 units in the last place`, async () => {
    const x = between(low, high), y = await computed(x, name);
    x.forEach((value, i) => {
      const want = exact(value);
      assert.ok(want === y[i] || Math.abs(y[i] - want) <= 2 * unit(want), `${name}(${value}) = ${y[i]}, not ${want}`);
    });
  });
}

test('Erf is off by at most 5e-7', async () => {
  const x = between(-5, 5), y = await computed(x, 'Erf');
  const erf = 'import json, math, sys; print(json.dumps([math.erf(x) for x in json.load(sys.stdin)]))';
  const wanted = JSON.parse(execFileSync('python3', ['-c', erf], { input: JSON.stringify([...x]), encoding: 'utf8', maxBuffer: 1 << 24 }));
  x.forEach((value, i) => assert.ok(Math.abs(y[i] - wanted[i]) < 5e-7, `Erf(${value}) = ${y[i]}, not ${wanted[i]}`));
});

test('Erf of a quotient is off by at most 5e-7, and functions of products are those of elements', async () => {
  const products = join(folder, 'products.onnx'), rows = 601, columns = 16, root = Math.fround(Math.SQRT2);
  const identity = Float32Array.from({ length: columns ** 2 }, (_, i) => Number(i % columns === Math.floor(i / columns)));
  const x = between(-5, 5).subarray(0, rows * columns), names = ['Quotient', ...NAMES];
  writeFileSync(products, onnxModel({
    inputs: { x: ['f32', [rows, columns]] }, outputs: Object.fromEntries(names.map((name) => [name, ['f32', [rows, columns]]])),
    constants: { identity: { type: ['f32', [columns, columns]], bytes: new Uint8Array(identity.buffer) }, root: { type: ['f32', []], bytes: new Uint8Array(Float32Array.of(root).buffer) } },
    nodes: [
      { op: 'MatMul', inputs: ['x', 'identity'], outputs: ['of_quotient'] }, { op: 'Div', inputs: ['of_quotient', 'root'], outputs: ['quotient'] },
      { op: 'Erf', inputs: ['quotient'], outputs: ['Quotient'] },
      ...NAMES.flatMap((name) => [{ op: 'MatMul', inputs: ['x', 'identity'], outputs: [`of_${name}`] }, { op: name, inputs: [`of_${name}`], outputs: [name] }]),
    ],
  }));
  execFileSync(webnnc, [products, '-o', join(folder, 'products'), '--target', 'wasm', '--quiet', '--no-report']);
  const y = await (await (await import(pathToFileURL(join(folder, 'products/model.js')).href)).load()).run({ x: { data: x, shape: [rows, columns] } });
  for (const name of NAMES) assert.deepEqual(y[name].data, await computed(x, name), name);
  const erf = 'import json, math, sys; print(json.dumps([math.erf(x) for x in json.load(sys.stdin)]))';
  const wanted = JSON.parse(execFileSync('python3', ['-c', erf], { input: JSON.stringify([...x].map((value) => value / root)), encoding: 'utf8', maxBuffer: 1 << 24 }));
  x.forEach((value, i) => assert.ok(Math.abs(y.Quotient.data[i] - wanted[i]) < 5e-7, `Erf(${value} / ${root}) = ${y.Quotient.data[i]}, not ${wanted[i]}`));
});

const { NaN: none, Infinity: infinite } = globalThis;
/** @type {[string, number[], number[]][]} */
const ENDS = [
  ['Exp', [none, infinite, -infinite, 0, -0, 89, 1e38, -104, -1e38], [none, infinite, 0, 1, 1, infinite, infinite, 0, 0]],
  ['Log', [none, infinite, -infinite, 0, -0, -1, 1], [none, infinite, none, -infinite, -infinite, none, 0]],
  ['Tanh', [none, infinite, -infinite, 0, -0, 1e38], [none, 1, -1, 0, -0, 1]],
  ['Erf', [none, infinite, -infinite, 0, -0, 1e38], [none, 1, -1, 0, -0, 1]],
];
for (const [name, x, wanted] of ENDS)
  test(`${name} of no number, of zeros and of what is too large`, async () => assert.deepEqual([...await computed(Float32Array.from(x), name)], wanted));

test('Exp is subnormal where f32 is', async () => {
  const x = Float32Array.of(-87.5, -90, -95, -100, -103), y = await computed(x, 'Exp');
  x.forEach((value, i) => assert.ok(Math.abs(y[i] - Math.exp(value)) <= 2 ** -149, `Exp(${value}) = ${y[i]}`));
});
