// Lists of tensors: what model.run takes and gives for them, and the tensors that they are packed
// into, which files are of.

import { TYPES } from './npy.mjs';

/** @import { Tensor } from './npy.mjs' */

/** @typedef {Record<string, {kind: 'sequence' | 'optional' | 'optional sequence', dataType: keyof typeof TYPES, columns: number}>} Lists */

const countOf = (/** @type {number[]} */ shape) => shape.reduce((product, size) => product * size, 1);

/** Parts of lists as lists. @param {Record<string, Tensor>} tensors @param {Lists} lists @returns {Record<string, any>} */
export function gather(tensors, lists) {
  const parts = Object.entries(tensors).filter(([port]) => !Object.keys(lists).some((name) => port.startsWith(`${name}:`)));
  return Object.fromEntries(parts.map(([port, tensor]) => {
    if (!lists[port]) return [port, tensor];
    const { kind } = lists[port], { data: sizes, shape: [count, columns] } = tensors[`${port}:shapes`];
    let at = 0;
    const list = Array.from({ length: count }, (_, i) => {
      const shape = Array.from({ length: columns }, (_, d) => Number(sizes[i * columns + d])).filter((size) => size >= 0);
      const data = /** @type {any} */ (tensor.data).slice(at, at += countOf(shape));
      return { data, shape, dataType: tensor.dataType };
    });
    if (kind === 'optional') return [port, list[0] ?? null];
    return [port, kind === 'optional sequence' && !tensors[`${port}:there`].data[0] ? null : list];
  }));
}

/** Lists as their parts. @param {Record<string, any>} values @param {Lists} lists @returns {Record<string, Tensor>} */
export function split(values, lists) {
  return Object.fromEntries(Object.entries(values).flatMap(([port, value]) => {
    if (!lists[port]) return [[port, value]];
    const { kind, dataType, columns } = lists[port], [, Elements] = TYPES[dataType];
    /** @type {Tensor[]} */
    const list = value === null ? [] : kind === 'optional' ? [value] : value;
    if (list.some((tensor) => tensor.dataType !== dataType)) throw new Error(`${port} has elements of another type`);
    const data = Elements.from(list.flatMap((tensor) => [.../** @type {any} */ (tensor.data)]));
    const sizes = list.flatMap(({ shape }) => Array.from({ length: columns }, (_, d) => BigInt(shape[d] ?? -1)));
    return [
      [port, { data, shape: [data.length], dataType }],
      [`${port}:shapes`, { data: BigInt64Array.from(sizes), shape: [list.length, columns], dataType: 'int64' }],
      [`${port}:there`, { data: Uint8Array.of(value === null ? 0 : 1), shape: [], dataType: 'bool' }],
    ];
  }));
}
