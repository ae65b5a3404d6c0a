// Element types narrower than a byte or f16: casts to them and back, and all of a type's numbers as a constant. ONNX Runtime
// does not have float4e2m1, of which ONNX's own cases tell.
// `node operators_reference.mjs narrow` computes what ONNX Runtime makes of them, and operators.test.mjs compares.

import { TYPES } from '../onnx_model.mjs';
import { given, y } from './operators.mjs';

/** @import { Case, Node, Type } from './operators.mjs' */
/** @import { Tensor } from '../onnx_model.mjs' */
/** @typedef {keyof typeof BITS} Narrow */

const BITS = /** @type {const} */ ({ bf16: 16, f8e4m3fn: 8, f8e4m3fnuz: 8, f8e5m2: 8, f8e5m2fnuz: 8, f8e8m0: 8, u4: 4, i4: 4, u2: 2, i2: 2 });
const OPSET = 25;

/**
 * Halves between numbers of few bits, what is beyond the largest, and what is no number. Not the next number that there would be (480, 61440
 * and a little more), for which ONNX Runtime does not do without saturation what ONNX says.
 */
const REALS = [0, 1, 1.0625, 1.1875, 1.5, 1.75, 2.5, 3.5, 5, 6, 7, 0.0029296875, 0.001953125, -0.3125, -1.03125, -2.75, -5, -7, 240, 248, 448, 463, 465, 500, 57344, 61439, 65536, 3e38,
  -300, -500, -1e6, Infinity, -Infinity, NaN];
const INTEGERS = [0, 1, 2, 3, -1, -2, 5, 7, 8, -8, -9, 15, 16, 100];

/** @type {Record<string, Case>} */
export const CASES = {};

/** @param {Narrow} type */
const isInteger = (type) => /^[ui]/.test(type);
/** @param {Narrow} type */
const isFloat8 = (type) => type.startsWith('f8');

/** Every number of a type; of bfloat16 one for each of its upper bytes. @param {Narrow} type @returns {Tensor} */
function all(type) {
  const bits = BITS[type], perByte = Math.max(1, 8 / bits), count = Math.min(256, 2 ** bits);
  // Elements of less than a byte begin in its lowest bits.
  const bytes = bits === 16 ? Uint8Array.from({ length: 2 * count }, (_, i) => i % 2 ? i >> 1 : 0x80)
    : Uint8Array.from({ length: count / perByte }, (_, i) => Array.from({ length: perByte }, (_, k) => i * perByte + k << k * bits).reduce((a, b) => a | b));
  return { type: [type, [count]], bytes };
}

/** A model that casts x by a node, and back. @param {Narrow} type @param {Partial<Node>} node @returns {Case} */
function thereAndBack(type, node) {
  const numbers = isInteger(type) ? INTEGERS : REALS;
  return {
    model: { inputs: { x: ['f32', ['n']] }, outputs: y(1), opset: OPSET, constants: { c: all(type) }, nodes: [
      { op: 'Cast', inputs: ['x'], outputs: ['q'], ...node, name: 'there' }, { op: 'Cast', name: 'back', inputs: ['q'], outputs: ['y'], attributes: { to: TYPES.f32 } }] },
    runs: [{ x: given('f32', [numbers.length], numbers) }],
  };
}

for (const type of /** @type {Narrow[]} */ (Object.keys(BITS))) {
  for (const saturate of isFloat8(type) ? [1, 0] : [1]) {
    for (const round_mode of type === 'f8e8m0' ? ['up', 'down', 'nearest'] : [''])
      CASES[`Cast to ${type}${saturate ? '' : ' without saturation'}${round_mode && `, ${round_mode}`}`] = thereAndBack(type, { attributes: { to: TYPES[type], ...isFloat8(type) && { saturate }, ...round_mode && { round_mode } } });
  }
  CASES[`CastLike of ${type}`] = thereAndBack(type, { op: 'CastLike', inputs: ['x', 'c'] });
  const constant = all(type), shape = constant.type[1].map(Number);
  CASES[`all numbers of ${type}`] = {
    model: { inputs: { x: ['f32', shape] }, outputs: y(1), opset: OPSET, constants: { c: constant }, nodes: [
      { op: 'Cast', name: 'wide', inputs: ['c'], outputs: ['w'], attributes: { to: TYPES.f32 } }, { op: 'Add', name: 'sum', inputs: ['w', 'x'], outputs: ['y'] }] },
    runs: [{ x: given('f32', shape, new Array(shape[0]).fill(0)) }],
  };
}
