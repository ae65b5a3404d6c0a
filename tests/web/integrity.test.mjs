// The files of a bundle belong together: what is stale, swapped, cut or damaged is noticed, and said.
// In Node on wasm and, by Dawn, on WebGPU; page.test.mjs has what needs a browser.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { xxh32 } from '../../runtime-js/xxh32.js';
import { makeDevice } from './dawn.mjs';
import { hasherOf } from './fixtures.mjs';
import { serve } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-integrity-')), model = join(root, 'models/digits/digits.onnx');
after(() => rmSync(work, { recursive: true }));

/** A build of the digits whose weights differ in a few bits. @param {string} name @param {number} change */
function compile(name, change) {
  const source = readFileSync(model), path = join(work, 'digits.onnx'), out = join(work, name);
  // In the middle of a weight's floats: the lowest bits of one of them.
  if (change) source[source.length >> 1 & ~3] ^= change;
  writeFileSync(path, source);
  execFileSync(webnnc, [path, '-o', out, '--quiet', '--no-report']);
  return out;
}

const one = compile('one', 0), other = compile('other', 1);
/** @param {string} file @param {string} [folder] */
const bytesOf = (file, folder = one) => new Uint8Array(readFileSync(join(folder, file)));
const module = await import(pathToFileURL(join(one, 'model.js')).href), newer = await import(pathToFileURL(join(other, 'model.js')).href);
const image = Float32Array.from({ length: 784 }, (_, i) => i % 29 / 29);

/** Random numbers below `n`, the same each time. @param {number} seed */
function random(seed) {
  return (/** @type {number} */ n) => Math.floor((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32 * n);
}

test('hashes are those of the algorithms\' author', async () => {
  const text = (/** @type {string} */ s) => new TextEncoder().encode(s);
  const hash = await hasherOf(bytesOf('model.wasm'));
  for (const [string, short, long] of /** @type {const} */ ([
    ['', 0x02cc5d05, 'ef46db3751d8e999'], ['a', 0x550d7456, 'd24ec4f1a98c6e5b'], ['abc', 0x32d153ff, '44bc2cf5ad770999'],
    ['Nobody inspects the spammish repetition', 0xe2293b2f, 'fbcea83c8a378bf1'],
  ])) {
    assert.equal(xxh32(text(string)), short);
    assert.equal(hash(text(string)), long);
  }
});

for (const backend of /** @type {const} */ (['wasm', 'webgpu'])) {
  describe(backend, () => {
    /** @type {GPUDevice | undefined} */ let device;
    before(async () => {
      device = backend === 'webgpu' ? await makeDevice() : undefined;
    });
    after(() => device?.destroy());
    const load = (/** @type {any} */ files, /** @type {any} */ from = module) => from.load({ backend, device, files });

    test('flipped bits in weights are noticed, 100 of 100', async () => {
      const weights = bytesOf('model.weights.bin'), next = random(1);
      for (let i = 0; i < 100; ++i) {
        const damaged = weights.slice();
        damaged[next(weights.length)] ^= 1 << next(8);
        await assert.rejects(load({ weights: damaged }), { name: 'ModelLoadError', file: 'files.weights', message: /files.weights: it (was damaged on its way|belongs to another build|is not a weights file)/ });
      }
    });

    test('weights of another build are noticed, 100 of 100', async () => {
      const weights = bytesOf('model.weights.bin', other), mine = bytesOf('model.weights.bin'), next = random(2);
      assert.equal(weights.length, mine.length);
      for (let i = 0; i < 100; ++i) {
        const stale = weights.slice();
        // As different as a retrained network's.
        for (let n = next(1000); n > 0; --n) stale[256 + next(stale.length - 256)] = next(256);
        await assert.rejects(load({ weights: stale }), { name: 'ModelLoadError', reason: 'other build', message: /belongs to another build of the model \(its weights are [0-9a-f]{16}/ });
      }
    });

    test('what is right is taken, and the next build as well', async () => {
      for (const [from, folder] of [[module, one], [newer, other]]) {
        const loaded = await load({ weights: bytesOf('model.weights.bin', folder), wasm: bytesOf('model.wasm', folder) }, from);
        assert.equal((await loaded.run({ image })).digit_probabilities.data.length, 10);
        loaded.dispose();
      }
      assert.notEqual(module.build.id, newer.build.id);
    });

    test('modules are checked too', async () => {
      const code = bytesOf('model.wasm'), next = random(3);
      for (let i = 0; i < 100; ++i) {
        const damaged = code.slice();
        damaged[next(code.length)] ^= 1 << next(8);
        await assert.rejects(load({ wasm: damaged }), { name: 'ModelLoadError', file: 'files.wasm', message: /files.wasm: it (was damaged on its way|belongs to another build)/ });
      }
      await assert.rejects(load({ wasm: bytesOf('model.wasm', other) }), { name: 'ModelLoadError', reason: 'other build', message: /belongs to another build of the model, or to another model/ });
      await assert.rejects(load({ wasm: code.slice(0, 5000) }), { reason: 'damaged', message: /it was cut short: it has 5000 bytes, not \d+/ });
      await assert.rejects(load({ wasm: new TextEncoder().encode('<!doctype html><p>Not here') }), /the server sent a page of HTML instead/);
      await assert.rejects(load({ weights: new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:1\n') }), /a pointer of Git LFS/);
      await assert.rejects(load({ weights: bytesOf('model.weights.bin').slice(0, 700) }), /it has 700 bytes, not \d+/);
    });

    test('shaders are checked, where they are read', async () => {
      const shaders = bytesOf('model.shaders.json'), next = random(4);
      if (backend === 'wasm') return (await load({ shaders: 'http://localhost:1/nothing' })).dispose();
      for (let i = 0; i < 100; ++i) {
        const damaged = shaders.slice();
        damaged[next(shaders.length)] ^= 1 << next(8);
        await assert.rejects(load({ shaders: damaged }), { name: 'ModelLoadError', file: 'files.shaders', message: /files.shaders: it (was damaged on its way|belongs to another build)/ });
      }
      await assert.rejects(load({ shaders: bytesOf('model.shaders.json', other) }), { reason: 'other build', message: /belongs to another build of the model, or to another model/ });
      await assert.rejects(load({ shaders: shaders.slice(0, 500) }), { reason: 'damaged', message: /it was cut short: it has 500 bytes, not \d+/ });
      await assert.rejects(load({ shaders: new TextEncoder().encode('<!doctype html>') }), /files.shaders: the server sent a page of HTML instead/);
      await assert.rejects(load({ 'shaders.f16': shaders }), { name: 'TypeError', message: /files: there is no option "shaders.f16"/ });
      (await load({ shaders: new Blob([shaders]) })).dispose();
    });
  });
}

describe('over HTTP', () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */ let server;
  const folder = join(work, 'served');
  before(async () => {
    cpSync(one, folder, { recursive: true });
    server = await serve({ '/': folder });
  });
  after(() => server.close());
  const run = async (/** @type {any} */ options) => (await (await module.load({ backend: 'wasm', baseUrl: server.url, ...options })).run({ image })).digit_probabilities.data;

  test('baseUrl names the folder, and every file is asked for by its build', async () => {
    server.log.length = 0;
    const wanted = await (await module.load({ backend: 'wasm' })).run({ image });
    assert.deepEqual(await run({}), wanted.digit_probabilities.data);
    const asked = server.log.map(({ path, query }) => path + query).sort();
    assert.match(asked[0], new RegExp(`^/model(.relaxed)?.wasm\\?v=${module.build.id}$`));
    assert.match(asked[1], /^\/model.weights.bin\?v=[0-9a-f]{16}$/);
    assert.equal(asked.length, 2);
  });

  test('a download that breaks off goes on where it was', async () => {
    let breaks = 2;
    const flaky = await serve({ '/': folder }, { cut: (path) => path.endsWith('.bin') && breaks-- > 0 ? 60000 : Infinity });
    const loaded = await module.load({ backend: 'wasm', baseUrl: flaky.url });
    assert.equal((await loaded.run({ image })).digit_probabilities.data.length, 10);
    const parts = flaky.log.filter(({ path }) => path.endsWith('.bin'));
    assert.deepEqual(parts.map(({ status }) => status), [200, 206, 206]);
    // What had arrived was not asked for again.
    assert.ok(parts.reduce((sum, { bytes }) => sum + bytes, 0) <= bytesOf('model.weights.bin').length + 60000);
    await flaky.close();
  });

  test('a file that is not there is said at once', async () => {
    const empty = await serve({ '/': join(work, 'nothing') });
    await assert.rejects(module.load({ backend: 'wasm', baseUrl: empty.url }), { name: 'ModelLoadError', reason: 'missing', message: /model(.relaxed)?.wasm\?v=[0-9a-f]+: the server answers 404/ });
    await empty.close();
  });

  test('a module without relaxed SIMD serves where the other was left out', async () => {
    const folder = join(work, 'plain');
    cpSync(one, folder, { recursive: true });
    rmSync(join(folder, 'model.relaxed.wasm'));
    const plain = await serve({ '/': folder });
    assert.equal((await (await module.load({ backend: 'wasm', baseUrl: plain.url })).run({ image })).digit_probabilities.data.length, 10);
    await plain.close();
  });

  test('files may be a Response, a Blob, bytes, a data: URL or a promise', async () => {
    const weights = bytesOf('model.weights.bin'), wasm = bytesOf('model.wasm'), wanted = await run({ files: { wasm, weights } });
    for (const files of [
      { wasm: new Response(wasm), weights: new Response(weights) }, { wasm: new Blob([wasm]), weights: new Blob([weights]) },
      { wasm: wasm.buffer, weights: Promise.resolve(weights) }, { wasm: fetch(`${server.url}/model.wasm`), weights: new URL(`${server.url}/model.weights.bin`) },
      { wasm: `data:application/wasm;base64,${Buffer.from(wasm).toString('base64')}`, weights: `${server.url}/model.weights.bin` },
      { wasm: join(folder, 'model.wasm'), weights: pathToFileURL(join(folder, 'model.weights.bin')) },
    ]) {
      assert.deepEqual(await run({ files }), wanted);
    }
    await assert.rejects(run({ files: { wasm: /** @type {any} */ (7) } }), { name: 'TypeError', message: /files.wasm is none of/ });
  });

  test('shaders that are not there are said by name, and are not fetched for wasm', async () => {
    const folder = join(work, 'without'), device = await makeDevice();
    cpSync(one, folder, { recursive: true });
    rmSync(join(folder, 'model.shaders.json'));
    const without = await serve({ '/': folder });
    await assert.rejects(module.load({ device, baseUrl: without.url }), { name: 'ModelLoadError', reason: 'missing', message: /\/model.shaders.json\?v=[0-9a-f]+: the server answers 404/ });
    (await module.load({ backend: 'wasm', baseUrl: without.url })).dispose();
    await without.close();
    device.destroy();
  });

  test('shaders, weights and the module are asked for at the same time', async () => {
    /** @type {Set<string>} */
    const asked = new Set(), device = await makeDevice();
    /** @type {(value?: any) => void} */
    let release = () => {};
    const all = new Promise((done) => release = done);
    const patient = await serve({ '/': folder }, {
      before(path) {
        if (asked.add(path).size === 3) release();
        return all;
      },
    });
    (await module.load({ device, baseUrl: patient.url })).dispose();
    assert.deepEqual([...asked].map((path) => path.replace('.relaxed', '')).sort(), ['/model.shaders.json', '/model.wasm', '/model.weights.bin']);
    await patient.close();
    device.destroy();
  });

  test('a lost GPU downloads nothing again', async () => {
    const { gpu } = await import('./dawn.mjs');
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    const loaded = await module.load({ backend: 'webgpu', baseUrl: server.url }), before = await loaded.run({ image });
    server.log.length = 0;
    loaded.device.destroy();
    await loaded.device.lost;
    assert.deepEqual(await loaded.run({ image }), before);
    assert.deepEqual(server.log, []);
    loaded.dispose();
    Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
  });
});
