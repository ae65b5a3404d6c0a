// Pictures to tensors and back, for those who decide at run time how: the same definition as what the
// compiler puts before an input (docs/pictures.md).

/** @import * as Api from './model.js' */
/** @import { Pixels } from './pictures.js' */
/** @import { Side } from './geometry.js' */

import { asGiven, numbersOf, toHalves } from './elements.js';
import { InputError } from './errors.js';
import { REACHES, geometryOf } from './geometry.js';
import { readPixels } from './pictures.js';

/** What bytes 0 to 255 become, before mean and std. @type {Record<string, [number, number]>} */
const RANGES = { '0..1': [0, 1], '0..255': [0, 255], '-1..1': [-1, 1] };
/** @type {Record<string, readonly unknown[]>} */
const CHOICES = {
  resize: ['cover', 'contain', 'fill'], align: ['center', 'start'], order: ['rgb', 'bgr'], layout: ['nchw', 'nhwc'],
  filter: Object.keys(REACHES), range: Object.keys(RANGES), antialias: [true, false], channels: [1, 3], dataType: ['float32', 'float16', 'uint8'],
};
const DEFAULTS = {
  resize: 'cover', align: 'center', crop: 1, order: 'rgb', layout: 'nchw', filter: 'bilinear', antialias: true, channels: 3,
  dataType: 'float32', fill: 0, mean: 0, std: 1,
};

/** @param {string} what @param {Record<string, any>} options @param {string[]} known */
function checkOptions(what, options, known) {
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!known.includes(key)) throw new TypeError(`${what} has no option "${key}": there are ${known.join(', ')}`);
    if (CHOICES[key] && !CHOICES[key].includes(value)) {
      throw new TypeError(`${what}: ${key} is ${JSON.stringify(value)}, and must be ${CHOICES[key].map((choice) => JSON.stringify(choice)).join(' or ')}`);
    }
  }
}

/** @param {string} key @param {any} value one for all channels, or one each @param {number} channels @returns {number[]} */
function perChannel(key, value, channels) {
  const list = typeof value === 'number' ? Array(channels).fill(value) : [...value];
  if (list.length !== channels || !list.every(Number.isFinite)) {
    throw new TypeError(`imageTensor: ${key} is ${JSON.stringify(value)}, and must be a number or ${channels} of them`);
  }
  return list;
}

/**
 * A picture as a tensor of shape [1, channels, height, width] or [1, height, width, channels].
 *
 * @param {Api.ImageSource} source @param {Api.ImageTensorOptions} options @returns {Promise<any>}
 */
export async function imageTensor(source, options) {
  const known = [...Object.keys(DEFAULTS), 'width', 'height', 'range'];
  checkOptions('imageTensor', options ?? {}, known);
  const given = Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined));
  const asked = /** @type {any} */ ({ ...DEFAULTS, range: given.dataType === 'uint8' ? '0..255' : '0..1', ...given });
  const { width, height, layout, channels, dataType } = asked;
  for (const [key, size] of Object.entries({ width, height })) {
    if (!Number.isInteger(size) || size < 1) throw new TypeError(`imageTensor: ${key} is ${size}, and must be a number of pixels`);
  }
  if (!(asked.crop > 0 && asked.crop <= 1)) throw new TypeError(`imageTensor: crop is ${asked.crop}, and must be above 0 and at most 1`);
  if (asked.crop < 1 && asked.resize === 'contain') throw new TypeError('imageTensor: resize is "contain", which leaves nothing to crop');
  const planes = fit(await readPixels(source, 'the picture'), asked);
  const data = layOut(planes, asked), isPlanar = layout === 'nchw';
  const shape = isPlanar ? [1, channels, height, width] : [1, height, width, channels];
  return { data: dataType === 'float16' ? asGiven(dataType, toHalves(data)) : dataType === 'uint8' ? toBytes(data) : data, shape, dataType };
}

/** @param {Float32Array} values */
const toBytes = (values) => Uint8Array.from(values, (value) => Math.min(255, Math.max(0, Math.floor(value + 0.5))));

/** A plane of bytes, as floats, for each channel of the pixels. @param {Pixels} pixels @param {number} channels */
function unpack({ data }, channels) {
  const count = data.length / 4, planes = Array.from({ length: channels }, () => new Float32Array(count));
  for (let p = 0; p < count; ++p) {
    const red = data[4 * p], green = data[4 * p + 1], blue = data[4 * p + 2];
    if (channels === 1) {
      planes[0][p] = red * 19595 + green * 38470 + blue * 7471 + 0x8000 >> 16;
    } else {
      planes[0][p] = red;
      planes[1][p] = green;
      planes[2][p] = blue;
    }
  }
  return planes;
}

/** Planes of the image's size, of bytes as floats. @param {Pixels} pixels @param {any} asked @returns {Float32Array[]} */
function fit(pixels, asked) {
  const { width, height, channels, filter } = asked, { rows, columns } = geometryOf(asked, asked, pixels);
  const fill = perChannel('fill', asked.fill, channels), clamps = REACHES[filter] > 1;
  return unpack(pixels, channels).map((plane, c) => {
    // What fills up beside the picture is where all weights are 0.
    const narrow = new Float32Array(rows.extent * width), out = new Float32Array(height * width);
    if (fill[c]) plane = plane.map((value) => value - fill[c]);
    for (let y = 0; y < rows.extent; ++y) resample(plane, (rows.begin + y) * pixels.width + columns.begin, 1, columns, narrow, y * width, 1);
    for (let x = 0; x < width; ++x) resample(narrow, x, width, rows, out, x, width);
    return out.map((value) => clamps ? Math.min(255, Math.max(0, value + fill[c])) : value + fill[c]);
  });
}

/**
 * @param {Float32Array} from @param {number} at @param {number} step @param {Side} side
 * @param {Float32Array} to @param {number} out @param {number} outStep
 */
function resample(from, at, step, { taps, entries }, to, out, outStep) {
  for (let i = 0; i < taps.length; i += entries, out += outStep) {
    let sum = 0;
    for (let k = 1, p = at + taps[i] * step; k < entries; ++k, p += step) sum += from[p] * taps[i + k];
    to[out] = sum;
  }
}

/** @param {Float32Array[]} planes @param {any} asked */
function layOut(planes, { layout, order, range, channels, ...asked }) {
  const [low, high] = RANGES[range], area = planes[0].length, data = new Float32Array(area * channels);
  const mean = perChannel('mean', asked.mean, channels), std = perChannel('std', asked.std, channels);
  for (let c = 0; c < channels; ++c) {
    const from = planes[order === 'bgr' ? channels - 1 - c : c], scale = (high - low) / 255 / std[c], offset = (low - mean[c]) / std[c];
    const start = layout === 'nchw' ? c * area : c, step = layout === 'nchw' ? 1 : channels;
    for (let p = 0; p < area; ++p) data[start + p * step] = from[p] * scale + offset;
  }
  return data;
}

// ---- Back

/** @param {readonly number[]} shape @param {string | undefined} wanted @returns {{isPlanar: boolean, channels: number, height: number, width: number, count: number}} */
function describeShape(shape, wanted) {
  const [a, b, c] = shape.slice(-3), rank = shape.length, count = rank === 4 ? shape[0] : 1;
  const areChannels = (/** @type {number} */ n) => n === 1 || n === 3 || n === 4;
  if (rank === 2) return { isPlanar: true, channels: 1, height: shape[0], width: shape[1], count };
  if (rank === 3 || rank === 4) {
    if (wanted !== 'nhwc' && areChannels(a)) return { isPlanar: true, channels: a, height: b, width: c, count };
    if (wanted !== 'nchw' && areChannels(c)) return { isPlanar: false, channels: c, height: a, width: b, count };
    if (rank === 3 && !wanted && areChannels(a) === false) return { isPlanar: true, channels: 1, height: b, width: c, count: a };
  }
  throw new InputError(`the tensor has shape [${shape.join(',')}], which is no picture: 1, 3 or 4 channels before or after height and width`);
}

/**
 * A tensor's picture. Values outside the range become its nearest end.
 *
 * @param {Api.AnyTensor} tensor @param {Api.ToImageDataOptions} [options] @returns {any}
 */
export function toImageData({ data, shape, dataType }, options = {}) {
  checkOptions('toImageData', { ...options, range: Array.isArray(options.range) ? undefined : options.range }, ['range', 'layout', 'order', 'mean', 'std', 'index']);
  const { order = 'rgb', index = 0 } = options, { isPlanar, channels, height, width, count } = describeShape(shape, options.layout);
  if (!(Number.isInteger(index) && index >= 0 && index < count)) throw new InputError(`the tensor has ${count} pictures, and none of index ${index}`);
  const range = options.range ?? (dataType === 'uint8' ? '0..255' : '0..1'), [low, high] = typeof range === 'string' ? RANGES[range] : range;
  const mean = perChannel('mean', options.mean ?? 0, channels), std = perChannel('std', options.std ?? 1, channels);
  const values = numbersOf(dataType, data);
  const area = width * height, start = index * area * channels, pixels = new Uint8ClampedArray(4 * area);
  for (let p = 0; p < area; ++p) {
    for (let to = 0; to < 4; ++to) {
      const from = channels === 1 ? 0 : order === 'bgr' && to < 3 ? 2 - to : to;
      const value = Number(values[start + (isPlanar ? from * area + p : p * channels + from)]) * std[from] + mean[from];
      // The array rounds and clamps.
      pixels[4 * p + to] = to === 3 && channels < 4 ? 255 : 255 * (value - low) / (high - low);
    }
  }
  return typeof ImageData === 'function' ? new ImageData(pixels, width, height) : { data: pixels, width, height, colorSpace: 'srgb' };
}

/**
 * The largest values along the last dimension, the largest first.
 *
 * @param {Api.AnyTensor} tensor @param {number} [count] @param {{row?: number}} [options]
 */
export function top({ data, shape, dataType, labels }, count = 5, { row = 0 } = {}) {
  const length = shape.at(-1) ?? 1, rows = data.length / length;
  if (!(Number.isInteger(row) && row >= 0 && row < rows)) throw new InputError(`the tensor has ${rows} rows, and none of index ${row}`);
  const all = numbersOf(dataType, data);
  const scores = Array.from({ length }, (_, i) => Number(all[row * length + i]));
  // What is not a number is not large.
  const key = (/** @type {number} */ i) => Number.isNaN(scores[i]) ? -Infinity : scores[i];
  return [...scores.keys()].sort((a, b) => key(b) - key(a) || a - b).slice(0, count)
    .map((index) => ({ index, label: labels?.[index] ?? String(index), score: scores[index] }));
}

