// .npy files (NumPy's format, version 1) as what model.run takes and gives.

import { readFileSync, writeFileSync } from 'node:fs';

/** NumPy's names for element types. f16 is kept as bits. */
const TYPES = {
  bool: ['|b1', Uint8Array], i8: ['|i1', Int8Array], u8: ['|u1', Uint8Array],
  i16: ['<i2', Int16Array], u16: ['<u2', Uint16Array], i32: ['<i4', Int32Array],
  u32: ['<u4', Uint32Array], i64: ['<i8', BigInt64Array], u64: ['<u8', BigUint64Array],
  f16: ['<f2', Uint16Array], f32: ['<f4', Float32Array], f64: ['<f8', Float64Array],
};

/** @typedef {{ data: ArrayBufferView & ArrayLike<number | bigint>, shape: number[], dtype: keyof typeof TYPES }} Tensor */

/** @param {string} path @returns {Tensor} */
export function readNpy(path) {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, start);
  const [, description] = /'descr': '([^']*)'/.exec(header) ?? [];
  const [, sizes = ''] = /'shape': \(([^)]*)\)/.exec(header) ?? [];
  const found = Object.entries(TYPES).find(([, [name]]) => name === description);
  if (!found) throw new Error(`${path} holds elements of type ${description}`);
  const [dtype, [, Elements]] = found;
  const data = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length);
  return {
    // @ts-expect-error: all of them take a buffer
    data: new Elements(data),
    shape: sizes.split(',').filter((size) => size.trim()).map(Number),
    dtype: /** @type {keyof typeof TYPES} */ (dtype),
  };
}

/** @param {string} path @param {Tensor} tensor */
export function writeNpy(path, { data, shape, dtype }) {
  const [description] = TYPES[dtype];
  let header = `{'descr': '${description}', 'fortran_order': False, 'shape': (${shape.map((size) => `${size}, `).join('')}), }`;
  // The elements start at a multiple of 64 bytes.
  header += ' '.repeat(63 - ((10 + header.length) % 64)) + '\n';
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  const elements = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  writeFileSync(path, Buffer.concat([start, Buffer.from(header, 'latin1'), elements]));
}
