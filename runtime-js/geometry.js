// Where in a picture an image's pixels come from: which part of it is needed, and how much each pixel
// counts. Pillow's, so that networks see what they were trained with.

/** @typedef {{size: number, start: number, count: number, before: number}} Place the size to resize to, the part that stays, and where that lands */
/**
 * Along one side: the part of a picture that is needed, and for each place of the image the first pixel in that
 * part, then weights. Where the picture does not reach, all weights are 0.
 *
 * @typedef {{begin: number, extent: number, entries: number, taps: Float32Array<ArrayBuffer>}} Side
 */
/** @typedef {{resize: string, crop: number, align: string, filter: string, antialias: boolean}} Fit */

/** How far a filter reaches, in pixels. @type {Record<string, number>} */
export const REACHES = { nearest: 0.5, bilinear: 1, bicubic: 2, lanczos: 3 };

/** Half of it, rounded to the even one of two. @param {number} n */
const half = (n) => Math.floor(n / 2) + (n & 1) * (Math.floor(n / 2) & 1);

/**
 * @param {Fit} fit @param {number} target @param {number} own size @param {number} otherTarget @param {number} otherOwn
 * @returns {Place}
 */
function place({ resize, crop, align }, target, own, otherTarget, otherOwn) {
  if (resize === 'contain') {
    const size = Math.max(1, Math.min(target, Math.floor((2 * own * otherTarget + otherOwn) / (2 * otherOwn))));
    return { size, start: 0, count: size, before: align === 'start' ? 0 : Math.floor((target - size) / 2) };
  }
  const whole = Math.floor(target / crop);
  const size = resize === 'fill' ? whole : Math.max(whole, Math.floor(Math.floor(otherTarget / crop) * own / otherOwn));
  return { size, start: align === 'start' ? 0 : half(size - target), count: target, before: 0 };
}

/** @param {string} filter @param {number} x how far off, in widened pixels */
function weigh(filter, x) {
  const d = Math.abs(x);
  if (d >= REACHES[filter]) return 0;
  if (filter === 'bilinear') return 1 - d;
  if (filter === 'bicubic') return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : ((-0.5 * d + 2.5) * d - 4) * d + 2;
  return d ? 3 * Math.sin(Math.PI * d) * Math.sin(Math.PI * d / 3) / (Math.PI * d) ** 2 : 1;
}

/** @param {Fit} fit @param {number} target @param {number} own @param {number} otherTarget @param {number} otherOwn @returns {Side} */
function sideOf(fit, target, own, otherTarget, otherOwn) {
  const { filter, antialias } = fit, { size, start, count, before } = place(fit, target, own, otherTarget, otherOwn);
  const isNearest = filter === 'nearest', reach = REACHES[filter], widened = antialias && !isNearest ? Math.max(own, size) : size;
  const width = isNearest || own === size ? 1 : Math.min(own, Math.ceil(2 * reach * widened / size));
  const middleOf = (/** @type {number} */ i) => (2 * (i + start) + 1) * own;
  // In whole numbers, so that nothing is rounded.
  const firstOf = (/** @type {number} */ i) => {
    const first = own === size ? i + start : Math.floor((middleOf(i) + size - 2 * (isNearest ? 0.5 * size : reach * widened)) / (2 * size));
    return Math.max(0, Math.min(first, own - width));
  };
  const begin = firstOf(0), extent = firstOf(count - 1) + width - begin;
  const entries = width + 1, taps = new Float32Array(target * entries);
  for (let i = 0; i < count; ++i) {
    const first = firstOf(i), at = (before + i) * entries, weights = Array.from({ length: width }, (_, k) =>
      width === 1 ? 1 : weigh(filter, ((2 * (first + k) + 1) * size - middleOf(i)) / (2 * widened)));
    const sum = weights.reduce((a, b) => a + b);
    taps[at] = first - begin;
    weights.forEach((weight, k) => taps[at + 1 + k] = weight / sum);
  }
  return { begin, extent, entries, taps };
}

/**
 * @param {Fit} fit @param {{width: number, height: number}} image @param {{width: number, height: number}} picture
 */
export const geometryOf = (fit, image, picture) => ({
  rows: sideOf(fit, image.height, picture.height, image.width, picture.width),
  columns: sideOf(fit, image.width, picture.width, image.height, picture.height),
});
