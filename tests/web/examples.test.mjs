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

import { DECODERS } from '../models/streams.mjs';
import { onnxModel } from '../onnx_model.mjs';
import { hasBrowser, launch, serve } from './harness.mjs';

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
   * @param {{query?: string, args?: string[], engine?: 'chromium' | 'firefox', before?: () => void, dark?: boolean, viewport?: {width: number, height: number}}} [options]
   */
  async with(body, { query = '', args = [], engine = 'chromium', ...options } = {}) {
    const server = await serve({ '/': this.folder }, { csp: policyOf(this.html) }), browser = await launch(engine, { args });
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

/** @param {Page} page @param {string} id @param {string} value */
const slide = (page, id, value) => page.evaluate((id, value) => {
  const input = /** @type {HTMLInputElement} */ (document.getElementById(id));
  input.value = value;
  input.dispatchEvent(new Event('input'));
}, id, value);

/** The page says what is wrong. @param {Example} example @param {RegExp} expected @param {(page: Page) => Promise<void>} [act] */
const assertSays = (example, expected, act = async () => {}) => example.with(async (page) => {
  await act(page);
  await page.until(() => document.getElementById('problem')?.textContent);
  assert.match(await textOf(page, 'problem'), expected);
}, { query: '?backend=wasm' });

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
      await slide(page, 'least', '0.75');
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
    // Nobody allows the camera.
    await assertSays(example, /camera is blocked: allow it|There is no camera/, async (page) => {
      await isReady(page);
      await click(page);
    });
    await assertSays(new Example('detector', compile(join(work, 'detector.onnx'), 'tensors')), /takes no pictures: compile it with --image/);
    await assertSays(new Example('detector', compile(join(work, 'detector.onnx'), 'covered', '--image', 'resize=cover')), /resize=fill/);
    const empty = mkdtempSync(join(work, 'empty-'));
    await assertSays(new Example('detector', empty), /model\.js/);
  });
});

/** For 200 tokens, of which a GPU in software may write five a second beside other tests; in ms. */
const SLOW_GPU = 180_000;

/** Counts the bytes that a page gives to the GPU and takes from it, in `crossed`. `largest`: given at once. */
function countBytes() {
  const crossed = { written: 0, read: 0, largest: 0 };
  const count = (/** @type {'written' | 'read'} */ way, /** @type {number} */ bytes) => {
    crossed[way] += bytes;
    if (way === 'written') crossed.largest = Math.max(crossed.largest, bytes);
  };
  Object.assign(globalThis, { crossed });
  const { writeBuffer } = GPUQueue.prototype, { getMappedRange } = GPUBuffer.prototype;
  /** @this {GPUQueue} @param {any[]} args buffer, offset, data, and of these where and how many elements */
  GPUQueue.prototype.writeBuffer = function (...args) {
    const [, , data, from = 0, size] = args, width = data.BYTES_PER_ELEMENT ?? 1;
    count('written', size === undefined ? data.byteLength - from * width : size * width);
    return writeBuffer.apply(this, /** @type {any} */ (args));
  };
  /** @this {GPUBuffer} @param {any[]} args offset and size */
  GPUBuffer.prototype.getMappedRange = function (...args) {
    count(this.usage & GPUBufferUsage.MAP_READ ? 'read' : 'written', args[1] ?? this.size - (args[0] ?? 0));
    return getMappedRange.apply(this, /** @type {any} */ (args));
  };
}
/** @type {(page: Page) => Promise<{written: number, read: number, largest: number}>} */
const crossedIn = (page) => page.evaluate(() => {
  const { crossed } = /** @type {any} */ (globalThis), was = { ...crossed };
  Object.assign(crossed, { written: 0, read: 0, largest: 0 });
  return was;
});

/**
 * Keys and values do not cross: of each token the logits come back, and what says that the run was good; each takes its number
 * there, and the sizes for each of some hundred dispatches, which are as many bytes every time; those of the token after the last
 * are there, too, unless the run was cut off before. The cache has 1280 bytes and more for each token so far, and grows each time.
 *
 * @param {{written: number, read: number, largest: number}} crossed @param {number} count of tokens @param {number} vocabulary
 */
function assertStays({ written, read, largest }, count, vocabulary) {
  const said = `${written} bytes there, ${read} back, ${largest} at most, of ${count} tokens`, back = read / count - 4 * vocabulary;
  assert.ok(Number.isInteger(back) && back >= 0 && back <= 64, said);
  assert.ok([count, count + 1].includes((written - 4 * count) / largest) && largest < 128 * 256, said);
}

/** What ONNX Runtime writes, token by token. @type {Record<string, number[]>} */
const tokensOf = JSON.parse(readFileSync(join(root, 'tests/models/streams_reference.json'), 'utf8'));

describe('a story', { skip: !models }, () => {
  const folder = join(models, 'stories260k_kv'), vocabulary = models && JSON.parse(readFileSync(join(folder, 'vocab.json'), 'utf8'));
  /** @type {Example} */
  let example;
  /** Stops the story, if it has not ended by itself. @param {Page} page */
  async function stop(page) {
    await page.evaluate(() => {
      const button = document.getElementById('button');
      if (button?.textContent === 'Stop') button.click();
    });
    await page.until(() => document.getElementById('button')?.textContent === 'Write');
  }

  /** What the page has written begins as ONNX Runtime's story. @param {Page} page @param {number} count of tokens */
  async function assertIsRight(page, count) {
    const expected = tokensOf.stories260k_kv.slice(0, count).map((token) => vocabulary[token]).join('').replaceAll('<0x0A>', '\n').trimStart();
    assert.equal((await textOf(page, 'story')).slice(0, expected.length), expected);
  }

  test('compiles', () => {
    example = new Example('story', compile(join(folder, 'model.onnx'), 'story'));
    copyFileSync(join(folder, 'vocab.json'), join(example.folder, 'vocab.json'));
  });
  for (const backend of BACKENDS) {
    test(`is the one that ONNX Runtime writes, ${backend}`, () => example.with(async (page) => {
      await isReady(page);
      await slide(page, 'temperature', '0');
      if (backend === 'webgpu') await crossedIn(page);
      await click(page);
      await page.until(() => Number.parseInt(document.getElementById('speed')?.textContent ?? '') >= 200);
      await photograph(page, `story_${backend}`);
      await stop(page);
      const speed = /^(\d+) tokens, ([\d.]+) a second on the (.PU)$/.exec(await textOf(page, 'speed')), count = Number(speed?.[1]);
      assert.equal(speed?.[3], backend === 'wasm' ? 'CPU' : 'GPU');
      await assertIsRight(page, 200);
      console.log(`a story on ${backend}: ${speed?.[0]}`);
      if (backend === 'webgpu') {
        const { written, read, largest } = await crossedIn(page);
        console.log(`a story's bytes to the GPU and back, of ${count} tokens: ${written}, ${read}, ${largest} at most`);
        assertStays({ written, read, largest }, count, vocabulary.length);
      }
      await assertFits(page);
      assert.deepEqual(page.problems, []);
    }, { query: `?backend=${backend}`, viewport: PHONE, dark: backend === 'webgpu', ...backend === 'webgpu' && { before: countBytes, timeout: SLOW_GPU } }));
  }

  test('is the same in Firefox', { skip: !hasBrowser('firefox') }, () => example.with(async (page) => {
    await isReady(page);
    await slide(page, 'temperature', '0');
    await click(page);
    await page.until(() => Number.parseInt(document.getElementById('speed')?.textContent ?? '') >= 200);
    await assertIsRight(page, 200);
    assert.deepEqual(page.problems, []);
  }, { query: '?backend=wasm', engine: 'firefox' }));

  test('begins anew, by chance, and stops', () => example.with(async (page) => {
    await isReady(page);
    await slide(page, 'temperature', '1.2');
    assert.equal(await textOf(page, 'degree'), '1.2');
    const stories = [];
    // What was written before is forgotten, so that the third, without chance, is the one that we know.
    for (const degree of ['1', '1', '0']) {
      await slide(page, 'temperature', degree);
      await click(page);
      await page.until(() => Number.parseInt(document.getElementById('speed')?.textContent ?? '') >= 60);
      await stop(page);
      stories.push(await textOf(page, 'story'));
      await page.evaluate(() => { /** @type {HTMLElement} */ (document.getElementById('speed')).textContent = ''; });
    }
    assert.notEqual(stories[0], stories[1]);
    await assertIsRight(page, 60);
    assert.ok(stories.every((story) => /[a-z]{3}/.test(story)), stories.join());
    assert.deepEqual(page.problems, []);
  }, { query: '?backend=wasm' }));

  test('says what is missing', async () => {
    const lonely = mkdtempSync(join(work, 'lonely-'));
    await assertSays(new Example('story', lonely), /model\.js|vocab\.json/);
    const out = compile(join(folder, 'model.onnx'), 'wordless');
    await assertSays(new Example('story', out), /no vocab\.json beside this page \(404\)/);
  });
});

test('a decoder of 4,096 words says in Chromium what ONNX Runtime says, and what it remembers stays on the GPU', { skip: !models }, async () => {
  const { prompt, next, steps } = DECODERS.gpt_kv, expected = tokensOf.gpt_kv, out = compile(join(models, 'gpt_kv/model.onnx'), 'gpt_kv');
  // What it hears in each step, if it has said what it should.
  const heard = [prompt, ...expected.map((token, step) => [next(token, step)])].slice(0, steps);
  writeFileSync(join(out, 'blank.html'), '<!doctype html><title>Blank</title>');
  const server = await serve({ '/': out }, {}), browser = await launch('chromium');
  try {
    for (const backend of BACKENDS) {
      const page = await browser.open(`${server.url}/blank.html`, { before: countBytes });
      const { said, crossed, remembered } = await page.evaluate(async (backend, heard) => {
        const { load } = await import('/model.js'.slice()), model = await load({ backend }), said = [];
        let crossed = { written: 0, read: 0, largest: 0 };
        for (const ids of heard) {
          const { logits } = await model.run({ input_ids: { data: ids, shape: [1, ids.length] } }), last = logits.data.slice(-4096);
          // The first run's logits are those of the whole prompt.
          if (!said.length) Object.assign(/** @type {any} */ (globalThis).crossed, crossed);
          said.push(last.indexOf(Math.max(...last)));
        }
        crossed = { .../** @type {any} */ (globalThis).crossed };
        return { said, crossed, remembered: (await model.state.save())['past_key_values.0.key'].shape };
      }, backend, heard);
      assert.deepEqual(said, expected);
      assert.deepEqual(remembered, [1, 8, prompt.length + steps - 1, 32]);
      console.log(`gpt_kv's bytes to the GPU and back on ${backend}: ${JSON.stringify(crossed)}`);
      if (backend === 'webgpu') assertStays(crossed, steps - 1, 4096);
      await page.close();
    }
  } finally {
    await browser.close();
    await server.close();
  }
});

describe('is somebody speaking', () => {
  // Who is as loud as this is taken for a speaker: the power of sound, half of it from what is remembered, which lingers.
  const model = onnxModel({
    inputs: { input: ['f32', ['batch', 'samples']], state: ['f32', [2, 'batch', 128]], sr: ['i64', []] },
    outputs: { output: ['f32', ['batch', 1]], stateN: ['f32', [2, 'batch', 128]] },
    constants: { half: [0.5], gain: [1000 / 16000], axes: [0n, 2n], column: [-1n, 1n] },
    nodes: [
      { op: 'Mul', inputs: ['input', 'input'], outputs: ['squares'] }, { op: 'ReduceMean', inputs: ['squares'], outputs: ['power'], attributes: { axes: [1] } },
      { op: 'Mul', inputs: ['power', 'half'], outputs: ['now'] }, { op: 'Mul', inputs: ['state', 'half'], outputs: ['before'] },
      { op: 'Add', inputs: ['before', 'now'], outputs: ['stateN'] },
      { op: 'ReduceMax', inputs: ['stateN'], outputs: ['loudest'], attributes: { axes: [0, 2], keepdims: 0 } },
      { op: 'Reshape', inputs: ['loudest', 'column'], outputs: ['each'] }, { op: 'Cast', inputs: ['sr'], outputs: ['rate'], attributes: { to: 1 } },
      { op: 'Mul', inputs: ['each', 'rate'], outputs: ['rated'] }, { op: 'Mul', inputs: ['rated', 'gain'], outputs: ['scaled'] },
      { op: 'Tanh', inputs: ['scaled'], outputs: ['output'] },
    ],
  });
  writeFileSync(join(work, 'loudness.onnx'), model);
  const example = new Example('voice', compile(join(work, 'loudness.onnx'), 'voice'));

  /** A microphone's file: a second of a tone and one of nothing, at 16 kHz. */
  function recording() {
    const samples = Int16Array.from({ length: 32000 }, (_, i) => i < 16000 ? 16000 * Math.sin(i * 440 * 2 * Math.PI / 16000) : 0), header = Buffer.alloc(44);
    header.write('RIFF');
    header.writeUInt32LE(36 + samples.byteLength, 4);
    header.write('WAVEfmt ', 8);
    [16, 1 << 16 | 1, 16000, 32000, 16 << 16 | 2].forEach((word, i) => header.writeUInt32LE(word, 16 + 4 * i));
    header.write('data', 36);
    header.writeUInt32LE(samples.byteLength, 40);
    return Buffer.concat([header, Buffer.from(samples.buffer)]);
  }
  writeFileSync(join(work, 'tone.wav'), recording());
  const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${join(work, 'tone.wav')}`];

  for (const backend of BACKENDS) {
    test(`hears a sound come and go, ${backend}`, () => example.with(async (page) => {
      await isReady(page);
      await page.evaluate(() => {
        const percent = /** @type {HTMLOutputElement} */ (document.getElementById('percent'));
        /** @type {number[]} */
        const percents = /** @type {any} */ (globalThis).percents = [];
        new MutationObserver(() => percents.push(Number.parseInt(percent.value))).observe(percent, { childList: true });
      });
      await click(page);
      const says = (/** @type {string} */ text) => page.until((text) => document.getElementById('verdict')?.textContent === text, text);
      await says('Speech');
      await page.until(() => /** @type {HTMLMeterElement} */ (document.getElementById('level')).value > 0.8);
      await photograph(page, `voice_${backend}`);
      await says('Silence');
      await says('Speech');
      await says('Silence');
      // Tone's power of 0.12 lingers: it is halved in every chunk, and so is what Tanh is of.
      const percents = await page.evaluate(() => /** @type {any} */ (globalThis).percents);
      const fading = percents.findIndex((/** @type {number} */ percent, /** @type {number} */ i) => percent < 95 && percents[i - 1] >= 95), faded = percents.slice(fading, fading + 3);
      faded.slice(1).forEach((/** @type {number} */ percent, /** @type {number} */ i) =>
        assert.ok(Math.abs(Math.atanh(percent / 100) / Math.atanh(faded[i] / 100) - 0.5) < 0.1, faded.join()));
      await assertFits(page);
      await click(page);
      await says('Ready.');
      assert.equal(await textOf(page, 'button'), 'Listen');
      assert.deepEqual(page.problems, []);
    }, { query: `?backend=${backend}`, args, viewport: PHONE, dark: backend === 'webgpu' }));
  }

  describe('to Silero VAD', { skip: !models }, () => {
    const folder = join(models, 'silero_vad_v5'), wav = models ? readFileSync(join(folder, 'stream/speech_12s.wav')) : Buffer.alloc(0);
    const microphone = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${join(work, 'speech.wav')}`];
    /** @type {Example} */
    let silero;
    test('compiles', () => {
      silero = new Example('voice', compile(join(folder, 'model.onnx'), 'silero'));
      writeFileSync(join(silero.folder, 'speech.wav'), wav);
      // Three seconds of speech, and three of nothing.
      const bytes = 3 * 2 * 16000, header = Buffer.from(wav.subarray(0, 44));
      header.writeUInt32LE(36 + 2 * bytes, 4);
      header.writeUInt32LE(2 * bytes, 40);
      writeFileSync(join(work, 'speech.wav'), Buffer.concat([header, wav.subarray(44, 44 + bytes), Buffer.alloc(bytes)]));
    });

    test('a voice is speech', () => silero.with(async (page) => {
      await isReady(page);
      await click(page);
      for (const text of ['Speech', 'Silence', 'Speech']) await page.until((text) => document.getElementById('verdict')?.textContent === text, text);
      await photograph(page, 'voice_silero');
      assert.deepEqual(page.problems, []);
    }, { args: microphone }));

    for (const backend of BACKENDS) {
      test(`each chunk is as likely speech as ONNX Runtime says, ${backend}`, () => silero.with(async (page) => {
        const { chunk, context, probs } = JSON.parse(readFileSync(join(folder, 'stream/probs.json'), 'utf8'));
        /** @type {number[]} */
        const heard = await page.evaluate(async (backend, chunk, context, steps) => {
          const { load } = await import('/model.js'.slice()), model = await load({ backend }), heard = [];
          const file = new DataView(await (await fetch('speech.wav')).arrayBuffer(), 44);
          const samples = Float32Array.from({ length: context + chunk * steps }, (_, i) => i < context ? 0 : file.getInt16(2 * (i - context), true) / 32768);
          for (let at = 0; heard.length < steps; at += chunk) {
            const { output } = await model.run({ input: { data: samples.slice(at, at + context + chunk), shape: [1, context + chunk] }, sr: 16000 });
            heard.push(output.data[0]);
          }
          return heard;
        }, backend, chunk, context, 120);
        heard.forEach((value, i) => assert.ok(Math.abs(value - probs[i]) < 1e-3, `chunk ${i}: ${value}, not ${probs[i]}`));
      }));
    }
  });

  test('says what is missing', async () => {
    await assertSays(example, /microphone is blocked: allow it|There is no microphone/, async (page) => {
      await isReady(page);
      await click(page);
    });
    await assertSays(new Example('voice', mkdtempSync(join(work, 'mute-'))), /model\.js/);
  });
});
