// Converts elements between callers, the CPU and the GPU.

/** @import * as Api from './model.js' */

import { InputError } from './errors.js';

/**
 * @typedef {Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigInt64Array | BigUint64Array
 *   | Float32Array | Float64Array} Data
 */
/** Arrays of elements on the CPU; f16 is in its bits. @type {Record<Api.DataType, any>} */
export const ARRAYS = {
  bool: Uint8Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array, float16: Uint16Array, float32: Float32Array, float64: Float64Array,
};
/**
 * Arrays of 32-bit words on the GPU, as shaders have no other elements but f16.
 *
 * @param {Api.DataType} dataType @returns {any}
 */
const wordsOf = (dataType) => dataType[0] === 'f' ? Float32Array : dataType[0] === 'i' ? Int32Array : Uint32Array;

/** @type {any} */
const Float16 = Reflect.get(globalThis, 'Float16Array');

const bitsOfFloat = new Uint32Array(1), floatOfBits = new Float32Array(bitsOfFloat.buffer);

/** The bits of the half nearest to `value`, the even one of two. @param {number} value */
export function toHalf(value) {
  floatOfBits[0] = value;
  const bits = bitsOfFloat[0], sign = bits >>> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1) >> 13;
  // A half of this size is a multiple of 2^-24. Adding 0.5 leaves those multiples in the fraction.
  floatOfBits[0] = Math.abs(value) + 0.5;
  return sign | bitsOfFloat[0] - 0x3f000000;
}

/** @param {number} bits */
export function fromHalf(bits) {
  const exponent = bits >> 10 & 31, fraction = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

/** @param {Float32Array} values @returns {Uint16Array} */
export const toHalves = (values) => Float16
  ? new Uint16Array(Float16.from(values).buffer) : Uint16Array.from(values, toHalf);
/** @param {Uint16Array} halves @returns {Float32Array} */
const fromHalves = (halves) => Float16
  ? new Float32Array(viewAs(Float16, halves))
  : Float32Array.from(halves, fromHalf);

/** @param {string} name @param {string} problem @returns {never} */
export function refuse(name, problem) {
  throw new InputError(`input "${name}" ${problem}`);
}

/**
 * What a caller gave as an input's elements, as the array that holds them on the CPU.
 *
 * @param {Api.Port} port @param {any} given @returns {Data}
 */
export function toElements({ name, dataType }, given) {
  const Type = ARRAYS[dataType];
  if (ArrayBuffer.isView(given) && isDetached(given)) refuse(name, 'is an array whose memory was transferred to somebody else');
  // By name: those of a frame, or of a test's own realm, have classes of their own. Not every engine's WebGPU takes
  // these, or memory that is shared or may grow.
  const kind = ArrayBuffer.isView(given) ? /** @type {any} */ (given)[Symbol.toStringTag] : '';
  const { buffer } = given ?? {};
  if (kind && (buffer.resizable || Reflect.get(buffer, Symbol.toStringTag) === 'SharedArrayBuffer')) given = given.slice?.() ?? given;
  if (kind === Type.name) {
    const own = given instanceof Type ? given : viewAs(Type, given);
    return dataType === 'bool' ? checkBooleans(name, own) : own;
  }
  if (dataType === 'float16' && kind === 'Float16Array') return viewAs(Uint16Array, given);
  if (dataType === 'float16' && kind === 'Float32Array') return toHalves(given);
  if (dataType === 'uint8' && kind === 'Uint8ClampedArray') return viewAs(Uint8Array, given);
  const list = ['number', 'bigint', 'boolean'].includes(typeof given) ? [given] : given;
  const isNarrow = dataType === 'int64' && kind === 'Int32Array' || dataType === 'uint64' && kind === 'Uint32Array';
  if (!Array.isArray(list) && !isNarrow) {
    const type = given?.constructor?.name ?? textOf(given), wanted = dataType === 'float16' ? 'Float32Array' : Type.name;
    const isArray = ArrayBuffer.isView(given) && !(given instanceof DataView);
    refuse(name, `is a ${type}; for ${dataType} pass a ${wanted}${isArray ? `, such as ${wanted}.from(array${isLong(dataType) ? ', BigInt' : ''})` : ''}`);
  }
  const elements = new (dataType === 'float16' ? Float32Array : Type)(list.length), isFloat = dataType[0] === 'f';
  for (let i = 0; i < list.length; ++i) {
    const item = list[i], isNumber = typeof item === 'number' || typeof item === 'boolean' || typeof item === 'bigint' && !isFloat;
    if (!isNumber) refuse(name, `has ${typeof item === 'string' ? `"${item}"` : textOf(item)} as element ${i}, which is no number`);
    const value = isLong(dataType) ? toLong(item) : Number(item);
    if (value !== undefined) elements[i] = value;
    if (!isFloat && elements[i] !== value) refuseElement(name, item, i, dataType);
  }
  return dataType === 'float16' ? toHalves(elements) : dataType === 'bool' ? checkBooleans(name, elements) : elements;
}

/** What a caller passed, in words: not everything is a text by itself. @param {unknown} value */
export function textOf(value) {
  try {
    return String(value);
  } catch {
    return 'object';
  }
}

/** @param {ArrayBufferView} view */
export function isDetached({ buffer, byteLength }) {
  if (byteLength) return false;
  try {
    return new Uint8Array(buffer) === undefined;
  } catch {
    return true;
  }
}

/** @param {Api.DataType} dataType */
const isLong = (dataType) => dataType === 'int64' || dataType === 'uint64';

/** @param {number | bigint | boolean} value @returns {bigint | undefined} undefined if it is no integer */
const toLong = (value) => Number.isInteger(Number(value)) ? BigInt(value) : undefined;

/** @param {any} Type @param {any} data */
const viewAs = (Type, data) => new Type(data.buffer, data.byteOffset, data.length);

/** @param {string} name @param {unknown} value @param {number} at @param {Api.DataType} dataType @returns {never} */
function refuseElement(name, value, at, dataType) {
  refuse(name, `has ${value} as element ${at}, which ${dataType} cannot hold`);
}

/** Kernels count on 0 and 1. @param {string} name @param {Uint8Array} data */
function checkBooleans(name, data) {
  const at = data.findIndex((value) => value > 1);
  if (at >= 0) refuseElement(name, data[at], at, 'bool');
  return data;
}

/**
 * Elements as the GPU stores them; queue.writeBuffer takes whole words.
 *
 * @param {Api.Port} port @param {any} data @param {boolean} half
 */
export function toWords({ name, dataType }, data, half) {
  const Words = wordsOf(dataType);
  if (dataType === 'float16') {
    if (!half) return fromHalves(data);
    if (data.length % 2 === 0 && data.byteOffset % 2 === 0) return data;
    const padded = new Uint16Array(data.length + 1);
    padded.set(data);
    return padded;
  }
  if (data instanceof Words) return data;
  if (!isLong(dataType)) return Words.from(data);
  const words = new Words(data.length);
  for (let i = 0; i < words.length; ++i) {
    words[i] = Number(data[i]);
    if (BigInt(words[i]) !== data[i]) {
      refuse(name, `has ${data[i]} as element ${i}: on WebGPU, ${dataType} must fit in 32 bits`);
    }
  }
  return words;
}

/** @param {Api.DataType} dataType @param {boolean} half bytes of an element on the GPU */
export const wordBytes = (dataType, half) => dataType === 'float16' && half ? 2 : 4;

/** Of a system, which gives it when it is first touched. */
const PAGE = 4096;

/**
 * An array for elements that the GPU computes, whose memory is there: to make it takes longer than to copy what comes, and there
 * is time while the GPU works.
 *
 * @param {Api.DataType} dataType @param {number} count
 */
export function makeRoom(dataType, count) {
  const room = makeArray(dataType, count), bytes = new Uint8Array(room.buffer);
  for (let i = 0; i < bytes.length; i += PAGE) bytes[i] = 0;
  return room;
}

/** @param {Api.DataType} dataType @param {number} count */
const makeArray = (dataType, count) => asGiven(dataType, new ARRAYS[dataType](count));

/**
 * The reverse of toWords: a copy.
 *
 * @param {Api.DataType} dataType @param {ArrayBuffer} bytes the GPU's @param {number} at which of them elements begin @param {number} count @param {boolean} half
 * @param {any} [room] an array for it
 */
export function fromWords(dataType, bytes, at, count, half, room = makeArray(dataType, count)) {
  const isHalf = dataType === 'float16', words = new (isHalf && half ? Uint16Array : wordsOf(dataType))(bytes, at, count);
  return fill(dataType, room, isLong(dataType) ? Array.from(words, BigInt) : isHalf && !half ? toHalves(words) : words);
}

/** Copies elements into an array of as many, as callers have it. @param {Api.DataType} dataType @param {any} room @param {any} elements */
export function fill(dataType, room, elements) {
  // Halves are copied as their bits, whatever array they are in.
  if (dataType === 'float16') viewAs(Uint16Array, room).set(viewAs(Uint16Array, elements));
  else room.set(elements);
  return room;
}

/** Elements as callers have them. @param {Api.DataType} dataType @param {any} data f16 in bits */
export const asGiven = (dataType, data) => dataType === 'float16' && Float16 ? viewAs(Float16, data) : data;

/** Elements as callers have them, as numbers that can be computed with. @param {Api.DataType} dataType @param {any} data @returns {ArrayLike<number | bigint>} */
export const numbersOf = (dataType, data) => dataType === 'float16' && data instanceof Uint16Array ? Float32Array.from(data, fromHalf) : data;
