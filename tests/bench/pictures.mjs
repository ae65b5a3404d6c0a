// What it costs to prepare pictures: the time of runs on pictures beside that of runs on a tensor that was
// prepared before, the model with `--image` and without, in headless Chromium on wasm, in turn.
//
//   WEBNNC=build/webnnc node tests/bench/pictures.mjs [--rounds 25] [--image imagenet] MODEL.onnx...

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { launch, serve } from '../web/harness.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values: { rounds, image }, positionals: models } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '25' }, image: { type: 'string', default: 'imagenet' } },
});
const SIZES = [[640, 480], [1280, 720], [1920, 1080]];

/**
 * In the page: the shortest run of each kind, in ms.
 * @param {{ sizes: number[][], rounds: number }} settings
 */
async function measure({ sizes, rounds }) {
  const load = async (/** @type {string} */ folder) => (await import(`/${folder}/model.js`)).load({ backend: 'wasm' });
  const plain = await load('plain'), model = await load('image');
  const [port] = plain.inputs, { name } = port;
  const tensor = new Float32Array(port.shape.reduce((a, b) => a * Number(b), 1)).fill(0.5);
  /** @type {Record<string, () => Promise<unknown>>} */
  const runs = { tensor: () => plain.run({ [name]: tensor }) };
  for (const [width, height] of sizes) {
    const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d');
    const gradient = context.createLinearGradient(0, 0, width, height);
    for (let i = 0; i <= 8; ++i) gradient.addColorStop(i / 8, `hsl(${i * 77} 80% 50%)`);
    context.fillStyle = gradient;
    context.fillRect(0, 0, width, height);
    const bitmap = await createImageBitmap(canvas), frame = new VideoFrame(canvas, { timestamp: 0 });
    runs[`ImageBitmap ${width} x ${height}`] = () => model.run({ [name]: bitmap });
    runs[`VideoFrame ${width} x ${height}`] = () => model.run({ [name]: frame });
  }
  /** @type {Record<string, number>} */
  const best = {};
  for (let round = -2; round < rounds; ++round) {
    for (const [kind, run] of Object.entries(runs)) {
      const start = performance.now();
      await run();
      if (round >= 0) best[kind] = Math.min(best[kind] ?? Infinity, performance.now() - start);
    }
  }
  return best;
}

for (const model of models) {
  const out = mkdtempSync(join(tmpdir(), 'webnnc-pictures-'));
  const compile = (/** @type {string} */ folder, /** @type {string[]} */ flags) =>
    execFileSync(process.env.WEBNNC ?? join(here, '../../build/webnnc'), [model, '-o', join(out, folder), '--quiet', '--no-report', ...flags]);
  compile('plain', []);
  compile('image', ['--image', image]);
  const server = await serve({ '/': join(here, '../web/pages'), '/plain': join(out, 'plain'), '/image': join(out, 'image') }, { isolate: true });
  const browser = await launch('chromium', { gpu: false }), page = await browser.open(`${server.url}/blank.html`);
  try {
    const best = await page.evaluate(measure, { sizes: SIZES, rounds: Number(rounds) });
    console.log(`${basename(dirname(model))}: ${best.tensor.toFixed(1)} ms with a tensor`);
    for (const [kind, ms] of Object.entries(best)) {
      if (kind !== 'tensor') console.log(`  ${kind}: ${ms.toFixed(1)} ms, ${((ms / best.tensor - 1) * 100).toFixed(0)} % more`);
    }
  } finally {
    await browser.close();
    await server.close();
    rmSync(out, { recursive: true });
  }
}
