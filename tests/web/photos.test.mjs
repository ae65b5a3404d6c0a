// From a photograph to its label: the page of docs/pictures.md, word for word but for names, with MobileNetV2 from
// ../shared, in Chromium on both backends. What is expected is what people see.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch, serve } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), photos = join(root, 'tests/web/photos');
const cache = process.env.CACHE ?? join(root, 'build/cache');
const models = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!models) console.log('skipped: labels of photographs, for which MobileNetV2 in ../shared is needed');

const LABELS = { 'cat.jpg': /\bcat\b/, 'coffee.jpg': /espresso|cup/ };

/** The example page, of this model, photograph and backend. @param {string} photo @param {string} backend */
function pageFor(photo, backend) {
  const docs = readFileSync(join(root, 'docs/pictures.md'), 'utf8');
  const example = /^ {4}<!doctype html>\n(?: {4}.*\n)+/m.exec(docs)?.[0].replace(/^ {4}/gm, '');
  assert.ok(example && example.trimEnd().split('\n').length <= 10, 'docs/pictures.md has a page of ten lines');
  return example.replace('cat.jpg', photo).replace('load()', `load({ backend: '${backend}' })`)
    .replace('{ image: picture }', '{ input: picture }').replace('{ probabilities }', '{ output: probabilities }');
}

describe('the label of a photograph', { skip: !models }, () => {
  const work = mkdtempSync(join(tmpdir(), 'webnnc-photos-')), out = join(work, 'out');
  after(() => rmSync(work, { recursive: true }));
  test('the model compiles', () => {
    execFileSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(models, 'mobilenet_v2_100_224/model.onnx'), '-o', out, '--quiet',
      '--image', 'inception', '--labels', join(photos, 'imagenet.txt')]);
  });
  for (const backend of ['wasm', 'webgpu']) {
    test(backend, async () => {
      const server = await serve({ '/': photos, '/out': out, '/pages': work }, {}), browser = await launch('chromium');
      try {
        for (const [photo, label] of Object.entries(LABELS)) {
          writeFileSync(join(work, 'page.html'), pageFor(`/${photo}`, backend).replace('./out', '/out'));
          const page = await browser.open(`${server.url}/pages/page.html`);
          await page.until(() => document.getElementById('label')?.textContent);
          const said = await page.evaluate(() => document.getElementById('label')?.textContent);
          console.log(`${photo} on ${backend}: ${said}`);
          assert.match(said, label);
        }
      } finally {
        await browser.close();
        await server.close();
      }
    });
  }
});
