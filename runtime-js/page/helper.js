// Does the tasks of tasks.js in a worker, so that the page stays responsive; where there can be none, here.

/** @import { tasksWith } from './tasks.js' */

/** @typedef {ReturnType<typeof tasksWith>} Tasks */

export class Helper {
  #tasks;
  /** @type {Worker | undefined} */
  #worker;
  /** @type {Map<number, {name: keyof Tasks, task: any, done: (result: any) => void, fail: (error: unknown) => void}>} */
  #open = new Map();
  #last = 0;

  /** @param {Tasks} tasks @param {string} address of the worker's script */
  constructor(tasks, address) {
    this.#tasks = tasks;
    // Pictures are drawn on canvases, which not every engine's workers have.
    if (typeof Worker !== 'function' || typeof OffscreenCanvas !== 'function') return;
    try {
      this.#worker = new Worker(address, { type: 'module', name: 'page' });
    } catch {
      return;
    }
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#leaveWorker();
    };
  }

  /**
   * @template {keyof Tasks} K
   * @param {K} name @param {Parameters<Tasks[K]>[0]} task @returns {Promise<Awaited<ReturnType<Tasks[K]>>>}
   */
  call(name, task) {
    const worker = this.#worker;
    if (!worker) return /** @type {any} */ (this.#tasks[name])(task);
    return new Promise((done, fail) => {
      const id = ++this.#last;
      this.#open.set(id, { name, task, done, fail });
      worker.postMessage({ id, name, task });
    });
  }

  /** @param {{id: number, result?: any, error?: unknown}} answer */
  #hear({ id, result, error }) {
    const call = this.#open.get(id);
    this.#open.delete(id);
    if (error) call?.fail(error);
    else call?.done(result);
  }

  /** Its script cannot be run here: all is done in the page. */
  #leaveWorker() {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { name, task, done, fail } of this.#open.values()) /** @type {any} */ (this.#tasks[name])(task).then(done, fail);
    this.#open.clear();
  }
}
