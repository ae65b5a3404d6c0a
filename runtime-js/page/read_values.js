// What is typed or chosen for an input that is no picture: numbers, lists as JSON, texts in quotes, and files of them.

/** @import * as Api from '../model.js' */
/** @import { Values } from './npy.js' */

import { ARRAYS, numbersOf, textOf, toElements, toHalves } from '../elements.js';
import { isNpy, readNpy } from './npy.js';

/**
 * @typedef {object} Given
 * @property {any} data in the input's own type
 * @property {number[]} [shape] where it was told
 * @property {string} said what it was, in words
 */

/** Names that numbers have which are none, as the page's own JSON has them. @type {Record<string, number>} */
const ODD = { nan: NaN, inf: Infinity, '+inf': Infinity, '-inf': -Infinity, infinity: Infinity, '-infinity': -Infinity, true: 1, false: 0 };
const EXACT = 16;

/** @param {Api.DataType} dataType */
const isFloat = (dataType) => dataType[0] === 'f';
/** @param {Api.DataType} dataType */
const isLong = (dataType) => dataType === 'int64' || dataType === 'uint64';

/** @param {Api.Port} port @param {string | Blob} source what was typed, or a file @param {string} [name] of the file @returns {Promise<Given>} */
export async function readValues(port, source, name = '') {
  if (typeof source === 'string') return readText(port, source);
  const bytes = new Uint8Array(await source.arrayBuffer());
  if (isNpy(bytes)) return fromNpy(port, readNpy(bytes));
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw new Error(`${name} is an archive (.npz or .zip): save a single array with numpy.save`);
  if (/\.(bin|raw)$/i.test(name)) return fromBytes(port, bytes);
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${name} is no .npy file, no JSON and no text; elements as bare bytes are taken from files called .bin`);
  }
  return readText(port, text);
}

/** @param {Api.Port} port @param {Values} values */
function fromNpy(port, { dataType, shape, data }) {
  return { data: convert(port, dataType, data), shape, said: `${dataType}[${shape.join(', ')}]` };
}

/** @param {Api.Port} port @param {Uint8Array} bytes */
function fromBytes({ dataType }, bytes) {
  const Type = ARRAYS[dataType], width = Type.BYTES_PER_ELEMENT;
  if (bytes.length % width) throw new Error(`${bytes.length} bytes are no whole number of ${dataType}, which have ${width} each`);
  return { data: new Type(bytes.slice().buffer), said: `${bytes.length / width} elements, as bytes` };
}

/** Elements of one type in another, if it can hold them; floats are rounded to narrower ones. @param {Api.Port} port @param {Api.DataType} from @param {any} data */
function convert(port, from, data) {
  const { dataType } = port;
  if (from === dataType) return data;
  const numbers = numbersOf(from, data);
  if (!isFloat(dataType)) return toElements(port, Array.from(numbers));
  const floats = dataType === 'float64' ? new Float64Array(numbers.length) : new Float32Array(numbers.length);
  for (let i = 0; i < floats.length; ++i) floats[i] = Number(numbers[i]);
  return floats instanceof Float32Array && dataType === 'float16' ? toHalves(floats) : floats;
}

/** @param {Api.Port} port @param {string} text @returns {Given} */
function readText(port, text) {
  const trimmed = text.trim();
  if (trimmed.startsWith('"')) return fromWords(port, parseJson(port, trimmed));
  if (/^[[{]/.test(trimmed)) return fromJson(port, parseJson(port, trimmed));
  const list = trimmed.split(/[\s,;]+/).filter(Boolean).map((word) => numberOf(port, word));
  return { data: toElements(port, list), said: `${list.length} numbers` };
}

/** @param {Api.Port} port @param {string} text */
function parseJson({ dataType }, text) {
  // Integers of 64 bits to the last digit, where the engine tells how they were written.
  const isExact = isLong(dataType) && new RegExp(`\\d{${EXACT}}`).test(text);
  const revive = (/** @type {string} */ _, /** @type {unknown} */ value, /** @type {{source?: string}} */ context) =>
    typeof value === 'number' && /^-?\d+$/.test(context?.source ?? '') ? BigInt(/** @type {any} */ (context).source) : value;
  try {
    return JSON.parse(text, isExact ? /** @type {any} */ (revive) : undefined);
  } catch (error) {
    throw new Error(`this is no JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {Api.Port} port @param {any} json a list, or a tensor as the page saves it @returns {Given} */
function fromJson(port, json) {
  const list = Array.isArray(json) ? json : json.data, given = Array.isArray(json) ? undefined : json.shape;
  if (!Array.isArray(list)) throw new Error('this JSON is no list, and has no list "data"');
  if (given !== undefined && !(Array.isArray(given) && given.every((size) => Number.isInteger(size) && size >= 0))) throw new Error('this JSON has a "shape" that is no list of sizes');
  const nested = shapeOf(list), shape = given ?? (nested.length > 1 ? nested : undefined);
  const flat = list.flat(nested.length - 1).map((item) => typeof item === 'string' ? numberOf(port, item) : item);
  return { data: toElements(port, flat), shape, said: shape ? `[${shape.join(', ')}]` : `${flat.length} numbers` };
}

/** The shape of lists in lists, which must agree. @param {any[]} list @returns {number[]} */
function shapeOf(list) {
  if (!list.some(Array.isArray)) return [list.length];
  const shapes = list.map((item) => Array.isArray(item) ? shapeOf(item) : []), odd = shapes.findIndex((shape) => shape.join() !== shapes[0].join());
  if (odd > 0) throw new Error(`the lists are ragged: part 0 has the shape [${shapes[0].join(', ')}], and part ${odd} [${shapes[odd].join(', ')}]`);
  return [list.length, ...shapes[0]];
}

/** A text as its bytes; where the size is fixed, zeros come after them. @param {Api.Port} port @param {string} text @returns {Given} */
function fromWords(port, text) {
  const { dataType, shape } = port, bytes = new TextEncoder().encode(text), size = shape.reduce((/** @type {number} */ n, size) => typeof size === 'number' ? n * size : NaN, 1);
  if (isFloat(dataType) || dataType === 'bool') throw new Error(`texts are taken as bytes, for integers: ${dataType} needs numbers`);
  const list = Array.from({ length: Math.max(bytes.length, size || 0) }, (_, i) => bytes[i] ?? 0), rest = list.length - bytes.length;
  return { data: toElements(port, list), said: `${bytes.length} bytes of text${rest ? `, then ${rest} zeros` : ''}` };
}

/** @param {Api.Port} port @param {string} word */
function numberOf({ dataType }, word) {
  const value = ODD[word.toLowerCase()] ?? (isLong(dataType) && /^[+-]?\d+$/.test(word) ? BigInt(word) : Number(word));
  if (Number.isNaN(value) && word.toLowerCase() !== 'nan') throw new Error(`${textOf(JSON.stringify(word.slice(0, 40)))} is no number; a text stands in quotes, and is taken as its UTF-8 bytes`);
  return value;
}
