// What a page downloads besides weights stays as small as the README says: MobileNetV2 with pictures, and
// digits, for which no network is needed.
//
//   WEBNNC=build/webnnc CACHE=build/cache node --test tests/cli/code_size.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const cache = process.env.CACHE ?? join(root, 'build/cache');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-code-size-'));
after(() => rmSync(folder, { recursive: true }));

/** The larger of the two modules counts. @param {string} model @param {string} most @param {string[]} flags */
function check(model, most, ...flags) {
  const { status, stderr } = spawnSync(webnnc, [model, '-o', join(folder, 'out'), '--max-code-size', most, '--quiet', ...flags], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
}

test('digits', () => check(join(root, 'models/digits/digits.onnx'), '42kB'));

const models = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!models) console.log('skipped: the code of MobileNetV2 in ../shared, which is not there');
test('MobileNetV2 with pictures', { skip: !models }, () => check(join(models, 'mobilenet_v2_100_224/model.onnx'), '60kB', '--image', 'imagenet'));
