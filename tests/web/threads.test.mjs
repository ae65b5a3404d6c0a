// Threads that share a model's work: in real browsers, where pages are isolated and where they are not, and in Node.
//
//   WEBNNC=build/webnnc [LOADS=1000] node --test tests/web/threads.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';

/** @typedef {import('./harness.mjs').Page} Page */

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-threads-')), wide = join(work, 'wide'), deep = join(work, 'deep');
after(() => rmSync(work, { recursive: true }));

const SIZE = 384;
/** A thousand take half a minute or more. */
const LOADS = Number(process.env.LOADS ?? 100);
/** Whole numbers, so that sums are exact in whichever order they come. */
const weightAt = (/** @type {number} */ i) => (i * 7 + (i >> 5)) % 5 - 2;

/** relu(x W), and the sums of its rows; and another model, of two products. @param {string} folder @param {number} products */
function compile(folder, products) {
  const names = ['x', ...Array.from({ length: products }, (_, i) => `h${i}`)], last = /** @type {string} */ (names.at(-1));
  writeFileSync(`${folder}.onnx`, onnxModel({
    inputs: { x: ['f32', ['n', SIZE]] }, outputs: { y: ['f32', ['n', SIZE]], sums: ['f32', ['n', 1]] },
    constants: { w: { type: ['f32', [SIZE, SIZE]], bytes: new Uint8Array(Float32Array.from({ length: SIZE * SIZE }, (_, i) => weightAt(i)).buffer) } },
    nodes: [
      ...Array.from({ length: products }, (_, i) => ({ op: 'MatMul', inputs: [names[i], 'w'], outputs: [names[i + 1]] })),
      { op: 'Relu', inputs: [last], outputs: ['y'] },
      { op: 'ReduceSum', inputs: ['y'], outputs: ['sums'], attributes: { keepdims: 1 } },
    ],
  }));
  execFileSync(webnnc, [`${folder}.onnx`, '-o', folder, '--quiet', '--no-report', '--target', 'wasm', '--dim', 'n=?256..1024']);
}
compile(wide, 1);
compile(deep, 2);
/** Bundles without the files for threads, and without the worker's. */
const plain = join(work, 'plain'), alone = join(work, 'alone');
for (const folder of [plain, alone]) cpSync(wide, folder, { recursive: true });
for (const file of ['model.threads.wasm', 'model.relaxed.threads.wasm']) rmSync(join(plain, file));
rmSync(join(alone, 'model.worker.js'));

/**
 * Runs in a page, in Node: loads models by turns with others, runs them for several sizes, and gives what came of it.
 * Inputs are whole numbers as well.
 *
 * @param {{urls: string[], options: any, sizes: number[], SIZE: number}} given
 */
async function run({ urls, options, sizes, SIZE }) {
  const models = [];
  for (const url of urls) models.push(await (await import(url)).load(options));
  const rows = (/** @type {number} */ n) => Float32Array.from({ length: n * SIZE }, (_, i) => (i * 3 + (i >> 7)) % 4 - 1);
  /** @type {number[][]} by model and size: checksums of the outputs */
  const results = models.map(() => []);
  for (const n of sizes) {
    for (const [m, model] of models.entries()) {
      const { y, sums } = await model.run({ x: { data: rows(n), shape: [n, SIZE] } });
      let check = 0;
      for (let i = 0; i < y.data.length; ++i) check = (check + y.data[i] * (i % 251)) % 1000003;
      results[m].push(check, sums.data.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0));
    }
  }
  const told = models.map(({ threads, backendReason }) => ({ threads, backendReason }));
  for (const model of models) model.dispose();
  return { told, results };
}

/** The same by hand. @param {number} products @param {number[]} sizes */
function expected(products, sizes) {
  return sizes.flatMap((n) => {
    let rows = Float64Array.from({ length: n * SIZE }, (_, i) => (i * 3 + (i >> 7)) % 4 - 1);
    for (let p = 0; p < products; ++p) {
      const next = new Float64Array(n * SIZE);
      for (let i = 0; i < n; ++i) {
        for (let k = 0; k < SIZE; ++k) for (let j = 0; j < SIZE; ++j) next[i * SIZE + j] += rows[i * SIZE + k] * weightAt(k * SIZE + j);
      }
      rows = next;
    }
    let check = 0, sum = 0;
    rows.forEach((value, i) => {
      const y = Math.max(value, 0);
      check = (check + y * (i % 251)) % 1000003;
      sum += y;
    });
    return [check, sum];
  });
}

// The second is larger than the first, for which memory grows; of one row there is little to share.
const SIZES = [256, 700, 1, 64], ONE = expected(1, SIZES), TWO = expected(2, SIZES);
const given = (/** @type {string[]} */ urls, options = {}) => ({ urls, options: { backend: 'wasm', ...options }, sizes: SIZES, SIZE });

describe('Node', () => {
  const urls = [wide, deep].map((folder) => pathToFileURL(join(folder, 'model.js')).href);
  for (const worker of [false, true]) {
    test(`several models share threads${worker ? ', in a worker' : ''}`, async () => {
      const { told, results } = await run(given(urls, { threads: 3, worker }));
      assert.deepEqual(results, [ONE, TWO]);
      for (const { threads, backendReason } of told) {
        assert.equal(threads, 3);
        assert.match(backendReason, /3 threads share the work/);
      }
    });
  }

  test('a program ends though a model is not disposed of', () => {
    const script = `const { load } = await import(${JSON.stringify(urls[0])}); const model = await load({ threads: 2 }); console.log(model.threads);
      await model.run({ x: { data: new Float32Array(${256 * SIZE}), shape: [256, ${SIZE}] } });`;
    assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 30000 }), '2\n');
  });

  test('one thread is asked for', async () => {
    const { told, results } = await run(given([urls[0]], { threads: 1 }));
    assert.deepEqual([told[0].threads, results], [1, [ONE]]);
    await assert.rejects(run(given([urls[0]], { threads: 0 })), /threads is 0, and must be a whole number from 1/);
  });

  test('without the modules for threads there is one', async () => {
    const { told, results } = await run(given([pathToFileURL(join(plain, 'model.js')).href], { threads: 2 }));
    assert.deepEqual(results, [ONE]);
    assert.equal(told[0].threads, 1);
    assert.match(told[0].backendReason, /one thread does the work: model\.threads\.wasm is missing/);
  });
});

/** Runs in a page: counts the workers that start from now on, and those that are ended. */
function countWorkers() {
  const count = { started: 0, ended: 0 };
  Object.assign(globalThis, {
    count,
    Worker: class extends Worker {
      constructor(/** @type {[any, any]} */ ...args) {
        super(...args);
        ++count.started;
      }
      terminate() {
        ++count.ended;
        super.terminate();
      }
    },
  });
}

const mounts = { '/wide': wide, '/deep': deep, '/plain': plain, '/alone': alone, '/test': join(root, 'tests/web/pages') };

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
  describe(name, { skip: hasBrowser(name) ? false : `there is no ${name}` }, () => {
    /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
    before(async () => void (browser = await launch(name)));
    after(() => browser.close());

    /**
     * Runs in a page of a server of its own. `started` and `ended` count workers.
     *
     * @param {Parameters<typeof serve>[1]} options @param {ReturnType<typeof given>} what
     * @returns {Promise<Awaited<ReturnType<typeof run>> & {started: number, ended: number, paths: string[]}>}
     */
    async function inPage(options, what) {
      const server = await serve(mounts, options), page = await browser.open(`${server.url}/test/blank.html`);
      try {
        await page.evaluate(countWorkers);
        const result = await page.evaluate(run, what);
        return { ...result, ...await page.evaluate(() => /** @type {any} */ (globalThis).count), paths: server.log.map(({ path }) => path) };
      } finally {
        await page.close();
        await server.close();
      }
    }

    test('an isolated page: models share threads, which end with the last model', async () => {
      const { told, results, started, ended, paths } = await inPage({ isolate: true }, given(['/wide/model.js', '/deep/model.js'], { threads: 3 }));
      assert.deepEqual(results, [ONE, TWO]);
      assert.deepEqual(told.map(({ threads }) => threads), [3, 3]);
      assert.deepEqual([started, ended], [2, 2]);
      assert.ok(paths.some((path) => /\/wide\/model\.(relaxed\.)?threads\.wasm$/.test(path)));
      assert.ok(!paths.some((path) => /\/model\.(relaxed\.)?wasm$|worker\.js$/.test(path)), `what is not used is not downloaded: ${paths}`);
    });

    test('a worker of an isolated page', async () => {
      const { told, results } = await inPage({ isolate: true }, given(['/deep/model.js'], { threads: 2, worker: true }));
      assert.deepEqual([told[0].threads, results], [2, [TWO]]);
    });

    test('a page that is not isolated has one, and is told why', async () => {
      const { told, results, started, paths } = await inPage({}, given(['/wide/model.js']));
      assert.deepEqual([told[0].threads, results, started], [1, [ONE], 0]);
      assert.match(told[0].backendReason, /not cross-origin isolated.*Cross-Origin-Opener-Policy/);
      assert.ok(!paths.some((path) => path.includes('threads')));
    });

    test('a policy that forbids blobs: the threads are of model.worker.js', async () => {
      const { told, results, paths } = await inPage({ isolate: true, csp: STRICT_CSP }, given(['/wide/model.js'], { threads: 2 }));
      assert.deepEqual([told[0].threads, results], [2, [ONE]]);
      assert.ok(paths.includes('/wide/model.worker.js'));
    });

    test('and without that file there is one', async () => {
      const { told, results } = await inPage({ isolate: true, csp: STRICT_CSP }, given(['/alone/model.js'], { threads: 2 }));
      assert.deepEqual([told[0].threads, results], [1, [ONE]]);
      assert.match(told[0].backendReason, /one thread does the work: workers cannot be started/);
    });

    test(`${LOADS} loads and disposes leave no worker and no memory behind`, { skip: name === 'firefox' && 'Firefox does not say what a page has' }, async () => {
      const server = await serve(mounts, { isolate: true }), page = await browser.open(`${server.url}/test/blank.html`);
      try {
        await page.evaluate(countWorkers);
        const { started, ended, bytes } = await page.evaluate(async (loads) => {
          const { load } = await import(/** @type {any} */ ('/wide/model.js'));
          for (let i = 0; i < loads; ++i) {
            const model = await load({ backend: 'wasm', threads: 2 });
            if (model.threads !== 2) throw new Error(model.backendReason);
            model.dispose();
          }
          const { bytes } = await /** @type {any} */ (performance).measureUserAgentSpecificMemory();
          return { .../** @type {any} */ (globalThis).count, bytes };
        }, LOADS);
        assert.deepEqual([started, ended], [LOADS, LOADS]);
        // The weights alone of a hundred models are twice as much.
        assert.ok(bytes < 30e6, `the page has ${bytes} bytes`);
      } finally {
        await page.close();
        await server.close();
      }
    });

    test('one header isolates a document', { skip: name === 'firefox' && 'Firefox does not know it' }, async () => {
      const { told, results } = await inPage({ headers: { 'Document-Isolation-Policy': 'isolate-and-require-corp' } }, given(['/wide/model.js'], { threads: 2 }));
      assert.deepEqual([told[0].threads, results], [2, [ONE]]);
    });
  });
}
