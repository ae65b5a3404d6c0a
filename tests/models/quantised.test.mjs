// Quantised exports against ONNX Runtime: each is as near to what ONNX Runtime computes node by node as rounding lets it be, and no
// further from the float32 model that it was made of than ONNX Runtime's results are. Besides, a network that is quantised here as by
// quantize_dynamic.
//
//   WEBNNC=build/webnnc CACHE=build/cache node --test tests/models/quantised.test.mjs
//   FIGURES=1 ...                                                                        also prints the distances
//
// Needs `tools/npm_ci tests/bench`.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { numbersOf } from '../../runtime-js/elements.js';
import { quantisedDynamically } from '../bench/int8dyn_model.mjs';
import { readTensor, weightBytes } from '../onnx_model.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)), cache = process.env.CACHE ?? join(root, 'build/cache');
const zoo = process.env.ZOO ?? execFileSync(join(root, 'tests/unpack_shared'), ['zoo', cache], { encoding: 'utf8' }).trim();
const runtime = join(root, 'tests/bench/node_modules/onnxruntime-node');
const missing = !zoo ? 'the exported models, which are in ../shared' : !existsSync(runtime) ? 'ONNX Runtime: tools/npm_ci tests/bench' : '';
if (missing) console.log(`skipped: ${missing}`);
const ort = missing ? undefined : createRequire(import.meta.url)(runtime);
const out = mkdtempSync(join(tmpdir(), 'webnnc-quantised-'));
after(() => rmSync(out, { recursive: true }));

const VARIANTS = ['int8dyn', 'qdq', 'q4'];

/**
 * How far results may be from ONNX Runtime's, in units of how far these are from the float32 model's: a number near the middle
 * between two steps goes the one way or the other by the last bit of a sum, and all behind it with it.
 */
const APART = 0.5;
/** How many times the bytes of a model's weights those of a bundle may be. What is packed for convolutions is filled up. */
const LARGER = /** @type {Record<string, number>} */ ({ q4: 1.03 });
/** What is so much nearer to float32's results may be further from ONNX Runtime's: an LSTM's states are not quantised here. */
const NEARER = 0.9;
/** By how much more than ONNX Runtime's they may be off, and what float32 itself is off by. */
const FURTHER = 1.1, ROUNDING = 1e-5;

/** @typedef {Record<string, { data: ArrayLike<number | bigint>, shape: readonly number[] }>} Tensors */

/** @param {string} file @param {Tensors} inputs @param {'disabled' | 'all'} level @returns {Promise<Tensors>} */
async function reference(file, inputs, level) {
  const session = await ort.InferenceSession.create(file, { graphOptimizationLevel: level, logSeverityLevel: 4 });
  const types = Object.fromEntries(session.inputMetadata.map((/** @type {{ name: string, type: string }} */ { name, type }) => [name, type]));
  const feeds = Object.fromEntries(session.inputNames.map((/** @type {string} */ name) => {
    const { data, shape } = inputs[name], type = types[name], elements = Array.from(data);
    return [name, new ort.Tensor(type, type === 'int64' ? BigInt64Array.from(elements, BigInt) : type === 'bool' ? Uint8Array.from(elements, Number)
      : type === 'int32' ? Int32Array.from(elements, Number) : Float32Array.from(elements, Number), shape)];
  }));
  const outputs = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data, dims }]) => [name, { data, shape: dims }]));
}

/** The root of the mean square of differences, relative to that of b, over all outputs together. @param {Tensors} a @param {Tensors} b */
function distance(a, b) {
  let differences = 0, squares = 0;
  for (const [name, { data, shape }] of Object.entries(b)) {
    assert.deepEqual([...a[name].shape], [...shape], name);
    for (let i = 0; i < data.length; ++i) {
      differences += (Number(a[name].data[i]) - Number(data[i])) ** 2;
      squares += Number(data[i]) ** 2;
    }
  }
  return Math.sqrt(differences / squares);
}

/** @param {string} folder @param {readonly {name: string}[]} ports @returns {Tensors} */
const given = (folder, ports) => Object.fromEntries(ports.map(({ name }, i) => {
  const { shape, values } = readTensor(readFileSync(join(folder, 'test_data_set_0', `input_${i}.pb`)));
  return [name, { data: values, shape }];
}));

/** @param {string} name of an export */
function checkExport(name) {
  const [network, exporter, variant] = name.split('.');
  // Of some networks only one exporter's float32 model is there.
  const original = [exporter, 'old'].map((by) => join(zoo, `${network}.${by}`, 'model.onnx')).find(existsSync) ?? '';
  return check(name, join(zoo, name), original, LARGER[variant]);
}

/** @param {string} name @param {string} folder of the model and its inputs @param {string} original the float32 model @param {number} [larger] how many times the bytes of its weights those of a bundle may be */
async function check(name, folder, original, larger = Infinity) {
  const bundle = join(out, name);
  const { status, stderr } = spawnSync(process.env.WEBNNC ?? join(root, 'build/webnnc'), [join(folder, 'model.onnx'), '-o', bundle, '--state', 'none', '--no-report', '--quiet', '--target', 'wasm'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const file = readFileSync(join(folder, 'model.onnx')), bytes = statSync(join(bundle, 'model.weights.bin')).size, stored = bytes / weightBytes(file);
  const { load } = await import(pathToFileURL(join(bundle, 'model.js')).href), model = await load({ backend: 'wasm' });
  const inputs = given(folder, model.inputs), raw = await model.run(inputs);
  model.dispose();
  const ours = /** @type {Tensors} */ (Object.fromEntries(Object.entries(raw).map(([port, { data, dataType, shape }]) => [port, { data: numbersOf(dataType, data), shape }])));
  const exact = await reference(original, inputs, 'all'), plain = await reference(join(folder, 'model.onnx'), inputs, 'disabled'), best = await reference(join(folder, 'model.onnx'), inputs, 'all');
  const figures = { stored, apart: distance(ours, plain), off: distance(ours, exact), plain: distance(plain, exact), best: distance(best, exact) };
  if (process.env.FIGURES) console.log(name, ...Object.entries(figures).map(([what, value]) => `${what} ${value.toExponential(2)}`));
  assert.ok(stored <= larger, `${name}: the weights take ${stored} times their bytes`);
  assert.ok(figures.apart <= APART * figures.plain + ROUNDING || figures.off <= NEARER * figures.plain, `${name} is ${figures.apart} from ONNX Runtime's result, which is ${figures.plain} from float32's`);
  assert.ok(figures.off <= FURTHER * Math.max(figures.plain, figures.best) + ROUNDING, `${name} is ${figures.off} from float32, ONNX Runtime's ${figures.plain} and ${figures.best}`);
}

for (const variant of VARIANTS) {
  const names = missing ? [] : readdirSync(zoo).filter((name) => name.endsWith(`.${variant}`));
  test(`${variant} exports`, { skip: missing !== '' }, async (t) => {
    assert.ok(names.length > 0);
    for (const name of names) await t.test(name, () => checkExport(name));
  });
}

const models = execFileSync(join(root, 'tests/unpack_shared'), ['models', cache], { encoding: 'utf8' }).trim();

test('a small BERT, quantised as by quantize_dynamic', { skip: missing || !models ? missing || 'the networks, which are in ../shared' : false }, async () => {
  const original = join(models, 'bert_mini'), folder = join(out, 'bert_mini');
  mkdirSync(join(folder, 'test_data_set_0'), { recursive: true });
  for (const file of readdirSync(join(original, 'test_data_set_0'))) writeFileSync(join(folder, 'test_data_set_0', file), readFileSync(join(original, 'test_data_set_0', file)));
  writeFileSync(join(folder, 'model.onnx'), quantisedDynamically(readFileSync(join(original, 'model.onnx'))));
  await check('bert_mini_quantised', folder, join(original, 'model.onnx'));
});
