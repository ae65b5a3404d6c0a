// Converts elements between callers, the CPU and the GPU.

/** @import * as Api from './model.js' */

import { InputError } from './errors.js';

/** @typedef {Exclude<Api.Elements[Api.DType], bigint[]>} Data */
/**
 * Arrays of elements on the CPU and, as shaders have no others, in 32-bit words on the GPU. f16 is
 * in its bits on the CPU, and on a GPU that computes in half precision.
 *
 * @typedef {{cpu: any, gpu: any, min?: number | bigint, max?: number | bigint}} Storage
 * @type {Record<Api.DType, Storage>}
 */
export const STORAGE = {
  bool: { cpu: Uint8Array, gpu: Uint32Array, min: 0, max: 1 },
  i8: { cpu: Int8Array, gpu: Int32Array, min: -128, max: 127 },
  u8: { cpu: Uint8Array, gpu: Uint32Array, min: 0, max: 255 },
  i16: { cpu: Int16Array, gpu: Int32Array, min: -32768, max: 32767 },
  u16: { cpu: Uint16Array, gpu: Uint32Array, min: 0, max: 65535 },
  i32: { cpu: Int32Array, gpu: Int32Array, min: -(2 ** 31), max: 2 ** 31 - 1 },
  u32: { cpu: Uint32Array, gpu: Uint32Array, min: 0, max: 2 ** 32 - 1 },
  i64: { cpu: BigInt64Array, gpu: Int32Array, min: -(2n ** 63n), max: 2n ** 63n - 1n },
  u64: { cpu: BigUint64Array, gpu: Uint32Array, min: 0n, max: 2n ** 64n - 1n },
  f16: { cpu: Uint16Array, gpu: Float32Array },
  f32: { cpu: Float32Array, gpu: Float32Array },
  f64: { cpu: Float64Array, gpu: Float32Array },
};
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
const toHalves = (values) => Float16
  ? new Uint16Array(Float16.from(values).buffer) : Uint16Array.from(values, toHalf);
/** @param {Uint16Array} halves @returns {Float32Array} */
const fromHalves = (halves) => Float16
  ? new Float32Array(new Float16(halves.buffer, halves.byteOffset, halves.length))
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
export function toElements({ name, dtype }, given) {
  const { cpu: Type, min, max } = STORAGE[dtype];
  if (given instanceof Type) return dtype === 'bool' ? checkBooleans(name, given) : given;
  if (dtype === 'f16' && Float16 && given instanceof Float16) {
    return new Uint16Array(given.buffer, given.byteOffset, given.length);
  }
  if (dtype === 'f16' && given instanceof Float32Array) return toHalves(given);
  if (dtype === 'u8' && given instanceof Uint8ClampedArray) {
    return new Uint8Array(given.buffer, given.byteOffset, given.length);
  }
  const list = ['number', 'bigint', 'boolean'].includes(typeof given) ? [given] : given;
  const narrow = dtype === 'i64' && list instanceof Int32Array || dtype === 'u64' && list instanceof Uint32Array;
  if (!Array.isArray(list) && !narrow) {
    const kind = given?.constructor?.name ?? String(given);
    refuse(name, `is a ${kind}; for ${dtype} pass a ${dtype === 'f16' ? 'Float32Array' : Type.name}`);
  }
  if (dtype === 'f16') return toHalves(Float32Array.from(list));
  const elements = new Type(list.length);
  for (let i = 0; i < list.length; ++i) {
    const value = min === undefined ? Number(list[i]) : integer(list[i], typeof min);
    if (value === undefined || min !== undefined && (value < min || value > /** @type {number} */ (max))) {
      refuse(name, `has ${list[i]} as element ${i}, which ${dtype} cannot hold`);
    }
    elements[i] = value;
  }
  return elements;
}

/** @param {number | bigint | boolean} value @param {string} type @returns {any} undefined if it is none */
function integer(value, type) {
  if (typeof value === 'number' && !Number.isInteger(value)) return undefined;
  return type === 'bigint' ? BigInt(value) : Number(value);
}

/** Kernels count on 0 and 1. @param {string} name @param {Uint8Array} data */
function checkBooleans(name, data) {
  const at = data.findIndex((value) => value > 1);
  if (at >= 0) refuse(name, `has ${data[at]} as element ${at}, which bool cannot hold`);
  return data;
}

/**
 * Elements as the GPU stores them; queue.writeBuffer takes whole words.
 *
 * @param {Api.Port} port @param {any} data @param {boolean} half
 */
export function toWords({ name, dtype }, data, half) {
  const { cpu, gpu: Words } = STORAGE[dtype];
  if (dtype === 'f16') {
    if (!half) return fromHalves(data);
    if (data.length % 2 === 0 && data.byteOffset % 2 === 0) return data;
    const padded = new Uint16Array(data.length + 1);
    padded.set(data);
    return padded;
  }
  if (cpu === Words) return data;
  if (dtype !== 'i64' && dtype !== 'u64') return Words.from(data);
  const words = new Words(data.length);
  for (let i = 0; i < words.length; ++i) {
    words[i] = Number(data[i]);
    if (BigInt(words[i]) !== data[i]) {
      refuse(name, `has ${data[i]} as element ${i}: on WebGPU, ${dtype} must fit in 32 bits`);
    }
  }
  return words;
}

/** @param {Api.DType} dtype @param {boolean} half bytes of an element on the GPU */
export const wordBytes = (dtype, half) => dtype === 'f16' && half ? 2 : 4;

/**
 * The reverse of toWords, from a copy of the GPU's bytes.
 *
 * @param {Api.DType} dtype @param {ArrayBuffer} bytes @param {number} count @param {boolean} half
 */
export function fromWords(dtype, bytes, count, half) {
  const { cpu: Type, gpu: Words } = STORAGE[dtype];
  if (dtype === 'f16') {
    return fromBits(half ? new Uint16Array(bytes, 0, count) : toHalves(new Float32Array(bytes)));
  }
  const words = new Words(bytes, 0, count);
  if (Type === Words) return words;
  return typeof STORAGE[dtype].min === 'bigint' ? Type.from(words, BigInt) : Type.from(words);
}

/** f16 as callers get it. @param {Uint16Array} bits */
export const fromBits = (bits) => Float16 ? new Float16(bits.buffer, bits.byteOffset, bits.length) : bits;
