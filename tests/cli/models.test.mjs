// Several models in one bundle: what they are called, which flags are whose, what they share, and that each computes
// what it computes alone.
//
//   WEBNNC=build/webnnc node --test tests/cli/models.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';

import { PROJECT, ROWS, WIDTH, decoded, decoder, encoded, encoder, projectAt, tableAt, weight } from '../encoder_decoder.mjs';
import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
const digits = join(root, 'models/digits/digits.onnx');
const folder = mkdtempSync(join(tmpdir(), 'webnnc-models-'));
after(() => rmSync(folder, { recursive: true }));

/** @param {Record<string, Buffer>} files */
function write(files) {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}
/** @param {string[]} flags */
function run(...flags) {
  const { status, stdout, stderr } = spawnSync(webnnc, flags, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 });
  return { status, stdout, stderr };
}
/** @param {string[]} flags */
function succeed(...flags) {
  const { status, stdout, stderr } = run(...flags);
  assert.equal(status, 0, stderr);
  return stdout;
}
/** What was built. @param {string[]} flags */
const built = (...flags) => JSON.parse(succeed(...flags, '--json'));

/** @param {string} file */
async function manifestOf(file) {
  const [section] = WebAssembly.Module.customSections(await WebAssembly.compile(readFileSync(join(folder, file))), 'webnnc.manifest');
  return JSON.parse(new TextDecoder().decode(section));
}

write({ 'encoder.onnx': encoder(), 'decoder.onnx': decoder, 'other/encoder.onnx': encoder('x_') });

// ---- The modules, as model.js runs them

/** Numbers of fields and sizes of records (abi.def), in words. */
const MODEL = { symbols: 1, dims: 4, inputs: 6, outputs: 8, count: 9, programs: 10, weights: 11 }, PORT = 6, PROGRAM = 13, BUFFER = 5;

/** @param {string} out */
async function start(out) {
  const { instance } = await WebAssembly.instantiate(readFileSync(join(folder, out, 'model.wasm')), /** @type {any} */ (new WASI({ version: 'preview1' }).getImportObject()));
  const exports = /** @type {any} */ (instance.exports);
  const words = () => new Int32Array(exports.memory.buffer);
  const weights = readFileSync(join(folder, out, 'model.weights.bin'));
  let loaded = false;
  /** Runs a model that has one size. @param {number} index @param {number} size @param {(BigInt64Array | Float32Array)[]} inputs */
  return (index, size, inputs) => {
    const model = exports.webnnc_model(index) / 4;
    const place = exports.webnnc_weights();
    if (!loaded) new Uint8Array(exports.memory.buffer).set(weights, place);
    loaded = true;
    if (words()[model + MODEL.symbols]) words()[words()[model + MODEL.dims] / 4] = size;
    // The CPU's program is the last.
    const program = words()[model + MODEL.count] - 1, record = words()[model + MODEL.programs] / 4 + program * PROGRAM;
    assert.equal(exports.webnnc_sizes(), 0);
    assert.equal(exports.webnnc_prepare(program), 0);
    const placeOf = (/** @type {number} */ list, /** @type {number} */ i) => words()[words()[record + 2] / 4 + words()[words()[record + list] / 4 + i] * BUFFER + 2];
    inputs.forEach((data, i) => new Uint8Array(exports.memory.buffer).set(new Uint8Array(data.buffer), placeOf(3, i)));
    exports.webnnc_run(program);
    const at = placeOf(4, 0);
    return [...new Float32Array(exports.memory.buffer.slice(at, at + size * WIDTH * 4))];
  };
}

test('each computes what it computes alone, by turns and with the weights of both', async () => {
  succeed('encoder.onnx', 'decoder.onnx', 'again=other/encoder.onnx', '-o', 'both', '--quiet');
  const compute = await start('both');
  for (const ids of [[1n, 5n, 7n], [2n], [0n, 3n, 4n, 6n, 7n, 1n], [6n, 6n]]) {
    const hidden = encoded(ids), times = BigInt(ids.length % 3);
    // Straight programs, and one with a loop between them.
    assert.deepEqual(compute(0, ids.length, [BigInt64Array.from(ids)]), hidden.flat());
    assert.deepEqual(compute(1, ids.length, [BigInt64Array.from(ids), Float32Array.from(hidden.flat()), BigInt64Array.of(times)]), decoded(ids, Number(times)).flat());
    assert.deepEqual(compute(2, ids.length, [BigInt64Array.from(ids)]), hidden.flat());
  }
  succeed('encoder.onnx', 'again=other/encoder.onnx', '-o', 'straight', '--quiet');
  const straight = await start('straight');
  for (const index of [1, 0, 0, 1, 0]) assert.deepEqual(straight(index, 2, [BigInt64Array.of(3n, 7n)]), encoded([3n, 7n]).flat());
});

test('the command runs the one that --model names', () => {
  succeed(digits, 'encoder.onnx', '-o', 'command', '--quiet');
  const header = (/** @type {string} */ type, /** @type {string} */ shape) => {
    const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape}), }`.padEnd(117) + '\n';
    return Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, text.length, 0]), Buffer.from(text)]);
  };
  write({ 'ids.npy': Buffer.concat([header('<i8', '2,'), Buffer.from(BigInt64Array.of(4n, 1n).buffer)]) });
  const command = (/** @type {string[]} */ ...flags) => spawnSync(join(root, 'tools/run_wasi'), ['command/model.wasm', ...flags], { cwd: folder, encoding: 'utf8' });
  const flags = ['--weights', 'command/model.weights.bin', '--input', 'ids=ids.npy', '--output', 'hidden=hidden.npy'];
  const { status, stderr } = command(...flags, '--model', 'encoder');
  assert.equal(stderr, '');
  assert.equal(status, 0);
  const file = readFileSync(join(folder, 'hidden.npy'));
  assert.deepEqual([...new Float32Array(Uint8Array.from(file.subarray(128)).buffer)], encoded([4n, 1n]).flat());
  assert.match(command(...flags).stderr, /--model.*; the models are digits, encoder/);
  assert.match(command('--model', 'decoder', ...flags).stderr, /no model decoder; the models are digits, encoder/);
  assert.match(command('--model', 'digits', ...flags).stderr, /does not name a tensor of the model: ids=/);
});

// ---- What they share

test('equal weights are stored once, whatever they are called, and equal kernels are one function', async () => {
  const one = built('encoder.onnx', '-o', 'one'), two = built('encoder.onnx', 'again=other/encoder.onnx', '-o', 'two');
  const bytes = (/** @type {string} */ out, /** @type {string} */ name) => statSync(join(folder, out, name)).size;
  assert.equal(bytes('two', 'model.weights.bin'), bytes('one', 'model.weights.bin'));
  assert.ok(bytes('one', 'model.weights.bin') >= 4 * (ROWS * WIDTH + WIDTH * WIDTH));
  assert.equal(two.weights.length, one.weights.length);
  // A second model of the same kernels is its tables.
  assert.ok(bytes('two', 'model.relaxed.wasm') < bytes('one', 'model.relaxed.wasm') + 3000);
  const { models } = await manifestOf('two/model.wasm');
  assert.deepEqual(models[1].programs.at(-1).steps, models[0].programs.at(-1).steps);
  const shaders = models.map((/** @type {any} */ { programs }) => programs[0].kernels.map((/** @type {any} */ { shader }) => shader));
  assert.deepEqual(shaders[1], shaders[0]);
  // Of other sizes they have another function.
  write({ 'wide.onnx': encoder('', { constants: { table: weight([ROWS, 32], tableAt), project: weight([32, WIDTH], projectAt) } }) });
  succeed('encoder.onnx', 'wide.onnx', '-o', 'differing', '--quiet');
  const differing = await manifestOf('differing/model.wasm'), [first, second] = differing.models.map((/** @type {any} */ { programs }) => programs.at(-1).steps);
  assert.equal(first.length, second.length);
  assert.notDeepEqual(first, second);
});

test('a decoder of one token and one of many have their weights in one layout', async () => {
  // Rows that are normalised and projected; of one row that is one kernel, with three sums.
  const rows = (/** @type {number | string} */ count) => onnxModel({
    inputs: { x: ['f32', [count, WIDTH]] }, outputs: { y: ['f32', [count, WIDTH]] },
    nodes: [{ op: 'LayerNormalization', inputs: ['x', 'scale', 'bias'], outputs: ['normal'] }, { op: 'MatMul', inputs: ['normal', 'project'], outputs: ['y'] }],
    constants: { scale: weight([WIDTH], () => 1), bias: weight([WIDTH], () => 0), project: PROJECT }, opset: 17,
  });
  write({ 'step.onnx': rows(1), 'prompt.onnx': rows('count') });
  for (const files of [['step.onnx', 'prompt.onnx'], ['prompt.onnx', 'step.onnx']]) {
    const { weights } = built(...files, '-o', 'layouts');
    assert.equal(weights.filter((/** @type {any} */ { bytes }) => bytes === 4 * WIDTH * WIDTH).length, 1);
    const compute = await start('layouts'), x = Float32Array.from({ length: WIDTH }, (_, i) => i * i % 11);
    // As ONNX defines it, in float64.
    const mean = x.reduce((sum, value) => sum + value, 0) / WIDTH, deviation = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / WIDTH + 1e-5);
    const expected = x.map((_, o) => [...x].reduce((sum, value, i) => sum + (value - mean) / deviation * projectAt(i * WIDTH + o), 0));
    for (const index of [0, 1]) compute(index, 1, [x]).forEach((value, o) => assert.ok(Math.abs(value - expected[o]) < 1e-4, `${index}, ${o}: ${value}`));
  }
});

test('the branches of a merged decoder have the weights around them once', () => {
  const branch = (/** @type {string} */ name, /** @type {string} */ op) => ({ graph: {
    inputs: {}, outputs: { [name]: /** @type {any} */ (['f32', ['count', WIDTH]]) },
    nodes: [{ op: 'MatMul', inputs: ['x', 'project'], outputs: [`${name}_product`] }, { op, inputs: [`${name}_product`, 'x'], outputs: [name] }],
  } });
  write({ 'merged.onnx': onnxModel({
    inputs: { x: ['f32', ['count', WIDTH]], past: ['bool', []] }, outputs: { y: ['f32', ['count', WIDTH]] },
    nodes: [{ op: 'If', inputs: ['past'], outputs: ['y'], attributes: { then_branch: branch('a', 'Add'), else_branch: branch('b', 'Sub') } }],
    constants: { project: PROJECT },
  }) });
  const { weights } = built('merged.onnx', '-o', 'merged');
  assert.deepEqual(weights.map((/** @type {any} */ { bytes }) => bytes), [4 * WIDTH * WIDTH]);
});

// ---- What they are called

test('a model is named as its file, or as is said; the bundle by them', async () => {
  const { name, models, command } = built('encoder.onnx', 'again=other/encoder.onnx', '-o', 'named');
  assert.equal(name, 'encoder-again');
  assert.equal(command, 'webnnc encoder.onnx again=encoder.onnx');
  assert.deepEqual(models.map((/** @type {any} */ model) => model.name), ['encoder', 'again']);
  assert.deepEqual(models.map((/** @type {any} */ { outputs }) => outputs[0].name), ['hidden', 'x_hidden']);
  const manifest = await manifestOf('named/model.wasm');
  assert.deepEqual(manifest.models.map((/** @type {any} */ model) => model.name), ['encoder', 'again']);
  assert.equal(manifest.programs, undefined);
  assert.match(readFileSync(join(folder, 'named/model.js'), 'utf8'), /"models":\[\{"key":"encoder","name":"encoder","programs":\[/);
  assert.equal(built('one=encoder.onnx', '-o', 'named').name, 'one');
  assert.equal(built('encoder.onnx', 'again=other/encoder.onnx', '--name', 'speech', '-o', 'named').name, 'speech');
});

test('a path may have the sign of a name', () => {
  write({ 'a=b.onnx': encoder(), 'sub/c=d.onnx': encoder('x_') });
  const { models } = built('a=b.onnx', 'y=a=b.onnx', 'sub/c=d.onnx', 'z=sub/c=d.onnx', '-o', 'signs');
  assert.deepEqual(models.map((/** @type {any} */ model) => model.name), ['a=b', 'y', 'c=d', 'z']);
});

test('what was built is the same again, and differs by a name alone in what says it', () => {
  const first = built('encoder.onnx', 'decoder.onnx', '-o', 'again'), second = built('encoder.onnx', 'decoder.onnx', '-o', 'again');
  assert.equal(second.build, first.build);
  assert.notEqual(built('encoder.onnx', 'b=decoder.onnx', '-o', 'again').build, first.build);
});

// ---- Whose flags they are

/** The sizes of each model's first input. @param {any} description */
const typesOf = ({ models }) => models.map((/** @type {any} */ { inputs }) => inputs[0].type);

test('a size is fixed in every model that has it, or in one', () => {
  const files = ['encoder.onnx', 'decoder.onnx', '-o', 'sizes', '--target', 'wasm'];
  assert.deepEqual(typesOf(built(...files)), ['int64[count]', 'int64[count]']);
  assert.deepEqual(typesOf(built(...files, '--dim', 'count=3')), ['int64[3]', 'int64[3]']);
  assert.deepEqual(typesOf(built(...files, '--dim', 'decoder:count=3')), ['int64[count]', 'int64[3]']);
  assert.deepEqual(typesOf(built(...files, '--dim', 'decoder:count=3', '--dim', 'count=4')), ['int64[4]', 'int64[3]']);
  assert.deepEqual(typesOf(built(...files, '--input', 'encoder:ids:7')), ['int64[7]', 'int64[count]']);
  assert.deepEqual(typesOf(built(...files, '--input', 'encoder:ids:length', '--dim', 'length=5')), ['int64[5]', 'int64[count]']);
  const { models } = built(...files, '--dim', 'decoder:count=?2..8');
  assert.deepEqual(models.map((/** @type {any} */ { sizes }) => sizes.count), [1, 4]);
  // What one has as a size of inputs, another may name in its outputs alone.
  write({ 'named.onnx': onnxModel({ inputs: { x: ['f32', [2]] }, outputs: { y: ['f32', ['count']] }, nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }] }) });
  assert.deepEqual(typesOf(built('encoder.onnx', 'named.onnx', '-o', 'sizes', '--dim', 'count=3')), ['int64[3]', 'float32[2]']);
  assert.match(run('encoder.onnx', 'named.onnx', '-o', 'sizes', '--dim', 'named:count=3').stderr, /named.onnx: error: --dim names "count", which is a size of outputs alone/);
  const { status, stderr } = run(...files, '--dim', 'batch=3');
  assert.equal(status, 1);
  assert.match(stderr, /--dim batch: no model has what it names\n.*encoder has "count"\n.*decoder has "count"/);
});

test('pictures, labels and states are for the models that have what is named', async () => {
  write({ 'labels.txt': Buffer.from([...'abcdefghij'].join('\n')), 'state.onnx': onnxModel({
    inputs: { x: ['f32', [2]], a: ['f32', [2]] }, outputs: { b: ['f32', [2]] }, nodes: [{ op: 'Add', inputs: ['x', 'a'], outputs: ['b'] }],
  }) });
  const files = [digits, 'encoder.onnx', 'state.onnx', '-o', 'flags', '--quiet'];
  const models = async (/** @type {string[]} */ ...flags) => {
    succeed(...files, ...flags);
    return (await manifestOf('flags/model.wasm')).models;
  };
  const [first, second, third] = await models('--image', 'range=0..1', '--labels', 'labels.txt', '--state', 'a=b');
  assert.equal(first.inputs[0].image.preparation.range, '0..1');
  assert.deepEqual(first.outputs[0].labels, [...'abcdefghij']);
  assert.equal(second.outputs[0].labels, undefined);
  assert.deepEqual([first.state, second.state, third.state], [undefined, undefined, [{ input: 'a', output: 'b' }]]);
  assert.deepEqual((await models('--state', 'state:a=b'))[2].state, [{ input: 'a', output: 'b' }]);
  assert.equal((await models('--image', 'digits:image:range=0..1'))[0].inputs[0].image.preparation.range, '0..1');
  assert.equal((await models('--labels', 'digits:labels.txt'))[0].outputs[0].labels.length, 10);
  for (const [flags, message] of /** @type {[string[], RegExp][]} */ ([
    [['--state', 'c=d'], /--state c=d: no model has what it names/], [['--boxes', 'form=pair'], /--boxes form=pair: no model/],
    [['--labels', 'none.txt'], /--labels: cannot read none.txt/], [['--image', 'encoder:range=0..1'], /--image encoder:range=0..1: no model/],
  ])) {
    const { status, stderr } = run(...files, ...flags);
    assert.equal(status, 1);
    assert.match(stderr, message);
  }
});

// ---- What goes wrong

test('an error names the file it is about, and leaves no folder', () => {
  write({ 'broken.onnx': Buffer.from('no model') });
  const { status, stderr } = run('encoder.onnx', 'broken.onnx', '-o', 'nothing');
  assert.equal(status, 1);
  assert.match(stderr, /^broken\.onnx: error: /);
  assert.ok(!existsSync(join(folder, 'nothing')));
  assert.equal(JSON.parse(run('encoder.onnx', 'broken.onnx', '-o', 'nothing', '--json').stdout).error.file, 'broken.onnx');
  const { stderr: same } = run('encoder.onnx', 'other/encoder.onnx', '-o', 'nothing');
  assert.match(same, /both named "encoder"[^]*name them, as in model1=encoder.onnx other=other\/encoder.onnx/);
});

test('a budget is for all of them, and says which exceeds it', () => {
  const { stderr } = run('encoder.onnx', 'decoder.onnx', '-o', 'nothing', '--max-memory', '1kB');
  assert.match(stderr, /a run needs [\d.]+ kB in decoder on /);
  assert.match(run('encoder.onnx', 'decoder.onnx', '-o', 'nothing', '--max-weights', '1kB').stderr, /the weights have 18\.7 kB/);
  assert.match(run('encoder.onnx', 'decoder.onnx', '-o', 'nothing', '--target', 'wasm', '--require', 'baseline').stderr, /no program for WebGPU of decoder|no program for WebGPU of encoder/);
});

test('a step prints all models, each below its name', () => {
  for (const [step, comment] of [['import', ';'], ['program', ';'], ['memory', ';'], ['wgsl', '//']]) {
    const text = succeed('encoder.onnx', 'decoder.onnx', '--emit', step);
    const titles = text.split('\n').filter((line) => line.startsWith(`${comment} ==== `));
    assert.deepEqual(titles, [`${comment} ==== encoder`, `${comment} ==== decoder`], step);
  }
});
