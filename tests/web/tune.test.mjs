// `webnnc tune`: measures in Chromium and by Dawn in Node, on a GPU in software. WEBNNC names the compiler; without it, build/webnnc.
//
//   node --test tests/web/tune.test.mjs        SCREENSHOT=FILE.png keeps what the page looks like at the end

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { makeCertificate } from '../../runtime-js/tune/certificate.js';
import { onnxModel } from '../onnx_model.mjs';
import { gpu } from './dawn.mjs';
import { hasBrowser, launch, serve } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-tune-test-'));
after(() => rmSync(folder, { recursive: true }));

const ROWS = 24, INNER = 40, COLUMNS = 36;
const model = join(folder, 'product.onnx');
writeFileSync(model, onnxModel({
  inputs: { x: ['f32', [ROWS, INNER]], y: ['f32', [INNER, COLUMNS]] }, outputs: { z: ['f32', [ROWS, COLUMNS]], sums: ['f32', [ROWS, 1]] },
  nodes: [
    { op: 'MatMul', name: 'product', inputs: ['x', 'y'], outputs: ['z'] },
    { op: 'ReduceSum', name: 'sum', inputs: ['z'], outputs: ['sums'], attributes: { axes: [1] } },
  ],
}));
const FEW = ['--measurements', '9', '--candidates', '5'];

/** What a file of times holds. @param {string} path */
const entriesOf = (path) => [...readFileSync(path, 'utf8').matchAll(/^for (\S+) "(\w+)" on "([^"]+)" (\d+) ns (schedule \{[^}]*\})/gm)]
  .map(([, target, key, device, ns, schedule]) => ({ kernel: `${target} "${key}"`, device, ns: Number(ns), schedule }));

/** @param {ReturnType<typeof entriesOf>} entries */
const distinct = (entries) => new Set(entries.map(({ kernel, device, schedule }) => `${kernel} ${device} ${schedule}`)).size;

/** The schedules that the compiler takes with a file, by kernel. @param {string} file @param {string} [target] */
function takenWith(file, target = 'webgpu') {
  const { status, stdout, stderr } = spawnSync(webnnc, [model, '--target', target, '--emit', 'schedules', '--schedules', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /warning/);
  return new Map([...stdout.matchAll(/^for (\S+ "\w+") (schedule \{[^}]*\})/gm)].map(([, kernel, schedule]) => [kernel, schedule]));
}

/** Starts it for a page. @param {string} output @param {string[]} flags */
async function start(output, ...flags) {
  const child = spawn(webnnc, ['tune', model, '--on', 'browser', '-o', output, ...FEW, ...flags], { cwd: folder });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => said += text);
  const ended = new Promise((done) => child.on('close', done));
  while (!said.includes('Ctrl-C')) {
    await Promise.race([new Promise((done) => setTimeout(done, 20)), ended.then(() => assert.fail(said))]);
  }
  return { url: /http:\S+/.exec(said)?.[0] ?? '', secure: /https:\S+/.exec(said)?.[0], stop: () => (child.kill('SIGINT'), ended), said: () => said };
}

const press = () => /** @type {HTMLButtonElement} */ (document.getElementById('toggle')).click();
const isIn = (/** @type {string} */ state) => document.getElementById('main')?.dataset.state === state;
const hasMeasured = (/** @type {number} */ count) => /** @type {HTMLProgressElement} */ (document.getElementById('progress')).value >= count;

describe('in Chromium', { skip: !hasBrowser('chromium') && 'there is no Chromium', concurrency: false }, () => {
  test('a page measures, the file is one for --schedules, and another session measures nothing again', async () => {
    const output = join(folder, 'chromium.schedules'), server = await start(output), browser = await launch('chromium');
    try {
      const page = await browser.open(server.url, { timeout: 300_000, viewport: { width: 900, height: 600 } });
      await page.until(isIn, 'idle');
      await page.evaluate(press);
      await page.until(isIn, 'done');
      assert.deepEqual(page.problems, []);
      if (process.env.SCREENSHOT) await page.screenshot(process.env.SCREENSHOT);
      const entries = entriesOf(output);
      assert.ok(entries.length > 2 && entries.length <= 9, `${entries.length}`);
      assert.equal(distinct(entries), entries.length);
      assert.ok(entries.every(({ device, ns }) => device === 'google swiftshader' && ns > 0));
      for (const [kernel, schedule] of takenWith(output)) {
        const own = entries.filter((entry) => entry.kernel === kernel), least = Math.min(...own.map(({ ns }) => ns));
        assert.ok(own.some((entry) => entry.ns === least && entry.schedule === schedule), `${kernel} ${schedule}`);
      }
      assert.match(server.said(), /google swiftshader: \d+ of \d+ measured, kernels [\d.]+ ms -> [\d.]+ ms/);
      const before = readFileSync(output, 'utf8');
      await page.visit(server.url);
      await page.until(isIn, 'idle');
      await page.evaluate(press);
      await page.until(isIn, 'done');
      assert.equal(readFileSync(output, 'utf8'), before);
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test('it can be stopped, and resumed by another call', async () => {
    const output = join(folder, 'stopped.schedules'), browser = await launch('chromium');
    const session = async (/** @type {(page: import('./harness.mjs').Page) => Promise<void>} */ work) => {
      const server = await start(output);
      try {
        const page = await browser.open(server.url, { timeout: 300_000 });
        await page.until(isIn, 'idle');
        await page.evaluate(press);
        await work(page);
        await page.close();
      } finally {
        await server.stop();
      }
    };
    try {
      await session(async (page) => {
        await page.until(hasMeasured, 1);
        await page.evaluate(press);
        await page.until(isIn, 'stopped');
      });
      const first = entriesOf(output);
      assert.ok(first.length >= 1 && first.length < 9, `${first.length}`);
      await session((page) => page.until(isIn, 'done'));
      const all = entriesOf(output);
      assert.deepEqual(all.slice(0, first.length), first);
      assert.ok(all.length > first.length);
      assert.equal(distinct(all), all.length);
    } finally {
      await browser.close();
    }
  });

  test('the CPU is measured in a worker, and the compiler takes what was fastest', async () => {
    const output = join(folder, 'wasm.schedules'), server = await start(output, '--target', 'wasm'), browser = await launch('chromium');
    try {
      const page = await browser.open(server.url, { timeout: 300_000 });
      await page.until(isIn, 'idle');
      // The clock of a page that is isolated is fine enough for short kernels.
      assert.equal(await page.evaluate(() => crossOriginIsolated), true);
      await page.evaluate(press);
      await page.until(isIn, 'done');
      assert.deepEqual(page.problems, []);
      const entries = entriesOf(output), least = entries.reduce((a, b) => b.ns < a.ns ? b : a);
      assert.equal(distinct(entries), 5);
      assert.ok(entries.every(({ device, kernel, ns }) => /^v8 \d+ (x86|arm)$/.test(device) && /^wasm-relaxed "/.test(kernel) && ns > 0), JSON.stringify(entries[0]));
      assert.equal(takenWith(output, 'wasm').get(least.kernel), least.schedule);
    } finally {
      await browser.close();
      await server.stop();
    }
  });

  test('from another device it is https, which has WebGPU', async (t) => {
    const server = await start(join(folder, 'https.schedules')), browser = await launch('chromium', { args: ['--ignore-certificate-errors'] });
    try {
      if (!server.secure) return t.skip('this machine has no network');
      const page = await browser.open(server.secure);
      await page.until(isIn, 'idle');
      assert.equal(await page.evaluate(() => isSecureContext), true);
    } finally {
      await browser.close();
      await server.stop();
    }
  });
});

test('who does not know the address gets nothing, and what is no report is refused', async () => {
  const output = join(folder, 'refused.schedules'), server = await start(output), { origin } = new URL(server.url);
  try {
    for (const path of ['/', '/job.json', '/tune.html']) assert.equal((await fetch(`${origin}${path}`)).status, 404);
    const bad = [{}, { device: 'a"b', times: [] }, { device: 'a', times: [{ kernel: 99, candidate: 0, seconds: 1 }] }, { device: 'a\n', times: [{ kernel: 0, candidate: 0, seconds: 1 }] }];
    for (const report of bad) assert.equal((await fetch(`${server.url}measured`, { method: 'POST', body: JSON.stringify(report) })).status, 400);
    assert.ok(!readdirSync(folder).includes('refused.schedules'));
  } finally {
    await server.stop();
  }
});

/** @param {string[]} flags @param {import('node:child_process').SpawnSyncOptions} [options] */
const tune = (flags, options) => spawnSync(webnnc, ['tune', ...flags], { encoding: 'utf8', cwd: folder, ...options });
const dawn = { env: { ...process.env, NODE_PATH: join(root, 'tests/web/node_modules') } };

test('by Dawn in Node it gives a file, too, and goes on from it', () => {
  const output = join(folder, 'node.schedules');
  const first = tune([model, '--on', 'node', '-o', output, ...FEW], dawn);
  assert.equal(first.status, 0, String(first.stderr));
  const entries = entriesOf(output);
  assert.ok(entries.length > 2);
  assert.equal(takenWith(output).size, 2);
  const again = tune([model, '--on', 'node', '-o', output, ...FEW], dawn);
  assert.equal(again.status, 0, String(again.stderr));
  assert.deepEqual(entriesOf(output), entries);
});

test('whatever is the fastest, the network computes the same', async () => {
  const { kernels } = JSON.parse(execFileSync(webnnc, [model, '--target', 'webgpu', '--emit', 'candidates', '--candidates', '3'], { encoding: 'utf8' }));
  const x = Float32Array.from({ length: ROWS * INNER }, (_, i) => (i * 37 % 101) / 100), y = Float32Array.from({ length: INNER * COLUMNS }, (_, i) => (i * 53 % 89) / 89 - 0.5);
  const z = Float64Array.from({ length: ROWS * COLUMNS }, (_, i) => {
    const row = Math.floor(i / COLUMNS), column = i % COLUMNS;
    return Array.from({ length: INNER }, (_, k) => x[row * INNER + k] * y[k * COLUMNS + column]).reduce((a, b) => a + b);
  });
  const codes = new Set();
  for (let fastest = 0; fastest < 3; ++fastest) {
    const file = join(folder, `fastest${fastest}.schedules`), out = join(folder, `fastest${fastest}`);
    writeFileSync(file, kernels.flatMap((/** @type {any} */ { target, key, candidates }) => candidates.map((/** @type {any} */ { schedule }, /** @type {number} */ c) =>
      `for ${target} "${key}" on "some device" ${c === fastest ? 1000 : 2000} ns ${schedule}`)).join(''));
    execFileSync(webnnc, [model, '-o', out, '--quiet', '--schedules', file]);
    codes.add(execFileSync(webnnc, [model, '--target', 'webgpu', '--emit', 'wgsl', '--schedules', file], { encoding: 'utf8' }));
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href), adapter = await gpu.requestAdapter();
    const network = await load({ device: await adapter?.requestDevice() }), results = await network.run({ x, y });
    assert.equal(network.backend, 'webgpu');
    results.z.data.forEach((/** @type {number} */ value, /** @type {number} */ i) => assert.ok(Math.abs(value - z[i]) < 1e-4));
    network.dispose();
  }
  assert.equal(codes.size, 3);
});

test('what is missing or wrong is said with a way out', () => {
  const bare = mkdtempSync(join(folder, 'bare-'));
  for (const [flags, options, expected] of /** @type {[string[], object, RegExp][]} */ ([
    [[model, '--on', 'node', ...FEW], { cwd: bare, env: { ...process.env, NODE_PATH: '' } }, /npm install webgpu/],
    [[model], { env: { PATH: bare } }, /tune needs Node.*nodejs\.org/s],
    [[model, '--on', 'phone'], {}, /--on names "phone": there are browser and node/],
    [['--on', 'node'], {}, /there is no model/],
    [[model, '--measurements', '0'], {}, /--measurements 0 is not a number/],
    [[join(bare, 'missing.onnx')], {}, /missing\.onnx/],
    [[model, '-o', model], {}, /is no file of schedules: name another one with -o/],
  ])) {
    const { status, stderr } = tune(flags, options);
    assert.notEqual(status, 0, String(expected));
    assert.match(String(stderr), expected);
  }
  assert.match(String(tune(['--help']).stdout), /--on browser/);
  assert.deepEqual(readdirSync(tmpdir()).filter((name) => /^webnnc-tune-\w{6}$/.test(name) && readdirSync(join(tmpdir(), name)).includes('tune.js')), []);
});

// ---- load({ tune: true })

const openModel = join(folder, 'open.onnx');
writeFileSync(openModel, onnxModel({
  inputs: { x: ['f32', ['n', INNER]], y: ['f32', [INNER, COLUMNS]] }, outputs: { z: ['f32', ['n', COLUMNS]] },
  nodes: [{ op: 'MatMul', name: 'product', inputs: ['x', 'y'], outputs: ['z'] }],
}));
const tunable = join(folder, 'tunable');
execFileSync(webnnc, [openModel, '-o', tunable, '--quiet', '--tunable']);

/** @param {number} rows @returns {{x: {data: Float32Array, shape: number[]}, y: Float32Array, z: number[]}} */
function productOf(rows) {
  const x = Float32Array.from({ length: rows * INNER }, (_, i) => (i * 37 % 101) / 100), y = Float32Array.from({ length: INNER * COLUMNS }, (_, i) => (i * 53 % 89) / 89 - 0.5);
  const z = Array.from({ length: rows * COLUMNS }, (_, i) => Array.from({ length: INNER }, (_, k) => x[Math.floor(i / COLUMNS) * INNER + k] * y[k * COLUMNS + i % COLUMNS]).reduce((a, b) => a + b));
  return { x: { data: x, shape: [rows, INNER] }, y, z };
}

/** Loads a copy of the bundle, so that nothing is known from before, with a Cache that holds this. @param {string} name @param {number[]} [chosen] */
async function loadTuned(name, chosen) {
  const copy = join(folder, name), /** @type {any[]} */ put = [], /** @type {string[]} */ codes = [];
  cpSync(tunable, copy, { recursive: true });
  Object.assign(globalThis, { caches: { open: async () => ({ match: async () => chosen && Response.json(chosen), put: async (/** @type {string} */ key, /** @type {Response} */ value) => put.push({ key, value: await value.json() }) }) } });
  const adapter = await gpu.requestAdapter(), device = await /** @type {GPUAdapter} */ (adapter).requestDevice();
  const make = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => (codes.push(descriptor.code), make(descriptor));
  const { load } = await import(pathToFileURL(join(copy, 'model.js')).href), network = await load({ device, tune: true });
  return { network, put, codes };
}

test('a bundle has other shaders, of which the page chooses, and results are the same for any sizes', async () => {
  const codes = new Set();
  for (const chosen of [[0], [1], [2], [3]]) {
    const tuned = await loadTuned(`chosen${chosen[0]}`, chosen);
    assert.equal(tuned.codes.length, chosen[0] ? 2 : 1, 'what is remembered is not measured');
    codes.add(tuned.codes.at(-1));
    for (const rows of [1, 70, 24]) {
      const { x, y, z } = productOf(rows), results = await tuned.network.run({ x, y });
      assert.deepEqual(results.z.shape, [rows, COLUMNS]);
      results.z.data.forEach((/** @type {number} */ value, /** @type {number} */ i) => assert.ok(Math.abs(value - z[i]) < 1e-4, `${chosen} ${rows} ${i}`));
    }
    assert.deepEqual(tuned.put, []);
    tuned.network.dispose();
  }
  assert.equal(codes.size, 4);
});

test('what was measured is remembered, by the kind of device and the build', async () => {
  const { network, put, codes } = await loadTuned('measured'), [{ key, value }] = put;
  assert.equal(put.length, 1);
  assert.match(decodeURIComponent(key), /google swiftshader\/[0-9a-f]{16}\/0\/0$/);
  assert.ok(value.length === 1 && value[0] >= 0 && value[0] < 4, JSON.stringify(value));
  assert.ok(codes.length >= 5);
  const { x, y, z } = productOf(24), results = await network.run({ x, y });
  results.z.data.forEach((/** @type {number} */ value, /** @type {number} */ i) => assert.ok(Math.abs(value - z[i]) < 1e-4));
  network.dispose();
});

test('a bundle without other shaders says so', async () => {
  const plain = join(folder, 'plain');
  execFileSync(webnnc, [openModel, '-o', plain, '--quiet']);
  const { load } = await import(pathToFileURL(join(plain, 'model.js')).href), adapter = await gpu.requestAdapter();
  await assert.rejects(load({ tune: true, device: await adapter?.requestDevice() }), { name: 'TypeError', message: /--tunable/ });
  assert.equal((await load({ tune: true, backend: 'wasm' })).backend, 'wasm');
});

test('in Chromium, in a worker, the browser remembers', { skip: !hasBrowser('chromium') && 'there is no Chromium' }, async () => {
  const server = await serve({ '/': tunable }), browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/report.html`, { timeout: 300_000 });
    for (const worker of [true, false]) {
      const { z, known } = await page.evaluate(async (worker, x, shape, y) => {
        const { load } = await import(/** @type {any} */ ('/model.js')), model = await load({ backend: 'webgpu', tune: true, worker });
        const results = await model.run({ x: { data: new Float32Array(x), shape }, y: new Float32Array(y) });
        return { z: [...results.z.data], known: (await (await caches.open('webnnc-tune')).keys()).map(({ url }) => url) };
      }, worker, [...productOf(24).x.data], [24, INNER], [...productOf(24).y]);
      z.forEach((/** @type {number} */ value, /** @type {number} */ i) => assert.ok(Math.abs(value - productOf(24).z[i]) < 1e-4));
      assert.equal(known.length, 1);
    }
  } finally {
    await browser.close();
    await server.close();
  }
});

test('the certificate holds before OpenSSL', async () => {
  const { key, cert } = makeCertificate(['localhost', '127.0.0.1']), server = createServer({ key, cert }, (_, response) => response.end('yes'));
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  try {
    for (const host of ['localhost', '127.0.0.1']) {
      const text = await new Promise((done, fail) => get({ host, port, ca: cert, family: 4 }, (response) => response.setEncoding('utf8').on('data', done)).on('error', fail));
      assert.equal(text, 'yes');
    }
  } finally {
    server.close();
  }
});
