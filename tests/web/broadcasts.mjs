// Small models whose inputs' sizes broadcast or not, as each run decides. `node broadcasts_reference.mjs`
// computes what ONNX Runtime makes of them, and broadcasts.test.mjs compares.

/** @typedef {Parameters<typeof import('../onnx_model.mjs').onnxModel>[0]} Model */
/** @typedef {import('../onnx_model.mjs').Type} Type */
/** @typedef {import('../onnx_model.mjs').Node} Node */
/** Values of the symbols in a run: 'n m' gives the order. @typedef {{ model: Model, symbols: string, runs: number[][] }} Case */

/**
 * @param {Record<string, Type>} inputs @param {Node[]} nodes @param {string} symbols @param {number[][]} runs
 * @param {{ y?: Type, constants?: Model['constants'] }} [more] the type of the result y
 * @returns {Case}
 */
function one(inputs, nodes, symbols, runs, { y = ['f32', []], constants } = {}) {
  return { model: { inputs, outputs: { y }, nodes, constants, opset: 17 }, symbols, runs };
}

/** @param {string} op @param {string} inputs separated by spaces @param {string} [output] @param {Node['attributes']} [attributes] @returns {Node} */
const node = (op, inputs, output = 'y', attributes = {}) =>
  ({ op, name: output, inputs: inputs.split(' '), outputs: [output], attributes });

/** @param {number} rank of a result whose sizes are not declared @param {Type[0]} [type] @returns {Type} */
const result = (rank, type = 'f32') => [type, Array.from({ length: rank }, (_, d) => `y${d}`)];

/** All of two sizes that fit, and some that do not. */
const PAIRS = [[3, 3], [3, 1], [1, 3], [1, 1], [0, 1], [1, 0], [0, 0], [3, 2], [0, 3], [2, 0]];
const TRIPLES = [[3, 3, 3], [3, 1, 1], [1, 3, 1], [1, 1, 3], [3, 3, 1], [1, 3, 3], [1, 1, 1], [3, 2, 1], [1, 2, 3], [0, 1, 1], [1, 0, 0]];

/** @param {string} op @param {Type[0]} type @param {Type[0]} [to] @param {Node['attributes']} [attributes] */
const binary = (op, type, to = type, attributes = {}) =>
  one({ a: [type, ['n', 4]], b: [type, ['m', 4]] }, [node(op, 'a b', 'y', attributes)], 'n m', [[3, 1], [1, 3], [3, 3], [0, 1], [3, 2]],
    { y: result(2, to) });

/** @type {Record<string, Case>} */
export const CASES = {
  rows: one({ a: ['f32', ['n', 4]], b: ['f32', ['m', 4]] }, [node('Add', 'a b')], 'n m', PAIRS, { y: result(2) }),
  columns: one({ a: ['f32', [4, 'n']], b: ['f32', [4, 'm']] }, [node('Sub', 'a b')], 'n m', [...PAIRS, [9, 1], [1, 9], [9, 9], [1000, 1], [1, 1000]],
    { y: result(2) }),
  vectors: one({ a: ['f32', ['n']], b: ['f32', ['m']] }, [node('Mul', 'a b')], 'n m', [...PAIRS, [1030, 1], [1, 1030]], { y: result(1) }),
  both: one({ a: ['f32', ['n', 'm']], b: ['f32', ['k', 'l']] }, [node('Add', 'a b')], 'n m k l',
    [[3, 5, 3, 5], [3, 1, 1, 5], [1, 5, 3, 1], [3, 5, 1, 1], [1, 1, 3, 5], [3, 5, 5, 3], [3, 1, 2, 5], [0, 5, 1, 1]], { y: result(2) }),
  ranks: one({ a: ['f32', ['n', 'm']], b: ['f32', ['k']], c: ['f32', ['p', 1, 1]] }, [node('Sub', 'b a', 't'), node('Add', 't c')], 'n m k p',
    [[2, 3, 1, 1], [2, 1, 3, 2], [1, 3, 3, 4], [2, 3, 2, 1], [2, 0, 1, 3]], { y: result(3) }),
  transposed: one({ a: ['f32', ['n', 'm']] }, [node('Transpose', 'a', 't'), node('Add', 'a t')], 'n m',
    [[3, 3], [3, 1], [1, 3], [3, 2]], { y: result(2) }),
  chain: one({ a: ['f32', ['n', 4]], b: ['f32', ['m', 4]], c: ['f32', ['k', 4]] },
    [node('Add', 'a b', 't'), node('Mul', 't a', 'u'), node('Sub', 'u c', 'v'), node('Add', 'v b')], 'n m k', TRIPLES, { y: result(2) }),

  div: binary('Div', 'f32'),
  pow: one({ a: ['f32', ['n', 4]], b: ['f32', ['m', 4]] }, [node('Abs', 'a', 't'), node('Pow', 't b')], 'n m', [[3, 1], [1, 3], [3, 2]], { y: result(2) }),
  mod: binary('Mod', 'f32', 'f32', { fmod: 1 }),
  equal: binary('Equal', 'i32', 'bool'),
  less: binary('Less', 'f32', 'bool'),
  greater: binary('GreaterOrEqual', 'i64', 'bool'),
  and: binary('And', 'bool'),
  xor: binary('Xor', 'bool'),
  int64: binary('Add', 'i64'),
  prelu: one({ x: ['f32', ['n', 4]], slope: ['f32', ['m', 4]] }, [node('PRelu', 'x slope')], 'n m', [[3, 1], [3, 3], [1, 1], [3, 2], [1, 3]], { y: result(2) }),
  ...Object.fromEntries(['Sum', 'Mean', 'Max', 'Min'].map((op) => [op.toLowerCase(),
    one({ a: ['f32', ['n']], b: ['f32', ['m']], c: ['f32', ['k']] }, [node(op, 'a b c')], 'n m k', TRIPLES, { y: result(1) })])),
  where: one({ c: ['bool', ['n', 1]], a: ['f32', ['m', 'k']], b: ['f32', ['l']] }, [node('Where', 'c a b')], 'n m k l',
    [[2, 2, 3, 3], [2, 1, 3, 1], [1, 2, 1, 3], [2, 1, 1, 1], [2, 3, 3, 3], [2, 2, 3, 2]], { y: result(2) }),

  constant: one({ x: ['f32', ['n']] }, [node('Add', 'x four')], 'n', [[4], [1], [3], [0]], { y: result(1), constants: { four: [10, 20, 30, 40] } }),
  'two and a constant': one({ a: ['f32', ['n']], b: ['f32', ['m']] }, [node('Add', 'a b', 't'), node('Mul', 't four')], 'n m',
    [[4, 4], [4, 1], [1, 4], [1, 1], [3, 1], [3, 3]], { y: result(1), constants: { four: [10, 20, 30, 40] } }),
  twice: one({ a: ['f32', ['n']], b: ['f32', ['m']] }, [node('Concat', 'a a', 't', { axis: 0 }), node('Add', 't b')], 'n m',
    [[3, 6], [3, 1], [1, 2], [1, 1], [0, 1], [3, 3]], { y: result(1) }),
  'twice itself': one({ a: ['f32', ['n']] }, [node('Concat', 'a a', 't', { axis: 0 }), node('Add', 't a')], 'n', [[1], [0], [2]], { y: result(1) }),
  'the first': one({ a: ['f32', ['n']] }, [node('Slice', 'a zero one', 't'), node('Sub', 'a t')], 'n', [[3], [1], [0]],
    { y: result(1), constants: { zero: [0n], one: [1n] } }),
  'sum of sizes': one({ a: ['f32', ['n', 2]], b: ['f32', ['m', 2]], c: ['f32', ['k', 2]] },
    [node('Concat', 'a b', 't', { axis: 0 }), node('Add', 't c')], 'n m k', [[2, 3, 5], [2, 3, 1], [1, 0, 4], [0, 1, 3], [2, 3, 4]], { y: result(2) }),
  flat: one({ a: ['f32', ['n', 'm']], b: ['f32', ['k']] }, [node('Reshape', 'a all', 't'), node('Add', 't b')], 'n m k',
    [[2, 3, 6], [2, 3, 1], [1, 1, 5], [2, 3, 3]], { y: result(1), constants: { all: [-1n] } }),

  expand: one({ x: ['f32', ['n']], like: ['f32', ['m']] }, [node('Shape', 'like', 's'), node('Expand', 'x s')], 'n m', PAIRS, { y: result(1) }),
  'expand of ranks': one({ x: ['f32', ['n', 1]], like: ['f32', ['k', 'm', 'l']] }, [node('Shape', 'like', 's'), node('Expand', 'x s')], 'n k m l',
    [[3, 2, 3, 4], [3, 2, 1, 4], [1, 2, 3, 4], [3, 2, 2, 4]], { y: result(3) }),
  'expand and add': one({ x: ['f32', ['n']], like: ['f32', ['m']] },
    [node('Shape', 'like', 's'), node('Expand', 'x s', 't'), node('Add', 't like', 'u'), node('Mul', 'u x')], 'n m', PAIRS, { y: result(1) }),

  matmul: one({ a: ['f32', ['n', 2, 3]], b: ['f32', ['m', 3, 2]] }, [node('MatMul', 'a b')], 'n m', [[3, 3], [3, 1], [1, 3], [1, 1], [0, 1], [0, 0], [3, 2], [0, 3]],
    { y: result(3) }),
  'matmul of ranks': one({ a: ['f32', ['p', 'n', 2, 3]], b: ['f32', ['m', 3, 5]] }, [node('MatMul', 'a b')], 'p n m',
    [[2, 3, 3], [2, 3, 1], [2, 1, 3], [2, 2, 3]], { y: result(4) }),
  'matmul and rest': one({ a: ['f32', ['n', 8, 8]], b: ['f32', ['m', 8, 8]], c: ['f32', ['k', 8]] },
    [node('MatMul', 'a b', 't'), node('Relu', 't', 'u'), node('Add', 'u c')], 'n m k',
    [[3, 3, 8], [3, 1, 1], [1, 3, 8], [1, 1, 1], [3, 1, 2]], { y: result(3) }),
  gemm: one({ a: ['f32', ['m', 3]], b: ['f32', [3, 4]], c: ['f32', ['n', 4]] }, [node('Gemm', 'a b c')], 'm n',
    [[3, 3], [3, 1], [1, 1], [3, 2], [1, 3]], { y: result(2) }),
  'gemm of columns': one({ a: ['f32', [2, 3]], b: ['f32', [3, 'n']], c: ['f32', ['m']] }, [node('Gemm', 'a b c', 'y', { transA: 0 })], 'n m',
    [[5, 5], [5, 1], [1, 1], [5, 2], [1, 5]], { y: result(2) }),
  einsum: one({ a: ['f32', ['n', 2, 3]], b: ['f32', ['m', 3, 2]] }, [node('Einsum', 'a b', 'y', { equation: '...ij,...jk->...ik' })], 'n m',
    [[3, 3], [3, 1], [1, 3], [3, 2]], { y: result(3) }),
  'einsum of letters': one({ a: ['f32', ['n', 2, 'k']], b: ['f32', ['m', 'l', 2]] }, [node('Einsum', 'a b', 'y', { equation: 'bij,bjk->bik' })], 'n m k l',
    [[3, 3, 4, 4], [3, 1, 4, 4], [1, 3, 4, 4], [3, 2, 4, 4], [3, 3, 4, 2]], { y: result(3) }),

  softmax: one({ a: ['f32', [2, 'n']], b: ['f32', [2, 'm']] }, [node('Add', 'a b', 't'), node('Softmax', 't', 'y', { axis: 1 })], 'n m',
    [[9, 9], [9, 1], [1, 9], [9, 2]], { y: result(2) }),
  'mean over rows': one({ a: ['f32', ['n', 3]], b: ['f32', ['m', 3]] }, [node('Add', 'a b', 't'), node('ReduceMean', 't', 'y', { axes: [0], keepdims: 0 })], 'n m',
    [[4, 4], [4, 1], [1, 4], [4, 2]], { y: result(1) }),
  'batch of a convolution': one({ a: ['f32', ['n', 2, 5, 5]], b: ['f32', ['m', 2, 5, 5]] },
    [node('Add', 'a b', 't'), node('Conv', 't filter')], 'n m', [[2, 2], [2, 1], [1, 2], [3, 2]],
    { y: result(4), constants: { filter: { type: ['f32', [1, 2, 3, 3]], bytes: new Uint8Array(Float32Array.from({ length: 18 }, (_, i) => i - 7).buffer) } } }),
  'joined with another': one({ a: ['f32', ['n', 2]], b: ['f32', ['m', 2]], c: ['f32', ['k', 3]] },
    [node('Mul', 'a b', 't'), node('Concat', 't c', 'y', { axis: 1 })], 'n m k', [[3, 3, 3], [3, 1, 3], [1, 3, 3], [1, 1, 1], [3, 3, 1], [3, 1, 1]],
    { y: result(2) }),
  'other shapes': one({ a: ['f32', ['n', 4]], b: ['f32', ['m', 4]] },
    [node('Add', 'a b', 't'), node('Reshape', 't rows', 'u'), node('Transpose', 'u', 'v'), node('Slice', 'v one most axis', 'w'), node('Concat', 'w w', 'y', { axis: 1 })], 'n m',
    [[3, 3], [3, 1], [1, 3], [3, 2]], { y: result(2), constants: { rows: [-1n, 2n], one: [1n], most: [1000n], axis: [1n] } }),
  'its shape': one({ a: ['f32', ['n', 'm']], b: ['f32', ['k']] }, [node('Add', 'a b', 't'), node('Shape', 't')], 'n m k',
    [[2, 3, 3], [2, 3, 1], [2, 1, 3], [2, 3, 2]], { y: result(1, 'i64') }),
  attention: one({ q: ['f32', ['h', 's', 8]], k: ['f32', ['h', 'past', 8]], v: ['f32', ['h', 'past', 8]], mask: ['f32', ['b', 1, 'total']] },
    [node('Transpose', 'k', 'kt', { perm: [0, 2, 1] }), node('MatMul', 'q kt', 'scores'), node('Add', 'scores mask', 'masked'),
      node('Softmax', 'masked', 'p', { axis: 2 }), node('MatMul', 'p v')], 'h s past b total',
    [[2, 3, 5, 2, 5], [2, 3, 5, 1, 5], [2, 3, 5, 2, 1], [1, 3, 5, 2, 1], [1, 1, 1, 1, 1], [2, 3, 5, 3, 5], [2, 3, 1, 1, 5], [2, 3, 5, 1, 4]], { y: result(3) }),
};

const ARRAYS = { f32: Float32Array, i32: Int32Array, i64: BigInt64Array, bool: Uint8Array };

/** Elements of an input, of all signs. @param {keyof typeof ARRAYS} type @param {number} count @param {number} input */
function elements(type, count, input) {
  const at = (/** @type {number} */ i) => (i * 7 + input * 3) % 11 - 5;
  if (type === 'i64') return BigInt64Array.from({ length: count }, (_, i) => BigInt(at(i)));
  const values = Array.from({ length: count }, (_, i) => type === 'bool' ? +(at(i) > 0) : at(i) || 1);
  return ARRAYS[type].from(values);
}

/** The inputs of a run. @param {Case} test @param {number[]} sizes @returns {Record<string, { data: any, shape: number[] }>} */
export function inputsOf({ model, symbols }, sizes) {
  const values = Object.fromEntries(symbols.split(' ').map((symbol, i) => [symbol, sizes[i]]));
  return Object.fromEntries(Object.entries(model.inputs).map(([name, [type, shape]], i) => {
    const known = shape.map((size) => typeof size === 'number' ? size : values[size]);
    return [name, { data: elements(/** @type {keyof typeof ARRAYS} */ (type), known.reduce((a, b) => a * b, 1), i), shape: known }];
  }));
}
