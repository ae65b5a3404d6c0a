// A model in a worker, as the page sees it. What callers pass is checked and converted here, so that it
// can be posted; the worker does all else, by the code that pages without one use.

/** @import * as Api from './model.js' */
/** @import { Files, FileKind } from './files.js' */
/** @import { Pixels } from './pictures.js' */
/** @import { Thread } from './threads.js' */

import { arraysOf, lend, partsOf } from './arrays.js';
import { BUILD } from './build.js';
import { fill } from './elements.js';
import { DisposedError, UnsupportedError } from './errors.js';
import { failToLoad } from './files.js';
import { takesPictures } from './frames.js';
import { parseInput } from './inputs.js';
import { Line } from './line.js';
import { parseList } from './lists.js';
import { DISPOSE, bindMethods, build, noState } from './methods.js';
import { PROFILE_OPTIONS, RUN_OPTIONS, checkInputs, checkOptions, destinationsOf } from './options.js';
import { checkPixels, isFile, isPixels, toDrawable } from './pictures.js';
import { sessionOf } from './state.js';
import { startThread } from './threads.js';

/** @type {FileKind[]} */
const KINDS = ['wasm', 'relaxed', 'threads', 'relaxed.threads', 'relaxed.dots', 'relaxed.threads.dots', 'weights'];

/** What a model uses of a line and a thread. @typedef {Pick<Line, 'call' | 'check' | 'tell' | 'end'> & Pick<Thread, 'stop'>} Extension */

/** @implements {Api.Model} */
export class RemoteModel {
  /** @type {Pick<Extension, 'call' | 'check' | 'tell' | 'end'>} */ #line;
  /** @type {Pick<Extension, 'stop'>} */ #thread;
  name = '';
  /** @type {'webgpu' | 'wasm'} */
  backend = 'wasm';
  backendReason = '';
  threads = 1;
  build = build;
  device = undefined;
  /** @type {Api.Port[]} */
  inputs = [];
  /** @type {Api.Port[]} */
  outputs = [];

  /** @param {Api.LoadOptions} options @param {Files} files @returns {Promise<any>} all models, or the only one */
  static async load({ signal, device, onProgress, onDeviceLost, baseUrl: _, files: __, worker: ___, ...options }, files) {
    if (device) throw new UnsupportedError('a GPUDevice stays in its thread: load without `device`, or without `worker`');
    const thread = await startThread(files, signal), line = new Line(thread, {
      find: (kind) => findFor(files, kind),
      progress(progress) {
        try {
          onProgress?.(progress);
        } catch (error) {
          // Without a worker it would end the load, too.
          line.end(error);
        }
      },
      lost: (info) => onDeviceLost?.(info),
    });
    let isLoaded = false;
    thread.connect(line, (error, isEnd) => {
      if (!isLoaded) line.end(error);
      else if (isEnd) line.end(new DisposedError(`the worker has ended (${error.message}): load the model again`, { cause: error }));
    });
    try {
      const given = KINDS.filter((kind) => files.isGiven(kind));
      const models = await line.call('load', { build: BUILD.id, options, given, isHeard: onProgress !== undefined }, signal);
      isLoaded = true;
      if (globalThis.WEBNNC_MODELS !== false) return extensionsOf(line, thread, models).map((own, i) => new RemoteModel(own, own, models[i]));
      return new RemoteModel(line, thread, models);
    } catch (error) {
      line.end(error);
      thread.stop();
      throw error;
    }
  }

  /** What the model keeps from run to run. @type {{input: string, output: string}[]} */
  #kept = [];
  #sessions = 0;
  /** @type {Api.State | undefined} */
  state;

  /** @param {Pick<Extension, 'call' | 'check' | 'tell' | 'end'>} line @param {Pick<Extension, 'stop'>} thread @param {any} about what the worker says of the model */
  constructor(line, thread, { kept, ...about }) {
    this.#line = line;
    this.#thread = thread;
    Object.assign(this, about);
    if (globalThis.WEBNNC_WALKS !== false && kept) {
      this.#kept = kept;
      this.state = this.#stateOf(0);
    }
    bindMethods(this);
  }

  /** @param {number} session @returns {any} */
  #stateOf(session) {
    if (globalThis.WEBNNC_WALKS !== false) {
      const call = (/** @type {string} */ method, /** @type {any} */ saved) => this.#line.call('state', { session, method, saved });
      return { reset: () => call('reset', undefined), save: () => call('save', undefined), load: (/** @type {any} */ saved) => call('load', saved) };
    }
  }

  /** @returns {any} */
  session() {
    if (globalThis.WEBNNC_WALKS !== false && this.state) {
      const session = ++this.#sessions, made = this.#line.call('session', { session });
      made.catch(() => {});
      return sessionOf(this.#stateOf(session), {
        run: (/** @type {any} */ inputs, /** @type {any} */ options) => this.#run(inputs, options, session),
        profile: (/** @type {any} */ inputs, /** @type {any} */ options) => this.#profile(inputs, options, session),
        dispose: () => void this.#line.call('session', { session, isOver: true }).catch(() => {}),
      });
    }
    throw noState();
  }

  /** @param {any} inputs @param {Api.RunSettings & {outputs?: any}} [options] @returns {Promise<any>} */
  run(inputs, options) {
    return this.#run(inputs, options, 0);
  }

  /** @param {any} inputs @param {any} options @param {number} session 0 is the model itself @returns {Promise<any>} */
  async #run(inputs, options = {}, session) {
    checkOptions('run', options, RUN_OPTIONS);
    const { outputs, signal, transfer = false } = options;
    if (destinationsOf(outputs, this.outputs).includes('gpu')) {
      throw new UnsupportedError('the model runs in a worker, whose tensors on the GPU the page cannot use: load it without `worker`');
    }
    const arrays = arraysOf(outputs, this.outputs), there = arrays.length ? { ...outputs } : outputs;
    // Their memory is the worker's meanwhile, but for shared memory, which stays, and is filled here.
    const moved = arrays.flatMap(({ buffer }, i) => buffer instanceof ArrayBuffer ? [buffer] : (there[this.outputs[i].name] = 'data', []));
    const tensors = await lend(arrays, () => this.#call('run', session, inputs, { outputs: there }, signal, transfer, moved));
    this.outputs.forEach((port, i) => {
      const tensor = tensors[port.name];
      if (tensor && port.labels) tensor.labels = port.labels;
      if (arrays[i]?.length) tensor.data = fill(port.dataType, partsOf([arrays[i]], [port], [tensor.shape])[0], tensor.data);
    });
    return tensors;
  }

  /** @param {any} inputs @param {Api.ProfileOptions} [options] @returns {Promise<Api.Profile>} */
  profile(inputs, options) {
    return this.#profile(inputs, options, 0);
  }

  /** @param {any} inputs @param {any} options @param {number} session @returns {Promise<Api.Profile>} */
  async #profile(inputs, options = {}, session) {
    checkOptions('profile', options, PROFILE_OPTIONS);
    const { signal, ...rest } = options;
    return this.#call('profile', session, inputs, rest, signal, false);
  }

  /**
   * @param {string} name @param {number} session @param {any} given inputs @param {any} options for the worker @param {AbortSignal | undefined} signal
   * @param {boolean} mayMove whether the caller leaves the arrays to the model @param {ArrayBufferLike[]} [moved] memory that is in the options
   */
  async #call(name, session, given, options, signal, mayMove, moved = []) {
    this.#line.check();
    signal?.throwIfAborted();
    checkInputs(given, this.inputs);
    /** @type {Set<ArrayBufferLike>} */
    const memory = new Set(moved);
    const ports = globalThis.WEBNNC_WALKS === false ? this.inputs : this.inputs.filter(({ name }) => given[name] !== undefined || !this.#kept.some(({ input }) => input === name));
    const parts = ports.map((port) => postable(port, given[port.name], mayMove, memory));
    // Without waiting where there is no picture, so that inputs are on their way when the caller goes on.
    const values = parts.some((part) => part instanceof Promise) ? await Promise.all(parts) : parts;
    const inputs = Object.fromEntries(ports.map((port, i) => [port.name, values[i]]));
    const { result, ...state } = await this.#line.call(name, { session, inputs, options }, signal, [...memory]);
    Object.assign(this, state);
    return result;
  }

  dispose() {
    this.#line.tell('dispose', undefined);
    this.#line.end(new DisposedError('the model was disposed of: load it again'));
    this.#thread.stop();
  }

  [DISPOSE]() {
    this.dispose();
  }
}

/**
 * The line and the thread as each of several models uses them: its calls say which model it is, and it ends them for itself
 * unless it is the last.
 *
 * @param {Line} line @param {Thread} thread @param {any[]} models @returns {Extension[]}
 */
function extensionsOf(line, thread, models) {
  const users = new Set(models.keys());
  return models.map((_, model) => {
    /** @type {unknown} */
    let over;
    /** @type {Set<(error: unknown) => void>} */
    const waiting = new Set();
    const check = () => {
      line.check();
      if (over) throw over;
    };
    return {
      check,
      async call(name, argument, signal, memory) {
        check();
        return new Promise((resolve, reject) => {
          waiting.add(reject);
          line.call(name, { ...argument, model }, signal, memory).then(resolve, reject).finally(() => waiting.delete(reject));
        });
      },
      tell: (name) => line.tell(name, model),
      end(error) {
        over ??= error;
        for (const reject of waiting) reject(error);
        users.delete(model);
        if (!users.size) line.end(error);
      },
      stop() {
        if (!users.size) thread.stop();
      },
    };
  });
}

/**
 * An input that can be posted.
 *
 * @param {Api.Port} port @param {any} given @param {boolean} mayMove @param {Set<ArrayBufferLike>} memory that is moved
 */
function postable(port, given, mayMove, memory) {
  if (takesPictures(port)) {
    const post = (/** @type {any} */ source) => postablePicture(source, `input "${port.name}"`);
    return Array.isArray(given) ? Promise.all(given.map(post)) : post(given);
  }
  if (globalThis.WEBNNC_LISTS !== false && port.list) {
    const list = parseList(port, given)?.map(({ data, shape }) => ({ data: data.slice(), shape })) ?? null;
    for (const { data } of list ?? []) memory.add(data.buffer);
    return port.list === 'optional' ? list?.[0] ?? null : list;
  }
  const { data, count, shape } = parseInput(port, given);
  if (count === undefined) {
    throw new UnsupportedError(`input "${port.name}" is a buffer of a GPU, and the model runs in a worker, which cannot use it: load it without \`worker\``);
  }
  // A view brings along all of its memory, and shared memory could change meanwhile.
  const elements = mayMove && data.buffer instanceof ArrayBuffer ? data : data.slice();
  memory.add(elements.buffer);
  return { data: elements, shape };
}

/**
 * Files, bitmaps and frames can be posted; what belongs to the document becomes a bitmap.
 *
 * @param {any} source @param {string} what
 */
function postablePicture(source, what) {
  if (isPixels(source)) return pixelsOf(checkPixels(source, what));
  if (isFile(source)) return source;
  toDrawable(source, what);
  return ['ImageBitmap', 'VideoFrame'].includes(source.constructor.name) ? source : createImageBitmap(source, { premultiplyAlpha: 'none' });
}

/** A copy. @param {Pixels} pixels */
const pixelsOf = ({ data, width, height }) => ({ data: data.slice(), width, height });

/** Where a file is, in a form that can be posted. @param {Files} files @param {FileKind} kind */
async function findFor(files, kind) {
  const source = await files.find(kind), { place } = source;
  if (place instanceof URL) return { ...source, place: place.href };
  return place instanceof Response ? { ...source, place: await place.blob().catch((cause) => failToLoad(source, cause)) } : source;
}
