// Mixtures of experts, ONNX Runtime's MoE and QMoE. `node operators_reference.mjs experts` computes what it makes of them, and
// operators.test.mjs compares. What its CPU does not have (a third layer, halves of a gate one behind the other) is written
// in ONNX's operators: each row by all experts, those that were not chosen times 0.

import { TYPES } from '../onnx_model.mjs';
import { given, made, y } from './operators.mjs';

/** @import { Case, Model, Node, Type } from './operators.mjs' */
/** @import { Tensor } from '../onnx_model.mjs' */

/** @type {Record<string, Case>} */
export const CASES = {};

/** @param {string} text @param {Node['attributes']} [attributes] "y z = Op(a, , b)" @returns {Node} */
export function node(text, attributes = {}, domain = '') {
  const [, outputs, op, inputs] = /** @type {RegExpExecArray} */ (/^(.*) = (\w+)\((.*)\)$/.exec(text));
  return { op, name: outputs, domain, inputs: inputs.split(',').map((name) => name.trim()), outputs: outputs.split(' '), attributes };
}
/** @param {string} text @param {Node['attributes']} attributes */
export const fused = (text, attributes) => node(text, attributes, 'com.microsoft');
/** @param {number} value */
export const float = (value) => ({ float: value });

/** @param {number[]} shape @param {number} seed @returns {Tensor} */
const numbers = (shape, seed) => ({ type: ['f32', shape], bytes: new Uint8Array(made('f32', shape, 1, seed).data.buffer) });
/** @param {number[]} shape @param {number} seed @returns {Tensor} */
const bytes = (shape, seed) => ({ type: ['u8', shape], bytes: made('u8', shape, 256, seed).data });
/** @param {number[]} shape @returns {Tensor} */
const scales = (shape) => ({ type: ['f32', shape], bytes: new Uint8Array(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => 0.002 + (i * 7 % 11) / 2000).buffer) });
/** @param {...number} values @returns {Tensor} */
export const longs = (...values) => ({ type: ['i64', [values.length]], bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) });
/** @param {number} value @returns {Tensor} */
export const scalar = (value) => ({ type: ['f32', []], bytes: new Uint8Array(Float32Array.of(value).buffer) });

const E = 5, ROWS = 7;
/** @param {number} hidden @returns {Record<string, Type>} */
const open = (hidden) => ({ x: ['f32', ['n', hidden]], r: ['f32', ['n', E]] });
/** @param {number} rows @param {number} hidden */
const run = (rows, hidden) => ({ x: made('f32', [rows, hidden], 2, rows), r: made('f32', [rows, E], 3, rows + 1) });
/**
 * @param {string} name @param {Node[]} nodes @param {NonNullable<Model['constants']>} constants
 * @param {{ hidden?: number, inputs?: Record<string, Type>, runs?: Case['runs'], rank?: number, reference?: { nodes: Node[], constants: NonNullable<Model['constants']> } }} [more]
 */
function add(name, nodes, constants, { hidden = 8, inputs = open(hidden), runs = [run(ROWS, hidden), run(1, hidden)], rank = 2, reference } = {}) {
  const model = { inputs, outputs: y(rank), opset: 21 };
  CASES[name] = { model: { ...model, nodes, constants }, runs, ...reference && { reference: { ...model, ...reference } } };
}

// ---- Floats

const H = 8, I = 6;
const first = numbers([E, I, H], 1), second = numbers([E, H, I], 2), third = numbers([E, I, H], 3), both = numbers([E, 2 * I, H], 4);
const b = numbers([E, I], 5), bb = numbers([E, 2 * I], 6), c = numbers([E, H], 7), d = numbers([E, I], 8);

for (const activation_type of ['relu', 'gelu', 'silu', 'identity'])
  add(`MoE ${activation_type}`, [fused('y = MoE(x, r, v, b, w, c)', { activation_type, k: 2 })], { v: first, w: second, b, c });
add('MoE whose shares add up to 1', [fused('y = MoE(x, r, v, , w)', { k: 3, normalize_routing_weights: 1 })], { v: first, w: second });
add('MoE of one expert a row', [fused('y = MoE(x, r, v, , w)', {})], { v: first, w: second });
add('MoE of all experts', [fused('y = MoE(x, r, v, , w)', { k: E })], { v: first, w: second });
add('MoE of known sizes', [fused('y = MoE(x, r, v, , w)', { k: 2 })], { v: first, w: second },
  { inputs: { x: ['f32', [3, H]], r: ['f32', [3, E]] }, runs: [run(3, H)] });
add('MoE of one row', [fused('y = MoE(x, r, v, , w)', { k: 2 })], { v: first, w: second }, { inputs: { x: ['f32', [1, H]], r: ['f32', [1, E]] }, runs: [run(1, H)] });
add('MoE of batches', [fused('y = MoE(x, r, v, , w)', { k: 2 })], { v: first, w: second }, {
  rank: 3, inputs: { x: ['f32', ['batch', 'seq', H]], r: ['f32', ['rows', E]] },
  runs: [{ x: made('f32', [2, 3, H]), r: made('f32', [6, E], 3, 1) }, { x: made('f32', [1, 4, H], 2, 2), r: made('f32', [4, E], 3, 3) }],
});
add('MoE with as many experts as weights', [fused('y = MoE(x, r, v, , w)', { k: 2 })], { v: first, w: second }, { inputs: { ...open(H), r: ['f32', ['rows', 'experts']] } });
add('MoE with sizes the other way round', [fused('y = MoE(x, r, v, , w)', { k: 2 })],
  { v: { ...first, type: ['f32', [E, H, I]] }, w: { ...second, type: ['f32', [E, I, H]] } });
add('MoE whose weights are inputs', [fused('y = MoE(x, r, v, , w)', { k: 2 })], {},
  { inputs: { ...open(H), v: ['f32', [E, I, H]], w: ['f32', [E, H, I]] }, runs: [{ ...run(ROWS, H), v: made('f32', [E, I, H], 1, 9), w: made('f32', [E, H, I], 1, 10) }] });

// As gpt-oss has it, with a limit that some are beyond.
const SWIGLU = { activation_type: 'swiglu', activation_alpha: float(1.702), activation_beta: float(1), swiglu_limit: float(0.7), k: 2 };
add('MoE swiglu', [fused('y = MoE(x, r, v, b, w, c)', { ...SWIGLU, swiglu_fusion: 1 })], { v: both, w: second, b: bb, c });
add('MoE swiglu without a limit', [fused('y = MoE(x, r, v, b, w, c)', { activation_type: 'swiglu', swiglu_fusion: 1, k: 2 })], { v: both, w: second, b: bb, c });

const KNOWN = { two: longs(2), none: longs(0), one: longs(1), last: longs(2), zero: scalar(0), beta: scalar(1), alpha: scalar(1.702), limit: scalar(0.7), low: scalar(-0.7) };
const SHARES = [node('p = Softmax(r)'), node('s q = TopK(p, two)'), node('p0 = Mul(p, zero)'), node('e = ScatterElements(p0, q, s)', { axis: 1 }),
  node('et = Transpose(e)', { perm: [1, 0] }), node('share = Unsqueeze(et, last)')];
/** @param {string} name of the result @param {string} x @param {string} w @param {string} [bias] */
const layer = (name, x, w, bias) => [node(`${name}.t = Transpose(${w})`, { perm: [0, 2, 1] }), node(`${bias ? `${name}.p` : name} = MatMul(${x}, ${name}.t)`),
  ...bias ? [node(`${name}.b = Unsqueeze(${bias}, one)`), node(`${name} = Add(${name}.p, ${name}.b)`)] : []];
const ALL = [node('all = Unsqueeze(x, none)')], SUM = [node('weighted = Mul(o, share)'), node('y = ReduceSum(weighted, none)', { keepdims: 0 })];
/** swiglu of g and l, as a. */
const GATE = [node('g0 = Min(g, limit)'), node('l0 = Clip(l, low, limit)'), node('g1 = Mul(g0, alpha)'), node('g2 = Sigmoid(g1)'), node('g3 = Mul(g0, g2)'), node('l1 = Add(l0, beta)'), node('a = Mul(g3, l1)')];

add('MoE swiglu, halves', [fused('y = MoE(x, r, v, b, w, c)', { ...SWIGLU, swiglu_fusion: 2 })], { v: both, w: second, b: bb, c },
  { reference: { nodes: [...SHARES, ...ALL, ...layer('h', 'all', 'v', 'b'), node('g l = Split(h)', { axis: 2, num_outputs: 2 }), ...GATE, ...layer('o', 'a', 'w', 'c'), ...SUM], constants: { ...KNOWN, v: both, w: second, b: bb, c } } });
add('MoE swiglu of two layers', [fused('y = MoE(x, r, v, b, w, c, u, d)', SWIGLU)], { v: first, w: second, u: third, b, c, d },
  { reference: { nodes: [...SHARES, ...ALL, ...layer('g', 'all', 'v', 'b'), ...layer('l', 'all', 'u', 'd'), ...GATE, ...layer('o', 'a', 'w', 'c'), ...SUM], constants: { ...KNOWN, v: first, w: second, u: third, b, c, d } } });
const SILU = [node('h2 = Sigmoid(g)'), node('h3 = Mul(g, h2)'), node('a = Mul(h3, l)')];
add('MoE silu with a gate', [fused('y = MoE(x, r, v, , w, , u)', { activation_type: 'silu', k: 2 })], { v: first, w: second, u: third },
  { reference: { nodes: [...SHARES, ...ALL, ...layer('g', 'all', 'v'), ...layer('l', 'all', 'u'), ...SILU, ...layer('o', 'a', 'w'), ...SUM], constants: { ...KNOWN, v: first, w: second, u: third } } });

// ---- Bytes

const K = 32, N = 64;
for (const bits of [2, 4, 8]) {
  const v = bytes([E, N, K * bits / 8], bits), w = bytes([E, K, N * bits / 8], bits + 1), s = scales([E, N]), t = scales([E, K]);
  const more = { hidden: K }, attributes = { expert_weight_bits: bits, k: 2 };
  const bias = { b: numbers([E, N], 5), c: numbers([E, K], 6) };
  add(`QMoE of ${bits} bits`, [fused('y = QMoE(x, r, v, s, b, w, t, c)', attributes)], { v, w, s, t, ...bias }, more);
  add(`QMoE of ${bits} bits, zero points`, [fused('y = QMoE(x, r, v, s, , w, t, , , , , f, g)', attributes)],
    { v, w, s, t, f: bytes([E, N * bits / 8], 7), g: bytes([E, K * bits / 8], 8) }, more);
  const p = scales([E, N, K / 16]), q = scales([E, K, N / 16]), block = { ...attributes, block_size: 16, activation_type: 'silu' };
  add(`QMoE of ${bits} bits in blocks`, [fused('y = QMoE(x, r, v, s, b, w, t, c)', block)], { v, w, s: p, t: q, ...bias }, more);
  add(`QMoE of ${bits} bits in blocks, zero points`, [fused('y = QMoE(x, r, v, s, , w, t, , , , , f, g)', block)],
    { v, w, s: p, t: q, f: bytes([E, N, Math.ceil(K / 16 * bits / 8)], 7), g: bytes([E, K, Math.ceil(N / 16 * bits / 8)], 8) }, more);
}
{
  const v = bytes([E, 2 * N, K / 2], 1), w = bytes([E, K, N / 2], 2), s = scales([E, 2 * N, K / 16]), t = scales([E, K, N / 16]);
  add('QMoE swiglu', [fused('y = QMoE(x, r, v, s, b, w, t, c)', { ...SWIGLU, swiglu_fusion: 1, block_size: 16 })],
    { v, w, s, t, b: numbers([E, 2 * N], 5), c: numbers([E, K], 6) }, { hidden: K });
  const shares = { inputs: { ...open(K), m: /** @type {Type} */ (['f32', ['n', E]]) }, runs: [{ ...run(ROWS, K), m: { shape: [ROWS, E], data: made('f32', [ROWS, E], 1, 4).data.map(Math.abs) } }] };
  for (const normalize_routing_weights of [0, 1])
    add(`QMoE with shares of their own, ${normalize_routing_weights ? 'that add up to 1' : 'as they are'}`,
      [fused('y = QMoE(x, r, v, s, , w, t, , , , , , , , m)', { ...SWIGLU, swiglu_fusion: 1, block_size: 16, normalize_routing_weights })], { v, w, s, t }, shares);
}
{
  const v = bytes([E, N, K], 1), w = bytes([E, K, N], 2), u = bytes([E, N, K], 3), s = scales([E, N, 2]), t = scales([E, K, 4]), block_size = 16;
  add('QMoE silu with a gate', [fused('y = QMoE(x, r, v, s, , w, t, , u, s, , i, j, i)', { activation_type: 'silu', k: 2, expert_weight_bits: 8, block_size, normalize_routing_weights: 1 })],
    { v, w, u, s, t, i: bytes([E, N, 2], 4), j: bytes([E, K, 4], 5) }, { hidden: K, reference: {
      nodes: [node('s0 q = TopK(r, two)'), node('s1 = Softmax(s0)'), node('p0 = Mul(r, zero)'), node('e = ScatterElements(p0, q, s1)', { axis: 1 }), node('et = Transpose(e)', { perm: [1, 0] }), node('share = Unsqueeze(et, last)'),
        ...ALL, ...[['v', 's', 'i'], ['w', 't', 'j'], ['u', 's', 'i']].map(([x, scale, zero]) => node(`${x}f = DequantizeLinear(${x}, ${scale}, ${zero})`, { axis: 2, block_size })),
        ...layer('g', 'all', 'vf'), ...layer('l', 'all', 'uf'), ...SILU, ...layer('o', 'a', 'wf'), ...SUM],
      constants: { ...KNOWN, v, w, u, s, t, i: bytes([E, N, 2], 4), j: bytes([E, K, 4], 5) } } });
}

// ---- Halves: of small numbers, whose sums are exact until they are rounded at the end.

{
  const small = (/** @type {number[]} */ shape, /** @type {number} */ seed) => ({ type: /** @type {Type} */ (['f32', shape]),
    bytes: new Uint8Array(Float32Array.from(made('i32', shape, 5, seed).data, (x) => x - 2).buffer) });
  const halves = (/** @type {string[]} */ ...names) => names.map((name) => node(`${name}h = Cast(${name})`, { to: TYPES.f16 }));
  const runs = [3, 1].map((rows) => ({ x: given('f32', [rows, 16], [...made('i32', [rows, 16], 5, rows).data].map((x) => x - 2)), r: made('f32', [rows, E], 3, rows + 1) }));
  const constants = { v: small([E, 8, 16], 1), w: small([E, 16, 8], 2), b: small([E, 8], 3), c: small([E, 16], 4) };
  const attributes = { k: 2, normalize_routing_weights: 1 };
  add('MoE of halves', [...halves('x', 'v', 'w', 'b', 'c'), node('rh = Cast(r)', { to: TYPES.f16 }), fused('yh = MoE(xh, rh, vh, bh, wh, ch)', attributes), node('y = Cast(yh)', { to: TYPES.f32 })],
    constants, { hidden: 16, runs, reference: { nodes: [node('rh = Cast(r)', { to: TYPES.f16 }), node('rr = Cast(rh)', { to: TYPES.f32 }), fused('y = MoE(x, rr, v, b, w, c)', attributes)], constants } });
  const v = bytes([E, 16, 8], 1), w = bytes([E, 16, 8], 2), s = { type: /** @type {Type} */ (['f32', [E, 16]]), bytes: new Uint8Array(new Float32Array(E * 16).fill(0.125).buffer) };
  for (const [name, scale] of /** @type {const} */ ([['', 'sh'], [' with scales that are not', 's']]))
    add(`QMoE of halves${name}`, [...halves('x', 'r', ...scale === 'sh' ? ['s'] : []), fused(`yh = QMoE(xh, rh, v, ${scale}, , w, ${scale})`, { k: 2 }), node('y = Cast(yh)', { to: TYPES.f32 })],
      { v, w, s }, { hidden: 16, runs, reference: { nodes: [node('rh = Cast(r)', { to: TYPES.f16 }), node('rr = Cast(rh)', { to: TYPES.f32 }), fused('y = QMoE(x, rr, v, s, , w, s)', { k: 2 })], constants: { v, w, s } } });
}
