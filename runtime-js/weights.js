// Downloads weights.

/** @import * as Api from './model.js' */

import { FILES, readRange } from './files.js';

/** @typedef {{signal?: AbortSignal, onProgress?: Api.LoadOptions['onProgress']}} LoadControl */

/**
 * Downloads the part of the weights that a program reads, and passes it on with its place in the file.
 *
 * @param {{first: number, end: number, total: number}} range
 * @param {(chunk: Uint8Array<ArrayBuffer>, at: number) => void} put @param {LoadControl} control
 */
export async function loadWeights({ first, end, total }, put, { signal, onProgress }) {
  const report = (/** @type {number} */ at) => onProgress?.({ loaded: at - first, total: end - first });
  let at = first;
  if (end > first) {
    for await (const chunk of readRange(FILES.weights, first, end, total, signal)) {
      signal?.throwIfAborted();
      put(chunk, at);
      at += chunk.length;
      if (at < end) report(at);
    }
  }
  report(end);
}
