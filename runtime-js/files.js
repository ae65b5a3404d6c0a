// Reads the bundle's files, which lie beside this one: over HTTP in pages and workers, from disk in Node.

import { ModelLoadError, messageOf } from './errors.js';

// Spelt out one by one, bundlers find these files too.
export const FILES = {
  simd: new URL('model.wasm', import.meta.url),
  relaxed: new URL('model.relaxed.wasm', import.meta.url),
  weights: new URL('model.weights.bin', import.meta.url),
};

// Node's fetch does not read files. The name is a variable so that bundlers leave the import alone.
const NODE_FS = 'node:fs';
/** @returns {Promise<typeof import('node:fs')>} */
export const nodeFs = () => import(/* webpackIgnore: true */ /* @vite-ignore */ NODE_FS);
/** @param {URL} url */
export const isNodeFile = (url) => url.protocol === 'file:' && typeof globalThis.process === 'object';

/** @param {URL} url @param {unknown} cause @param {AbortSignal} [signal] @returns {never} */
export function failToLoad(url, cause, signal) {
  signal?.throwIfAborted();
  if (cause instanceof ModelLoadError) throw cause;
  const hint = url.protocol === 'file:' && !isNodeFile(url) ? '; a page must be served by a web server' : '';
  throw new ModelLoadError(`cannot load ${url.href}: ${messageOf(cause)}${hint}`, { cause });
}

/** @param {URL} url @param {AbortSignal} [signal] @param {HeadersInit} [headers] */
export async function fetchFile(url, signal, headers) {
  const response = await fetch(url, { signal, headers }).catch((e) => failToLoad(url, e, signal));
  if (!response.ok) failToLoad(url, `the server answers ${response.status}`);
  return response;
}

/**
 * Bytes `first` to `end` of a file of `total` bytes, as they arrive.
 *
 * @param {URL} url @param {number} first @param {number} end @param {number} total
 * @param {AbortSignal} [signal] @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 */
export async function* readRange(url, first, end, total, signal) {
  let at = first;
  try {
    for await (const chunk of isNodeFile(url) ? readNodeFile() : download()) {
      yield chunk;
      at += chunk.length;
    }
  } catch (error) {
    failToLoad(url, error, signal);
  }
  if (at < end) failToLoad(url, `it has ${at} bytes, not ${total}: is it this model's?`);

  async function* readNodeFile() {
    const { createReadStream } = await nodeFs();
    yield* createReadStream(url, { start: first, end: end - 1, highWaterMark: 1 << 20, signal });
  }

  async function* download() {
    const part = first > 0 || end < total;
    const response = await fetchFile(url, signal, part ? { Range: `bytes=${first}-${end - 1}` } : {});
    // Servers may answer with the whole file.
    let skip = response.status === 206 ? 0 : first, left = end - first;
    const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
    try {
      while (left > 0) {
        const { value } = await reader.read();
        if (!value) return;
        const chunk = value.subarray(skip, skip + left);
        skip -= value.length - chunk.length;
        left -= chunk.length;
        if (chunk.length) yield chunk;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }
}
