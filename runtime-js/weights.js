// Loads weights, piece by piece, each checked by its hash.

/** @import { Finder, Freshness, LoadControl, Source } from './files.js' */
/** @import { Host } from './host.js' */

import { WEIGHTS_ID_OFFSET } from './abi.js';
import { BUILD } from './build.js';
import { WrongFileError, failToLoad, isNodeFile, pastCaches, readBytes, request, whatIsIt } from './files.js';

const CACHE = 'webnnc';
/** For what arrives, in bytes: as much as a browser has ready at once, and a processor's cache holds. */
const ROOM = 1 << 20;

/** @typedef {{first: number, end: number}} Range of the weights file */
/**
 * Where pieces go: the place of one in wasm's memory, and what is done with it when it is right.
 *
 * @typedef {{address: (start: number) => number, accept?: (start: number, end: number) => void}} Sink
 */

/** The pieces of a part of the file. @param {Range} range */
export function piecesOf({ first, end }) {
  let start = 0;
  return BUILD.weights.pieces.map(([pieceEnd, hash]) => {
    const piece = { start, end: pieceEnd, hash: BigInt(`0x${hash}`) };
    start = pieceEnd;
    return piece;
  }).filter((piece) => piece.start >= first && piece.end <= end);
}

/** The weights of a model: where they come from, and what of them is kept in the page. */
export class Weights {
  #isCached;
  /** What a lost GPU had. @type {(Range & {blob: Blob}) | undefined} */
  #kept;
  /** A download that was begun before there was a place for it. @type {(Range & {source: Source, response: Promise<Response>}) | undefined} */
  #begun;

  /** @param {Finder} files @param {boolean} isCached whether the browser's Cache holds them as well */
  constructor(files, isCached) {
    this.files = files;
    this.#isCached = isCached && 'caches' in globalThis;
  }

  /** Asks for a part of the file; `load` takes what comes. @param {Range} range @param {AbortSignal} [signal] */
  async begin({ first, end }, signal) {
    if (first === end || await this.#cached({ first, end })) return;
    const source = await this.files.find('weights');
    if (!(source.place instanceof URL) || isNodeFile(source.place)) return;
    const response = request(source.place, first, end < BUILD.weights.bytes || first > 0 ? end : Infinity, 0, signal);
    response.catch(() => {});
    this.#begun = { first, end, source, response };
  }

  /**
   * Brings a part of the file to its place.
   *
   * @param {Range} range @param {Host} host @param {Sink} sink @param {LoadControl} control
   * @param {boolean} keep whether the part may be needed again
   */
  async load(range, host, sink, control, keep) {
    const { first, end } = range, total = end - first, { signal, onProgress } = control;
    const report = (/** @type {number} */ at) => onProgress?.({ phase: 'weights', loaded: at - first, total });
    /** @type {Blob[]} */
    const parts = [];
    const todo = piecesOf(range);
    let heard = first;
    const take = async (/** @type {Source} */ source, /** @type {{fresh?: Freshness, started?: Promise<Response>}} */ how) => {
      let at = todo[0].start;
      for await (const chunk of readBytes(source, { first: at, end, total: BUILD.weights.bytes }, { ...how, signal, room: ROOM })) {
        signal?.throwIfAborted();
        for (let used = 0; used < chunk.length;) {
          const [piece] = todo, address = sink.address(piece.start), part = chunk.subarray(used, used + piece.end - at);
          host.bytes.set(part, address + at - piece.start);
          used += part.length;
          at += part.length;
          if (at < piece.end) continue;
          if (host.hash(address, piece.end - piece.start) !== piece.hash) throw new WrongFileError(source, 'damaged', 'it was damaged on its way');
          sink.accept?.(piece.start, piece.end);
          if (keep || this.#isCached) parts.push(new Blob([host.bytes.subarray(address, address + piece.end - piece.start)]));
          todo.shift();
        }
        // What was read before is not told again.
        if (at > heard && at < end) report(heard = at);
      }
    };
    report(first);
    if (total > 0) {
      if (!await this.#fromStore(range, todo, take)) {
        const source = this.#begun?.source ?? await this.files.find('weights');
        await this.#fromSource(range, source, take, signal);
        if (this.#isCached) await this.#store(range, new Blob(parts));
      }
      // On disk they are there anyway.
      if (keep && !this.#kept) this.#kept = { ...range, blob: new Blob(parts) };
      report(end);
    }
  }

  dispose() {
    this.#kept = undefined;
    this.#drop();
  }

  /** Ends a download that nobody takes. */
  #drop() {
    this.#begun?.response.then((response) => response.body?.cancel()).catch(() => {});
    this.#begun = undefined;
  }

  /**
   * @param {Range} range @param {Source} source @param {AbortSignal} [signal]
   * @param {(source: Source, how: {fresh?: Freshness, started?: Promise<Response>}) => Promise<void>} take
   */
  async #fromSource({ first, end }, source, take, signal) {
    const started = this.#begun?.first === first && this.#begun.end === end ? this.#begun.response : undefined;
    if (started) this.#begun = undefined;
    this.#drop();
    try {
      await pastCaches(source, (fresh) => take(source, { fresh, started: fresh ? undefined : started }));
    } catch (error) {
      throw error instanceof WrongFileError ? await explain(source, error, signal) : error;
    }
  }

  /**
   * What is kept in the page, or in the browser's cache.
   *
   * @param {Range} range @param {{start: number}[]} todo what is still missing
   * @param {(source: Source, how: {}) => Promise<void>} take @returns {Promise<boolean>} whether all is there
   */
  async #fromStore(range, todo, take) {
    const blob = this.#kept?.first === range.first && this.#kept.end === range.end ? this.#kept.blob : await this.#cached(range);
    if (!blob) return false;
    try {
      await take({ kind: 'weights', name: 'the weights that the browser keeps', place: blob, from: range.first }, {});
    } catch (error) {
      if (!(error instanceof WrongFileError)) throw error;
    }
    return todo.length === 0;
  }

  /** @param {Range} range @returns {Promise<Blob | undefined>} */
  async #cached(range) {
    if (!this.#isCached) return undefined;
    try {
      return await (await (await caches.open(CACHE)).match(await this.#key(range)))?.blob();
    } catch {
      // A cache that cannot be used is none.
      return undefined;
    }
  }

  /** Keeps a part in the browser, and drops those of other builds. @param {Range} range @param {Blob} blob */
  async #store(range, blob) {
    try {
      const cache = await caches.open(CACHE), key = await this.#key(range), [model] = key.split('?');
      const old = (await cache.keys()).filter(({ url }) => url.startsWith(`${model}?`) && !url.startsWith(`${model}?weights=${BUILD.weights.id}`));
      await Promise.all(old.map((request) => cache.delete(request)));
      await cache.put(key, new Response(blob));
    } catch {
      // There is no room, or no permission: the model runs all the same.
    }
  }

  /**
   * What the browser's Cache calls a part: the model's folder and name, since bundlers give the file
   * another name each time.
   *
   * @param {Range} range
   */
  async #key({ first, end }) {
    const { place } = await this.files.find('weights');
    const folder = place instanceof URL && /^http/.test(place.protocol) ? place : 'https://model.invalid/';
    return `${new URL(`webnnc-${encodeURIComponent(BUILD.name)}`, folder)}?weights=${BUILD.weights.id}&part=${first}-${end}`;
  }
}

/** Says of a wrong file whose it is, by its header. @param {Source} source @param {WrongFileError} error @param {AbortSignal} [signal] */
async function explain(source, error, signal) {
  const header = new Uint8Array(WEIGHTS_ID_OFFSET + 8);
  let filled = 0;
  try {
    for await (const chunk of readBytes(source, { first: 0, end: header.length, total: Infinity }, { signal, fresh: 2 })) {
      header.set(chunk.subarray(0, header.length - filled), filled);
      filled += chunk.length;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (!(cause instanceof WrongFileError)) failToLoad(source, cause, signal);
  }
  const what = whatIsIt(header);
  if (what) return new WrongFileError(source, 'missing', what);
  const id = new DataView(header.buffer).getBigUint64(WEIGHTS_ID_OFFSET, true).toString(16).padStart(16, '0');
  const isWeights = new TextDecoder().decode(header.subarray(0, 14)) === 'webnnc weights';
  if (filled >= header.length && isWeights && id !== BUILD.weights.id) {
    return new WrongFileError(source, 'other build', `it belongs to another build of the model (its weights are ${id}, ` +
      `and those of this model.js ${BUILD.weights.id}): put all files of one build on the server`);
  }
  if (filled >= header.length && !isWeights) return new WrongFileError(source, 'other build', 'it is not a weights file of webnnc');
  return error;
}
