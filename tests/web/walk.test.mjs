// Programs with commands, on both backends: loops whose condition the device computes, sizes that are known when the
// data is, what is added slice by slice. The model is made by hand (fixtures/loop.cpp).

import assert from 'node:assert/strict';
import { after, afterEach, describe, test } from 'node:test';

import { gpu, makeDevice } from './dawn.mjs';
import { makeBundle } from './fixtures.mjs';

const bundle = await makeBundle('loop'), { load, InputError, DeviceLostError } = await bundle.import();
after(() => bundle.remove());

/** @type {GPUDevice[]} */
const devices = [];
afterEach(() => devices.splice(0).forEach((device) => device.destroy()));

/** What the loop computes, by its definition. @param {number[]} x @param {number} trips */
function expected(x, trips) {
  let c = x, i = 0;
  /** @type {number[]} */
  const s = [];
  for (let more = true; i < trips && more; ++i) {
    c = c.map((value) => Math.fround(2 * value + 1));
    more = c[0] < 100;
    s.push(...c);
  }
  return { y: c, s, t: Array.from({ length: i }, (_, j) => s[j * x.length] + 0.5), i: [BigInt(i)] };
}

/** @param {any} outputs @param {number[]} x @param {number} trips */
function check(outputs, x, trips) {
  const wanted = expected(x, trips), iterations = Number(wanted.i[0]);
  for (const [name, values] of Object.entries(wanted)) assert.deepEqual([...outputs[name].data], values, name);
  assert.deepEqual(outputs.s.shape, [iterations, x.length]);
  assert.deepEqual(outputs.t.shape, [iterations]);
}

/** @param {number} n @param {number} first */
const ramp = (n, first) => Array.from({ length: n }, (_, i) => first + i);
/** @param {number[]} x @param {number} trips */
const inputsOf = (x, trips) => ({ x: Float32Array.from(x), trips: BigInt64Array.of(BigInt(trips)) });

for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
  describe(backend, () => {
    const open = async () => {
      if (backend === 'wasm') return load({ backend });
      const device = await makeDevice();
      devices.push(device);
      return load({ backend, device });
    };

    test('ends by its condition, by its trips, or before it began', async () => {
      const model = await open();
      for (const [n, first, trips] of [[3, 1, 100], [3, 1, 2], [100, -2, 5], [5, 4, 0], [1, 200, 9], [3, 1, 100], [0, 1, 3]]) {
        const x = ramp(n, first);
        if (n) check(await model.run(inputsOf(x, trips)), x, trips);
      }
      model.dispose();
    });

    test('grows by slices, and is the same in the next run', async () => {
      const model = await open(), x = ramp(70, -1);
      for (let run = 0; run < 3; ++run) check(await model.run(inputsOf(x, 50)), x, 50);
      check(await model.run(inputsOf([1], 3)), [1], 3);
      model.dispose();
    });

    test('takes runs that are started together, and some of the outputs', async () => {
      const model = await open(), all = ramp(6, 0).map((first) => ({ x: ramp(4 + first % 2, first), trips: 2 + first }));
      const results = await Promise.all(all.map(({ x, trips }) => model.run(inputsOf(x, trips))));
      results.forEach((result, i) => check(result, all[i].x, all[i].trips));
      assert.deepEqual(Object.keys(await model.run(inputsOf([1], 3), { outputs: ['t'] })), ['t']);
      model.dispose();
    });

    test('refuses a size that is none, and goes on', async () => {
      const model = await open();
      await assert.rejects(model.run(inputsOf([1], -3)), (error) => error instanceof InputError && /size m = -3, which is negative/.test(error.message));
      await assert.rejects(model.run(inputsOf([1], 2 ** 40)), /size m = 1099511627776, which is too large/);
      check(await model.run(inputsOf([1, 2], 3)), [1, 2], 3);
      model.dispose();
    });

    test('an endless run hears of an abort', async () => {
      const model = await open(), controller = new AbortController();
      // -1 stays what it is.
      const run = model.run(inputsOf([-1], 2 ** 31 - 1), { signal: controller.signal });
      await new Promise((done) => setTimeout(done, 50));
      const start = performance.now();
      controller.abort();
      await assert.rejects(run, { name: 'AbortError' });
      check(await model.run(inputsOf([3], 2)), [3], 2);
      const waited = performance.now() - start;
      assert.ok(waited < 200, `${waited} ms`);
      model.dispose();
    });

    test('is measured', async () => {
      const model = await open(), { steps, kernels } = await model.profile(inputsOf(ramp(9, 1), 4), { runs: 2 });
      assert.deepEqual(steps.map(({ kernel }) => kernel), ['double', 'firsts']);
      assert.ok(kernels.every(({ ms }) => ms >= 0));
      check(await model.run(inputsOf([3], 2)), [3], 2);
      model.dispose();
    });
  });
}

describe('webgpu', () => {
  const open = async () => {
    const device = await makeDevice();
    devices.push(device);
    return { device, model: await load({ backend: 'webgpu', device }) };
  };

  test('keeps outputs on the GPU, and takes inputs from there, also those that wasm computes with', async () => {
    const { device, model } = await open();
    const first = await model.run(inputsOf([1, 2], 3), { outputs: 'gpu' });
    assert.deepEqual([...(await first.y.read()).data], expected([1, 2], 3).y);
    assert.deepEqual([...(await first.i.read()).data], [3n]);
    const second = await model.run({ x: first.y, trips: first.i });
    check(second, expected([1, 2], 3).y, 3);
    device.destroy();
  });

  test('a device that is lost in the middle of a run', async () => {
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    const model = await load({ backend: 'webgpu' });
    for (let round = 0; round < 10; ++round) {
      const run = model.run(inputsOf([-1], 2000));
      setTimeout(() => model.device?.destroy(), 3 * round);
      await assert.rejects(run, (error) => error instanceof DeviceLostError);
      check(await model.run(inputsOf([1, 2], 3)), [1, 2], 3);
    }
    model.dispose();
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  });
});
