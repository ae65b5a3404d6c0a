// What the compiler knows of the work in this build. It puts it in the place of the name below when it writes a
// bundle's model.profile.js; docs/bundle.md says what is in it.

/**
 * What a step does, for values of the symbols in the order of the module's: operations on elements, and bytes that it
 * has to move.
 *
 * @typedef {(symbols: ArrayLike<number>) => [operations: number, bytes: number]} StepWork
 */

/** By model, program and step. @type {StepWork[][][]} */
export const WORK = /** @type {any} */ (globalThis).__webnnc_work__;
