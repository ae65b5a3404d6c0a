// Two models in one page, as bundlers make it: each runs on wasm, in a worker and on WebGPU, in Chromium.
// Also in libraries, in what a server renders, and in scripts of CommonJS. Bundlers must not warn.
//
//   WEBNNC=build/webnnc node --test tests/bundlers/bundlers.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { hasBrowser, launch } from '../web/harness.mjs';
import { RUN_IN_PAGE, compileModels, runModule } from './models.mjs';
import { EXPECTED, checkFolder, checkPage } from './pages.mjs';

const here = fileURLToPath(new URL('.', import.meta.url)), require = createRequire(import.meta.url);
const work = mkdtempSync(join(tmpdir(), 'webnnc-bundlers-'));
after(() => rmSync(work, { recursive: true }));

const app = join(work, 'app');
mkdirSync(app);
compileModels(app);
symlinkSync(join(here, 'node_modules'), join(work, 'node_modules'));
writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
writeFileSync(join(app, 'main.js'), runModule() + RUN_IN_PAGE);
writeFileSync(join(app, 'named.js'), runModule(", baseUrl: '/NAME/'") + RUN_IN_PAGE);
// For those who import files by their addresses, as `bun build` does.
writeFileSync(join(app, 'given.js'), runModule(', files: filesOfNAME', ['twice', 'thrice'].flatMap((name) => [
  ...Object.entries({ wasm: 'wasm', relaxed: 'relaxed.wasm', shaders: 'shaders.json', weights: 'weights.bin', worker: 'worker.js' })
    .map(([kind, file]) => `import ${name}_${kind} from './${name}/model.${file}' with { type: 'file' };`),
  `const filesOf${name} = { wasm: ${name}_wasm, relaxed: ${name}_relaxed, shaders: ${name}_shaders, weights: ${name}_weights, worker: ${name}_worker };`,
]).join('\n')) + RUN_IN_PAGE);
// A server's script, whose models stay where they are.
writeFileSync(join(app, 'server.js'), runModule(', baseUrl: `${models}/NAME/`', "import { pathToFileURL } from 'node:url';\nconst models = pathToFileURL(process.env.MODELS).href;"));
writeFileSync(join(app, 'index.html'), '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>');

describe('bundled', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium');
  });
  after(() => browser.close());

  /** @param {string} folder @param {string} [entry] @param {string} [type] */
  const check = (folder, entry, type) => checkFolder(browser, folder, { entry, type });

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
    for (const base of ['/', './', '/deep/app/']) {
      await build({ root: app, base, customLogger: logger, build: { outDir: join(work, 'vite'), emptyOutDir: true, assetsInlineLimit: 0 } });
      await checkFolder(browser, join(work, 'vite'), { at: base.replace('./', '/deep/app/') });
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

  test('by Rollup and Rolldown, as modules and as one script', async () => {
    for (const [name, bundler] of /** @type {[string, any][]} */ ([['rollup', (await import('rollup')).rollup], ['rolldown', (await import('rolldown')).rolldown]])) {
      for (const format of ['es', 'iife']) {
        const folder = folderWithModels(`${name}-${format}`);
        /** @type {string[]} */
        const warnings = [];
        const bundle = await bundler({
          input: join(app, 'named.js'), onwarn: (/** @type {any} */ { message }) => void warnings.push(message),
          // Rolldown warns that a script has no address, which baseUrl makes up for.
          ...name === 'rolldown' && format === 'iife' && { checks: { emptyImportMeta: false } },
        });
        await bundle.write({ file: join(folder, 'app.js'), format, name: 'app', ...name === 'rollup' && { inlineDynamicImports: true } });
        assert.deepEqual(warnings, [], name);
        await check(folder, 'app.js', format === 'es' ? 'type="module"' : '');
      }
    }
  });

  test('by bun build, with the files copied or imported', async () => {
    const bun = join(here, 'node_modules/.bin/bun');
    const named = folderWithModels('bun'), given = join(work, 'bun-given');
    execFileSync(bun, ['build', join(app, 'named.js'), '--outfile', join(named, 'app.js'), '--minify'], { stdio: 'pipe' });
    await check(named, 'app.js', 'type="module"');
    execFileSync(bun, ['build', join(app, 'given.js'), '--outdir', given, '--minify'], { stdio: 'pipe' });
    await check(given, 'given.js', 'type="module"');
  });

  test('in a library that Vite makes, by a page and by a second bundler', async () => {
    const { build } = await import('vite'), outDir = join(work, 'library');
    await build({ root: app, logLevel: 'silent', build: { outDir, lib: { entry: 'main.js', formats: ['es'], fileName: () => 'library.mjs' } } });
    await check(outDir, 'library.mjs', 'type="module"');
    const esbuild = await import('esbuild'), folder = join(work, 'library-bundled');
    await esbuild.build({ entryPoints: [join(outDir, 'library.mjs')], bundle: true, format: 'esm', outfile: join(folder, 'app.js'), logLevel: 'silent' });
    await check(folder, 'app.js', 'type="module"');
  });
});

/** What a script says of `run`, in Node. @param {string} folder @param {string} script @param {string[]} flags */
const inNode = (folder, script, ...flags) => execFileSync(process.execPath, [...flags, '-e', `${script}.run({ backend: 'wasm' }).then(console.log)`],
  { cwd: folder, encoding: 'utf8', env: { ...process.env, MODELS: app } }).trim();

describe('in Node', () => {
  test('rendered by a server that Vite builds', async () => {
    const { build } = await import('vite'), outDir = join(work, 'server');
    await build({ root: app, logLevel: 'silent', build: { outDir, ssr: 'server.js' } });
    assert.equal(inNode(outDir, "(await import('./server.js'))", '--input-type=module'), EXPECTED[0]);
  });

  test('in a project of CommonJS: imported, required, and bundled', async () => {
    const project = join(work, 'commonjs');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "type": "commonjs" }');
    for (const model of ['twice', 'thrice']) cpSync(join(app, model), join(project, model), { recursive: true });
    writeFileSync(join(project, 'imported.cjs'), `
      exports.run = async (options) => {
        const [{ load }, { load: loadOther }] = await Promise.all([import('./twice/model.js'), import('./thrice/model.js')]);
        const model = await load(options), other = await loadOther(options);
        return [model.backend, (await model.run({ x: [1, 2] })).y.data.join(), (await other.run({ x: [1, 2] })).y.data.join()].join(' ');
      };`);
    writeFileSync(join(project, 'required.cjs'), readFileSync(join(project, 'imported.cjs'), 'utf8').replaceAll('import(', 'require('));
    assert.equal(inNode(project, "require('./imported.cjs')"), EXPECTED[0]);
    // Node 20 needs to be told that modules may be required; from 22.12 on they may.
    assert.equal(inNode(project, "require('./required.cjs')", ...process.version.startsWith('v20') ? ['--experimental-require-module', '--no-warnings'] : []), EXPECTED[0]);
    const { build } = await import('esbuild');
    const { warnings } = await build({ entryPoints: [join(app, 'server.js')], bundle: true, platform: 'node', format: 'cjs', outfile: join(project, 'bundled.cjs'), logLevel: 'silent' });
    assert.deepEqual(warnings, []);
    assert.equal(inNode(project, "require('./bundled.cjs')"), EXPECTED[0]);
  });
});
