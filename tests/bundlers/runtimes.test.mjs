// Two models in Node, Bun and Deno, on wasm and in workers, imported from their folders. Programs end by themselves once
// models are disposed.
//
//   WEBNNC=build/webnnc node --test tests/bundlers/runtimes.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { compileModels, runModule } from './models.mjs';
import { EXPECTED } from './pages.mjs';

const tests = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'webnnc-runtimes-'));
after(() => rmSync(folder, { recursive: true }));
compileModels(folder);
writeFileSync(join(folder, 'run.mjs'), `${runModule()}
for (const options of [{ backend: 'wasm' }, { backend: 'wasm', worker: true }]) console.log(await run(options));
`);

/** @type {[string, string, string[]][]} */
const RUNTIMES = [
  ['Node', process.execPath, []],
  ['Bun', join(tests, 'bundlers/node_modules/.bin/bun'), []],
  ['Deno', join(tests, 'web/node_modules/.bin/deno'), ['run', '--allow-read']],
];
for (const [name, program, flags] of RUNTIMES) {
  test(`in ${name}`, () => {
    const { status, stdout, stderr } = spawnSync(program, [...flags, join(folder, 'run.mjs')], { encoding: 'utf8', timeout: 60000 });
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n'), EXPECTED.slice(0, 2));
  });
}
