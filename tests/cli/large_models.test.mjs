// Time and memory grow with the model, no faster.
//
//   WEBNNC=build/webnnc CHAIN_MODEL=build/chain_model node --test tests/cli/large_models.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const build = join(dirname(fileURLToPath(import.meta.url)), '../../build');
const webnnc = process.env.WEBNNC ?? join(build, 'webnnc');
const chainModel = process.env.CHAIN_MODEL ?? join(build, 'chain_model');
/** @type {string} */
let folder;

before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-large-')); });
after(() => rmSync(folder, { recursive: true }));

/** Within two minutes and 1.5 GB. @param {number} count @param {string} operator @param {number} operands */
function compileChain(count, operator, operands) {
  const model = join(folder, `${operator}.onnx`);
  execFileSync(chainModel, [String(count), operator, String(operands), model]);
  const limited = 'ulimit -v 1500000; exec "$0" "$@"';
  return spawnSync('bash', ['-c', limited, webnnc, model, '-o', join(folder, operator)], { encoding: 'utf8', timeout: 120_000 });
}

test('a chain of 20,000 nodes is compiled', () => {
  const { status, stdout, stderr } = compileChain(20_000, 'Sin', 1);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /\d+ kernels on wasm/);
  // An element of a kernel takes at most 2,000 operations, however long the chain is.
  assert.ok(Number(/(\d+) dispatches on webgpu/.exec(stdout)?.[1]) >= 10, stdout);
});

test('a chain of 20,000 products is refused', () => {
  const { status, stderr } = compileChain(20_000, 'MatMul', 2);
  assert.equal(status, 1);
  assert.match(stderr, /takes 20000 kernels, more than the 16384 that one program may have/);
});
