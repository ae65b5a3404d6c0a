// Areas in proportion to sizes: squarified treemaps (Bruls, Huizing, van Wijk 2000), which fill rows
// as long as that makes their rectangles more like squares.

import { html, svg } from './dom.js';
import { sizeText } from './data.js';

const WIDTH = 1000, HEIGHT = 420, LABEL_WIDTH = 6.4, LABEL_HEIGHT = 13, COLORS = 8;
/** More rectangles than that are too small to be seen; they become one. */
const MOST = 160;

/** @typedef {{label: string, detail: string, size: number, color: number, href?: string}} Item */
/** @typedef {{x: number, y: number, width: number, height: number}} Rectangle */

/**
 * The rectangles of sizes that fall, in a rectangle.
 *
 * @param {number[]} sizes @param {Rectangle} room @returns {Rectangle[]}
 */
export function squarify(sizes, room) {
  /** @type {Rectangle[]} */
  const placed = [];
  let left = { ...room }, rest = sizes.reduce((sum, size) => sum + size, 0), first = 0;
  while (first < sizes.length && rest > 0) {
    const side = Math.min(left.width, left.height), area = left.width * left.height / rest;
    let end = first, sum = 0, worst = Infinity;
    for (; end < sizes.length; ++end) {
      const next = sum + sizes[end], thickness = next * area / side;
      const ratio = Math.max(...[sizes[first], sizes[end]].map((size) => {
        const length = size * area / thickness;
        return Math.max(length / thickness, thickness / length);
      }));
      if (ratio > worst) break;
      worst = ratio;
      sum = next;
    }
    const thickness = sum * area / side, across = left.width >= left.height;
    let at = 0;
    for (const size of sizes.slice(first, end)) {
      const length = side * size / sum;
      placed.push(across ? { x: left.x, y: left.y + at, width: thickness, height: length }
        : { x: left.x + at, y: left.y, width: length, height: thickness });
      at += length;
    }
    left = across ? { ...left, x: left.x + thickness, width: left.width - thickness }
      : { ...left, y: left.y + thickness, height: left.height - thickness };
    rest -= sum;
    first = end;
  }
  return placed;
}

/** @param {Item[]} items @param {string} what they are, for those who do not see the picture */
export function treemap(items, what) {
  const sorted = items.filter(({ size }) => size > 0).sort((a, b) => b.size - a.size);
  const small = sorted.splice(MOST);
  if (small.length) {
    const size = small.reduce((sum, item) => sum + item.size, 0);
    sorted.push({ label: `${small.length} smaller`, detail: `${small.length} smaller ones`, size, color: 0 });
    sorted.sort((a, b) => b.size - a.size);
  }
  if (!sorted.length) return html('p', { class: 'soft' }, `There is nothing to show: no ${what}.`);
  const places = squarify(sorted.map(({ size }) => size), { x: 0, y: 0, width: WIDTH, height: HEIGHT });
  return svg('svg', { class: 'treemap', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${what} by size` },
    ...places.map((place, i) => tile(sorted[i], place)));
}

/** @param {Item} item @param {Rectangle} place */
function tile({ label, detail, size, color, href }, { x, y, width, height }) {
  const letters = Math.floor((width - 8) / LABEL_WIDTH), text = label.length > letters ? `${label.slice(0, Math.max(0, letters - 1))}…` : label;
  const isLabelled = letters >= 4 && height >= LABEL_HEIGHT + 4;
  const parts = [
    svg('title', {}, `${detail}: ${sizeText(size)}`), svg('rect', { x, y, width, height, class: `color${color % COLORS}` }),
    isLabelled && svg('text', { x: x + 5, y: y + LABEL_HEIGHT + 1 }, text),
    isLabelled && height >= 2 * LABEL_HEIGHT + 6 && svg('text', { x: x + 5, y: y + 2 * LABEL_HEIGHT + 2, class: 'soft' }, sizeText(size)),
  ];
  return href ? svg('a', { href }, ...parts) : svg('g', {}, ...parts);
}
