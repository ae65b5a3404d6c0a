// Small models whose results depend on the last bit, on NaN, on sizes or on pads, compiled and run on
// wasm and on WebGPU in Node. Expected values are computed here, from ONNX's text; where they are
// listed, ONNX Runtime 1.30 gave them, without its optimisations.
//
//   WEBNNC=build/webnnc node --test tests/web/numbers.test.mjs

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { onnxModel } from '../onnx_model.mjs';
import { makeDevice } from './dawn.mjs';

const webnnc = process.env.WEBNNC ?? fileURLToPath(new URL('../../build/webnnc', import.meta.url));
const f = Math.fround;
/** @type {string} */ let folder;
/** @type {GPUDevice} */ let device;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webnnc-numbers-'));
  device = await makeDevice();
});
after(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

/** @param {number} n @param {(i: number) => number} at */
const floats = (n, at) => Float32Array.from({ length: n }, (_, i) => at(i));

let models = 0;
/**
 * The model compiled, and loaded on each backend.
 * @param {Parameters<typeof onnxModel>[0]} model @param {string[]} [targets]
 */
async function compile(model, targets = ['wasm', 'webgpu']) {
  const name = `m${models++}`, file = join(folder, `${name}.onnx`), out = join(folder, name);
  writeFileSync(file, onnxModel(model));
  execFileSync(webnnc, [file, '-o', out, '--quiet', '--target', targets.join()]);
  const { load } = await import(pathToFileURL(join(out, 'model.js')).href);
  return Promise.all(targets.map((backend) => load(backend === 'wasm' ? { backend } : { backend, device })));
}

/**
 * @param {any[]} loaded @param {Record<string, {data: any, shape: number[]}>} inputs
 * @param {number[] | Float32Array} expected elements of y @param {number[]} [shape] @param {number} [within]
 */
async function expect(loaded, inputs, expected, shape, within = 0) {
  for (const model of loaded) {
    const { y } = await model.run(inputs);
    if (shape) assert.deepEqual(y.shape, shape, model.backend);
    assert.equal(y.data.length, expected.length, model.backend);
    const actual = [...y.data].map(Number);
    for (let i = 0; i < actual.length; ++i) {
      /** @type {boolean} */ const same = Object.is(actual[i], expected[i]) || Math.abs(actual[i] - expected[i]) <= within;
      assert.ok(same, `${model.backend}: y[${i}] is ${actual[i]}, not ${expected[i]}`);
    }
  }
}

/**
 * Operators behind each other, of x: each with its constant, if it has one.
 * @param {[op: string, constant?: number, attributes?: Record<string, any>][]} steps @param {'f32' | 'f16'} [type]
 */
function chain(steps, type = 'f32') {
  /** @type {Record<string, any>} */ const constants = {};
  const nodes = steps.map(([op, constant, attributes], i) => {
    const inputs = [i ? `t${i}` : 'x'];
    if (constant !== undefined) {
      const bytes = new Uint8Array(type === 'f16' ? Uint16Array.of(half(constant)).buffer : Float32Array.of(constant).buffer);
      constants[`c${i}`] = { type: [type, []], bytes };
      inputs.push(`c${i}`);
    }
    return { op, name: `n${i}`, inputs, outputs: [i === steps.length - 1 ? 'y' : `t${i + 1}`], attributes };
  });
  return { inputs: { x: [type, ['n']] }, outputs: { y: [type, ['n']] }, nodes, constants };
}

/** The bits of a power of two as f16, or of 0. @param {number} value */
const half = (value) => (15 + Math.log2(value)) << 10;

/** @param {Float32Array} data */
const vector = (data) => ({ x: { data, shape: [data.length] } });

for (const c of [3, 7, 10, 41, 49, 255]) {
  test(`multiples of ${c} divide without rest`, async () => {
    const x = floats(400, (i) => i * c);
    for (const op of ['Floor', 'Ceil']) await expect(await compile(/** @type {any} */ (chain([['Div', c], [op]]))), vector(x), floats(400, (i) => i));
    await expect(await compile(/** @type {any} */ (chain([['Div', c], ['Mod', 1, { fmod: 1 }]]))), vector(x), floats(400, () => 0));
  });
}

const softplus = (/** @type {number} */ x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
/** @type {Record<string, (x: number) => number>} */
const FUNCTIONS = { Tanh: Math.tanh, Sinh: Math.sinh, Asinh: Math.asinh, Atanh: Math.atanh, Softplus: softplus, Mish: (x) => x * Math.tanh(softplus(x)), Softsign: (x) => x / (1 + Math.abs(x)) };
for (const [op, exact] of Object.entries(FUNCTIONS)) {
  test(`${op} keeps its digits near 0 and far below it`, async () => {
    const far = op === 'Atanh' ? 0.99 : 80, x = floats(4000, (i) => (i % 2 ? -1 : 1) * far * 2 ** (-i / 125));
    for (const model of await compile(/** @type {any} */ ({ ...chain([[op]]), opset: 18 }))) {
      const { y } = await model.run(vector(x));
      // WGSL's exp may be off by 3 + 2|x| units, and its smallest results be 0.
      x.forEach((value, i) => assert.ok(Math.abs(y.data[i] - exact(value)) <= (1e-6 + 2 ** -22 * Math.abs(value)) * Math.abs(exact(value)) + 1e-37, `${model.backend}: ${op}(${value}) is ${y.data[i]}, not ${exact(value)}`));
    }
  });
}

test('Acosh has no result below 1', async () => {
  const x = floats(400, (i) => 0.99 - i / 4);
  for (const model of await compile(/** @type {any} */ (chain([['Acosh']])))) assert.ok((await model.run(vector(x))).y.data.every(Number.isNaN), model.backend);
});

test('a quotient behind a convolution keeps its floor', async () => {
  const loaded = await compile({
    inputs: { x: ['f32', [1, 1, 300]] }, outputs: { y: ['f32', [1, 1, 300]] },
    nodes: [
      { op: 'Conv', inputs: ['x', 'w'], outputs: ['a'] }, { op: 'Div', inputs: ['a', 'c'], outputs: ['b'] },
      { op: 'Floor', inputs: ['b'], outputs: ['y'] },
    ],
    constants: { w: { type: ['f32', [1, 1, 1]], bytes: new Uint8Array(Float32Array.of(1).buffer) }, c: [41] },
  });
  await expect(loaded, { x: { data: floats(300, (i) => 41 * i), shape: [1, 1, 300] } }, floats(300, (i) => i));
});

test('what is added to round stays, also behind a convolution', async () => {
  const magic = 12582912, x = floats(60, (i) => i * 0.37 - 9), rounded = x.map((v) => f(f(v + magic) - magic));
  assert.notDeepEqual(rounded, x);
  await expect(await compile(/** @type {any} */ (chain([['Add', magic], ['Sub', magic]]))), vector(x), rounded);
  const loaded = await compile({
    inputs: { x: ['f32', [1, 1, 60]] }, outputs: { y: ['f32', [1, 1, 60]] },
    nodes: [
      { op: 'Conv', inputs: ['x', 'w'], outputs: ['a'] }, { op: 'Add', inputs: ['a', 'c'], outputs: ['b'] },
      { op: 'Sub', name: 'Sub', inputs: ['b', 'c'], outputs: ['y'] },
    ],
    constants: { w: { type: ['f32', [1, 1, 1]], bytes: new Uint8Array(Float32Array.of(1).buffer) }, c: [magic] },
  });
  await expect(loaded, { x: { data: x, shape: [1, 1, 60] } }, rounded);
});

test('a difference is taken before it is scaled', async () => {
  const x = floats(100, (i) => 1000 + i / 128), y = x.map((v) => f(f(v - 1000) * f(1000)));
  await expect(await compile(/** @type {any} */ (chain([['Sub', 1000], ['Mul', 1000]]))), vector(x), y);
});

test('factors that overflow or vanish together do so one after another', async () => {
  const x = floats(20, (i) => (i + 1) * 1e10);
  await expect(await compile(/** @type {any} */ (chain([['Mul', 1e30], ['Mul', 1e-30]]))), vector(x), x.map(() => Infinity));
  // In f16: 2^12 * 2^12 is too large and 2^-12 * 2^-13 too small, x times them is not.
  for (const [factors, from, to] of /** @type {[number[], number, number][]} */ ([[[12, 12], -10, 14], [[-12, -13], 14, -11]])) {
    const loaded = await compile(/** @type {any} */ (chain(factors.map((e) => ['Mul', 2 ** e]), 'f16')));
    for (const model of loaded) {
      const { y } = await model.run({ x: { data: Uint16Array.of(half(2 ** from)), shape: [1] } });
      assert.deepEqual([...new Uint16Array(y.data.buffer, y.data.byteOffset, 1)], [half(2 ** to)], model.backend);
    }
  }
});

test('what is added to round stays in f16, on the CPU', async () => {
  // 2.5 is 0x4100, 0.75 is 0x3a00; 1536 = 0x6600 leaves no fraction: 2 and 1.
  const constant = { type: /** @type {['f16', number[]]} */ (['f16', []]), bytes: new Uint8Array(Uint16Array.of(0x6600).buffer) };
  const loaded = await compile({
    inputs: { x: ['f16', ['n']] }, outputs: { y: ['f16', ['n']] },
    nodes: [{ op: 'Add', inputs: ['x', 'c'], outputs: ['a'] }, { op: 'Sub', inputs: ['a', 'c'], outputs: ['y'] }], constants: { c: constant },
  }, ['wasm']);
  for (const model of loaded) {
    const { y } = await model.run({ x: { data: Uint16Array.of(0x4100, 0x3a00), shape: [2] } });
    assert.deepEqual([...new Uint16Array(y.data.buffer, y.data.byteOffset, 2)], [0x4000, 0x3c00], model.backend);
  }
});

test('maxima and minima of NaN are NaN', async () => {
  const x = Float32Array.of(NaN, 1, 2, 5), z = Float32Array.of(1, NaN, 0, 5);
  for (const [op, y] of /** @type {const} */ ([['Max', [NaN, NaN, 2, 5]], ['Min', [NaN, NaN, 0, 5]]])) {
    const loaded = await compile({
      inputs: { x: ['f32', ['n']], z: ['f32', ['n']] }, outputs: { y: ['f32', ['n']] }, nodes: [{ op, inputs: ['x', 'z'], outputs: ['y'] }],
    });
    await expect(loaded, { x: { data: x, shape: [4] }, z: { data: z, shape: [4] } }, [...y]);
  }
  await expect(await compile(/** @type {any} */ (chain([['Relu']]))), vector(Float32Array.of(NaN, -1, 2)), [NaN, 0, 2]);
  await expect(await compile(/** @type {any} */ (chain([['Max', 0], ['Min', 6]]))), vector(Float32Array.of(NaN, -1, 9)), [NaN, 0, 6]);
});

test('reductions and pools find NaN wherever it is', async () => {
  for (const n of [3, 9, 300]) {
    for (const at of [0, 1, n - 1]) {
      const data = floats(2 * n, (i) => (i === at ? NaN : i % n)), inputs = { x: { data, shape: [2, n] } };
      const of = (/** @type {string} */ op, /** @type {'f32' | 'i64'} */ type, /** @type {any} */ attributes) => compile({
        inputs: { x: ['f32', [2, n]] }, outputs: { y: [type, [2]] }, nodes: [{ op, inputs: ['x'], outputs: ['y'], attributes: { keepdims: 0, ...attributes } }],
      });
      await expect(await of('ReduceMax', 'f32', { axes: [1] }), inputs, [NaN, n - 1]);
      await expect(await of('ReduceMin', 'f32', { axes: [1] }), inputs, [NaN, 0]);
      await expect(await of('ArgMax', 'i64', { axis: 1 }), inputs, [at, n - 1]);
    }
  }
  const loaded = await compile({
    inputs: { x: ['f32', [1, 1, 9]] }, outputs: { y: ['f32', [1, 1, 7]] }, nodes: [{ op: 'MaxPool', inputs: ['x'], outputs: ['y'], attributes: { kernel_shape: [3] } }],
  });
  await expect(loaded, { x: { data: Float32Array.of(NaN, 1, 2, 3, NaN, 5, 6, 7, NaN), shape: [1, 1, 9] } }, [NaN, 3, NaN, NaN, NaN, 7, NaN]);
});

// ---- Sizes

/** @param {number} scale @param {number | string} size @param {string} mode */
const resize = (scale, size, mode = 'linear') => ({
  inputs: { x: ['f32', [1, 1, 1, size]] }, outputs: { y: ['f32', [1, 1, 1, 'm']] },
  nodes: [{
    op: 'Resize', inputs: ['x', '', 's'], outputs: ['y'],
    attributes: { mode, coordinate_transformation_mode: mode === 'nearest' ? 'asymmetric' : 'half_pixel', ...mode === 'nearest' ? { nearest_mode: 'floor' } : {} },
  }],
  constants: { s: [1, 1, 1, scale] },
});

/** What ONNX Runtime makes of sizes: a product of f32. @param {number} size @param {number} scale */
const resized = (size, scale) => Math.floor(f(size * f(scale)));

// 320 * 0.7 is 224 and 90 * 1.3 is 116 in ONNX Runtime.
assert.deepEqual([resized(320, 0.7), resized(90, 1.3), resized(7, 9 / 7)], [224, 116, 9]);

for (const scale of [0.7, 0.05, 1.1, 1.3, 9 / 7, 1 / 3, 1.7, 0.45, 2.5, 0.123456]) {
  test(`sizes scaled by ${scale}`, async () => {
    const sizes = [1, 2, 3, 7, 10, 13, 30, 64, 90, 117, 224, 320, 511, 640, 1000, 4001].filter((n) => resized(n, scale) > 0);
    for (const mode of ['linear', 'nearest']) {
      const [open] = await compile(/** @type {any} */ (resize(scale, 'n', mode)), ['wasm']);
      for (const n of sizes) {
        const inputs = { x: { data: floats(n, (i) => i), shape: [1, 1, 1, n] } }, m = resized(n, scale);
        // Where the size stays, ONNX Runtime copies.
        const y = floats(m, (i) => {
          if (m === n) return i;
          if (mode === 'nearest') return Math.min(Math.floor(f(i / f(scale))), n - 1);
          return Math.min(Math.max((i + 0.5) / f(scale) - 0.5, 0), n - 1);
        });
        await expect([open], inputs, y, [1, 1, 1, m], mode === 'nearest' ? 0 : n * 1e-6);
      }
    }
    for (const n of [7, 90, 320]) {
      const fixed = await compile(/** @type {any} */ (resize(scale, n)), ['wasm']);
      await expect(fixed, { x: { data: floats(n, (i) => i), shape: [1, 1, 1, n] } }, (await fixed[0].run({ x: { data: floats(n, (i) => i), shape: [1, 1, 1, n] } })).y.data, [1, 1, 1, resized(n, scale)]);
    }
  });
}

test('antialiasing within a region', async () => {
  const region = { begin: 0.1, end: 0.7 }, n = 12, m = 4;
  const model = {
    opset: 18, inputs: { x: ['f32', [1, n]] }, outputs: { y: ['f32', [1, m]] },
    nodes: [{
      op: 'Resize', inputs: ['x', 'roi', '', 'sizes'], outputs: ['y'],
      attributes: { mode: 'linear', antialias: 1, coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: { float: 10.5 } },
    }],
    constants: { roi: [0, region.begin, 1, region.end], sizes: [1n, BigInt(m)] },
  };
  const x = floats(n, (i) => i * i % 23 + i), scale = m / n;
  const sample = (/** @type {number} */ begin, /** @type {number} */ end) => floats(m, (i) => {
    const at = begin * (n - 1) + i * (end - begin) * (n - 1) / (m - 1);
    if (at < 0 || at > n - 1) return 10.5;
    let sum = 0, total = 0;
    for (let j = Math.floor(at - 1 / scale); j <= Math.ceil(at + 1 / scale); ++j) {
      const weight = Math.max(0, 1 - Math.abs(j - at) * scale);
      sum += weight * x[Math.min(Math.max(j, 0), n - 1)];
      total += weight;
    }
    return sum / total;
  });
  await expect(await compile(/** @type {any} */ (model)), { x: { data: x, shape: [1, n] } }, sample(0.1, 0.7), [1, m], 1e-4);
  model.constants.roi = [0, -0.2, 1, 0.6];
  await expect(await compile(/** @type {any} */ (model)), { x: { data: x, shape: [1, n] } }, sample(-0.2, 0.6), [1, m], 1e-4);
});

// ---- Pads

/** Where NumPy's pad takes an element from. @type {Record<string, (i: number, n: number) => number>} */
const SOURCES = {
  reflect: (i, n) => {
    while (i < 0 || i >= n) i = n === 1 ? 0 : i < 0 ? -i : 2 * (n - 1) - i;
    return i;
  },
  edge: (i, n) => Math.min(Math.max(i, 0), n - 1),
  wrap: (i, n) => ((i % n) + n) % n,
};

for (const mode of Object.keys(SOURCES)) {
  test(`pads beyond the size: ${mode}`, async () => {
    for (const [begin, end] of [[1, 1], [2, 3], [7, 0], [9, 11]]) {
      const model = (/** @type {number | string} */ size) => /** @type {any} */ ({
        opset: 19, inputs: { x: ['f32', [2, size]] }, outputs: { y: ['f32', [2, 'm']] },
        nodes: [{ op: 'Pad', inputs: ['x', 'p'], outputs: ['y'], attributes: { mode } }], constants: { p: [0n, BigInt(begin), 0n, BigInt(end)] },
      });
      const open = await compile(model('n'));
      for (const n of [1, 2, 3, 5, 12]) {
        const m = begin + n + end, inputs = { x: { data: floats(2 * n, (i) => i), shape: [2, n] } };
        const y = floats(2 * m, (i) => Math.floor(i / m) * n + SOURCES[mode](i % m - begin, n));
        await expect(open, inputs, y, [2, m]);
        if (n === 3) await expect(await compile(model(n)), inputs, y, [2, m]);
      }
    }
  });
}

// ---- Sizes that are assumed

test('Split of an open size checks it', async () => {
  const split = (/** @type {number} */ opset, /** @type {number} */ parts, /** @type {any} */ rest) => compile(/** @type {any} */ ({
    opset, inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['a']], z: ['f32', ['b']] },
    nodes: [{ op: 'Split', inputs: ['x', ...rest.inputs ?? []], outputs: ['y', ...Array.from({ length: parts - 2 }, (_, i) => `p${i}`), 'z'], attributes: rest.attributes }],
    constants: rest.constants,
  }), ['wasm']);
  const x = (/** @type {number} */ n) => ({ x: { data: floats(n, (i) => i), shape: [n] } });
  const [given] = await split(13, 2, { inputs: ['s'], constants: { s: [2n, 3n] } });
  assert.deepEqual([...(await given.run(x(5))).z.data], [2, 3, 4]);
  await assert.rejects(given.run(x(6)), /n == 5 \(node "Split"\)/);
  const [equal] = await split(13, 3, {});
  assert.deepEqual([...(await equal.run(x(6))).z.data], [4, 5]);
  await assert.rejects(equal.run(x(7)), /it was compiled for n == 3\*floordiv\(n,3\)/);
  const [uneven] = await split(18, 3, { attributes: { num_outputs: 3 } });
  assert.deepEqual([...(await uneven.run(x(7))).z.data], [6]);
  await assert.rejects(uneven.run(x(1)), /node "Split"/);
});

test('Squeeze of everything keeps the batch, and refuses to run where it is 1', async () => {
  const [model] = await compile({
    inputs: { x: ['f32', ['n', 3, 1]] }, outputs: { y: ['f32', ['n', 3]] }, nodes: [{ op: 'Squeeze', inputs: ['x'], outputs: ['y'] }],
  }, ['wasm']);
  assert.deepEqual((await model.run({ x: { data: floats(6, (i) => i), shape: [2, 3, 1] } })).y.shape, [2, 3]);
  await assert.rejects(model.run({ x: { data: floats(3, (i) => i), shape: [1, 3, 1] } }), /2 <= n \(node "Squeeze"\)/);
});

test('weights without elements', async () => {
  const loaded = await compile({
    inputs: { x: ['f32', [2]] }, outputs: { y: ['f32', [3]], e: ['f32', [0]] },
    nodes: [
      { op: 'Concat', inputs: ['x', 'none', 'one'], outputs: ['y'], attributes: { axis: 0 } },
      { op: 'Identity', inputs: ['none'], outputs: ['e'] },
    ],
    constants: { none: { type: ['f32', [0]], bytes: new Uint8Array() }, one: [7] },
  });
  await expect(loaded, vector(Float32Array.of(1, 2)), [1, 2, 7]);
});

// A graph's degrees, as graph networks scale by them: of a node without neighbours there is none. ONNX Runtime's numbers.
test('powers and logarithms of 0 are infinite', async () => {
  const zero = { type: /** @type {['f32', number[]]} */ (['f32', []]), bytes: new Uint8Array(4) };
  const degrees = { inputs: { x: ['f32', ['n']] }, outputs: { y: ['f32', ['n']] }, constants: { c: { type: ['f32', []], bytes: new Uint8Array(Float32Array.of(-0.5).buffer) }, zero },
    nodes: [{ op: 'Pow', inputs: ['x', 'c'], outputs: ['p'] }, { op: 'IsInf', inputs: ['p'], outputs: ['i'] }, { op: 'Where', inputs: ['i', 'zero', 'p'], outputs: ['y'] }] };
  await expect(await compile(/** @type {any} */ (degrees)), vector(Float32Array.of(0, 1, 4, 0.25)), [0, 1, 0.5, 2], [4], 1e-6);
  await expect(await compile(/** @type {any} */ (chain([['Log']]))), vector(Float32Array.of(0, -0, 1, -1, Infinity, -Infinity, NaN)), [-Infinity, -Infinity, 0, NaN, Infinity, NaN, NaN]);
  await expect(await compile(/** @type {any} */ (chain([['Pow', 1.5]]))), vector(Float32Array.of(0, 4, Infinity, -1)), [0, 8, Infinity, NaN], [4], 1e-5);
});
