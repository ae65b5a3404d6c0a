// The models of this build, in the order that the module has them: one or several.

/** @import { ModelRecord, ProgramRecord } from './build.js' */

import { BUILD } from './build.js';

/** @type {ModelRecord[]} */
export const MODELS = globalThis.WEBNNC_MODELS !== false && BUILD?.models || [BUILD];

/**
 * What programs need together of a GPU, and which part of the weights file they read.
 *
 * @param {{index: number}[]} choices a program of each model, by its index; -1 is none @returns {Pick<ProgramRecord, 'features' | 'limits' | 'first' | 'end'>}
 */
export function needsOf(choices) {
  if (globalThis.WEBNNC_MODELS === false) return BUILD.programs[choices[0].index];
  const programs = choices.flatMap(({ index }, m) => MODELS[m].programs[index] ?? []), reading = programs.filter((program) => program.end > 0);
  /** @type {Record<string, number>} */
  const limits = {};
  for (const [name, limit] of programs.flatMap((program) => Object.entries(program.limits))) limits[name] = Math.max(limit, limits[name] ?? 0);
  const end = Math.max(0, ...reading.map((program) => program.end)), first = Math.min(end, ...reading.map((program) => program.first));
  return { features: [...new Set(programs.flatMap(({ features }) => features))], limits, first, end };
}

/** What was begun for an owner. @type {WeakMap<object, Promise<any>>} */
const begun = /* @__PURE__ */ new WeakMap();

/**
 * Does something once for an owner, whoever asks for it; if it fails, it may be tried again.
 *
 * @template T @param {object} owner @param {() => Promise<T>} work @returns {Promise<T>}
 */
export function once(owner, work) {
  const known = begun.get(owner) ?? work();
  begun.set(owner, known);
  known.catch(() => begun.delete(owner));
  return known;
}

/**
 * The module's functions as one of several models has them: they work on that one. `isVoid` tells whether another one has been
 * prepared since.
 *
 * @param {any} exports @param {number} index of the model @param {{chosen?: number, prepared?: number}} turn what they have in common
 */
export function exportsOf(exports, index, turn) {
  /** @type {any} */
  const own = { memory: exports.memory, isVoid: () => turn.prepared !== index };
  for (const [name, work] of Object.entries(exports)) {
    if (typeof work !== 'function') continue;
    own[name] = (/** @type {number[]} */ ...values) => {
      if (turn.chosen !== index) exports.webnnc_model(turn.chosen = index);
      if (name === 'webnnc_prepare') turn.prepared = index;
      return work(...values);
    };
  }
  return own;
}
