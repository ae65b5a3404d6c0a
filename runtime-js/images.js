// Pictures to tensors and back, for those who decide at run time how: the same definition as what the
// compiler puts before an input (docs/pictures.md).

/** @import * as Api from './model.js' */
/** @import { Pixels } from './pictures.js' */

import { fromBits, numbersOf, toHalves } from './elements.js';
import { InputError } from './errors.js';
import { readPixels } from './pictures.js';

/** What bytes 0 to 255 become, before mean and std. @type {Record<string, [number, number]>} */
const RANGES = { '0..1': [0, 1], '0..255': [0, 255], '-1..1': [-1, 1] };
/** How far a filter reaches, in pixels. @type {Record<string, number>} */
const REACHES = { nearest: 0.5, bilinear: 1, bicubic: 2, lanczos: 3 };
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
  return { data: dataType === 'float16' ? fromBits(toHalves(data)) : dataType === 'uint8' ? toBytes(data) : data, shape, dataType };
}

/** @param {Float32Array} values */
const toBytes = (values) => Uint8Array.from(Uint8ClampedArray.from(values, Math.round));

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

/** Half of it, rounded to the even one of two. @param {number} n */
const half = (n) => Math.floor(n / 2) + (n & 1) * (Math.floor(n / 2) & 1);

/**
 * Along one side: the size to resize to, the part of it that stays, and where that lands.
 *
 * @param {any} asked @param {number} target @param {number} own @param {number} otherTarget @param {number} otherOwn
 */
function place({ resize, crop, align }, target, own, otherTarget, otherOwn) {
  if (resize === 'contain') {
    const size = Math.max(1, Math.min(target, Math.floor((2 * own * otherTarget + otherOwn) / (2 * otherOwn))));
    return { size, start: 0, count: size, before: align === 'start' ? 0 : Math.floor((target - size) / 2) };
  }
  const whole = Math.floor(target / crop), size = resize === 'fill' ? whole : Math.max(whole, Math.floor(Math.floor(otherTarget / crop) * own / otherOwn));
  return { size, start: align === 'start' ? 0 : half(size - target), count: target, before: 0 };
}

/** Planes of height * width bytes, as floats. @param {Pixels} pixels @param {any} asked */
function fit(pixels, asked) {
  const { width, height, channels, filter, antialias } = asked, { width: w, height: h } = pixels;
  const across = place(asked, width, w, height, h), down = place(asked, height, h, width, w);
  const columns = tapsOf(filter, antialias, w, across), rows = tapsOf(filter, antialias, h, down);
  const fill = perChannel('fill', asked.fill, channels);
  return unpack(pixels, channels).map((plane, c) => {
    const narrow = new Float32Array(h * across.count), out = new Float32Array(height * width).fill(fill[c]);
    // Rows that no result depends on are left out.
    const first = rows.firsts[0], last = rows.firsts[down.count - 1] + rows.count;
    for (let y = first; y < Math.min(h, last); ++y) resample(plane, y * w, 1, columns, narrow, y * across.count, 1);
    for (let x = 0; x < across.count; ++x) resample(narrow, x, across.count, rows, out, down.before * width + across.before + x, width);
    return out;
  });
}

/** @typedef {{firsts: Int32Array, weights: Float32Array, count: number}} Taps of each result its first element, and `count` weights */

/**
 * How much each element counts for each result: Pillow's, in whole numbers where they decide.
 *
 * @param {string} filter @param {boolean} antialias @param {number} from size @param {{size: number, start: number, count: number}} to @returns {Taps}
 */
function tapsOf(filter, antialias, from, { size, start, count }) {
  const reach = REACHES[filter], widened = antialias && filter !== 'nearest' ? Math.max(from, size) : size;
  const taps = from === size ? 1 : Math.min(from, filter === 'nearest' ? 1 : Math.ceil(2 * reach * widened / size) + 1);
  const firsts = new Int32Array(count), weights = new Float32Array(count * taps);
  for (let i = 0; i < count; ++i) {
    const middle = (2 * (i + start) + 1) * from, at = i * taps;
    const first = from === size ? i + start : Math.floor((middle + size - 2 * reach * widened) / (2 * size));
    firsts[i] = Math.max(0, Math.min(first, from - taps));
    let sum = 0;
    for (let k = 0; k < taps; ++k) {
      const distance = (2 * (firsts[i] + k) + 1) * size - middle;
      sum += weights[at + k] = taps === 1 ? 1 : weigh(filter, distance / (2 * widened));
    }
    for (let k = 0; k < taps; ++k) weights[at + k] /= sum;
  }
  return { firsts, weights, count: taps };
}

/** @param {string} filter @param {number} x how far off, in widened pixels */
function weigh(filter, x) {
  const d = Math.abs(x);
  if (d >= REACHES[filter]) return 0;
  if (filter === 'bilinear') return 1 - d;
  if (filter === 'bicubic') return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : ((-0.5 * d + 2.5) * d - 4) * d + 2;
  return d ? 3 * Math.sin(Math.PI * d) * Math.sin(Math.PI * d / 3) / (Math.PI * d) ** 2 : 1;
}

/**
 * @param {Float32Array} from @param {number} at @param {number} step @param {Taps} taps
 * @param {Float32Array} to @param {number} out @param {number} outStep
 */
function resample(from, at, step, { firsts, weights, count }, to, out, outStep) {
  for (let i = 0; i < firsts.length; ++i) {
    let sum = 0;
    for (let k = 0, p = at + firsts[i] * step; k < count; ++k, p += step) sum += from[p] * weights[i * count + k];
    // To bytes, as Pillow keeps them between passes.
    to[out + i * outStep] = Math.min(255, Math.max(0, Math.floor(sum + 0.5)));
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

