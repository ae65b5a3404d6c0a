// Sizes that a model leaves open: a field for each, and what they make of shapes.

/** @import * as Api from '../model.js' */

import { keep, kept } from './address.js';
import { field, make } from './dom.js';

const IMAGE_SIDE = 224, TOKENS = 8;
/** What expressions over symbols are made of, as docs/architecture.md says of sizes. */
const TOKENS_OF_SIZES = /"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.:/]*|\d+|[-+*(),]/g, IS_EXPRESSION = /[*+(]|^-|-\d+$/;
/** @type {Record<string, (a: number, b: number) => number>} */
const FUNCTIONS = { floordiv: (a, b) => Math.floor(a / b), mod: (a, b) => a - b * Math.floor(a / b), min: Math.min, max: Math.max };

/** Sizes of the values that a run needs: a picture brings its own along. @param {Api.Port} port */
const sizesOf = ({ shape, image }) => image?.preparation ? [shape[0]] : shape;

/** @param {string} size */
const tokensOf = (size) => size.match(TOKENS_OF_SIZES) ?? [];
/** @param {string} token */
const isSymbol = (token) => /^["A-Za-z_]/.test(token) && !(token in FUNCTIONS);
/** @param {string} token */
const nameOf = (token) => token[0] === '"' ? JSON.parse(token) : token;

/** What stands in an expression such as "2*seq+past". @param {string} size @returns {string[]} */
const symbolsIn = (size) => IS_EXPRESSION.test(size) ? tokensOf(size).filter(isSymbol).map(nameOf) : [size];

export class Sizes {
  /** @type {Map<string, HTMLInputElement>} */
  #fields = new Map();

  /** @param {Api.Model} model @param {() => void} changed */
  constructor(model, changed) {
    const ports = model.inputs, symbols = new Set(ports.flatMap(sizesOf).filter((size) => typeof size === 'string').flatMap((size) => symbolsIn(String(size))));
    for (const symbol of symbols) {
      const isSide = ports.some(({ image }) => image && (image.height === symbol || image.width === symbol)), isBatch = ports.some(({ shape }) => shape[0] === symbol);
      const input = make('input', { type: 'number', min: '1', step: '1', required: true, value: kept(`size.${symbol}`) ?? String(isSide ? IMAGE_SIDE : isBatch ? 1 : TOKENS) });
      input.dataset.symbol = symbol;
      input.onchange = () => {
        keep(`size.${symbol}`, input.value);
        changed();
      };
      this.#fields.set(symbol, input);
    }
  }

  get elements() {
    return [...this.#fields].map(([symbol, input]) => field(symbol, input));
  }

  /** @param {string} symbol */
  #valueOf(symbol) {
    const value = this.#fields.get(symbol)?.valueAsNumber ?? 1;
    if (!(Number.isInteger(value) && value >= 1)) throw new Error(`the size "${symbol}" is no number of 1 or more`);
    return value;
  }

  /** @param {number | string} size @returns {number} */
  of(size) {
    if (typeof size === 'number') return size;
    if (this.#fields.has(size)) return this.#valueOf(size);
    return evaluate(size, (symbol) => this.#valueOf(symbol));
  }

  /** @param {readonly (number | string)[]} shape */
  shape(shape) {
    return shape.map((size) => this.of(size));
  }

  /**
   * The shape of values that were given, which also tells open sizes to inputs for which nothing was.
   *
   * @param {Api.Port} port @param {number} count of elements @param {number[]} [told]
   */
  bind({ shape }, count, told) {
    if (told) {
      if (told.length === shape.length) shape.forEach((size, d) => this.#set(size, told[d]));
      return told;
    }
    const open = [...new Set(shape.filter((size) => typeof size === 'string' && this.#fields.has(size)))];
    // The last one is what counts elements of a sample.
    const last = open.at(-1), rest = shape.reduce((/** @type {number} */ n, size) => size === last ? n : n * this.of(size), 1);
    if (last !== undefined && shape.filter((size) => size === last).length === 1 && count && count % rest === 0) this.#set(last, count / rest);
    return this.shape(shape);
  }

  /** @param {number | string} size @param {number} value */
  #set(size, value) {
    const input = this.#fields.get(String(size));
    if (input && value >= 1) input.value = String(value);
  }
}

/** A sum of products, as sizes are written. @param {string} text @param {(symbol: string) => number} valueOf @returns {number} */
export function evaluate(text, valueOf) {
  const tokens = tokensOf(text);
  /** @returns {number} */
  const atom = () => {
    const token = tokens.shift() ?? '0';
    if (token === '-') return -atom();
    if (/^\d/.test(token)) return Number(token);
    if (isSymbol(token)) return valueOf(nameOf(token));
    // A function of two: what stands between them is passed over.
    tokens.shift();
    const a = sum();
    tokens.shift();
    const b = sum();
    tokens.shift();
    return FUNCTIONS[token](a, b);
  };
  const product = () => {
    let value = atom();
    while (tokens[0] === '*') {
      tokens.shift();
      value *= atom();
    }
    return value;
  };
  const sum = () => {
    let value = product();
    while (tokens[0] === '+' || tokens[0] === '-') value += tokens.shift() === '+' ? product() : -product();
    return value;
  };
  return sum();
}
