// Models in workers, in real browsers: the page stays responsive, runs can be aborted, errors keep their
// classes, and workers start from wherever they are. model.test.mjs has the rest, in Node.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { B, W, makeBundle } from './fixtures.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';

/** @typedef {import('./harness.mjs').Page} Page */

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-worker-')), digits = join(work, 'digits'), scale = await makeBundle('scale');
execFileSync(webnnc, [join(root, 'models/digits/digits.onnx'), '-o', digits, '--quiet', '--no-report']);
/** The same, that takes pictures. */
const drawn = join(work, 'drawn');
execFileSync(webnnc, [join(root, 'models/digits/digits.onnx'), '-o', drawn, '--quiet', '--no-report', '--image', 'resize=fill']);
/** The digits with the worker of another build, without one, and with a page of HTML in its place. */
const stale = join(work, 'stale'), missing = join(work, 'missing'), html = join(work, 'html');
for (const folder of [stale, missing, html]) cpSync(digits, folder, { recursive: true });
const id = JSON.parse(readFileSync(join(digits, 'package.json'), 'utf8')).webnnc.build;
writeFileSync(join(stale, 'model.worker.js'), readFileSync(join(digits, 'model.worker.js'), 'utf8').replaceAll(id, '0123456789abcdef'));
rmSync(join(missing, 'model.worker.js'));
writeFileSync(join(html, 'model.worker.js'), '<!doctype html><title>Not found</title>');

/** Powers of a matrix: of n by n elements that are 1 / n, all are the same. It has a step for each. */
const powers = join(work, 'powers'), POWER = 24, names = Array.from({ length: POWER - 1 }, (_, i) => i === POWER - 2 ? 'y' : `x${i + 2}`);
writeFileSync(`${powers}.onnx`, onnxModel({
  inputs: { x: ['f32', ['n', 'n']] }, outputs: { y: ['f32', ['n', 'n']] },
  nodes: names.map((output, i) => ({ op: 'MatMul', name: output, inputs: [i ? names[i - 1] : 'x', 'x'], outputs: [output] })),
}));
execFileSync(webnnc, [`${powers}.onnx`, '-o', powers, '--quiet', '--no-report', '--target', 'wasm']);

const mounts = { '/scale': scale.folder, '/digits': digits, '/drawn': drawn, '/held': join(root, 'models/digits/held_out'), '/powers': powers, '/stale': stale, '/missing': missing, '/html': html, '/test': join(root, 'tests/web/pages') };
/** @type {Awaited<ReturnType<typeof serve>>} */ let server;
/** Another origin, whose files may be read. @type {Awaited<ReturnType<typeof serve>>} */ let elsewhere;
before(async () => {
  server = await serve(mounts, { csp: STRICT_CSP });
  elsewhere = await serve(mounts, { headers: { 'Access-Control-Allow-Origin': '*' } });
});
after(async () => {
  await server.close();
  await elsewhere.close();
  scale.remove();
  rmSync(work, { recursive: true });
});

const inputs = { x: [1, 2, 3, 4, 5, 6, 7, 8], k: [10, -20] };
const expected = inputs.x.map((x, i) => x * W[i % 4] + B[i % 4] + inputs.k[i >> 2]);
/** The size of a matrix whose powers take a second or so. */
const LARGE = 640;

/** Runs in a page: what `load` rejects with. @param {string} url @param {any} options */
async function failureOf(url, options) {
  const module = await import(url);
  const error = await module.load({ worker: true, ...options }).then(() => undefined, (/** @type {any} */ error) => error);
  return error && { name: error.name, message: error.message, file: error.file, reason: error.reason, isClass: error instanceof module[error.name] };
}

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
  describe(name, { skip: hasBrowser(name) ? false : `there is no ${name}` }, () => {
    /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
    /** @type {Page} */ let page;
    before(async () => {
      browser = await launch(name);
      page = await browser.open(`${server.url}/test/blank.html`);
    });
    after(() => browser.close());

    for (const backend of ['wasm', 'webgpu']) {
      test(`computes on ${backend}, under a strict policy`, async () => {
        const result = await page.evaluate(async (backend, inputs) => {
          const { load } = await import(/** @type {any} */ ('/scale/model.js'));
          /** @type {Set<string>} */
          const phases = new Set();
          const model = await load({ worker: true, backend, onProgress: (/** @type {any} */ { phase }) => phases.add(phase) });
          const { y, twice } = await model.run(inputs), { steps } = await model.profile(inputs, { runs: 1 });
          return { backend: model.backend, y: [...y.data], own: y.data.buffer.byteLength, shape: twice.shape, steps: steps.length, phases: [...phases].sort(), device: model.device === undefined };
        }, backend, inputs);
        assert.deepEqual(result, { backend, y: expected, own: 32, shape: [2], steps: 2, phases: ['compilation', 'modules', ...backend === 'webgpu' ? ['shaders'] : [], 'weights'], device: true });
      });
    }

    test('leaves the page responsive, and ends a run as soon as it is aborted', async () => {
      const { longest, alone, abort, next, values } = await page.evaluate(async (n) => {
        const { load } = await import(/** @type {any} */ ('/powers/model.js')), model = await load({ worker: true, backend: 'wasm' });
        const large = { x: { data: new Float32Array(n * n).fill(1 / n), shape: [n, n] } }, small = { x: [[0.5, 0.5], [0.5, 0.5]] };
        let longest = 0, last = performance.now(), isDone = false;
        // Timers tell how long the page was busy with something else.
        const tick = () => {
          const now = performance.now();
          longest = Math.max(longest, now - last);
          last = now;
          if (!isDone) setTimeout(tick, 0);
        };
        const begin = performance.now(), running = model.run(large);
        tick();
        const values = [(await running).y.data[n + 1] * n], alone = performance.now() - begin;
        isDone = true;
        const controller = new AbortController(), stopped = model.run(large, { signal: controller.signal });
        await new Promise((done) => setTimeout(done, 100));
        const at = performance.now();
        controller.abort();
        const error = await stopped.catch((/** @type {any} */ error) => error), abort = performance.now() - at;
        if (error.name !== 'AbortError') throw new Error(`it was not aborted: ${error}`);
        values.push((await model.run(small)).y.data[3] * 2);
        const next = performance.now() - at;
        // A profile of many runs ends as well.
        const other = new AbortController(), profile = model.profile(large, { runs: 100, signal: other.signal });
        await new Promise((done) => setTimeout(done, 50));
        other.abort();
        const ended = await profile.catch((/** @type {any} */ error) => error.name);
        if (ended !== 'AbortError') throw new Error(`it was not aborted: ${ended}`);
        values.push((await model.run(small)).y.data[3] * 2);
        model.dispose();
        return { longest, alone, abort, next, values };
      }, LARGE);
      console.log(`${name}: a run of ${alone.toFixed()} ms, the page was busy for ${longest.toFixed()} ms at most; aborted after ${abort.toFixed()} ms, the next run was there after ${next.toFixed()} ms`);
      assert.ok(alone > 200, `the run took ${alone} ms, too little to tell`);
      // Two cores may be shared with others.
      assert.ok(longest < Math.max(50, alone / 4), `the page was busy for ${longest} ms`);
      assert.ok(abort < 50, `the abort took ${abort} ms`);
      assert.ok(next < alone / 3, `the next run waited for ${next} ms`);
      values.forEach((/** @type {number} */ value) => assert.ok(Math.abs(value - 1) < 1e-4, `${value}`));
    });

    test('ends a run in the page, too, between two kernels', async () => {
      const { ticks, error, ended, value } = await page.evaluate(async (n) => {
        const { load } = await import(/** @type {any} */ ('/powers/model.js')), model = await load({ backend: 'wasm' });
        const large = { x: { data: new Float32Array(n * n).fill(1 / n), shape: [n, n] } };
        let ticks = 0;
        const timer = setInterval(() => ++ticks, 1), controller = new AbortController();
        setTimeout(() => controller.abort(), 60);
        const error = await model.run(large, { signal: controller.signal }).catch((/** @type {any} */ error) => error.name);
        clearInterval(timer);
        const ended = await model.profile(large, { runs: 100, signal: AbortSignal.timeout(100) }).catch((/** @type {any} */ error) => error.name);
        const { y } = await model.run({ x: [[0.5, 0.5], [0.5, 0.5]] });
        model.dispose();
        return { ticks, error, ended, value: y.data[0] };
      }, LARGE);
      assert.ok(ticks > 0, 'the page had no turn');
      assert.deepEqual([error, ended, value], ['AbortError', 'TimeoutError', 0.5]);
    });

    test('copies inputs, or takes them', async () => {
      const { kept, taken, parts, y } = await page.evaluate(async () => {
        const { load } = await import(/** @type {any} */ ('/scale/model.js')), model = await load({ worker: true, backend: 'wasm' });
        const x = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), k = BigInt64Array.of(0n, 0n);
        const first = model.run({ x, k });
        x.fill(NaN);
        const kept = x.length, y = [...(await first).y.data];
        await model.run({ x, k }, { transfer: true });
        // Two views of one memory.
        const memory = new ArrayBuffer(48);
        const both = await model.run({ x: new Float32Array(memory, 16, 4), k: new BigInt64Array(memory, 8, 1) }, { transfer: true });
        model.dispose();
        return { kept, taken: [x.length, k.length], parts: [...both.y.data], y };
      });
      assert.equal(kept, 8);
      assert.deepEqual(taken, [0, 0]);
      assert.deepEqual(parts, B);
      assert.deepEqual(y, inputs.x.map((x, i) => x * W[i % 4] + B[i % 4]));
    });

    test('refuses by name, and stays usable', async () => {
      const { errors, y } = await page.evaluate(async (inputs) => {
        const module = await import(/** @type {any} */ ('/scale/model.js')), model = await module.load({ worker: true, backend: 'wasm' });
        const controller = new AbortController();
        controller.abort();
        const calls = [
          () => model.run({ x: inputs.x }), () => model.run({ ...inputs, x: document.body }), () => model.run({ ...inputs, x: { data: inputs.x, shape: [3, 4] } }),
          () => model.run({ ...inputs, x: () => {} }), () => model.run(inputs, { outputs: 'gpu' }), () => model.run({ ...inputs, x: { mapAsync() {} } }),
          () => model.run(inputs, { outputs: ['z'] }), () => model.run(inputs, { signal: controller.signal }), () => module.load({ worker: true, device: { createBuffer() {} } }),
          () => model.run({ x: new Float32Array(new WebAssembly.Memory({ initial: 1 }).buffer, 0, 8), k: [1, 2] }, { transfer: true }),
        ];
        const errors = [];
        for (const call of calls) errors.push(await call().then(() => 'none', (/** @type {any} */ error) => `${error.name}: ${error.message}`));
        const { y } = await model.run(inputs);
        model.dispose();
        errors.push(await model.run(inputs).then(() => 'none', (/** @type {any} */ error) => `${error.name}: ${error.message}`));
        return { errors, y: [...y.data] };
      }, inputs);
      const wanted = [
        /^InputError: input "k" is missing/, /^InputError: input "x" is a HTMLBodyElement/, /^InputError: input "(x" has 8 elements; float32\[3,4\] has 12|k" has 2 elements)/,
        /^InputError: input "x" is a Function/, /^UnsupportedError: the model runs in a worker/, /^UnsupportedError: input "x" is a buffer of a GPU/,
        /^TypeError: run: outputs names "z"/, /^AbortError/, /^UnsupportedError: a GPUDevice stays in its thread/, /^InputError: an input cannot be passed to the worker: /,
        /^DisposedError: the model was disposed of/,
      ];
      errors.forEach((/** @type {string} */ error, /** @type {number} */ i) => assert.match(error, wanted[i]));
      assert.deepEqual(y, expected);
    });

    test('takes pictures of every kind, and gives what a model in the page does', async () => {
      const results = await page.evaluate(async () => {
        const { load } = await import(/** @type {any} */ ('/drawn/model.js'));
        const here = await load({ backend: 'wasm' }), there = await load({ backend: 'wasm', worker: true });
        const file = await (await fetch('/held/digit_7.png')).blob(), bitmap = await createImageBitmap(file);
        const canvas = Object.assign(document.createElement('canvas'), { width: bitmap.width, height: bitmap.height });
        const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
        context.drawImage(bitmap, 0, 0);
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height), element = new Image();
        element.src = '/held/digit_7.png';
        await element.decode();
        /** @type {Record<string, any>} */
        const sources = { file, bitmap, canvas, pixels, element };
        if (typeof VideoFrame === 'function') sources.frame = new VideoFrame(canvas, { timestamp: 0 });
        /** @type {any[]} */
        const results = [];
        for (const [kind, image] of Object.entries(sources)) {
          // Twice: the page keeps what it passed.
          const [one, , other] = [await here.run({ image }), await there.run({ image }), await there.run({ image })].map(({ digit_probabilities: { data } }) => [...data]);
          results.push([kind, one.indexOf(Math.max(...one)), Math.max(...one.map((value, i) => Math.abs(value - other[i])))]);
        }
        const error = await there.run({ image: new Image() }).catch((/** @type {any} */ error) => `${error.name}: ${error.message}`);
        sources.frame?.close();
        here.dispose();
        there.dispose();
        return [...results, error];
      });
      const error = results.pop();
      assert.match(error, /^InputError: input "image" is an image that has not been loaded/);
      for (const [kind, digit, difference] of results) {
        assert.equal(digit, 7, kind);
        assert.ok(difference < 1e-6, `${kind}: ${difference}`);
      }
    });

    test('serves several models, in their own workers and in one', async () => {
      const results = await page.evaluate(async (inputs) => {
        const { load } = await import(/** @type {any} */ ('/scale/model.js')), digits = await import(/** @type {any} */ ('/digits/model.js'));
        const worker = new Worker('/scale/model.worker.js', { type: 'module' });
        const options = { worker: true, backend: 'wasm', files: { worker } };
        // It has errors of its own, which do not concern the models in it.
        const [first, second, other] = await Promise.all([load(options), load(options), digits.load({ worker: true, backend: 'wasm' })]);
        const runs = await Promise.all([first.run(inputs), second.run(inputs), other.run({ image: new Float32Array(784) })]);
        first.dispose();
        worker.dispatchEvent(new ErrorEvent('error', { message: 'of the page' }));
        const { y } = await second.run(inputs);
        second.dispose();
        other.dispose();
        // The worker is the page's: it goes on.
        const third = await load(options), again = await third.run(inputs);
        worker.terminate();
        return [[...runs[0].y.data], [...runs[1].y.data], [...y.data], [...again.y.data], runs[2].digit_probabilities.shape];
      }, inputs);
      assert.deepEqual(results, [expected, expected, expected, expected, [1, 10]]);
    });

    test('says what is wrong with the worker\'s file', async () => {
      const file = (/** @type {string} */ folder) => `${server.url}/${folder}/model.worker.js?v=${id}`;
      for (const folder of ['missing', 'html']) {
        const error = await page.evaluate(failureOf, `/${folder}/model.js`, {});
        assert.deepEqual({ ...error, message: '' }, { name: 'ModelLoadError', message: '', file: file(folder), reason: 'missing', isClass: true });
        assert.match(error.message, /^cannot run http.*\/model\.worker\.js\?v=[0-9a-f]+: ./);
      }
      const error = await page.evaluate(failureOf, '/stale/model.js', {});
      assert.deepEqual({ ...error, message: '' }, { name: 'ModelLoadError', message: '', file: 'model.worker.js', reason: 'other build', isClass: true });
      assert.match(error.message, /belongs to another build .*\(0123456789abcdef, and this model.js is of [0-9a-f]{16}\)/);
      assert.match((await page.evaluate(failureOf, '/digits/model.js', { files: { weights: '/nowhere' } })).message, /\/nowhere: the server answers 404/);
    });

    test('starts from another origin, and from bytes', async () => {
      const free = await browser.open(`${elsewhere.url}/test/blank.html`);
      const given = await free.evaluate(async (url, inputs) => {
        const { load } = await import(/** @type {any} */ ('/scale/model.js')), script = await (await fetch('/digits/model.worker.js')).blob();
        const far = await load({ worker: true, backend: 'wasm', baseUrl: `${url}/scale` }).catch((/** @type {any} */ error) => error.message);
        const digits = await import(/** @type {any} */ ('/digits/model.js'));
        const near = await digits.load({ worker: true, backend: 'wasm', files: { worker: script, wasm: fetch('/digits/model.wasm'), weights: await (await fetch('/digits/model.weights.bin')).arrayBuffer() } });
        return [typeof far, (await near.run({ image: new Float32Array(784) })).digit_probabilities.shape, inputs.x.length];
      }, server.url, inputs);
      assert.deepEqual(given, ['string', [1, 10], 8]);
      const remote = await free.evaluate(async (url) => {
        const { load } = await import(/** @type {any} */ ('/digits/model.js')), model = await load({ worker: true, backend: 'wasm', baseUrl: `${url}/digits` });
        return (await model.run({ image: new Float32Array(784) })).digit_probabilities.shape;
      }, elsewhere.url.replace('127.0.0.1', 'localhost'));
      assert.deepEqual(remote, [1, 10]);
      await free.close();
    });

    test('finds a lost GPU again, and tells', { skip: name === 'chromium' ? false : 'Firefox has no command for this' }, async () => {
      await page.evaluate(async (inputs) => {
        const { load } = await import(/** @type {any} */ ('/scale/model.js'));
        const lost = new Promise((done) => Object.assign(globalThis, { onLost: done }));
        const model = await load({ worker: true, backend: 'webgpu', onDeviceLost: /** @type {any} */ (globalThis).onLost });
        await model.run(inputs);
        Object.assign(globalThis, { model, lost });
      }, inputs);
      await page.loseGpu();
      const { reason, y } = await page.evaluate(async (inputs) => {
        const { model, lost } = /** @type {any} */ (globalThis), { reason } = await lost, { y } = await model.run(inputs);
        model.dispose();
        return { reason, y: [...y.data] };
      }, inputs);
      assert.deepEqual({ reason, y }, { reason: 'unknown', y: expected });
    });
  });
}
