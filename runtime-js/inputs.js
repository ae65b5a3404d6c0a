// Checks what a run was given, and finds the values of symbols.

/** @import * as Api from './model.js' */

import { isDetached, refuse, textOf, toElements, wordBytes } from './elements.js';
import { InputError } from './errors.js';
import { COPY_SRC, isGpuBuffer, roundUp } from './gpu_device.js';

/** @typedef {any[]} Values one an input: elements, or a buffer on the GPU */
/**
 * As given. What another model left on a GPU can be read. Of one that stands for a list of tensors, these.
 *
 * @typedef {{port: Api.Port, data: any, count: number | undefined, shape: number[] | undefined, isFrame?: boolean, read?: () => Promise<any>,
 *   list?: {port: Api.Port, tensors: {data: any, shape: number[]}[]}}} Input
 */

/** What a tensor may be given with: run's own tensors have all of these. */
const TENSOR_FIELDS = ['data', 'buffer', 'shape', 'dataType', 'labels', 'read'];

/**
 * An input in one form. A buffer on the GPU has no count: it may be longer than its elements.
 *
 * @param {Api.Port} port @param {any} value @returns {Input}
 */
export function parseInput(port, value) {
  if (value === undefined || value === null) refuse(port.name, `is missing: the model takes ${describe(port)}`);
  if (typeof value !== 'object' || isGpuBuffer(value) || ArrayBuffer.isView(value) || Array.isArray(value)) return parseElements(port, value);
  const fields = Object.keys(value), isTensor = 'data' in value || 'buffer' in value;
  const unknown = isTensor && fields.find((field) => !TENSOR_FIELDS.includes(field));
  if (unknown) refuse(port.name, `has a field "${unknown}"; a tensor is { data, shape }`);
  if (!isTensor) return parseElements(port, value);
  const { shape, dataType } = value;
  if (dataType !== undefined && dataType !== port.dataType) refuse(port.name, `is ${textOf(dataType)}; the model takes ${describe(port)}`);
  const sizes = shape === undefined ? undefined : sizesOf(shape);
  if (shape !== undefined && !sizes) {
    refuse(port.name, `has the shape ${Array.isArray(shape) ? `[${shape.map(textOf).join(',')}]` : textOf(shape)}, which is no list of sizes`);
  }
  const input = parseElements(port, value.data ?? value.buffer, sizes);
  return globalThis.WEBNNC_MODELS !== false && typeof value.read === 'function' ? { ...input, read: value.read } : input;
}

/** A list of sizes as an array; undefined if it is none. @param {any} shape @returns {number[] | undefined} */
function sizesOf(shape) {
  const isList = Array.isArray(shape) || ArrayBuffer.isView(shape) && !(shape instanceof DataView) && !isDetached(shape);
  const sizes = isList ? Array.from(/** @type {any} */ (shape)) : [NaN];
  return sizes.every((size) => Number.isInteger(size) && size >= 0 && size <= 0x7fffffff) ? sizes : undefined;
}

/** @param {Api.Port} port @param {any} given @param {number[]} [shape] @returns {Input} */
function parseElements(port, given, shape) {
  if (isGpuBuffer(given)) return { port, data: given, count: undefined, shape };
  if (Array.isArray(given) && given.some(Array.isArray)) {
    const nested = shapeOf(port, given);
    given = given.flat(nested.length - 1);
    shape ??= nested;
  }
  const data = toElements(port, given);
  return { port, data, count: data.length, shape };
}

/** Deeper than any tensor. */
const DEEPEST = 256;

/** The shape of arrays in arrays, which must agree. @param {Api.Port} port @param {any[]} list @param {number} [depth] @returns {number[]} */
function shapeOf(port, list, depth = 1) {
  if (!list.some(Array.isArray)) return [list.length];
  if (depth > DEEPEST) refuse(port.name, `has lists in lists, more than ${DEEPEST} deep`);
  const shapes = list.map((item) => Array.isArray(item) ? shapeOf(port, item, depth + 1) : []);
  const odd = shapes.findIndex((shape) => shape.join() !== shapes[0].join());
  if (odd > 0) refuse(port.name, `is ragged: its part 0 has the shape [${shapes[0].join(',')}], and part ${odd} [${shapes[odd].join(',')}]`);
  return [list.length, ...shapes[0]];
}

/** @param {Api.Port} port */
const describe = ({ dataType, shape }) => `${dataType}[${shape.join(',')}]`;

/**
 * The symbols' values.
 *
 * @param {Input[]} inputs @param {readonly string[]} symbols @param {Map<number | string, number>} [values] as far as they are known
 */
export function bindSymbols(inputs, symbols, values = knownSizes(inputs, symbols)) {
  return symbols.map((symbol) => {
    const value = values.get(symbol);
    if (value === undefined) throw new InputError(`no input's shape tells ${symbol}`);
    return value;
  });
}

/**
 * The symbols' values that follow from the inputs' shapes.
 *
 * @param {Input[]} inputs @param {readonly string[]} symbols
 */
export function knownSizes(inputs, symbols) {
  /** @type {Map<number | string, number>} */
  const values = new Map();
  // Sizes that an expression gives are known when all symbols are: `checkSizes` looks at them.
  const sizeOf = (/** @type {number | string} */ size) => typeof size === 'number' ? size : values.get(size);
  for (const { port, shape } of inputs) {
    if (!shape) continue;
    const fits = shape.length === port.shape.length && port.shape.every((size, d) => {
      if (sizeOf(size) === undefined && symbols.includes(String(size))) values.set(size, shape[d]);
      return (sizeOf(size) ?? shape[d]) === shape[d];
    });
    if (!fits) refuseShape(port, `has shape [${shape.join(',')}]`, values);
  }
  // Before anything is computed for sizes that nobody has elements for.
  for (const { port, shape, count, isFrame } of inputs) {
    if (!shape || count === undefined || isFrame || count === countOf(shape)) continue;
    refuse(port.name, `has ${count} elements; ${port.dataType}[${shape.join(',')}] has ${countOf(shape)}`);
  }
  // An array alone tells the one size that is still open.
  for (const { port, shape, count } of inputs) {
    let open = port.shape.filter((size) => sizeOf(size) === undefined);
    if (shape || !open.length) continue;
    // One sample, where the batch is open as well.
    if (open.length === 2 && open[0] === port.shape[0] && open[0] !== open[1] && symbols.includes(String(open[0]))) {
      values.set(open[0], 1);
      open = open.slice(1);
    }
    const rest = countOf(port.shape.map((size) => sizeOf(size) ?? 1));
    if (open.length > 1 || count === undefined || !symbols.includes(String(open[0]))) {
      refuse(port.name, `is ${describe(port)}, whose sizes must be told: pass { data, shape }`);
    }
    if (!Number.isInteger(count / rest)) refuseShape(port, `has ${count} elements`, values);
    values.set(open[0], count / rest);
  }
  return values;
}

/** @param {Api.Port} port @param {string} given @param {Map<number | string, number>} values @returns {never} */
function refuseShape(port, given, values) {
  const known = port.shape.filter((size) => values.has(size)).map((size) => `${size} = ${values.get(size)}`);
  refuse(port.name, `${given}; the model takes ${describe(port)}${known.length ? ` with ${known.join(', ')}` : ''}`);
}

/**
 * @param {Input[]} inputs @param {number[][]} shapes that the model takes for the symbols' values
 * @param {boolean} half
 */
export function checkSizes(inputs, shapes, half) {
  inputs.forEach(({ port, data, count, shape, isFrame }, i) => {
    if (isFrame) return;
    const wanted = countOf(shapes[i]), sizes = `[${shapes[i].join(',')}]`;
    if (shape?.some((size, d) => size !== shapes[i][d])) {
      refuse(port.name, `has shape [${shape.join(',')}]; for these inputs the model takes ${sizes}`);
    }
    if (count !== undefined && count !== wanted) {
      refuse(port.name, `has ${count} elements; ${port.dataType}${sizes} has ${wanted}`);
    }
    if (count !== undefined) return;
    const bytes = roundUp(wanted * wordBytes(port.dataType, half), 4);
    if (data.size < bytes) refuse(port.name, `is a buffer of ${data.size} bytes; ${port.dataType}${sizes} has ${bytes}`);
    if (!(data.usage & COPY_SRC)) refuse(port.name, 'is a buffer without the usage COPY_SRC');
  });
}

/** @param {readonly number[]} shape */
export const countOf = (shape) => shape.reduce((product, size) => product * size, 1);
