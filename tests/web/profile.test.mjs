// What profiles say of how much kernels do: against numbers of hand, for sizes that are open as well, on both backends.
//
//   WEBNNC=build/webnnc node --test tests/web/profile.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';

const webnnc = process.env.WEBNNC ?? 'build/webnnc', folder = mkdtempSync(join(tmpdir(), 'webnnc-profile-'));
/** @type {GPUDevice[]} */
const devices = [];
after(() => {
  for (const device of devices) device.destroy();
  rmSync(folder, { recursive: true });
});

/** @param {Parameters<typeof onnxModel>[0]} model @returns {string} the folder of the compiled model */
function compile(model) {
  const out = mkdtempSync(join(folder, 'out-')), file = join(out, 'model.onnx');
  writeFileSync(file, onnxModel(model));
  const { status, stderr } = spawnSync(webnnc, [file, '-o', join(out, 'b'), '--no-report', '--quiet'], { encoding: 'utf8', timeout: 120000 });
  assert.equal(status, 0, stderr);
  return join(out, 'b');
}

/** @param {string} out @param {'wasm' | 'webgpu'} backend @param {object} [options] @returns {Promise<import('../../runtime-js/model.js').Model<any, any>>} */
async function open(out, backend, options) {
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
  if (backend === 'wasm') return load({ backend, ...options });
  const device = await makeDevice();
  devices.push(device);
  return load({ backend, device, ...options });
}

/** @param {number} count */
const numbers = (count) => Float32Array.from({ length: count }, (_, i) => i % 7 - 3);
/** @param {number[]} shape @returns {import('../onnx_model.mjs').Tensor} */
const weight = (...shape) => ({ type: ['f32', shape], bytes: new Uint8Array(numbers(shape.reduce((a, b) => a * b)).buffer) });
/** Of one kernel alone. @param {import('../../runtime-js/model.js').Profile} profile */
function only({ steps, kernels }) {
  assert.equal(steps.length, 1);
  assert.equal(kernels.length, 1);
  assert.deepEqual({ ...kernels[0], calls: undefined }, { ...steps[0], calls: undefined });
  return steps[0];
}

const product = compile({
  inputs: { x: ['f32', ['n', 64]] }, outputs: { y: ['f32', ['n', 32]] }, constants: { w: weight(64, 32) },
  nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
});
// Channels come last, as the kernels have them, so that nothing else is computed.
const convolution = compile({
  inputs: { x: ['f32', [1, 16, 8, 8]] }, outputs: { y: ['f32', [1, 1, 1, 1]] }, constants: { w: weight(8, 16, 3, 3) },
  nodes: [{ op: 'Conv', inputs: ['x', 'w'], outputs: ['c'], attributes: { pads: [1, 1, 1, 1] } }, { op: 'ReduceMax', inputs: ['c'], outputs: ['y'] }],
});
const elementwise = compile({
  inputs: { x: ['f32', ['n', 6]] }, outputs: { y: ['f32', ['n', 6]] }, constants: { w: weight(6) },
  nodes: [{ op: 'Mul', inputs: ['x', 'w'], outputs: ['m'] }, { op: 'Exp', inputs: ['m'], outputs: ['e'] }, { op: 'Add', inputs: ['e', 'x'], outputs: ['y'] }],
});
// Rows so long have memory that threads share: on a GPU the other step is no part of their dispatch.
const apart = compile({
  inputs: { x: ['f32', ['n', 512]], w: ['f32', [8]] }, outputs: { y: ['f32', ['n', 512]], z: ['f32', [8]] },
  nodes: [{ op: 'Softmax', inputs: ['x'], outputs: ['y'] }, { op: 'Exp', inputs: ['w'], outputs: ['z'] }],
});
const beside = compile({
  inputs: { x: ['f32', ['n', 4]], w: ['f32', [8]] }, outputs: { y: ['f32', ['n', 4]], z: ['f32', [8]] },
  nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }, { op: 'Exp', inputs: ['w'], outputs: ['z'] }],
});
const gather = compile({
  inputs: { i: ['i64', ['n']] }, outputs: { y: ['f32', ['n', 8]] }, constants: { w: weight(1000, 8) },
  nodes: [{ op: 'Gather', inputs: ['w', 'i'], outputs: ['y'] }],
});

for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
  describe(backend, () => {
    test('a product with as many rows as a run has', async () => {
      const model = await open(product, backend);
      for (const n of [3, 5, 3]) {
        const { operations, bytes } = only(await model.profile({ x: { data: numbers(n * 64), shape: [n, 64] } }, { runs: 2 }));
        assert.equal(operations, 2 * n * 32 * 64);
        assert.equal(bytes, 4 * (n * 64 + 64 * 32 + n * 32));
      }
      model.dispose();
    });

    test('a convolution', async () => {
      const model = await open(convolution, backend), { steps } = await model.profile({ x: numbers(16 * 64) }, { runs: 1 });
      const most = steps.reduce((a, b) => a.operations > b.operations ? a : b);
      // 64 places, 8 channels, 9 times 16 products each.
      assert.ok(Math.abs(most.operations / (2 * 64 * 8 * 9 * 16) - 1) < 0.01, `${most.operations}`);
      const least = 4 * (16 * 64 + 8 * 16 * 9);
      assert.ok(most.bytes >= least && most.bytes <= least + 4 * 8 * 64, `${most.bytes}`);
      model.dispose();
    });

    test('a kernel of elements', async () => {
      const model = await open(elementwise, backend), n = 50;
      const { operations, bytes } = only(await model.profile({ x: { data: numbers(n * 6), shape: [n, 6] } }, { runs: 1 }));
      // A product, an exp and a sum.
      assert.equal(operations, 3 * n * 6);
      assert.equal(bytes, 4 * (n * 6 + 6 + n * 6));
      model.dispose();
    });

    test('of a table the rows that are read', async () => {
      const model = await open(gather, backend), n = 3;
      const { steps } = await model.profile({ i: { data: new BigInt64Array(n), shape: [n] } }, { runs: 1 });
      // On the GPU an index has four bytes.
      assert.equal(steps.at(-1)?.bytes, 4 * (n * 8 + n * 8) + n * (backend === 'wasm' ? 8 : 4));
      model.dispose();
    });

    test('a step without elements takes no work from those behind it', async () => {
      const model = await open(apart, backend), { kernels } = await model.profile({ x: { data: numbers(0), shape: [0, 512] }, w: numbers(8) }, { runs: 1 });
      assert.deepEqual(kernels.filter(({ bytes }) => bytes > 0).map(({ kernel, operations, bytes }) => [kernel, operations, bytes]), [['exp', 8, 64]]);
      model.dispose();
    });

    test('steps that are one dispatch count as one', async () => {
      const model = await open(beside, backend);
      for (const n of [3, 0]) {
        const { kernels } = await model.profile({ x: { data: numbers(n * 4), shape: [n, 4] }, w: numbers(8) }, { runs: 1 });
        // They come in the order of their times.
        const all = kernels.filter(({ bytes }) => bytes > 0).map(({ operations, bytes }) => [operations, bytes]).sort((a, b) => b[0] - a[0]);
        const neg = n > 0 ? [[n * 4, n * 32]] : [];
        assert.deepEqual(all, backend === 'webgpu' ? [[n * 4 + 8, n * 32 + 64]] : [...neg, [8, 64]]);
      }
      model.dispose();
    });

    test('shares of what the machine can do', async () => {
      const model = await open(product, backend), x = { data: numbers(64), shape: [1, 64] };
      // By what it computes; by what it moves.
      for (const [peak, least] of /** @type {const} */ ([[{ flops: 4096, bytesPerSecond: 1e12 }, 1000], [{ flops: 1e12, bytesPerSecond: 4 * 2144 }, 1000]])) {
        const step = only(await model.profile({ x }, { runs: 1, peak }));
        assert.ok(step.ms === 0 ? step.share === 0 : Math.abs(/** @type {number} */ (step.share) * step.ms / least - 1) < 1e-9, `${step.share} of ${step.ms} ms`);
      }
      assert.equal(only(await model.profile({ x })).share, undefined);
      for (const peak of /** @type {any[]} */ ([null, 5, {}, { flops: 1 }, { flops: 1, bytesPerSecond: 0 }])) {
        await assert.rejects(model.profile({ x }, { peak }), { name: 'TypeError', message: /^profile: peak is .*, and must have flops and bytesPerSecond, both above 0$/ });
      }
      model.dispose();
    });
  });
}

test('in a worker', async () => {
  const model = await open(product, 'wasm', { worker: true });
  const { operations, share } = only(await model.profile({ x: { data: numbers(64), shape: [1, 64] } }, { runs: 1, peak: { flops: 1, bytesPerSecond: 1 } }));
  assert.equal(operations, 2 * 64 * 32);
  assert.ok(share !== undefined);
  model.dispose();
});

test('a profiler that is not there, or of another build', async () => {
  const copy = join(folder, 'copy'), file = join(copy, 'model.profile.js'), x = { data: numbers(64), shape: [1, 64] };
  cpSync(product, copy, { recursive: true });
  rmSync(file);
  const model = await open(copy, 'wasm');
  await assert.rejects(model.profile({ x }), { name: 'ModelLoadError', file: /model\.profile\.js/, reason: 'missing' });
  assert.equal(/** @type {any} */ ((await model.run({ x })).y).data.length, 32);
  model.dispose();
  writeFileSync(file, readFileSync(join(elementwise, 'model.profile.js')));
  const other = await open(copy, 'wasm', { files: { profile: `${pathToFileURL(file)}?other` } });
  await assert.rejects(other.profile({ x }), { name: 'ModelLoadError', reason: 'other build', message: /belongs to another build of the model/ });
  other.dispose();
});
