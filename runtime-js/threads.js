// Starts the bundle's worker, in pages and in Node.

/** @import { Files, Source } from './files.js' */
/** @import { End, Line } from './line.js' */

import { ModelLoadError, UnsupportedError, messageOf } from './errors.js';
import { isNodeFile, readBytes } from './files.js';

/**
 * A worker, whoever made it: `connect` brings its messages to a line; `onFailure` is told what it did not catch,
 * and whether that was its end, which is not known of a worker that others use as well. `stop` ends it, unless it is
 * theirs.
 *
 * @typedef {(error: Error, isEnd: boolean) => void} OnFailure
 * @typedef {End & {connect: (line: Line, onFailure: OnFailure) => void, stop: () => void}} Thread
 */

/** Whether workers are Node's, as there are none of the web's. */
const areNodes = () => typeof Worker !== 'function';

/** @returns {any} the class of workers */
const workerType = () => areNodes() ? globalThis.process?.getBuiltinModule?.('node:worker_threads').Worker : Worker;

/** Starts a worker. @param {URL | string} address */
export function startWorker(address) {
  const Type = workerType();
  if (!Type) throw new UnsupportedError('there are no workers here');
  // Flags of a program in Node are none of the worker's.
  return new Type(address, { type: 'module', name: 'webnnc', execArgv: [] });
}

/** @param {Files} files @param {AbortSignal} [signal] @returns {Promise<Thread>} */
export async function startThread(files, signal) {
  const given = await files.given.worker;
  if (typeof given?.postMessage === 'function') return threadOf(given, 'the Worker that was given', false);
  if (!workerType()) throw new UnsupportedError('there are no workers here: load without { worker: true }');
  const source = await files.find('worker'), address = await addressOf(source, signal);
  try {
    return threadOf(startWorker(address), source.name, true);
  } catch (cause) {
    throw failure(source.name, cause);
  }
}

/** @param {any} worker @param {string} name @param {boolean} isOwn @returns {Thread} */
function threadOf(worker, name, isOwn) {
  // Several lines may lead to one worker.
  const id = Math.random(), isNode = !worker.addEventListener, leave = new AbortController();
  const listen = (/** @type {string} */ type, /** @type {(event: any) => void} */ listener) => {
    if (!isNode) return worker.addEventListener(type, listener, { signal: leave.signal });
    worker.on(type, listener);
    leave.signal.addEventListener('abort', () => worker.off(type, listener));
  };
  return {
    post: (message, memory) => worker.postMessage({ webnnc: id, ...message }, memory),
    connect(line, onFailure) {
      listen('message', (event) => {
        const data = isNode ? event : event.data;
        if (data?.webnnc === id) line.hear(data);
      });
      if (isNode) listen('exit', () => onFailure(failure(name, 'it has ended'), true));
      listen('messageerror', () => onFailure(failure(name, 'what it sent cannot be read, for want of memory or since a type is unknown here'), true));
      listen('error', (event) => {
        // It is told by an error of the model's, so not in the console as well.
        if (isOwn) event.preventDefault?.();
        onFailure(failure(name, event.message || 'it is not there, is no script, or the page\'s policy (worker-src) forbids it'), isOwn);
      });
    },
    // In Node, what runs in a worker keeps the program going, not that there is one.
    rest: (isWaiting) => void (isOwn && (isWaiting ? worker.ref?.() : worker.unref?.())),
    stop() {
      leave.abort();
      if (isOwn) worker.terminate();
    },
  };
}

/** @param {string} name @param {unknown} cause */
const failure = (name, cause) => Object.assign(new ModelLoadError(`cannot run ${name}: ${messageOf(cause)}`, { cause }), { file: name, reason: 'missing' });

/**
 * An address that workers are started from. Those of other origins are not: their bytes are.
 *
 * @param {Source} source @param {AbortSignal} [signal]
 */
export async function addressOf(source, signal) {
  const { place } = source, { origin } = globalThis.location ?? {};
  if (place instanceof URL && (areNodes() ? isNodeFile(place) : !origin || place.origin === origin || place.protocol === 'blob:')) return place;
  const chunks = [];
  for await (const chunk of readBytes(source, { first: 0, end: Infinity, total: Infinity }, { signal })) chunks.push(chunk);
  return scriptAddress(chunks);
}

/** An address of a script's text. @param {(Uint8Array<ArrayBuffer> | string)[]} chunks */
export async function scriptAddress(chunks) {
  const script = new Blob(chunks, { type: 'text/javascript' });
  return areNodes() ? new URL(`data:text/javascript,${encodeURIComponent(await script.text())}`) : URL.createObjectURL(script);
}
