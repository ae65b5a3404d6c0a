// The elements of a tensor as numbers, and what can be said of all of them. A large tensor is walked in slices, so that
// the page stays responsive.

/** @import * as Api from '../model.js' */

import { numbersOf } from '../elements.js';

/**
 * @typedef {object} Summary
 * @property {number} count
 * @property {number} odd how many are no numbers
 * @property {number} least
 * @property {number} most
 * @property {number} sum
 * @property {number} squares their sum
 */

const SLICE = 1 << 16, MOST_TIME = 20, SAMPLES = 1 << 14;

/** Gives the page a turn where this took long. @returns {() => Promise<void>} */
export function pacer() {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < MOST_TIME) return;
    await new Promise((done) => setTimeout(done));
    since = performance.now();
  };
}

/**
 * Integers of 64 bits are the nearest numbers.
 *
 * @param {Api.Tensor} tensor @returns {Promise<ArrayLike<number>>}
 */
export async function numbersIn({ data, dataType }) {
  if (dataType !== 'int64' && dataType !== 'uint64') return /** @type {ArrayLike<number>} */ (numbersOf(dataType, data));
  // Words are read instead of integers: each of those would be an object.
  const { buffer, byteOffset, length } = /** @type {BigInt64Array} */ (data), low = new Uint32Array(buffer, byteOffset, 2 * length);
  const high = dataType === 'int64' ? new Int32Array(buffer, byteOffset, 2 * length) : low;
  const numbers = new Float64Array(length), pace = pacer();
  for (let start = 0; start < length; start += SLICE) {
    for (let i = start; i < Math.min(length, start + SLICE); ++i) numbers[i] = high[2 * i + 1] * 2 ** 32 + low[2 * i];
    await pace();
  }
  return numbers;
}

/** @param {ArrayLike<number>} numbers @param {number} [from] @param {number} [count] @returns {Promise<Summary>} */
export async function summarize(numbers, from = 0, count = numbers.length - from) {
  const pace = pacer(), end = from + count;
  let odd = 0, least = Infinity, most = -Infinity, sum = 0, squares = 0;
  for (let start = from; start < end; start += SLICE) {
    for (let i = start; i < Math.min(end, start + SLICE); ++i) {
      const value = numbers[i];
      if (!Number.isFinite(value)) {
        ++odd;
        continue;
      }
      if (value < least) least = value;
      if (value > most) most = value;
      sum += value;
      squares += value * value;
    }
    await pace();
  }
  return { count, odd, least, most, sum, squares };
}

/** Below which value a part of the values lies, judged by some of them. @param {ArrayLike<number>} numbers @param {number[]} parts */
export function percentiles(numbers, parts) {
  const step = Math.max(1, Math.floor(numbers.length / SAMPLES)), some = [];
  for (let i = 0; i < numbers.length; i += step) if (Number.isFinite(numbers[i])) some.push(numbers[i]);
  const sorted = Float64Array.from(some).sort();
  return parts.map((part) => sorted[Math.round(part * (sorted.length - 1))] ?? 0);
}

/**
 * The places of the largest values of a row, the largest first; of equal ones, the first.
 *
 * @param {ArrayLike<number>} numbers @param {number} start @param {number} length @param {number} count
 */
export function largest(numbers, start, length, count) {
  /** @type {number[]} */
  const places = [];
  for (let i = 0; i < length; ++i) {
    const value = numbers[start + i];
    if (Number.isNaN(value) || places.length === count && !(value > numbers[start + places[count - 1]])) continue;
    let at = Math.min(places.length, count - 1);
    for (; at > 0 && value > numbers[start + places[at - 1]]; --at) places[at] = places[at - 1];
    places[at] = i;
  }
  return places;
}

/** A number in few digits. @param {number} value */
export function short(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  return Math.abs(value) < 1e-4 ? value.toExponential(2) : String(+value.toPrecision(4));
}

/** The place of an element, as indices. @param {number} at @param {readonly number[]} shape */
export function indicesOf(at, shape) {
  const indices = [];
  for (let d = shape.length - 1; d >= 0; --d) {
    indices.unshift(at % shape[d]);
    at = Math.floor(at / shape[d]);
  }
  return indices;
}

/** How far two tensors are apart, and where first. Infinite values and NaN differ from all but their like. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
export async function largestDifference(a, b) {
  const pace = pacer();
  let most = 0, at = 0;
  for (let start = 0; start < a.length; start += SLICE) {
    for (let i = start; i < Math.min(a.length, start + SLICE); ++i) {
      const difference = a[i] === b[i] || a[i] !== a[i] && b[i] !== b[i] ? 0 : Math.abs(a[i] - b[i]);
      if (difference <= most) continue;
      most = Number.isNaN(difference) ? Infinity : difference;
      at = i;
    }
    await pace();
  }
  return { most, at };
}
