// Pictures for tests, and what Pillow makes of them (pictures_reference.py).

import { readFileSync } from 'node:fs';

/** @typedef {{from: [number, number], options: any, bytes: Buffer}} Reference bytes of rows of pixels, 1 or 3 a pixel */

/** @param {number} width @param {number} height */
export function makePicture(width, height) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x) {
      const blue = (Math.floor(x / 5) + Math.floor(y / 7)) % 2 * 200 + (x * 31 + y * 17) % 50;
      data.set([x * 7 + y * 3 & 255, x * y & 255, blue, 255], 4 * (y * width + x));
    }
  }
  return { data, width, height };
}

/** @returns {Reference[]} */
export function references() {
  const list = JSON.parse(readFileSync(new URL('pictures_reference.json', import.meta.url), 'utf8'));
  return list.map((/** @type {any} */ entry) => ({ ...entry, bytes: Buffer.from(entry.bytes, 'base64') }));
}

/** How far bytes are from Pillow's: the most, and how many differ. @param {ArrayLike<number>} got @param {ArrayLike<number>} wanted */
export function compare(got, wanted) {
  let most = got.length === wanted.length ? 0 : Infinity, count = 0;
  for (let i = 0; i < wanted.length; ++i) {
    // What is not a number is as far as can be.
    const off = Math.abs(got[i] - wanted[i]);
    most = Math.max(most, Number.isNaN(off) ? Infinity : off);
    if (off > 1e-3) ++count;
  }
  return { most, part: count / wanted.length };
}
