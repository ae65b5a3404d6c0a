// Products of bytes by constant weights, all of whose results are exact: scales are powers of two.
// `node bytes_reference.mjs` computes what ONNX Runtime makes of them, and bytes.test.mjs compares.

/** @typedef {Parameters<typeof import('../onnx_model.mjs').onnxModel>[0]} Model */
/** @typedef {import('../onnx_model.mjs').Type} Type */

/** Numbers from low to high that look random. @param {number} count @param {number} low @param {number} high @param {number} seed */
const numbers = (count, low, high, seed) => Array.from({ length: count }, (_, i) => low + ((Math.imul(i + seed, 2654435761) >>> 8) % (high - low + 1)));
/** @param {readonly (number | string)[]} shape */
const sizeOf = (shape) => shape.reduce((/** @type {number} */ all, size) => all * (size === 'n' ? 7 : Number(size)), 1);
/**
 * Weights of 7 bits, but where it is about all 8: ONNX Runtime's sums of two products saturate on processors without VNNI.
 *
 * @param {number[]} shape @param {number} [low] @param {number} [high] @returns {{type: Type, bytes: Uint8Array}}
 */
const weights = (shape, low = -63, high = 63) => ({ type: ['i8', shape], bytes: new Uint8Array(Int8Array.from(numbers(sizeOf(shape), low, high, 11)).buffer) });
/** Those of 8 bits without a sign, of which a zero point is taken off. @param {number[]} shape @returns {{type: Type, bytes: Uint8Array}} */
const unsignedWeights = (shape) => ({ type: ['u8', shape], bytes: Uint8Array.from(numbers(sizeOf(shape), 0, 255, 13)) });
/** @param {'u8' | 'i8'} type @param {number} value @returns {{type: Type, bytes: Uint8Array}} */
const byte = (type, value) => ({ type: [type, []], bytes: Uint8Array.of(value) });
/** @param {number} value @returns {{type: Type, bytes: Uint8Array}} */
const scale = (value) => ({ type: ['f32', []], bytes: new Uint8Array(Float32Array.of(value).buffer) });
/** @param {string} op @param {string} inputs @param {string} output @param {Record<string, number[]>} [attributes] */
const node = (op, inputs, output, attributes) => ({ op, name: output, inputs: inputs.split(' '), outputs: [output], attributes });

/** @param {'u8' | 'i8'} type @param {(number | string)[]} x @param {number[]} w @param {(number | string)[]} y @param {number[]} [bounds] of weights @returns {Model} */
const matmul = (type, x, w, y, bounds = []) => ({
  inputs: { x: [type, x], z: [type, []] }, outputs: { y: ['i32', y] }, constants: { w: weights(w, ...bounds) }, nodes: [node('MatMulInteger', 'x w z', 'y')], opset: 17,
});

/** @type {Record<string, Model>} */
export const MODELS = {
  'rows of u8 with a zero point that comes with them': matmul('u8', [33, 37], [37, 24], [33, 24]),
  'rows of i8 with a zero point that comes with them': matmul('i8', [33, 64], [64, 32], [33, 32]),
  'rows of u8 by weights of 8 bits': matmul('u8', [17, 64], [64, 32], [17, 32], [-128, 127]),
  'rows of i8 by weights near the ends': matmul('i8', [17, 64], [64, 32], [17, 32], [126, 127]),
  'rows by weights that have a zero point': {
    inputs: { x: ['u8', [17, 64]], z: ['u8', []] }, outputs: { y: ['i32', [17, 32]] }, constants: { w: unsignedWeights([64, 32]), v: byte('u8', 101) },
    nodes: [node('MatMulInteger', 'x w z v', 'y')], opset: 17,
  },
  ...Object.fromEntries([16, 48].map((channels) => [`windows of one pixel and ${channels} channels by weights that have a zero point`, /** @type {Model} */ ({
    inputs: { x: ['u8', [1, channels, 7, 9]] }, outputs: { y: ['u8', [1, 24, 7, 9]] },
    constants: { w: unsignedWeights([24, channels, 1, 1]), xs: scale(0.5), xz: byte('u8', 3), ws: scale(0.25), wz: byte('u8', 117), ys: scale(512), yz: byte('u8', 131) },
    nodes: [node('QLinearConv', 'x xs xz w ws wz ys yz', 'y')], opset: 17,
  })])),
  'any number of rows': matmul('u8', ['n', 48], [48, 20], ['n', 20]),
  'a window of u8 with a zero point': {
    inputs: { x: ['u8', [1, 20, 9, 9]] }, outputs: { y: ['i32', [1, 24, 9, 9]] }, constants: { w: weights([24, 20, 3, 3]), z: byte('u8', 113) },
    nodes: [node('ConvInteger', 'x w z', 'y', { pads: [1, 1, 1, 1] })], opset: 17,
  },
  'a window whose result is quantised': {
    inputs: { x: ['u8', [1, 16, 11, 11]] }, outputs: { y: ['u8', [1, 24, 6, 6]] },
    constants: { w: weights([24, 16, 3, 3]), xs: scale(0.5), xz: byte('u8', 3), ws: scale(0.25), wz: byte('i8', 0), ys: scale(512), yz: byte('u8', 131) },
    nodes: [node('QLinearConv', 'x xs xz w ws wz ys yz', 'y', { pads: [1, 1, 1, 1], strides: [2, 2] })], opset: 17,
  },
  'two windows with what is quantised between them': {
    inputs: { x: ['f32', [1, 16, 8, 8]] }, outputs: { y: ['f32', [1, 16, 8, 8]] },
    constants: { w: weights([32, 16, 1, 1]), v: weights([16, 32, 3, 3]), s: scale(0.0625), zero: byte('u8', 0), t: scale(2), none: byte('i8', 0) },
    nodes: [
      node('QuantizeLinear', 'x s zero', 'q'), node('DequantizeLinear', 'q s zero', 'd'), node('DequantizeLinear', 'w s none', 'wd'), node('Conv', 'd wd', 'c'), node('Relu', 'c', 'r'),
      node('QuantizeLinear', 'r t zero', 'rq'), node('DequantizeLinear', 'rq t zero', 'rd'), node('DequantizeLinear', 'v s none', 'vd'), node('Conv', 'rd vd', 'y', { pads: [1, 1, 1, 1] }),
    ],
    opset: 17,
  },
};

/** @param {Model} model @returns {Record<string, {data: Uint8Array | Int8Array | Float32Array, shape: number[]}>} */
export const inputsOf = (model) => Object.fromEntries(Object.entries(model.inputs).map(([name, [type, shape]], i) => {
  const low = type === 'i8' ? -128 : 0, all = numbers(sizeOf(shape), low, low + 255, 1000 * i + 5);
  const data = type === 'f32' ? Float32Array.from(all, (value) => value / 16) : type === 'i8' ? Int8Array.from(all) : Uint8Array.from(all);
  return [name, { data, shape: shape.map((size) => size === 'n' ? 7 : Number(size)) }];
}));
