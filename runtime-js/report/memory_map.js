// The arena as a picture: steps from left to right, addresses upwards, one rectangle a buffer. What is
// free is empty, and what overlaps in height is not in use at the same time.
//
//     bytes
//       ^  +-----+
//       |  |  b  |+--------+
//       |  +-----+|   d    |
//       | +---+   |        |
//       | | a |---+--------+
//       +-------------------> steps

/** @import { Program } from './data.js' */

import { sizeText } from './data.js';
import { svg } from './dom.js';

const WIDTH = 1000, HEIGHT = 320, LEFT = 64, TOP = 8, BOTTOM = 24, MOST_NUMBERS = 12;

/** @param {Program} program */
export function memoryMap({ memory, dispatches }) {
  const x = (/** @type {number} */ step) => LEFT + step * (WIDTH - LEFT) / Math.max(1, dispatches);
  const y = (/** @type {number} */ byte) => TOP + HEIGHT * (1 - byte / Math.max(1, memory.bytes));
  const lines = [0, 1, 2, 3, 4].flatMap((quarter) => {
    const bytes = memory.bytes * quarter / 4;
    return [
      svg('line', { x1: LEFT, x2: WIDTH, y1: y(bytes), y2: y(bytes) }),
      svg('text', { x: LEFT - 6, y: y(bytes), class: 'left' }, sizeText(bytes)),
    ];
  });
  const every = Math.max(1, Math.ceil(dispatches / MOST_NUMBERS)), numbers = [];
  for (let step = 0; step < dispatches; step += every) {
    numbers.push(svg('text', { x: x(step + 0.5), y: TOP + HEIGHT + 16, class: 'below' }, step));
  }
  const buffers = memory.buffers.map(({ name, kind, bytes, offset, first, last }) => svg('rect', {
    class: kind, x: x(first), y: y(offset + bytes), width: x(last + 1) - x(first), height: y(offset) - y(offset + bytes),
  }, svg('title', {}, `${name}: ${sizeText(bytes)}, steps ${first} to ${last}`)));
  return svg('svg', { class: 'memory', viewBox: `0 0 ${WIDTH} ${TOP + HEIGHT + BOTTOM}`, role: 'img', 'aria-label': 'Memory plan' },
    ...lines, ...numbers, ...buffers);
}
