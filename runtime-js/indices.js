// Refuses indices that a model has no rows for: it would read some other row.

/** @import { Input } from './inputs.js' */
/** @import { Manifest } from './host.js' */

import { refuse } from './elements.js';
import { InputError } from './errors.js';

/** An input whose elements index tables. @param {Input} input */
export function checkRange({ port, data, count }) {
  const range = /** @type {any} */ (port).range;
  if (!range || count === undefined) return;
  const at = firstOutside(data, range.low, range.high);
  if (at >= 0) refuse(port.name, `has ${data[at]} as element ${at}; the model takes ${range.low} to ${range.high} (node "${range.node}")`);
}

/** @param {any} data @param {number} low @param {number} high @returns {number} -1 if there is none */
function firstOutside(data, low, high) {
  if (!(data instanceof BigInt64Array)) {
    for (let i = 0; i < data.length; ++i) if (!(data[i] >= low && data[i] <= high)) return i;
    return -1;
  }
  // In halves, which are faster than bigints.
  const words = new Int32Array(data.buffer, data.byteOffset, 2 * data.length);
  for (let i = 0; i < data.length; ++i) {
    const value = words[2 * i];
    if (value < low || value > high || words[2 * i + 1] !== value >> 31) return i;
  }
  return -1;
}

/** What the hidden output tells: of each index the least, the largest, and how many rows there are. @param {Manifest} manifest @param {Int32Array} data */
export function checkIndices({ indices = [] }, data) {
  indices.forEach(({ node, inputs }, i) => {
    const [least, most, size] = data.subarray(3 * i, 3 * i + 3);
    // Of no elements the least is larger than the largest.
    if (least > most || least >= -size && most < size) return;
    const isAbove = most >= size, value = isAbove ? most : least, names = inputs.map((name) => `"${name}"`).join(' and ');
    // What 32 bits do not hold is told as the nearest that they do.
    const told = Math.abs(value) < 0x7fffffff ? value : `${value} or ${isAbove ? 'more' : 'less'}`;
    throw new InputError(`input ${names || 'sizes'}: an index that is computed from it is ${told}; the model takes ` +
      `${size ? `${-size} to ${size - 1}` : 'none, since the table is empty'} (node "${node}")`);
  });
}
