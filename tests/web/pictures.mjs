// Pictures for tests, and what Pillow makes of them (pictures_reference.py).

import assert from 'node:assert/strict';
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

/**
 * Pillow rounds to bytes after either pass, and we do not: at most one step of 255 lies between. Where a filter
 * overshoots, it also cuts off in between.
 *
 * @param {ArrayLike<number>} got in bytes @param {Uint8Array} wanted @param {{filter?: string}} options
 */
export function checkAgainst(got, wanted, { filter = 'bilinear' }) {
  assert.equal(got.length, wanted.length);
  const off = Array.from(wanted, (value, i) => Math.abs(got[i] - value)), most = Math.max(...off);
  const bound = { bicubic: 8, lanczos: 12 }[filter] ?? 1.001;
  assert.ok(most <= bound && off.reduce((a, b) => a + b) / off.length <= 0.5, `differs by up to ${most}, ${off.reduce((a, b) => a + b) / off.length}`);
}
