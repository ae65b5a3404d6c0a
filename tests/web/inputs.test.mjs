// What goes into a model's page: pictures and how they are prepared, cameras and videos, values and files, sizes; that the
// page answers meanwhile, and can be used by keyboard, on phones and under a strict policy. Readers are tested in
// Node, all else in Chromium. Files are NumPy's (npy_reference.py).

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { inWords } from '../../runtime-js/page/loading.js';
import { readNpy } from '../../runtime-js/page/npy.js';
import { readValues } from '../../runtime-js/page/read_values.js';
import { evaluate } from '../../runtime-js/page/sizes.js';
import { numbersOf } from '../../runtime-js/elements.js';
import { onnxModel } from '../onnx_model.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';

/** @typedef {import('./harness.mjs').Page} Page */

const root = fileURLToPath(new URL('../..', import.meta.url)), work = mkdtempSync(join(tmpdir(), 'webnnc-inputs-'));
after(() => rmSync(work, { recursive: true }));
const { read: files, refused } = JSON.parse(readFileSync(join(root, 'tests/web/npy_reference.json'), 'utf8'));
const bytesOf = (/** @type {string} */ base64) => new Uint8Array(Buffer.from(base64, 'base64'));

// ---- Readers

describe('.npy', () => {
  for (const { dataType, shape, values, bytes } of files) {
    test(`${dataType}[${shape}] as NumPy wrote it`, () => {
      const read = readNpy(bytesOf(bytes)), numbers = Array.from(numbersOf(read.dataType, read.data));
      assert.deepEqual([read.dataType, read.shape], [dataType, shape]);
      assert.deepEqual(numbers.map((value) => typeof value === 'bigint' ? String(value) : value), values.map((/** @type {any} */ value) => typeof value === 'boolean' ? Number(value) : value));
    });
  }

  test('what cannot be read is refused with a reason', () => {
    const whole = bytesOf(files[0].bytes);
    assert.throws(() => readNpy(bytesOf(refused.complex)), /elements "<c16", which no input is of/);
    assert.throws(() => readNpy(bytesOf(refused.text)), /elements "<U1"/);
    assert.throws(() => readNpy(bytesOf(refused.fields)), /several fields/);
    assert.throws(() => readNpy(whole.slice(0, -1)), /cut short: \[2, 3\] of float32 are 24 bytes, and it has 23/);
    assert.throws(() => readNpy(whole.slice(0, 40)), /cut short: it ends in its header/);
    assert.throws(() => readNpy(Uint8Array.from(whole, (byte, i) => i === 6 ? 9 : byte)), /version 9/);
  });
});

describe('values', () => {
  const port = (/** @type {any} */ dataType, /** @type {any[]} */ shape = ['n']) => ({ name: 'x', dataType, shape });
  /** @param {any} dataType @param {string | Blob} source @param {any[]} [shape] @param {string} [name] */
  async function read(dataType, source, shape, name) {
    const given = await readValues(port(dataType, shape), source, name);
    return { numbers: Array.from(numbersOf(dataType, given.data)), shape: given.shape, said: given.said };
  }

  test('as text, JSON, bytes and files', async () => {
    assert.deepEqual((await read('float32', '1, 2.5;-3\n nan inf')).numbers, [1, 2.5, -3, NaN, Infinity]);
    assert.deepEqual(await read('int32', '[[1, 2], [3, 4]]'), { numbers: [1, 2, 3, 4], shape: [2, 2], said: '[2, 2]' });
    assert.deepEqual((await read('bool', 'true false 1')).numbers, [1, 0, 1]);
    assert.deepEqual((await read('int64', '9007199254740993 -1')).numbers, [9007199254740993n, -1n]);
    assert.deepEqual((await read('float16', '[0.5, "NaN"]')).numbers, [0.5, NaN]);
    assert.deepEqual(await read('float32', '{"shape":[1,2],"dataType":"float32","data":[1,"-Infinity"]}'), { numbers: [1, -Infinity], shape: [1, 2], said: '[1, 2]' });
    // As UTF-8; where the size is fixed, zeros follow.
    assert.deepEqual(await read('int32', '"hé"', [1, 5]), { numbers: [104, 195, 169, 0, 0], shape: undefined, said: '3 bytes of text, then 2 zeros' });
    assert.deepEqual((await read('uint8', new Blob([Uint8Array.of(1, 200)]), ['n'], 'a.bin')).numbers, [1, 200]);
    assert.deepEqual((await read('float32', new Blob(['1 2 3']), ['n'], 'a.txt')).numbers, [1, 2, 3]);
  });

  test('of another type where that holds them', async () => {
    const float64 = new Blob([bytesOf(files[2].bytes)]), int64 = new Blob([bytesOf(files[3].bytes)]), int32 = new Blob([bytesOf(files[11].bytes)]);
    assert.deepEqual((await read('float32', float64)).numbers, [1, 2, 3, 4, 5, Infinity]);
    assert.deepEqual((await read('int64', int32)).numbers, [1n, 2n, 3n, 4n, 5n, -6n]);
    assert.deepEqual((await read('float32', int64)).numbers, [2 ** 40, -(2 ** 63)]);
    await assert.rejects(read('int32', int64), /1099511627779 as element 0, which int32 cannot hold/);
    await assert.rejects(read('int32', new Blob([bytesOf(files[0].bytes)])), /1.5 as element 0, which int32 cannot hold/);
  });

  test('are refused with a reason', async () => {
    await assert.rejects(read('int32', 'hello'), /"hello" is no number; a text stands in quotes/);
    await assert.rejects(read('float32', '"hello"'), /float32 needs numbers/);
    await assert.rejects(read('float32', '[1, 2'), /this is no JSON: /);
    await assert.rejects(read('float32', '[[1, 2], [3]]'), /ragged: part 0 has the shape \[2\], and part 1 \[1\]/);
    await assert.rejects(read('float32', '{"a":1}'), /no list, and has no list "data"/);
    await assert.rejects(read('float32', new Blob([Uint8Array.of(0xff, 0xfe)]), ['n'], 'a.dat'), /a.dat is no .npy file/);
    await assert.rejects(read('float32', new Blob(['PK\x03\x04']), ['n'], 'a.npz'), /a.npz is an archive/);
    await assert.rejects(read('int32', new Blob([Uint8Array.of(1, 2, 3)]), ['n'], 'a.bin'), /3 bytes are no whole number of int32/);
  });

  test('sizes that are expressions', () => {
    const valueOf = (/** @type {string} */ name) => ({ seq: 5, past: 7, 'a b': 2 })[name] ?? NaN;
    for (const [text, value] of Object.entries({ '2*seq+past': 17, '-seq+past+1': 3, 'floordiv(past+1,2)': 4, 'mod(-seq,3)': 1, 'max(seq,min(past,6))*2': 12, '"a b"*seq-1': 9 })) assert.equal(evaluate(text, valueOf), value, text);
  });

  test('what is loaded is told in words', () => {
    assert.equal(inWords({ phase: 'weights', loaded: 7_000_000, total: 14_000_000 }), '7.0 MB of 14.0 MB (50 %)');
    assert.equal(inWords({ phase: 'compilation', loaded: 12, total: 55 }), '12 of 55 programs (21 %)');
  });
});

// ---- In Chromium

/** @param {string} name @param {Buffer | Uint8Array} model @param {string[]} flags */
function compile(name, model, ...flags) {
  const file = join(work, `${name}.onnx`), out = join(work, name);
  writeFileSync(file, model);
  execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [file, '-o', out, '--quiet', ...flags]);
  return out;
}

/** Gives back what it was given, with the other sign. @param {Record<string, any>} inputs */
const mirror = (inputs) => onnxModel({
  inputs, outputs: Object.fromEntries(Object.entries(inputs).map(([name, type]) => [`${name}_out`, type])),
  nodes: Object.keys(inputs).map((name) => ({ op: 'Neg', inputs: [name], outputs: [`${name}_out`] })),
});

const isDone = () => ['ready', 'failed'].includes(document.querySelector('main')?.dataset.state ?? '');
const hasRun = () => document.querySelector('main')?.dataset.state === 'ready' && !document.getElementById('times')?.hidden;
/** @param {string} id */
const textOf = (id) => document.getElementById(id)?.innerText;
/** Sets a control. @param {string} id @param {string} value */
function set(id, value) {
  const control = /** @type {HTMLInputElement} */ (document.getElementById(id));
  control.value = value;
  control.dispatchEvent(new Event('change'));
}
/** Types into an input's field. @param {string} name @param {string} text */
function type(name, text) {
  const field = /** @type {HTMLTextAreaElement} */ (document.querySelector(`textarea[data-input=${name}]`));
  field.value = text;
  field.dispatchEvent(new Event('change'));
}
/** @param {Page} page @param {string} output @returns {Promise<{shape: number[], data: number[]}>} */
async function resultOf(page, output) {
  await page.until(hasRun);
  const { bytes } = await page.download((name) => /** @type {HTMLElement | undefined} */ ([...document.querySelectorAll(`[data-output="${name}"] button`)].find((button) => button.textContent === 'JSON'))?.click(), output);
  return JSON.parse(String(bytes));
}
/** Waits until a change has been taken. @param {Page} page */
async function settle(page) {
  await new Promise((done) => setTimeout(done, 50));
  await page.until(isDone);
}

describe('the page', { skip: hasBrowser('chromium') ? false : 'there is no Chromium' }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  /** @type {Awaited<ReturnType<typeof serve>>} */ let server;
  /** @type {Record<string, string>} */
  const mounts = {};
  before(async () => {
    mounts['/tokens'] = compile('tokens', mirror({ input_ids: ['i64', ['batch', 'tokens']], attention_mask: ['i64', ['batch', 'tokens']], token_type_ids: ['i64', ['batch', 'tokens']], table: ['f32', [2, 3]] }));
    mounts['/colours'] = compile('colours', mirror({ image: ['f32', [1, 3, 8, 8]] }));
    mounts['/told'] = compile('told', mirror({ image: ['f32', [1, 3, 8, 8]] }), '--image', 'resize=contain mean=0.5 order=bgr');
    mounts['/two'] = compile('two', mirror({ left: ['f32', [1, 1, 32, 'width']], right: ['f32', [2, 32, 32, 3]] }));
    server = await serve(mounts, { csp: STRICT_CSP });
    browser = await launch('chromium', { gpu: false, args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required'] });
  });
  after(async () => {
    await browser.close();
    await server.close();
  });
  /** @param {string} path @param {import('./harness.mjs').OpenOptions} [options] */
  async function open(path, options) {
    const page = await browser.open(`${server.url}/${path.replace('?', '/index.html?backend=wasm&').replace(/^[a-z]+$/, '$&/index.html?backend=wasm')}`, options);
    await page.until(isDone);
    await page.until(() => !document.getElementById('times')?.hidden || !document.getElementById('error')?.hidden);
    return page;
  }

  test('makes up ones for masks, zeros for types, and at least eight tokens', async () => {
    const page = await open('tokens');
    for (const [name, values] of Object.entries({ input_ids: [1, 8, 15, 22, 29, 36, 43, 50], attention_mask: Array(8).fill(1), token_type_ids: Array(8).fill(0) })) {
      const { shape, data } = await resultOf(page, `${name}_out`);
      assert.deepEqual([shape, data.map((/** @type {number} */ value) => 0 - value)], [[1, 8], values], name);
    }
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('takes numbers and files, and their sizes for the other inputs', async () => {
    const page = await open('tokens');
    await page.evaluate(type, 'input_ids', '5 6 7');
    await settle(page);
    assert.deepEqual(await resultOf(page, 'input_ids_out'), { shape: [1, 3], dataType: 'int64', data: [-5, -6, -7] });
    assert.deepEqual((await resultOf(page, 'attention_mask_out')).data, [-1, -1, -1]);
    // Files: as the table's own field takes them, and as they are dropped on it.
    const npy = join(work, 'table.npy');
    writeFileSync(npy, bytesOf(files[0].bytes));
    await page.choose('[data-input=table] input', [npy]);
    await settle(page);
    assert.deepEqual((await resultOf(page, 'table_out')).data, files[0].values.map((/** @type {number} */ value) => -value));
    assert.match(await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('.values[data-input=table]')).innerText), /table.npy: float32\[2, 3\]/);
    await page.evaluate((base64) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], 'other.npy'));
      document.querySelector('textarea[data-input=table]')?.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    }, files[11].bytes);
    await settle(page);
    assert.deepEqual((await resultOf(page, 'table_out')).data, [-1, -2, -3, -4, -5, 6]);
    // Bad ones are told by input and reason, and the next one makes it good.
    for (const [text, problem] of [['1 2 x', /input "table": "x" is no number/], ['[1, 2]', /input "table" has 2 elements; float32\[2,3\] has 6/], ['[[1, 2], [3, 4]]', /input "table" has shape \[2,2\]; the model takes float32\[2,3\]/]]) {
      await page.evaluate(type, 'table', text);
      await settle(page);
      assert.match(await page.evaluate(textOf, 'error'), /** @type {RegExp} */ (problem));
    }
    await page.evaluate(type, 'table', '1 2 3 4 5 6');
    await settle(page);
    assert.deepEqual((await resultOf(page, 'table_out')).data, [-1, -2, -3, -4, -5, -6]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('keeps open sizes in its address', async () => {
    const page = await open('tokens?size.tokens=5');
    assert.deepEqual((await resultOf(page, 'input_ids_out')).shape, [1, 5]);
    await page.evaluate(() => {
      const field = /** @type {HTMLInputElement} */ (document.querySelector('[data-symbol=batch]'));
      field.value = '2';
      field.dispatchEvent(new Event('change'));
    });
    await settle(page);
    assert.deepEqual((await resultOf(page, 'input_ids_out')).shape, [2, 5]);
    assert.match(await page.evaluate(() => location.search), /size.tokens=5&size.batch=2/);
    await page.close();
  });

  /** A picture of the model's own size, so that nothing is resized. */
  const pixels = Array.from({ length: 64 }, (_, p) => [p * 4, 255 - p * 3, p * 7 % 256]);
  /** Pastes it. @param {number[][]} colors */
  async function paste(colors) {
    const canvas = new OffscreenCanvas(8, 8), data = new ImageData(8, 8);
    colors.forEach((color, p) => data.data.set([...color, 255], 4 * p));
    canvas.getContext('2d')?.putImageData(data, 0, 0);
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([await canvas.convertToBlob()], 'a.png', { type: 'image/png' }));
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  }
  /** @param {number[]} got by the model @param {(color: number[], c: number) => number} wanted @param {string} what */
  function check(got, wanted, what) {
    const off = got.map((value, i) => Math.abs(-value - wanted(pixels[i % 64], Math.floor(i / 64))));
    assert.ok(Math.max(...off) < 1e-4, `${what}: ${Math.max(...off)}`);
  }

  test('prepares pictures as chosen, says what is guessed, and keeps it in its address', async () => {
    const page = await open('colours');
    assert.match(await page.evaluate(textOf, 'guess'), /is guessed/);
    await page.evaluate(paste, pixels);
    await settle(page);
    const mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225];
    check((await resultOf(page, 'image_out')).data, (color, c) => (color[c] / 255 - mean[c]) / std[c], 'ImageNet');
    await page.evaluate(set, 'range', '0..255');
    await page.evaluate(set, 'mean', '104 117, 123.5');
    await page.evaluate(set, 'std', '2');
    await page.evaluate(set, 'order', 'bgr');
    await settle(page);
    const own = (/** @type {number[]} */ color, /** @type {number} */ c) => (color[2 - c] - [104, 117, 123.5][c]) / 2;
    check((await resultOf(page, 'image_out')).data, own, 'own numbers');
    const { address, guess, scaling } = await page.evaluate(() => ({ address: location.href, guess: document.getElementById('guess')?.innerText, scaling: /** @type {HTMLSelectElement} */ (document.getElementById('scaling')).value }));
    assert.match(guess, /as chosen here/);
    assert.equal(scaling, 'own');
    // The script beside says the same.
    assert.match(await page.evaluate(() => document.getElementById('snippet')?.textContent), /range: '0..255', mean: \[104, 117, 123.5\], std: 2, order: 'bgr'/);
    await page.evaluate(set, 'std', '0');
    await settle(page);
    assert.match(await page.evaluate(textOf, 'error'), /std is "0", and must be a number or 3 of them, not 0/);
    await page.visit(address);
    await page.until(hasRun);
    await page.evaluate(paste, pixels);
    await settle(page);
    check((await resultOf(page, 'image_out')).data, own, 'by its address');
    assert.match(await page.evaluate(textOf, 'guess'), /as chosen here/);
    await page.evaluate(set, 'scaling', 'signed');
    await settle(page);
    check((await resultOf(page, 'image_out')).data, (color, c) => color[2 - c] / 127.5 - 1, 'a usual one');
    assert.match(await page.evaluate(() => location.search), /scaling=signed/);
    assert.doesNotMatch(await page.evaluate(() => location.search), /mean=/);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('guesses nothing where --image told', async () => {
    const page = await open('told');
    assert.match(await page.evaluate(textOf, 'guess'), /prepared as the model was compiled to: resize contain; .*mean 0.5; .*order bgr/);
    assert.equal(await page.evaluate(() => document.getElementById('mean')), null);
    await page.evaluate(paste, pixels);
    await settle(page);
    check((await resultOf(page, 'image_out')).data, (color, c) => color[2 - c] / 255 - 0.5, '--image');
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('has samples, and a place for each picture of several', async () => {
    const page = await open('two');
    const left = await resultOf(page, 'left_out'), right = await resultOf(page, 'right_out');
    assert.deepEqual([left.shape, right.shape], [[1, 1, 32, 224], [2, 32, 32, 3]]);
    await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelectorAll('[data-input=right] .sample')[2]).click());
    await settle(page);
    const other = await resultOf(page, 'right_out');
    assert.notDeepEqual(other.data, right.data);
    assert.deepEqual(other.data.slice(0, 3072), other.data.slice(3072));
    assert.deepEqual((await resultOf(page, 'left_out')).data, left.data);
    assert.match(await page.evaluate(() => location.search), /right.sample=cat/);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  // ---- Live pictures

  const isLive = () => document.querySelector('main')?.dataset.state === 'live' && /frames per second/.test(document.getElementById('rate')?.innerText ?? '');
  for (const name of ['colours', 'told']) {
    test(`shows the camera live: ${name}`, async () => {
      const page = await open(name);
      await page.evaluate(() => document.getElementById('camera')?.click());
      await page.until(isLive);
      // The fake camera's picture changes.
      const seen = new Set();
      await page.until(() => {
        const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById('preview')), all = /** @type {any} */ (globalThis).seen ??= new Set();
        all.add(canvas.toDataURL());
        return all.size > 3;
      });
      seen.clear();
      await page.evaluate(() => document.getElementById('stop')?.click());
      await page.until(hasRun);
      // The last frame stays, as a picture.
      const { data } = await resultOf(page, 'image_out');
      assert.ok(new Set(data).size > 3);
      assert.equal(await page.evaluate(textOf, 'error'), '');
      assert.deepEqual(page.problems, []);
      await page.close();
    });
  }

  test('plays a video, and says where a policy does not let it', async () => {
    const plain = await serve(mounts);
    for (const { url } of [plain, server]) {
      const page = await browser.open(`${url}/colours/index.html?backend=wasm`);
      await page.until(hasRun);
      await page.evaluate(async () => {
        const canvas = document.createElement('canvas'), context = canvas.getContext('2d'), recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/webm' });
        /** @type {Blob[]} */
        const parts = [];
        recorder.ondataavailable = ({ data }) => parts.push(data);
        recorder.start();
        for (let i = 0; i < 30; ++i) {
          if (context) context.fillStyle = `rgb(${i * 8}, 100, 50)`;
          context?.fillRect(0, 0, 300, 150);
          await new Promise((done) => setTimeout(done, 33));
        }
        await new Promise((done) => {
          recorder.onstop = done;
          recorder.stop();
        });
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(parts, 'film.webm', { type: 'video/webm' }));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
      });
      if (url === plain.url) {
        await page.until(isLive);
        await page.evaluate(() => document.getElementById('stop')?.click());
        await page.until(hasRun);
        assert.deepEqual(page.problems, []);
      } else {
        await page.until(() => !document.getElementById('error')?.hidden);
        assert.match(await page.evaluate(textOf, 'error'), /Content-Security-Policy lets no page play a chosen video: it needs "media-src blob:"/);
      }
      await page.close();
    }
    await plain.close();
  });

  test('says why there is no camera', async () => {
    const bare = await launch('chromium', { gpu: false, args: ['--host-resolver-rules=MAP plain.test 127.0.0.1'] });
    try {
      const { port } = new URL(server.url), page = await bare.open(`${server.url}/colours/index.html?backend=wasm`);
      await page.until(hasRun);
      await page.evaluate(() => document.getElementById('camera')?.click());
      await page.until(() => !document.getElementById('error')?.hidden);
      assert.match(await page.evaluate(textOf, 'error'), /was not allowed to use the camera|there is no camera here/);
      await page.visit(`http://plain.test:${port}/colours/index.html?backend=wasm`);
      await page.until(hasRun);
      assert.match(await page.evaluate(textOf, 'rate'), /cameras work on pages of https: and of localhost only, and this one is of http:\/\/plain.test/);
      assert.equal(await page.evaluate(() => /** @type {HTMLButtonElement} */ (document.getElementById('camera')).disabled), true);
      await page.close();
    } finally {
      await bare.close();
    }
  });

  // ---- The page itself

  test('says what is loaded', async () => {
    const slow = await serve(mounts, { before: (path) => path.endsWith('weights.bin') || path.endsWith('.wasm') ? new Promise((done) => setTimeout(done, 300)) : undefined });
    const page = await browser.open(`${slow.url}/tokens/index.html?backend=wasm`, { still: true });
    await page.evaluate(() => {
      const said = /** @type {any} */ (globalThis).said = /** @type {string[]} */ ([]), place = /** @type {HTMLElement} */ (document.getElementById('loading'));
      new MutationObserver(() => said.push(place.innerText)).observe(place, { childList: true, subtree: true, characterData: true });
    });
    await page.until(hasRun);
    const said = (await page.evaluate(() => /** @type {any} */ (globalThis).said)).join(' ');
    assert.match(said, /Code\s*\d+ kB of \d+ kB \(\d+ %\)/);
    assert.match(said, /Compilation/);
    // Bars without a value move by themselves.
    assert.equal(await page.evaluate(() => document.querySelectorAll('progress:indeterminate').length), 0);
    await page.close();
    await slow.close();
  });

  test('runs in the page where no worker may be, and says why', async () => {
    const strict = await serve(mounts, { csp: `${STRICT_CSP}; worker-src 'none'` }), page = await browser.open(`${strict.url}/colours/index.html?backend=wasm`);
    await page.until(hasRun);
    assert.match(await page.evaluate(textOf, 'thread'), /the page, which stands still meanwhile: cannot run .*model.worker.js/);
    await page.evaluate(paste, pixels);
    await settle(page);
    check((await resultOf(page, 'image_out')).data, (color, c) => (color[c] / 255 - [0.485, 0.456, 0.406][c]) / [0.229, 0.224, 0.225][c], 'in the page');
    await page.close();
    await strict.close();
  });

  test('does not scroll sideways, from 390 to 1600 px, light and dark', async () => {
    for (const name of ['tokens', 'colours', 'told', 'two']) {
      for (const width of [390, 768, 1600]) {
        const page = await open(name, { viewport: { width, height: 800 }, dark: width === 768 });
        await page.evaluate(() => document.querySelectorAll('details').forEach((details) => details.open = true));
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, name);
        await page.close();
      }
    }
  });

  test('can be used by keyboard, and shows where one is', async () => {
    const page = await open('colours');
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => details.open = true));
    const wanted = await page.evaluate(() => {
      const all = [...document.querySelectorAll('main :is(input, select, textarea, button, summary, a)')].filter((element) =>
        /** @type {HTMLElement} */ (element).checkVisibility() && !element.matches(':disabled, [tabindex="-1"]'));
      all.forEach((element, i) => element.setAttribute('data-stop', String(i)));
      return all.length;
    });
    const seen = new Set();
    for (let i = 0; i < wanted + 10 && seen.size < wanted; ++i) {
      await page.press('Tab');
      const { stop, isMarked } = await page.evaluate(() => {
        const active = /** @type {HTMLElement} */ (document.activeElement), marked = active.closest('.drop, .file') ?? active, { outlineStyle, outlineWidth } = getComputedStyle(marked);
        return { stop: active.dataset.stop, isMarked: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
      });
      if (stop === undefined) continue;
      assert.ok(isMarked, `control ${stop} does not show that it is focused`);
      seen.add(stop);
    }
    assert.equal(seen.size, wanted);
    // A sample and a setting, by keys alone.
    const before = (await resultOf(page, 'image_out')).data;
    await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelectorAll('.sample')[1]).focus());
    await page.press('Enter');
    await settle(page);
    const person = (await resultOf(page, 'image_out')).data;
    assert.notDeepEqual(person, before);
    await page.evaluate(() => document.getElementById('fit')?.focus());
    await page.press('ArrowDown');
    await settle(page);
    assert.notDeepEqual((await resultOf(page, 'image_out')).data, person);
    await page.close();
  });

  test('helps those who open it from a folder on disk', async () => {
    const page = await browser.open(`file://${join(work, 'colours/index.html')}`);
    assert.match(await page.evaluate(() => document.body.innerText), /a page cannot run from a folder\s+on disk. Serve the folder with a web server/);
    await page.close();
  });
});
