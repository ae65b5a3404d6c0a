// Files that are of use only as a whole, each checked by its hash.

/** @import * as Api from './model.js' */
/** @import { Freshness, LoadControl, Source } from './files.js' */
/** @import { FileRecord } from './build.js' */

import { BUILD } from './build.js';
import { WrongFileError, isNodeFile, ofOtherBuild, readBytes, request, whatIsIt } from './files.js';
import { xxh32 } from './xxh32.js';

/**
 * All bytes of a file, checked to be the build's.
 *
 * @param {Source} source @param {Api.Progress['phase']} phase that it is loaded in @param {Freshness} fresh @param {LoadControl} control
 * @param {(bytes: Uint8Array<ArrayBuffer>) => Promise<string>} buildOf the id that the file has of its build, if it is another one's
 * @param {(response: Response) => Response} [watch] is given what the server answers
 */
export async function readWhole(source, phase, fresh, { signal, onProgress }, buildOf, watch) {
  const { place } = source, { bytes: total, hash } = recordOf(source);
  const started = place instanceof URL && !isNodeFile(place) ? request(place, 0, Infinity, fresh, signal).then(watch) : undefined;
  const chunks = [];
  let loaded = 0;
  onProgress?.({ phase, loaded, total });
  for await (const chunk of readBytes(source, { first: 0, end: Infinity, total }, { signal, fresh, started })) {
    chunks.push(chunk);
    loaded += chunk.length;
    onProgress?.({ phase, loaded: Math.min(loaded, total), total });
  }
  const bytes = joined(chunks, loaded);
  if (loaded !== total || xxh32(bytes) !== hash) throw await explain(source, bytes, buildOf);
  return bytes;
}

/** @param {Source} source @returns {FileRecord} */
const recordOf = ({ kind }) => /** @type {any} */ (BUILD)[kind];

/** @param {Uint8Array<ArrayBuffer>[]} chunks @param {number} length */
function joined(chunks, length) {
  if (chunks.length === 1) return chunks[0];
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Says of a wrong file whose it is. @param {Source} source @param {Uint8Array<ArrayBuffer>} bytes @param {(bytes: Uint8Array<ArrayBuffer>) => Promise<string>} buildOf */
async function explain(source, bytes, buildOf) {
  const what = whatIsIt(bytes), { bytes: total } = recordOf(source);
  if (what) return new WrongFileError(source, 'missing', what);
  const id = await buildOf(bytes).catch(() => undefined);
  if (id !== undefined && id !== BUILD.id) return ofOtherBuild(source, id);
  return new WrongFileError(source, 'damaged', bytes.length < total ? `it was cut short: it has ${bytes.length} bytes, not ${total}` : 'it was damaged on its way');
}
