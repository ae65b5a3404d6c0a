// Checks what callers pass: a name that is not known is most often a mistake.

import { BUILD } from './build.js';
import { refuse } from './elements.js';
import { InputError } from './errors.js';

/** @typedef {(value: any) => boolean} Check */
/** A check and what passes it, for the error. @typedef {[Check, string]} Rule */

/** @type {(...values: any[]) => Rule} */
const oneOf = (...values) => [(value) => values.includes(value), values.map((value) => JSON.stringify(value)).join(' or ')];
/** @type {Rule} */
const FUNCTION = [(value) => typeof value === 'function', 'a function'];
/** @type {Rule} */
const BOOLEAN = oneOf(true, false);
/** @type {Rule} */
const SIGNAL = [(value) => typeof value?.throwIfAborted === 'function', 'an AbortSignal'];

export const LOAD_OPTIONS = {
  backend: oneOf('auto', 'webgpu', 'wasm'),
  device: /** @type {Rule} */ ([(value) => typeof value?.createBuffer === 'function', 'a GPUDevice']),
  signal: SIGNAL,
  onProgress: FUNCTION,
  onDeviceLost: FUNCTION,
  baseUrl: /** @type {Rule} */ ([(value) => typeof value === 'string' || value instanceof URL, 'a string or URL']),
  files: /** @type {Rule} */ ([(value) => typeof value === 'object' && value !== null, 'an object']),
  cache: BOOLEAN,
  worker: BOOLEAN,
  threads: /** @type {Rule} */ ([(value) => Number.isInteger(value) && value > 0, 'a whole number from 1']),
  tune: BOOLEAN,
  validate: BOOLEAN,
};
/** The kinds of files that this build has. */
export const filesOptions = () => {
  const own = Object.keys(BUILD).filter((kind) => /^shaders|threads|dots$/.test(kind));
  return Object.fromEntries(['wasm', 'relaxed', 'weights', ...own, 'worker', 'profile'].map((kind) => [kind, null]));
};
/** The form of `outputs` depends on the model. */
export const RUN_OPTIONS = { outputs: null, signal: SIGNAL, transfer: BOOLEAN };
export const PROFILE_OPTIONS = {
  runs: /** @type {Rule} */ ([(value) => Number.isInteger(value) && value > 0, 'a whole number from 1']),
  signal: SIGNAL,
  peak: null,
};

/**
 * @param {string} where "load" @param {any} given @param {Record<string, Rule | null>} rules
 * @throws {TypeError} An option that there is not, or one of another type.
 */
export function checkOptions(where, given, rules) {
  if (typeof given !== 'object' || given === null) throw new TypeError(`${where}: the options are ${given}, and must be an object`);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(rules, name)) {
      const meant = Object.keys(rules).find((known) => isSimilar(known.toLowerCase(), name.toLowerCase()));
      throw new TypeError(`${where}: there is no option "${name}"; ${meant ? `is "${meant}" meant?` : `there are ${Object.keys(rules).join(', ')}`}`);
    }
    const rule = rules[name];
    if (rule && !rule[0](value)) throw new TypeError(`${where}: ${name} is ${describe(value)}, and must be ${rule[1]}`);
  }
}

/**
 * Whether one name is the other's beginning, or has a letter more or less, or two that are swapped or others.
 *
 * @param {string} a @param {string} b
 */
function isSimilar(a, b) {
  if (a.startsWith(b) || b.startsWith(a)) return true;
  let begin = 0, end = 0;
  while (a[begin] === b[begin]) ++begin;
  while (end < Math.min(a.length, b.length) - begin && a.at(-1 - end) === b.at(-1 - end)) ++end;
  return Math.max(a.length, b.length) - begin - end <= 2;
}

/** @param {any} value */
const describe = (value) => typeof value === 'string' ? `"${value}"`
  : typeof value === 'object' && value ? `a ${value.constructor?.name ?? 'object'}` : String(value);

/**
 * What of a run is not the same for each output, but `arrays` of the caller's that they go into. `prepareNext` is given where the
 * next run most likely has other sizes.
 *
 * @typedef {{signal?: AbortSignal, arrays: any[], prepareNext?: () => Promise<void>}} How
 */

/**
 * Where each output of a run goes; into the caller's arrays as 'data' (arrays.js).
 *
 * @typedef {'data' | 'gpu' | 'none' | {take: (gpu: any, bytes: number) => GPUBuffer}} Destination the last is a state's (state.js)
 * @param {any} outputs the option @param {readonly {name: string}[]} ports @returns {Destination[]} one a port
 */
export function destinationsOf(outputs, ports) {
  if (outputs === undefined || outputs === 'data' || outputs === 'gpu') return ports.map(() => outputs ?? 'data');
  const isList = typeof outputs === 'object' && outputs?.[Symbol.iterator];
  const wanted = isList ? Object.fromEntries([...outputs].map((name) => [name, 'data'])) : outputs;
  if (typeof wanted !== 'object' || wanted === null) throw new TypeError(`run: outputs is ${describe(outputs)}, and must be "data", "gpu", names, or an object of names`);
  for (const [name, destination] of Object.entries(wanted)) {
    if (!ports.some((port) => port.name === name)) {
      throw new TypeError(`run: outputs names "${name}", which is none of the model's: there are ${ports.map((port) => `"${port.name}"`).join(', ')}`);
    }
    if (destination !== 'data' && destination !== 'gpu' && !ArrayBuffer.isView(destination)) {
      throw new TypeError(`run: outputs.${name} is ${describe(destination)}, and must be "data", "gpu" or a typed array`);
    }
  }
  return ports.map(({ name }) => !Object.hasOwn(wanted, name) ? 'none' : wanted[name] === 'gpu' ? 'gpu' : 'data');
}

/**
 * Whether a run's inputs are an object of the model's names, and nothing else.
 *
 * @param {any} given @param {readonly {name: string}[]} ports
 */
export function checkInputs(given, ports) {
  const names = ports.map(({ name }) => name);
  if (typeof given !== 'object' || given === null || Array.isArray(given) || ArrayBuffer.isView(given)) {
    throw new InputError(`run takes an object with the model's inputs, such as { ${JSON.stringify(names[0] ?? 'x')}: array }`);
  }
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) refuse(unknown, `is none of the model's, which are ${names.map((name) => `"${name}"`).join(', ')}`);
}
