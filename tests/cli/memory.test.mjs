// Arenas are near the smallest that any plan could have: for the digit classifier, and for all
// networks in ../shared where it is there.
//
//   WEBNNC=build/webnnc CACHE=build/cache node --test tests/cli/memory.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const cache = process.env.CACHE ?? join(root, 'build/cache');
const MOST = 1.15;

/** @param {string} model @returns {string | null} why the model cannot be compiled */
function check(model) {
  const { status, stdout, stderr } = spawnSync(webnnc, [model, '--emit', 'memory'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) return stderr;
  for (const [, program, arena, least] of stdout.matchAll(/^memory of (.*)\n {2}arena (\d+) bytes, at least (\d+)$/gm)) {
    // Buffers start at multiples of 256 bytes, which shows in the smallest models alone.
    const buffers = stdout.split('\n').length;
    const limit = Math.max(MOST * Number(least), Number(least) + 256 * Math.min(buffers, 8));
    assert.ok(Number(arena) <= limit, `${program}: ${arena} bytes, at least ${least}`);
  }
  return null;
}

test('digits', () => assert.equal(check(join(root, 'models/digits/digits.onnx')), null));

const models = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!models) console.log('skipped: memory plans of the networks in ../shared, which is not there');
for (const name of models ? readdirSync(models) : []) {
  const model = join(models, name, 'model.onnx');
  if (!existsSync(model)) continue;
  test(name, (context) => {
    const problem = check(model);
    // Networks with operators that come later.
    if (problem) context.skip(problem.split('\n')[0]);
  });
}
