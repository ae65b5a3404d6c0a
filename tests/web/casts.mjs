// Models that cast to f16 and back by nodes of their own, and values that are hard to round.
// `node casts_reference.mjs` computes what ONNX Runtime makes of them, and casts.test.mjs compares.

/** @typedef {Parameters<typeof import('../onnx_model.mjs').onnxModel>[0]} Model */
/** @typedef {import('../onnx_model.mjs').Type} Type */
/** @typedef {import('../onnx_model.mjs').Node} Node */

/** @param {Node[]} nodes from x to y @param {Type} [x] @returns {Model} */
const model = (nodes, x = ['f32', ['n']]) => ({ inputs: { x }, outputs: { y: ['f32', ['n']] }, nodes, opset: 17 });
/** @param {string} input @param {string} output @param {number} to @returns {Node} */
const cast = (input, output, to) => ({ op: 'Cast', name: output, inputs: [input], outputs: [output], attributes: { to } });
const FLOAT = 1, FLOAT16 = 10;

/** @type {Record<string, Model>} */
export const MODELS = {
  float: model([cast('x', 'half', FLOAT16), cast('half', 'y', FLOAT)]),
  like: {
    ...model([{ op: 'CastLike', name: 'half', inputs: ['x', 'one'], outputs: ['half'] }, cast('half', 'y', FLOAT)]),
    constants: { one: { type: ['f16', []], bytes: Uint8Array.of(0, 0x3c) } },
  },
  computed: model([
    { op: 'Neg', name: 'negative', inputs: ['x'], outputs: ['negative'] }, cast('negative', 'half', FLOAT16),
    cast('half', 'wide', FLOAT), { op: 'Neg', name: 'y', inputs: ['wide'], outputs: ['y'] },
  ]),
  integer: model([cast('x', 'half', FLOAT16), cast('half', 'y', FLOAT)], ['i32', ['n']]),
};

/** Around the ends of f16, halfway between neighbours, and some of every magnitude. */
function floats() {
  const values = [0, -0, Infinity, -Infinity, NaN, 65504, 65519.99, 65520, 65536, 1e30, -65520, 1e-40, 2 ** -24, 2 ** -25, -(2 ** -25),
    2 ** -25 * 1.0001, 3 * 2 ** -25, 5 * 2 ** -25, 2 ** -14, 2 ** -14 - 2 ** -26, 2 ** -14 - 2 ** -25, 2 ** -14 - 3 * 2 ** -26, 2049, 2051, 0.1, 1 / 3];
  for (const odd of [1, 3, 5, 2045, 2047]) {
    for (const exponent of [-15, -11, -3, 0, 4]) {
      const halfway = (2048 + odd) * 2 ** (exponent - 11);
      values.push(halfway, -halfway, halfway * (1 + 2 ** -20), halfway * (1 - 2 ** -20));
    }
  }
  for (let i = 0; i < 200; ++i) values.push((i % 2 ? -1 : 1) * (1 + ((i * 0.6180339887) % 1)) * 2 ** (i % 46 - 28));
  return Float32Array.from(values);
}

/** @param {Model} of */
export const inputOf = (of) => of.inputs.x[0] === 'f32' ? floats()
  : Int32Array.from([0, 1, -1, 2047, 2049, 2051, -2049, 4097, 4098, 32769, 65519, 65520, -65520, 2147483647, -2147483648]);
