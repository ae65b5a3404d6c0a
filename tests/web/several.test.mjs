// Several models in one bundle, as pages use them: what `load` gives, that each computes what it is defined as while the others
// do, and what they share.
//
//   WEBNNC=build/webnnc node --test tests/web/several.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { adder, decoded, decoder, encoded, encoder, keeper } from '../encoder_decoder.mjs';
import { gpu, makeDevice } from './dawn.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';
import { watched } from './watched.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-several-'));
after(() => rmSync(folder, { recursive: true }));
/** @type {GPUDevice[]} */
const devices = [];
afterEach(() => devices.splice(0).forEach((device) => device.destroy()));

/** @param {Record<string, Uint8Array>} models by key @param {string[]} flags @returns {Promise<any>} the bundle's module, and its folder */
async function compile(models, ...flags) {
  const out = mkdtempSync(join(folder, 'out-'));
  const files = Object.entries(models).map(([key, model]) => {
    writeFileSync(join(out, `${key}.onnx`), model);
    return `${key}=${join(out, `${key}.onnx`)}`;
  });
  const { status, stderr } = spawnSync(webnnc, [...files, '-o', out, '--no-report', '--quiet', ...flags], { encoding: 'utf8', timeout: 120000 });
  assert.equal(status, 0, stderr);
  return { ...await import(pathToFileURL(join(out, 'model.js')).href), out };
}

const straight = { encoder: encoder(), again: encoder('x_'), adder }, all = { ...straight, decoder, keeper };
const { load, out } = await compile(all, '--state', 'keeper:past=present'), { load: loadStraight } = await compile(straight);
/** Of three ids each, but for the second encoder. */
const { load: loadFixed } = await compile({ decoder, ...straight }, '--dim', 'count=3');

/** @param {number} count @param {number} from */
const idsOf = (count, from) => Array.from({ length: count }, (_, i) => BigInt((5 * i + from) % 8));

/** @param {any} model @param {bigint[]} ids @param {any} [options] */
const encode = (model, ids, options) => model.run({ [model.inputs[0].name]: BigInt64Array.from(ids) }, options).then((/** @type {any} */ outputs) => Object.values(outputs)[0]);
/** @param {any} model @param {bigint[]} ids @param {any} hidden @param {number} times */
const decode = async (model, ids, hidden, times) => (await model.run({ ids: BigInt64Array.from(ids), hidden, times })).sums;

/** @param {any} model @param {bigint[]} ids @param {any} hidden */
const add = async (model, ids, hidden) => (await model.run({ ids: BigInt64Array.from(ids), hidden })).sums;

/** @param {any} tensor @param {number[][]} rows */
function check(tensor, rows) {
  assert.deepEqual(tensor.shape, [rows.length, rows[0]?.length ?? 64]);
  assert.deepEqual([...tensor.data], rows.flat());
}

for (const [backend, worker] of /** @type {const} */ ([['wasm', false], ['webgpu', false], ['wasm', true]])) {
  const open = async (/** @type {any} */ from = load) => {
    const device = backend === 'webgpu' ? await makeDevice() : undefined;
    if (device) devices.push(device);
    return from({ backend, worker, device });
  };

  describe(worker ? `${backend} in a worker` : backend, () => {
    test('each is a model, by its key', async () => {
      const models = await open();
      assert.deepEqual(Object.keys(models), Object.keys(all));
      assert.deepEqual(Object.values(models).map(({ name }) => name), Object.keys(all));
      for (const model of Object.values(models)) assert.equal(model.backend, backend);
      assert.deepEqual(models.again.inputs.map((/** @type {any} */ { name }) => name), ['x_ids']);
      models[Symbol.dispose]();
    });

    for (const [what, from] of /** @type {const} */ ([['straight programs', loadStraight], ['one with a loop among them', load]])) {
      test(`each computes what it is defined as, by turns and with other sizes: ${what}`, async () => {
        const models = await open(from);
        for (const [i, count] of [3, 3, 1, 17, 2, 17, 40, 3].entries()) {
          const ids = idsOf(count, i), hidden = await encode(models.encoder, ids);
          check(hidden, encoded(ids));
          check(await encode(models.again, idsOf(count + i % 2, i + 1)), encoded(idsOf(count + i % 2, i + 1)));
          check(await add(models.adder, ids, hidden), decoded(ids, 1));
          if (models.decoder) check(await decode(models.decoder, ids, hidden, i % 4), decoded(ids, i % 4));
        }
        models[Symbol.dispose]();
      });
    }

    for (const [what, from] of /** @type {const} */ ([['in straight programs', loadStraight], ['beside a loop', load], ['that are known', loadFixed]])) {
      test(`sizes that stay while those of another model grow, ${what}`, async () => {
        const models = await open(from), ids = idsOf(3, 1);
        for (const [i, count] of [60, 1, 2, 300, 700, 1, 1500].entries()) {
          const hidden = await encode(models.encoder, ids);
          check(hidden, encoded(ids));
          check(await encode(models.again, idsOf(count, i)), encoded(idsOf(count, i)));
          for (let turn = 0; turn < 2; ++turn) {
            if (models.decoder) check(await decode(models.decoder, ids, hidden, i), decoded(ids, i));
            check(await encode(models.encoder, ids), encoded(ids));
            check(await add(models.adder, ids, hidden), decoded(ids, 1));
          }
        }
        models[Symbol.dispose]();
      });
    }

    test('runs of all that are started together each have their own result', async () => {
      const models = await open(), runs = [];
      for (let i = 0; i < 24; ++i) {
        const ids = idsOf(1 + 7 * i % 5, i), hidden = { data: Float32Array.from(encoded(ids).flat()), shape: [ids.length, 64] };
        runs.push([encode(i % 2 ? models.encoder : models.again, ids), encoded(ids)], [decode(models.decoder, ids, hidden, i % 3), decoded(ids, i % 3)]);
      }
      for (const [result, rows] of runs) check(await result, await rows);
      models[Symbol.dispose]();
    });

    test('one that is disposed of leaves the others', async () => {
      const { encoder: first, again, decoder: last } = await open(), ids = idsOf(4, 0), hidden = await encode(first, ids);
      // In wasm the one that is started first has ended when its `run` returns.
      const [, pending] = [encode(first, ids), encode(first, ids)].map((run) => run.catch((/** @type {any} */ error) => error));
      first.dispose();
      first.dispose();
      assert.equal((await pending).name, 'DisposedError');
      await assert.rejects(encode(first, ids), { name: 'DisposedError' });
      check(await encode(again, ids), encoded(ids));
      check(await decode(last, ids, hidden, 2), decoded(ids, 2));
      again.dispose();
      check(await decode(last, ids, hidden, 1), decoded(ids, 1));
      last.dispose();
      await assert.rejects(decode(last, ids, hidden, 1), { name: 'DisposedError' });
    });
  });
}

/** @param {number[][]} rows */
const sumOf = (rows) => [rows.reduce((sum, row) => sum.map((value, i) => value + row[i]))];

for (const [backend, worker] of /** @type {const} */ ([['wasm', false], ['webgpu', false], ['wasm', true]])) {
  test(`states and sessions beside models without: ${backend}${worker ? ' in a worker' : ''}`, async () => {
    const device = backend === 'webgpu' ? (await watched()).device : undefined, models = await load({ backend, worker, device });
    const { keeper: own, encoder: straight, decoder: looping } = models, sessions = [own, own.session(), own.session()];
    /** @type {number[][][]} */
    const given = [[], [], []];
    for (let run = 0; run < 9; ++run) {
      for (const [s, session] of sessions.entries()) {
        const ids = idsOf(1 + (run + s) % 3, run + s), rows = encoded(ids), hidden = await encode(straight, ids);
        given[s].push(...rows);
        check((await session.run({ x: hidden })).sum, sumOf(given[s]));
        if (run % 3 === s) check(await decode(looping, ids, hidden, run), decoded(ids, run));
      }
    }
    const saved = await own.state.save();
    sessions[1].dispose();
    await own.state.reset();
    check((await own.run({ x: { data: Float32Array.from(encoded([3n]).flat()), shape: [1, 64] } })).sum, encoded([3n]));
    await own.state.load(saved);
    check((await own.run({ x: { data: Float32Array.from(encoded([3n]).flat()), shape: [1, 64] } })).sum, sumOf([...given[0], ...encoded([3n])]));
    models[Symbol.dispose]();
  });
}

describe('on one GPU', () => {
  test('what one model leaves there is an input of another, and no byte of it crosses', async () => {
    const { device, seen } = await watched(), models = await load({ backend: 'webgpu', device });
    for (const [i, count] of [3, 300, 300, 2, 1].entries()) {
      const ids = idsOf(count, i), words = 4 * count, bytes = 64 * words;
      let before = { ...seen };
      const hidden = await encode(models.encoder, ids, { outputs: 'gpu' });
      assert.ok(seen.written - before.written <= words + 1024, 'ids and sizes');
      assert.equal(seen.mapped, before.mapped);
      before = { ...seen };
      check(await add(models.adder, ids, hidden), decoded(ids, 1));
      assert.ok(seen.written - before.written <= words + 1024, 'ids and sizes');
      assert.equal(seen.mapped - before.mapped, bytes, 'the sums');
      before = { ...seen };
      check(await decode(models.decoder, ids, hidden, i), decoded(ids, i));
      assert.ok(seen.written - before.written <= words + 1024, 'ids, how often, and sizes');
      assert.equal(seen.mapped - before.mapped, bytes, 'the sums');
      before = { ...seen };
      await models.keeper.state.reset();
      check((await models.keeper.run({ x: hidden })).sum, sumOf(encoded(ids)));
      assert.ok(seen.written - before.written <= 1024, 'sizes');
      assert.equal(seen.mapped - before.mapped, 256, 'the sum');
      check(await hidden.read(), encoded(ids));
      hidden.buffer.destroy();
    }
    models[Symbol.dispose]();
  });

  test('they have weights, shaders and the arena once', async () => {
    const { device, seen } = await watched(), models = await loadStraight({ backend: 'webgpu', device });
    assert.equal(seen.buffers.get('weights')?.size, 1);
    assert.equal(new Set(seen.shaders).size, seen.shaders.length);
    for (const count of [1, 50, 2]) for (const model of [models.encoder, models.again]) await encode(model, idsOf(count, 0));
    assert.equal(seen.buffers.get('arena')?.size, 1);
    const alone = await watched(), one = await (await compile({ encoder: straight.encoder })).load({ backend: 'webgpu', device: alone.device });
    assert.equal(one.backend, 'webgpu');
    // The second encoder has no shader of its own; the adder has.
    assert.ok(seen.shaders.length <= alone.seen.shaders.length + 2, `${seen.shaders.length}`);
    models[Symbol.dispose]();
    for (const [label, buffers] of seen.buffers) assert.equal(buffers.size, 0, label);
  });

  test('a thousand runs by turns take no more memory, and make nothing anew', async () => {
    const { device, seen } = await watched(), models = await load({ backend: 'webgpu', device }), ids = idsOf(3, 0), rows = encoded(ids);
    const count = () => [...seen.buffers.values()].reduce((sum, { size }) => sum + size, 0);
    let settled = { buffers: 0, groups: 0 };
    for (let run = 0; run < 1000; ++run) {
      const hidden = await encode(models.encoder, ids, { outputs: 'gpu' }), sums = await add(models.adder, ids, hidden);
      if (run % 10 === 0) check(await decode(models.decoder, ids, hidden, 2), decoded(ids, 2));
      if (run % 100 === 0) check(sums, decoded(ids, 1));
      hidden.buffer.destroy();
      if (run === 50) settled = { buffers: count(), groups: seen.groups };
    }
    assert.ok(count() <= settled.buffers, `${count()} buffers, ${settled.buffers} before`);
    assert.equal(seen.groups, settled.groups);
    check(await encode(models.encoder, ids), rows);
    models[Symbol.dispose]();
  });

  test('one that is disposed of gives its buffers back', async () => {
    const { device, seen } = await watched(), models = await load({ backend: 'webgpu', device }), ids = idsOf(30, 0);
    const hidden = await encode(models.encoder, ids), count = () => [...seen.buffers.values()].reduce((sum, { size }) => sum + size, 0);
    await decode(models.decoder, ids, hidden, 2);
    check(await add(models.adder, ids, hidden), decoded(ids, 1));
    for (const key of ['decoder', 'encoder']) {
      const before = count();
      models[key].dispose();
      assert.ok(count() < before, key);
    }
    assert.equal(seen.buffers.get('weights')?.size, 1);
    check(await add(models.adder, ids, hidden), decoded(ids, 1));
    models[Symbol.dispose]();
    assert.equal(count(), 0);
  });

  test('when the GPU is lost, all go on on one other, and it is told once', async () => {
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    try {
      /** @type {any[]} */
      const told = [];
      const models = await load({ backend: 'webgpu', onDeviceLost: (/** @type {any} */ info) => told.push(info) }), ids = idsOf(5, 2);
      const all = [models.encoder, models.again, models.adder, models.decoder];
      for (let loss = 0; loss < 3; ++loss) {
        const hidden = await encode(models.encoder, ids), { device } = models.encoder;
        check(await add(models.adder, ids, hidden), decoded(ids, 1));
        if (loss !== 1) check(await decode(models.decoder, ids, hidden, 3), decoded(ids, 3));
        device.destroy();
        await device.lost;
        // Whichever is first.
        const results = await Promise.all([decode(models.decoder, ids, hidden, 3), encode(models.again, ids), add(models.adder, ids, hidden), encode(models.encoder, ids)]);
        [decoded(ids, 3), encoded(ids), decoded(ids, 1), encoded(ids)].forEach((rows, i) => check(results[i], rows));
        for (const model of all) assert.equal(model.device, models.encoder.device);
        assert.notEqual(models.encoder.device, device);
        assert.equal(told.length, loss + 1);
        const left = await encode(models.encoder, ids, { outputs: 'gpu' });
        check(await add(models.adder, ids, left), decoded(ids, 1));
      }
      const { device } = models.encoder;
      models[Symbol.dispose]();
      assert.equal((await device.lost).reason, 'destroyed');
      assert.equal(told.length, 3);
    } finally {
      Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
    }
  });

  test('what the GPU refuses of one goes on in wasm, and takes what others leave on the GPU', async () => {
    const { device, seen } = await watched(), models = await load({ device }), ids = idsOf(6, 1);
    assert.equal(models.adder.backend, 'webgpu');
    const hidden = await encode(models.encoder, ids, { outputs: 'gpu' }), inMemory = await hidden.read();
    seen.refusal = 'made up';
    check(await add(models.adder, ids, inMemory), decoded(ids, 1));
    assert.equal(seen.refusal, undefined);
    assert.equal(models.adder.backend, 'wasm');
    assert.match(models.adder.backendReason, /the GPU refuses the model: made up/);
    for (const key of ['encoder', 'again', 'decoder', 'keeper']) assert.equal(models[key].backend, 'webgpu');
    check(await add(models.adder, ids, hidden), decoded(ids, 1));
    check(await decode(models.decoder, ids, hidden, 2), decoded(ids, 2));
    await assert.rejects(add(models.adder, ids, { data: hidden.buffer, shape: hidden.shape }), { name: 'UnsupportedError', message: /takes no buffers of a GPU/ });
    // One with a loop, after it has run there.
    const other = idsOf(9, 3), more = await encode(models.encoder, other, { outputs: 'gpu' });
    seen.refusal = 'made up';
    check(await decode(models.decoder, other, more, 2), decoded(other, 2));
    assert.equal(models.decoder.backend, 'wasm');
    check(await encode(models.again, other), encoded(other));
    check(await decode(models.decoder, ids, hidden, 1), decoded(ids, 1));
    models[Symbol.dispose]();
  });

  test('one that leaves the GPU takes its own weights along, and no others', async () => {
    const { device, seen } = await watched(), ids = idsOf(2, 1);
    let hashed = 0;
    const { models } = await loadInWasm(loadStraight, (exports) => ({
      ...exports,
      webnnc_hash(/** @type {number} */ address, /** @type {number} */ bytes) {
        hashed += bytes;
        return exports.webnnc_hash(address, bytes);
      },
    }), { device });
    assert.ok(hashed >= 64 * 64 * 4, `${hashed}`);
    hashed = 0;
    seen.refusal = 'made up';
    check(await add(models.adder, ids, { data: Float32Array.from(encoded(ids).flat()), shape: [2, 64] }), decoded(ids, 1));
    assert.equal(models.adder.backend, 'wasm');
    // The table, and not what the encoders multiply by.
    assert.ok(hashed >= 8 * 64 * 4 && hashed < 64 * 64 * 4, `${hashed}`);
    seen.refusal = 'made up';
    check(await encode(models.encoder, ids), encoded(ids));
    assert.equal(models.encoder.backend, 'wasm');
    check(await encode(models.again, ids), encoded(ids));
    models[Symbol.dispose]();
  });

  test('a program that cannot be compiled there leaves the others there', async () => {
    const { device } = await watched();
    const refusing = new Proxy(device, {
      get: (target, name) => name !== 'createComputePipelineAsync' ? Reflect.get(target, name)
        : async (/** @type {any} */ descriptor) => {
          if (/gather_add|add/.test(descriptor.label)) throw new Error('made up');
          return target.createComputePipelineAsync(descriptor);
        },
    });
    const models = await loadStraight({ device: refusing }), ids = idsOf(6, 1);
    assert.deepEqual(Object.values(models).map(({ backend }) => backend), ['webgpu', 'webgpu', 'wasm']);
    assert.match(models.adder.backendReason, /the GPU refuses kernel .*made up/);
    check(await add(models.adder, ids, await encode(models.encoder, ids, { outputs: 'gpu' })), decoded(ids, 1));
    await assert.rejects(loadStraight({ backend: 'webgpu', device: refusing }), { name: 'GpuError' });
    models[Symbol.dispose]();
  });
});

/**
 * Loads, into wasm if nothing else is said, and gives what the module's functions are as well.
 *
 * @param {any} from @param {(exports: any) => any} [edit] what it finds instead @param {any} [options]
 */
async function loadInWasm(from, edit = (exports) => exports, options = /** @type {any} */ ({ backend: 'wasm' })) {
  const { instantiate } = WebAssembly;
  /** @type {any} */
  let exports;
  WebAssembly.instantiate = /** @type {any} */ (async (/** @type {any[]} */ ...all) => ({ exports: exports = edit((await /** @type {any} */ (instantiate)(...all)).exports) }));
  try {
    return { models: await from(options), exports };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

for (const [what, from] of /** @type {const} */ ([['straight programs', loadStraight], ['one with a loop among them', load]])) {
  test(`in wasm a thousand runs by turns take no more memory: ${what}`, async () => {
    const { models, exports: { memory } } = await loadInWasm(from);
    let settled = 0;
    for (let run = 0; run < 1000; ++run) {
      const ids = idsOf(1 + run % 4, run), hidden = await encode(run % 2 ? models.encoder : models.again, ids);
      check(await add(models.adder, ids, hidden), decoded(ids, 1));
      if (models.decoder && run % 5 === 0) check(await decode(models.decoder, ids, hidden, run % 3), decoded(ids, run % 3));
      if (run === 50) settled = memory.buffer.byteLength;
    }
    assert.equal(memory.buffer.byteLength, settled);
    models[Symbol.dispose]();
  });
}

test('in wasm a model runs by its own plan, which is made again where another one has taken its place', async () => {
  let chosen = -1, planned = -1, plans = 0;
  const { models } = await loadInWasm(loadStraight, (exports) => ({
    ...exports,
    webnnc_model: (/** @type {number} */ index) => exports.webnnc_model(chosen = index),
    webnnc_prepare(/** @type {number} */ program) {
      planned = chosen;
      ++plans;
      return exports.webnnc_prepare(program);
    },
    webnnc_run(/** @type {number} */ program) {
      assert.equal(planned, chosen);
      return exports.webnnc_run(program);
    },
  }));
  const ids = idsOf(3, 0), rows = encoded(ids);
  for (const [model, index, expected] of [[models.encoder, 0, 1], [models.encoder, 0, 1], [models.again, 1, 2], [models.encoder, 0, 3], [models.encoder, 0, 3], [models.again, 1, 4]]) {
    check(await encode(model, ids), rows);
    assert.deepEqual([chosen, plans], [index, expected]);
  }
});

// ---- Loading

for (const [backend, worker] of /** @type {const} */ ([['wasm', false], ['webgpu', false], ['wasm', true]])) {
  test(`progress is told of all together, and a load can be aborted: ${backend}${worker ? ' in a worker' : ''}`, async () => {
    const { device, seen } = await watched(), given = backend === 'webgpu' ? { backend, device } : { backend, worker };
    /** @type {Map<string, any>} */
    const last = new Map();
    const models = await load({ ...given, onProgress(/** @type {any} */ { phase, loaded, total }) {
      const before = last.get(phase);
      assert.ok(loaded <= total && (!before || loaded >= before.loaded && total >= before.total), `${phase}: ${loaded} of ${total}`);
      last.set(phase, { loaded, total });
    } });
    for (const [phase, { loaded, total }] of last) assert.equal(loaded, total, phase);
    // The header may be left out.
    const bytes = statSync(join(out, 'model.weights.bin')).size, { total } = last.get('weights');
    assert.ok(total <= bytes && total > 0.9 * bytes - 512, `${total} of ${bytes}`);
    if (backend === 'webgpu') assert.equal(last.get('compilation').total, seen.shaders.length);
    check(await encode(models.encoder, idsOf(2, 2)), encoded(idsOf(2, 2)));
    models[Symbol.dispose]();

    const controller = new AbortController(), loading = load({ ...given, signal: controller.signal, onProgress: () => controller.abort() });
    await assert.rejects(loading, { name: 'AbortError' });
    await assert.rejects(load({ ...given, onProgress() { throw new TypeError('not now'); } }), { message: 'not now' });
    for (const [label, buffers] of seen.buffers) assert.equal(buffers.size, 0, label);
  });
}

test('f16 is in the same bits in all models of a device', async () => {
  // The scripts with a record in which one has a program for f16 that not every device can run.
  const scripts = join(mkdtempSync(join(folder, 'scripts-')), 'js'), plain = { kind: 'webgpu', features: [], limits: {}, first: 0, end: 0 }, half = { ...plain, features: ['shader-f16'] };
  cpSync(join(root, 'runtime-js'), scripts, { recursive: true });
  const large = { maxComputeWorkgroupStorageSize: 32768 }, models = [[half, plain], [{ ...half, limits: large }, plain], [plain]].map((programs) => ({ programs }));
  writeFileSync(join(scripts, 'build.js'), `export const BUILD = ${JSON.stringify({ models })};`);
  const { searchGpu, variantOf } = await import(pathToFileURL(join(scripts, 'gpu_device.js')).href);
  const choicesOf = async (/** @type {string[]} */ features, /** @type {number} */ most) =>
    (await searchGpu('webgpu', { features: new Set(features), limits: { maxComputeWorkgroupStorageSize: most } })).choices;
  const chosen = async (/** @type {string[]} */ features, /** @type {number} */ most) => (await choicesOf(features, most)).map((/** @type {any} */ { index }) => index);
  assert.deepEqual(await chosen(['shader-f16'], 32768), [0, 0, 0]);
  assert.deepEqual(await chosen(['shader-f16'], 16384), [1, 1, 0]);
  assert.deepEqual(await chosen([], 32768), [1, 1, 0]);
  const plainly = ', the variant without optional features; a better one is there, but ';
  assert.deepEqual((await choicesOf(['shader-f16'], 16384)).map((/** @type {any} */ choice, /** @type {number} */ model) => variantOf(model, choice)), [
    `${plainly}another model of the bundle cannot use shader-f16 on this GPU`, `${plainly}the GPU lacks maxComputeWorkgroupStorageSize of 32768 (it has 16384)`, '']);
});

test('a GPU gets the best program that it and the engine have the features for', async () => {
  const scripts = join(mkdtempSync(join(folder, 'scripts-')), 'js'), plain = { kind: 'webgpu', features: [], limits: {}, first: 0, end: 0 };
  const subgroups = ['subgroups', 'subgroup_id'], matrix = 'chromium-experimental-subgroup-matrix';
  const programs = [['shader-f16', ...subgroups, matrix], ['shader-f16', ...subgroups], ['shader-f16'], subgroups, []].map((features) => ({ ...plain, features }));
  cpSync(join(root, 'runtime-js'), scripts, { recursive: true });
  writeFileSync(join(scripts, 'build.js'), `export const BUILD = ${JSON.stringify({ programs })};`);
  const { searchGpu, variantOf } = await import(pathToFileURL(join(scripts, 'gpu_device.js')).href);
  const config = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }, info = { subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrixConfigs: [config] };
  const chosen = async (/** @type {string[]} */ features, /** @type {any} */ adapterInfo = info) =>
    (await searchGpu('webgpu', { features: new Set(features), limits: {}, adapterInfo })).choices[0].index;
  const all = ['shader-f16', 'subgroups', matrix], { navigator } = globalThis;
  const setLanguage = (/** @type {string[]} */ names) => Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { gpu: { wgslLanguageFeatures: new Set(names) } } });
  try {
    setLanguage(['subgroup_id']);
    assert.equal(await chosen(all), 0);
    assert.equal(await chosen(all, { ...info, subgroupMinSize: 8 }), 1);
    assert.equal(await chosen(all, { ...info, subgroupMatrixConfigs: [{ ...config, resultComponentType: 'f16' }] }), 1);
    assert.equal(await chosen(all, {}), 1);
    assert.equal(await chosen(['shader-f16', 'subgroups']), 1);
    assert.equal(await chosen(['subgroups']), 3);
    assert.equal(await chosen([]), 4);
    const reason = async (/** @type {string[]} */ features) => variantOf(0, (await searchGpu('webgpu', { features: new Set(features), limits: {}, adapterInfo: info })).choices[0]);
    assert.equal(await reason(all), `, the variant with ${[...programs[0].features].join(', ')}`);
    assert.equal(await reason(['shader-f16']), ', the variant with shader-f16; a better one is there, but the GPU lacks the feature subgroups');
    setLanguage([]);
    assert.equal(await chosen(all), 2);
    assert.equal(await chosen(['subgroups']), 4);
  } finally {
    Object.defineProperty(globalThis, 'navigator', { configurable: true, value: navigator });
  }
});

test('in Chromium, in the page and in a worker', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, async () => {
  const server = await serve({ '/out': out, '/test': join(root, 'tests/web/pages') }, { csp: STRICT_CSP }), browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/test/blank.html`), ids = idsOf(5, 1);
    for (const options of [{ backend: 'wasm' }, { backend: 'webgpu' }, { backend: 'wasm', worker: true }, { backend: 'webgpu', worker: true }]) {
      const before = server.log.length;
      const { backends, first, second, third } = await page.evaluate(async (options, list) => {
        const { load } = await import(/** @type {any} */ ('/out/model.js')), models = await load(options), ids = BigInt64Array.from(list, BigInt);
        const onGpu = models.encoder.device !== undefined;
        const run = async () => {
          const { hidden } = await models.encoder.run({ ids }, { outputs: { hidden: onGpu ? 'gpu' : 'data' } });
          // By turns, and all at once.
          const [{ x_hidden: again }, { sums }, { sums: looped }] = await Promise.all([
            models.again.run({ x_ids: ids }), models.adder.run({ ids, hidden }), models.decoder.run({ ids, hidden, times: 3 })]);
          return [again, sums, looped].map(({ data }) => [...data]);
        };
        const backends = Object.values(models).map(({ backend }) => backend), first = await run(), second = await run();
        const { device } = models.encoder;
        device?.destroy();
        await device?.lost;
        const third = await run();
        for (const model of Object.values(models)) model.dispose();
        return { backends, first, second, third };
      }, options, ids.map(Number));
      assert.deepEqual(new Set(backends), new Set([options.backend]));
      for (const results of [first, second, third]) assert.deepEqual(results, [encoded(ids), decoded(ids, 1), decoded(ids, 3)].map((rows) => rows.flat()));
      const asked = server.log.slice(before).map(({ path }) => path).filter((path) => /weights|wasm|shaders/.test(path));
      const shaders = options.backend === 'webgpu' ? ['/out/model.shaders.json'] : [];
      assert.deepEqual(asked.sort(), ['/out/model.relaxed.wasm', ...shaders, '/out/model.weights.bin'], 'once for all, also after a loss');
    }
    assert.deepEqual(page.problems, []);
  } finally {
    await browser.close();
    await server.close();
  }
});

test('a bundle of one model gives the model', async () => {
  const { load: loadOne } = await compile({ only: encoder() }), model = await loadOne({ backend: 'wasm' });
  check(await encode(model, idsOf(2, 3)), encoded(idsOf(2, 3)));
});
