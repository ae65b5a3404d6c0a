// The shaders that kernels of this build may have, if it was compiled with --tunable. The compiler puts them in the place of the
// name below when it writes a bundle's model.profile.js; docs/bundle.md says what is in it.

/** @import { Candidate, Kernel } from './job.js' */

/**
 * A kernel of a program by its number, and its shaders, of which the first one is in use. `grid` gives the workgroups and `tell` what the
 * buffer of sizes holds, for values of the symbols in the order of the module's; the other figures are for likely sizes.
 *
 * @typedef {{kernel: number, buffers: Kernel['buffers'],
 *   candidates: (Pick<Candidate, 'bindings' | 'workgroups' | 'sizes'> & {wgsl: string, grid: OfSymbols, tell: OfSymbols})[]}} Alternatives
 * @typedef {(symbols: ArrayLike<number>) => number[]} OfSymbols
 */

/** By model and program. @type {Alternatives[][][]} */
export const ALTERNATIVES = /** @type {any} */ (globalThis).__webnnc_alternatives__;
