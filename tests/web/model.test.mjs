// model.js in Node, on small models (fixtures.mjs): what it computes and what it refuses, on wasm and
// on WebGPU by Dawn.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

import { gpu, makeDevice } from './dawn.mjs';
import { compilerFor } from '../../runtime-js/gpu_pipelines.js';
import { B, SHADERS, W, makeBundle } from './fixtures.mjs';

/** @typedef {import('../../runtime-js/model.js').Model} Model */

/** @type {Awaited<ReturnType<typeof makeBundle>>[]} */
const bundles = [];
after(() => bundles.forEach((bundle) => bundle.remove()));

/** @param {Parameters<typeof makeBundle>} args */
async function bundleOf(...args) {
  const bundle = await makeBundle(...args);
  bundles.push(bundle);
  return { ...bundle, module: await bundle.import() };
}

const scale = await bundleOf('scale'), types = await bundleOf('types');

/** @param {{GPU?: GPU}} globals what the test finds as navigator.gpu */
function setGpu({ GPU }) {
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: GPU }, configurable: true });
}
afterEach(() => setGpu({}));

/** Dawn has one queue for all tests: devices go when their test ends. @type {GPUDevice[]} */
const devices = [];
afterEach(() => devices.splice(0).forEach((device) => device.destroy()));
/** @param {GPUDeviceDescriptor} [descriptor] */
async function newDevice(descriptor) {
  const device = await makeDevice(descriptor);
  devices.push(device);
  return device;
}

/** @param {number} n @param {number} [first] */
function rows(n, first = 0) {
  return {
    x: Float32Array.from({ length: 4 * n }, (_, i) => first + i),
    k: BigInt64Array.from({ length: n }, (_, i) => BigInt(i) - 1n),
  };
}

/** @param {{x: Float32Array, k: BigInt64Array}} inputs */
function expected({ x, k }) {
  return {
    y: x.map((value, i) => value * W[i % 4] + B[i % 4] + Number(k[i >> 2])),
    twice: k.map((value) => 2n * value),
  };
}

/** @param {any} outputs @param {ReturnType<typeof rows>} inputs */
function check(outputs, inputs) {
  const { y, twice } = expected(inputs), n = twice.length;
  assert.deepEqual(outputs, {
    y: { data: y, shape: [n, 4], dataType: 'float32' }, twice: { data: twice, shape: [n], dataType: 'int64' },
  });
}

/** @type {['wasm' | 'webgpu', boolean][]} */
const WAYS = [['wasm', false], ['webgpu', false], ['wasm', true]];
for (const [backend, worker] of WAYS) {
  const options = async () => ({ backend, worker, device: backend === 'webgpu' ? await newDevice() : undefined });
  const open = async ({ module } = scale) => module.load(await options());

  describe(worker ? `${backend} in a worker` : backend, () => {
    test('tells its inputs, outputs and backend', async () => {
      const model = await open();
      assert.equal(model.name, 'scale');
      assert.equal(model.backend, backend);
      assert.match(model.backendReason, backend === 'webgpu' ? /^webgpu was asked for$/ : /^wasm was asked for; wasm runs it (with relaxed SIMD|without relaxed SIMD: this engine has none)$/);
      assert.deepEqual(model.inputs.map((p) => [p.name, p.dataType, p.shape]), [['x', 'float32', ['n', 4]], ['k', 'int64', ['n']]]);
      assert.deepEqual(model.outputs.map((p) => p.name), ['y', 'twice']);
    });

    test('computes for sizes that change, larger and smaller', async () => {
      const model = await open();
      for (const n of [2, 1, 100, 3, 100]) check(await model.run(rows(n)), rows(n));
    });

    test('gives each of many runs its own result', async () => {
      const model = await open(), sizes = [5, 5, 17, 1, 5, 40];
      const results = await Promise.all(sizes.map((n, i) => model.run(rows(n, i))));
      results.forEach((result, i) => check(result, rows(sizes[i], i)));
    });

    test('takes shapes, lists and numbers', async () => {
      const model = await open(), { x } = rows(1);
      check(await model.run({ x: { data: x, shape: [1, 4] }, k: { data: [-1], shape: [1] } }), rows(1));
      check(await model.run({ x: [...x], k: -1 }), rows(1));
      check(await model.run({ x, k: Int32Array.of(-1) }), rows(1));
      // Of another realm, as where tests run, or a frame; and of memory that is shared.
      check(await model.run(/** @type {any} */ (runInNewContext('({ x: Float32Array.of(0, 1, 2, 3), k: BigInt64Array.of(-1n) })'))), rows(1));
      const shared = new Float32Array(new SharedArrayBuffer(16));
      shared.set(x);
      for (let i = 0; i < 2; ++i) check(await model.run({ x: shared, k: -1 }), rows(1));
    });

    test('takes no elements', async () => {
      const model = await open();
      const { y } = await model.run({ x: { data: [], shape: [0, 4] }, k: { data: [], shape: [0] } });
      assert.deepEqual(y, { data: new Float32Array(0), shape: [0, 4], dataType: 'float32' });
    });

    test('refuses inputs by name and stays usable', async () => {
      const model = await open(), { x, k } = rows(2);
      /** @type {[any, RegExp][]} */
      const cases = [
        [{ x }, /"k" is missing: the model takes int64\[n\]/],
        [{ x, k, z: x }, /"z" is none of the model's, which are "x", "k"/],
        [{ x: k, k }, /"x" is a BigInt64Array; for float32 pass a Float32Array/],
        [{ x: { data: x, shape: [2, 5] }, k }, /"x" has shape \[2,5\]; the model takes float32\[n,4\]/],
        [{ x: { data: x, shape: [8] }, k }, /"x" has shape \[8\]/],
        [{ x: { data: x, shape: [3, 4] }, k }, /"k" has 2 elements|"x" has 8 elements; float32\[3,4\] has 12/],
        [{ x: { data: x, shape: [2, 4] }, k: { data: k, shape: [3] } }, /"k" has shape \[3\].* with n = 2/],
        [{ x: x.subarray(1), k }, /"x" has 7 elements/],
        [{ x, k: [1, 0.5] }, /"k" has 0.5 as element 1, which int64 cannot hold/],
        [{ x, k: [1, 2n ** 63n] }, /"k" has 9223372036854775808 as element 1/],
      ];
      for (const [inputs, message] of cases) {
        await assert.rejects(model.run(inputs), { name: 'InputError', message });
      }
      check(await model.run(rows(2)), rows(2));
    });

    test('refuses what is no tensor, and says what is wrong with it', async () => {
      const model = await open(), { x, k } = rows(2), [a, b] = [[1, 2, 3, 4], [5, 6, 7, 8]];
      const gone = x.slice(), goneSizes = Int32Array.of(2, 4);
      for (const { buffer } of [gone, goneSizes]) structuredClone(buffer, { transfer: [buffer] });
      /** @type {any[]} */
      const endless = [];
      endless.push(endless);
      /** @type {[any, RegExp][]} */
      const cases = [
        [x, /run takes an object with the model's inputs, such as { "x": array }/],
        [undefined, /run takes an object/],
        [{ x: { data: x, dims: [2, 4] }, k }, /"x" has a field "dims"; a tensor is { data, shape }/],
        [{ x: { data: x, shape: 8 }, k }, /"x" has the shape 8, which is no list of sizes/],
        [{ x: { data: x, shape: { length: 2 } }, k }, /"x" has the shape \[object Object\], which is no list of sizes/],
        [{ x: { data: x, shape: new DataView(new ArrayBuffer(8)) }, k }, /which is no list of sizes/],
        [{ x: { data: x, shape: goneSizes }, k }, /which is no list of sizes/],
        [{ x: { data: x, shape: [Symbol('two'), 4n] }, k }, /"x" has the shape \[Symbol\(two\),4\]/],
        [{ x: { data: x, shape: Object.create(null) }, k }, /"x" has the shape object/],
        [{ x: { data: x, shape: [2, 4], dataType: Symbol('f') }, k }, /"x" is Symbol\(f\)/],
        [{ x: [Symbol('a'), 1, 2, 3], k }, /"x" has Symbol\(a\) as element 0/],
        [{ x: Object.create(null), k }, /"x" is a object; for float32/],
        [{ x: endless, k }, /"x" has lists in lists/],
        [{ x: { data: [1], shape: [2 ** 28, 4] }, k }, /"x" has 1 elements; float32\[268435456,4\] has 1073741824/],
        [{ x: { data: x, shape: [2, 'four'] }, k }, /"x" has the shape \[2,four\]/],
        [{ x: { data: x, shape: [-2, 4] }, k }, /"x" has the shape \[-2,4\]/],
        [{ x: { data: x, shape: [2, 4], dataType: 'int64' }, k }, /"x" is int64; the model takes float32\[n,4\]/],
        [{ x: [a, [1, 2]], k }, /"x" is ragged: its part 0 has the shape \[4\], and part 1 \[2\]/],
        [{ x: [a, 5], k }, /"x" is ragged/],
        [{ x: ['1', 2, 3, 4], k: 1 }, /"x" has "1" as element 0, which is no number/],
        [{ x: [, 2, 3, 4], k: 1 }, /"x" has undefined as element 0, which is no number/], // eslint-disable-line no-sparse-arrays
        [{ x: [1n, 2, 3, 4], k: 1 }, /"x" has 1 as element 0, which is no number/],
        [{ x: new Float64Array(8), k }, /"x" is a Float64Array; for float32 pass a Float32Array, such as Float32Array.from\(array\)/],
        [{ x, k: new Uint8Array(2) }, /such as BigInt64Array.from\(array, BigInt\)/],
        [{ x: gone, k }, /"x" is an array whose memory was transferred/],
        [{ x: {}, k }, /"x" is a Object; for float32/],
      ];
      for (const [inputs, message] of cases) await assert.rejects(model.run(inputs), { name: 'InputError', message });
      // Regular arrays of arrays tell their shape.
      check(await model.run({ x: [[0, 1, 2, 3], [4, 5, 6, 7]], k: [-1, 0] }), rows(2));
      assert.deepEqual((await model.run({ x: [a, b], k: [0, 0] })).y.shape, [2, 4]);
    });

    test('refuses options that there are not', async () => {
      const model = await open();
      /** @type {[() => Promise<any>, RegExp][]} */
      const cases = [
        [() => scale.module.load(/** @type {any} */ ({ backends: 'wasm' })), /load: there is no option "backends"; is "backend" meant\?/],
        [() => scale.module.load(/** @type {any} */ ({ device: {} })), /load: device is a Object, and must be a GPUDevice/],
        [() => scale.module.load(/** @type {any} */ ({ onProgress: 1 })), /load: onProgress is 1, and must be a function/],
        [() => scale.module.load(/** @type {any} */ ({ signal: {} })), /load: signal is a Object, and must be an AbortSignal/],
        [() => scale.module.load(/** @type {any} */ ({ files: { weight: 'x' } })), /load: files: there is no option "weight"; is "weights" meant/],
        [() => scale.module.load(/** @type {any} */ ({ baseURL: '/' })), /load: there is no option "baseURL"; is "baseUrl" meant\?/],
        [() => scale.module.load(/** @type {any} */ ({ singal: null })), /load: there is no option "singal"; is "signal" meant\?/],
        [() => scale.module.load(/** @type {any} */ ({ cores: 4 })), /load: there is no option "cores"; there are backend, device, /],
        [() => scale.module.load(/** @type {any} */ ({ files: null })), /load: files is null, and must be an object/],
        [() => scale.module.load(/** @type {any} */ ({ worker: 'yes' })), /load: worker is "yes", and must be true or false/],
        [() => model.run(rows(1), { transfer: /** @type {any} */ (1) }), /run: transfer is 1, and must be true or false/],
        [() => scale.module.load(/** @type {any} */ ('wasm')), /load: the options are wasm/],
        [() => model.run(rows(1), /** @type {any} */ ({ output: 'gpu' })), /run: there is no option "output"; is "outputs" meant/],
        [() => model.run(rows(1), { outputs: /** @type {any} */ ('nope') }), /run: outputs is "nope"/],
        [() => model.run(rows(1), { outputs: /** @type {any} */ (['boxes']) }), /run: outputs names "boxes", which is none of the model's: there are "y", "twice"/],
        [() => model.run(rows(1), { outputs: /** @type {any} */ ({ y: 'cpu' }) }), /run: outputs.y is "cpu", and must be "data", "gpu" or a typed array/],
        [() => model.profile(rows(1), { runs: 0 }), /profile: runs is 0, and must be a whole number from 1/],
      ];
      for (const [call, message] of cases) await assert.rejects(call, { name: 'TypeError', message });
      check(await model.run(rows(1)), rows(1));
    });

    test('gives the outputs that are asked for', async () => {
      const model = await open(), { y, twice } = expected(rows(3));
      for (let i = 0; i < 3; ++i) {
        assert.deepEqual(await model.run(rows(3), { outputs: ['twice'] }), { twice: { data: twice, shape: [3], dataType: 'int64' } });
        assert.deepEqual((await model.run(rows(3), { outputs: { y: 'data' } })), { y: { data: y, shape: [3, 4], dataType: 'float32' } });
        check(await model.run(rows(3)), rows(3));
      }
      assert.deepEqual(await model.run(rows(3), { outputs: [] }), {});
      assert.deepEqual(Object.keys(await model.run(rows(3), { outputs: /** @type {any} */ (new Set(['y'])) })), ['y']);
    });

    test('has read its inputs when run has returned', async () => {
      const model = await open();
      for (const n of [2, 2, 3]) {
        const runs = [0, 1].map((first) => {
          const inputs = rows(n, first), running = model.run(inputs);
          inputs.x.fill(NaN);
          structuredClone(inputs.x.buffer, { transfer: [inputs.x.buffer] });
          return running;
        });
        check(await runs[0], rows(n, 0));
        check(await runs[1], rows(n, 1));
      }
    });

    test('has methods that can be taken from it, and is disposed of by using', async () => {
      const model = await open(), { run, profile, dispose } = model;
      check(await run(rows(2)), rows(2));
      assert.equal((await profile(rows(2), { runs: 1 })).steps.length, 2);
      const symbol = /** @type {any} */ (Symbol.dispose ?? Symbol.for('Symbol.dispose'));
      /** @type {any} */ (model)[symbol]();
      await assert.rejects(run(rows(2)), { name: 'DisposedError' });
      dispose();
    });

    test('refuses sizes that no memory or table has room for, and stays usable', async () => {
      const model = await open();
      await assert.rejects(model.run(rows(1 << 21)), { name: 'InputError', message: /cannot take inputs with n = 2097152/ });
      await assert.rejects(model.run(rows((1 << 20) + 1)), { name: 'OutOfMemoryError', message: /try smaller inputs/ });
      check(await model.run(rows(2)), rows(2));
    });

    test('converts element types', async () => {
      const model = await open(types);
      const outputs = await model.run({
        flags: [true, false, true], halves: Float32Array.of(1, -2, 0.1), bytes: Uint8ClampedArray.of(1, 2, 255), small: [1, -128, 0],
      });
      assert.deepEqual(outputs, {
        not: { data: Uint8Array.of(0, 1, 0), shape: [3], dataType: 'bool' },
        minus: { data: Uint16Array.of(0xbc00, 0x4000, 0xae66), shape: [3], dataType: 'float16' },
        next: { data: Uint8Array.of(2, 3, 0), shape: [3], dataType: 'uint8' },
        down: { data: Int8Array.of(0, 127, -1), shape: [3], dataType: 'int8' },
      });
      const rest = { halves: Uint16Array.of(0, 0, 0), bytes: [0, 0, 0], small: [0, 0, 0] };
      await assert.rejects(model.run({ ...rest, flags: Uint8Array.of(0, 2, 1) }), /"flags" has 2 as element 1, which bool cannot hold/);
      await assert.rejects(model.run({ ...rest, flags: [0, 1, 1], small: [0, 200, 0] }), /"small" has 200 as element 1, which int8/);
    });

    test('can be aborted before, in the queue and while it runs', async () => {
      const model = await open(), reason = new Error('enough');
      await assert.rejects(model.run(rows(1), { signal: AbortSignal.abort(reason) }), reason);
      const controller = new AbortController();
      const first = model.run(rows(3)), second = model.run(rows(2), { signal: controller.signal }), third = model.run(rows(4));
      controller.abort(reason);
      await assert.rejects(second, reason);
      check(await first, rows(3));
      check(await third, rows(4));
    });

    test('profiles steps', async () => {
      const model = await open(), profile = await model.profile(rows(8), { runs: 2 });
      assert.equal(profile.clock, 'wall');
      assert.deepEqual(profile.steps.map((step) => step.kernel), ['scale', 'twice']);
      assert.deepEqual(profile.kernels.map((kernel) => kernel.calls), [1, 1]);
      assert.ok(Math.abs(profile.total - profile.steps.reduce((sum, step) => sum + step.ms, 0)) < 1e-9);
      check(await model.run(rows(2)), rows(2));
    });

    test('cannot be used after dispose', async () => {
      const model = await open(), running = model.run(rows(2));
      running.catch(() => {});
      model.dispose();
      await assert.rejects(model.run(rows(2)), { name: 'DisposedError' });
      await assert.rejects(running, { name: 'DisposedError' });
      assert.equal(model.backend, backend);
      model.dispose();
    });

    test('tells the progress of loading, phase by phase', async () => {
      /** @type {import('../../runtime-js/model.js').Progress[]} */
      const reports = [];
      await scale.module.load({ ...await options(), onProgress: (report) => reports.push(report) });
      const totals = { modules: 0, weights: backend === 'wasm' ? 768 : 4368 - 512, compilation: backend === 'wasm' ? 1 : 2 };
      for (const [phase, total] of Object.entries(totals)) {
        const loaded = reports.filter((report) => report.phase === phase).map((report) => report.loaded);
        const last = reports.findLast((report) => report.phase === phase);
        assert.equal(last?.loaded, last?.total);
        if (total) assert.equal(last?.total, total);
        if (phase !== 'compilation') assert.deepEqual(loaded, loaded.toSorted((a, b) => a - b));
      }
    });

    test('says which file is wrong', async () => {
      const given = await options();
      const short = await bundleOf('scale'), missing = await bundleOf('scale'), old = await bundleOf('scale', { edit: (m) => m.abi = 0 });
      truncateSync(join(short.folder, 'model.weights.bin'), 560);
      rmSync(join(missing.folder, 'model.weights.bin'));
      const load = (/** @type {typeof short} */ { module }) => module.load(given);
      await assert.rejects(load(short), { name: 'ModelLoadError', message: /model.weights.bin: it has 560 bytes, not 4368/ });
      await assert.rejects(load(missing), { name: 'ModelLoadError', message: /cannot load .*model.weights.bin: .*no such file/ });
      await assert.rejects(load(old), { name: 'ModelLoadError', message: /different versions/ });
    });

    test('stops loading when aborted', async () => {
      const controller = new AbortController(), loading = scale.module.load({ ...await options(), signal: controller.signal });
      controller.abort();
      await assert.rejects(loading, { name: 'AbortError' });
    });
  });
}

describe('tensors on the GPU', () => {
  const usage = { STORAGE: 128, COPY_SRC: 4, COPY_DST: 8 };

  /** @param {GPUDevice} device @param {ArrayBufferView} data @param {number} [more] flags of its usage */
  function upload(device, data, more = usage.COPY_SRC) {
    const buffer = device.createBuffer({ size: data.byteLength, usage: usage.COPY_DST | more });
    device.queue.writeBuffer(buffer, 0, /** @type {any} */ (data));
    return buffer;
  }

  test('are taken and given, from one run to the next', async () => {
    const device = await newDevice(), model = await scale.module.load({ device });
    const { x, k } = rows(3), given = await model.run({ x, k }, { outputs: 'gpu' });
    assert.deepEqual(given.y.shape, [3, 4]);
    const again = await model.run({ x: given.y, k: given.twice });
    const once = expected({ x, k });
    check(again, { x: once.y, k: once.twice });
    check(await model.run({ x: { buffer: upload(device, x), shape: [3, 4] }, k: upload(device, Int32Array.from(k, Number)) }), rows(3));
  });

  test('are refused when they do not fit, and the model stays usable', async () => {
    const device = await newDevice(), model = await scale.module.load({ device }), { x, k } = rows(3);
    await assert.rejects(model.run({ x: upload(device, x), k: upload(device, Int32Array.of(1, 2, 3)) }), /must be told: pass \{ data, shape \}/);
    await assert.rejects(model.run({ x: { data: upload(device, x.subarray(4)), shape: [3, 4] }, k }), /a buffer of 32 bytes; float32\[3,4\] has 48/);
    await assert.rejects(model.run({ x: { data: upload(device, x, usage.STORAGE), shape: [3, 4] }, k }), /without the usage COPY_SRC/);
    const gone = upload(device, x);
    gone.destroy();
    await assert.rejects(model.run({ x: { data: gone, shape: [3, 4] }, k }), { name: 'InputError', message: /destroyed/ });
    check(await model.run(rows(3)), rows(3));
  });

  test('can be some of the outputs, and be read later', async () => {
    const device = await newDevice(), model = await scale.module.load({ device }), { y, twice } = expected(rows(3));
    const some = await model.run(rows(3), { outputs: { y: 'gpu', twice: 'data' } });
    assert.deepEqual(some.twice.data, twice);
    assert.deepEqual(await some.y.read(), { data: y, shape: [3, 4], dataType: 'float32' });
    const one = await model.run(rows(3), { outputs: { twice: 'gpu' } });
    assert.deepEqual(Object.keys(one), ['twice']);
    assert.deepEqual((await one.twice.read()).data, twice);
  });

  test('of another device are refused as such', async () => {
    const device = await newDevice(), other = await newDevice(), model = await scale.module.load({ device }), { x, k } = rows(3);
    await assert.rejects(model.run({ x: { data: upload(other, x), shape: [3, 4] }, k }), { name: 'InputError', message: /a buffer of another GPUDevice: make it on model.device/ });
    check(await model.run(rows(3)), rows(3));
  });

  test('are nothing for wasm', async () => {
    const device = await newDevice(), model = await scale.module.load({ backend: 'wasm' }), { x, k } = rows(3);
    await assert.rejects(model.run({ x: { data: upload(device, x), shape: [3, 4] }, k }), { name: 'UnsupportedError', message: /wasm was asked for/ });
    await assert.rejects(model.run({ x, k }, { outputs: 'gpu' }), { name: 'UnsupportedError' });
  });

  test('hold no integers of more than 32 bits', async () => {
    const model = await scale.module.load({ device: await newDevice() }), { x } = rows(1);
    for (let i = 0; i < 3; ++i) {
      await assert.rejects(model.run({ x, k: [2 ** 31] }), { name: 'InputError', message: /"k" has 2147483648 as element 0: on WebGPU/ });
      check(await model.run(rows(1)), rows(1));
    }
  });
});

/** Dawn's software GPU as one that does not say what it is. */
const real = /** @type {GPU} */ ({
  requestAdapter: async (options) => {
    const adapter = /** @type {GPUAdapter} */ (await gpu.requestAdapter(options));
    return new Proxy(adapter, {
      get(target, name) {
        if (name === 'info') return { vendor: 'a vendor', isFallbackAdapter: false };
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  },
});

describe('the choice of backend', () => {
  test('takes WebGPU where there is a GPU', async () => {
    setGpu({ GPU: real });
    const model = await scale.module.load();
    assert.equal(model.backend, 'webgpu');
    check(await model.run(rows(3)), rows(3));
    model.dispose();
  });

  test('takes no GPU that the CPU emulates, unless it is asked for', async () => {
    setGpu({ GPU: gpu });
    const model = await scale.module.load();
    assert.equal(model.backend, 'wasm');
    assert.match(model.backendReason, /the only GPU is emulated by the CPU/);
    const asked = await scale.module.load({ backend: 'webgpu' });
    assert.equal(asked.backend, 'webgpu');
    asked.dispose();
    // Some engines know it by the name alone.
    for (const info of [{ description: 'llvmpipe (LLVM 15.0.6, 256 bits)' }, { isFallbackAdapter: false, device: 'Microsoft Basic Render Driver' }, { architecture: 'swiftshader' }]) {
      setGpu({ GPU: /** @type {any} */ ({ requestAdapter: async () => ({ info, features: new Set(), limits: {} }) }) });
      assert.match((await scale.module.load()).backendReason, /the only GPU is emulated by the CPU/);
    }
  });

  /** @type {[string, Parameters<typeof makeBundle>[1], RegExp][]} */
  const lacking = [
    ['a limit', { edit: (_, r) => r.programs[0].limits.maxComputeWorkgroupStorageSize = 2 ** 30 }, /lacks maxComputeWorkgroupStorageSize of 1073741824 \(it has \d+\)/],
    ['a feature', { edit: (_, r) => r.programs[0].features.push('shader-f64') }, /lacks the feature shader-f64/],
    ['a compiler that takes the shader', { shaders: ['fn main() {}', 'fn main() {}'] }, /refuses kernel scale/],
    ['a program', { edit: (_, r) => r.programs[0].kind = 'other' }, /without the target webgpu/],
  ];
  for (const [what, changes, reason] of lacking) {
    test(`takes wasm where the GPU lacks ${what}`, async () => {
      const { module } = await bundleOf('scale', changes);
      const model = await module.load({ device: await newDevice() });
      assert.equal(model.backend, 'wasm');
      assert.match(model.backendReason, reason);
      check(await model.run(rows(3)), rows(3));
      const name = what.startsWith('a compiler') ? 'GpuError' : 'UnsupportedError';
      await assert.rejects(module.load({ backend: 'webgpu', device: await newDevice() }), { name, message: reason });
    });
  }

  // What wgpu made of kernels of one layout and unlike sizes, and what a device may say of bind groups.
  const twoVectors = SHADERS.scale.map((shader) => shader.replace('sizes: vec4i', 'sizes: array<vec4i, 2>').replace('sizes.x', 'sizes[0].x'));
  /** @type {[string, Parameters<typeof makeBundle>[1], RegExp][]} */
  const refused = [
    ['when it is prepared', { edit: (m) => m.programs[0].kernels[1].uniformBytes = 32 }, /^the GPU refuses the model: /],
    ['when it is submitted', { shaders: twoVectors, edit: (m) => m.programs[0].kernels.forEach((/** @type {any} */ k) => delete k.uniformBytes) }, /^the GPU refuses the run: /],
  ];
  for (const [when, changes, reason] of refused) {
    test(`goes on in wasm if the first run is refused ${when}`, async () => {
      const { module } = await bundleOf('scale', changes);
      for (const first of /** @type {const} */ (['run', 'runs', 'profile'])) {
        const model = await module.load({ device: await newDevice() });
        assert.equal(model.backend, 'webgpu');
        if (first === 'run') check(await model.run(rows(3)), rows(3));
        // Those behind the first are refused as well.
        if (first === 'runs') (await Promise.all([3, 3, 5].map((n) => model.run(rows(n))))).forEach((given, i) => check(given, rows([3, 3, 5][i])));
        if (first === 'profile') assert.deepEqual((await model.profile(rows(3))).steps.map(({ kernel }) => kernel), ['scale', 'twice']);
        assert.equal(model.backend, 'wasm');
        assert.match(model.backendReason, reason);
        assert.equal(model.device, undefined);
        check(await model.run(rows(4)), rows(4));
      }
    });

    test(`throws an error of its own if WebGPU was asked for and a run is refused ${when}`, async () => {
      const { module } = await bundleOf('scale', changes), model = await module.load({ backend: 'webgpu', device: await newDevice() });
      for (let i = 0; i < 2; ++i) {
        await assert.rejects(model.run(rows(3)), (/** @type {any} */ error) => error instanceof module.GpuError && error.name === 'GpuError' && reason.test(error.message));
      }
      await assert.rejects(model.profile(rows(3)), { name: 'GpuError', message: reason });
      assert.equal(model.backend, 'webgpu');
    });
  }

  test('uses what the caller passed to the run, though he changes it while the GPU refuses', async () => {
    const { module } = await bundleOf('scale', refused[1][1]), model = await module.load({ device: await newDevice() });
    const inputs = rows(3), running = model.run(inputs);
    inputs.x.fill(0);
    inputs.k.fill(0n);
    check(await running, rows(3));
  });

  test('takes wasm where there is no GPU', async () => {
    assert.match((await scale.module.load()).backendReason, /no WebGPU here/);
    setGpu({ GPU: /** @type {any} */ ({ requestAdapter: async () => null }) });
    assert.match((await scale.module.load()).backendReason, /found no GPU/);
  });

  test('takes the first program whose features are there', async () => {
    const device = await newDevice({ requiredFeatures: ['timestamp-query'] });
    const model = await types.module.load({ device });
    const inputs = { flags: [0, 0, 1], halves: Uint16Array.of(0x3c00, 0, 0x7bff), bytes: [0, 0, 0], small: [0, 0, 0] };
    assert.deepEqual((await model.run(inputs)).minus.data, Uint16Array.of(0xbc00, 0x8000, 0xfbff));
    const { clock, steps } = await model.profile(inputs);
    assert.equal(clock, 'gpu');
    assert.deepEqual(steps.map((step) => step.kernel), ['types_half']);
  });

  test('keeps to what was asked for', async () => {
    await assert.rejects(scale.module.load({ backend: 'webgpu' }), { name: 'UnsupportedError' });
    await assert.rejects(scale.module.load({ backend: /** @type {any} */ ('gpu') }), TypeError);
  });
});

test('kernels share a layout only if their sizes are as many', async () => {
  /** @type {{entries: GPUBindGroupLayoutEntry[]}[]} */
  const layouts = [];
  const device = /** @type {any} */ ({
    createShaderModule: () => ({}),
    createBindGroupLayout: (/** @type {any} */ layout) => layouts[layouts.push(layout) - 1],
    createPipelineLayout: (/** @type {any} */ { bindGroupLayouts }) => bindGroupLayouts[0],
    createComputePipelineAsync: async (/** @type {any} */ { layout }) => layout,
  });
  const kernels = [['wru', 16], ['wru', 32], ['wwu', 16], ['wru', 16], ['wr', undefined], ['wru', 32]]
    .map(([bindings, uniformBytes], shader) => /** @type {any} */ ({ name: `k${shader}`, shader, bindings, uniformBytes }));
  const used = await compilerFor(device, {})(kernels, Promise.resolve(kernels.map((_, i) => `shader ${i}`)));
  assert.equal(layouts.length, 4);
  kernels.forEach(({ bindings, uniformBytes }, i) => {
    const { entries } = /** @type {any} */ (used[i]), last = entries.at(-1);
    assert.equal(entries.length, bindings.length);
    assert.deepEqual(last.buffer, uniformBytes ? { type: 'uniform', minBindingSize: uniformBytes } : { type: 'read-only-storage' });
    used.forEach((other, j) => assert.equal(other === used[i], bindings === kernels[j].bindings && uniformBytes === kernels[j].uniformBytes));
  });
});

describe('a lost device', () => {
  test('is replaced in the next run', async () => {
    setGpu({ GPU: gpu });
    const model = await scale.module.load({ backend: 'webgpu' });
    check(await model.run(rows(3)), rows(3));
    const first = /** @type {GPUDevice} */ (model.device);
    first.destroy();
    await first.lost;
    check(await model.run(rows(4)), rows(4));
    assert.equal(model.backend, 'webgpu');
    assert.notEqual(model.device, first);
    model.dispose();
  });

  test('is told of, once', async () => {
    const device = await makeDevice();
    /** @type {any[]} */
    const told = [];
    const model = await scale.module.load({ device, onDeviceLost: (info) => told.push(info) });
    device.destroy();
    await device.lost;
    check(await model.run(rows(3)), rows(3));
    assert.deepEqual(told.map(({ reason }) => reason), ['destroyed']);
  });

  test('fails the runs that it had', async () => {
    setGpu({ GPU: gpu });
    const model = await scale.module.load({ backend: 'webgpu' });
    await model.run(rows(3));
    const running = model.run(rows(3));
    // After the run's turn has come.
    await new Promise((done) => setImmediate(done));
    model.device?.destroy();
    const outcome = await running.catch((error) => error);
    if (outcome instanceof Error) assert.equal(outcome.name, 'DeviceLostError');
    else check(outcome, rows(3));
    check(await model.run(rows(3)), rows(3));
    model.dispose();
  });

  test('that was given gives way to wasm, or to an error where WebGPU was asked for', async () => {
    for (const backend of /** @type {const} */ (['auto', 'webgpu'])) {
      const device = await makeDevice(), model = await scale.module.load({ backend, device });
      device.destroy();
      await device.lost;
      if (backend === 'webgpu') {
        await assert.rejects(model.run(rows(3)), { name: 'DeviceLostError', message: /there is no other/ });
        continue;
      }
      check(await model.run(rows(3)), rows(3));
      assert.match(model.backendReason, /the GPU was lost: there is no WebGPU here/);
    }
  });
});

describe('a worker in Node', () => {
  /** What a script prints, in a process of its own that ends by itself. @param {string} script */
  const output = (script) => execFileSync(process.execPath, ['--input-type=module', '-e',
    `const { load } = await import(${JSON.stringify(pathToFileURL(join(scale.folder, 'model.js')).href)}); ${script}`], { encoding: 'utf8', timeout: 20_000 });

  test('does not keep a program from ending, and ends by dispose', () => {
    const threads = `readdirSync('/proc/self/task').length`;
    const printed = output(`
      const { readdirSync } = await import('node:fs'), inputs = { x: [1, 2, 3, 4], k: 0 };
      const first = await load({ worker: true, backend: 'wasm' });
      await first.run(inputs);
      const before = ${threads}, models = [];
      for (let i = 0; i < 3; ++i) models.push(await load({ worker: true, backend: 'wasm' }));
      const most = ${threads};
      for (const model of models) model.dispose();
      for (let i = 0; i < 100 && ${threads} > before; ++i) await new Promise((done) => setTimeout(done, 50));
      console.log(most > before, ${threads} <= before, [...(await first.run(inputs)).y.data].join());`);
    assert.equal(printed, `true true ${Array.from(expected({ x: Float32Array.of(1, 2, 3, 4), k: BigInt64Array.of(0n) }).y).join()}\n`);
  });

  test('that ends by itself fails its runs by name', async () => {
    const worker = new Worker(pathToFileURL(join(scale.folder, 'model.worker.js')));
    const model = await scale.module.load({ worker: true, backend: 'wasm', files: { worker } });
    check(await model.run(rows(2)), rows(2));
    worker.unref();
    const running = model.run(rows(1 << 18));
    await Promise.all([assert.rejects(running, { name: 'DisposedError', message: /the worker has ended \(cannot run .*: load the model again/ }), worker.terminate()]);
    await assert.rejects(model.run(rows(1)), { name: 'DisposedError' });
  });

  test('fails to load where its listener throws, as without one', async () => {
    for (const worker of [false, true]) {
      await assert.rejects(scale.module.load({ worker, backend: 'wasm', onProgress: () => { throw new RangeError('no'); } }), { name: 'RangeError', message: 'no' });
    }
  });
});

test('dispose frees memory though the model is still referenced', () => {
  // In a process of its own, whose memory is measured after collecting garbage.
  const script = `
    const { load } = await import(${JSON.stringify(pathToFileURL(join(scale.folder, 'model.js')).href)});
    const models = [], used = async () => {
      for (let i = 0; i < 3; ++i) await new Promise((done) => setTimeout(done, 50, gc()));
      return process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    };
    const inputs = { x: new Float32Array(4 << 17), k: new BigInt64Array(1 << 17) };
    let start;
    for (let i = 0; i < 12; ++i) {
      const model = await load({ backend: 'wasm' });
      await model.run(inputs);
      model.dispose();
      models.push(model);
      await new Promise((done) => setTimeout(done, 20));
      if (i === 2) start = await used();
    }
    console.log(await used() - start, models.length);`;
  const [more, count] = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], { encoding: 'utf8' }).split(' ').map(Number);
  assert.equal(count, 12);
  // Each has 5 MB of inputs and outputs alone.
  assert.ok(more < 8e6, `${more} bytes more after nine models`);
});

test('weights are split where the GPU allows no buffer for all', async () => {
  const device = await newDevice();
  /** @type {string[]} */
  const made = [];
  const limits = new Proxy(device.limits, { get: (target, name) => name === 'maxBufferSize' ? 2048 : Reflect.get(target, name, target) });
  const small = new Proxy(device, {
    get(target, name) {
      if (name === 'limits') return limits;
      const value = Reflect.get(target, name, target);
      if (name === 'createBuffer') {
        return (/** @type {GPUBufferDescriptor} */ descriptor) => {
          made.push(`${descriptor.label} ${descriptor.size}`);
          return device.createBuffer(descriptor);
        };
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const model = await scale.module.load({ device: small });
  assert.deepEqual(made, ['weights 256', 'weights 256']);
  check(await model.run(rows(3)), rows(3));
});

test('a device of the caller stays when the model is disposed of', async () => {
  const device = await newDevice(), model = await scale.module.load({ device });
  model.dispose();
  check(await (await scale.module.load({ device })).run(rows(3)), rows(3));
});
