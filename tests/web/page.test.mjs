// model.js and index.html in real browsers, under the strictest content security policy that lets wasm
// run. WEBNNC names the compiler; without it, build/webnnc.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { encoded, encoder } from '../encoder_decoder.mjs';
import { onnxModel } from '../onnx_model.mjs';
import { B, W, makeBundle } from './fixtures.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';

/** @typedef {import('./harness.mjs').Page} Page */

const root = fileURLToPath(new URL('../..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'webnnc-pages-')), scale = await makeBundle('scale');
const digits = join(work, 'digits'), held = join(root, 'models/digits/held_out');
/** The same with a picture in and out. */
const pictures = await makeBundle('scale', {
  edit: ({ inputs, outputs }) => {
    inputs[0].image = outputs[0].image = { layout: 'nchw', channels: 1, height: 'n', width: 4 };
  },
});
execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(root, 'models/digits/digits.onnx'), '-o', digits, '--quiet']);
/** A class for each point: 0 to 2 where red, green or blue is strongest. */
const segments = join(work, 'segments'), segmentsFile = join(work, 'segments.onnx');
writeFileSync(segmentsFile, onnxModel({
  inputs: { x: ['f32', [1, 3, 32, 32]] }, outputs: { scores: ['f32', [1, 6, 32, 32]], classes: ['i64', [1, 32, 32]] },
  nodes: [
    { op: 'Neg', inputs: ['x'], outputs: ['negative'] },
    { op: 'Concat', inputs: ['x', 'negative'], outputs: ['scores'], attributes: { axis: 1 } },
    { op: 'ArgMax', inputs: ['scores'], outputs: ['classes'], attributes: { axis: 1, keepdims: 0 } },
  ],
}));
execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [segmentsFile, '-o', segments, '--quiet']);
/** Two models, the second of which knows an id by its row. */
const several = join(work, 'several');
writeFileSync(join(work, 'rows.onnx'), encoder());
execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(root, 'models/digits/digits.onnx'), `the rows=${join(work, 'rows.onnx')}`, '-o', several, '--quiet']);
after(() => {
  rmSync(work, { recursive: true });
  scale.remove();
  pictures.remove();
});

const mounts = { '/scale': scale.folder, '/pictures': pictures.folder, '/digits': digits, '/segments': segments, '/several': several, '/held': held, '/test': join(root, 'tests/web/pages') };
/** @type {Awaited<ReturnType<typeof serve>>} */ let server;
before(async () => {
  server = await serve(mounts, { csp: STRICT_CSP });
});
after(() => server.close());

const inputs = { x: [1, 2, 3, 4, 5, 6, 7, 8], k: [10, -20] };
const expected = {
  y: inputs.x.map((x, i) => x * W[i % 4] + B[i % 4] + inputs.k[i >> 2]), twice: inputs.k.map((k) => 2 * k),
};

// These run in a page.

/** @param {import('../../runtime-js/model.js').LoadOptions} options @param {any} given */
async function runHere(options, given) {
  const { load } = await import(/** @type {any} */ ('/scale/model.js'));
  const model = await load(options), { y, twice } = await model.run(given);
  return { backend: model.backend, reason: model.backendReason, y: [...y.data], twice: [...twice.data].map(Number) };
}

/** @param {import('../../runtime-js/model.js').LoadOptions} options @param {any} given */
async function runInWorker(options, given) {
  const worker = new Worker('/test/worker.mjs', { type: 'module' });
  const { data } = await new Promise((done) => {
    worker.onmessage = done;
    worker.postMessage({ url: '/scale/model.js', options, inputs: given });
  });
  if (data.error) throw new Error(data.error);
  const { y, twice } = data.outputs;
  return { backend: data.backend, y: [...y.data], twice: [...twice.data].map(Number) };
}

const hasRun = () => {
  const state = document.querySelector('main')?.dataset.state;
  return state === 'failed' || state === 'ready' && !document.getElementById('times')?.hidden;
};
/** @param {string} name */
function chooseBackend(name) {
  const backend = /** @type {HTMLSelectElement} */ (document.getElementById('backend'));
  backend.value = name;
  backend.dispatchEvent(new Event('change'));
}

/** @param {string} id */
const textOf = (id) => document.getElementById(id)?.innerText;

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
  describe(name, { skip: hasBrowser(name) ? false : `there is no ${name}` }, () => {
    /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
    before(async () => {
      browser = await launch(name);
    });
    after(() => browser.close());

    for (const backend of ['wasm', 'webgpu']) {
      test(`runs on ${backend} in a page and in a worker`, async () => {
        const page = await browser.open(`${server.url}/test/blank.html`);
        for (const run of [runHere, runInWorker]) {
          const { backend: used, y, twice } = await page.evaluate(run, { backend }, inputs);
          assert.deepEqual({ used, y, twice }, { used: backend, ...expected });
        }
        assert.deepEqual(page.problems, []);
        await page.close();
      });
    }

    for (const backend of ['wasm', 'webgpu']) {
      test(`index.html tells a digit from a picture on ${backend}`, async () => {
        const page = await browser.open(`${server.url}/digits/index.html?backend=${backend}`);
        await page.until(hasRun);
        assert.equal(await page.evaluate(textOf, 'error'), '');
        for (const digit of [5, 7]) {
          await page.choose('#file', [join(held, `digit_${digit}.png`)]);
          await page.until((wanted) => document.querySelector('.bar b')?.textContent === wanted, `class ${digit}`);
        }
        assert.match(await page.evaluate(textOf, 'chosen'), new RegExp(`${backend === 'wasm' ? 'CPU .WebAssembly.' : 'GPU .WebGPU.'}: ${backend} was asked for`));
        assert.deepEqual(page.problems, []);
        await page.close();
      });
    }
  });
}

describe('in Chromium', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium');
  });
  after(() => browser.close());

  test('only what is needed is downloaded', async () => {
    server.log.length = 0;
    const page = await browser.open(`${server.url}/test/blank.html`);
    for (const [backend, bytes] of [['wasm', 768], ['webgpu', 4368 - 512]]) {
      server.log.length = 0;
      await page.evaluate(runHere, { backend }, inputs);
      // All are asked for at once.
      const loads = server.log.filter(({ path }) => /\.(wasm|json|bin)$/.test(path)).sort((a, b) => a.path < b.path ? -1 : 1);
      assert.deepEqual(loads.map(({ path, status }) => [path, status]), [
        ['/scale/model.relaxed.wasm', 200], ...backend === 'webgpu' ? [['/scale/model.shaders.json', 200]] : [], ['/scale/model.weights.bin', 206]]);
      assert.equal(loads.at(-1)?.bytes, bytes);
    }
    await page.close();
  });

  test('a server without range requests will do', async () => {
    const plain = await serve(mounts, { ranges: false });
    const page = await browser.open(`${plain.url}/test/blank.html`);
    for (const backend of ['wasm', 'webgpu']) {
      assert.deepEqual((await page.evaluate(runHere, { backend }, inputs)).y, expected.y);
    }
    await page.close();
    await plain.close();
  });

  test('a lost GPU is found again', async () => {
    const page = await browser.open(`${server.url}/test/blank.html`);
    await page.evaluate(async (given) => {
      const { load } = await import(/** @type {any} */ ('/scale/model.js'));
      const model = await load({ backend: 'webgpu' });
      await model.run(given);
      Object.assign(globalThis, { model });
    }, inputs);
    await page.loseGpu();
    const y = await page.evaluate(async (given) => {
      const { model } = /** @type {any} */ (globalThis);
      await model.device.lost;
      return [...(await model.run(given)).y.data];
    }, inputs);
    assert.deepEqual(y, expected.y);
    await page.close();
  });

  test('index.html runs on WebGPU, takes other sizes, and changes backends', async () => {
    const page = await browser.open(`${server.url}/scale/index.html?backend=webgpu`);
    await page.until(hasRun);
    assert.match(await page.evaluate(textOf, 'chosen'), /^GPU/);
    await page.evaluate(() => {
      const field = /** @type {HTMLInputElement} */ (document.querySelector('[data-symbol=n]'));
      field.value = '3';
      field.dispatchEvent(new Event('change'));
    });
    await page.until(() => document.getElementById('outputs')?.innerText.includes('float32[3, 4]'));
    await page.evaluate(chooseBackend, 'wasm');
    await page.until(() => document.getElementById('chosen')?.innerText.startsWith('CPU'));
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('index.html says what went wrong', async () => {
    const text = join(work, 'text.png');
    writeFileSync(text, 'no picture');
    const page = await browser.open(`${server.url}/digits/index.html`);
    await page.until(hasRun);
    await page.choose('#file', [text]);
    await page.until(() => !document.getElementById('error')?.hidden);
    assert.match(await page.evaluate(textOf, 'error'), /text.png is not a picture/);
    // The next picture makes it good.
    await page.choose('#file', [join(held, 'digit_3.png')]);
    await page.until(() => document.getElementById('error')?.hidden && document.querySelector('.bar b')?.textContent === 'class 3');
    await page.close();
  });

  test('index.html takes a picture that is dropped', async () => {
    const page = await browser.open(`${server.url}/digits/index.html?backend=wasm`);
    await page.until(hasRun);
    await page.evaluate(async () => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([await (await fetch('/held/digit_1.png')).blob()], 'one.png', { type: 'image/png' }));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    });
    await page.until(() => document.querySelector('.bar b')?.textContent === 'class 1');
    await page.close();
  });

  test('index.html shows a seven at first, and takes a picture that is pasted', async () => {
    const page = await browser.open(`${server.url}/digits/index.html?backend=wasm`);
    await page.until(hasRun);
    assert.equal(await page.evaluate(() => document.querySelector('.bar b')?.textContent), 'class 7');
    await page.evaluate(async () => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([await (await fetch('/held/digit_1.png')).blob()], 'one.png', { type: 'image/png' }));
      document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
    });
    await page.until(() => document.querySelector('.bar b')?.textContent === 'class 1');
    await page.close();
  });

  test('index.html colours the class of each point, whether the model gives scores or classes', async () => {
    const page = await browser.open(`${server.url}/segments/index.html?backend=wasm&scaling=unit`);
    await page.until(hasRun);
    await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(32, 32), context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
      ['#0f0', '#00f'].forEach((color, half) => {
        context.fillStyle = color;
        context.fillRect(half * 24, 0, 24, 32);
      });
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([await canvas.convertToBlob()], 'halves.png', { type: 'image/png' }));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    });
    await page.until(() => document.querySelector('#outputs .bar')?.textContent === 'class 175.0 %');
    const outputs = await page.evaluate(() => [...document.querySelectorAll('#outputs section')].map((section) => {
      const canvas = /** @type {HTMLCanvasElement} */ (section.querySelector('canvas')), opacity = /** @type {HTMLInputElement} */ (section.querySelector('[type=range]'));
      const colorsAt = (/** @type {number} */ value) => {
        opacity.value = String(value);
        opacity.dispatchEvent(new Event('input'));
        const { width, height } = canvas, copy = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext('2d'));
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, height / 2, width, 1);
        return [0.1, 0.9].map((x) => [...data.slice(4 * Math.round(x * width)).slice(0, 4)].join());
      };
      return { covered: colorsAt(1), picture: colorsAt(0), bars: [...section.querySelectorAll('.bar')].map((bar) => bar.textContent) };
    }));
    for (const { covered, picture, bars } of outputs) {
      assert.deepEqual(picture, ['0,255,0,255', '0,0,255,255']);
      assert.ok(covered[0] !== covered[1] && !picture.includes(covered[0]) && !picture.includes(covered[1]), covered.join(' '));
      assert.deepEqual(bars, ['class 175.0 %', 'class 225.0 %']);
    }
    assert.deepEqual(outputs[0], outputs[1]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('index.html compares both backends, and keeps settings in its address', async () => {
    const page = await browser.open(`${server.url}/digits/index.html?backend=wasm&scaling=signed`);
    await page.until(hasRun);
    assert.equal(await page.evaluate(() => /** @type {HTMLSelectElement} */ (document.getElementById('scaling')).value), 'signed');
    await page.evaluate(() => document.getElementById('compare')?.click());
    await page.until(() => !document.getElementById('comparison')?.hidden);
    const { bars, cells, text } = await page.evaluate(() => ({
      bars: [...document.querySelectorAll('#comparison .bar')].map((bar) => bar.textContent), text: document.getElementById('comparison')?.innerText,
      cells: [...document.querySelectorAll('#comparison tbody tr *')].map((cell) => cell.textContent),
    }));
    assert.match(bars.join(), /^CPU .WebAssembly.[\d.]+ ms,GPU .WebGPU.[\d.]+ ms$/);
    assert.equal(cells[0], 'digit_probabilities');
    assert.ok(Number(cells[1]) < 1e-4 && Number(cells[3]) < 1e-4, cells.join());
    assert.match(text, /Both agree to \S+ of the largest value|Both give the same/);
    await page.evaluate(chooseBackend, 'webgpu');
    await page.until(() => document.getElementById('chosen')?.innerText.startsWith('GPU'));
    assert.match(await page.evaluate(() => location.search), /backend=webgpu/);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('index.html of several models offers each, and shows a script that runs', async () => {
    const page = await browser.open(`${server.url}/several/index.html?backend=wasm&size.count=2`);
    await page.until(hasRun);
    assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('#model option')].map(({ textContent }) => textContent)), ['digits', 'the rows']);
    assert.equal(await page.evaluate(textOf, 'name'), 'digits');
    assert.match(await page.evaluate(textOf, 'outputs'), /digit_probabilities/);
    await page.evaluate(() => {
      const model = /** @type {HTMLSelectElement} */ (document.getElementById('model'));
      model.value = 'the rows';
      model.dispatchEvent(new Event('change'));
    });
    // The page that asks may be gone before it answers.
    const isShown = () => document.getElementById('name')?.innerText === 'the rows' && document.querySelector('main')?.dataset.state === 'ready';
    await page.until(isShown).catch(() => page.until(isShown));
    const address = await page.evaluate(() => location.search), { model, report } = await page.evaluate(() => ({
      model: /** @type {HTMLSelectElement} */ (document.getElementById('model')).value, report: document.getElementById('report')?.getAttribute('href') }));
    assert.deepEqual([Object.fromEntries(new URLSearchParams(address)), model, report], [{ model: 'the rows', backend: 'wasm' }, 'the rows', './report.html?model=the%20rows']);
    // The values that it was given.
    await page.evaluate(() => {
      const ids = /** @type {HTMLTextAreaElement} */ (document.querySelector('textarea'));
      ids.value = '[3, 1]';
      ids.dispatchEvent(new Event('change'));
    });
    const [[first]] = encoded([3n, 1n]);
    await page.until((first) => document.getElementById('snippet')?.textContent?.includes('[3, 1]') && document.getElementById('outputs')?.innerText.includes(String(first)), first);
    await page.evaluate(() => document.getElementById('compare')?.click());
    await page.until(() => !document.getElementById('comparison')?.hidden);
    const script = await page.evaluate(() => document.getElementById('snippet')?.textContent);
    await page.evaluate(() => document.getElementById('tab-ts')?.click());
    const typed = await page.evaluate(() => document.getElementById('snippet')?.textContent);
    assert.deepEqual(page.problems, []);
    await page.close();
    writeFileSync(join(several, 'pasted.mjs'), script.replace('load()', "load({ backend: 'wasm' })"));
    const printed = execFileSync(process.execPath, [join(several, 'pasted.mjs')], { encoding: 'utf8' });
    assert.deepEqual(printed.match(/-?\d+(?=,)/g)?.slice(0, 8).map(Number), encoded([3n, 1n])[0].slice(0, 8));
    writeFileSync(join(several, 'typed.ts'), typed);
    execFileSync(process.execPath, [join(root, 'tests/web/node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext',
      '--moduleResolution', 'bundler', '--lib', 'es2022,dom', join(several, 'typed.ts')], { encoding: 'utf8' });
  });

  test('index.html draws pictures and shows numbers as a table', async () => {
    const page = await browser.open(`${server.url}/pictures/index.html?backend=wasm`);
    await page.until(hasRun);
    const { input, output, table } = await page.evaluate(() => {
      const pixels = (/** @type {string} */ selector) => {
        const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(selector));
        const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).getImageData(0, 0, canvas.width, canvas.height);
        return { width: canvas.width, height: canvas.height, red: [...data].filter((_, i) => i % 4 === 0) };
      };
      const cells = [...document.querySelectorAll('td')].map((cell) => cell.textContent);
      return { input: pixels('#preview'), output: pixels('#outputs canvas'), table: cells };
    });
    assert.deepEqual([input.width, input.height, output.width, output.height], [4, 224, 4, 224]);
    // Values above 2 make it a picture of bytes.
    const wanted = input.red.map((/** @type {number} */ byte, /** @type {number} */ i) => byte / 255 * W[i % 4] + B[i % 4] + 1 + (i >> 2) * 7 % 99);
    assert.ok(output.red.every((/** @type {number} */ byte, /** @type {number} */ i) => Math.abs(byte - Math.max(0, wanted[i])) <= 0.51));
    // Made-up numbers, doubled.
    assert.deepEqual(table, ['2', '16', '30', '44', '58', '72', '86', '100']);
    await page.close();
  });

  test('index.html takes numbers as text, times kernels, and shows a script that runs', async () => {
    const page = await browser.open(`${server.url}/scale/index.html?backend=wasm`);
    await page.until(hasRun);
    await page.evaluate(() => {
      const [x, k] = document.querySelectorAll('textarea');
      [x.value, k.value] = ['[[1, 2, 3, 4]]', '10'];
      k.dispatchEvent(new Event('change'));
    });
    // 1 * 1 + 0.5 + 10.
    await page.until(() => document.getElementById('outputs')?.innerText.includes('11.5'));
    await page.evaluate(() => document.getElementById('measure')?.click());
    await page.until(() => document.querySelectorAll('#kernels li').length === 2);
    const profile = await page.download(() => document.getElementById('save-profile')?.click());
    assert.equal(profile.name, 'scale.profile.json');
    assert.deepEqual(JSON.parse(String(profile.bytes)).steps.map((/** @type {any} */ step) => step.kernel), ['scale', 'twice']);
    const script = await page.evaluate(() => document.getElementById('snippet')?.textContent);
    assert.match(script, /import { load, top } from '.\/model.js';/);
    await page.close();
    // As a file beside the model, it runs.
    writeFileSync(join(scale.folder, 'pasted.mjs'), script.replace("load()", "load({ backend: 'wasm' })"));
    assert.match(execFileSync(process.execPath, [join(scale.folder, 'pasted.mjs')], { encoding: 'utf8' }), /score: 27 .*score: 18.5 .*score: 14 .*score: 11.5 /s);
  });

  test('index.html works on a phone', async () => {
    const page = await browser.open(`${server.url}/digits/index.html`, { viewport: { width: 360, height: 640 } });
    await page.until(hasRun);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await page.close();
  });
});

describe('the report', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium', { gpu: false });
  });
  after(() => browser.close());

  test('says what was built, and leads from a node to its kernels and back', async () => {
    const page = await browser.open(`${server.url}/digits/report.html`);
    const { cards, origin } = await page.evaluate(() => ({
      cards: document.getElementById('cards')?.innerText, origin: document.getElementById('origin')?.innerText,
    }));
    const sha256 = createHash('sha256').update(readFileSync(join(root, 'models/digits/digits.onnx'))).digest('hex');
    assert.ok(origin.includes(sha256) && /opset ai.onnx 1[0-9]/.test(origin) && origin.includes('webnnc digits.onnx'), origin);
    assert.match(cards, /every GPU/);
    const node = await page.evaluate(() => {
      location.hash = document.querySelector('svg.graph [aria-label*="/conv2/Conv"]')?.getAttribute('data-node')?.replace(/^/, 'node-') ?? '';
      return new Promise((done) => setTimeout(() => done(document.querySelector('aside')?.innerText), 50));
    });
    assert.match(node, /Conv\n\n?\/conv2\/Conv[\s\S]*Computed by[\s\S]*conv_add_relu/);
    const kernel = await page.evaluate(() => {
      /** @type {HTMLAnchorElement} */ (document.querySelector('aside a')).click();
      return new Promise((done) => setTimeout(() => done({
        row: document.activeElement?.textContent, marked: [...document.querySelectorAll('.marked')].map((box) => box.getAttribute('aria-label')),
      }), 50));
    });
    assert.match(kernel.row, /conv_add_relu/);
    assert.deepEqual(kernel.marked, ['Conv /conv2/Conv', 'Relu /relu2/Relu']);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('says what smaller weights cost', async () => {
    const smaller = join(work, 'smaller');
    execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(root, 'models/digits/digits.onnx'), '-o', smaller, '--target', 'wasm', '--quantize', 'int8', '--quiet']);
    const page = await browser.open(`file://${join(smaller, 'report.html')}`);
    const text = await page.evaluate(() => /** @type {HTMLElement} */ (document.getElementById('quantization')).innerText);
    assert.match(text, /Weights were stored as int8: constants have 6\d\.\d kB instead of 253 kB/);
    assert.match(text, /on an input that was made up: --calibrate tells on yours[\s\S]*digit_probabilities\s+[\d.]+ %/);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('finds by a search, and says what changed since another build', async () => {
    const page = await browser.open(`${server.url}/digits/report.html`);
    const rows = await page.evaluate(() => {
      const search = /** @type {HTMLInputElement} */ (document.getElementById('search'));
      search.value = 'softmax';
      search.dispatchEvent(new Event('input'));
      return [...document.querySelectorAll('#programs tr:not([hidden])')].map((row) => /** @type {HTMLElement} */ (row).id).filter(Boolean);
    });
    assert.deepEqual(rows, ['step-0-9', 'step-1-9']);
    // The same model for batches: other sizes and fewer bytes of code are told.
    const older = join(work, 'older.html');
    writeFileSync(older, readFileSync(join(digits, 'report.html'), 'utf8').replace(/"parameters":\d+/, '"parameters":12'));
    await page.choose('#changes input', [older]);
    await page.until(() => document.querySelector('#changes table')?.textContent?.includes('parameters12'));
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('shows times, works on a phone and from a folder on disk', async () => {
    const page = await browser.open(`file://${join(digits, 'report.html')}`, { viewport: { width: 390, height: 800 } });
    const profile = join(work, 'profile.json'), { programs } = readReport();
    const steps = programs[0].steps.map((/** @type {any} */ step, /** @type {number} */ s) => ({ kernel: programs[0].kernels[step.kernel].name, ms: s }));
    writeFileSync(profile, JSON.stringify({ clock: 'wall', total: 45, steps, kernels: [] }));
    await page.choose('#time input', [profile]);
    await page.until(() => document.querySelectorAll('.bars a').length === 10);
    assert.match(await page.evaluate(() => document.querySelector('.bars li')?.textContent), /softmax.*9.00 ms, 20.0 %/);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    await page.close();
  });
});

describe('the report of several models', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium', { gpu: false });
  });
  after(() => browser.close());

  test('shows one at a time, with the weights that it reads', async () => {
    const several = join(work, 'several');
    execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [`first=${join(root, 'models/digits/digits.onnx')}`, segmentsFile, '-o', several, '--quiet']);
    const shown = () => ({
      name: document.getElementById('name')?.innerText, origin: document.getElementById('origin')?.innerText,
      models: [...document.querySelectorAll('.models a')].map((link) => [link.textContent, link.getAttribute('href'), link.getAttribute('aria-current')]),
      weights: document.querySelectorAll('#weights tbody tr').length, nodes: document.querySelectorAll('svg.graph [data-node]').length,
    });
    let page = await browser.open(`file://${join(several, 'report.html')}`);
    const first = await page.evaluate(shown);
    assert.equal(first.name, 'first-segments');
    assert.deepEqual(first.models, [['first', '?model=first', 'page'], ['segments', '?model=segments', null]]);
    assert.match(first.origin, /from digits\.onnx/);
    assert.deepEqual(page.problems, []);
    await page.close();
    page = await browser.open(`file://${join(several, 'report.html')}?model=segments`);
    const second = await page.evaluate(shown);
    assert.deepEqual(second.models, [['first', '?model=first', null], ['segments', '?model=segments', 'page']]);
    assert.match(second.origin, /from segments\.onnx/);
    assert.notEqual(second.nodes, first.nodes);
    assert.ok(first.weights > second.weights, `${first.weights}, ${second.weights}`);
    // Another report of both is compared with the same model in it.
    const older = join(work, 'older_several.html');
    writeFileSync(older, readFileSync(join(several, 'report.html'), 'utf8').replaceAll(/"parameters":\d+/g, '"parameters":12'));
    await page.choose('#changes input', [older]);
    await page.until(() => document.querySelector('#changes table')?.textContent?.includes('parameters12'));
    assert.deepEqual(page.problems, []);
    await page.close();
  });
});

/** What the compiler wrote into the report of the digits. */
function readReport() {
  return JSON.parse(/id="build">(.*?)<\/script>/.exec(readFileSync(join(digits, 'report.html'), 'utf8'))?.[1] ?? '');
}

describe('in Chromium without a GPU', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch('chromium', { gpu: false });
  });
  after(() => browser.close());

  test('the model runs in wasm and says why', async () => {
    const page = await browser.open(`${server.url}/test/blank.html`);
    const { backend, reason, y } = await page.evaluate(runHere, {}, inputs);
    assert.deepEqual({ backend, y }, { backend: 'wasm', y: expected.y });
    assert.match(reason, /found no GPU/);
    await page.close();
  });

  test('index.html says why WebGPU cannot be used', async () => {
    const page = await browser.open(`${server.url}/scale/index.html?backend=webgpu`);
    await page.until(hasRun);
    assert.match(await page.evaluate(textOf, 'error'), /UnsupportedError: WebGPU found no GPU/);
    await page.evaluate(chooseBackend, 'wasm');
    await page.until(() => document.getElementById('chosen')?.innerText.startsWith('CPU'));
    assert.equal(await page.evaluate(textOf, 'error'), '');
    await page.close();
  });
});
