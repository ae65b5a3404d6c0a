// Finds and reads the bundle's files: over HTTP, from disk in Node, or as the caller gave them. What
// arrives may be a file of another build or damaged; those who read it know by its hash.

/** @import * as Api from './model.js' */

/** @import { ShadersKind } from './build.js' */

import { BUILD } from './build.js';
import { ModelLoadError, messageOf } from './errors.js';

/** @import { Profiler } from './model.profile.js' */

/** @typedef {'wasm' | 'relaxed' | 'threads' | 'relaxed.threads' | 'relaxed.dots' | 'relaxed.threads.dots'} ModuleKind */
/** @typedef {keyof typeof NAMES | ModuleKind | ShadersKind} FileKind */
/** @typedef {URL | Blob | Uint8Array<ArrayBuffer> | Response} Place where a file's bytes are */
/**
 * Where to read a file, and what to call it. Of some places the first bytes, up to `from`, are left out.
 *
 * @typedef {{kind: FileKind, name: string, place: Place, from?: number}} Source
 */
/** Where files are. @typedef {Pick<Files, 'find' | 'isGiven'>} Finder */
/** @typedef {{signal?: AbortSignal, onProgress?: Api.LoadOptions['onProgress']}} LoadControl */

const NAMES = { wasm: 'model.wasm', weights: 'model.weights.bin', worker: 'model.worker.js', profile: 'model.profile.js' };

/** @param {FileKind} kind @returns {string} */
const nameOf = (kind) => /** @type {any} */ (NAMES)[kind] ?? `model.${kind}.${kind.startsWith('shaders') ? 'json' : 'wasm'}`;

/**
 * The address of a file beside this script. Spelt out one by one, bundlers find these files. In the body of a `try`,
 * esbuild does not warn that a script of another format has no address of its own.
 *
 * @param {FileKind} kind
 */
function beside(kind) {
  try {
    switch (/** @type {keyof typeof NAMES | 'relaxed' | 'shaders'} */ (kind)) {
      case 'wasm': return new URL('model.wasm', import.meta.url);
      case 'relaxed': return new URL('model.relaxed.wasm', import.meta.url);
      case 'weights': return new URL('model.weights.bin', import.meta.url);
      // Stands for what not every bundle has: files of shaders, and modules for threads or products of bytes. The compiler puts here those that there are
      // (src/bundle/identity.h).
      case 'shaders': return new URL('model.shaders.json', import.meta.url);
      case 'worker': return new URL('model.worker.js', import.meta.url);
      case 'profile': return new URL('model.profile.js', import.meta.url);
    }
  } catch (cause) {
    throw addressUnknown(kind, cause);
  }
}
/** @param {FileKind} kind @param {unknown} cause */
const addressUnknown = (kind, cause) => new ModelLoadError(`it is not known where ${nameOf(kind)} is: model.js was bundled into a script that has ` +
  'no address, or came from a blob; pass load({ baseUrl }) or load({ files })', { cause });

/** Pauses before a failed download is taken up again, in ms. */
const PAUSES = [250, 1000, 4000];
/** How long a download may stand still, in ms. */
const PATIENCE = 30000;
const MOST_LETTERS = 120;

// Node's fetch does not read files. The name is a variable so that bundlers leave the import alone.
const NODE_FS = 'node:fs';
/** @returns {Promise<typeof import('node:fs')>} */
export const nodeFs = async () => globalThis.process.getBuiltinModule?.('node:fs') ?? import(NODE_FS);
/** @param {Place} place @returns {place is URL} */
export const isNodeFile = (place) => place instanceof URL && place.protocol === 'file:' && typeof globalThis.process === 'object';

/** What arrived is not this build's file. */
export class WrongFileError extends ModelLoadError {
  /** @param {Source} source @param {'missing' | 'damaged' | 'other build'} reason @param {string} text */
  constructor({ name }, reason, text) {
    super(`cannot load ${name}: ${text}`);
    this.file = name;
    this.reason = reason;
  }
}

/**
 * How far a request goes: as usual; past the browser's cache, which keeps what comes then; or past all
 * caches on the way as well.
 *
 * @typedef {0 | 1 | 2} Freshness
 */

/**
 * Does the work and, if the file was wrong, again past caches, which may hold a file of a build before,
 * or have kept what was damaged on its way.
 *
 * @template T @param {Source} source @param {(fresh: Freshness) => Promise<T>} work
 */
export async function pastCaches({ place }, work) {
  const last = place instanceof URL && isHttp(place) ? 2 : 0;
  for (let fresh = /** @type {Freshness} */ (0);; ++fresh) {
    try {
      return await work(fresh);
    } catch (error) {
      if (!(error instanceof WrongFileError) || fresh === last) throw error;
    }
  }
}

/** @param {Source} source @param {unknown} cause @param {AbortSignal} [signal] @returns {never} */
export function failToLoad({ name, place }, cause, signal) {
  signal?.throwIfAborted();
  if (cause instanceof ModelLoadError) throw cause;
  const isPage = place instanceof URL && place.protocol === 'file:' && !isNodeFile(place);
  const error = new ModelLoadError(`cannot load ${name}: ${messageOf(cause)}${isPage ? '; a page must be served by a web server' : ''}`, { cause });
  throw Object.assign(error, { file: name, reason: 'missing' });
}

/** @param {URL} url */
const short = ({ href }) => href.length > MOST_LETTERS ? `${href.slice(0, MOST_LETTERS)}…` : href;

/** What addresses that callers give are relative to. */
const here = () => globalThis.document?.baseURI ?? globalThis.location?.href ?? workingFolder();
// A path may hold letters that mean something in an address.
const workingFolder = () => globalThis.process?.cwd && `file://${globalThis.process.cwd().replace(/[%?#]/g, encodeURIComponent)}/`;

export class Files {
  /** @param {Api.LoadOptions} options */
  constructor({ baseUrl, files = {} }) {
    this.baseUrl = baseUrl;
    this.given = /** @type {Record<string, any>} */ (files);
  }

  /** Whether a file is known to be there, since the caller gave it. @param {FileKind} kind */
  isGiven(kind) {
    return this.given[kind] !== undefined;
  }

  /** @param {FileKind} kind @returns {Promise<Source>} */
  async find(kind) {
    const given = await this.given[kind], name = `files.${kind}`;
    if (given === undefined) return sourceAt(kind, await this.#address(kind));
    if (typeof given === 'string' || given instanceof URL) return sourceAt(kind, resolve(given, name));
    if (given instanceof Response || given instanceof Blob) return { kind, name, place: given };
    if (given instanceof ArrayBuffer) return { kind, name, place: new Uint8Array(given) };
    if (ArrayBuffer.isView(given)) return { kind, name, place: new Uint8Array(/** @type {ArrayBuffer} */ (given.buffer), given.byteOffset, given.byteLength) };
    throw new TypeError(`${name} is none of a URL, Response, Blob, ArrayBuffer or typed array`);
  }

  /** @param {FileKind} kind @returns {Promise<URL>} */
  async #address(kind) {
    const url = await this.#plainAddress(kind);
    // A build's files are at addresses of their own, so caches may keep them for ever.
    if (isHttp(url) && !url.search) url.search = `?v=${kind === 'weights' ? BUILD.weights.id : BUILD.id}`;
    return url;
  }

  /** @param {FileKind} kind */
  async #plainAddress(kind) {
    if (this.baseUrl !== undefined) {
      const base = resolve(this.baseUrl, 'baseUrl');
      if (!base.pathname.endsWith('/')) base.pathname += '/';
      return new URL(nameOf(kind), base);
    }
    const address = beside(kind);
    try {
      return await absolute(address);
    } catch (cause) {
      throw addressUnknown(kind, cause);
    }
  }
}

/** @param {URL} url */
const isHttp = (url) => /^https?:$/.test(url.protocol);

/** What is imported needs its address. @param {FileKind} kind @param {URL} url @returns {Source} */
const sourceAt = (kind, url) => ({ kind, name: short(url), place: url.protocol === 'data:' && kind !== 'profile' ? decode(url.href) : url });

/** @param {string | URL} address @param {string} option which of them it is */
function resolve(address, option) {
  try {
    return new URL(address, here());
  } catch {
    throw new TypeError(`${option} is "${address}", which is no address`);
  }
}

/**
 * What bundlers make of `new URL` may be a path on their server, "/_next/static/media/model.wasm". In
 * Node that is a file among those that they wrote.
 *
 * @param {URL} url
 */
async function absolute({ href }) {
  const url = new URL(href, here());
  return isNodeFile(url) && href.startsWith('/') ? await findOnDisk(href) ?? url : url;
}

/** Looks for a file around the running script, and above. @param {string} path of which the first folders may not be there */
async function findOnDisk(path) {
  const { existsSync } = await nodeFs(), names = path.split('/').slice(1);
  const tails = names.map((_, i) => names.slice(i).join('/'));
  // In a stack, modules have addresses and other scripts have paths.
  const scripts = [...(new Error().stack ?? '').matchAll(/(?:at |\()(file:\/\/)?(\/[^():]*\/)[^():/]+:\d+/g)]
    .map(([, isAddress, folder]) => isAddress ? decodeURIComponent(folder) : folder);
  // Scripts that are kept in memory, as by Next's development server, have no folder.
  for (let folder of [...scripts, ...['server', 'dev/server'].map((name) => `${globalThis.process.cwd()}/.next/${name}/`)]) {
    for (; folder; folder = folder.replace(/[^/]*\/$/, '')) {
      const found = tails.flatMap((tail) => [folder + tail, `${folder}chunks/${tail}`]).find((file) => existsSync(file));
      if (found) return new URL(`file://${found.replace(/[%?#]/g, encodeURIComponent)}`);
    }
  }
  return undefined;
}

/** A data: URL's bytes; policies forbid to fetch them. @param {string} href */
function decode(href) {
  const comma = href.indexOf(','), body = href.slice(comma + 1);
  const text = /;base64$/i.test(href.slice(0, comma)) ? atob(decodeURIComponent(body)) : unescapeBytes(body);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
/** @param {string} text percent-encoded bytes */
const unescapeBytes = (text) => text.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)));

/**
 * Asks for bytes `first` to `end` of a file.
 *
 * @param {URL} url @param {number} first @param {number} end Infinity for all @param {Freshness} fresh
 * @param {AbortSignal} [signal]
 */
export function request(url, first, end, fresh, signal) {
  const address = new URL(url);
  if (fresh === 2) address.searchParams.set('again', String(Date.now()));
  const range = first > 0 || end < Infinity ? { Range: `bytes=${first}-${end < Infinity ? end - 1 : ''}` } : undefined;
  return fetch(address, { signal, headers: range, cache: fresh ? 'reload' : 'default' });
}

/** @param {Source} source @param {Response} response */
function checkAnswer(source, response) {
  if (response.status === 416) throw new WrongFileError(source, 'damaged', 'it was cut short');
  // What is not there will not come by asking again; a server that is busy may answer later.
  if (response.status < 500 && response.status !== 429 && !response.ok) failToLoad(source, `the server answers ${response.status}`);
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  return response;
}

/**
 * Bytes `first` to `end` of a file that has `total`, as they arrive. A download that breaks off or
 * stands still is taken up where it was.
 *
 * @param {Source} source @param {{first: number, end: number, total: number}} range `end` and `total`
 *   may be Infinity, for a file that may have another length
 * @param {{signal?: AbortSignal, fresh?: Freshness, started?: Promise<Response>, room?: number}} control `started`: what `request`
 *   gave for these bytes; `room`: of so many bytes, which chunks may come in one after the other, each used before the next is asked for
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 */
export async function* readBytes(source, { first, end, total }, { signal, fresh = 0, started, room }) {
  let at = first, failures = 0;
  while (at < end) {
    const stop = new AbortController();
    signal?.addEventListener('abort', () => stop.abort(signal.reason), { signal: stop.signal });
    try {
      for await (const chunk of chunksOf(source, at, end, total, fresh, stop.signal, started, room)) {
        yield chunk;
        at += chunk.length;
        failures = 0;
      }
      if (end === Infinity) return;
      if (at < end) throw new WrongFileError(source, 'damaged', `it has ${at} bytes, not ${total}`);
    } catch (error) {
      signal?.throwIfAborted();
      const mayRecover = source.place instanceof URL && isHttp(source.place) && !(error instanceof ModelLoadError);
      if (!mayRecover || failures === PAUSES.length) failToLoad(source, error, signal);
      await new Promise((done) => setTimeout(done, PAUSES[failures++]));
      signal?.throwIfAborted();
    } finally {
      started = undefined;
      // Ends what is still under way when the caller has enough.
      stop.abort();
    }
  }
}

/**
 * @param {Source} source @param {number} first @param {number} end @param {number} total @param {Freshness} fresh
 * @param {AbortSignal} signal @param {Promise<Response>} [started] @param {number} [room]
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 */
async function* chunksOf(source, first, end, total, fresh, signal, started, room) {
  const { place, from = 0 } = source;
  if (isNodeFile(place)) {
    const { createReadStream } = await nodeFs();
    yield* createReadStream(place, { start: first, end: end - 1, highWaterMark: 1 << 20, signal });
  } else if (place instanceof Uint8Array) {
    yield place.subarray(first, end);
  } else if (place instanceof Blob) {
    yield* partOf(place.slice(first - from, end - from).stream(), 0, end - first, room);
  } else if (place instanceof Response) {
    if (place.bodyUsed) throw new WrongFileError(source, 'damaged', 'the Response that was given has been read before: give a URL or a Blob');
    yield* partOf(bodyOf(place), first, end - first, room);
  } else {
    const response = checkAnswer(source, await inTime(started ?? request(place, first, end < total ? end : first > 0 && total < Infinity ? total : Infinity, fresh, signal)));
    const size = Number(/\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1] ?? total);
    if (size !== total && total < Infinity) throw new WrongFileError(source, 'damaged', `it has ${size} bytes, not ${total}`);
    // Servers may answer with the whole file.
    yield* partOf(bodyOf(response), response.status === 206 ? 0 : first, end - first, room);
  }
}

/** @typedef {ReadableStream<Uint8Array<ArrayBuffer>>} Body */

/** @param {Response} response */
const bodyOf = (response) => /** @type {Body} */ (response.body);

/**
 * What a stream gives, without its first `skip` bytes and at most `left`.
 *
 * @param {Body} body @param {number} skip @param {number} left @param {number} [room]
 */
async function* partOf(body, skip, left, room) {
  const { reader, read } = readerOf(body, room);
  try {
    for (;;) {
      // The end is read as well, so that the download counts as finished.
      const { value } = await inTime(read());
      if (!value) return;
      const chunk = value.subarray(skip, skip + left), rest = value.length - skip - chunk.length;
      skip = Math.max(0, skip - value.length);
      left -= chunk.length;
      if (chunk.length) yield chunk;
      if (!left && rest > 0) return;
    }
  } finally {
    // Of no effect when all was read.
    reader.cancel().catch(() => {});
  }
}

/**
 * A stream's reader. With `room`, bytes come into the same memory again and again, which is in the processor's cache and need not be made
 * anew, if the stream is one of bytes and the engine knows such readers.
 *
 * @param {Body} body @param {number} [room]
 * @returns {{reader: {cancel: () => Promise<void>}, read: () => Promise<{value?: Uint8Array<ArrayBuffer>}>}}
 */
function readerOf(body, room) {
  if (room) {
    try {
      const reader = body.getReader({ mode: 'byob' });
      let memory = new ArrayBuffer(room);
      return {
        reader,
        async read() {
          const { value } = await reader.read(new Uint8Array(memory));
          if (value) memory = value.buffer;
          return { value: value?.length ? value : undefined };
        },
      };
    } catch {
      // Any stream can be read as it comes.
    }
  }
  const reader = body.getReader();
  return { reader, read: () => reader.read() };
}

/** @template T @param {Promise<T>} arrival @returns {Promise<T>} */
async function inTime(arrival) {
  /** @type {any} */
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no bytes arrived for ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    return await Promise.race([arrival, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is in a file that is of another build. @param {Source} source @param {string} id of that build */
export const ofOtherBuild = (source, id) => new WrongFileError(source, 'other build', `it belongs to another build of the model, or to another model (${id}, ` +
  `and this model.js is of ${BUILD.id}): put all files of one build on the server, and two models into two folders`);

/** What measures models. @param {Finder} files @returns {Promise<Profiler>} */
export async function importProfiler(files) {
  const source = await files.find('profile');
  /** @type {Profiler} */
  const profiler = await import(/** @type {URL} */ (source.place).href).catch((cause) => failToLoad(source, cause));
  if (profiler.id !== BUILD.id) throw ofOtherBuild(source, profiler.id);
  return profiler;
}

/**
 * What the beginning of a file tells of it, if it is none that was asked for.
 *
 * @param {Uint8Array} bytes @returns {string} '' if nothing
 */
export function whatIsIt(bytes) {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, 64)).trimStart().toLowerCase();
  if (text.startsWith('<')) return 'the server sent a page of HTML instead: is it at this address?';
  if (text.startsWith('version https://git-lfs')) return 'it is a pointer of Git LFS: fetch the file that it stands for (git lfs pull)';
  return '';
}
