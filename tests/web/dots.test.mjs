// The module that multiplies bytes by relaxed SIMD runs where that is exact, whether the engine takes bytes with a sign or without, and its
// results are ONNX Runtime's; elsewhere another one runs, and it is said why. In Chromium with the processor's instruction for it and
// without, in one that takes bytes with a sign, and in Firefox. Of random networks, which other tests compare with ONNX Runtime, it computes
// what the module without does.
//
//   WEBNNC=build/webnnc node --test tests/web/dots.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { MODELS, inputsOf } from './bytes.mjs';
import { compile } from './compile.mjs';
import { hasBrowser, launch, serve } from './harness.mjs';

/** @type {Record<string, number[]>} */
const reference = JSON.parse(readFileSync(new URL('bytes_reference.json', import.meta.url), 'utf8'));
const pages = fileURLToPath(new URL('pages', import.meta.url));
const MULTIPLIES = 'with relaxed SIMD that multiplies bytes', NOT_EXACT = 'with relaxed SIMD, whose products of bytes are not exact in this engine';
/** Those that have windows across an image's border alone have no such module. */
const without = new Set(['a window of u8 with a zero point', 'a window whose result is quantised']);

/** @typedef {{y: number[], backendReason: string, files: string[]}} Said */

/** @param {Awaited<ReturnType<typeof launch>>} browser @param {string} out @param {import('./bytes.mjs').Model} example @param {any} options @param {boolean} isSigned @returns {Promise<Said>} */
async function runIn(browser, out, example, options, isSigned) {
  const server = await serve({ '/m': out, '/test': pages }), page = await browser.open(`${server.url}/test/blank.html`);
  const inputs = Object.entries(inputsOf(example)).map(([name, { data, shape }]) => ({ name, type: data.constructor.name, data: [...data], shape }));
  const said = await page.evaluate(async (/** @type {{name: string, type: string, data: number[], shape: number[]}[]} */ inputs, /** @type {any} */ options, /** @type {boolean} */ isSigned) => {
    if (isSigned) (await import(/** @type {any} */ ('/test/signed_engine.mjs'))).install();
    const { load } = await import(/** @type {any} */ ('/m/model.js')), model = await load(options), { backendReason } = model;
    const { y } = await model.run(Object.fromEntries(inputs.map(({ name, type, data, shape }) => [name, { data: new (/** @type {any} */ (globalThis)[type])(data), shape }])));
    model.dispose();
    return { y: [...y.data].map(Number), backendReason };
  }, inputs, options, isSigned);
  await page.close();
  await server.close();
  return { ...said, files: server.log.map(({ path }) => path.split('/').at(-1) ?? '').filter((name) => name.endsWith('.wasm')) };
}

/** @type {[string, 'chromium' | 'firefox', string[], boolean][]} */
const ENGINES = [
  ['Chromium', 'chromium', [], false], ['Chromium without VNNI', 'chromium', ['--js-flags=--no-enable-avx-vnni'], false],
  ['an engine that takes bytes with a sign', 'chromium', [], true], ['Firefox', 'firefox', [], false],
];
for (const [title, name, args, isSigned] of ENGINES) {
  describe(title, { skip: hasBrowser(name) ? false : `there is no ${name}` }, () => {
    /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
    before(async () => {
      browser = await launch(name, { gpu: false, args });
    });
    after(() => browser.close());

    for (const [subject, example] of Object.entries(MODELS)) {
      test(subject, async (context) => {
        const { out } = await compile(example, '--target', 'wasm'), { y, backendReason, files } = await runIn(browser, out, example, {}, isSigned);
        assert.deepEqual(y, reference[subject]);
        const variant = /wasm runs it (.*)$/.exec(backendReason)?.[1];
        if (without.has(subject)) {
          assert.equal(variant, 'with relaxed SIMD');
          return;
        }
        context.diagnostic(variant ?? '');
        assert.ok(variant === MULTIPLIES || variant === NOT_EXACT, backendReason);
        assert.deepEqual(files, [variant === MULTIPLIES ? 'model.relaxed.dots.wasm' : 'model.relaxed.wasm']);
        if (isSigned) assert.equal(variant, MULTIPLIES);
        if (args.length && process.arch === 'x64') assert.equal(variant, NOT_EXACT);
      });
    }
  });
}

describe('which module is downloaded', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  const subject = 'rows of u8 by weights of 8 bits', example = MODELS[subject];
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium');
  });
  after(() => browser.close());

  test('a GPU is given the smaller one', async () => {
    const { out } = await compile(example), { y, files } = await runIn(browser, out, example, { backend: 'webgpu' }, true);
    assert.deepEqual({ y, files }, { y: reference[subject], files: ['model.relaxed.wasm'] });
  });

  test('in a worker it is the same one', async () => {
    const { out } = await compile(example, '--target', 'wasm'), here = await runIn(browser, out, example, {}, false), there = await runIn(browser, out, example, { worker: true }, false);
    assert.deepEqual(there, here);
  });

  test('where it was left out another one runs', async () => {
    const { out } = await compile(example, '--target', 'wasm');
    rmSync(join(out, 'model.relaxed.dots.wasm'));
    const { y, backendReason, files } = await runIn(browser, out, example, {}, true);
    assert.deepEqual(y, reference[subject]);
    assert.match(backendReason, /wasm runs it with relaxed SIMD$/);
    assert.equal(files.at(-1), 'model.relaxed.wasm');
  });
});

describe('random networks', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** Networks that multiply bytes, of the seeds from this one on. */
  const FIRST = 700, COUNT = 12;
  const ARRAYS = /** @type {Record<string, string>} */ ({ f32: 'Float32Array', i64: 'BigInt64Array', i32: 'Int32Array', u8: 'Uint8Array', i8: 'Int8Array', bool: 'Uint8Array' });
  const folder = mkdtempSync(join(tmpdir(), 'webnnc-dots-'));
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium', { gpu: false });
  });
  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  const hasReference = existsSync(new URL('../bench/node_modules/onnxruntime-node', import.meta.url));
  test('both modules compute the same', { skip: hasReference ? false : 'networks are drawn with ONNX Runtime: tools/npm_ci tests/bench' }, async () => {
    const { modelOf } = await import('../random/graphs/compare.mjs'), { Reference } = await import('../random/graphs/reference.mjs'), draws = new Reference();
    let ran = 0;
    for (let seed = FIRST; ran < COUNT && seed < FIRST + 20 * COUNT; ++seed) {
      const made = await draws.generate(seed, undefined, true), file = join(folder, 'model.onnx'), out = join(folder, `out-${seed}`);
      const inputs = Object.entries(made?.runs[0].graph.leaves ?? {}).filter(([, { constant }]) => !constant)
        .map(([name, { type, shape, data }]) => ({ name, type: ARRAYS[type], shape, bytes: [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] }));
      if (!made || inputs.some(({ type }) => !type)) continue;
      writeFileSync(file, modelOf(made.runs[0]));
      execFileSync(process.env.WEBNNC ?? 'build/webnnc', [file, '-o', out, '--no-report', '--quiet', '--target', 'wasm']);
      if (!existsSync(join(out, 'model.relaxed.dots.wasm'))) continue;
      const server = await serve({ '/m': out, '/test': pages }), page = await browser.open(`${server.url}/test/blank.html`);
      const [bytes, halves] = await page.evaluate(async (/** @type {{name: string, type: string, shape: number[], bytes: number[]}[]} */ inputs) => {
        (await import(/** @type {any} */ ('/test/signed_engine.mjs'))).install();
        const { load } = await import(/** @type {any} */ ('/m/model.js')), said = [];
        for (const files of [undefined, { wasm: '/m/model.wasm', relaxed: '/m/model.relaxed.wasm' }]) {
          const model = await load({ files }), results = await model.run(Object.fromEntries(inputs.map(({ name, type, shape, bytes }) => [name, { shape, data: new (/** @type {any} */ (globalThis)[type])(new Uint8Array(bytes).buffer) }])));
          said.push({ reason: model.backendReason, results: Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, [...data].map(String)])) });
          model.dispose();
        }
        return said;
      }, inputs);
      await page.close();
      await server.close();
      assert.match(bytes.reason, /that multiplies bytes\b/);
      assert.doesNotMatch(halves.reason, /that multiplies bytes\b/);
      assert.deepEqual(bytes.results, halves.results, `seed ${seed}`);
      ++ran;
    }
    draws.close();
    assert.equal(ran, COUNT);
  });
});
