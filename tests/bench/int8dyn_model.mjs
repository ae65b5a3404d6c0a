// Models of float32 quantised as ONNX Runtime's quantize_dynamic does it, with what it does if nothing is said: weights of products become
// i8 with one scale, tables u8 with one scale and zero point, and what weights multiply is quantised as it comes.

import { TYPES, readGraph, withNodes, withWeights } from '../onnx_model.mjs';

/** @import { Node, Tensor } from '../onnx_model.mjs' */
/** @typedef {{ shape: number[], values: number[] }} Numbers */

/** @param {number} value */
const scalar = (value) => ({ type: /** @type {import('../onnx_model.mjs').Type} */ (['f32', []]), bytes: new Uint8Array(Float32Array.of(value).buffer) });
/** @param {number} x the nearest integer, of halves the even one */
const rounded = (x) => Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
/** @param {number[]} values */
const bounds = (values) => values.reduce(({ low, high }, value) => ({ low: Math.min(low, value), high: Math.max(high, value) }), { low: 0, high: 0 });

/** The tensors NAME_quantized, NAME_scale and NAME_zero_point. @param {string} name @param {Numbers} weight @param {'i8' | 'u8'} type @returns {Record<string, Tensor>} */
function quantised(name, { shape, values }, type) {
  const { low, high } = bounds(values), scale = Math.fround(type === 'i8' ? 2 * Math.max(-low, high) / 254 : Math.fround(high - low) / 255), zero = type === 'i8' ? 0 : rounded(-low / scale);
  const [least, most] = type === 'i8' ? [-127, 127] : [0, 255], numbers = values.map((value) => Math.max(least, Math.min(most, rounded(value / scale) + zero)));
  return { [`${name}_quantized`]: { type: [type, shape], bytes: Uint8Array.from(numbers) }, [`${name}_scale`]: scalar(scale), [`${name}_zero_point`]: { type: [type, []], bytes: Uint8Array.of(zero) } };
}

/** @param {Numbers} weight a matrix @returns {Numbers} */
const transposed = ({ shape: [rows, columns], values }) => ({ shape: [columns, rows], values: Array.from({ length: values.length }, (_, i) => values[i % rows * columns + Math.floor(i / rows)]) });

/** @param {Buffer} model @returns {Buffer} */
export function quantisedDynamically(model) {
  const { weights: floats, nodes } = readGraph(model);
  /** @type {Record<string, Tensor>} */
  const weights = {};
  /** @type {Set<string>} */
  const quantisedOnce = new Set();
  /** Once for all products of it. @param {string} x @returns {Node[]} */
  const quantise = (x) => quantisedOnce.has(x) ? [] : (quantisedOnce.add(x), [{ op: 'DynamicQuantizeLinear', inputs: [x], outputs: [`${x}_quantized`, `${x}_scale`, `${x}_zero_point`] }]);
  /** @param {string} x @param {string} w @param {string} y @returns {Node[]} */
  const product = (x, w, y) => [...quantise(x),
    { op: 'MatMulInteger', inputs: [`${x}_quantized`, `${w}_quantized`, `${x}_zero_point`, `${w}_zero_point`], outputs: [`${y}_output_quantized`] },
    { op: 'Cast', inputs: [`${y}_output_quantized`], outputs: [`${y}_output_cast`], attributes: { to: TYPES.f32 } },
    { op: 'Mul', inputs: [`${x}_scale`, `${w}_scale`], outputs: [`${y}_scales`] },
    { op: 'Mul', inputs: [`${y}_output_cast`, `${y}_scales`], outputs: [y] }];
  const taken = new Set(nodes.flatMap(({ op, inputs }) => op === 'Gather' ? inputs.slice(0, 1) : op === 'MatMul' || op === 'Gemm' ? inputs.slice(1, 2) : []).filter((name) => floats.get(name)?.shape.length === 2));
  const changed = withNodes(model, taken, (node) => replaced(node)?.map((one) => ({ ...one, name: one.outputs[0] })));
  return withWeights(changed, weights);

  /** @param {Node} node @returns {Node[] | undefined} */
  function replaced({ op, inputs: [first, second, third], outputs: [y], attributes }) {
    const weight = floats.get(op === 'Gather' ? first : second);
    if (op === 'MatMul' && taken.has(second)) {
      Object.assign(weights, quantised(second, /** @type {Numbers} */ (weight), 'i8'));
      return product(first, second, y);
    }
    if (op === 'Gemm' && taken.has(second)) {
      Object.assign(weights, quantised(second, attributes?.transB ? transposed(/** @type {Numbers} */ (weight)) : /** @type {Numbers} */ (weight), 'i8'));
      return [...product(first, second, `${y}_MatMul`), { op: 'Add', inputs: [`${y}_MatMul`, third], outputs: [y] }];
    }
    if (op !== 'Gather' || !taken.has(first)) return undefined;
    Object.assign(weights, quantised(first, /** @type {Numbers} */ (weight), 'u8'));
    return [{ op: 'Gather', inputs: [`${first}_quantized`, second], outputs: [`${y}_quantized`] },
      { op: 'DequantizeLinear', inputs: [`${y}_quantized`, `${first}_scale`, `${first}_zero_point`], outputs: [y] }];
  }
}

/** The file of int8dyn:FILE; null for other names. @param {string} name */
export const int8dynOf = (name) => /^int8dyn:(.+)$/.exec(name)?.[1] ?? null;
