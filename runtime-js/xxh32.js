// XXH32 (Y. Collet), by which modules are checked: they cannot hash themselves before they are compiled.
// Weights are hashed by the module, which is faster.

const P1 = 0x9e3779b1, P2 = 0x85ebca77, P3 = 0xc2b2ae3d, P4 = 0x27d4eb2f, P5 = 0x165667b1;

/** @param {number} x @param {number} by */
const rotate = (x, by) => x << by | x >>> 32 - by;

/** @param {Uint8Array} bytes @returns {number} unsigned */
export function xxh32(bytes) {
  // Words lie at multiples of four, so that the loop needs no view of bytes.
  const { length } = bytes.byteOffset % 4 ? bytes = bytes.slice() : bytes;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, length >> 2);
  let at = 0, hash = P5;
  if (length >= 16) {
    let a = P1 + P2 | 0, b = P2 | 0, c = 0, d = -P1 | 0;
    const end = words.length & ~3;
    // Written out: it runs once, mostly before the engine has optimised it, when calls are slow.
    for (; at < end; at += 4) {
      a = Math.imul((a = a + Math.imul(words[at], P2) | 0) << 13 | a >>> 19, P1);
      b = Math.imul((b = b + Math.imul(words[at + 1], P2) | 0) << 13 | b >>> 19, P1);
      c = Math.imul((c = c + Math.imul(words[at + 2], P2) | 0) << 13 | c >>> 19, P1);
      d = Math.imul((d = d + Math.imul(words[at + 3], P2) | 0) << 13 | d >>> 19, P1);
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  }
  hash = hash + length | 0;
  for (; at < words.length; ++at) hash = Math.imul(rotate(hash + Math.imul(words[at], P3) | 0, 17), P4);
  for (let i = 4 * at; i < length; ++i) hash = Math.imul(rotate(hash + Math.imul(bytes[i], P5) | 0, 11), P1);
  hash = Math.imul(hash ^ hash >>> 15, P2);
  hash = Math.imul(hash ^ hash >>> 13, P3);
  return (hash ^ hash >>> 16) >>> 0;
}
