// The digits' SPIR-V, run by Vulkan on the CPU, knows handwritten digits.
//
//   WEBNNC=build/webnnc HOST=build/vulkan_host node --test tests/vulkan/vulkan.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inflateSync } from 'node:zlib';
import { onnxModel } from '../onnx_model.mjs';

const { WEBNNC: webnnc = 'build/webnnc', HOST: host = 'build/vulkan_host' } = process.env;
const digits = join(dirname(fileURLToPath(import.meta.url)), '../../models/digits'), LAVAPIPE = '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json';
const folder = mkdtempSync(join(tmpdir(), 'webnnc-vulkan-'));
after(() => rmSync(folder, { recursive: true }));

/** The pixels of a PNG of 8 bits of grey. @param {Buffer} png */
function pixelsOf(png) {
  const width = png.readUInt32BE(16), height = png.readUInt32BE(20), parts = [];
  assert.deepEqual([...png.subarray(24, 26)], [8, 0]);
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const lines = inflateSync(Buffer.concat(parts)), pixels = new Uint8Array(width * height);
  const pixel = (/** @type {number} */ y, /** @type {number} */ x) => x < 0 || y < 0 ? 0 : pixels[y * width + x];
  for (let y = 0; y < height; ++y) {
    const filter = lines[y * (width + 1)];
    for (let x = 0; x < width; ++x) {
      const left = pixel(y, x - 1), above = pixel(y - 1, x), corner = y && x ? pixel(y - 1, x - 1) : 0, guess = left + above - corner;
      const [a, b, c] = [left, above, corner].map((value) => Math.abs(guess - value)), paeth = a <= b && a <= c ? left : b <= c ? above : corner;
      pixels[y * width + x] = lines[y * (width + 1) + 1 + x] + [0, left, above, (left + above) >> 1, paeth][filter];
    }
  }
  return pixels;
}

/** @param {string[]} args */
function run(...args) {
  const { status, stdout, stderr } = spawnSync(host, args, { encoding: 'utf8', env: { ...process.env, VK_ICD_FILENAMES: LAVAPIPE, VK_DRIVER_FILES: LAVAPIPE } });
  return { status, stdout, stderr };
}

test('digits', { skip: existsSync(LAVAPIPE) ? false : `no ${LAVAPIPE}` }, async () => {
  const model = join(digits, 'digits.onnx'), program = join(folder, 'program.txt'), out = join(folder, 'out');
  execFileSync(webnnc, [model, '-o', out, '--quiet', '--no-report']);
  writeFileSync(program, execFileSync(webnnc, [model, '--emit', 'dispatches'], { maxBuffer: 1 << 28 }));
  const own = await (await import(pathToFileURL(join(out, 'model.js')).href)).load({ backend: 'wasm' });
  for (let digit = 0; digit < 10; ++digit) {
    const image = Float32Array.from(pixelsOf(readFileSync(join(digits, `held_out/digit_${digit}.png`))), (value) => value / 255);
    const given = join(folder, 'image'), got = join(folder, 'probabilities');
    writeFileSync(given, image);
    const { status, stdout, stderr } = run(program, '--weights', join(out, 'model.weights.bin'), '--runs', '2', '--input', `image=${given}`, '--output', `digit_probabilities=${got}`);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^llvmpipe.*\ngpu [\d.]+ ms, best [\d.]+ ms, wall [\d.]+ ms, \d+ dispatches\n$/);
    const bytes = readFileSync(got), probabilities = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    assert.equal(probabilities.indexOf(Math.max(...probabilities)), digit);
    const { data } = (await own.run({ image })).digit_probabilities;
    assert.ok(probabilities.every((value, i) => Math.abs(value - data[i]) < 1e-5), `${probabilities} is not ${data}`);
  }
  own.dispose();
  assert.match(run(program).stderr, /^error: --weights is missing\n$/);
});

test('what is no such program', () => {
  writeFileSync(join(folder, 'open.onnx'), onnxModel({ inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['n']] }, nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }] }));
  const printed = execFileSync(webnnc, [join(folder, 'open.onnx'), '--emit', 'dispatches'], { encoding: 'utf8' });
  assert.match(printed, /^; generic: sizes are open, or steps do not run once each\n/);
  writeFileSync(join(folder, 'open.txt'), printed);
  assert.match(run(join(folder, 'open.txt')).stderr, /^error: .*open.txt has no such program\n$/);
  assert.match(run(join(folder, 'missing.txt')).stderr, /^error: cannot read .*missing.txt\n$/);
});
