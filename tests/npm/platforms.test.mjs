// The compiler for other machines than this one makes the same bytes: for arm64, under qemu, and in an older Debian. Skipped
// where these were not made, which takes minutes:
//
//   tools/npm_package x64 arm64 && apt-get install qemu-user-static
//   tools/cross/debian bullseye
//   node --test tests/npm/platforms.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), arm64 = join(root, 'build/arm64/webnnc_static');
const bullseye = join(root, '.cache/bullseye'), qemu = '/usr/bin/qemu-aarch64-static', x64 = join(root, 'build/webnnc_static');
const work = mkdtempSync(join(tmpdir(), 'webnnc-platforms-'));
after(() => rmSync(work, { recursive: true }));

copyFileSync(join(root, 'models/digits/digits.onnx'), join(work, 'digits.onnx'));
// Constants that are computed when compiling, whose last bits depend on how.
writeFileSync(join(work, 'folded.onnx'), onnxModel({
  inputs: { x: ['f32', [8]] }, outputs: { y: ['f32', [8]] }, constants: { c: [0.1, 0.7, 1.3, 2.9, -3.3, 5.1, 1e-3, 11.7] },
  nodes: [
    { op: 'Mul', inputs: ['c', 'c'], outputs: ['square'] }, { op: 'Sub', inputs: ['square', 'c'], outputs: ['less'] },
    { op: 'Tanh', inputs: ['less'], outputs: ['bent'] }, { op: 'Mul', inputs: ['x', 'bent'], outputs: ['y'] },
  ],
}));

/** @param {string} folder @returns {Record<string, string>} */
const filesOf = (folder) => Object.fromEntries(readdirSync(folder).sort().map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));

/** What this machine's compiler makes. @param {string} model */
function expected(model) {
  const folder = join(work, `here-${model}`);
  execFileSync(x64, [`${model}.onnx`, '-o', folder, '--quiet', '--name', model], { cwd: work });
  return filesOf(folder);
}

test('for arm64', { skip: existsSync(arm64) && existsSync(qemu) && existsSync(x64) ? false : 'tools/npm_package x64 arm64 was not run, or there is no qemu-user-static' }, () => {
  for (const model of ['digits', 'folded']) {
    const folder = join(work, `arm64-${model}`);
    execFileSync(qemu, [arm64, `${model}.onnx`, '-o', folder, '--quiet', '--name', model], { cwd: work });
    assert.deepEqual(filesOf(folder), expected(model), model);
  }
});

test('in Debian 11', { skip: existsSync(`${bullseye}.complete`) && existsSync(x64) ? false : 'tools/cross/debian bullseye was not run' }, () => {
  copyFileSync(x64, join(bullseye, 'usr/bin/webnnc'));
  copyFileSync(join(work, 'digits.onnx'), join(bullseye, 'tmp/digits.onnx'));
  rmSync(join(bullseye, 'tmp/out'), { recursive: true, force: true });
  execFileSync('chroot', [bullseye, 'webnnc', '/tmp/digits.onnx', '-o', '/tmp/out', '--quiet', '--name', 'digits']);
  assert.deepEqual(filesOf(join(bullseye, 'tmp/out')), expected('digits'));
});
