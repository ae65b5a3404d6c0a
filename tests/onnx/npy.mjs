// .npy files (NumPy's format, version 1) as what model.run takes and gives.

import { readFileSync, writeFileSync } from 'node:fs';

/** NumPy's names for element types. f16 is kept as bits. */
export const TYPES = {
  bool: ['|b1', Uint8Array], int8: ['|i1', Int8Array], uint8: ['|u1', Uint8Array],
  int16: ['<i2', Int16Array], uint16: ['<u2', Uint16Array], int32: ['<i4', Int32Array],
  uint32: ['<u4', Uint32Array], int64: ['<i8', BigInt64Array], uint64: ['<u8', BigUint64Array],
  float16: ['<f2', Uint16Array], float32: ['<f4', Float32Array], float64: ['<f8', Float64Array],
};

/** @typedef {{ data: ArrayBufferView & ArrayLike<number | bigint>, shape: number[], dataType: keyof typeof TYPES }} Tensor */

/** @param {string} path @returns {Tensor} */
export function readNpy(path) {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const [, description] = /'descr': '([^']*)'/.exec(header) ?? [];
  const [, sizes = ''] = /'shape': \(([^)]*)\)/.exec(header) ?? [];
  const found = Object.entries(TYPES).find(([, [name]]) => name === description);
  if (!found) throw new Error(`${path} holds elements of type ${description}`);
  const [dataType, [, Elements]] = found;
  const data = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length);
  return {
    // @ts-expect-error: all of them take a buffer
    data: new Elements(data),
    shape: sizes.split(',').filter((size) => size.trim()).map(Number),
    dataType: /** @type {keyof typeof TYPES} */ (dataType),
  };
}

/** @param {string} path @param {Tensor} tensor */
export function writeNpy(path, { data, shape, dataType }) {
  const [description] = TYPES[dataType];
  let header = `{'descr': '${description}', 'fortran_order': False, 'shape': (${shape.map((size) => `${size}, `).join('')}), }`;
  // The elements start at a multiple of 64 bytes.
  header += ' '.repeat(63 - ((10 + header.length) % 64)) + '\n';
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  const elements = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  writeFileSync(path, Buffer.concat([start, Buffer.from(header, 'latin1'), elements]));
}
