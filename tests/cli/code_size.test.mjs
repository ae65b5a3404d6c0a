// What a page downloads besides weights stays as small as the README says: MobileNetV2 with pictures, a quantised one,
// and digits, for which no network is needed.
//
//   WEBNNC=build/webnnc CACHE=build/cache node --test tests/cli/code_size.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const cache = process.env.CACHE ?? join(root, 'build/cache');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-code-size-'));
after(() => rmSync(folder, { recursive: true }));

/** The larger of the two modules counts, and the largest file of shaders. @param {string} model @param {string} most @param {string[]} flags */
function check(model, most, ...flags) {
  const { status, stderr } = spawnSync(webnnc, [model, '-o', join(folder, 'out'), '--max-code-size', most, '--quiet', ...flags], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
}

test('digits', () => check(join(root, 'models/digits/digits.onnx'), '43kB'));

const models = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!models) console.log('skipped: the code of MobileNetV2 in ../shared, which is not there');
/**
 * What a page downloads of a model, gzipped: model.js, the module, and where WebGPU runs it one of the files of shaders, of which the largest counts.
 *
 * @param {string} model @param {string} module
 */
function downloadsOf(model, module) {
  const out = join(folder, 'sizes'), { stdout } = spawnSync(webnnc, [model, '-o', out, '--json'], { encoding: 'utf8', maxBuffer: 1 << 28 });
  /** @type {Map<string, number>} */
  const sizes = new Map(JSON.parse(stdout).files.map((/** @type {any} */ { name, gzipBytes }) => [name, gzipBytes]));
  const cpu = Number(sizes.get('model.js')) + Number(sizes.get(module)), gpu = cpu + Math.max(...[...sizes].map(([name, bytes]) => name.startsWith('model.shaders.') ? bytes : 0));
  console.log(`${module}: ${(cpu / 1000).toFixed(1)} kB on the CPU, ${(gpu / 1000).toFixed(1)} kB on WebGPU`);
  return { cpu, gpu, weights: statSync(join(out, 'model.weights.bin')).size };
}

for (const [module, cpu, gpu] of /** @type {[string, number, number][]} */ ([['model.relaxed.wasm', 49_000, 60_000], ['model.wasm', 53_000, 65_000], ['model.relaxed.dots.wasm', 52_000, Infinity]])) {
  test(`a quantised MobileNetV2 with ${module}`, { skip: !models }, () => {
    const sizes = downloadsOf(join(models, 'mobilenet_v2_100_224_qdq/model.onnx'), module);
    assert.ok(sizes.cpu <= cpu && sizes.gpu <= gpu && sizes.weights <= 3_700_000, JSON.stringify(sizes));
  });
}
test('MobileNetV2 with pictures', { skip: !models }, () => check(join(models, 'mobilenet_v2_100_224/model.onnx'), '60kB', '--image', 'imagenet'));
