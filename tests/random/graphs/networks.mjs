// Quantised networks, as exporters write them: floats between DequantizeLinear and QuantizeLinear, operators of quantised numbers, products
// whose operands are quantised as they come, and weights of a few bits.

import { float } from './maker.mjs';
import { RANGES } from './meanings.mjs';
import { count } from './values.mjs';

/** @import { Made } from './elementwise.mjs' */
/** @import { Node, Value } from './evaluate.mjs' */
/** @import { Maker } from './maker.mjs' */
/** @import { Meaning, Meanings } from './meanings.mjs' */
/** @import { ElementType } from './values.mjs' */

/** @typedef {(m: Maker, by: Meanings) => Made | Promise<Made>} Step of a network */

// ---- Weights

/** Scales of weights: one, or one for each index of a dimension of so many. @param {Meanings} by @param {number[]} shape */
const weightScales = (by, shape) => by.scales(Array.from({ length: count(shape) }, () => by.scaleNear(by.m.c.real(0.004, 0.03))), shape);

/** Integers of weights, their scales and zero points: along `axis`, or for all. @param {Meanings} by @param {ElementType} type @param {number[]} shape @param {number} axis @param {ElementType} [beside] what they are multiplied with as integers */
function weights(by, type, shape, axis, beside) {
  const { m } = by, { c } = m, of = c.is() ? [] : [shape[axis]], range = beside === 'u8' && type === 'i8' ? RANGES.narrow : RANGES[type];
  const q = m.leaf(type, shape, range, { constant: true }), middle = type === 'i8' ? 0 : 128;
  const zero = m.fixed(type, of, Array.from({ length: count(of) }, () => middle + (c.is(0.8) || beside ? 0 : c.int(-9, 9))));
  return { q, scale: weightScales(by, of), zero };
}

/** Weights of 4 bits with a scale for each block, which are no values of web pages. @param {Meanings} by @param {number[]} shape @param {number} axis @returns {Promise<Value>} */
function ofFourBits(by, shape, axis) {
  const { m } = by, { c } = m, type = /** @type {const} */ (['u4', 'i4'])[c.int(0, 1)], block = c.of([2, 4, 16]), each = shape.map((size, d) => d === axis ? Math.ceil(size / block) : size);
  const [q, zero, result] = [m.name(), m.name(), m.name()];
  /** @param {string} name @param {number[]} sizes @returns {Node} */
  const constant = (name, sizes) => ({ op: 'Constant', domain: '', inputs: [], outputs: [name], exact: true, slack: 0,
    attributes: { value: { tensor: { type: [type, sizes], bytes: Uint8Array.from({ length: Math.ceil(count(sizes) / 2) }, (_, i) => c.int(0, count(sizes) > 2 * i + 1 ? 255 : 15)) } } } });
  const scale = m.leaf('f32', each, { values: by.isDyadic ? [1 / 32, 1 / 64] : undefined, low: 0.01, high: 0.08 }, { constant: true }), hasZero = c.is();
  return m.add('DequantizeLinear', [scale], {}, { exact: by.isDyadic, outputs: [result], group: [
    constant(q, shape), ...hasZero ? [constant(zero, each)] : [],
    { op: 'DequantizeLinear', domain: '', attributes: { axis, block_size: block }, inputs: [q, scale.name, ...hasZero ? [zero] : []], outputs: [result], exact: true, slack: 0 }] });
}

/** Weights as floats: dequantised along `axis`, or floats that the graph quantises and dequantises. @param {Meanings} by @param {number[]} shape @param {number} axis @returns {Promise<Value>} */
async function realWeights(by, shape, axis) {
  const { m } = by, { c } = m;
  if (m.opset >= 21 && c.is(0.2)) return ofFourBits(by, shape, shape.length - 1);
  if (c.is(0.2)) {
    const x = m.leaf('f32', shape, { low: -1, high: 1 }, { constant: true }), scale = by.scales([by.scaleNear(1 / 120)]), zero = m.fixed('i8', [], [0]);
    return by.real({ q: await m.add('QuantizeLinear', [x, scale, zero], {}, { exact: by.areExact(x) }), scale, zero });
  }
  const { q, scale, zero } = weights(by, c.is(0.8) ? 'i8' : 'u8', shape, axis);
  return by.real({ q, scale, zero }, scale.shape.length ? { axis } : {});
}

/** What is added to results, as floats or as integers of a scale; or nothing. @param {Meanings} by @param {number} size */
async function bias(by, size) {
  const { m } = by, way = m.c.int(0, 2);
  if (way === 0) return null;
  if (way === 1 && !by.isDyadic) return m.leaf('f32', [size], {}, { constant: true });
  const q = m.leaf('i32', [size], { low: -3000, high: 3000 }, { constant: true }), scale = by.scales([by.scaleNear(0.0004)]);
  return m.add('DequantizeLinear', [q, scale], {}, { exact: by.isDyadic });
}

// ---- Floats between DequantizeLinear and QuantizeLinear

/** What a product's or sum's result goes through before it is quantised. @param {Meanings} by @param {Value} x @returns {Promise<Value>} */
async function tail(by, x) {
  const { m } = by, { c } = m, exact = by.areExact(x);
  switch (c.int(0, 7)) {
    case 0: case 1: return m.add('Relu', [x], {}, { exact: true });
    case 2: return m.add('Clip', [x, m.fixed('f32', [], [c.of([-1, 0, 0])]), m.fixed('f32', [], [c.of([1, 6])])], {}, { exact: true });
    case 3: return m.add('Relu', [await m.add('Add', [x, await by.number({ shape: x.shape })], {}, { exact })], {}, { exact: true });
    case 4: return m.add('Mul', [x, m.fixed('f32', [], [by.scaleNear(c.real(0.2, 3))])], {}, { exact });
    default: return x;
  }
}

/** @param {(m: Maker, by: Meanings) => Promise<Value>} make @returns {Step} what ends with QuantizeLinear */
const quantised = (make) => async (m, by) => by.quantised(await tail(by, await make(m, by)));

/** How a filter meets an image, and what it is. @param {Maker} m @param {number[]} image */
function filterFor(m, [, channels, h, w]) {
  const { c } = m, depthwise = c.is(0.3), group = depthwise ? channels : channels % 2 === 0 && c.is(0.2) ? 2 : 1, out = depthwise ? channels * c.int(1, 2) : group * c.int(1, 6);
  const [kh, kw] = [c.int(1, Math.min(3, h)), c.int(1, Math.min(3, w))];
  const attributes = { ...group > 1 && { group }, ...c.is() && { pads: [c.int(0, kh - 1), c.int(0, kw - 1), c.int(0, kh - 1), c.int(0, kw - 1)] }, ...c.is(0.3) && { strides: [2, c.int(1, 2)] } };
  return { out, shape: [out, channels / group, kh, kw], attributes };
}

/** @type {Record<string, Node['attributes']>} */
const ACTIVATIONS = { Sigmoid: {}, HardSigmoid: {}, Tanh: {}, LeakyRelu: { alpha: float(0.125) }, Softmax: { axis: -1 }, Relu: {} };

/** @type {Record<string, Step>} */
const FLOATS_BETWEEN = {
  Conv: quantised(async (m, by) => {
    const x = await by.number({ rank: 4 }), { out, shape, attributes } = filterFor(m, x.shape), inputs = [x, await realWeights(by, shape, 0)], b = await bias(by, out);
    return m.add('Conv', b ? [...inputs, b] : inputs, attributes, { exact: by.areExact(...inputs, b) });
  }),
  MatMul: quantised(async (m, by) => {
    const x = await by.number({ rank: [2, 4] }), columns = m.c.is(0.2) ? m.c.int(17, 70) : m.c.int(1, 16), w = await realWeights(by, [/** @type {number} */ (x.shape.at(-1)), columns], 1);
    const y = await m.add('MatMul', [x, w], {}, { exact: by.areExact(x, w) }), b = await bias(by, columns);
    return b ? m.add('Add', [y, b], {}, { exact: by.areExact(y, b) }) : y;
  }),
  'MatMul of activations': quantised(async (m, by) => {
    const x = await by.number({ rank: [2, 4] }), other = await by.number({ shape: [...x.shape.slice(0, -2), /** @type {number} */ (x.shape.at(-1)), m.c.int(1, 9)] });
    return m.add('MatMul', [x, other], {}, { exact: by.areExact(x, other) });
  }),
  Gemm: quantised(async (m, by) => {
    const x = await by.number({ rank: 2 }), transB = m.c.int(0, 1), columns = m.c.int(1, 30), k = x.shape[1];
    const w = await realWeights(by, transB ? [columns, k] : [k, columns], transB ? 0 : 1), b = await bias(by, columns);
    return m.add('Gemm', b ? [x, w, b] : [x, w], { transB }, { exact: by.areExact(x, w, b) });
  }),
  ...Object.fromEntries(['Add', 'Mul', 'Sub'].map((op) => [op, quantised(async (m, by) => {
    const x = await by.number(), other = await by.number({ shape: m.c.is(0.7) ? x.shape : m.broadcastable(x.shape) });
    return m.add(op, [x, other], {}, { exact: by.areExact(x, other) });
  })])),
  ...Object.fromEntries(['AveragePool', 'GlobalAveragePool'].map((op) => [op, quantised(async (m, by) => {
    const x = await by.number({ rank: 4, fits: ([, , h, w]) => h > 1 && w > 1 });
    return m.add(op, [x], op === 'AveragePool' ? { kernel_shape: [2, 2], ...m.c.is() && { strides: [2, 2] } } : {}, { exact: op === 'AveragePool' && by.areExact(x) });
  })])),
  ...Object.fromEntries(Object.entries(ACTIVATIONS).map(([op, attributes]) => [op, quantised(async (m, by) => {
    const x = await by.number();
    return m.add(op, [x], attributes, { exact: op === 'Relu' || (op === 'LeakyRelu' && by.areExact(x)) });
  })])),
  ReduceMean: quantised(async (m, by) => m.add('ReduceMean', [await by.number({ rank: 4 })], m.opset < 18 ? { axes: [2, 3], keepdims: m.c.int(0, 1) } : { keepdims: m.c.int(0, 1) }, { exact: false })),
};

// ---- What moves elements, between quantisation to the same scale or another one

/** Some operands alike but for one dimension. @param {Maker} m @param {Meanings} by */
async function concatenated(m, by) {
  const first = await by.operand(), axis = m.c.int(0, first.q.shape.length - 1), inputs = [await by.real(first)];
  for (let i = m.c.int(1, 2); i > 0; --i) inputs.push(await by.number({ shape: first.q.shape.map((size, d) => d === axis ? m.c.int(1, 5) : size) }));
  return { first, made: await m.add('Concat', inputs, { axis }) };
}

/** @type {Record<string, { op?: string, rank?: number, inputs?: (m: Maker, shape: number[]) => Value[], attributes?: (m: Maker, shape: number[]) => Node['attributes'] }>} */
const MOVED = {
  Reshape: { inputs: (m, shape) => [m.longs(m.c.is() ? [-1] : [shape[0], -1])] },
  Flatten: { attributes: (m) => ({ axis: m.c.int(0, 1) }) },
  Transpose: { attributes: (m, shape) => ({ perm: m.c.shuffled(shape.map((_, d) => d)) }) },
  Slice: { inputs: (m, shape) => { const axis = m.c.int(0, shape.length - 1); return [m.longs([m.c.int(0, shape[axis] - 1)]), m.longs([shape[axis]]), m.longs([axis])]; } },
  MaxPool: { rank: 4, attributes: (m) => ({ kernel_shape: [2, 2], pads: [0, 0, 1, 1], strides: [m.c.int(1, 2), m.c.int(1, 2)] }) },
  Resize: { rank: 4, inputs: (m) => [m.fixed('f32', [0], []), m.fixed('f32', [4], [1, 1, 2, 2])], attributes: () => ({ mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }) },
  Pad: { rank: 4, inputs: (m) => [m.longs([0, 0, m.c.int(0, 1), 1, 0, 0, 1, m.c.int(0, 1)])] },
};

/** @type {Record<string, Step>} */
const MOVES = {
  Concat: async (m, by) => {
    const { first, made } = await concatenated(m, by);
    return by.quantised(made, m.c.is(0.6) ? first : undefined);
  },
  ...Object.fromEntries(Object.entries(MOVED).map(([op, { rank, inputs, attributes }]) => [op, /** @type {Step} */ (async (m, by) => {
    const x = await by.operand({ rank: rank ?? [2, 4] }), { shape } = x.q, moved = await m.add(op, [await by.real(x), ...inputs?.(m, shape) ?? []], attributes?.(m, shape));
    return by.quantised(moved, m.c.is(0.7) ? x : undefined);
  })])),
};

// ---- Operators of quantised numbers

/** @param {Meanings} by @returns {ElementType} */
const byteOf = (by) => by.type === 'i8' ? 'i8' : 'u8';
/** Bytes, whatever the network has. @param {Meanings} by @param {import('./meanings.mjs').Asked} [asked] */
const bytes = (by, asked) => by.operand({ types: [byteOf(by)], ...asked });

/** As a node with a scale for its result, which is to hold numbers up to `largest`. @param {Meanings} by @param {string} op @param {string} domain @param {number} largest @param {(result: Meaning) => (Value | null)[]} inputs @param {Partial<Made>} [more] @returns {Made} */
function withResult(by, op, domain, largest, inputs, more = {}) {
  const meaning = { scale: by.scales([by.scaleNear(largest / 120)]), zero: by.anyZero(byteOf(by), false) };
  return { op, domain, inputs: inputs(meaning), results: [by.named(meaning)], exact: by.areExact(), ...more };
}


/** @type {Record<string, Step>} */
const OF_INTEGERS = {
  QLinearConv: async (m, by) => {
    const x = await bytes(by, { rank: 4 }), { out, shape, attributes } = filterFor(m, x.q.shape), w = weights(by, x.q.type === 'i8' ? 'i8' : m.c.of(['i8', 'u8']), shape, 0, x.q.type);
    const b = m.c.is() ? m.leaf('i32', [out], { low: -3000, high: 3000 }, { constant: true }) : null;
    return withResult(by, 'QLinearConv', '', 2, (y) => [x.q, x.scale, x.zero, w.q, w.scale, w.zero, y.scale, y.zero, b], { attributes });
  },
  QLinearMatMul: async (m, by) => {
    const x = await bytes(by, { rank: [2, 3] }), w = weights(by, x.q.type === 'i8' ? 'i8' : m.c.of(['i8', 'u8']), [/** @type {number} */ (x.q.shape.at(-1)), m.c.int(1, 20)], 1, x.q.type);
    return withResult(by, 'QLinearMatMul', '', 2, (y) => [x.q, x.scale, x.zero, w.q, w.scale, w.zero, y.scale, y.zero]);
  },
  QGemm: async (m, by) => {
    const a = await bytes(by, { rank: 2 }), transB = m.c.int(0, 1), k = a.q.shape[1], n = m.c.int(1, 20), w = weights(by, a.q.type === 'i8' ? 'i8' : m.c.of(['i8', 'u8']), transB ? [n, k] : [k, n], transB ? 0 : 1, a.q.type);
    const c = m.c.is() ? m.leaf('i32', [n], { low: -3000, high: 3000 }, { constant: true }) : null;
    return withResult(by, 'QGemm', 'com.microsoft', 2, (y) => [a.q, a.scale, a.zero, w.q, w.scale, w.zero, c, y.scale, y.zero], { attributes: { transB, alpha: float(1) } });
  },
  ...Object.fromEntries(['QLinearAdd', 'QLinearMul'].map((op) => [op, /** @type {Step} */ (async (m, by) => {
    const a = await bytes(by), b = await bytes(by, { shape: m.c.is(0.7) ? a.q.shape : m.broadcastable(a.q.shape) });
    return withResult(by, op, 'com.microsoft', 4, (y) => [a.q, a.scale, a.zero, b.q, b.scale, b.zero, y.scale, y.zero]);
  })])),
  QLinearConcat: async (m, by) => {
    const first = await bytes(by), axis = m.c.int(0, first.q.shape.length - 1), other = await bytes(by, { shape: first.q.shape.map((size, d) => d === axis ? m.c.int(1, 5) : size) });
    return withResult(by, 'QLinearConcat', 'com.microsoft', 2, (y) => [y.scale, y.zero, ...[first, other].flatMap(({ q, scale, zero }) => [q, scale, zero])], { attributes: { axis } });
  },
  ...Object.fromEntries(Object.entries({ QLinearSigmoid: 1, QLinearLeakyRelu: 2, QLinearAveragePool: 2, QLinearGlobalAveragePool: 2 }).map(([op, largest]) => [op, /** @type {Step} */ (async (m, by) => {
    const isPool = op.endsWith('Pool'), x = await bytes(by, isPool ? { rank: 4, fits: ([, , h, w]) => h > 1 && w > 1 } : {});
    const attributes = op === 'QLinearAveragePool' ? { kernel_shape: [2, 2], ...m.c.is() && { pads: [0, 0, 1, 1] } } : op === 'QLinearLeakyRelu' ? { alpha: float(0.125) } : {};
    return withResult(by, op, 'com.microsoft', largest, (y) => [x.q, x.scale, x.zero, y.scale, y.zero], { attributes, exact: op === 'QLinearLeakyRelu' && by.areExact() });
  })])),
};

// ---- Products of numbers that are quantised as they come

/** @type {Record<string, Step>} */
const DYNAMIC = {
  /** What quantize_dynamic writes. */
  'MatMulInteger dynamic': quantised(async (m, by) => {
    const x = await by.number({ rank: [2, 3] }), w = weights(by, 'i8', [/** @type {number} */ (x.shape.at(-1)), m.c.int(1, 30)], 1, 'u8');
    const [q, scale, zero] = await m.addAll('DynamicQuantizeLinear', [x], 3, {}, { exact: false });
    const sum = await m.add('Cast', [await m.add('MatMulInteger', [q, w.q, zero, w.zero])], { to: 1 });
    return m.add('Mul', [sum, await m.add('Mul', [scale, w.scale], {}, { exact: false })], {}, { exact: false });
  }),
  'ConvInteger dynamic': quantised(async (m, by) => {
    const x = await by.number({ rank: 4 }), { shape, attributes } = filterFor(m, x.shape), w = m.leaf('i8', shape, RANGES.narrow, { constant: true });
    const [q, scale, zero] = await m.addAll('DynamicQuantizeLinear', [x], 3, {}, { exact: false });
    const sum = await m.add('Cast', [await m.add('ConvInteger', [q, w, zero], attributes)], { to: 1 });
    return m.add('Mul', [sum, await m.add('Mul', [scale, weightScales(by, [])], {}, { exact: false })], {}, { exact: false });
  }),
  DynamicQuantizeMatMul: quantised(async (m, by) => {
    const x = await by.number({ rank: [2, 3] }), w = weights(by, 'i8', [/** @type {number} */ (x.shape.at(-1)), m.c.int(1, 30)], 1, 'u8');
    return m.add('DynamicQuantizeMatMul', [x, w.q, w.scale, w.zero], {}, { domain: 'com.microsoft', exact: false });
  }),
  MatMulIntegerToFloat: quantised(async (m, by) => {
    const a = await bytes(by, { rank: [2, 3] }), w = weights(by, 'i8', [/** @type {number} */ (a.q.shape.at(-1)), m.c.int(1, 30)], 1, a.q.type);
    return m.add('MatMulIntegerToFloat', [a.q, w.q, a.scale, w.scale, a.zero, w.zero], {}, { domain: 'com.microsoft', exact: by.areExact() });
  }),
};

// ---- Weights of a few bits

/** @type {Record<string, Step>} */
const FEW_BITS = {
  MatMulNBits: quantised(async (m, by) => {
    const x = await by.number({ rank: [2, 3] }), k = /** @type {number} */ (x.shape.at(-1)), n = m.c.int(1, 20), bits = m.c.of([4, 4, 8]), block = m.c.of([16, 32]), blocks = Math.ceil(k / block);
    const w = m.leaf('u8', [n, blocks, block * bits / 8], RANGES.u8, { constant: true, fixed: true }), scale = m.leaf('f32', [n, blocks], { low: 0.01, high: 0.04 }, { constant: true });
    const zero = m.c.is() ? [m.leaf('u8', [n, Math.ceil(blocks * bits / 8)], RANGES.u8, { constant: true, fixed: true })] : [];
    return m.add('MatMulNBits', [x, w, scale, ...zero], { K: k, N: n, bits, block_size: block }, { domain: 'com.microsoft', exact: false });
  }),
  MatMulBnb4: quantised(async (m, by) => {
    const x = await by.number({ rank: [2, 3] }), K = /** @type {number} */ (x.shape.at(-1)), N = m.c.int(1, 20), block_size = m.c.of([16, 32]);
    const w = m.leaf('u8', [Math.ceil(K * N / 2)], RANGES.u8, { constant: true, fixed: true }), largest = m.leaf('f32', [Math.ceil(K * N / block_size)], { low: 0.01, high: 0.4 }, { constant: true });
    return m.add('MatMulBnb4', [x, w, largest], { K, N, block_size, quant_type: m.c.int(0, 1) }, { domain: 'com.microsoft', exact: false });
  }),
  GatherBlockQuantized: quantised(async (m, by) => {
    const rows = m.c.int(2, 9), columns = 2 * m.c.int(1, 20), bits = m.c.of([4, 8]), block = 16, blocks = Math.ceil(columns / block);
    const table = m.leaf('u8', [rows, columns * bits / 8], RANGES.u8, { constant: true, fixed: true }), indices = m.leaf('i64', m.shape([1, 2], 12).map((size) => Math.max(1, size)), { low: 0, high: rows - 1 });
    const scale = by.scales(Array.from({ length: rows * blocks }, () => by.scaleNear(0.02)), [rows, blocks]);
    return m.add('GatherBlockQuantized', [table, indices, scale], { bits, block_size: block, gather_axis: 0, quantize_axis: 1 }, { domain: 'com.microsoft', exact: by.isDyadic });
  }),
};

/** @type {Record<string, Step>} */
export const STEPS = { ...FLOATS_BETWEEN, ...MOVES, ...OF_INTEGERS, ...DYNAMIC, ...FEW_BITS,
  DequantizeLinear: async (_, by) => { const { q, scale, zero } = await by.operand(); return { inputs: [q, scale, zero], exact: by.areExact() }; },
};
