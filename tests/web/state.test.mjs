// Models with state, on both backends: outputs that come to the next run as inputs, which stay where they are.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';

import { gpu } from './dawn.mjs';
import { makeBundle } from './fixtures.mjs';
import { watched } from './watched.mjs';

// One list of steps, and one with commands.
const scale = await makeBundle('scale', { edit: (manifest) => manifest.state = [{ input: 'k', output: 'twice' }] });
const loop = await makeBundle('loop', { edit: (manifest) => manifest.state = [{ input: 'x', output: 'y' }] });
const { load, InputError, DeviceLostError } = await scale.import(), { load: loadLoop } = await loop.import();
after(() => [scale, loop].forEach((bundle) => bundle.remove()));


const x = (/** @type {number} */ n) => new Float32Array(4 * n);
const longs = (/** @type {number[]} */ ...values) => BigInt64Array.from(values, BigInt);

for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
  describe(backend, () => {
    /** @param {typeof load} [loader] */
    const open = async (loader = load) => loader(backend === 'wasm' ? { backend } : { backend, device: (await watched()).device });

    test('goes on from the run before, and gives state only if it is named', async () => {
      const model = await open();
      const first = await model.run({ x: x(2), k: longs(3, 5) });
      // Who gives all of the state is given all outputs.
      assert.deepEqual(Object.keys(first).sort(), ['twice', 'y']);
      assert.deepEqual(Object.keys(await (await open()).run({ x: x(2) })), ['y']);
      assert.deepEqual([...(await model.run({ x: x(2) }, { outputs: ['twice'] })).twice.data], [12n, 20n]);
      assert.deepEqual([...(await model.run({ x: x(2) }, { outputs: ['twice'] })).twice.data], [24n, 40n]);
      // What is given takes its place.
      assert.deepEqual([...(await model.run({ x: x(2), k: longs(1, 1) }, { outputs: ['twice'] })).twice.data], [2n, 2n]);
      model.dispose();
    });

    test('begins with zeros, of the sizes that others tell', async () => {
      const model = await open();
      const { y, twice } = await model.run({ x: x(3) }, { outputs: ['y', 'twice'] });
      assert.deepEqual([y.shape, twice.shape, [...twice.data]], [[3, 4], [3], [0n, 0n, 0n]]);
      model.dispose();
    });

    test('is saved, loaded, and forgotten, in the order of the calls', async () => {
      const model = await open(), state = /** @type {any} */ (model.state);
      assert.deepEqual(await state.save(), {});
      model.run({ x: x(2), k: longs(3, 5) });
      const saving = state.save(), running = model.run({ x: x(2) }, { outputs: ['twice'] });
      const saved = await saving;
      assert.deepEqual([...saved.k.data], [6n, 10n]);
      assert.deepEqual([saved.k.shape, saved.k.dataType], [[2], 'int64']);
      assert.deepEqual([...(await running).twice.data], [12n, 20n]);
      await state.load(structuredClone(saved));
      assert.deepEqual([...(await model.run({ x: x(2) }, { outputs: ['twice'] })).twice.data], [12n, 20n]);
      state.reset();
      assert.deepEqual([...(await model.run({ x: x(2) }, { outputs: ['twice'] })).twice.data], [0n, 0n]);
      await assert.rejects(state.load({ k: { data: longs(1, 2, 3), shape: [2] } }), InputError);
      await assert.rejects(state.load({ other: { data: longs(1) } }), InputError);
      await assert.rejects(state.load({ k: { data: longs(1) } }), /no state of the model, which has int64\[n\]/);
      model.dispose();
    });

    test('sessions are independent of each other', async () => {
      const model = await open(), a = model.session(), b = model.session();
      await Promise.all([a.run({ x: x(1), k: longs(1) }), b.run({ x: x(2), k: longs(10, 20) }), model.run({ x: x(1), k: longs(100) })]);
      const twiceOf = async (/** @type {any} */ session, /** @type {number} */ n) => [...(await session.run({ x: x(n) }, { outputs: ['twice'] })).twice.data];
      for (let run = 1; run < 4; ++run) {
        const factor = 2n ** BigInt(run + 1);
        assert.deepEqual(await Promise.all([twiceOf(a, 1), twiceOf(b, 2), twiceOf(model, 1)]), [[factor], [10n * factor, 20n * factor], [100n * factor]]);
      }
      await b.state.load(await a.state.save());
      assert.deepEqual(await twiceOf(b, 1), await twiceOf(a, 1));
      a.dispose();
      assert.deepEqual(await twiceOf(model, 1), [100n * 32n]);
      model.dispose();
    });

    test('a run that fails or is aborted leaves it as it was', async () => {
      const model = await open();
      await model.run({ x: x(1), k: longs(7) });
      await assert.rejects(model.run({ x: x(2) }), InputError);
      await assert.rejects(model.run({ x: x(1) }, { signal: AbortSignal.abort() }));
      assert.deepEqual([...(await model.run({ x: x(1) }, { outputs: ['twice'] })).twice.data], [28n]);
      model.dispose();
    });

    test('of a model with a loop', async () => {
      const model = await open(loadLoop), trips = (/** @type {number} */ n) => ({ trips: longs(n) });
      // Nobody tells the size: it is one.
      const { y } = await model.run(trips(2), { outputs: ['y'] });
      assert.deepEqual([...y.data], [3]);
      assert.deepEqual([...(await model.run(trips(1), { outputs: ['y'] })).y.data], [7]);
      const { t } = await model.run(trips(1));
      assert.deepEqual([...t.data], [15.5]);
      await model.profile(trips(1), { runs: 1 });
      assert.deepEqual([...(/** @type {any} */ (await model.state?.save())).x.data], [15]);
      model.dispose();
    });
  });
}

test('a model without state says so', async () => {
  const bundle = await makeBundle('types'), { load } = await bundle.import(), model = await load({ backend: 'wasm' });
  assert.equal(model.state, undefined);
  assert.throws(() => model.session(), /no state: compile it with --state/);
  model.dispose();
  bundle.remove();
});

test('in a worker', async () => {
  const model = await load({ backend: 'wasm', worker: true }), session = model.session();
  model.run({ x: x(1), k: longs(1) });
  session.run({ x: x(1), k: longs(5) });
  assert.deepEqual([...(await model.run({ x: x(1) }, { outputs: ['twice'] })).twice.data], [4n]);
  assert.deepEqual([...(await session.run({ x: x(1) }, { outputs: ['twice'] })).twice.data], [20n]);
  await model.state?.load(await session.state.save());
  assert.deepEqual([...(await model.run({ x: x(1) }, { outputs: ['twice'] })).twice.data], [40n]);
  session.state.reset();
  assert.deepEqual([...(await session.run({ x: x(1) }, { outputs: ['twice'] })).twice.data], [0n]);
  session.dispose();
  model.dispose();
});

describe('webgpu', () => {
  test('not a byte of the state crosses, and its buffers do not pile up', async () => {
    const { device, seen } = await watched(), model = await load({ backend: 'webgpu', device }), n = 1000;
    await model.run({ x: x(n), k: longs(...new Array(n).fill(1)) });
    await model.run({ x: x(n) });
    const before = { ...seen };
    for (let run = 0; run < 5; ++run) await model.run({ x: x(n) });
    assert.deepEqual([seen.written - before.written, seen.read - before.read], [5 * 16 * n, 5 * 16 * n]);
    model.dispose();
  });

  test('what is named can stay on the GPU, and is the caller\'s own', async () => {
    const { device } = await watched(), model = await load({ backend: 'webgpu', device });
    const { twice } = await model.run({ x: x(1), k: longs(3) }, { outputs: { twice: 'gpu' } });
    assert.deepEqual([...(await twice.read()).data], [6n]);
    twice.buffer.destroy();
    assert.deepEqual([...(await model.run({ x: x(1) }, { outputs: ['twice'] })).twice.data], [12n]);
    model.dispose();
  });

  test('a lost GPU takes it along, which the next run says', async () => {
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    const model = await load({ backend: 'webgpu' });
    await model.run({ x: x(1), k: longs(3) });
    const saved = await /** @type {any} */ (model.state).save();
    model.device?.destroy();
    await new Promise((done) => setTimeout(done, 20));
    await assert.rejects(model.run({ x: x(1) }), (error) => error instanceof DeviceLostError && /and the state with it/.test(error.message));
    await model.state?.load(saved);
    assert.deepEqual([...(await model.run({ x: x(1) }, { outputs: ['twice'] })).twice.data], [12n]);
    model.dispose();
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  });
});
