// Networks of ../shared computed in f16 as far as it is safe (--precision f16): how far results are from what ONNX Runtime computed in float32, on
// wasm, which carries f16 in f32, and on a GPU in f16: lavapipe, by Vulkan, since no WebGPU in software has shader-f16 everywhere.
//
//   WEBNNC=build/webnnc HOST=build/vulkan_host CACHE=build/cache node --test tests/models/precision.test.mjs

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { readTensor } from '../onnx_model.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), cache = process.env.CACHE ?? join(root, 'build/cache');
const { WEBNNC: webnnc = join(root, 'build/webnnc'), HOST: host = join(root, 'build/vulkan_host') } = process.env;
const networks = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();
if (!networks) console.log('skipped: the networks in ../shared, which is not there');
const LAVAPIPE = '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json';
const folder = mkdtempSync(join(tmpdir(), 'webnnc-precision-'));
after(() => rmSync(folder, { recursive: true }));

/** What a hundred roundings to 11 bits add up to, each 2^-11 / sqrt(3) in the mean. On wasm weights alone are rounded. */
const MOST = { gpu: 2e-3, wasm: 1e-3 };

/** The root of the mean square of the difference, by that of b. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function distance(a, b) {
  let differences = 0, squares = 0;
  for (let i = 0; i < b.length; ++i) {
    differences += (a[i] - b[i]) ** 2;
    squares += b[i] ** 2;
  }
  return Math.sqrt(differences / squares);
}

/** @param {string[]} args @param {string} [emit] */
function compile(args, emit) {
  const { status, stdout, stderr } = spawnSync(webnnc, [...args, '--precision', 'f16', ...(emit ? ['--emit', emit] : ['--json', '--no-report'])], { encoding: 'latin1', maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Runs a program of known sizes by Vulkan. @param {string} program @param {string} weights @param {{values: number[]}[]} inputs */
function runByVulkan(program, weights, inputs) {
  const file = join(folder, 'program.txt'), first = program.slice(0, program.indexOf('\nend\n'));
  assert.match(first, /^program generic-f16 /);
  writeFileSync(file, program, 'latin1');
  const ports = (/** @type {string} */ kind) => [...first.matchAll(new RegExp(`^${kind} \\d+ (\\w+) \\d+ (.*)$`, 'gm'))].map(([, type, name]) => ({ type, name }));
  const given = ports('input').flatMap(({ type, name }, i) => {
    writeFileSync(join(folder, `in${i}`), type === 'f32' ? Float32Array.from(inputs[i].values) : Int32Array.from(inputs[i].values, Number));
    return ['--input', `${name}=${join(folder, `in${i}`)}`];
  });
  const outputs = ports('output'), wanted = outputs.flatMap(({ name }, i) => ['--output', `${name}=${join(folder, `out${i}`)}`]);
  const { status, stderr } = spawnSync(host, [file, '--target', 'generic-f16', '--weights', weights, ...given, ...wanted], { encoding: 'utf8', env: { ...process.env, VK_ICD_FILENAMES: LAVAPIPE, VK_DRIVER_FILES: LAVAPIPE } });
  assert.deepEqual([status, stderr], [0, '']);
  return outputs.map((_, i) => new Float32Array(new Uint8Array(readFileSync(join(folder, `out${i}`))).buffer));
}

/** Names of sizes by the inputs that have them. @param {any[]} inputs @param {{shape: number[]}[]} tensors */
const sizesOf = (inputs, tensors) => [...new Map(inputs.flatMap(({ type }, i) =>
  type.slice(type.indexOf('[') + 1, -1).split(',').flatMap((/** @type {string} */ size, /** @type {number} */ d) => /^\w*[a-z]\w*$/i.test(size) ? [[size, tensors[i].shape[d]]] : [])))]
  .flatMap(([name, size]) => ['--dim', `${name}=${size}`]);

// The first has convolutions, the second a mask and norms, the third a mask of -3.4e38, positions and states.
for (const name of ['mobilenet_v2_100_224', 'bert_mini', 'gpt_kv']) {
  const tensorOf = (/** @type {string} */ kind, /** @type {number} */ i) => readTensor(readFileSync(join(networks, name, 'test_data_set_0', `${kind}_${i}.pb`)));
  const model = join(networks, name, 'model.onnx'), out = join(folder, name);
  /** @type {any} */
  let built;
  test(`${name} on wasm`, { skip: !networks }, async () => {
    built = JSON.parse(compile([model, '-o', out, '--target', 'wasm']));
    assert.ok(built.quantization.bytesAfter < 0.51 * built.quantization.bytesBefore);
    const { load } = await import(pathToFileURL(join(out, 'model.js')).href), loaded = await load({ backend: 'wasm' });
    const given = built.inputs.map((/** @type {any} */ { name: input }, /** @type {number} */ i) => [input, tensorOf('input', i)]);
    const results = await loaded.run(Object.fromEntries(given.map((/** @type {any} */ [input, { shape, values }]) => [input, { data: values, shape }])));
    loaded.dispose();
    built.outputs.forEach((/** @type {any} */ { name: output, type }, /** @type {number} */ i) => {
      const off = distance(results[output].data, tensorOf('output', i).values);
      console.log(`${name} on wasm: ${output} is ${off.toPrecision(3)} off`);
      assert.match(type, /^float32/);
      assert.ok(off < MOST.wasm, `${output} is ${off} off`);
    });
  });

  // Programs with state are no lists of dispatches.
  if (name === 'gpt_kv') continue;
  test(`${name} on a GPU in f16`, { skip: !networks || !existsSync(host) || !existsSync(LAVAPIPE) }, () => {
    const inputs = built.inputs.map((/** @type {any} */ _, /** @type {number} */ i) => tensorOf('input', i)), args = [model, ...sizesOf(built.inputs, inputs), '--target', 'webgpu'];
    compile([...args, '-o', join(folder, 'gpu')]);
    runByVulkan(compile(args, 'dispatches'), join(folder, 'gpu/model.weights.bin'), inputs).forEach((result, i) => {
      const off = distance(result, tensorOf('output', i).values);
      console.log(`${name} on a GPU in f16: ${built.outputs[i].name} is ${off.toPrecision(3)} off`);
      assert.ok(off > 1e-5, 'it is not computed in f16');
      assert.ok(off < MOST.gpu, `${built.outputs[i].name} is ${off} off`);
    });
  });
}
