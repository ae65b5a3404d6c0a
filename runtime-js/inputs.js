// Checks what a run was given, and finds the values of symbols.

/** @import * as Api from './model.js' */

import { toElements, refuse, wordBytes } from './elements.js';
import { InputError } from './errors.js';
import { COPY_SRC, isGpuBuffer, roundUp } from './gpu_device.js';

/** @typedef {any[]} Values one an input: elements, or a buffer on the GPU */
/** @typedef {{port: Api.Port, data: any, count: number | undefined, shape: number[] | undefined}} Input as given */

/**
 * An input in one form. A buffer on the GPU has no count: it may be longer than its elements.
 *
 * @param {Api.Port} port @param {any} value @returns {Input}
 */
export function parseInput(port, value) {
  if (value === undefined || value === null) refuse(port.name, `is missing: the model takes ${describe(port)}`);
  const isTensor = typeof value === 'object' && ('data' in value || 'buffer' in value && !ArrayBuffer.isView(value));
  const given = isTensor ? value.data ?? value.buffer : value, shape = isTensor ? value.shape : undefined;
  if (isGpuBuffer(given)) return { port, data: given, count: undefined, shape };
  const data = toElements(port, given);
  return { port, data, count: data.length, shape };
}

/** @param {Api.Port} port */
const describe = ({ dataType, shape }) => `${dataType}[${shape.join(',')}]`;

/**
 * The symbols' values that follow from the inputs' shapes.
 *
 * @param {Input[]} inputs @param {readonly string[]} symbols
 */
export function bindSymbols(inputs, symbols) {
  /** @type {Map<number | string, number>} */
  const values = new Map();
  // Sizes that an expression gives are known when all symbols are: `checkSizes` looks at them.
  const sizeOf = (/** @type {number | string} */ size) => typeof size === 'number' ? size : values.get(size);
  for (const { port, shape } of inputs) {
    if (!shape) continue;
    const fits = shape.length === port.shape.length && port.shape.every((size, d) => {
      if (!Number.isInteger(shape[d]) || shape[d] < 0 || shape[d] > 0x7fffffff) return false;
      if (sizeOf(size) === undefined && symbols.includes(String(size))) values.set(size, shape[d]);
      return (sizeOf(size) ?? shape[d]) === shape[d];
    });
    if (!fits) refuseShape(port, `has shape [${shape.join(',')}]`, values);
  }
  // An array alone tells the one size that is still open.
  for (const { port, shape, count } of inputs) {
    const open = port.shape.filter((size) => sizeOf(size) === undefined);
    if (shape || !open.length) continue;
    const rest = countOf(port.shape.map((size) => sizeOf(size) ?? 1));
    if (open.length > 1 || count === undefined || !symbols.includes(String(open[0]))) {
      refuse(port.name, `is ${describe(port)}, whose sizes must be told: pass { data, shape }`);
    }
    if (!Number.isInteger(count / rest)) refuseShape(port, `has ${count} elements`, values);
    values.set(open[0], count / rest);
  }
  return symbols.map((symbol) => {
    const value = values.get(symbol);
    if (value === undefined) throw new InputError(`no input's shape tells ${symbol}`);
    return value;
  });
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
  inputs.forEach(({ port, data, count, shape }, i) => {
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
