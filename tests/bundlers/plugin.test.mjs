// `import { load } from './model.onnx?webnnc'`: bundlers compile the models, whose files become assets. Pages then run two
// of them in Chromium, on wasm, in a worker and on WebGPU.
//
//   WEBNNC=build/webnnc node --test tests/bundlers/plugin.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { hasBrowser, launch } from '../web/harness.mjs';
import { EXPECTED, checkFolder, checkPage } from './pages.mjs';

const here = fileURLToPath(new URL('.', import.meta.url)), root = join(here, '../..'), require = createRequire(import.meta.url);
process.env.WEBNNC_BINARY = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-plugin-')), app = join(work, 'app'), cache = join(work, 'cache');
after(() => rmSync(work, { recursive: true }));

// The package, beside what it depends on.
cpSync(join(root, 'tools/npm'), join(work, 'webnnc'), { recursive: true });
for (const folder of [work, join(work, 'webnnc')]) symlinkSync(join(here, 'node_modules'), join(folder, 'node_modules'));
/** @param {string} bundler @param {object} [options] */
const plugin = async (bundler, options) => (await import(pathToFileURL(join(work, `webnnc/plugin/${bundler}.js`)).href)).default({ cache, ...options });

/** y = x * weight @param {string} name @param {number} weight @param {string} [op] */
const writeModel = (name, weight, op = 'Mul') => writeFileSync(join(app, `${name}.onnx`), onnxModel({
  inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['n']] }, constants: { weight: [weight] }, nodes: [{ op, inputs: ['x', 'weight'], outputs: ['y'] }],
}));
mkdirSync(app);
writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
writeModel('twice', 2);
writeModel('thrice', 3);
writeFileSync(join(app, 'main.js'), `
import { load } from './twice.onnx?webnnc&dim=n:2';
import { load as loadOther } from './thrice.onnx?webnnc&dim=n:2';
export const run = async (options) => {
  const model = await load(options), other = await loadOther(options);
  return [model.backend, (await model.run({ x: [1, 2] })).y.data.join(), (await other.run({ x: [1, 2] })).y.data.join()].join(' ');
};
globalThis.document && (globalThis.result = (async () => [await run({ backend: 'wasm' }), await run({ backend: 'wasm', worker: true }), await run({ backend: 'webgpu' })])()
  .catch((error) => String(error)));
`);
// One import of both.
writeFileSync(join(app, 'both.js'), `
import { load } from './twice.onnx?webnnc&dim=twice:n:2&dim=other:n:2&with=other:./thrice.onnx&models';
export const run = async (options) => {
  const { twice, other } = await load(options), { y } = await twice.run({ x: [1, 2] });
  return [twice.backend, y.data.join(), (await other.run({ x: [1, 2] })).y.data.join(), (await other.run({ x: y })).y.data.join()].join(' ');
};
globalThis.document && (globalThis.result = (async () => [await run({ backend: 'wasm' }), await run({ backend: 'wasm', worker: true }), await run({ backend: 'webgpu' })])()
  .catch((error) => String(error)));
`);
const BOTH = EXPECTED.map((result) => `${result} 6,12`);
writeFileSync(join(app, 'index.html'), '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>');

describe('the plugin', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium');
  });
  after(() => browser.close());

  /** @param {string} folder @param {string} [entry] @param {string[]} [expected] */
  const check = (folder, entry, expected = EXPECTED) => checkFolder(browser, folder, { entry, type: 'type="module"', expected });

  test('in Vite: built, for a server, and in development', async () => {
    const { build, createServer } = await import('vite'), outDir = join(work, 'vite');
    await build({ root: app, base: './', logLevel: 'silent', plugins: [await plugin('vite')], build: { outDir } });
    await check(outDir);
    // Elsewhere than in the folder of the page's script, too.
    await build({ root: app, logLevel: 'silent', plugins: [await plugin('vite')], build: { outDir } });
    await check(outDir);
    const server = await createServer({ root: app, logLevel: 'silent', plugins: [await plugin('vite')], server: { port: 0, host: '127.0.0.1', fs: { allow: [work] } } });
    try {
      await server.listen();
      const url = String(server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0]);
      await checkPage(browser, url);
      assert.equal(await (await server.ssrLoadModule('/main.js')).run({ backend: 'wasm' }), EXPECTED[0]);
      // A model that changes is compiled again.
      writeModel('twice', 5);
      for (let tries = 0; tries < 100; ++tries) {
        if (await (await server.ssrLoadModule('/main.js')).run({ backend: 'wasm' }) === 'wasm 5,10 3,6') break;
        assert.ok(tries < 99, 'the model is not compiled again');
        await new Promise((done) => setTimeout(done, 100));
      }
      writeModel('twice', 2);
      // The development server shows errors, which name the node.
      writeModel('wrong', 1, 'NoSuchOperator');
      await assert.rejects(server.transformRequest('/wrong.onnx?webnnc'), /NoSuchOperator/);
    } finally {
      await server.close();
    }
  });

  test('in Vite, for a server that runs the model', async () => {
    const { build } = await import('vite'), outDir = join(work, 'ssr');
    await build({ root: app, logLevel: 'silent', plugins: [await plugin('vite')], build: { outDir, ssr: 'main.js' } });
    const script = `import { run } from ${JSON.stringify(join(outDir, 'main.js'))}; console.log(await run({ backend: 'wasm' }))`;
    assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim(), EXPECTED[0]);
  });

  test('in a library that Vite makes', async () => {
    const { build } = await import('vite'), outDir = join(work, 'library');
    await build({ root: app, logLevel: 'silent', plugins: [await plugin('vite')], build: { outDir, lib: { entry: 'main.js', formats: ['es'], fileName: () => 'main.mjs' } } });
    assert.ok(readdirSync(outDir).some((name) => /^twice-\w{8}\.wasm$/.test(name)));
    await check(outDir, 'main.mjs');
  });

  test('in webpack and Rspack', async () => {
    for (const [name, bundle] of /** @type {[string, any][]} */ ([['webpack', require('webpack')], ['rspack', require('@rspack/core').rspack]])) {
      const path = join(work, name), plugins = [await plugin(name)];
      const stats = await new Promise((done, fail) => bundle(
        { mode: 'production', context: app, entry: './main.js', output: { path, publicPath: 'auto' }, performance: { hints: false }, devtool: false, plugins },
        (/** @type {any} */ error, /** @type {any} */ result) => error ? fail(error) : done(result)));
      const { errors, warnings } = stats.toJson({ warnings: true, errors: true });
      assert.ok(readdirSync(path).some((file) => /^[\da-f]{16,}\.wasm$/.test(file)), name);
      assert.deepEqual([...errors, ...warnings].map((/** @type {any} */ { message }) => message), [], name);
      await check(path, 'main.js');
    }
  });

  test('in esbuild', async () => {
    const { build } = await import('esbuild'), outdir = join(work, 'esbuild');
    const { warnings } = await build({ entryPoints: [join(app, 'main.js')], bundle: true, minify: true, format: 'esm', outdir, logLevel: 'silent', plugins: [await plugin('esbuild')] });
    assert.deepEqual(warnings, []);
    await check(outdir, 'main.js');
  });

  test('several models by one import, in Vite, webpack, Rspack, esbuild and Rollup', async () => {
    const input = join(app, 'both.js'), out = (/** @type {string} */ name) => join(work, `both-${name}`);
    const { build } = await import('vite'), { build: buildByEsbuild } = await import('esbuild'), { rollup } = await import('rollup');
    await build({ root: app, logLevel: 'silent', plugins: [await plugin('vite')], build: { outDir: out('vite'), lib: { entry: input, formats: ['es'], fileName: () => 'both.mjs' } } });
    await check(out('vite'), 'both.mjs', BOTH);
    await build({ root: app, logLevel: 'silent', plugins: [await plugin('vite')], build: { outDir: out('ssr'), ssr: 'both.js' } });
    const script = `import { run } from ${JSON.stringify(join(out('ssr'), 'both.js'))}; console.log(await run({ backend: 'wasm' }))`;
    assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim(), BOTH[0]);
    for (const [name, bundle] of /** @type {[string, any][]} */ ([['webpack', require('webpack')], ['rspack', require('@rspack/core').rspack]])) {
      const path = out(name), plugins = [await plugin(name)];
      const stats = await new Promise((done, fail) => bundle(
        { mode: 'production', context: app, entry: './both.js', output: { path, publicPath: 'auto' }, performance: { hints: false }, devtool: false, plugins },
        (/** @type {any} */ error, /** @type {any} */ result) => error ? fail(error) : done(result)));
      assert.deepEqual(stats.toJson({ errors: true }).errors, [], name);
      await check(path, 'main.js', BOTH);
    }
    await buildByEsbuild({ entryPoints: [input], bundle: true, minify: true, format: 'esm', outdir: out('esbuild'), logLevel: 'silent', plugins: [await plugin('esbuild')] });
    await check(out('esbuild'), 'both.js', BOTH);
    await (await rollup({ input, plugins: [await plugin('rollup')] })).write({ dir: out('rollup'), format: 'es' });
    await check(out('rollup'), 'both.js', BOTH);
    // Each of the files counts.
    const before = readdirSync(cache).length;
    writeModel('thrice', 4);
    await rollup({ input, plugins: [await plugin('rollup')] });
    assert.equal(readdirSync(cache).length, before + 1);
    writeModel('thrice', 3);
  });

  test('types say what an import gives', async () => {
    cpSync(join(root, 'runtime-js/model.d.ts'), join(work, 'webnnc/model.d.ts'));
    const types = join(work, 'types');
    mkdirSync(join(types, 'node_modules'), { recursive: true });
    symlinkSync(join(work, 'webnnc'), join(types, 'node_modules/webnnc'));
    writeFileSync(join(types, 'use.ts'), `/// <reference types="webnnc/client" />
import { load } from './twice.onnx?webnnc';
import { load as loadBoth, type Model } from './twice.onnx?webnnc&with=other:./thrice.onnx&models';
const one: Model = await load(), { twice, other } = await loadBoth({ backend: 'wasm' }), both: Model[] = [twice, other];
console.log(one.name, (await both[0].run({ x: [1, 2] })).y.data);
// @ts-expect-error An object of models is none.
(await loadBoth()).run({ x: [1, 2] }).then;
export {};
`);
    execFileSync(process.execPath, [join(root, 'tests/web/node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext',
      '--moduleResolution', 'bundler', '--lib', 'es2022,dom', join(types, 'use.ts')], { encoding: 'utf8' });
  });

  test('in Rollup, which names what is wrong and compiles what has changed', async () => {
    const { rollup } = await import('rollup'), dir = join(work, 'rollup'), input = join(app, 'main.js');
    /** @param {object} [options] */
    const bundle = async (options) => rollup({ input, plugins: [await plugin('rollup', options)] });
    await (await bundle()).write({ dir, format: 'es' });
    await check(dir, 'main.js');
    assert.ok(readdirSync(join(dir, 'assets')).some((name) => /^twice\.wasm|^twice-.*\.wasm$|^twice.*\.wasm$/.test(name)));
    const before = readdirSync(cache).length;
    await bundle();
    assert.equal(readdirSync(cache).length, before);
    await bundle({ models: { [join(app, 'thrice.onnx')]: { device: 'small' } } });
    assert.equal(readdirSync(cache).length, before + 1);
    await assert.rejects(bundle({ maxCodeSize: '1kB' }), /--max-code-size allows 1.0 kB/);
    writeFileSync(join(app, 'typo.js'), "import './twice.onnx?webnnc&dims=n:2';");
    await assert.rejects(rollup({ input: join(app, 'typo.js'), plugins: [await plugin('rollup')] }), /no option "dims=n:2"/);
  });
});
