// The pages of docs/examples in Chromium, as they are, beside models that the compiler made: what they show, what they say when
// something is missing, under a strict Content-Security-Policy and on a phone's screen.
//
//   WEBNNC=build/webnnc node --test tests/web/examples.test.mjs
//
// With SCREENSHOTS=FOLDER they are also photographed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { launch, serve } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const models = execFileSync(join(root, 'tests/unpack_shared'), ['models', process.env.CACHE ?? join(root, 'build/cache')], { encoding: 'utf8' }).trim();
if (!models) console.log('skipped: a story and a voice, for which models in ../shared are needed');
const work = mkdtempSync(join(tmpdir(), 'webnnc-examples-'));
after(() => rmSync(work, { recursive: true }));

const PHONE = { width: 390, height: 844 };
const BACKENDS = /** @type {const} */ (['wasm', 'webgpu']);

/** @typedef {import('./harness.mjs').Page} Page */
/** What a page may do that stands in one file: hashes admit what it holds. @param {string} html */
function policyOf(html) {
  const hashes = (/** @type {string} */ tag) => [...html.matchAll(new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, 'gs'))]
    .map(([, text]) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');
  return `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob: ${hashes('script')}; style-src ${hashes('style')}; media-src 'self' blob:; require-trusted-types-for 'script'`;
}

/** Puts an example into a model's folder, as it says, and opens it. */
class Example {
  /** @param {string} name @param {string} folder */
  constructor(name, folder) {
    this.name = name;
    this.html = readFileSync(join(root, `docs/examples/${name}.html`), 'utf8');
    this.folder = folder;
    copyFileSync(join(root, `docs/examples/${name}.html`), join(folder, `${name}.html`));
  }

  /**
   * @param {(page: Page, url: string) => Promise<void>} body
   * @param {{query?: string, args?: string[], before?: () => void, dark?: boolean, viewport?: {width: number, height: number}}} [options]
   */
  async with(body, { query = '', args = [], ...options } = {}) {
    const server = await serve({ '/': this.folder }, { csp: policyOf(this.html) }), browser = await launch('chromium', { args });
    try {
      const url = `${server.url}/${this.name}.html${query}`;
      await body(await browser.open(url, options), url);
    } finally {
      await browser.close();
      await server.close();
    }
  }
}

/** @param {Page} page @param {string} name */
async function photograph(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot(join(process.env.SCREENSHOTS, `${name}.png`));
}

/** @param {string} model @param {string} name @param {...string} options @returns the folder */
function compile(model, name, ...options) {
  const out = join(work, name);
  execFileSync(webnnc, [model, '-o', out, '--quiet', ...options]);
  return out;
}

/** Text of an element. @param {Page} page @param {string} id @returns {Promise<string>} */
const textOf = (page, id) => page.evaluate((id) => document.getElementById(id)?.textContent, id);
/** @param {Page} page */
const isReady = (page) => page.until(() => !(/** @type {HTMLButtonElement} */ (document.getElementById('button')).disabled));
/** @param {Page} page */
const click = (page) => page.evaluate(() => document.getElementById('button')?.click());

/** Nothing is wider than the screen. @param {Page} page */
async function assertFits(page) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page is wider than the screen');
}

describe('what is where', () => {
  // A picture of 64 x 48 pixels in cells of 8 x 8; each cell proposes a box of 16 x 16 around itself, as red or as blue as it is.
  const WIDTH = 64, HEIGHT = 48, CELL = 8, columns = WIDTH / CELL, cells = columns * HEIGHT / CELL;
  const boxOf = (/** @type {number} */ cell) => {
    const left = cell % columns * CELL - 4, top = Math.floor(cell / columns) * CELL - 4;
    return [left, top, left + 16, top + 16];
  };
  const floats = (/** @type {number[]} */ shape, /** @type {number[]} */ values) =>
    ({ type: /** @type {any} */ (['f32', shape]), bytes: new Uint8Array(Float32Array.from(values).buffer) });
  const all = Array.from({ length: cells }, (_, cell) => boxOf(cell));
  const model = onnxModel({
    inputs: { image: ['f32', [1, 3, HEIGHT, WIDTH]] }, outputs: { boxes: ['f32', ['n', 4]], scores: ['f32', ['n']], labels: ['i64', ['n']] },
    constants: {
      colours: floats([2, 3, 1, 1], [1, -0.5, -0.5, -0.5, -0.5, 1]), corners: floats([1, cells, 4], all.flat()), rows: floats([cells, 4], all.flat()),
      lists: [1n, 2n, BigInt(cells)], most: [10n], overlap: [0.3], least: [0.3], box: { type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(2n).buffer) },
      kind: { type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(1n).buffer) },
    },
    nodes: [
      { op: 'AveragePool', inputs: ['image'], outputs: ['means'], attributes: { kernel_shape: [CELL, CELL], strides: [CELL, CELL] } },
      { op: 'Conv', inputs: ['means', 'colours'], outputs: ['map'] }, { op: 'Reshape', inputs: ['map', 'lists'], outputs: ['each'] },
      { op: 'NonMaxSuppression', inputs: ['corners', 'each', 'most', 'overlap', 'least'], outputs: ['chosen'] },
      { op: 'Gather', inputs: ['chosen', 'box'], outputs: ['which'], attributes: { axis: 1 } },
      { op: 'Gather', inputs: ['rows', 'which'], outputs: ['boxes'] }, { op: 'GatherND', inputs: ['each', 'chosen'], outputs: ['scores'] },
      { op: 'Gather', inputs: ['chosen', 'kind'], outputs: ['labels'], attributes: { axis: 1 } },
    ],
  });
  /** Cells that are not grey. Of the first two, which overlap, the redder stays. @type {[number, number, [number, number, number]][]} column, row, colour */
  const THINGS = [[1, 1, [230, 20, 20]], [2, 1, [170, 20, 20]], [6, 2, [200, 20, 20]], [4, 4, [20, 20, 230]]];
  const SEEN = [['red', 1, 1], ['red', 6, 2], ['blue', 4, 4]].map(([name, column, row]) => ({ name, corners: boxOf(Number(row) * columns + Number(column)) }));

  /** A camera's file: a picture of 320 x 240 in Y'CbCr, as BT.601 has it. */
  function film() {
    const scale = 5, width = WIDTH * scale, height = HEIGHT * scale;
    const colour = (/** @type {number} */ x, /** @type {number} */ y) =>
      THINGS.find(([column, row]) => Math.floor(x / scale / CELL) === column && Math.floor(y / scale / CELL) === row)?.[2] ?? [90, 90, 90];
    const plane = (/** @type {number} */ step, /** @type {number[]} */ [r, g, b], /** @type {number} */ zero) => Array.from({ length: width * height / step ** 2 }, (_, i) => {
      const pixel = colour(i % (width / step) * step, Math.floor(i / (width / step)) * step);
      return Math.round(zero + (r * pixel[0] + g * pixel[1] + b * pixel[2]) / 256);
    });
    const frame = [...plane(1, [66, 129, 25], 16), ...plane(2, [-38, -74, 112], 128), ...plane(2, [112, -94, -18], 128)];
    return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420\nFRAME\n`), Buffer.from(frame), Buffer.from('FRAME\n'), Buffer.from(frame)]);
  }

  /** The boxes on the page: what they say, and their corners in pixels of the model's picture. @type {(page: Page) => Promise<{text: string, corners: number[]}[]>} */
  const boxesOn = (page) => page.evaluate((width, height) => {
    const view = /** @type {HTMLElement} */ (document.getElementById('video')).getBoundingClientRect();
    return [...document.querySelectorAll('.box')].map((box) => {
      const { left, top, right, bottom } = box.getBoundingClientRect();
      const corners = [(left - view.left) / view.width * width, (top - view.top) / view.height * height,
        (right - view.left) / view.width * width, (bottom - view.top) / view.height * height];
      return { text: box.textContent, corners };
    });
  }, WIDTH, HEIGHT);

  writeFileSync(join(work, 'detector.onnx'), model);
  writeFileSync(join(work, 'classes.txt'), 'red\nblue\n');
  writeFileSync(join(work, 'film.y4m'), film());
  const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-video-capture=${join(work, 'film.y4m')}`];
  const example = new Example('detector', compile(join(work, 'detector.onnx'), 'detector', '--image', 'resize=fill', '--labels', `labels:${join(work, 'classes.txt')}`));

  for (const backend of BACKENDS) {
    test(`boxes over the camera's picture, ${backend}`, () => example.with(async (page) => {
      await isReady(page);
      assert.match(await textOf(page, 'speed'), backend === 'wasm' ? /CPU/ : /GPU/);
      await click(page);
      await page.until(() => document.querySelectorAll('.box').length);
      const boxes = (await boxesOn(page)).sort((a, b) => a.corners[1] - b.corners[1]);
      assert.deepEqual(boxes.map(({ text }) => text.split(' ')[0]), SEEN.map(({ name }) => name));
      boxes.forEach(({ corners }, i) => corners.forEach((value, j) => assert.ok(Math.abs(value - SEEN[i].corners[j]) < 0.5, JSON.stringify(boxes))));
      // As red as they are: 230 - 20 of 255, and 200 - 20.
      const scores = boxes.map(({ text }) => Number(/\d+/.exec(text)?.[0]));
      [82, 71, 82].forEach((score, i) => assert.ok(Math.abs(scores[i] - score) < 6, `${scores}`));
      await page.until(() => /[1-9][\d.]* pictures a second/.test(document.getElementById('speed')?.textContent ?? ''));
      await assertFits(page);
      await photograph(page, `detector_${backend}`);
      // The redder ones alone.
      await page.evaluate(() => {
        const least = /** @type {HTMLInputElement} */ (document.getElementById('least'));
        least.value = '0.75';
        least.dispatchEvent(new Event('input'));
      });
      await page.until(() => document.querySelectorAll('.box').length === 2);
      assert.equal(await textOf(page, 'percent'), '75 %');
      await click(page);
      await page.until(() => !document.querySelector('.box'));
      assert.deepEqual(page.problems, []);
    }, { query: `?backend=${backend}`, args, viewport: PHONE, dark: backend === 'webgpu' }));
  }

  test('boxes over a video from a file, and a file that is none', () => example.with(async (page) => {
    await isReady(page);
    // The browser films three colours.
    const clip = await page.download(async (/** @type {[number, number, number[]][]} */ things) => {
      const canvas = document.createElement('canvas'), context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
      canvas.width = 320;
      canvas.height = 240;
      const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm' });
      /** @type {Blob[]} */
      const parts = [];
      recorder.ondataavailable = ({ data }) => parts.push(data);
      const ended = new Promise((done) => recorder.onstop = done);
      recorder.start();
      for (let i = 0; i < 20; ++i) {
        context.fillStyle = `rgb(90 90 ${90 + i % 2})`;
        context.fillRect(0, 0, 320, 240);
        for (const [column, row, colour] of things) {
          context.fillStyle = `rgb(${colour.join(' ')})`;
          context.fillRect(40 * column, 40 * row, 40, 40);
        }
        await new Promise((done) => setTimeout(done, 50));
      }
      recorder.stop();
      await ended;
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob(parts));
      link.download = 'clip.webm';
      link.click();
    }, THINGS);
    writeFileSync(join(work, 'clip.webm'), clip.bytes);
    await page.choose('#file', [join(work, 'clip.webm')]);
    await page.until(() => document.querySelectorAll('.box').length === 3);
    assert.deepEqual((await boxesOn(page)).map(({ text }) => text.split(' ')[0]).sort(), ['blue', 'red', 'red']);
    await page.choose('#file', [join(work, 'classes.txt')]);
    await page.until(() => document.getElementById('problem')?.textContent);
    assert.match(await textOf(page, 'problem'), /video/);
    assert.equal(await textOf(page, 'button'), 'Camera');
  }, { query: '?backend=wasm' }));

  test('says what is missing', async () => {
    const saysOn = (/** @type {Example} */ page, /** @type {RegExp} */ expected, /** @type {(page: Page) => Promise<void>} */ act = async () => {}) => page.with(async (page) => {
      await act(page);
      await page.until(() => document.getElementById('problem')?.textContent);
      assert.match(await textOf(page, 'problem'), expected);
    }, { query: '?backend=wasm' });
    // Nobody allows the camera.
    await saysOn(example, /camera is blocked: allow it|There is no camera/, async (page) => {
      await isReady(page);
      await click(page);
    });
    await saysOn(new Example('detector', compile(join(work, 'detector.onnx'), 'tensors')), /takes no pictures: compile it with --image/);
    await saysOn(new Example('detector', compile(join(work, 'detector.onnx'), 'covered', '--image', 'resize=cover')), /resize=fill/);
    const empty = mkdtempSync(join(work, 'empty-'));
    await saysOn(new Example('detector', empty), /model\.js/);
  });
});
