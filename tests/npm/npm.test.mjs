// The npm packages as a user has them: made, packed, installed from their tarballs in an empty folder.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { STRICT_CSP, hasBrowser, launch, serve } from '../web/harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), digits = join(root, 'models/digits/digits.onnx');
const project = mkdtempSync(join(tmpdir(), 'webnnc-npm-'));
after(() => rmSync(project, { recursive: true, force: true }));
/** @type {string[]} */ let tarballs;

before(() => {
  execFileSync(join(root, 'tools/npm_package'), { stdio: ['ignore', 'ignore', 'inherit'] });
  tarballs = readdirSync(join(root, 'build/npm')).filter((name) => name.endsWith('.tgz')).map((name) => join(root, 'build/npm', name));
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  // What the plugin needs comes from npm, once.
  execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--save-dev', ...tarballs], { cwd: project, stdio: 'pipe' });
});

/** @param {string} script @param {string[]} args */
const node = (script, ...args) => spawnSync(process.execPath, ['--input-type=module', ...args, '-e', script], { cwd: project, encoding: 'utf8' });

test('the packages name each other, for each kind of machine', () => {
  const { version, optionalDependencies } = JSON.parse(readFileSync(join(project, 'node_modules/webnnc/package.json'), 'utf8'));
  assert.deepEqual(optionalDependencies, { '@webnnc/linux-x64': version, '@webnnc/linux-arm64': version });
  const { version: compiler, os, cpu } = JSON.parse(readFileSync(join(project, `node_modules/@webnnc/linux-${process.arch}/package.json`), 'utf8'));
  assert.deepEqual([compiler, os, cpu], [version, ['linux'], [process.arch]]);
});

test('npx compiles a model, which then runs', async () => {
  const { status, stdout, stderr } = spawnSync('npx', ['--offline', 'webnnc', digits, '-o', 'out'], { cwd: project, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /10 kernels on wasm/);
  const { load } = await import(pathToFileURL(join(project, 'out/model.js')).href);
  const { digit_probabilities } = await (await load()).run({ image: new Float32Array(784) });
  assert.equal(digit_probabilities.data.length, 10);
  assert.equal(spawnSync('npx', ['--offline', 'webnnc', '--nonsense'], { cwd: project }).status, 2);
  assert.match(spawnSync('npx', ['--offline', 'webnnc', 'tune', '--help'], { cwd: project, encoding: 'utf8' }).stdout, /--on browser/);
});

test('an empty folder, three commands, and the page shows a result', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, async (context) => {
  const empty = mkdtempSync(join(tmpdir(), 'webnnc-empty-')), began = performance.now();
  cpSync(digits, join(empty, 'digits.onnx'));
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--save-dev', ...tarballs], { cwd: empty, stdio: 'pipe' });
  execFileSync('npx', ['webnnc', 'digits.onnx', '-o', 'out/'], { cwd: empty, stdio: 'pipe' });
  const server = await serve({ '/': join(empty, 'out') }, { csp: STRICT_CSP }), browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/index.html`);
    await page.until(() => /\d(\.\d+)? ?%/.test(document.body.innerText));
    assert.deepEqual(page.problems, []);
    // To read, not to judge: machines differ.
    context.diagnostic(`from npm install to a result in the page: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  } finally {
    await browser.close();
    await server.close();
    rmSync(empty, { recursive: true });
  }
});

test('the package for Linux stays below 25 MB, and needs no library', (context) => {
  const tarball = tarballs.find((name) => name.includes('linux-')) ?? '';
  assert.ok(statSync(tarball).size < 25e6, `${statSync(tarball).size} bytes`);
  if (process.getuid?.() !== 0) return context.skip('only root may change the root');
  // A root that holds nothing else.
  const empty = join(project, 'root');
  mkdirSync(join(empty, 'tmp'), { recursive: true });
  cpSync(join(root, 'build/webnnc_static'), join(empty, 'webnnc'));
  cpSync(digits, join(empty, 'digits.onnx'));
  const { status, stderr } = spawnSync('chroot', [empty, '/webnnc', '/digits.onnx', '-o', '/out', '--quiet'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.deepEqual(readFileSync(join(empty, 'out/model.wasm')), readFileSync(join(project, 'out/model.wasm')));
});

test('compile is a function', () => {
  const { status, stdout, stderr } = node(`
    import { readFileSync } from 'node:fs';
    import { compile, WebnncError } from 'webnnc';
    const model = readFileSync(${JSON.stringify(digits)});
    const { files, build, warnings } = await compile({ model, name: 'ten digits', inputs: { image: ['batch', 1, 28, 28] }, dims: { batch: 2 }, report: false });
    console.log(Object.keys(files).length, files['model.js'].length > 1000, build.name, build.inputs[0].type, warnings.length);
    const kept = await compile({ model: ${JSON.stringify(digits)}, output: 'made/here' });
    console.log(kept.files === undefined, kept.build.programs.length);
    const both = await compile({ model: { first: ${JSON.stringify(digits)}, second: ${JSON.stringify(digits)} }, report: false });
    console.log(both.build.models.map(({ name }) => name).join(), both.build.weights.length === kept.build.weights.length);
    for (const options of [{ model: 'none.onnx' }, { model, maxCodeSize: '1kB' }, { model, backend: 1 }, {}, { model: { 'a=b': 'c' } }]) {
      await compile(options).then(() => console.log('compiled'), (error) => console.log(error instanceof WebnncError, error.message.split('\\n')[0]));
    }`);
  assert.equal(status, 0, stderr);
  const lines = stdout.trim().split('\n');
  assert.match(lines[0], /^\d+ true ten digits float32\[2,1,28,28\] 0$/);
  assert.equal(lines[1], 'true 2');
  assert.ok(existsSync(join(project, 'made/here/model.js')));
  assert.equal(lines[2], 'first,second true');
  assert.match(lines[3], /^true none.onnx: cannot read none.onnx: No such file/);
  assert.match(lines[4], /^true -: the code has .* --max-code-size allows 1.0 kB/);
  assert.match(lines[5], /^false compile: there is no option "backend"/);
  assert.match(lines[6], /^false compile: model is a path or bytes/);
  assert.match(lines[7], /^false compile: .* by names, which have no "="/);
});

test('the plugin is there for each bundler', () => {
  const { status, stderr } = node(`
    for (const bundler of ['vite', 'rollup', 'rolldown', 'webpack', 'rspack', 'esbuild']) {
      const { default: plugin } = await import('webnnc/' + bundler);
      if (typeof plugin !== 'function') throw new Error(bundler);
    }`);
  assert.equal(status, 0, stderr);
  for (const file of ['client.d.ts', 'model.d.ts']) assert.ok(existsSync(join(project, 'node_modules/webnnc', file)), file);
});

test('where there is no compiler, it is said what to do', () => {
  writeFileSync(join(project, 'darwin.mjs'), "Object.defineProperty(process, 'platform', { value: 'darwin' });");
  const { status, stderr } = spawnSync(process.execPath, ['--import', pathToFileURL(join(project, 'darwin.mjs')).href, join(project, 'node_modules/webnnc/bin/webnnc.js'), '--help'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^webnnc: error: there is no compiler for darwin on x64 yet: build it with CMake .*WEBNNC_BINARY\n$/);
  writeFileSync(join(project, 'arm64.mjs'), "Object.defineProperty(process, 'arch', { value: 'arm64' });");
  const foreign = spawnSync(process.execPath, ['--import', pathToFileURL(join(project, 'arm64.mjs')).href, join(project, 'node_modules/webnnc/bin/webnnc.js'), '--help'], { encoding: 'utf8' });
  assert.match(foreign.stderr, /^webnnc: error: the package @webnnc\/linux-arm64 is not installed/);
  const own = spawnSync(process.execPath, [join(project, 'node_modules/webnnc/bin/webnnc.js'), '--version'], { encoding: 'utf8', env: { ...process.env, WEBNNC_BINARY: join(root, 'build/webnnc') } });
  assert.match(own.stdout, /^webnnc \d/);
});
