// What it costs to check a bundle's files: the time of all hashes beside the time of a load whose files
// come from the browser's cache, in headless Chromium on wasm.
//
//   WEBNNC=build/webnnc node tests/bench/verify.mjs [--rounds 15] MODEL.onnx...

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { launch, serve } from '../web/harness.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values: { rounds }, positionals: models } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: '15' } } });

/** @param {number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** In the page: the times of a load, of hashing the module, and of hashing the weights in it. */
async function measure() {
  const { load } = await import('/model/model.js'), { xxh32 } = await import('/runtime/xxh32.js');
  const { instantiate } = WebAssembly;
  let weights = 0;
  WebAssembly.instantiate = async (...args) => {
    const { exports } = await instantiate(...args);
    const webnnc_hash = (address, bytes) => {
      const start = performance.now(), hash = exports.webnnc_hash(address, bytes);
      weights += performance.now() - start;
      return hash;
    };
    return { exports: { ...exports, webnnc_hash } };
  };
  const start = performance.now();
  await load({ backend: 'wasm' });
  const loading = performance.now() - start;
  const code = new Uint8Array(await (await fetch('/model/model.relaxed.wasm')).arrayBuffer()), before = performance.now();
  xxh32(code);
  return { loading, module: performance.now() - before, weights };
}

for (const model of models) {
  const out = mkdtempSync(join(tmpdir(), 'webnnc-verify-'));
  execFileSync(process.env.WEBNNC ?? join(here, '../../build/webnnc'), [model, '-o', out, '--quiet', '--no-report']);
  const headers = { 'Cache-Control': 'public, max-age=31536000, immutable' };
  const server = await serve({ '/': join(here, '../web/pages'), '/model': out, '/runtime': join(here, '../../runtime-js') }, { headers, isolate: true });
  const browser = await launch('chromium', { gpu: false }), page = await browser.open(`${server.url}/blank.html`);
  try {
    await page.evaluate(measure);
    const results = [];
    for (let i = 0; i < Number(rounds); ++i) {
      await page.visit(`${server.url}/blank.html?${i}`);
      results.push(await page.evaluate(measure));
    }
    const [loading, module, weights] = ['loading', 'module', 'weights'].map((name) => median(results.map((result) => result[name])));
    console.log(`${basename(dirname(model))}: load ${loading.toFixed(1)} ms, of which hashing the module ${module.toFixed(2)} ms, ` +
      `the weights ${weights.toFixed(2)} ms: ${((module + weights) / loading * 100).toFixed(1)} %`);
  } finally {
    await browser.close();
    await server.close();
    rmSync(out, { recursive: true });
  }
}
