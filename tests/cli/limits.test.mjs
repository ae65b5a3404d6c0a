// Whatever a file says, compiling ends at once, and where it can be, the result is right.
//
//   WEBNNC=build/webnnc node --test tests/cli/limits.test.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const webnnc = process.env.WEBNNC ?? join(root, 'build/webnnc');
/** @type {string} */
let folder;

before(() => { folder = mkdtempSync(join(tmpdir(), 'webnnc-limits-')); });
after(() => rmSync(folder, { recursive: true }));

/** @typedef {Parameters<typeof onnxModel>[0]} Model */

/** Within a minute and 4 GB. @param {string} name @param {Model} model @param {string[]} flags */
function compile(name, model, flags = []) {
  writeFileSync(join(folder, `${name}.onnx`), onnxModel(model));
  const limited = 'ulimit -v 4000000; exec "$0" "$@"';
  const { status, stderr } = spawnSync('bash',
    ['-c', limited, webnnc, join(folder, `${name}.onnx`), '-o', join(folder, name), '--no-report', ...flags],
    { encoding: 'utf8', timeout: 60_000 });
  return { status, stderr };
}

/** @param {string} name @param {Model} model @param {Record<string, any>} inputs */
async function run(name, model, inputs) {
  const { status, stderr } = compile(name, model);
  assert.equal(status, 0, stderr);
  const { load } = await import(pathToFileURL(join(folder, name, 'model.js')).href);
  const outputs = await (await load({ backend: 'wasm' })).run(inputs);
  return outputs;
}

/** @param {string} name @param {Model} model @param {RegExp} text @param {string[]} [flags] */
function refuses(name, model, text, flags) {
  const { status, stderr } = compile(name, model, flags);
  assert.equal(status, 1, `exit ${status}: ${stderr}`);
  assert.match(stderr, text);
}

/** @param {number} count @param {(i: number) => number} f */
const vector = (count, f) => Float32Array.from({ length: count }, (_, i) => f(i));
/** @param {number[]} shape @param {Float32Array} values @returns {any} */
const weight = (shape, values) => ({ type: ['f32', shape], bytes: new Uint8Array(values.buffer) });
/** @param {number[]} values @returns {any} */
const integers = (values) => values.map(BigInt);

/** A chain of `count` nodes or groups of nodes. @param {number} count @param {(i: number, from: string, to: string) => any[]} link */
const chain = (count, link) => Array.from({ length: count }, (_, i) => link(i, `t${i}`, `t${i + 1}`)).flat();

// ---- Constants

test('a product of large constants is folded, and right', async () => {
  const n = 256;
  // Rows and columns moved by one, and doubled: the product is moved by two, times four.
  const moves = weight([n, n], vector(n * n, (i) => (i % n === (Math.floor(i / n) + 1) % n ? 2 : 0)));
  const { y } = await run('folds', {
    inputs: { x: ['f32', [1, n]] }, outputs: { y: ['f32', [1, n]] }, constants: { w: moves },
    nodes: [{ op: 'MatMul', inputs: ['w', 'w'], outputs: ['w2'] }, { op: 'MatMul', inputs: ['x', 'w2'], outputs: ['y'] }],
  }, { x: vector(n, (i) => i) });
  assert.deepEqual([...y.data], [...vector(n, (i) => 4 * ((i + n - 2) % n))]);
  // One matrix and what goes before all weights.
  assert.ok(statSync(join(folder, 'folds', 'model.weights.bin')).size < n * n * 4 + 1024);
});

test('what takes too long to fold is left to the run', () => {
  const doubles = chain(12, (i, from, to) => [{ op: 'Concat', inputs: [from, from], outputs: [to], attributes: { axis: i % 2 } }]);
  const { status, stderr } = compile('too_long', {
    inputs: { x: ['f32', [2048, 2048]] }, outputs: { y: ['f32', [2048, 2048]] },
    constants: { t0: weight([32, 32], vector(1024, () => 1)) },
    nodes: [...doubles, { op: 'MatMul', inputs: ['t12', 't12'], outputs: ['p'] }, { op: 'Add', inputs: ['p', 'x'], outputs: ['y'] }],
  });
  assert.equal(status, 0, stderr);
});

test('constants that double again and again end', () => {
  refuses('doubles', {
    inputs: { x: ['f32', [1]] }, outputs: { y: ['f32', ['n']] }, constants: { t0: weight([1024], vector(1024, () => 1)) },
    nodes: [...chain(20, (_, from, to) => [{ op: 'Concat', inputs: [from, from], outputs: [to], attributes: { axis: 0 } }]),
      { op: 'Add', inputs: ['t20', 'x'], outputs: ['y'] }],
  }, /GiB/);
});

test('a weight without elements that has endless rows is refused', () => {
  refuses('endless', {
    inputs: { x: ['f32', [1]] }, outputs: { y: ['f32', ['n']] }, constants: { w: { type: ['f32', [2 ** 32, 2 ** 14, 0]], bytes: new Uint8Array() } },
    nodes: [{ op: 'ReduceSum', name: 'sums', inputs: ['w'], outputs: ['s'] }, { op: 'Add', inputs: ['s', 'x'], outputs: ['y'] }],
  }, /"sums".*absurd size: 4294967296/);
});

test('more than 64 dimensions are refused', () => {
  const shape = Array.from({ length: 65 }, () => 1);
  refuses('rank_of_input', { inputs: { x: ['f32', shape] }, outputs: { y: ['f32', shape] }, nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }] },
    /input "x" has 65 dimensions/);
  refuses('rank_of_reshape', {
    inputs: { x: ['f32', [1]] }, outputs: { y: ['f32', shape] }, constants: { s: integers(shape) },
    nodes: [{ op: 'Reshape', name: 'folds_up', inputs: ['x', 's'], outputs: ['y'] }],
  }, /"folds_up".*has 65 dimensions/);
});

test('a sparse weight asks for no more memory than a weight may', () => {
  refuses('sparse', {
    inputs: { x: ['f32', [1]] }, outputs: { y: ['f32', ['n']] }, sparse: { w: { size: 2 ** 29, at: [5n] } },
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
  }, /"w".*f32\[536870912\].*1 GiB/);
});

// ---- Nodes

test('functions that call each other twice at every level are counted', () => {
  const call = (/** @type {number} */ level, /** @type {string[]} */ inputs, /** @type {string[]} */ outputs) =>
    ({ op: `f${level}`, domain: 'local', inputs, outputs });
  const levels = Array.from({ length: 40 }, (_, i) => i);
  const bodies = {
    // Nothing but calls, what only passes a value on, and no value at all.
    calls: (/** @type {number} */ i) => ({ inputs: ['a'], outputs: ['b'], nodes: [call(i + 1, ['a'], ['m']), call(i + 1, ['m'], ['b'])] }),
    nothing: (/** @type {number} */ i) => ({ inputs: [], outputs: [], nodes: [call(i + 1, [], []), call(i + 1, [], [])] }),
  };
  for (const [kind, body] of Object.entries(bodies)) {
    const passes = kind === 'calls';
    const last = { inputs: passes ? ['a'] : [], outputs: passes ? ['a'] : [], nodes: [] };
    refuses(`functions_${kind}`, {
      inputs: { x: ['f32', [1]] }, outputs: { y: ['f32', [1]] },
      functions: { ...Object.fromEntries(levels.map((i) => [`f${i}`, body(i)])), f40: last },
      nodes: passes ? [{ ...call(0, ['x'], ['y']), name: 'first' }]
        : [{ ...call(0, [], []), name: 'first' }, { op: 'Relu', inputs: ['x'], outputs: ['y'] }],
    }, /node "first": the model has more than 40,000 (calls of functions|nodes)/);
  }
});

test('a Split into more parts than it has results is refused', () => {
  refuses('split', {
    inputs: { x: ['f32', [8]] }, outputs: { y: ['f32', [4]] }, opset: 18,
    nodes: [{ op: 'Split', name: 'parts', inputs: ['x'], outputs: ['y', 'z'], attributes: { axis: 0, num_outputs: 2 ** 52 } }],
  }, /"parts".*num_outputs is 4503599627370496/);
});

// ---- Sizes

test('seven pools with ceil_mode over open sizes', async () => {
  const pools = chain(7, (_, from, to) => [{
    op: 'MaxPool', inputs: [from], outputs: [to],
    attributes: { kernel_shape: [3, 3], strides: [3, 3], pads: [1, 1, 1, 1], ceil_mode: 1 },
  }]);
  const model = { inputs: { t0: /** @type {any} */ (['f32', [1, 1, 'h', 'w']]) }, outputs: { t7: /** @type {any} */ (['f32', [1, 1, 'oh', 'ow']]) }, nodes: pools };
  // Ceiling pools of 3 with a padding of 1 take a size n to floor(n / 3) + 1.
  let [h, w] = [400, 7];
  const { t7 } = await run('pools', model, { t0: { data: vector(h * w, (i) => i), shape: [1, 1, h, w] } });
  for (let i = 0; i < 7; ++i) [h, w] = [Math.floor(h / 3) + 1, Math.floor(w / 3) + 1];
  assert.deepEqual(t7.shape, [1, 1, h, w]);
  assert.equal(Math.max(...t7.data), 400 * 7 - 1);
});

test('sizes that nest in sizes end', () => {
  for (const [first, second] of [['Div', 'Mod'], ['Mod', 'Div'], ['Div', 'Div']]) {
    const { status, stderr } = compile(`nests_${first}_${second}`, {
      inputs: { x: ['f32', ['a', 'b']] }, outputs: { y: ['f32', ['c', 'd']] }, constants: { three: integers([3, 3]), seven: integers([7, 7]) },
      nodes: [{ op: 'Shape', inputs: ['x'], outputs: ['t0'] },
        ...chain(40, (i, from, to) => [
          { op: first, inputs: [from, 'three'], outputs: [`a${i}`] }, { op: second, inputs: [from, 'seven'], outputs: [`b${i}`] },
          { op: i % 2 ? 'Mul' : 'Add', inputs: [`a${i}`, `b${i}`], outputs: [to] }]),
        { op: 'Expand', name: 'expands', inputs: ['x', 't40'], outputs: ['y'] }],
    });
    assert.ok(status === 0 || (status === 1 && /"expands"/.test(stderr)), `exit ${status}: ${stderr}`);
  }
});

// ---- Kernels

test('tables looked up in tables', async () => {
  const n = 16;
  const next = Array.from({ length: n }, (_, i) => (i * 5 + 3) % n);
  const { y } = await run('gathers', {
    inputs: { x: ['f32', [n]], i: ['i64', [n]] }, outputs: { y: ['f32', [n]] }, constants: { next: integers(next) },
    nodes: [{ op: 'Add', inputs: ['next', 'i'], outputs: ['t0'] },
      ...chain(9, (_, from, to) => [{ op: 'GatherElements', inputs: ['next', from], outputs: [to], attributes: { axis: 0 } }]),
      { op: 'Gather', inputs: ['x', 't9'], outputs: ['y'] }],
  }, { x: vector(n, (i) => i), i: new BigInt64Array(n) });
  let at = next;
  for (let i = 0; i < 9; ++i) at = at.map((k) => next[k]);
  assert.deepEqual([...y.data], at);
});

test('a tensor put behind itself and cut, again and again', async () => {
  const n = 10;
  const { t24: y } = await run('rolls', {
    inputs: { t0: ['f32', [n]] }, outputs: { t24: ['f32', [n]] }, constants: { one: integers([1]), end: integers([n + 1]) },
    nodes: chain(24, (i, from, to) => [
      { op: 'Concat', inputs: [from, from], outputs: [`c${i}`], attributes: { axis: 0 } },
      { op: 'Slice', inputs: [`c${i}`, 'one', 'end'], outputs: [to] }]),
  }, { t0: vector(n, (i) => i) });
  assert.deepEqual([...y.data], [...vector(n, (i) => (i + 24) % n)]);
});

test('reflections of reflections', async () => {
  const n = 5;
  const { t30: y } = await run('reflects', {
    inputs: { t0: ['f32', [n]] }, outputs: { t30: ['f32', [n]] }, constants: { pads: integers([1, 1]), zero: integers([0]), end: integers([n]) },
    nodes: chain(30, (i, from, to) => [
      { op: 'Pad', inputs: [from, 'pads'], outputs: [`p${i}`], attributes: { mode: 'reflect' } },
      { op: 'Slice', inputs: [`p${i}`, 'zero', 'end'], outputs: [to] }]),
  }, { t0: vector(n, (i) => i) });
  // Each step puts element 1 in front and drops the last.
  let expected = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < 30; ++i) expected = [expected[1], ...expected.slice(0, n - 1)];
  assert.deepEqual([...y.data], expected);
});

test('a thousand tensors behind each other', async () => {
  const parts = Array.from({ length: 1000 }, (_, i) => i % 3 ? 'x' : 'y');
  const { z } = await run('concat', {
    inputs: { x: ['f32', [2]], y: ['f32', [3]] }, outputs: { z: ['f32', [2334]] },
    nodes: [{ op: 'Concat', inputs: parts, outputs: ['z'], attributes: { axis: 0 } }],
  }, { x: vector(2, (i) => i), y: vector(3, (i) => 10 + i) });
  assert.deepEqual([...z.data], parts.flatMap((part) => part === 'x' ? [0, 1] : [10, 11, 12]));
});

test('a window that no run ends is refused', () => {
  refuses('window', {
    inputs: { x: ['f32', [1, 1, 4000, 4000]] }, outputs: { y: ['f32', [1, 1, 'h', 'w']] },
    nodes: [{ op: 'MaxPool', name: 'endless', inputs: ['x'], outputs: ['y'], attributes: { kernel_shape: [2e9, 2e9], auto_pad: 'SAME_UPPER' } }],
  }, /"endless".*steps|"endless".*too large/);
});

test('a run that takes minutes is warned of', () => {
  const { status, stderr } = compile('slow', {
    inputs: { x: ['f32', [20000, 20000]] }, outputs: { y: ['f32', [20000, 20000]] },
    nodes: [{ op: 'MatMul', name: 'slow', inputs: ['x', 'x'], outputs: ['y'] }],
  });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /takes 8e\+12 steps or more.*"slow"/);
});

// ---- Schedules

test('schedules that copy without end do not fit', () => {
  const digits = join(root, 'models/digits/digits.onnx');
  const { stdout: chosen } = spawnSync(webnnc, [digits, '--emit', 'schedules'], { encoding: 'utf8' });
  const key = /^; conv.*\nfor wasm ("\w+")/m.exec(chosen)?.[1];
  assert.ok(key, chosen);
  const kernel = spawnSync(webnnc, [digits, '--emit', 'pack-weights'], { encoding: 'utf8' }).stdout;
  const loop = /for (\w+) in/.exec(kernel.slice(kernel.indexOf('conv')))?.[1];
  for (const directives of [`split ${loop} 4096\n  unroll ${loop}.1\n  `, `split ${loop} 128\n  vector ${loop}.1\n  `]) {
    const file = join(folder, 'endless.schedules');
    writeFileSync(file, `for wasm ${key} schedule {\n  ${directives}}\n`);
    const { status, stderr } = spawnSync(webnnc, [digits, '-o', join(folder, 'endless'), '--schedules', file], { encoding: 'utf8', timeout: 60_000 });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /warning: .*does not fit its kernel.*(copies|lanes)/);
  }
});

test('what is looked up behind a condition is not looked up beyond its end', async () => {
  // Beyond the indices' end there is padding for longer than there is memory.
  const count = 20_000, behind = 60_000, width = 8;
  const { y } = await run('padded_lookup', {
    inputs: { i: ['i32', [count]] }, outputs: { y: ['f32', [count + behind, width]] }, opset: 13,
    constants: { table: weight([4, width], vector(4 * width, (k) => k)), pads: integers([0, 0, behind, 0]) },
    nodes: [
      { op: 'Gather', inputs: ['table', 'i'], outputs: ['a'] },
      { op: 'Pad', inputs: ['a', 'pads'], outputs: ['y'] },
    ],
  }, { i: Int32Array.from({ length: count }, (_, i) => i % 4) });
  assert.deepEqual([...y.data.subarray(2 * width, 2 * width + 3)], [16, 17, 18]);
  assert.ok(y.data.subarray(count * width).every((/** @type {number} */ value) => value === 0));
});

test('sums that the stack has no room for', async () => {
  const size = 512, schedules = join(folder, 'kept.txt');
  const model = { inputs: { a: ['f32', [size, 4]], b: ['f32', [4, size]] }, outputs: { y: ['f32', [size, size]] }, nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }] };
  const { stdout } = spawnSync(webnnc, [(writeFileSync(join(folder, 'kept.onnx'), onnxModel(model)), join(folder, 'kept.onnx')), '--emit', 'schedules', '--target', 'wasm'], { encoding: 'utf8' });
  // The measured schedule of the kernel keeps all of the result in registers.
  writeFileSync(schedules, stdout.replace(/schedule \{[^}]*\}/g, 'schedule {\n  keep\n}'));
  const { status, stderr } = compile('kept', model, ['--schedules', schedules, '--target', 'wasm']);
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /warning/);
  const { load } = await import(pathToFileURL(join(folder, 'kept', 'model.js')).href);
  const { y } = await (await load({ backend: 'wasm' })).run({ a: vector(4 * size, (i) => i % 7), b: vector(4 * size, (i) => i % 5) });
  const at = (i, j) => [0, 1, 2, 3].reduce((sum, k) => sum + (4 * i + k) % 7 * ((size * k + j) % 5), 0);
  for (const [i, j] of [[0, 0], [100, 3], [511, 511]]) assert.equal(y.data[size * i + j], at(i, j));
});
