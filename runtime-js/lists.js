// Inputs and outputs that are lists of tensors: sequences and optionals. A program has one as tensors
// that hold all of it (docs/program.md): the elements of all of its tensors behind each other, their shapes, padded with
// -1 to one length, and whether an optional sequence is there.

/** @import * as Api from './model.js' */
/** @import { ManifestPort } from './host.js' */
/** @import { Input } from './inputs.js' */
/** @import { Destination } from './options.js' */

import { ARRAYS, refuse } from './elements.js';
import { UnsupportedError } from './errors.js';
import { countOf, parseInput } from './inputs.js';

/** What stands for tensors of any rank. */
const ANY = '...';

/** Ports as callers see them. @param {readonly ManifestPort[]} ports @returns {Api.Port[]} */
export function asCallersSee(ports) {
  return ports.filter(({ of }) => of === undefined).map((port) => {
    const { tensor, ...rest } = port;
    return tensor ? { ...rest, shape: tensor } : port;
  });
}

/**
 * What a caller gave for a list: its tensors, each with its shape, or null for none.
 *
 * @param {Api.Port} port @param {any} given @returns {{data: any, shape: number[]}[] | null}
 */
export function parseList(port, given) {
  const { name, dataType, list: kind } = port, isThere = given !== undefined && given !== null;
  if (!isThere && kind !== 'sequence') return null;
  if (!isThere || kind !== 'optional' && !Array.isArray(given)) {
    refuse(name, `is ${isThere ? 'not an array' : 'missing'}: the model takes a sequence, an array of ${describe(port)} tensors`);
  }
  return (kind === 'optional' ? [given] : given).map((/** @type {any} */ value, /** @type {number} */ i) => {
    const own = { ...port, name: kind === 'optional' ? name : `${name}[${i}]` }, { data, count, shape } = parseInput(own, value);
    if (count === undefined) refuse(own.name, 'is a buffer of a GPU; the tensors of lists are given in memory');
    const sizes = shape ?? shapeOf(own, count);
    const fits = isAny(port) || sizes.length === port.shape.length && sizes.every((size, d) => typeof port.shape[d] !== 'number' || port.shape[d] === size);
    if (!fits) refuse(own.name, `has shape [${sizes.join(',')}]; the model takes ${describe(port)}`);
    if (count !== countOf(sizes)) refuse(own.name, `has ${count} elements; ${dataType}[${sizes.join(',')}] has ${countOf(sizes)}`);
    return { data, shape: sizes };
  });
}

/** @param {Api.Port} port */
const isAny = ({ shape }) => shape[0] === ANY;
/** @param {Api.Port} port */
const describe = ({ dataType, shape }) => `${dataType}[${shape.join(',')}]`;

/** The shape that elements alone tell: one size may be open. @param {Api.Port} port @param {number} count */
function shapeOf(port, count) {
  if (isAny(port)) return [count];
  const rest = countOf(port.shape.map((size) => typeof size === 'number' ? size : 1));
  if (port.shape.filter((size) => typeof size !== 'number').length > 1) refuse(port.name, `is ${describe(port)}, whose sizes must be told: pass { data, shape }`);
  return port.shape.map((size) => typeof size === 'number' ? size : count / rest);
}

/**
 * A list as the inputs that stand for it.
 *
 * @param {Api.Port} seen by callers @param {readonly ManifestPort[]} ports of the program @param {any} given @returns {Input[]}
 */
export function packList(seen, ports, given) {
  const port = /** @type {ManifestPort} */ (ports.find(({ name }) => name === seen.name)), parts = ports.filter(({ of }) => of === seen.name);
  const list = parseList(seen, given), tensors = list ?? [], columns = Number(parts[0].shape[1]);
  const deep = tensors.findIndex(({ shape }) => shape.length > columns);
  if (deep >= 0) refuse(`${port.name}[${deep}]`, `has ${tensors[deep].shape.length} dimensions; the model takes up to ${columns}`);
  const data = new ARRAYS[port.dataType](tensors.reduce((count, { data }) => count + data.length, 0));
  let at = 0;
  for (const { data: own } of tensors) {
    data.set(own, at);
    at += own.length;
  }
  const sizes = tensors.flatMap(({ shape }) => Array.from({ length: columns }, (_, d) => BigInt(shape[d] ?? -1)));
  const values = [BigInt64Array.from(sizes), Uint8Array.of(list ? 1 : 0)], shapes = [[tensors.length, columns], []];
  return [
    { port, data, count: data.length, shape: [data.length], list: { port: seen, tensors } },
    ...parts.map((part, i) => ({ port: part, data: values[i], count: values[i].length, shape: shapes[i] })),
  ];
}

/**
 * That sizes which a list's tensors share with other inputs are the same.
 *
 * @param {Input[]} inputs @param {readonly string[]} symbols @param {readonly number[]} values
 */
export function checkShared(inputs, symbols, values) {
  for (const { list } of inputs) {
    list?.tensors.forEach(({ shape }, i) => shape.forEach((size, d) => {
      const value = values[symbols.indexOf(String(list.port.shape[d]))];
      if (value === undefined || value === size) return;
      refuse(`${list.port.name}[${i}]`, `has shape [${shape.join(',')}]; the model takes ${describe(list.port)} with ${list.port.shape[d]} = ${value}`);
    }));
  }
}

/**
 * Where each output of a program goes: parts of a list where it goes.
 *
 * @param {Destination[]} destinations of the ports that callers see @param {readonly Api.Port[]} seen these @param {readonly (ManifestPort & {hidden?: boolean})[]} ports
 * @returns {Destination[]}
 */
export function destinationsOfParts(destinations, seen, ports) {
  return ports.filter(({ hidden }) => !hidden).map(({ name, of = name }) => {
    const i = seen.findIndex((port) => port.name === of);
    if (seen[i].list && destinations[i] === 'gpu') throw new UnsupportedError(`output "${of}" is a list, which is given in memory alone`);
    return destinations[i];
  });
}

/**
 * Makes one of the outputs that stand for a list, in their place: an array, a tensor, or null.
 *
 * @param {readonly ManifestPort[]} ports @param {any[]} tensors of these; undefined where it is not wanted
 */
export function unpackLists(ports, tensors) {
  const parts = tensors.splice(0);
  ports.forEach((port, i) => {
    if (port.of !== undefined) return;
    tensors.push(port.list && parts[i] ? unpackList(port, parts.filter((_, k) => k === i || ports[k].of === port.name)) : parts[i]);
  });
}

/** @param {Api.Port} port @param {any[]} parts tensors @returns {any} */
function unpackList({ list: kind, dataType }, [{ data }, { data: sizes, shape: [count, columns] }, there]) {
  if (there && !there.data[0]) return null;
  let at = 0;
  const tensors = Array.from({ length: count }, (_, i) => {
    const shape = Array.from({ length: columns }, (_, d) => Number(sizes[i * columns + d])).filter((size) => size >= 0);
    return { data: data.slice(at, at += countOf(shape)), shape, dataType };
  });
  return kind === 'optional' ? tensors[0] ?? null : tensors;
}
