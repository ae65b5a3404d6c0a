// A model gives the same bytes as a WASI command and in model.js.
//
//   WEBNNC=build/webnnc node --test tests/cli/wasi.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const run = join(root, 'tools/run_wasi');
/** @type {string} */
let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-wasi-'));
  execFileSync(webnnc, [join(root, 'models/digits/digits.onnx'), '-o', join(folder, 'out'), '--quiet']);
  // Engines with relaxed SIMD round differently: here both sides run the same module.
  copyFileSync(join(folder, 'out/model.wasm'), join(folder, 'out/model.relaxed.wasm'));
});
after(() => rmSync(folder, { recursive: true }));

/**
 * A .npy file, version 1.
 *
 * @param {number[]} shape @param {Float32Array} data
 */
function npy(shape, data) {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = `${text.padEnd(117)}\n`;
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]);
  return Buffer.concat([start, Buffer.from(header), Buffer.from(data.buffer)]);
}

const image = Float32Array.from({ length: 28 * 28 }, (_, i) => (i * 37 % 101) / 100);

/** @param {string[]} flags */
const wasi = (...flags) => spawnSync(run, [join(folder, 'out/model.wasm'), ...flags], { encoding: 'utf8' });

test('the command computes what model.js computes, bit for bit', async () => {
  writeFileSync(join(folder, 'x.npy'), npy([1, 1, 28, 28], image));
  const { status, stderr } = wasi('--weights', join(folder, 'out/model.weights.bin'), '--input', `image=${folder}/x.npy`,
    '--output', `digit_probabilities=${folder}/y.npy`);
  assert.equal(stderr, '');
  assert.equal(status, 0);
  const file = readFileSync(join(folder, 'y.npy'));
  const elements = file.subarray(10 + file.readUInt16LE(8));

  const { load } = await import(pathToFileURL(join(folder, 'out/model.js')).href);
  const model = await load({ backend: 'wasm' });
  const { digit_probabilities: { data } } = await model.run({ image });
  assert.deepEqual(elements, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  assert.match(file.toString('latin1', 10, 128), /'shape': \(1, 10, \)/);
  model.dispose();
});

/** @param {Record<string, string>} preopens the folders that the engine shows, by the names it shows them under @param {string[]} args */
function runWith(preopens, args) {
  const script = `import { readFileSync } from 'node:fs'; import { WASI } from 'node:wasi';
    const [program, preopens, ...args] = process.argv.slice(1), wasi = new WASI({ version: 'preview1', args: ['model', ...args], preopens: JSON.parse(preopens) });
    const { instance } = await WebAssembly.instantiate(readFileSync(program), wasi.getImportObject());
    process.exitCode = wasi.start(instance);`;
  return spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', script, '--', join(folder, 'out/model.wasm'), JSON.stringify(preopens), ...args],
    { encoding: 'utf8' });
}

test('the command finds files in whatever folders the engine shows', () => {
  writeFileSync(join(folder, 'x.npy'), npy([1, 1, 28, 28], image));
  mkdirSync(join(folder, 'results'), { recursive: true });
  /** @type {[Record<string, string>, string, boolean][]} folders, where the command is told that files are, whether they are */
  const cases = [
    [{ '.': folder }, '', true],
    [{ '.': folder }, './', true],
    [{ '.': folder }, '/', false],
    [{ '/data': folder }, '/data/', true],
    [{ '/data/': folder }, '/data//', true],
    [{ '/data': folder }, '/database/', false],
    [{ '/data': folder }, 'data/', false],
    [{ data: folder }, './data/', true],
    [{ data: folder }, '', false],
    [{ '/': join(folder, 'results'), '/data': folder }, '/data/', true],
    [{ '/data': folder, '/data/out': join(folder, 'results') }, '/data/', false],
    [{}, '', false],
  ];
  for (const [preopens, prefix, found] of cases) {
    rmSync(join(folder, 'results/y.npy'), { force: true });
    const { status, stderr } = runWith(preopens, ['--weights', `${prefix}out/model.weights.bin`, '--input', `image=${prefix}x.npy`,
      '--output', `digit_probabilities=${prefix}results/y.npy`]);
    const about = `${JSON.stringify(preopens)} ${prefix} ${stderr}`;
    assert.equal(status, found ? 0 : 1, about);
    assert.equal(existsSync(join(folder, 'results/y.npy')), found, about);
    if (!found) assert.match(stderr, /cannot read .*: is it in a folder that the engine lets the command see\?/, about);
  }
});

test('the command says what is wrong', () => {
  const weights = ['--weights', join(folder, 'out/model.weights.bin')];
  writeFileSync(join(folder, 'small.npy'), npy([1, 1, 2, 2], new Float32Array(4)));
  /** @type {[string[], RegExp][]} */
  const cases = [
    [[...weights], /there is no --input for image/],
    [[...weights, '--input', 'picture=x.npy'], /does not name a tensor of the model/],
    [[...weights, '--input', `image=${folder}/nothing.npy`], /cannot read/],
    [[...weights, '--input', `image=${folder}/small.npy`], /other sizes/],
    [['--frobnicate', 'x'], /unknown flag --frobnicate/],
    [[...weights, '--input', `image=${folder}`], /cannot read/],
    [[...weights, '--input', `image=${'x'.repeat(40000)}`], /the arguments are too long/],
    [[...weights, ...Array(300).fill('--input')], /the arguments are too long/],
  ];
  for (const [flags, message] of cases) {
    const { status, stderr } = wasi(...flags);
    assert.match(stderr, message);
    assert.equal(status, 1);
  }
});
