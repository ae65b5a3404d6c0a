// What the compiler knows of this build. It puts a record in the place of the name below when it
// writes a bundle's model.js; docs/bundle.md says what is in it.

/**
 * @typedef {{bytes: number, hash: number}} ModuleRecord a file's size and XXH32
 * @typedef {{kind: 'webgpu' | 'wasm', features: string[], limits: Record<string, number>,
 *   first: number, end: number}} ProgramRecord what a GPU must offer, and the part of the weights file that it reads
 * @typedef {{id: string, bytes: number, pieces: [end: number, hash: string][]}} WeightsRecord
 * @typedef {{id: string, webnnc: string, name: string, wasm: ModuleRecord, relaxed: ModuleRecord, weights: WeightsRecord,
 *   programs: ProgramRecord[]}} Build
 */

/** @type {Build} */
export const BUILD = /** @type {any} */ (globalThis).__webnnc_build__;
