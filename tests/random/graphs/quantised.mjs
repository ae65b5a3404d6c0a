// Quantised numbers: to and from them, and products of them.

import { FLOATS } from './maker.mjs';

/** @import { Made, Operator } from './elementwise.mjs' */
/** @import { Value } from './evaluate.mjs' */
/** @import { Maker } from './maker.mjs' */
/** @import { ElementType } from './values.mjs' */

/** @type {readonly ElementType[]} */
const BYTES = ['u8', 'i8'];
const RANGES = /** @type {Record<string, { low: number, high: number }>} */ ({ u8: { low: 0, high: 255 }, i8: { low: -128, high: 127 }, u16: { low: 0, high: 65535 }, i16: { low: -32768, high: 32767 } });

/** Any bytes, or some. @param {Maker} m @param {number[]} shape @param {ElementType} [type] */
const bytes = (m, shape, type = m.c.of(BYTES)) => m.value({ types: [type], shape, recipe: RANGES[type] });
/** @param {Maker} m @param {number[]} [shape] @param {ElementType} [type] */
const scale = (m, shape = [], type = 'f32') => m.leaf(type, shape, { low: 0.01, high: 0.2 });
/** @param {Maker} m @param {ElementType} type @param {number[]} [shape] */
const zero = (m, type, shape = []) => m.leaf(type, shape, RANGES[type]);
/** Of one element, or of one for each index of something. @param {Maker} m @param {number} size */
const oneOrEach = (m, size) => m.c.is() ? [] : [size];

/** The operands and attributes for all of x, for an axis or for blocks. @param {Maker} m @param {number[]} shape */
function granularity(m, shape) {
  const axis = m.c.int(0, Math.max(0, shape.length - 1)), way = m.opset < 13 || !shape.length ? 0 : m.c.int(0, m.opset < 21 ? 1 : 2), block = m.c.int(1, 4);
  if (way === 0) return { shape: [], attributes: {} };
  if (way === 1) return { shape: [shape[axis]], attributes: { axis: m.c.is() ? axis : axis - shape.length } };
  return { shape: shape.map((size, d) => d === axis ? Math.ceil(size / block) : size), attributes: { axis, block_size: block } };
}

/** @param {Maker} m @returns {Made} */
function quantise(m) {
  const x = m.value({ types: m.opset >= 19 ? FLOATS : ['f32'], rank: [1, 4], fits: (shape) => !shape.includes(0) }), { shape, attributes } = granularity(m, x.shape);
  const to = m.c.of(/** @type {ElementType[]} */ (m.opset >= 21 ? ['u8', 'i8', 'u16', 'i16'] : BYTES));
  return { inputs: [x, scale(m, shape, x.type), m.c.is(0.2) ? null : zero(m, to, shape)], attributes };
}

/** @param {Maker} m @returns {Made} */
function dequantise(m) {
  const type = m.c.of(/** @type {ElementType[]} */ (m.opset >= 21 ? ['u8', 'i8', 'u16', 'i16', 'i32'] : ['u8', 'i8', 'i32']));
  const x = m.value({ types: [type], rank: [1, 4], fits: (shape) => !shape.includes(0), recipe: RANGES[type] }), { shape, attributes } = granularity(m, x.shape);
  return { inputs: [x, scale(m, shape, m.opset >= 19 && m.c.is(0.2) ? 'f16' : 'f32'), type === 'i32' || m.c.is(0.2) ? null : zero(m, type, shape)], attributes };
}

/** Two matrices of bytes. @param {Maker} m */
function matrices(m) {
  const [rows, k, columns] = [m.c.int(1, 9), m.c.is(0.2) ? m.c.int(20, 90) : m.c.int(1, 16), m.c.is(0.2) ? m.c.int(17, 70) : m.c.int(1, 16)], batch = m.c.is(0.3) ? [m.c.int(1, 3)] : [];
  const a = bytes(m, [...batch, rows, k]), b = bytes(m, [...m.c.is(0.2) ? batch : [], k, columns], a.type === 'i8' ? 'i8' : undefined);
  return { a, b, columns };
}

/** @param {Maker} m @returns {Made} */
function matMulInteger(m) {
  const { a, b, columns } = matrices(m);
  return { inputs: [a, b, m.c.is(0.3) ? null : zero(m, a.type), m.c.is(0.3) ? null : zero(m, b.type, b.shape.length === 2 ? oneOrEach(m, columns) : [])] };
}

/** @param {Maker} m @returns {Made} */
function qLinearMatMul(m) {
  const { a, b, columns } = matrices(m), of = b.shape.length === 2 ? oneOrEach(m, columns) : [], to = a.type;
  return { inputs: [a, scale(m), zero(m, a.type), b, scale(m, of), zero(m, b.type, of), m.leaf('f32', [], { low: 0.2, high: 3 }), zero(m, to)] };
}

/** An image, filters and how they meet. @param {Maker} m */
function filtered(m) {
  const group = m.c.of([1, 1, 2]), channels = group * m.c.int(1, 4), out = group * m.c.int(1, 4), [kh, kw] = [m.c.int(1, 3), m.c.int(1, 3)];
  const x = bytes(m, [m.c.int(1, 2), channels, m.c.int(3, 9), m.c.int(3, 9)]), w = bytes(m, [out, channels / group, kh, kw], x.type === 'i8' ? 'i8' : undefined);
  const attributes = { ...group > 1 && { group }, ...m.c.is() && { pads: [m.c.int(0, kh - 1), m.c.int(0, kw - 1), m.c.int(0, kh - 1), m.c.int(0, kw - 1)] }, ...m.c.is(0.3) && { strides: [2, m.c.int(1, 2)] } };
  return { x, w, out, attributes };
}

/** @param {Maker} m @returns {Made} */
function convInteger(m) {
  const { x, w, attributes } = filtered(m);
  return { inputs: [x, w, m.c.is(0.3) ? null : zero(m, x.type), m.c.is(0.3) ? null : zero(m, w.type)], attributes };
}

/** @param {Maker} m @returns {Made} */
function qLinearConv(m) {
  const { x, w, out, attributes } = filtered(m), of = oneOrEach(m, out);
  // ONNX Runtime takes other zero points of filters for whole tensors alone.
  const zeros = m.fixed(w.type, of, Array.from({ length: of[0] ?? 1 }, () => (w.type === 'i8' ? 0 : 128)));
  return { inputs: [x, scale(m), zero(m, x.type), w, scale(m, of), zeros, m.leaf('f32', [], { low: 0.2, high: 3 }), zero(m, x.type), m.c.is() ? m.leaf('i32', [out], { low: -3000, high: 3000 }) : null], attributes };
}

/** A quantised operand with its scale and zero point. @param {Maker} m @param {number[]} shape @param {ElementType} type @returns {Value[]} */
const operand = (m, shape, type) => [bytes(m, shape, type), scale(m), zero(m, type)];

/** @param {(m: Maker) => Made} make @returns {Operator} */
const fused = (make) => ({ make, domain: 'com.microsoft' });

/** @type {Record<string, Operator>} */
export const QUANTISED = {
  QuantizeLinear: { since: 10, make: quantise },
  DequantizeLinear: { since: 10, make: dequantise },
  DynamicQuantizeLinear: {
    since: 11,
    make: (m) => ({ inputs: [m.value({ types: ['f32'], rank: [1, 4], fits: (shape) => !shape.includes(0) })], outputs: [true, true, true] }),
  },
  MatMulInteger: { since: 10, make: matMulInteger },
  ConvInteger: { since: 10, make: convInteger },
  QLinearMatMul: { since: 10, make: qLinearMatMul },
  QLinearConv: { since: 10, make: qLinearConv },
  DynamicQuantizeMatMul: fused((m) => {
    const k = m.c.int(1, 30), columns = m.c.int(1, 20), type = m.c.of(BYTES), a = m.value({ types: ['f32'], shape: [m.c.int(1, 4), m.c.int(1, 5), k] });
    return { inputs: [a, bytes(m, [k, columns], type), scale(m), m.c.is() ? zero(m, type) : null, m.c.is() ? m.leaf('f32', [columns]) : null] };
  }),
  MatMulIntegerToFloat: fused((m) => {
    const { a, b, columns } = matrices(m), of = b.shape.length === 2 ? oneOrEach(m, columns) : [];
    return { inputs: [a, b, scale(m), scale(m, of), zero(m, a.type), zero(m, b.type, of), m.c.is() ? m.leaf('f32', [columns]) : null] };
  }),
  QLinearConcat: fused((m) => {
    const type = m.c.of(BYTES), [rows, columns] = [m.c.int(1, 5), m.c.int(1, 9)];
    return { inputs: [scale(m), zero(m, type), ...operand(m, [rows, columns], type), ...operand(m, [rows, m.c.int(1, 9)], type)], attributes: { axis: 1 } };
  }),
  ...Object.fromEntries(['QLinearAdd', 'QLinearMul'].map((op) => [op, fused((m) => {
    const type = m.c.of(BYTES), shape = m.shape([1, 4]).map((size) => Math.max(1, size));
    return { inputs: [...operand(m, shape, type), ...operand(m, m.broadcastable(shape), type), scale(m), zero(m, type)] };
  })])),
  ...Object.fromEntries(['QLinearSigmoid', 'QLinearLeakyRelu', 'QLinearGlobalAveragePool'].map((op) => [op, fused((m) => {
    const type = m.c.of(BYTES);
    return { inputs: [...operand(m, [m.c.int(1, 2), m.c.int(1, 5), m.c.int(1, 7), m.c.int(1, 7)], type), m.leaf('f32', [], { low: 0.004, high: 0.02 }), zero(m, type)] };
  })])),
};
