// What PyTorch's two exporters make of many architectures, in float32, on wasm: all compile to what their references say.
//
//   NODE_TESTS=build/node_tests node --test tests/models/zoo.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url)), cache = process.env.CACHE ?? join(root, 'build/cache');
const zoo = process.env.ZOO ?? spawnSync(join(root, 'tests/unpack_shared'), ['zoo', cache], { encoding: 'utf8' }).stdout.trim();
if (!zoo) console.log('skipped: the exported models, which are in ../shared');

for (const exporter of ['new', 'old']) {
  test(`models of the ${exporter} exporter`, { skip: !zoo }, () => {
    const work = mkdtempSync(join(tmpdir(), 'webnnc-zoo-')), names = readdirSync(zoo).filter((name) => name.endsWith(`.${exporter}`));
    try {
      const { stdout } = spawnSync(process.env.NODE_TESTS ?? join(root, 'build/node_tests'),
        ['--networks', '--verbose', '--backend', 'wasm', '--filter', `.${exporter}@`, '--work', work, zoo], { encoding: 'utf8', maxBuffer: 1 << 26 });
      assert.ok(stdout.includes(`wasm: ${names.length} passed, 0 failed, 0 unsupported, 0 with wrong data`), stdout);
    } finally {
      rmSync(work, { recursive: true });
    }
  });
}
