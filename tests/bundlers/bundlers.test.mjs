// Two models in one page, as bundlers make it: each runs on wasm, in a worker and on WebGPU, in Chromium.
// Bundlers must not warn.
//
//   WEBNNC=build/webnnc node --test tests/bundlers/bundlers.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { hasBrowser, launch } from '../web/harness.mjs';
import { checkFolder, checkPage } from './pages.mjs';

const here = fileURLToPath(new URL('.', import.meta.url)), root = join(here, '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc'), require = createRequire(import.meta.url);
const work = mkdtempSync(join(tmpdir(), 'webnnc-bundlers-'));
after(() => rmSync(work, { recursive: true }));

// y = x * weight, of two weights that differ.
for (const [name, weight] of /** @type {[string, number[]][]} */ ([['twice', [2, 2]], ['thrice', [3, 3]]])) {
  const file = join(work, `${name}.onnx`);
  writeFileSync(file, onnxModel({
    inputs: { x: ['f32', [2]] }, outputs: { y: ['f32', [2]] }, constants: { weight }, nodes: [{ op: 'Mul', inputs: ['x', 'weight'], outputs: ['y'] }],
  }));
  execFileSync(webnnc, [file, '-o', join(work, 'app', name), '--quiet', '--no-report']);
}
const app = join(work, 'app');
symlinkSync(join(here, 'node_modules'), join(work, 'node_modules'));
/** @param {string} more what is passed to load, by model */
const script = (more) => `
import { load } from './twice/model.js';
import { load as loadOther } from './thrice/model.js';
globalThis.result = (async () => {
  const results = [];
  for (const options of [{ backend: 'wasm' }, { backend: 'wasm', worker: true }, { backend: 'webgpu' }]) {
    const model = await load({ ...options${more.replace('NAME', 'twice')} }), other = await loadOther({ ...options${more.replace('NAME', 'thrice')} });
    results.push([model.backend, (await model.run({ x: [1, 2] })).y.data.join(), (await other.run({ x: [1, 2] })).y.data.join()].join(' '));
  }
  return results;
})().catch((error) => String(error));
`;
writeFileSync(join(app, 'main.js'), script(''));
writeFileSync(join(app, 'named.js'), script(", baseUrl: '/NAME/'"));
writeFileSync(join(app, 'index.html'), '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>');

describe('bundled', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium');
  });
  after(() => browser.close());

  /** @param {string} folder @param {string} [entry] @param {string} [type] */
  const check = (folder, entry, type) => checkFolder(browser, folder, entry, type);

  /** A folder, with the models' own beside what is bundled: for bundlers that copy no files. @param {string} name */
  function folderWithModels(name) {
    const folder = join(work, name);
    mkdirSync(folder);
    for (const model of ['twice', 'thrice']) cpSync(join(app, model), join(folder, model), { recursive: true });
    return folder;
  }

  test('by Vite, built and in development', async () => {
    const { build, createServer, createLogger } = await import('vite');
    /** @type {string[]} */
    const warnings = [], logger = createLogger('warn');
    logger.warn = logger.warnOnce = logger.error = (message) => void warnings.push(message);
    for (const base of ['/', './']) {
      await build({ root: app, base, customLogger: logger, build: { outDir: join(work, 'vite'), emptyOutDir: true, assetsInlineLimit: 0 } });
      await check(join(work, 'vite'));
    }
    const server = await createServer({ root: app, customLogger: logger, server: { port: 0, host: '127.0.0.1' } });
    await server.listen();
    await checkPage(browser, String(server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0])).finally(() => server.close());
    assert.deepEqual(warnings, []);
  });

  test('by webpack and Rspack', async () => {
    for (const [name, bundle] of /** @type {[string, any][]} */ ([['webpack', require('webpack')], ['rspack', require('@rspack/core').rspack]])) {
      for (const mode of ['production', 'development']) {
        const path = join(work, `${name}-${mode}`);
        const stats = await new Promise((done, fail) => bundle(
          { mode, context: app, entry: './main.js', output: { path, publicPath: 'auto' }, performance: { hints: false }, devtool: false },
          (/** @type {any} */ error, /** @type {any} */ result) => error ? fail(error) : done(result)));
        assert.deepEqual(stats.toJson({ warnings: true, errors: true }).warnings.map((/** @type {any} */ w) => w.message), []);
        assert.deepEqual(stats.toJson({ errors: true }).errors.map((/** @type {any} */ e) => e.message), []);
        await check(path, 'main.js');
      }
    }
  });

  test('by esbuild, as modules and as one script', async () => {
    const { build } = await import('esbuild');
    for (const format of /** @type {const} */ (['esm', 'iife'])) {
      const folder = folderWithModels(`esbuild-${format}`);
      const { warnings } = await build({
        entryPoints: [join(app, 'named.js')], bundle: true, minify: true, format, outfile: join(folder, 'app.js'), logLevel: 'silent',
      });
      assert.deepEqual(warnings, []);
      await check(folder, 'app.js', format === 'esm' ? 'type="module"' : '');
    }
  });

  test('by Rollup', async () => {
    const { rollup } = await import('rollup'), folder = folderWithModels('rollup');
    /** @type {string[]} */
    const warnings = [];
    const bundle = await rollup({ input: join(app, 'named.js'), onwarn: ({ message }) => void warnings.push(message) });
    await bundle.write({ file: join(folder, 'app.js'), format: 'es', inlineDynamicImports: true });
    assert.deepEqual(warnings, []);
    await check(folder, 'app.js', 'type="module"');
  });
});
