// Operators of ONNX Runtime's own that ONNX has in another form, or not at all. `node operators_reference.mjs contrib` computes what it
// makes of them, and operators.test.mjs compares. More of them are in ../web/fused.mjs.

import { TYPES } from '../onnx_model.mjs';
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

// ---- One token's attention, of keys of another sequence and of a past with room for more

const TOKEN = /** @type {Record<string, Type>} */ ({ x: ['f32', ['batch', 1, 6]] });
const token = (/** @type {number} */ seed) => made('f32', [2, 1, 6], 1, seed), cache = (/** @type {number} */ seed) => made('f32', [2, 2, 5, 3], 1, seed);
const across = { x: token(1), k: made('f32', [2, 2, 4, 3], 1, 2), v: made('f32', [2, 2, 4, 3], 1, 3) };
const OTHERS = /** @type {Record<string, Type>} */ ({ ...TOKEN, k: ['f32', ['batch', 2, 'keys', 3]], v: ['f32', ['batch', 2, 'keys', 3]] });
add('DecoderMaskedMultiHeadAttention of others', OTHERS, [fused('y = DecoderMaskedMultiHeadAttention(x, k, v)', { num_heads: 2 })], [across]);
add('DecoderMaskedMultiHeadAttention of others with a mask', { ...OTHERS, m: ['i32', ['batch', 'keys']] }, [fused('y = DecoderMaskedMultiHeadAttention(x, k, v, m)', { num_heads: 2, scale: float(0.4) })],
  [{ ...across, m: given('i32', [2, 4], [1, 1, 1, 0, 0, 1, 1, 1]) }]);
const OWN = /** @type {Record<string, Type>} */ ({ ...TOKEN, k: ['f32', ['batch', 1, 6]], v: ['f32', ['batch', 1, 6]], pk: ['f32', ['batch', 2, 5, 3]], pv: ['f32', ['batch', 2, 5, 3]], l: ['i32', [1]] });
const own = (/** @type {number} */ past) => ({ x: token(1), k: token(2), v: token(3), pk: cache(4), pv: cache(5), l: given('i32', [1], [past]) });
const three = { ...y(3), ...Object.fromEntries(['ck', 'cv'].map((name) => [name, /** @type {Type} */ (['f32', ['batch', 2, 5, 3]])])) };
const shared = { num_heads: 2, past_present_share_buffer: 1 };
add('DecoderMaskedMultiHeadAttention of a past with room', OWN, [fused('y ck cv = DecoderMaskedMultiHeadAttention(x, k, v, , , pk, pv, l)', shared)], [own(2), own(1), own(4)], { outputs: three });
add('DecoderMaskedMultiHeadAttention with a bias', { ...OWN, q: ['f32', [18]] }, [fused('y ck cv = DecoderMaskedMultiHeadAttention(x, k, v, , , pk, pv, l, , , q)', shared)], [{ ...own(2), q: made('f32', [18], 1, 6) }], { outputs: three });
const masked = (/** @type {number} */ past) => ({ ...own(past), m: given('i32', [2, past + 1], Array.from({ length: 2 * (past + 1) }, (_, i) => Number(i % 3 !== 1))), a: made('f32', [1, 2, 1, past + 1], 1, 7) });
add('DecoderMaskedMultiHeadAttention with a mask and a bias of scores', { ...OWN, m: ['i32', ['batch', 'total']], a: ['f32', [1, 2, 1, 'total']] },
  [fused('y ck cv = DecoderMaskedMultiHeadAttention(x, k, v, m, a, pk, pv, l)', shared)], [masked(2), masked(4)], { outputs: three });
// MultiHeadAttention of the CPU does not read where the past ends: the same of a past that ends there, and what is behind it.
const SEVERAL = /** @type {Record<string, Type>} */ ({ x: ['f32', ['batch', 'seq', 6]], k: ['f32', ['batch', 'seq', 6]], v: ['f32', ['batch', 'seq', 6]], pk: OWN.pk, pv: OWN.pv, l: OWN.l });
const behind = (/** @type {string} */ past, /** @type {string} */ present, /** @type {string} */ result) => [node(`${present}.s = Shape(${present})`, { start: 2, end: 3 }),
  node(`${present}.r = Slice(${past}, ${present}.s, end, two)`), node(`${result} = Concat(${present}, ${present}.r)`, { axis: 2 })];
for (const unidirectional of [0, 1]) {
  add(`MultiHeadAttention of a past with room${unidirectional ? ', causal' : ''}`, SEVERAL, [fused('y ck cv = MultiHeadAttention(x, k, v, , , , pk, pv, l)', { num_heads: 2, unidirectional })],
    [{ ...own(2), x: made('f32', [2, 2, 6], 1, 1), k: made('f32', [2, 2, 6], 1, 2), v: made('f32', [2, 2, 6], 1, 3) }, own(3)], { outputs: three, constants: { zero: longs(0), two: longs(2), end: longs(5) },
      reference: [node('n = Cast(l)', { to: TYPES.i64 }), node('ak = Slice(pk, zero, n, two)'), node('av = Slice(pv, zero, n, two)'), fused('y bk bv = MultiHeadAttention(x, k, v, , , , ak, av)', { num_heads: 2, unidirectional }),
        ...behind('pk', 'bk', 'ck'), ...behind('pv', 'bv', 'cv')] });
}
