// Operators of ONNX Runtime's own that ONNX has in another form, or not at all. `node operators_reference.mjs contrib` computes what it
// makes of them, and operators.test.mjs compares. More of them are in ../web/fused.mjs.

import { float, fused, longs, node, scalar } from './experts.mjs';
import { given, made, y } from './operators.mjs';

/** @import { Case, Model, Node, Type } from './operators.mjs' */
/** @import { Tensor } from '../onnx_model.mjs' */

/** @type {Record<string, Case>} */
export const CASES = {};

/**
 * @param {string} name @param {Record<string, Type>} inputs @param {Node[]} nodes @param {Case['runs']} runs
 * @param {{ rank?: number, constants?: Model['constants'], outputs?: Record<string, Type>, reference?: Node[] }} [more]
 */
function add(name, inputs, nodes, runs, { rank, constants, outputs = y(rank ?? inputs[Object.keys(inputs)[0]][1].length), reference } = {}) {
  const model = { inputs, outputs, constants, opset: 21 };
  CASES[name] = { model: { ...model, nodes }, runs, ...reference && { reference: { ...model, nodes: reference } } };
}
/** @param {...number} values @returns {Tensor} */
const ints = (...values) => ({ type: ['i32', [values.length]], bytes: new Uint8Array(Int32Array.from(values).buffer) });

// ---- Softmax of scores and what is added to them, which the CPU does not have

const SCORES = /** @type {Record<string, Type>} */ ({ x: ['f32', ['batch', 2, 'seq', 5]], b: ['f32', ['batch', 1, 1, 5]] });
const scores = (/** @type {number} */ batch, /** @type {number} */ seq) => ({ x: made('f32', [batch, 2, seq, 5], 3, seq), b: made('f32', [batch, 1, 1, 5], 3, batch + 9) });
add('BiasSoftmax', SCORES, [fused('y = BiasSoftmax(x, b)', { axis: 3, is_inner_broadcast: 1 })], [scores(2, 3), scores(1, 1)],
  { reference: [node('s = Add(x, b)'), node('y = Softmax(s)')] });
add('BiasSoftmax with a bias for all', { x: ['f32', ['n', 3, 4]], b: ['f32', [3, 4]] }, [fused('y = BiasSoftmax(x, b)', { axis: -1, is_inner_broadcast: 0 })],
  [{ x: made('f32', [2, 3, 4], 3), b: made('f32', [3, 4], 3, 1) }], { reference: [node('s = Add(x, b)'), node('y = Softmax(s)')] });
add('BiasSoftmax of rows of two dimensions', { x: ['f32', ['n', 3, 4]], b: ['f32', [1, 3, 4]] }, [fused('y = BiasSoftmax(x, b)', { is_inner_broadcast: 0 })],
  [{ x: made('f32', [2, 3, 4], 3), b: made('f32', [1, 3, 4], 3, 1) }],
  { constants: { f: longs(0, -1), u: longs(0, 3, 4) }, reference: [node('s = Add(x, b)'), node('t = Reshape(s, f)'), node('p = Softmax(t)'), node('y = Reshape(p, u)')] });

// ---- What came before ONNX's

const ROWS = /** @type {Record<string, Type>} */ ({ x: ['f32', ['n', 4]] }), rows = [{ x: made('f32', [3, 4]) }, { x: made('f32', [1, 4], 2, 1) }];
add('Pad', ROWS, [fused('y = Pad(x, p, v)', {})], rows, { constants: { p: longs(1, 0, 0, 2), v: scalar(1.5) } });
add('Pad of a row of pads', ROWS, [fused('y = Pad(x, p)', {})], rows, { constants: { p: { ...longs(1, 0, 0, 2), type: ['i64', [1, 4]] } } });
for (const mode of ['reflect', 'edge']) add(`Pad ${mode}`, { x: ['f32', [3, 4]] }, [fused('y = Pad(x, p)', { mode })], [rows[0]], { constants: { p: longs(1, 2, 2, 0) } });
add('Pad by data', { ...ROWS, p: ['i64', [4]] }, [fused('y = Pad(x, p)', {})], [{ ...rows[0], p: given('i64', [4], [0, 1, 2, 0]) }]);
for (const axis of [0, 2, -1, -2]) add(`ExpandDims ${axis < 0 ? `${-axis} from the end` : axis}`, ROWS, [fused('y = ExpandDims(x, a)', {})], rows, { rank: 3, constants: { a: { ...ints(axis), type: ['i32', []] } } });
add('Range by one', { x: ['f32', []], l: ['f32', []] }, [fused('y = Range(x, l)', {})], [{ x: given('f32', [], [1.5]), l: given('f32', [], [5]) }, { x: given('f32', [], [3]), l: given('f32', [], [1]) }], { rank: 1 });
add('Range', { x: ['i64', []], l: ['i64', []], d: ['i64', []] }, [fused('y = Range(x, l, d)', {})], [{ x: given('i64', [], [9]), l: given('i64', [], [2]), d: given('i64', [], [-3]) }], { outputs: y(1, 'i64') });
const grid = { x: made('f32', [2, 3, 5, 4]), g: made('f32', [2, 3, 2, 2], 1.3, 4) };
for (const [mode, padding_mode, align_corners] of /** @type {const} */ ([['bilinear', 'zeros', 0], ['nearest', 'border', 1], ['bicubic', 'reflection', 0]]))
  add(`GridSample ${mode}`, { x: ['f32', ['n', 3, 5, 4]], g: ['f32', ['n', 3, 2, 2]] }, [fused('y = GridSample(x, g)', { mode, padding_mode, align_corners })], [grid]);

// ---- Crops, some of them beyond the image, upside down or of one row

const IMAGES = /** @type {Record<string, Type>} */ ({ x: ['f32', ['n', 2, 6, 'w']], r: ['f32', ['crops', 4]], i: ['i32', ['crops']] });
const crops = { x: made('f32', [2, 2, 6, 5]), r: given('f32', [4, 4], [0, 0, 1, 1, 0.1, 0.2, 0.6, 0.9, 0.9, 0.3, 0.2, 0.7, -0.3, 0.4, 0.5, 1.4]), i: given('i32', [4], [0, 1, 1, 0]) };
for (const mode of ['bilinear', 'nearest']) {
  for (const [height, width] of [[3, 4], [1, 2]])
    add(`CropAndResize ${mode} to ${height} x ${width}`, IMAGES, [fused('y = CropAndResize(x, r, i, s)', { mode, extrapolation_value: float(-2.5) })], [crops, { ...crops, x: made('f32', [3, 2, 6, 1], 2, 1) }], { constants: { s: ints(height, width) } });
}
