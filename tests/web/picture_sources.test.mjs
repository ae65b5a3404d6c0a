// Every kind of picture in browsers, on both backends: what a model sees of it is what it sees of its pixels.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { STRICT_CSP, hasBrowser, launch, serve } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const work = mkdtempSync(join(tmpdir(), 'webnnc-sources-')), model = join(work, 'model'), digits = join(work, 'digits');
const shape = [1, 3, 24, 32];
writeFileSync(join(work, 'm.onnx'), onnxModel({
  inputs: { image: ['f32', shape] }, outputs: { y: ['f32', shape] }, nodes: [{ op: 'Identity', inputs: ['image'], outputs: ['y'] }],
}));
writeFileSync(join(work, 'labels.txt'), ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'].join('\n'));
execFileSync(webnnc, [join(work, 'm.onnx'), '-o', model, '--quiet', '--image', 'range=0..255 crop=0.9']);
execFileSync(webnnc, [join(root, 'models/digits/digits.onnx'), '-o', digits, '--quiet', '--image', 'resize=fill', '--labels', join(work, 'labels.txt')]);
after(() => rmSync(work, { recursive: true }));

/** @type {Awaited<ReturnType<typeof serve>>} */ let server;
/** @type {Awaited<ReturnType<typeof serve>>} */ let elsewhere;
before(async () => {
  const mounts = { '/model': model, '/digits': digits, '/test': join(root, 'tests/web/pages'), '/held': join(root, 'models/digits/held_out') };
  // Files and canvases are blob: and data: here.
  const csp = `${STRICT_CSP}; img-src 'self' blob: http:; media-src 'self' blob:`;
  server = await serve(mounts, { csp });
  elsewhere = await serve(mounts, {});
});
after(() => {
  server.close();
  elsewhere.close();
});

// These run in a page.

/** @param {string} backend @param {string} foreign the address of a picture of another origin */
async function compareSources(backend, foreign) {
  const { load } = await import(/** @type {any} */ ('/model/model.js'));
  const loaded = await load({ backend }), width = 70, height = 50;
  const draw = (/** @type {any} */ canvas) => {
    const context = canvas.getContext('2d');
    for (let y = 0; y < height; ++y) {
      for (let x = 0; x < width; ++x) {
        context.fillStyle = `rgb(${x * 3 & 255} ${y * 5 & 255} ${x * y & 255})`;
        context.fillRect(x, y, 1, 1);
      }
    }
    return canvas;
  };
  const canvas = draw(Object.assign(document.createElement('canvas'), { width, height }));
  const pixels = canvas.getContext('2d').getImageData(0, 0, width, height);
  const blob = await new Promise((done) => canvas.toBlob(done));
  const image = Object.assign(new Image(), { src: URL.createObjectURL(blob) });
  await image.decode();
  const see = async (/** @type {any} */ source) => (await loaded.run({ image: source })).y.data;
  const wanted = await see({ data: pixels.data, width, height });
  const off = /** @type {Record<string, any>} */ ({}), wrong = /** @type {Record<string, any>} */ ({});
  const compare = async (/** @type {string} */ name, /** @type {any} */ source) => {
    try {
      const got = await see(source);
      off[name] = got.reduce((/** @type {number} */ most, /** @type {number} */ value, /** @type {number} */ i) => Math.max(most, Math.abs(value - wanted[i])), 0);
    } catch (error) {
      off[name] = String(error);
    }
  };
  // On WebGPU nothing may be read back, but of what it does not take.
  let reads = 0;
  const { prototype } = OffscreenCanvasRenderingContext2D, { getImageData } = prototype;
  prototype.getImageData = function (...args) {
    ++reads;
    return getImageData.apply(this, args);
  };
  await compare('ImageData', pixels);
  await compare('HTMLCanvasElement', canvas);
  await compare('OffscreenCanvas', draw(new OffscreenCanvas(width, height)));
  await compare('ImageBitmap', await createImageBitmap(canvas));
  await compare('HTMLImageElement', image);
  await compare('Blob', blob);
  const readsOfFive = reads;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'image');
  svg.setAttribute('href', image.src);
  svg.setAttribute('width', String(width));
  svg.setAttribute('height', String(height));
  await new Promise((done) => {
    svg.addEventListener('load', done);
    document.body.append(document.createElementNS('http://www.w3.org/2000/svg', 'svg'));
    document.querySelector('svg')?.append(svg);
  });
  await compare('SVGImageElement', svg);
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  await compare('VideoFrame', frame);
  frame.close();

  const refuse = async (/** @type {string} */ name, /** @type {any} */ source) => {
    wrong[name] = await see(source).then(() => 'taken', (error) => `${error.name}: ${error.message}`);
  };
  await refuse('closed frame', frame);
  const bitmap = await createImageBitmap(canvas);
  bitmap.close();
  await refuse('closed bitmap', bitmap);
  await refuse('new image', new Image());
  await refuse('new video', document.createElement('video'));
  await refuse('text', new Blob(['no picture']));
  await refuse('empty canvas', Object.assign(document.createElement('canvas'), { width: 0 }));
  const other = Object.assign(new Image(), { src: foreign });
  await other.decode();
  await refuse('other origin', other);
  const tainted = Object.assign(document.createElement('canvas'), { width: 20, height: 20 });
  tainted.getContext('2d')?.drawImage(other, 0, 0);
  await refuse('tainted canvas', tainted);
  // After all that was refused.
  await compare('HTMLCanvasElement again', canvas);
  return { off, wrong, readsOfFive };
}

/** A JPEG that says that it lies on its side, as a file and in an <img>. @param {string} backend */
async function turn(backend) {
  const { load, toImageData } = await import(/** @type {any} */ ('/model/model.js'));
  const loaded = await load({ backend }), canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.fillStyle = '#f00';
  context.fillRect(0, 0, 64, 32);
  context.fillStyle = '#00f';
  context.fillRect(0, 32, 64, 32);
  const jpeg = new Uint8Array(await (await new Promise((/** @type {(blob: any) => void} */ done) => canvas.toBlob(done, 'image/jpeg', 1))).arrayBuffer());
  // Exif's tag 0x112 with the value 6: what is on top belongs on the right.
  const exif = [0xff, 0xe1, 0, 34, 69, 120, 105, 102, 0, 0, 77, 77, 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
  // Behind the segment that says it is a JFIF.
  const at = 4 + 256 * jpeg[4] + jpeg[5];
  const blob = new Blob([jpeg.slice(0, at), Uint8Array.from(exif), jpeg.slice(at)], { type: 'image/jpeg' });
  const image = Object.assign(new Image(), { src: URL.createObjectURL(blob) });
  await image.decode();
  const sides = [];
  for (const source of [blob, image]) {
    const { data, width, height } = toImageData((await loaded.run({ image: source })).y, { range: '0..255' });
    const at = (/** @type {number} */ x) => [...data.slice(4 * (height / 2 * width + x), 4 * (height / 2 * width + x) + 3)];
    sides.push([at(2), at(width - 3)].map(([red, , blue]) => red > 200 && blue < 60 ? 'red' : blue > 200 && red < 60 ? 'blue' : 'other'));
  }
  return sides;
}

/** A video that the browser recorded, frame by frame. @param {string} backend */
async function watch(backend) {
  const { load } = await import(/** @type {any} */ ('/model/model.js'));
  const loaded = await load({ backend }), canvas = Object.assign(document.createElement('canvas'), { width: 96, height: 64 });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/webm' });
  /** @type {Blob[]} */
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.start();
  for (let i = 0; i < 12; ++i) {
    context.fillStyle = '#0c4080';
    context.fillRect(0, 0, 96, 64);
    await new Promise((done) => setTimeout(done, 40));
  }
  await new Promise((done) => {
    recorder.onstop = done;
    recorder.stop();
  });
  const video = Object.assign(document.createElement('video'), { muted: true, src: URL.createObjectURL(new Blob(parts)) });
  await new Promise((done) => video.addEventListener('loadeddata', done, { once: true }));
  // The first frames may be what was there before anything was drawn.
  await video.play();
  for (let i = 0; i < 4; ++i) await new Promise((done) => video.requestVideoFrameCallback(done));
  const { y } = await loaded.run({ image: video }), area = 24 * 32;
  return [0, 1, 2].map((c) => y.data[c * area + area / 2 + 16]);
}

/** The ten lines of docs/pictures.md. @param {string} backend @param {string} address */
async function tellDigit(backend, address) {
  const { load, top } = await import(/** @type {any} */ ('/digits/model.js'));
  const model = await load({ backend }), picture = Object.assign(new Image(), { src: address });
  await picture.decode();
  const { digit_probabilities: probabilities } = await model.run({ image: picture });
  return top(probabilities, 1)[0].label;
}

for (const name of /** @type {const} */ (['chromium', 'firefox'])) describe(name, { skip: hasBrowser(name) ? false : `there is no ${name}` }, () => {
  /** @type {Awaited<ReturnType<typeof launch>>} */ let browser;
  before(async () => {
    browser = await launch(name);
  });
  after(() => browser.close());

  for (const backend of ['wasm', 'webgpu']) {
    test(`${backend} sees all kinds of pictures alike, and says what is wrong with one`, async () => {
      const page = await browser.open(`${server.url}/test/blank.html`);
      const { off, wrong, readsOfFive } = await page.evaluate(compareSources, backend, `${elsewhere.url}/held/digit_5.png`);
      assert.equal(readsOfFive, backend === 'webgpu' ? 0 : 5);
      for (const [name, value] of Object.entries(off)) {
        // Video has its own colours, in fewer bits.
        assert.ok(typeof value === 'number' && value <= (name === 'VideoFrame' ? 6 : 0.01), `${name}: ${value}`);
      }
      const says = {
        'closed frame': /was closed/, 'closed bitmap': /was closed or transferred/, 'new image': /not been loaded|could not be loaded/,
        'new video': /no frame yet/, text: /is a Blob that holds no picture/, 'empty canvas': /without pixels/,
        'other origin': /of another origin/, 'tainted canvas': /of another origin/,
      };
      for (const [name, message] of Object.entries(says)) assert.match(wrong[name], new RegExp(`^InputError: input "image" .*(${message.source})`), name);
      await page.close();
    });

    test(`${backend} turns pictures as their files say`, async () => {
      const page = await browser.open(`${server.url}/test/blank.html`);
      assert.deepEqual(await page.evaluate(turn, backend), [['blue', 'red'], ['blue', 'red']]);
      await page.close();
    });

    test(`${backend} takes a video`, async () => {
      const page = await browser.open(`${server.url}/test/blank.html`), colour = await page.evaluate(watch, backend);
      [0x0c, 0x40, 0x80].forEach((wanted, c) => assert.ok(Math.abs(colour[c] - wanted) < 10, String(colour)));
      await page.close();
    });

    test(`index.html tells a digit's name on ${backend}`, async () => {
      const page = await browser.open(`${server.url}/digits/index.html?backend=${backend}`);
      await page.until(() => document.querySelector('main')?.dataset.state === 'ready' && !document.getElementById('times')?.hidden);
      await page.choose('#file', [join(root, 'models/digits/held_out/digit_5.png')]);
      await page.until(() => document.querySelector('.bar b')?.textContent === 'five');
      assert.deepEqual(page.problems, []);
      await page.close();
    });

    test(`${backend} tells a digit's name`, async () => {
      const page = await browser.open(`${server.url}/test/blank.html`);
      assert.equal(await page.evaluate(tellDigit, backend, '/held/digit_5.png'), 'five');
      assert.equal(await page.evaluate(tellDigit, backend, '/held/digit_7.png'), 'seven');
      await page.close();
    });
  }
});
