// Which variant of a bundle runs: `backendReason` says it and why it is not a better one, and its files alone are downloaded. In
// Chromium, whose GPU in software has no shader-f16, and in Node with devices that claim what they have not.
//
//   WEBNNC=build/webnnc node --test tests/web/variants.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';
import { hasBrowser, launch, serve } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-variants-')), out = join(work, 'halves'), cpu = join(work, 'cpu');
after(() => rmSync(work, { recursive: true }));

// A model in f16 has programs for GPUs with shader-f16, and for those without.
const file = join(work, 'halves.onnx');
writeFileSync(file, onnxModel({
  inputs: { x: ['f16', [2]] }, outputs: { y: ['f16', [2]] }, nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
}));
execFileSync(webnnc, [file, '-o', out, '--quiet', '--no-report']);
execFileSync(webnnc, [file, '-o', cpu, '--quiet', '--no-report', '--target', 'wasm']);

const WITH = /, the variant with shader-f16$/, WITHOUT = /, the variant without optional features; a better one is there, but the GPU lacks the feature shader-f16$/;
/** @param {{path: string}[]} log */
const shadersIn = (log) => log.map(({ path }) => path.split('/').at(-1)).filter((name) => name?.includes('shaders'));

describe('in Node', () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */ let server;
  before(async () => {
    server = await serve({ '/': out });
  });
  after(() => server.close());

  test('a GPU downloads the shaders of its variant', async () => {
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href), device = await makeDevice();
    const plain = await load({ device, baseUrl: server.url });
    assert.match(plain.backendReason, WITHOUT);
    plain.dispose();
    assert.deepEqual(shadersIn(server.log), ['model.shaders.json']);
    server.log.length = 0;
    // It says that it has f16, and accepts shaders without.
    const claims = new Proxy(device, {
      get: (target, name) => name === 'features' ? new Set(['shader-f16'])
        : name === 'createShaderModule' ? () => target.createShaderModule({ code: '@group(0) @binding(0) var<storage, read_write> x: array<u32>; @compute @workgroup_size(1) fn main() { x[0] = 1; }' })
          : typeof Reflect.get(target, name) === 'function' ? Reflect.get(target, name).bind(target) : Reflect.get(target, name),
    });
    const half = await load({ device: claims, baseUrl: server.url });
    assert.match(half.backendReason, WITH);
    half.dispose();
    assert.deepEqual(shadersIn(server.log), ['model.shaders.f16.json']);
    device.destroy();
  });

  test('a bundle for the CPU has no shaders, and asks for none', async () => {
    const alone = await serve({ '/': cpu }), { load } = await import(pathToFileURL(join(cpu, 'model.js')).href);
    const model = await load({ baseUrl: alone.url });
    assert.match(model.backendReason, /^the model was compiled without the target webgpu; wasm runs it with/);
    assert.deepEqual(shadersIn(alone.log), []);
    await assert.rejects(load({ files: { shaders: 'x.json' } }), { name: 'TypeError', message: /there is no option "shaders"/ });
    await alone.close();
  });
});

describe('in Chromium', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium');
  });
  after(() => browser.close());

  /** What a model of a folder says in a page. @param {string} folder @param {any} options */
  async function loadIn(folder, options) {
    const server = await serve({ '/m': folder, '/test': join(root, 'tests/web/pages') }), page = await browser.open(`${server.url}/test/blank.html`);
    const result = await page.evaluate(async (options) => {
      const { load } = await import(/** @type {any} */ ('/m/model.js')), adapter = await navigator.gpu?.requestAdapter();
      const model = await load(options), { backend, backendReason } = model, { y } = await model.run({ x: [1, 2] });
      return { backend, backendReason, y: [...y.data].map(Number), half: adapter?.features.has('shader-f16') === true };
    }, options);
    await page.close();
    await server.close();
    return { ...result, shaders: shadersIn(server.log), modules: server.log.map(({ path }) => path).filter((path) => path.endsWith('.wasm')) };
  }

  for (const worker of [false, true]) {
    test(`the GPU says what it lacks${worker ? ', in a worker' : ''}`, async () => {
      const { backend, backendReason, half, shaders } = await loadIn(out, { backend: 'webgpu', worker });
      assert.equal(backend, 'webgpu');
      assert.match(backendReason, /^webgpu was asked for, /);
      assert.match(backendReason, half ? WITH : WITHOUT);
      assert.deepEqual(shaders, [half ? 'model.shaders.f16.json' : 'model.shaders.json']);
    });
  }

  test('wasm runs with relaxed SIMD, or says why not', async () => {
    const bare = join(work, 'bare');
    cpSync(out, bare, { recursive: true });
    rmSync(join(bare, 'model.relaxed.wasm'));
    for (const [folder, options, variant] of /** @type {[string, any, string][]} */ ([
      [out, {}, 'with relaxed SIMD'], [out, { files: { wasm: '/m/model.wasm' } }, 'without relaxed SIMD: its module is not given'],
      [bare, {}, 'without relaxed SIMD: its module is not there'],
    ])) {
      const { backend, backendReason, shaders } = await loadIn(folder, { backend: 'wasm', ...options });
      assert.deepEqual({ backend, backendReason, shaders }, { backend: 'wasm', backendReason: `wasm was asked for; wasm runs it ${variant}`, shaders: [] });
    }
  });
});
