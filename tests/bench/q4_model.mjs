// Models of float32 with weights of products in 4 bits, as exports for the web have them: MatMulNBits with a scale for 32, the other weights
// as they are. What the 4 bits are is made up, since a benchmark does not ask: so it does for models whose weights lie in other files, too.

import { readShapes, withDomain, withNodes, withWeights } from '../onnx_model.mjs';
import { madeUpWeight } from './nbits_model.mjs';

/** @import { Node, Tensor } from '../onnx_model.mjs' */

const BITS = 4, BLOCK = 32;

/** @param {Buffer} model @returns {Buffer} */
export function inFourBits(model) {
  const { nodes, shapes } = readShapes(model);
  /** @param {Node} node */
  const isProduct = ({ op, inputs: [, b] }) => op === 'MatMul' && shapes.get(b)?.length === 2 && (shapes.get(b)?.[0] ?? 0) % BLOCK === 0;
  const products = nodes.filter(isProduct), taken = new Set(products.map(({ inputs: [, b] }) => b));
  /** @type {Record<string, Tensor>} */
  const weights = {};
  for (const [seed, b] of [...taken].entries()) {
    const [k, n] = /** @type {number[]} */ (shapes.get(b));
    [weights[`${b}_q4`], weights[`${b}_scales`]] = madeUpWeight({ k, n, bits: BITS, block: BLOCK }, seed + 1);
  }
  const changed = withNodes(model, taken, (node) => {
    const { name, inputs: [a, b], outputs } = node;
    if (!isProduct(node)) return undefined;
    const [K, N] = /** @type {number[]} */ (shapes.get(b));
    return [{ op: 'MatMulNBits', name, domain: 'com.microsoft', inputs: [a, `${b}_q4`, `${b}_scales`], outputs, attributes: { K, N, bits: BITS, block_size: BLOCK } }];
  });
  return withWeights(withDomain(changed, 'com.microsoft'), weights);
}

/** The model of q4:MODEL; null for other names. @param {string} name */
export const q4Of = (name) => /^q4:(.+)$/.exec(name)?.[1] ?? null;
