// Convolutions that are large enough to be computed by fewer products (loop::TransformWindows), against ONNX Runtime: sizes that no tile
// divides, paddings, several images, groups, what follows in the same kernel; and that those that cannot be are computed as they were.
//
//   WEBNNC=build/webnnc node --test tests/models/convolutions.test.mjs
//   FIGURES=1 ...                                                       also prints how far results are off
//
// Needs `tools/npm_ci tests/bench`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

/** @import { Graph } from '../onnx_model.mjs' */

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const runtime = join(root, 'tests/bench/node_modules/onnxruntime-node');
const missing = existsSync(runtime) ? '' : 'ONNX Runtime: tools/npm_ci tests/bench';
if (missing) console.log(`skipped: ${missing}`);
const ort = missing ? undefined : createRequire(import.meta.url)(runtime);
const out = mkdtempSync(join(tmpdir(), 'webnnc-convolutions-'));
after(() => rmSync(out, { recursive: true }));

/** Of the largest element: sums of some thousand products, whose roundings differ. */
const TOLERANCE = 2e-6;

let seed = 1;
/** Numbers between -1 and 1, the same in each run. @param {number} count */
const numbers = (count) => Float32Array.from({ length: count }, () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 1073741824) - 1);

/** @param {number[]} shape */
const product = (shape) => shape.reduce((a, b) => a * b, 1);

/** @param {number[]} shape @param {Float32Array} values */
const constant = (shape, values) => ({ type: /** @type {['f32', number[]]} */ (['f32', shape]), bytes: new Uint8Array(values.buffer) });

/**
 * A convolution with a bias, and what follows it.
 *
 * @param {{ x: number[], filter: number[], attributes?: Record<string, number | number[]>, y: number[], residual?: boolean, batch?: string }} of
 * @returns {Graph}
 */
function graphOf({ x, filter, attributes = {}, y, residual = false, batch }) {
  const named = (/** @type {number[]} */ shape) => batch ? [batch, ...shape.slice(1)] : shape;
  return {
    inputs: { x: ['f32', named(x)], ...residual ? { r: /** @type {['f32', (number | string)[]]} */ (['f32', named(y)]) } : {} },
    outputs: { y: ['f32', named(y)] },
    constants: { w: constant(filter, numbers(product(filter)).map((value) => value / Math.sqrt(product(filter) / filter[0]))), b: [...numbers(filter[0])] },
    nodes: [
      { op: 'Conv', inputs: ['x', 'w', 'b'], outputs: ['c'], attributes },
      ...residual ? [{ op: 'Add', inputs: ['c', 'r'], outputs: ['s'] }] : [],
      { op: 'Relu', inputs: [residual ? 's' : 'c'], outputs: ['y'] },
    ],
  };
}

/** How many kernels a model has, and how far it is from ONNX Runtime's result. @param {string} name @param {Graph} graph @param {Record<string, number[]>} shapes of inputs @param {string[]} [flags] */
async function check(name, graph, shapes, flags = []) {
  const file = join(out, `${name}.onnx`), bundle = join(out, name);
  writeFileSync(file, onnxModel(graph));
  execFileSync(webnnc, [file, '-o', bundle, '--target', 'wasm', '--no-report', '--quiet', ...flags]);
  const feeds = Object.fromEntries(Object.entries(shapes).map(([port, shape]) => [port, { data: numbers(product(shape)), shape }]));
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 4 });
  const { y: expected } = await session.run(Object.fromEntries(Object.entries(feeds).map(([port, { data, shape }]) => [port, new ort.Tensor('float32', data, shape)])));
  await session.release();
  const { load } = await import(pathToFileURL(join(bundle, 'model.js')).href), model = await load({ backend: 'wasm' });
  const { y } = await model.run(feeds);
  model.dispose();
  assert.deepEqual([...y.shape], [...expected.dims]);
  const largest = expected.data.reduce((/** @type {number} */ most, /** @type {number} */ value) => Math.max(most, Math.abs(value)), 0);
  const off = expected.data.reduce((/** @type {number} */ most, /** @type {number} */ value, /** @type {number} */ i) => Math.max(most, Math.abs(value - y.data[i])), 0) / largest;
  if (process.env.FIGURES) console.log(name, off.toExponential(2));
  assert.ok(off <= TOLERANCE, `${name} is off by ${off} of the largest element`);
  const text = execFileSync(webnnc, [file, '--target', 'wasm', '--emit', 'schedules', ...flags], { encoding: 'utf8' });
  return { transformed: / f32\[4,4,/.test(text), weights: statSync(join(bundle, 'model.weights.bin')).size, text };
}

/** @type {Record<string, Parameters<typeof graphOf>[0]>} */
const FEWER = {
  'sizes that tiles divide': { x: [1, 32, 28, 28], filter: [64, 32, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [1, 64, 28, 28] },
  'odd sizes': { x: [1, 32, 27, 29], filter: [64, 32, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [1, 64, 27, 29] },
  'no padding': { x: [1, 32, 29, 28], filter: [64, 32, 3, 3], y: [1, 64, 27, 26] },
  'paddings that differ': { x: [1, 32, 26, 27], filter: [64, 32, 3, 3], attributes: { pads: [2, 0, 1, 3] }, y: [1, 64, 27, 28] },
  'three images': { x: [3, 32, 15, 15], filter: [64, 32, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [3, 64, 15, 15] },
  'two groups': { x: [1, 64, 28, 28], filter: [128, 32, 3, 3], attributes: { pads: [1, 1, 1, 1], group: 2 }, y: [1, 128, 28, 28] },
  'many channels': { x: [1, 256, 7, 7], filter: [256, 256, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [1, 256, 7, 7] },
  'many channels of two images': { x: [2, 256, 9, 8], filter: [256, 256, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [2, 256, 9, 8], residual: true },
  'a residual': { x: [1, 64, 28, 27], filter: [64, 64, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [1, 64, 28, 27], residual: true },
};

for (const [name, of] of Object.entries(FEWER)) {
  test(`fewer products: ${name}`, { skip: missing || false }, async () => {
    const shapes = { x: of.x, ...of.residual ? { r: of.y } : {} }, made = await check(name.replaceAll(' ', '_'), graphOf(of), shapes);
    assert.ok(made.transformed, made.text);
    // Filters are transformed in a run: the file has them as they are.
    assert.ok(made.weights <= 4 * (product(of.filter) + of.filter[0]) + 512, `${made.weights}`);
  });
}

test('fewer products: an open batch', { skip: missing || false }, async () => {
  const of = { x: [2, 32, 28, 28], filter: [64, 32, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [2, 64, 28, 28], batch: 'n' };
  assert.ok((await check('open_batch', graphOf(of), { x: of.x })).transformed);
  const many = { x: [2, 256, 7, 7], filter: [256, 256, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [2, 256, 7, 7], batch: 'n' };
  assert.ok((await check('open_batch_of_many_channels', graphOf(many), { x: many.x })).transformed);
});

/** @type {Record<string, Parameters<typeof graphOf>[0]>} */
const DIRECT = {
  'stride 2': { x: [1, 32, 56, 56], filter: [64, 32, 3, 3], attributes: { pads: [1, 1, 1, 1], strides: [2, 2] }, y: [1, 64, 28, 28] },
  dilated: { x: [1, 32, 28, 28], filter: [64, 32, 3, 3], attributes: { pads: [2, 2, 2, 2], dilations: [2, 2] }, y: [1, 64, 28, 28] },
  'more memory than expected': { x: [1, 32, 340, 340], filter: [32, 32, 3, 3], y: [1, 32, 338, 338] },
  'few channels': { x: [1, 3, 28, 28], filter: [16, 3, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [1, 16, 28, 28] },
};

for (const [name, of] of Object.entries(DIRECT)) {
  test(`as it was: ${name}`, { skip: missing || false }, async () => {
    assert.ok(!(await check(name.replaceAll(' ', '_'), graphOf(of), { x: of.x })).transformed);
  });
}

test('as it was: an open image', { skip: missing || false }, async () => {
  const graph = graphOf({ x: [1, 32, 28, 28], filter: [64, 32, 3, 3], attributes: { pads: [1, 1, 1, 1] }, y: [1, 64, 28, 28] });
  graph.inputs.x[1].splice(2, 2, 'h', 'w2');
  graph.outputs.y[1].splice(2, 2, 'h', 'w2');
  assert.ok(!(await check('open_image', graph, { x: [1, 32, 28, 28] })).transformed);
});
