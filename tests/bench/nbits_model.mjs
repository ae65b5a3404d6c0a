// Products with weights of few bits, as a model: MatMulNBits.

import { onnxModel, withWeights } from '../onnx_model.mjs';

/** @import { Tensor } from '../onnx_model.mjs' */

/** @typedef {{m: number, k: number, n: number, bits: number, block: number}} NBits */

/** Of nbits:M:K:N, or nbits:M:K:N:BITS:BLOCK. @param {string} name @returns {NBits | null} */
export function nbitsOf(name) {
  const match = /^nbits:(\d+):(\d+):(\d+)(?::(\d+):(\d+))?$/.exec(name);
  if (!match) return null;
  const [m, k, n, bits = 4, block = 32] = match.slice(1).map((text) => text === undefined ? undefined : Number(text));
  return /** @type {NBits} */ ({ m, k, n, bits, block });
}

/** The bytes of its weights and scales. @param {NBits} product */
export const bytesOf = ({ k, n, bits, block }) => n * Math.ceil(k / block) * (block * bits / 8 + 4);

/** The same for each seed. @param {number} bytes @param {number} seed */
function madeUp(bytes, seed) {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let i = 0, state = seed; i < words.length; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = state ^ state >>> 15;
  }
  return new Uint8Array(words.buffer, 0, bytes);
}

/** Weights and scales, with which sums of as many products stay about as large as what they are of. @param {Omit<NBits, 'm'>} product @param {number} seed @returns {[Tensor, Tensor]} */
export function madeUpWeight({ k, n, bits, block }, seed) {
  const blocks = Math.ceil(k / block), largest = 2 / Math.sqrt(k) / 2 ** (bits - 1);
  const scales = Float32Array.from(madeUp(n * blocks, seed), (value) => (1 + value / 256) / 2 * largest);
  return [{ type: ['u8', [n, blocks, block * bits / 8]], bytes: madeUp(n * blocks * block * bits / 8, seed) }, { type: ['f32', [n * blocks]], bytes: new Uint8Array(scales.buffer) }];
}

/** So many of them, each of rows and with weights of its own. Of many rows only each one's largest element is an output. @param {NBits} product @param {number} [count] */
export function nbitsModel({ m, k, n, bits, block }, count = 1) {
  const numbers = Array.from({ length: count }, (_, i) => i), reduces = m > 8;
  /** @type {Record<string, Tensor>} */
  const weights = {};
  for (const i of numbers) [weights[`b${i}`], weights[`s${i}`]] = madeUpWeight({ k, n, bits, block }, i + 1);
  const model = onnxModel({
    inputs: Object.fromEntries(numbers.map((i) => [`a${i}`, ['f32', [m, k]]])),
    outputs: Object.fromEntries(numbers.map((i) => [`y${i}`, ['f32', [m, reduces ? 1 : n]]])),
    nodes: numbers.flatMap((i) => [
      { op: 'MatMulNBits', name: `product${i}`, domain: 'com.microsoft', inputs: [`a${i}`, `b${i}`, `s${i}`], outputs: [reduces ? `p${i}` : `y${i}`], attributes: { K: k, N: n, bits, block_size: block } },
      ...reduces ? [{ op: 'ReduceMax', name: `largest${i}`, inputs: [`p${i}`], outputs: [`y${i}`], attributes: { axes: [1], keepdims: 1 } }] : [],
    ]),
  });
  return withWeights(model, weights);
}
