// NumPy's .npy files, versions 1 to 3 (numpy.lib.format says how they are): of either order of bytes and of dimensions.

/** @import * as Api from '../model.js' */

import { ARRAYS } from '../elements.js';

/** @typedef {{dataType: Api.DataType, shape: number[], data: any}} Values elements in row-major order; halves as bits */

/** @type {Record<string, Api.DataType>} */
const TYPES = {
  b1: 'bool', i1: 'int8', u1: 'uint8', i2: 'int16', u2: 'uint16', i4: 'int32', u4: 'uint32', i8: 'int64', u8: 'uint64',
  f2: 'float16', f4: 'float32', f8: 'float64',
};
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** @param {Uint8Array} bytes */
export const isNpy = (bytes) => MAGIC.every((byte, i) => bytes[i] === byte);

/** @param {string} problem @returns {never} */
function refuse(problem) {
  throw new Error(`this .npy file ${problem}`);
}

/** @param {Uint8Array} bytes of a file that begins as one @returns {Values} */
export function readNpy(bytes) {
  const { type, order, isFortran, shape, start } = readHeader(bytes), dataType = TYPES[type];
  if (!dataType) refuse(`has elements "${order}${type}", which no input is of: save it as one of ${Object.keys(TYPES).join(', ')}`);
  const count = shape.reduce((n, size) => n * size, 1), width = ARRAYS[dataType].BYTES_PER_ELEMENT, end = start + count * width;
  if (bytes.length < end) refuse(`is cut short: [${shape.join(', ')}] of ${dataType} are ${count * width} bytes, and it has ${bytes.length - start}`);
  const own = bytes.slice(start, end);
  if (order === '>') swapBytes(own, width);
  const data = new ARRAYS[dataType](own.buffer);
  return { dataType, shape, data: isFortran ? inRows(data, shape) : data };
}

/** @param {Uint8Array} bytes */
function readHeader(bytes) {
  const version = bytes[6], at = version === 1 ? 10 : 12, view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!(version >= 1 && version <= 3)) refuse(`is of version ${version}, and 1 to 3 are known`);
  if (bytes.length < at) refuse('is cut short: it ends in its header');
  const start = at + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > bytes.length) refuse('is cut short: it ends in its header');
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(at, start));
  const [, order, type] = /['"]descr['"]\s*:\s*['"]([<>|=]?)([A-Za-z]+\d*)[^'"]*['"]/.exec(text) ?? [];
  const [, fortran] = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text) ?? [], [, sizes] = /['"]shape['"]\s*:\s*\(([\dL,\s]*)\)/.exec(text) ?? [];
  if (/['"]descr['"]\s*:\s*\[/.test(text)) refuse('has elements of several fields: save a single one');
  if (type === undefined || fortran === undefined || sizes === undefined) refuse('has a header that cannot be read');
  return { type, order, isFortran: fortran === 'True', shape: (sizes.match(/\d+/g) ?? []).map(Number), start };
}

/** @param {Uint8Array} bytes @param {number} width of an element */
function swapBytes(bytes, width) {
  for (let at = 0; width > 1 && at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

/** Elements whose first index goes fastest, with the last one fastest. @param {any} data @param {number[]} shape */
function inRows(data, shape) {
  const rows = new data.constructor(data.length), index = shape.map(() => 0), strides = shape.map((_, d) => shape.slice(0, d).reduce((n, size) => n * size, 1));
  for (let to = 0, from = 0; to < data.length; ++to) {
    rows[to] = data[from];
    for (let d = shape.length - 1; d >= 0; --d) {
      from += strides[d];
      if (++index[d] < shape[d]) break;
      from -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return rows;
}
