// Whether this engine has relaxed SIMD, and whether products of bytes by it are exact.

// (a, b) => a of i32x4.relaxed_dot_i8x16_i7x16_add_s, of 16 times a, 16 times b and zeros.
const PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0,
  10, 22, 1, 20, 0, 32, 0, 253, 15, 32, 1, 253, 15, 65, 0, 253, 15, 253, 147, 2, 253, 27, 0, 11,
]);

export const hasRelaxedSimd = () => WebAssembly.validate(PROBE);

/**
 * The second factor has 7 bits. If it has 8, engines take it with a sign or without, and some keep no more than 16 bits of two products. The
 * module `relaxed.dots` can do with either sign.
 */
export function multipliesBytes() {
  const { f } = /** @type {{f: (a: number, b: number) => number}} */ (/** @type {unknown} */ (new WebAssembly.Instance(new WebAssembly.Module(PROBE)).exports));
  const most = f(127, 255), least = f(-128, 128);
  return most === 4 * 127 * 255 && least === 4 * -128 * 128 || most === 4 * 127 * -1 && least === 4 * 128 * 128;
}
