// XXH32 (Y. Collet), by which modules are checked: they cannot hash themselves before they are compiled.
// Weights are hashed by the module, which is faster.

const P1 = 0x9e3779b1, P2 = 0x85ebca77, P3 = 0xc2b2ae3d, P4 = 0x27d4eb2f, P5 = 0x165667b1;

/** @param {number} x @param {number} by */
const rotate = (x, by) => x << by | x >>> 32 - by;
/** @param {number} lane @param {number} word */
const round = (lane, word) => Math.imul(rotate(lane + Math.imul(word, P2) | 0, 13), P1);

/** @param {Uint8Array} bytes @returns {number} unsigned */
export function xxh32(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), { length } = bytes;
  let at = 0, hash = P5;
  if (length >= 16) {
    let a = P1 + P2 | 0, b = P2, c = 0, d = -P1;
    for (; at + 16 <= length; at += 16) {
      a = round(a, view.getInt32(at, true));
      b = round(b, view.getInt32(at + 4, true));
      c = round(c, view.getInt32(at + 8, true));
      d = round(d, view.getInt32(at + 12, true));
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  }
  hash = hash + length | 0;
  for (; at + 4 <= length; at += 4) hash = Math.imul(rotate(hash + Math.imul(view.getInt32(at, true), P3) | 0, 17), P4);
  for (; at < length; ++at) hash = Math.imul(rotate(hash + Math.imul(bytes[at], P5) | 0, 11), P1);
  hash = Math.imul(hash ^ hash >>> 15, P2);
  hash = Math.imul(hash ^ hash >>> 13, P3);
  return (hash ^ hash >>> 16) >>> 0;
}
