// Arrays of the caller's that outputs go into, which run's option `outputs` names: who passes the same ones each time leaves
// nothing to be collected.

/** @import * as Api from './model.js' */

import { ARRAYS, isDetached } from './elements.js';
import { InputError } from './errors.js';
import { countOf } from './inputs.js';

/** Those of runs that have not ended. @type {WeakSet<any>} */
const lent = /* @__PURE__ */ new WeakSet();

/**
 * The array that each output goes into; nothing where there is none.
 *
 * @param {any} outputs the option, of which names and forms were checked @param {readonly Api.Port[]} ports @returns {any[]}
 */
export function arraysOf(outputs, ports) {
  /** @type {any[]} */
  const arrays = [];
  if (typeof outputs !== 'object') return arrays;
  ports.forEach((port, i) => {
    const array = outputs[port.name];
    if (!ArrayBuffer.isView(array)) return;
    check(port, array);
    if (arrays.some((other) => overlap(other, array))) refuse(port, 'in memory that another output goes into');
    arrays[i] = array;
  });
  return arrays;
}

/** @param {Api.Port} port @param {string} problem @returns {never} */
function refuse({ name }, problem) {
  throw new TypeError(`run: outputs.${name} is ${problem}`);
}

/** @param {Api.Port} port @param {any} array */
function check(port, array) {
  const { dataType } = port, kind = array[Symbol.toStringTag], { name } = ARRAYS[dataType];
  if (globalThis.WEBNNC_LISTS !== false && port.list) refuse(port, 'an array, into which no list goes');
  if (kind !== name && !(dataType === 'float16' && kind === 'Float16Array')) refuse(port, `a ${kind}; ${dataType} goes into a ${name}`);
  if (isDetached(array)) refuse(port, 'an array whose memory was transferred to somebody else: take the data of the last result');
  if (lent.has(array)) refuse(port, 'the array of a run that has not ended: give each its own');
}

/** @param {any} a @param {any} b */
const overlap = (a, b) => a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;

/** Does what goes into arrays. @template T @param {any[]} arrays @param {() => Promise<T>} work @returns {Promise<T>} */
export async function lend(arrays, work) {
  for (const array of arrays) if (array) lent.add(array);
  try {
    return await work();
  } finally {
    for (const array of arrays) lent.delete(array);
  }
}

/**
 * What outputs take of their arrays, when sizes are known.
 *
 * @param {any[]} arrays @param {readonly Api.Port[]} ports @param {readonly (readonly number[])[]} shapes @returns {any[]}
 */
export const partsOf = (arrays, ports, shapes) => arrays.map((array, i) => {
  if (!array) return;
  const { name, dataType } = ports[i], count = countOf(shapes[i]), { length } = array;
  if (length < count) throw new InputError(`outputs.${name} is an array of ${length} elements; ${dataType}[${shapes[i].join(',')}] has ${count}`);
  return length > count ? array.subarray(0, count) : array;
});
