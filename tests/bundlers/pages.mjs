// Checks pages that run two models, `twice` and `thrice`, on wasm, in a worker and on WebGPU.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { serve } from '../web/harness.mjs';

/** What a page leaves in `globalThis.result`: a backend, and both models' results for 1 and 2. */
export const EXPECTED = ['wasm 2,4 3,6', 'wasm 2,4 3,6', 'webgpu 2,4 3,6'];

/** @typedef {Awaited<ReturnType<typeof import('../web/harness.mjs').launch>>} Browser */

/** @param {Browser} browser @param {string} url @param {string[]} [expected] */
export async function checkPage(browser, url, expected = EXPECTED) {
  const page = await browser.open(url);
  try {
    await page.until(() => 'result' in globalThis);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).result), expected);
    assert.deepEqual(page.problems, []);
  } finally {
    await page.close();
  }
}

/**
 * @param {Browser} browser @param {string} folder with an index.html
 * @param {object} [page]
 * @param {string} [page.entry] a script that index.html is made for
 * @param {string} [page.type] of the script
 * @param {string} [page.at] where on the server the folder is
 * @param {string[]} [page.expected] what the page leaves
 */
export async function checkFolder(browser, folder, { entry, type = '', at = '/', expected } = {}) {
  if (entry) writeFileSync(join(folder, 'index.html'), `<!doctype html><script ${type} src="${entry}"></script>`);
  const server = await serve({ [at.replace(/(?<=.)\/$/, '')]: folder });
  await checkPage(browser, `${server.url}${at}index.html`, expected).finally(() => server.close());
}
