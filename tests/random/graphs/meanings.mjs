// Quantised values of a network: integers, and what they stand for.
//
// Of half of the networks all scales are powers of two. What is computed of such numbers is a whole multiple of one and short enough
// for f32, so that ONNX Runtime's results are the exact ones, halves among them, and ours must be these bits. Of the others what is
// quantised may be near the middle between two steps, where it may go either way; such a node is not taken, as it jumps (evaluate.mjs).

import { AMPLIFIED, ROUNDING } from './evaluate.mjs';
import { count, toNumbers } from './values.mjs';

/** @import { Made } from './elementwise.mjs' */
/** @import { Value } from './evaluate.mjs' */
/** @import { Maker } from './maker.mjs' */
/** @import { ElementType } from './values.mjs' */

/** @typedef {{ scale: Value, zero: Value }} Meaning of integers q: (q - zero) * scale */
/** @typedef {Meaning & { q: Value }} Quantised */
/** @typedef {{ rank?: number | [number, number], shape?: number[], types?: readonly ElementType[], fits?: (shape: number[]) => boolean }} Asked */

/** @type {Record<string, { low: number, high: number }>} */
export const RANGES = {
  u8: { low: 0, high: 255 }, i8: { low: -128, high: 127 }, u16: { low: 0, high: 65535 }, i16: { low: -32768, high: 32767 },
  // ONNX Runtime's products of u8 with i8 are exact on all processors where these have 7 bits.
  narrow: { low: -64, high: 63 },
};
/** Steps that numbers have on each side of zero: of 16 bits few of them, so that few are near the middle between two. */
const STEPS = /** @type {Record<string, number>} */ ({ u8: 120, i8: 120, u16: 300, i16: 300 });
/** How much further than that evaluate.mjs moves what is rounded. */
const MOVED = 1.1 * AMPLIFIED;
const MOST_TRIES = 60;
const BYTES = /** @type {readonly ElementType[]} */ (['u8', 'i8']);

export class Meanings {
  /** @type {Map<string, Meaning>} */
  #known = new Map();

  /** @param {Maker} m */
  constructor(m) {
    this.m = m;
    this.isDyadic = m.c.is();
    /** What activations are. @type {ElementType} */
    this.type = m.opset >= 21 && m.c.is(0.15) ? m.c.of(['u16', 'i16']) : m.c.of(BYTES);
  }

  /** Whether what is computed of these exactly is what every float computes. @param {(Value | null)[]} inputs */
  areExact(...inputs) {
    return this.isDyadic && inputs.every((value) => !value || value.exact);
  }

  /** A scale near a number. @param {number} near */
  scaleNear(near) {
    return this.isDyadic ? 2 ** Math.round(Math.log2(near)) : Math.fround(near);
  }

  /** @param {number[]} numbers @param {number[]} [shape] as a constant, or sometimes as an input */
  scales(numbers, shape = []) {
    const { c } = this.m;
    return this.m.leaf('f32', shape, { values: numbers }, { constant: c.is(0.93), data: Float32Array.from(numbers) });
  }

  /** @param {ElementType} type @param {number} zero */
  zero(type, zero) {
    return this.m.fixed(type, [], [zero], this.m.c.is(0.95));
  }

  /** An even one: ONNX Runtime's own operators add it before they round halves to what is even. @param {ElementType} type @param {boolean} isPositive whether it stands for nothing below 0 */
  anyZero(type, isPositive) {
    const { low, high } = RANGES[type], { c } = this.m, middle = low + (high - low + 1) / 2;
    if (isPositive && c.is(0.6)) return this.zero(type, low);
    return this.zero(type, c.is(0.6) ? middle : 2 * Math.round((middle + c.real(-0.2, 0.2) * (high - low)) / 2));
  }

  /** @param {Value} q @param {Meaning} meaning @returns {Quantised} */
  note(q, meaning) {
    this.#known.set(q.name, meaning);
    return { q, ...meaning };
  }

  /** A scale near a number by which no element is in the middle between two steps, if there is one. @param {Value} x @param {Float64Array} numbers @param {number} near */
  #clearScale(x, numbers, near) {
    const most = Float64Array.from(numbers, (number) => MOVED * (x.error + ROUNDING.f32 * Math.abs(number)));
    for (let tries = 0; ; ++tries) {
      const scale = this.scaleNear(near * this.m.c.real(0.6, 1.4));
      if (this.areExact(x) || tries === MOST_TRIES || numbers.every((number, i) => Math.abs(Math.abs(number / scale % 1) - 0.5) * scale > most[i])) return scale;
    }
  }

  /** The name of a result that is to mean this. @param {Meaning} meaning */
  named(meaning) {
    const name = this.m.name();
    this.#known.set(name, meaning);
    return name;
  }

  /** How floats are quantised, as a node of theirs. @param {Value} x @param {Meaning} [like] what has the same scale and zero point @returns {Made} */
  quantised(x, like) {
    const numbers = toNumbers(x), largest = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0) || 1;
    const meaning = like ?? {
      scale: this.scales([this.#clearScale(x, numbers, largest / STEPS[this.type])]), zero: this.anyZero(this.type, numbers.every((number) => number >= 0)),
    };
    return { op: 'QuantizeLinear', inputs: [x, meaning.scale, meaning.zero], results: [this.named(meaning)], exact: this.areExact(x) };
  }

  /** Integers of a type that stand for something: earlier ones where they fit, and else new ones. @param {Asked} [asked] @returns {Promise<Quantised>} */
  async operand(asked = {}) {
    const { m } = this, { c } = m, { types = [this.type], rank = [1, 4], shape, fits = () => true } = asked;
    const found = c.is(0.1) ? [] : [...m.values.values()].filter((value) => this.#known.has(value.name) && types.includes(value.type) && count(value.shape) < 3000 &&
      (shape ? shape.join() === value.shape.join() : typeof rank === 'number' ? rank === value.shape.length : rank[0] <= value.shape.length && value.shape.length <= rank[1]) && fits(value.shape));
    if (found.length) {
      const q = c.is(0.7) ? /** @type {Value} */ (found.at(-1)) : c.of(found);
      return { q, .../** @type {Meaning} */ (this.#known.get(q.name)) };
    }
    const sizes = shape ?? this.#shape(rank, fits), type = c.of(types);
    if (c.is(0.6)) {
      const { low, high } = RANGES[type], steps = STEPS[type], middle = low + (high - low + 1) / 2;
      const q = m.fresh(type, sizes, { low: Math.max(low, middle - 1.1 * steps), high: Math.min(high, middle + 1.1 * steps) });
      return this.note(q, { scale: this.scales([this.scaleNear(c.real(0.01, 0.05))]), zero: this.anyZero(type, false) });
    }
    const x = m.fresh('f32', sizes, {}), scale = this.scales([this.scaleNear(2 / STEPS[type])]), zero = this.anyZero(type, false);
    return this.note(await m.add('QuantizeLinear', [x, scale, zero], {}, { exact: this.areExact(x) }), { scale, zero });
  }

  /** @param {number | [number, number]} rank @param {(shape: number[]) => boolean} fits */
  #shape(rank, fits) {
    const { m } = this, dimensions = typeof rank === 'number' ? rank : m.c.int(...rank);
    for (let tries = 0; tries < 50; ++tries) {
      const shape = dimensions === 4 ? [m.c.int(1, 2), m.c.int(1, 9), m.c.int(3, 9), m.c.int(3, 9)] : m.shape(dimensions).map((size) => Math.max(1, size));
      if (fits(shape)) return shape;
    }
    throw new Error('no shape fits');
  }

  /** The numbers that integers stand for. @param {Quantised} x @param {Record<string, number>} [attributes] @returns {Promise<Value>} */
  real({ q, scale, zero }, attributes = {}) {
    return this.m.add('DequantizeLinear', [q, scale, zero], attributes, { exact: this.areExact() });
  }

  /** @param {Asked} [asked] */
  async number(asked) {
    return this.real(await this.operand(asked));
  }
}
