// Serves build/demo, or with --check runs it in Chromium and prints what digit it sees.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, serve } from '../tests/web/harness.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const IMAGE = 'digit_4.png';

/**
 * Runs in the page. Gives the digit and its probability.
 *
 * @param {string} image
 */
async function classify(image) {
  const { load } = await import('/model.js');
  const model = await load();
  const bitmap = await createImageBitmap(await (await fetch(image)).blob());
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  // One channel, from 0 to 1.
  const pixels = Float32Array.from({ length: data.length / 4 }, (_, i) => data[i * 4] / 255);
  const outputs = await model.run({ image: pixels });
  const probabilities = Array.from(outputs.digit_probabilities.data);
  const digit = probabilities.indexOf(Math.max(...probabilities));
  return { digit, probability: probabilities[digit], backend: model.backend };
}

async function check() {
  const server = await serve({ '/': join(root, 'build/demo'), '/held_out': join(root, 'models/digits/held_out') });
  const browser = await launch('chromium');
  try {
    const page = await browser.open(`${server.url}/index.html`);
    const { digit, probability, backend } = await page.evaluate(classify, `/held_out/${IMAGE}`);
    console.log(`held_out/${IMAGE}: digit ${digit}, probability ${probability.toFixed(3)}, computed on ${backend}`);
    // The file's name says what is on it.
    process.exitCode = IMAGE === `digit_${digit}.png` ? 0 : 1;
  } finally {
    await browser.close();
    await server.close();
  }
}

if (process.argv[2] === '--check') {
  await check();
} else {
  const { url } = await serve({ '/': join(root, 'build/demo') }, { port: 8080 })
    .catch(() => serve({ '/': join(root, 'build/demo') }));
  console.log(`open ${url}/ in a browser; Ctrl+C ends`);
}
