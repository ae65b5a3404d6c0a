// Outputs as files: NumPy's .npy, JSON, PNG.

/** @import * as Api from '../model.js' */

import { make } from './dom.js';
import { numbersIn, pacer } from './values.js';

/** NumPy's names of element types, in the order of bytes that all engines have. @type {Record<Api.DataType, string>} */
const DESCRIPTIONS = {
  bool: '|b1', int8: '|i1', uint8: '|u1', int16: '<i2', uint16: '<u2', int32: '<i4', uint32: '<u4', int64: '<i8', uint64: '<u8',
  float16: '<f2', float32: '<f4', float64: '<f8',
};
const SLICE = 1 << 14, SOON = 10_000;

/** Saves a file. @param {string} name @param {Blob | string} content */
export function offer(name, content) {
  const href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: 'application/json' }));
  make('a', { download: name, href }).click();
  // Some browsers read it later.
  setTimeout(() => URL.revokeObjectURL(href), SOON);
}

/** A name for a file. @param {string} name @param {string} extension */
export const fileName = (name, extension) => `${name.replace(/[^\w.-]+/g, '_') || 'output'}.${extension}`;

/** Version 1.0 of the format: numpy.lib.format says it. @param {Api.Tensor} tensor */
export function npyOf({ data, shape, dataType }) {
  const dictionary = `{'descr': '${DESCRIPTIONS[dataType]}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64, header = new Uint8Array(length).fill(32);
  header.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, length - 10 & 255, length - 10 >> 8]);
  header.set(new TextEncoder().encode(dictionary), 10);
  header[length - 1] = 10;
  const { buffer, byteOffset, byteLength } = /** @type {Uint8Array<ArrayBuffer>} */ (data);
  return new Blob([header, new Uint8Array(buffer, byteOffset, byteLength)], { type: 'application/octet-stream' });
}

/** JSON has no NaN and nothing infinite: those are the strings "NaN", "Infinity" and "-Infinity". @param {Api.Tensor} tensor */
export async function jsonOf(tensor) {
  const { data, shape, dataType } = tensor, isLong = dataType.endsWith('int64'), numbers = isLong ? /** @type {any} */ (data) : await numbersIn(tensor), pace = pacer();
  /** @type {(string | Blob)[]} */
  const parts = [`{"shape":${JSON.stringify(shape)},"dataType":"${dataType}","data":[`];
  for (let start = 0; start < numbers.length; start += SLICE) {
    const slice = [];
    for (let i = start; i < Math.min(numbers.length, start + SLICE); ++i) slice.push(isLong || Number.isFinite(numbers[i]) ? String(numbers[i]) : `"${numbers[i]}"`);
    // Each slice is encoded by itself, since all at once would take long.
    parts.push(new Blob([start ? ',' : '', slice.join()]));
    await pace();
  }
  return new Blob([...parts, ']}\n'], { type: 'application/json' });
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
export function pngOf(canvas) {
  return new Promise((done, fail) => canvas.toBlob((blob) => blob ? done(blob) : fail(new Error('the browser cannot save this picture')), 'image/png'));
}
