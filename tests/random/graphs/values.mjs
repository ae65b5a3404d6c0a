// Tensors of random graphs: their elements as typed arrays, as numbers, and made up by recipes.

import { fromHalf, toHalf } from '../../../runtime-js/elements.js';

/** @import { Chance } from './chance.mjs' */

/** @typedef {'f32' | 'f16' | 'i32' | 'i64' | 'u8' | 'i8' | 'bool' | 'u32' | 'u64' | 'i16' | 'u16'} ElementType */
/** @typedef {Float32Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array | Int8Array | Uint32Array | BigUint64Array | Int16Array} Data */
/** @typedef {{ type: ElementType, shape: number[], data: Data }} Tensor elements row by row; of f16 their bits */

/** @type {Record<ElementType, { web: string, array: any, low: number, high: number }>} */
const KINDS = {
  f32: { web: 'float32', array: Float32Array, low: -2, high: 2 },
  f16: { web: 'float16', array: Uint16Array, low: -2, high: 2 },
  i32: { web: 'int32', array: Int32Array, low: -9, high: 9 },
  i64: { web: 'int64', array: BigInt64Array, low: -9, high: 9 },
  i16: { web: 'int16', array: Int16Array, low: -9, high: 9 },
  i8: { web: 'int8', array: Int8Array, low: -9, high: 9 },
  u8: { web: 'uint8', array: Uint8Array, low: 0, high: 15 },
  u16: { web: 'uint16', array: Uint16Array, low: 0, high: 15 },
  u32: { web: 'uint32', array: Uint32Array, low: 0, high: 15 },
  u64: { web: 'uint64', array: BigUint64Array, low: 0, high: 15 },
  bool: { web: 'bool', array: Uint8Array, low: 0, high: 1 },
};

/** @param {ElementType} type */
export const webName = (type) => KINDS[type].web;
/** @param {string} name @returns {ElementType} */
export const typeNamed = (name) => /** @type {ElementType} */ (Object.keys(KINDS).find((type) => KINDS[/** @type {ElementType} */ (type)].web === name));
/** @param {ElementType} type */
export const isFloat = (type) => type === 'f32' || type === 'f16';
/** @param {readonly number[]} shape */
export const count = (shape) => shape.reduce((a, b) => a * b, 1);

/** @param {ElementType} type @param {ArrayLike<number>} numbers @returns {Data} */
export function fromNumbers(type, numbers) {
  const { array } = KINDS[type];
  if (type === 'f16') return array.from(numbers, toHalf);
  return type === 'i64' || type === 'u64' ? array.from(numbers, (/** @type {number} */ v) => BigInt(v)) : array.from(numbers);
}

/** @param {Tensor} tensor @returns {Float64Array} */
export const toNumbers = ({ type, data }) => Float64Array.from(/** @type {any} */ (data), type === 'f16' ? fromHalf : Number);

/** A copy of a result of ONNX Runtime, whose memory goes with its session. @param {ElementType} type @param {any} data @returns {Data} */
export const ownData = (type, data) => new KINDS[type].array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));

/**
 * How elements are made up: drawn from `values` or from [low, high], as integers where they are `whole`; `distinct` ones differ from one another.
 *
 * @typedef {{ low?: number, high?: number, whole?: boolean, distinct?: boolean, values?: readonly number[] }} Recipe
 */

/** @param {Chance} chance @param {ElementType} type @param {number[]} shape @param {Recipe} [recipe] @returns {Tensor} */
export function madeUp(chance, type, shape, recipe = {}) {
  const { distinct = false, values } = recipe;
  const kind = KINDS[type], isUnsigned = kind.low === 0;
  const low = Math.max(recipe.low ?? kind.low, isUnsigned ? 0 : -Infinity), high = Math.min(recipe.high ?? kind.high, type === 'bool' ? 1 : Infinity);
  const whole = recipe.whole || !isFloat(type), size = count(shape);
  const draw = () => values ? chance.of(values) : whole ? chance.int(Math.ceil(low), Math.floor(high)) : chance.real(low, high);
  const numbers = distinct
    // Evenly spaced, in any order.
    ? chance.shuffled(Array.from({ length: size }, (_, i) => whole ? low + i : low + (high - low) * (i + 0.5) / size))
    : Array.from({ length: size }, draw);
  return { type, shape, data: fromNumbers(type, numbers) };
}
