// What the compiler knows of this build. It puts a record in the place of the name below when it
// writes a bundle's model.js; docs/bundle.md says what is in it.

/**
 * @typedef {{bytes: number, hash: number, pages?: number}} FileRecord a file's size and XXH32, and of what threads share the least memory
 * @typedef {{kind: 'webgpu' | 'wasm', features: string[], limits: Record<string, number>,
 *   first: number, end: number, shaders?: ShadersKind}} ProgramRecord what a GPU must offer, the part of the weights file that it reads, and the
 *   file that its shaders are in
 * @typedef {`shaders${string}`} ShadersKind files of shaders: "shaders.f16" is model.shaders.f16.json
 * @typedef {{id: string, bytes: number, pieces: [end: number, hash: string][]}} WeightsRecord
 * @typedef {{key?: string, name: string, programs: ProgramRecord[]}} ModelRecord what callers of several know a model by
 * @typedef {ModelRecord & {id: string, webnnc: string, wasm: FileRecord, relaxed: FileRecord,
 *   threads?: FileRecord, 'relaxed.threads'?: FileRecord, 'relaxed.dots'?: FileRecord, 'relaxed.threads.dots'?: FileRecord, weights: WeightsRecord,
 *   models?: ModelRecord[]} & Record<ShadersKind, FileRecord>} Build which has `models` instead of `programs` if there are several
 */

/** @type {Build} */
export const BUILD = /** @type {any} */ (globalThis).__webnnc_build__;
