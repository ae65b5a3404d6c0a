// A line between a page and its worker: either end calls functions of the other by name.

import { DeviceLostError, DisposedError, GpuError, InputError, ModelLoadError, OutOfMemoryError, UnsupportedError, messageOf } from './errors.js';

/** Those of ours that travel, by name. @type {Record<string, any>} */
const ERRORS = { DeviceLostError, DisposedError, GpuError, InputError, ModelLoadError, OutOfMemoryError, UnsupportedError };

/**
 * A function that the other end may call. `signal` tells that it no longer waits.
 *
 * @typedef {(argument: any, signal?: AbortSignal) => any} Answer
 */

/** What an answer gives along with its value: memory that is moved instead of copied. */
export class Moved {
  /** @param {any} value @param {any[]} memory */
  constructor(value, memory) {
    this.value = value;
    this.memory = memory;
  }
}

/**
 * The promise, or the signal's reason as soon as it is aborted.
 *
 * @template T @param {Promise<T>} promise @param {AbortSignal} [signal] @returns {Promise<T>}
 */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** An error as it travels: classes stay behind. @param {any} error */
function pack(error) {
  const { name = 'Error', message = String(error), file, reason } = error ?? {};
  return { name, message, file, reason };
}

/** @param {ReturnType<typeof pack>} packed @returns {Error} */
function unpack({ name, message, file, reason }) {
  const Type = ERRORS[name] ?? Reflect.get(globalThis, name);
  const error = Type?.prototype instanceof Error ? new Type(message) : Object.assign(new Error(message), { name });
  return file === undefined ? error : Object.assign(error, { file, reason });
}

/**
 * Where messages go. `rest` hears whether anybody waits for an answer.
 *
 * @typedef {{post: (message: any, memory: any[]) => void, rest?: (isWaiting: boolean) => void}} End
 */

export class Line {
  #far;
  #answers;
  #last = 0;
  /** Calls without an answer yet. @type {Map<number, {resolve: (value: any) => void, reject: (error: any) => void}>} */
  #calls = new Map();
  /** What ends the answers that are being found. @type {Map<number, AbortController>} */
  #stops = new Map();
  /** @type {unknown} */
  #end;

  /** @param {End} far the other end @param {Record<string, Answer>} answers to what it calls */
  constructor(far, answers) {
    this.#far = far;
    this.#answers = answers;
  }

  /**
   * @param {string} name @param {any} argument @param {AbortSignal} [signal] ends the call at the other end as well
   * @param {any[]} [memory] is moved, not copied
   * @returns {Promise<any>}
   */
  async call(name, argument, signal, memory = []) {
    this.check();
    signal?.throwIfAborted();
    const id = ++this.#last, stop = () => this.#far.post({ stop: id }, []);
    try {
      this.#far.post({ call: id, name, argument, mayStop: signal !== undefined }, memory);
    } catch (cause) {
      throw new InputError(`an input cannot be passed to the worker: ${messageOf(cause)}`, { cause });
    }
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await abortable(new Promise((resolve, reject) => {
        this.#calls.set(id, { resolve, reject });
        this.#far.rest?.(true);
      }), signal);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#calls.delete(id);
      this.#far.rest?.(this.#calls.size > 0);
    }
  }

  /** Throws if it has ended. */
  check() {
    if (this.#end) throw this.#end;
  }

  /** Calls without waiting for an answer. @param {string} name @param {any} argument */
  tell(name, argument) {
    this.#far.post({ name, argument }, []);
  }

  /** Hangs up: whoever waits for an answer gets the error. @param {unknown} error */
  end(error) {
    this.#end ??= error;
    for (const { reject } of this.#calls.values()) reject(error);
  }

  /** Takes a message of the other end. @param {any} message */
  async hear({ call, name, argument, mayStop, answer, value, error, stop }) {
    if (answer) return error ? this.#calls.get(answer)?.reject(unpack(error)) : this.#calls.get(answer)?.resolve(value);
    if (stop) return this.#stops.get(stop)?.abort();
    if (!call) return void this.#answers[name](argument);
    const controller = new AbortController();
    this.#stops.set(call, controller);
    try {
      const given = await this.#answers[name](argument, mayStop ? controller.signal : undefined), isMoved = given instanceof Moved;
      this.#far.post({ answer: call, value: isMoved ? given.value : given }, isMoved ? given.memory : []);
    } catch (failure) {
      this.#far.post({ answer: call, error: pack(failure) }, []);
    } finally {
      this.#stops.delete(call);
    }
  }
}
