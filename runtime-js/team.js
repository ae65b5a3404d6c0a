// Threads that share the work of models on the CPU: this one, which runs the models, and workers. The workers are the
// same for all models of a thread, whichever bundles they come from. Each has an instance of each module, with the same
// memory; in it lies what is to be done (src/runtime/parallel.cpp), so that no message is sent while models run.

/** @import { Finder } from './files.js' */

import { BUILD } from './build.js';
import { OutOfMemoryError, UnsupportedError, messageOf } from './errors.js';
import { serveTeams } from './thread.js';
import { addressOf, scriptAddress, startWorker } from './threads.js';

/** How long a worker waits for the next run before it can hear of others, in microseconds. */
const PATIENCE = 100_000;
/** What wasm32 can address, in pages. */
const MOST_PAGES = 65536;
/** More would be in each other's way. */
const MOST_THREADS = 8;

/**
 * A worker, with who waits for its answers, which come in order.
 *
 * @typedef {{settle: (answer: {problem?: string}) => void}} Asker
 * @typedef {{worker: any, askers: Asker[]}} Helper
 * @typedef {{helpers: Promise<Helper>[], teams: Set<object>, dismiss?: () => void, last: number, gathering: number}} Crew which team's
 *   helpers `dismiss` lets go
 */
/** Of all bundles in this thread whose messages are the same. @returns {Crew} */
const crewOf = () => (/** @type {any} */ (globalThis))[Symbol.for('webnnc.team.1')] ??= { helpers: [], teams: new Set(), last: 0, gathering: 0 };

/** Node and its like, where memory is shared without being asked for. */
const isProgram = () => typeof globalThis.process === 'object' && !globalThis.document;

/** How many threads a model is to have, and why only one if that may be news. @typedef {{count: number, reason?: string}} ThreadPlan */
/** What came of it: those who will share the work, and whether a GPU does it, if that is known. @typedef {{team?: Team, reason?: string, isOnGpu?: boolean}} Hired */
/** Who shares the work on the CPU, or why nobody does; memory may be shared all the same. @typedef {{team?: Team, reason?: string, isShared?: boolean}} Work */

/** @param {number | undefined} wanted the option @returns {ThreadPlan} */
export function planThreads(wanted) {
  // Of models that take no time worth sharing there are no modules for threads.
  if (globalThis.WEBNNC_MORE_MODULES === false || wanted === 1 || !BUILD.threads) return { count: 1 };
  if (globalThis.crossOriginIsolated !== true && !isProgram()) {
    return { count: 1, reason: 'the page is not cross-origin isolated, which takes the headers Cross-Origin-Opener-Policy: same-origin and ' +
      'Cross-Origin-Embedder-Policy: require-corp' };
  }
  // Its programs do not end while there are workers.
  if ('Deno' in globalThis && !wanted) return { count: 1, reason: 'in Deno, more have to be asked for' };
  const cores = globalThis.navigator?.hardwareConcurrency ?? globalThis.process?.getBuiltinModule?.('node:os').availableParallelism() ?? 1;
  const count = wanted ?? (cores <= 4 ? cores : Math.min(MOST_THREADS, Math.ceil(cores / 2)));
  return { count, reason: 'there is one core' };
}

/**
 * Who shares the work of a module that was made.
 *
 * @param {WebAssembly.Module} module @param {WebAssembly.Memory | undefined} memory none if the module is for one thread
 * @param {any} exports @param {Hired} hired
 * @returns {Promise<Work>}
 */
export async function workOf(module, memory, exports, { team, reason }) {
  if (!team) return { reason };
  try {
    if (!memory) throw new Error('model.threads.wasm is missing');
    await team.join(module, memory, exports);
    return { team, isShared: true };
  } catch (error) {
    team.dispose();
    return { reason: messageOf(error), isShared: Boolean(memory) };
  }
}

/** Memory that threads share: as much as there may be. @param {number} initial in pages @returns {WebAssembly.Memory} */
export function makeMemory(initial) {
  for (let maximum = MOST_PAGES; ; maximum >>= 1) {
    try {
      return new WebAssembly.Memory({ initial, maximum, shared: true });
    } catch (error) {
      // Where addresses are few, less can be set aside.
      if (maximum >> 1 <= initial) throw error;
    }
  }
}

/** A worker whose script is in this one, or, where the page's policy forbids that, the bundle's. @param {Finder} files */
async function hire(files) {
  const address = await scriptAddress([`(${serveTeams})()`]);
  try {
    return await begin(address);
  } catch (error) {
    // Of a Worker that was given there is no address.
    return files.find('worker').then(addressOf).then(begin).catch(() => {
      throw error;
    });
  } finally {
    if (typeof address === 'string') URL.revokeObjectURL(address);
  }
}

/** @param {URL | string} address @returns {Promise<Helper>} */
async function begin(address) {
  const worker = startWorker(address), isNode = !worker.addEventListener;
  /** @type {Helper} */
  const helper = { worker, askers: [] };
  const listen = (/** @type {string} */ type, /** @type {(event: any) => void} */ listener) => {
    if (isNode) worker.on(type, listener);
    else worker.addEventListener(type, listener);
  };
  listen('message', (event) => helper.askers.shift()?.settle((isNode ? event : event.data).team));
  listen('error', (event) => {
    event.preventDefault?.();
    for (const { settle } of helper.askers.splice(0)) settle({ problem: event.message || 'the page\'s policy (worker-src) forbids it' });
  });
  // An answer shows that it runs.
  return ask(helper, { id: 0 }).then(() => helper, (error) => {
    worker.terminate();
    throw error;
  });
}

/** @param {Helper} helper @param {{id: number, module?: WebAssembly.Module, memory?: WebAssembly.Memory, stack?: number, patience?: number}} call */
function ask({ worker, askers }, call) {
  return new Promise((resolve, reject) => {
    askers.push({ settle: (answer) => answer.problem ? reject(new Error(answer.problem)) : resolve(undefined) });
    worker.postMessage({ team: call });
  });
}

/** In Node, workers keep a program going only while they are waited for. @param {number} more */
function keepGoing(more) {
  const crew = crewOf();
  crew.gathering += more;
  for (const hired of crew.helpers) {
    hired.then(({ worker }) => crew.gathering ? worker.ref?.() : worker.unref?.(), () => {});
  }
}

/** The threads of one module. */
export class Team {
  #id;
  /** Of this thread's instance. @type {any} */ #exports;
  /** @type {Promise<Helper>[]} */
  #hired;
  /** @type {Helper[]} */
  #helpers = [];

  /** Workers start at once, so that they are there when the module is. @param {number} size how many threads, this one included @param {Finder} files */
  constructor(size, files) {
    const { helpers, teams } = crewOf();
    this.#id = ++crewOf().last;
    teams.add(this);
    while (helpers.length < size - 1) {
      const hired = hire(files);
      helpers.push(hired);
      hired.catch(() => helpers.splice(helpers.indexOf(hired), 1));
    }
    this.#hired = helpers.slice(0, size - 1);
  }

  /**
   * @param {WebAssembly.Module} module @param {WebAssembly.Memory} memory @param {any} exports of this thread's instance
   * @throws {Error} There are no workers, or there is not enough memory.
   */
  async join(module, memory, exports) {
    this.#exports = exports;
    keepGoing(1);
    try {
      this.#helpers = await Promise.all(this.#hired).catch((cause) => {
        throw new UnsupportedError(`workers cannot be started: ${messageOf(cause)}`, { cause });
      });
      await Promise.all(this.#helpers.map((helper) => {
        const stack = exports.webnnc_stack() >>> 0;
        if (!stack) throw new OutOfMemoryError('wasm has not enough memory for threads');
        return ask(helper, { id: this.#id, module, memory, stack });
      }));
      exports.webnnc_threads(this.size);
    } finally {
      keepGoing(-1);
    }
  }

  /** How many threads there are, this one included. */
  get size() {
    return this.#helpers.length + 1;
  }

  /** Calls the workers to this module, whose model is about to run. It does not wait for them. */
  call() {
    const crew = crewOf(), dismiss = this.#exports.webnnc_dismiss;
    if (crew.dismiss !== dismiss) crew.dismiss?.();
    crew.dismiss = dismiss;
    if (this.#exports.webnnc_helpers() === this.#helpers.length) return;
    // Those that have left may not have been heard of yet: they are asked once more.
    for (const helper of this.#helpers) {
      if (helper.askers.length < 2) ask(helper, { id: this.#id, patience: PATIENCE }).catch(() => {});
    }
  }

  dispose() {
    const crew = crewOf(), dismiss = this.#exports?.webnnc_dismiss;
    if (!crew.teams.delete(this)) return;
    dismiss?.();
    if (crew.dismiss === dismiss) crew.dismiss = undefined;
    for (const helper of this.#helpers) ask(helper, { id: this.#id }).catch(() => {});
    if (crew.teams.size) return;
    for (const hired of crew.helpers.splice(0)) hired.then(({ worker }) => worker.terminate(), () => {});
  }
}
