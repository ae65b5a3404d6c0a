// Runs the kernels of a bundle's wasm one by one, in Node, Deno or a page (step_times.mjs).

import { Team, makeMemory } from '../../runtime-js/team.js';

/** Below this, in ms, a step is run several times: pages see time in steps of 5 µs. */
const SHORTEST = 0.2;

/** Pages that a module for threads finds, which asks for some number of them. */
const SHARED_PAGES = 2048;

/**
 * A module and its weights; one for several threads says how many.
 * @typedef {{bytes: BufferSource, weights: Uint8Array, threads?: number}} Program
 */

/**
 * The CPU's program, ready to run on whatever is in memory.
 * @param {Program} program
 * @param {Record<string, number>} sizes of symbols
 */
async function instantiate({ bytes, weights, threads = 1 }, sizes) {
  const module = await WebAssembly.compile(bytes);
  /** @type {Record<string, Record<string, () => number>>} */
  const imports = {};
  // WASI's, which only the command uses.
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
  const shared = threads > 1 ? makeMemory(SHARED_PAGES) : undefined;
  if (shared) imports.env = /** @type {any} */ ({ memory: shared });
  const instance = await WebAssembly.instantiate(module, imports), exports = /** @type {any} */ ({ ...instance.exports, ...shared && { memory: shared } });
  setSizes(exports.memory.buffer, exports.webnnc_model(), sizes);
  if (exports.webnnc_sizes() !== 0 || exports.webnnc_prepare(0) !== 0) throw new Error('sizes are not known: fix symbols with --dim, or give them with --size');
  const view = new DataView(exports.memory.buffer), root = exports.webnnc_model();
  // Fields of abi::Model: programs is number 10, weights number 12; of abi::Program: step_count number 5.
  const stepCount = view.getUint32(view.getUint32(root + 40, true) + 20, true);
  new Uint8Array(exports.memory.buffer).set(weights, view.getUint32(root + 48, true));
  const team = shared ? new Team(threads, /** @type {any} */ (undefined)) : undefined;
  await team?.join(module, /** @type {WebAssembly.Memory} */ (shared), exports);
  /** Ends when all threads are waiting for work. */
  const gather = async () => {
    if (!team) return;
    do {
      team.call();
      // Their answers to earlier calls are heard meanwhile.
      await new Promise((done) => setTimeout(done));
    } while (exports.webnnc_helpers() < threads - 1);
  };
  return { stepCount, run: () => exports.webnnc_run(0), step: exports.webnnc_step, gather, dispose: () => team?.dispose() };
}

/** Symbols come first in dims. @param {ArrayBuffer} memory @param {number} model @param {Record<string, number>} sizes */
function setSizes(memory, model, sizes) {
  const view = new DataView(memory), bytes = new Uint8Array(memory);
  // Fields of abi::Model: symbol_count is number 1, symbol_names number 2, dims number 4.
  const [count, names, dims] = [4, 8, 16].map((at) => view.getUint32(model + at, true));
  for (let s = 0; s < count; ++s) {
    const at = view.getUint32(names + 4 * s, true), name = new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
    if (sizes[name] !== undefined) view.setInt32(dims + 4 * s, sizes[name], true);
  }
}

/** @param {() => void} work */
function wall(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/**
 * The least time of each step of each program, in ms. Programs take turns in each step, so that what disturbs one disturbs all.
 * @param {Program[]} modules
 * @param {number} runs
 * @param {Record<string, number>} [sizes] of symbols
 * @param {(work: () => void) => number} [time] in ms
 */
export async function timeSteps(modules, runs, sizes = {}, time = wall) {
  const programs = await Promise.all(modules.map((module) => instantiate(module, sizes)));
  // Engines compile anew what has run for some time.
  for (const { run, gather } of programs) {
    await gather();
    for (const end = performance.now() + 500; performance.now() < end;) run();
  }
  const best = programs.map(({ stepCount }) => new Array(stepCount).fill(Infinity));
  for (let round = 0; round < runs; ++round) {
    for (let s = 0; s < Math.max(...programs.map(({ stepCount }) => stepCount)); ++s) {
      for (const [p, { step, stepCount, gather }] of programs.entries()) {
        if (s >= stepCount) continue;
        await gather();
        const times = best[p][s] < SHORTEST ? Math.ceil(SHORTEST / Math.max(best[p][s], 0.001)) : 1;
        const took = time(() => { for (let i = 0; i < times; ++i) step(s); });
        best[p][s] = Math.min(best[p][s], took / times);
      }
    }
  }
  const whole = programs.map(() => Infinity);
  for (let round = 0; round < runs; ++round) {
    for (const [p, { run, gather }] of programs.entries()) {
      await gather();
      whole[p] = Math.min(whole[p], time(run));
    }
  }
  for (const { dispose } of programs) dispose();
  return { best, whole };
}
