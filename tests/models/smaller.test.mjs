// Networks of ../shared with weights in fewer bits: how far results are from what ONNX Runtime computed in float32, that the compiler tells
// just that, and how many bytes are left.
//
//   WEBNNC=build/webnnc CACHE=build/cache node --test tests/models/smaller.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { readTensor } from '../onnx_model.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), cache = process.env.CACHE ?? join(root, 'build/cache');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const networks = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!networks) console.log('skipped: the networks in ../shared, which is not there');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-smaller-'));
after(() => rmSync(folder, { recursive: true }));

/**
 * By how much a product's result may be off, by its own size: weights are about normally distributed, and the largest of a group is four
 * deviations from the middle, of 32 two. So a step is 4/128 or 2/8 of a deviation, and what is rounded is off by a step by the root of 12.
 * f16 has steps of 2^-11 and smaller. Products behind each other add up as their squares do.
 */
const OFF = /** @type {Record<string, number>} */ ({ f16: 2 ** -11 / Math.sqrt(12), int8: 4 / 128 / Math.sqrt(12), int4: 2 / 8 / Math.sqrt(12) });
/** The bytes of a weight by those of f32, and what stays by the weights' share. */
const SMALLER = /** @type {Record<string, number>} */ ({ f16: 1 / 2, int8: 1 / 4, int4: 1 / 8 + 1 / 64 });
const STAYS = 0.03;

/** @param {string} name @param {string} kind @param {readonly {name: string}[]} ports */
const tensorsOf = (name, kind, ports) => Object.fromEntries(ports.map((port, i) => [port.name, readTensor(readFileSync(join(networks, name, 'test_data_set_0', `${kind}_${i}.pb`)))]));

/** As numpy.save writes it. @param {string} path @param {{shape: number[], values: number[]}} tensor @param {string} dataType */
function writeNpy(path, { shape, values }, dataType) {
  const header = `{'descr': '${dataType === 'int64' ? '<i8' : '<f4'}', 'fortran_order': False, 'shape': (${shape.map((size) => `${size}, `).join('')}), }\n`;
  const data = dataType === 'int64' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
  writeFileSync(path, Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8]), Buffer.from(header), new Uint8Array(data.buffer)]));
}

/** The root of the mean square of the difference, by that of b. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function distance(a, b) {
  let differences = 0, squares = 0;
  for (let i = 0; i < b.length; ++i) {
    differences += (a[i] - b[i]) ** 2;
    squares += b[i] ** 2;
  }
  return Math.sqrt(differences / squares);
}

/** @param {string} name @param {string[]} flags */
function compile(name, ...flags) {
  const out = mkdtempSync(join(folder, 'out-')), model = join(networks, name, 'model.onnx');
  const { status, stdout, stderr } = spawnSync(webnnc, [model, '-o', out, '--target', 'wasm', '--json', '--no-report', ...flags], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr + stdout);
  return { build: JSON.parse(stdout), out, bytes: statSync(join(out, 'model.weights.bin')).size };
}

const CASES = /** @type {[string, number, string[]][]} */ ([['mobilenet_v2_100_224', 53, ['f16', 'int8']], ['bert_mini', 24, ['f16', 'int8', 'int4']]]);
for (const [name, products, formats] of CASES) {
  test(name, { skip: !networks }, async () => {
    const float = compile(name);
    /** @type {string[] | undefined} */
    let calibrate;
    for (const format of formats) {
      // The float32 model tells what its inputs are called.
      calibrate ??= float.build.inputs.flatMap((/** @type {any} */ { name: input, type }, /** @type {number} */ i) => {
        const tensor = readTensor(readFileSync(join(networks, name, 'test_data_set_0', `input_${i}.pb`)));
        writeNpy(join(folder, `${i}.npy`), tensor, type.replace(/\[.*/, ''));
        return ['--calibrate', `${input}=${join(folder, `${i}.npy`)}`];
      });
      const { build, out, bytes } = compile(name, '--quantize', format, .../** @type {string[]} */ (calibrate));
      assert.ok(bytes < (SMALLER[format] + STAYS) * float.bytes, `${format}: ${bytes} bytes of ${float.bytes}`);
      const { load } = await import(pathToFileURL(join(out, 'model.js')).href), model = await load({ backend: 'wasm' });
      const inputs = Object.fromEntries(Object.entries(tensorsOf(name, 'input', model.inputs)).map(([input, { shape, values }]) => [input, { data: values, shape }]));
      const results = await model.run(inputs), expected = tensorsOf(name, 'output', model.outputs);
      model.dispose();
      for (const { output, error } of build.quantization.errors) {
        const off = distance(results[output].data, expected[output].values), most = OFF[format] * Math.sqrt(products);
        console.log(`${name} ${format}: ${output} is ${off.toPrecision(3)} off, the compiler tells ${error}, bound ${most.toPrecision(3)}`);
        assert.ok(off < most, `${format}: ${output} is ${off} off, and may be ${most}`);
        // Three digits are told, and float32 itself is off by some 10^-6.
        assert.ok(Math.abs(error - off) < 0.006 * off + 1e-5, `${format}: ${error} is told, and ${output} is ${off} off`);
      }
    }
  });
}
