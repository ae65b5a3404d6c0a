// Small models of ONNX Runtime's own operators (com.microsoft), as its optimiser and its exporters write them.
// `node fused_reference.mjs` computes what ONNX Runtime makes of them, and fused.test.mjs compares. Where its CPU
// provider lacks an operator, `reference` says in ONNX's operators what its documentation says.

/** @typedef {Parameters<typeof import('../onnx_model.mjs').onnxModel>[0]} Model */
/** @typedef {import('../onnx_model.mjs').Type} Type */
/** @typedef {import('../onnx_model.mjs').Node} Node */
/**
 * @typedef {object} Case
 * @property {Record<string, Type>} inputs
 * @property {Node[]} nodes
 * @property {Node[]} [reference]
 * @property {Record<string, [Type[0], number]>} outputs their types and ranks
 * @property {Record<string, number>} sizes what symbols are
 * @property {Record<string, number[]>} [given] elements of inputs, of integers most of all
 * @property {Model['constants']} [constants]
 */

/** @param {string} text @param {Node['attributes']} [attributes] "y z = Op(a, , b)" */
function node(text, attributes = {}, domain = '') {
  const [, outputs, op, inputs] = /** @type {RegExpExecArray} */ (/^(.*) = (\w+)\((.*)\)$/.exec(text));
  return { op, name: outputs, domain, inputs: inputs.split(',').map((name) => name.trim()), outputs: outputs.split(' '), attributes };
}
/** @param {string} text @param {Node['attributes']} [attributes] */
const fused = (text, attributes) => node(text, attributes, 'com.microsoft');

/** @param {number} value */
const float = (value) => ({ float: value });

/** @type {Record<string, Case>} */
export const CASES = {};

/** @param {string} name @param {Record<string, Type>} inputs @param {Node | Node[]} nodes @param {Partial<Case>} [more] */
function add(name, inputs, nodes, more = {}) {
  const all = [nodes].flat();
  CASES[name] = { inputs, nodes: all, outputs: { y: ['f32', inputs[Object.keys(inputs)[0]][1].length] }, sizes: {}, ...more };
}

/** @type {Type} */
const ROWS = ['f32', ['n', 3, 8]];

// ---- Activations

for (const op of ['BiasGelu', 'FastGelu'])
  add(op, { x: ROWS, b: ['f32', [8]] }, fused(`y = ${op}(x, b)`), { sizes: { n: 2 } });
add('FastGelu without a bias', { x: ROWS }, fused('y = FastGelu(x)'), { sizes: { n: 2 } });
add('Gelu', { x: ROWS }, fused('y = Gelu(x)'), { sizes: { n: 2 } });
add('QuickGelu', { x: ROWS }, fused('y = QuickGelu(x)'), { sizes: { n: 2 } });
add('QuickGelu with alpha', { x: ROWS }, fused('y = QuickGelu(x)', { alpha: float(0.5) }), { sizes: { n: 2 } });
add('BiasSplitGelu', { x: ROWS, b: ['f32', [8]] }, fused('y = BiasSplitGelu(x, b)'), {
  sizes: { n: 2 },
  reference: [node('t = Add(x, b)'), node('l r = Split(t)', { axis: 2, num_outputs: 2 }), node('g = Gelu(r)'), node('y = Mul(l, g)')],
});
add('BiasAdd', { x: ROWS, b: ['f32', [8]], s: ROWS }, fused('y = BiasAdd(x, b, s)'), {
  sizes: { n: 2 }, reference: [node('t = Add(x, b)'), node('y = Add(t, s)')],
});

// ---- Products and convolutions

add('FusedMatMul', { a: ['f32', [2, 4, 3]], b: ['f32', [2, 5, 4]] }, fused('y = FusedMatMul(a, b)', { alpha: float(0.5), transA: 1, transB: 1 }));
add('FusedMatMul of batches behind rows', { a: ['f32', [3, 2, 4]], b: ['f32', [4, 2, 5]] },
  fused('y = FusedMatMul(a, b)', { transBatchA: 1, transBatchB: 1 }));
add('FusedMatMul of both', { a: ['f32', [4, 2, 3]], b: ['f32', [2, 4, 5]] }, fused('y = FusedMatMul(a, b)', { transBatchA: 1, transA: 1, alpha: float(2) }));
add('TransposeMatMul', { a: ['f32', [4, 3]], b: ['f32', [4, 5]] }, fused('y = TransposeMatMul(a, b)', { transA: 1 }));
for (const [activation, more] of /** @type {[string, Node['attributes']][]} */ ([['Relu', {}], ['Tanh', {}], ['LeakyRelu', { activation_alpha: float(0.3) }]]))
  add(`FusedGemm ${activation}`, { a: ['f32', [3, 4]], b: ['f32', [4, 5]], c: ['f32', [5]] },
    fused('y = FusedGemm(a, b, c)', { activation, alpha: float(0.5), beta: float(2), ...more }));
const IMAGE = /** @type {Record<string, Type>} */ ({ x: ['f32', [1, 4, 5, 6]], w: ['f32', [6, 4, 3, 3]], b: ['f32', [6]] });
for (const [activation, parameters] of /** @type {[string, number[]][]} */ ([['Relu', []], ['Sigmoid', []], ['Tanh', []], ['LeakyRelu', [0.2]],
  ['Clip', [-0.5, 0.75]], ['HardSigmoid', [0.25, 0.4]]]))
  add(`FusedConv ${activation}`, IMAGE,
    fused('y = FusedConv(x, w, b)', { activation, pads: [1, 1, 1, 1], ...parameters.length && { activation_params: { floats: parameters } } }));
add('FusedConv with a sum', { ...IMAGE, z: ['f32', [1, 6, 3, 4]] }, fused('y = FusedConv(x, w, b, z)', { activation: 'Relu' }));
add('NhwcConv', { x: ['f32', [1, 5, 6, 4]], w: ['f32', [6, 2, 3, 3]], b: ['f32', [6]] }, fused('y = NhwcConv(x, w, b)', { pads: [1, 0, 1, 2], strides: [2, 1], group: 2 }), {
  reference: [node('t = Transpose(x)', { perm: [0, 3, 1, 2] }), node('u = Conv(t, w, b)', { pads: [1, 0, 1, 2], strides: [2, 1], group: 2 }),
    node('y = Transpose(u)', { perm: [0, 2, 3, 1] })],
});
for (const upper of [0, 1])
  add(`Trilu ${upper}`, { x: ['f32', [2, 4, 5]] }, fused('y = Trilu(x, k)', { upper }), { constants: { k: { type: ['i64', []], bytes: new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]) } } });

// ---- Normalisations

const VECTORS = /** @type {Record<string, Type>} */ ({ g: ['f32', [8]], e: ['f32', [8]], b: ['f32', [8]] });
add('SkipLayerNormalization', { x: ROWS, s: ROWS, ...VECTORS }, fused('y m v t = SkipLayerNormalization(x, s, g, e, b)', { epsilon: float(1e-5) }),
  { sizes: { n: 2 }, outputs: { y: ['f32', 3], t: ['f32', 3] } });
add('SkipLayerNormalization of one skip', { x: ROWS, s: ['f32', [3, 8]], g: ['f32', [8]] }, fused('y = SkipLayerNormalization(x, s, g)'), { sizes: { n: 2 } });
add('SkipLayerNormalization with beta', { x: ROWS, s: ['f32', [1, 3, 8]], g: ['f32', [8]], e: ['f32', [8]] }, fused('y = SkipLayerNormalization(x, s, g, e)'), { sizes: { n: 2 } });
add('SkipSimplifiedLayerNormalization', { x: ROWS, s: ROWS, g: ['f32', [8]], b: ['f32', [8]] },
  fused('y m v t = SkipSimplifiedLayerNormalization(x, s, g, b)', { epsilon: float(1e-3) }), { sizes: { n: 2 }, outputs: { y: ['f32', 3], t: ['f32', 3] } });
add('SkipSimplifiedLayerNormalization without a bias', { x: ROWS, s: ROWS, g: ['f32', [8]] }, fused('y = SkipSimplifiedLayerNormalization(x, s, g)'), { sizes: { n: 2 } });
add('SimplifiedLayerNormalization', { x: ROWS, g: ['f32', [8]] }, node('y d = SimplifiedLayerNormalization(x, g)', { axis: 2, epsilon: float(1e-3) }),
  { sizes: { n: 2 }, outputs: { y: ['f32', 3], d: ['f32', 3] } });
// One reduction on a GPU.
add('SimplifiedLayerNormalization before two products', { x: ['f32', [1, 64]], g: ['f32', [64]], v: ['f32', [64, 40]], w: ['f32', [64, 40]] },
  [node('n = SimplifiedLayerNormalization(x, g)', { axis: 1, epsilon: float(1e-3) }), node('a = MatMul(n, v)'), node('b = MatMul(n, w)'), node('y = Mul(a, b)')], { outputs: { y: ['f32', 2] } });
const WORDS = /** @type {Record<string, Type>} */ ({ ids: ['i32', ['n', 4]], seg: ['i32', ['n', 4]], words: ['f32', [6, 8]], places: ['f32', [5, 8]], segments: ['f32', [2, 8]], ...VECTORS, mask: ['i32', ['n', 4]] });
const WORDS_GIVEN = { ids: [0, 5, 3, 1, 2, 2, 4, 0], seg: [0, 0, 1, 1, 0, 1, 1, 1], mask: [1, 1, 1, 0, 1, 1, 0, 0], at: [3, 2, 1, 0, 4, 4, 0, 1] };
add('EmbedLayerNormalization', WORDS, fused('y c t = EmbedLayerNormalization(ids, seg, words, places, segments, g, e, mask)', { epsilon: float(1e-5) }),
  { sizes: { n: 2 }, outputs: { y: ['f32', 3], c: ['i32', 1], t: ['f32', 3] }, given: WORDS_GIVEN });
add('EmbedLayerNormalization without segments', { ...WORDS, at: ['i32', ['n', 4]] }, fused('y c = EmbedLayerNormalization(ids, , words, places, , g, e, , at)'),
  { sizes: { n: 2 }, outputs: { y: ['f32', 3], c: ['i32', 1] }, given: WORDS_GIVEN });

/** What GroupNorm is in ONNX's operators: x with channels last, in three groups. @param {string} x @param {string} y */
const grouped = (x, y) => [node(`n1 = Transpose(${x})`, { perm: [0, 3, 1, 2] }), node('n2 = GroupNormalization(n1, g, e)', { num_groups: 3, epsilon: float(1e-5) }),
  node(`${y} = Transpose(n2)`, { perm: [0, 2, 3, 1] })];
const PICTURE = /** @type {Record<string, Type>} */ ({ x: ['f32', ['n', 4, 5, 6]], g: ['f32', [6]], e: ['f32', [6]] });
add('GroupNorm', PICTURE, fused('y = GroupNorm(x, g, e)', { groups: 3, activation: 0 }), { sizes: { n: 2 }, reference: grouped('x', 'y') });
add('GroupNorm with SiLU', PICTURE, fused('y = GroupNorm(x, g, e)', { groups: 3, activation: 1 }),
  { sizes: { n: 2 }, reference: [...grouped('x', 'o'), node('q = Sigmoid(o)'), node('y = Mul(o, q)')] });
add('GroupNorm with channels first', { ...PICTURE, x: ['f32', ['n', 6, 4, 5]] }, fused('y = GroupNorm(x, g, e)', { groups: 3, activation: 0, channels_last: 0 }),
  { sizes: { n: 2 }, reference: [node('y = GroupNormalization(x, g, e)', { num_groups: 3, epsilon: float(1e-5) })] });
add('SkipGroupNorm', { ...PICTURE, s: ['f32', ['n', 4, 5, 6]], b: ['f32', [6]] }, fused('y t = SkipGroupNorm(x, g, e, s, b)', { groups: 3, activation: 0 }),
  { sizes: { n: 2 }, outputs: { y: ['f32', 4], t: ['f32', 4] }, reference: [node('u = Add(x, s)'), node('t = Add(u, b)'), ...grouped('t', 'y')] });
add('SkipGroupNorm of one skip for all places', { ...PICTURE, s: ['f32', ['n', 6]] }, fused('y = SkipGroupNorm(x, g, e, s)', { groups: 3, activation: 0 }), {
  sizes: { n: 2 }, constants: { axes: [1n, 2n] }, reference: [node('r = Unsqueeze(s, axes)'), node('u = Add(x, r)'), ...grouped('u', 'y')],
});

// ---- Rotary embeddings

const ANGLES = /** @type {Record<string, Type>} */ ({ cos: ['f32', [9, 4]], sin: ['f32', [9, 4]] });
for (const interleaved of [0, 1]) {
  add(`RotaryEmbedding ${interleaved}`, { x: ['f32', ['n', 3, 16]], at: ['i64', ['n', 3]], ...ANGLES }, fused('y = RotaryEmbedding(x, at, cos, sin)', { interleaved }),
    { sizes: { n: 2 }, given: { at: [0, 4, 8, 2, 3, 4] } });
  add(`RotaryEmbedding of four dimensions ${interleaved}`, { x: ['f32', ['n', 2, 3, 8]], at: ['i64', [1]], ...ANGLES }, fused('y = RotaryEmbedding(x, at, cos, sin)', { interleaved }),
    { sizes: { n: 2 }, given: { at: [5] } });
}
add('RotaryEmbedding of a part', { x: ['f32', ['n', 3, 24]], at: ['i64', ['n', 3]], ...ANGLES },
  fused('y = RotaryEmbedding(x, at, cos, sin)', { rotary_embedding_dim: 8, num_heads: 2 }), { sizes: { n: 2 }, given: { at: [0, 4, 8, 2, 3, 4] } });

// ---- Attention

const ATTENTION = /** @type {Record<string, Type>} */ ({ x: ['f32', ['n', 's', 8]], w: ['f32', [8, 24]], b: ['f32', [24]] });
const NS = { n: 2, s: 3 };
add('Attention', ATTENTION, fused('y = Attention(x, w, b)', { num_heads: 2 }), { sizes: NS });
add('Attention that is causal', ATTENTION, fused('y = Attention(x, w, b)', { num_heads: 2, unidirectional: 1, scale: float(0.3) }), { sizes: NS });
add('Attention of other sizes', { ...ATTENTION, w: ['f32', [8, 20]], b: ['f32', [20]] }, fused('y = Attention(x, w, b)', { num_heads: 2, qkv_hidden_sizes: [8, 8, 4] }), { sizes: NS });
add('Attention with ends', { ...ATTENTION, m: ['i32', ['n']] }, fused('y = Attention(x, w, b, m)', { num_heads: 2 }), { sizes: NS, given: { m: [2, 3] } });
add('Attention with ends and starts', { ...ATTENTION, m: ['i32', ['k']] }, fused('y = Attention(x, w, b, m)', { num_heads: 2 }), { sizes: { n: 2, s: 3, k: 4 }, given: { m: [2, 3, 0, 1] }, inputs: { x: ['f32', [2, 's', 8]], w: ATTENTION.w, b: ATTENTION.b, m: ['i32', [4]] } });
add('Attention with a mask', { ...ATTENTION, m: ['i32', ['n', 's']] }, fused('y = Attention(x, w, b, m)', { num_heads: 2 }), { sizes: NS, given: { m: [1, 1, 0, 1, 0, 1] } });
add('Attention with a mask of rows', { ...ATTENTION, m: ['i32', ['n', 's', 's']] }, fused('y = Attention(x, w, b, m)', { num_heads: 2, mask_filter_value: float(-5) }),
  { sizes: NS, given: { m: [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1] } });
add('Attention with past', { ...ATTENTION, p: ['f32', [2, 'n', 2, 'p', 4]], m: ['i32', ['n', 't']] }, fused('y r = Attention(x, w, b, m, p)', { num_heads: 2, unidirectional: 1 }),
  { sizes: { n: 2, s: 3, p: 2, t: 5 }, outputs: { y: ['f32', 3], r: ['f32', 5] }, given: { m: [1, 1, 0, 1, 1, 1, 1, 1, 1, 1] } });
add('Attention with a bias of scores', { ...ATTENTION, a: ['f32', ['n', 2, 's', 's']] }, fused('y = Attention(x, w, b, , , a)', { num_heads: 2 }), { sizes: NS });

const QUERY = /** @type {Record<string, Type>} */ ({ q: ['f32', ['n', 's', 8]], k: ['f32', ['n', 't', 8]], v: ['f32', ['n', 't', 12]] });
const NST = { n: 2, s: 3, t: 4 };
add('MultiHeadAttention', QUERY, fused('y = MultiHeadAttention(q, k, v)', { num_heads: 2 }), { sizes: NST });
add('MultiHeadAttention with biases and a mask', { ...QUERY, b: ['f32', [28]], m: ['i32', ['n', 't']] }, fused('y = MultiHeadAttention(q, k, v, b, m)', { num_heads: 2 }),
  { sizes: NST, given: { m: [1, 1, 0, 1, 0, 1, 1, 1] } });
add('MultiHeadAttention with ends', { ...QUERY, m: ['i32', ['n']] }, fused('y = MultiHeadAttention(q, k, v, , m)', { num_heads: 2 }), { sizes: NST, given: { m: [4, 2] } });
add('MultiHeadAttention with a bias of scores', { ...QUERY, a: ['f32', [1, 2, 's', 't']] }, fused('y = MultiHeadAttention(q, k, v, , , a)', { num_heads: 2, scale: float(0.2) }), { sizes: NST });
add('MultiHeadAttention that is causal', { ...QUERY, k: ['f32', ['n', 's', 8]], v: ['f32', ['n', 's', 8]] }, fused('y = MultiHeadAttention(q, k, v)', { num_heads: 2, unidirectional: 1 }), { sizes: NST });
// Blocks of keys that the mask leaves nothing of are not computed on a GPU.
add('MultiHeadAttention that is causal and long', { q: ['f32', [1, 's', 32]], k: ['f32', [1, 's', 32]], v: ['f32', [1, 's', 32]] },
  fused('y = MultiHeadAttention(q, k, v)', { num_heads: 1, unidirectional: 1 }), { sizes: { s: 110 } });
add('MultiHeadAttention with past', { q: ['f32', ['n', 's', 8]], k: ['f32', ['n', 's', 8]], v: ['f32', ['n', 's', 8]], pk: ['f32', ['n', 2, 'p', 4]], pv: ['f32', ['n', 2, 'p', 4]] },
  fused('y rk rv = MultiHeadAttention(q, k, v, , , , pk, pv)', { num_heads: 2 }), { sizes: { n: 2, s: 3, p: 2 }, outputs: { y: ['f32', 3], rk: ['f32', 4], rv: ['f32', 4] } });
add('MultiHeadAttention to what is there', { q: ['f32', ['n', 's', 8]], k: ['f32', ['n', 2, 't', 4]], v: ['f32', ['n', 2, 't', 4]] }, fused('y = MultiHeadAttention(q, k, v)', { num_heads: 2 }), { sizes: NST });
add('MultiHeadAttention of one tensor', { q: ['f32', ['n', 's', 2, 3, 4]] }, fused('y = MultiHeadAttention(q)', { num_heads: 2 }),
  { sizes: NST, outputs: { y: ['f32', 3] },
    reference: [node('q1 k1 v1 = Split(q)', { axis: 3, num_outputs: 3 }), ...['q', 'k', 'v'].map((x) => node(`${x}2 = Reshape(${x}1, shape)`)), fused('y = MultiHeadAttention(q2, k2, v2)', { num_heads: 2 })],
    constants: { shape: [0n, 0n, 8n] } });
add('MultiHeadAttention of two tensors', { q: ['f32', ['n', 's', 8]], k: ['f32', ['n', 't', 2, 2, 4]] }, fused('y = MultiHeadAttention(q, k)', { num_heads: 2 }),
  { sizes: NST, reference: [node('k1 v1 = Split(k)', { axis: 3, num_outputs: 2 }), ...['k', 'v'].map((x) => node(`${x}2 = Reshape(${x}1, shape)`)), fused('y = MultiHeadAttention(q, k2, v2)', { num_heads: 2 })],
    constants: { shape: [0n, 0n, 8n] } });

/** @param {string} name @param {Node['attributes']} attributes @param {{ more?: Record<string, Type>, operands?: string, sizes?: Record<string, number>, given?: Record<string, number[]>, past?: (number | string) }} options */
function addGrouped(name, attributes, { more = {}, operands = '', sizes = {}, given = {}, past = 'p' } = {}) {
  const all = /** @type {Record<string, Type>} */ ({ q: ['f32', ['n', 's', 32]], k: ['f32', ['n', 's', 16]], v: ['f32', ['n', 's', 16]],
    pk: ['f32', ['n', 1, past, 16]], pv: ['f32', ['n', 1, past, 16]], len: ['i32', ['n']], total: ['i32', [1]], ...more });
  add(`GroupQueryAttention ${name}`, all, fused(`y rk rv = GroupQueryAttention(q, k, v, pk, pv, len, total${operands})`, { num_heads: 2, kv_num_heads: 1, ...attributes }),
    { sizes: { n: 2, s: 1, p: 4, ...sizes }, outputs: { y: ['f32', 3], rk: ['f32', 4], rv: ['f32', 4] }, given: { len: [4, 4], total: [5], ...given } });
}
const TABLES = /** @type {Record<string, Type>} */ ({ cos: ['f32', [16, 8]], sin: ['f32', [16, 8]] });
addGrouped('', {});
addGrouped('with a scale and a cap', { scale: float(0.7), softcap: float(1.5) });
addGrouped('with padding', {}, { given: { len: [4, 2] } });
addGrouped('with rotation', { do_rotary: 1 }, { more: TABLES, operands: ', cos, sin', given: { len: [4, 3] } });
addGrouped('with interleaved rotation', { do_rotary: 1, rotary_interleaved: 1 }, { more: TABLES, operands: ', cos, sin' });
addGrouped('with a window', { local_window_size: 3 });
addGrouped('with several queries', { do_rotary: 1, local_window_size: 2 }, { more: TABLES, operands: ', cos, sin', sizes: { n: 1, s: 3 }, given: { len: [6], total: [7] } });
addGrouped('with a first run', {}, { sizes: { s: 3, p: 0 }, given: { len: [2, 2], total: [3] } });
addGrouped('with a smooth softmax', { smooth_softmax: 1 });
addGrouped('with sinks', {}, { more: { sink: ['f32', [2]] }, operands: ', , , , , sink' });
addGrouped('with a bias', {}, { more: { a: ['f32', ['n', 2, 's', 5]] }, operands: ', , , , a' });
addGrouped('with a fixed cache', {}, { past: 6, given: { len: [4, 3], total: [5] } });

// ---- Attention without a softmax, and what goes with it

for (const rule of ['linear', 'gated', 'delta', 'gated_delta']) {
  const gated = rule.startsWith('gated'), delta = rule.endsWith('delta');
  for (const [name, heads, memories, sizes] of /** @type {[string, number, number, Record<string, number>][]} */ ([
    ['', 2, 2, {}], [', shared by queries', 4, 2, {}], [', shared by memories', 1, 2, {}], [' of one step', 2, 2, { s: 1 }], [' of no step', 2, 2, { s: 0 }]])) {
    add(`LinearAttention by ${rule}${name}`, { q: ['f32', ['n', 's', heads * 4]], k: ['f32', ['n', 's', memories * 4]], v: ['f32', ['n', 's', memories * 3]],
      p: ['f32', ['n', memories, 4, 3]], ...gated ? { g: /** @type {Type} */ (['f32', ['n', 's', memories * (heads === 4 ? 1 : 4)]]) } : {},
      ...delta ? { b: /** @type {Type} */ (['f32', ['n', 's', heads === 1 ? 1 : memories]]) } : {} },
    fused(`y r = LinearAttention(q, k, v, p, ${gated ? 'g' : ''}, ${delta ? 'b' : ''})`, { update_rule: rule, q_num_heads: heads, kv_num_heads: memories }),
    { sizes: { n: 2, s: 5, ...sizes }, outputs: { y: ['f32', 3], r: ['f32', 4] } });
  }
}
add('LinearAttention of a scale, without a past', { q: ['f32', ['n', 's', 8]], k: ['f32', ['n', 's', 8]], v: ['f32', ['n', 's', 6]] },
  fused('y r = LinearAttention(q, k, v)', { update_rule: 'linear', q_num_heads: 2, kv_num_heads: 2, scale: float(0.25) }), { sizes: NS, outputs: { y: ['f32', 3], r: ['f32', 4] } });
for (const [name, attributes] of /** @type {[string, Node['attributes']][]} */ ([['', {}], [' with an activation', { activation: 'silu' }], [' with elements apart', { dilation: 2 }]])) {
  const before = name.endsWith('apart') ? 4 : 2;
  add(`CausalConvWithState${name}`, { x: ['f32', ['n', 4, 's']], w: ['f32', [4, 1, 3]], b: ['f32', [4]], p: ['f32', ['n', 4, before]] },
    fused('y r = CausalConvWithState(x, w, b, p)', { ndim: 1, ...attributes }), { sizes: NS, outputs: { y: ['f32', 3], r: ['f32', 3] } });
}
add('CausalConvWithState with its channels last', { x: ['f32', ['n', 's', 4]], w: ['f32', [4, 1, 3]], p: ['f32', ['n', 2, 4]] },
  fused('y r = CausalConvWithState(x, w, , p)', { ndim: 1, channels_last: 1 }), { sizes: NS, outputs: { y: ['f32', 3], r: ['f32', 3] } });
for (const n of [1, 2, 3, 6])
  add(`Inverse of ${n} by ${n}`, { x: ['f32', ['n', 2, n, n]] }, fused('y = Inverse(x)'), { sizes: { n: 2 } });
add('Inverse of a permutation', { x: ['f32', [3, 3]] }, fused('y = Inverse(x)'), { given: { x: [0, 0, 1, 2, 0, 0, 0, 4, 0] } });

// ---- Quantised numbers

/** A scalar constant. @param {'f32' | 'u8' | 'i8' | 'u16'} dtype @param {number} value @returns {import('../onnx_model.mjs').Tensor} */
const scalar = (dtype, value) => ({ type: [dtype, []], bytes: new Uint8Array((dtype === 'f32' ? Float32Array : dtype === 'u16' ? Uint16Array : Uint8Array).of(value).buffer) });
// Of which no ratio is of small numbers, so that nothing is halfway between two results.
const SCALES = { s: scalar('f32', 0.02137), r: scalar('f32', 0.0131), t: scalar('f32', 0.03079) };
for (const dtype of /** @type {const} */ (['u8', 'i8'])) {
  const zeros = { z: scalar(dtype, 100), o: scalar(dtype, 120), p: scalar(dtype, 90) }, constants = { ...SCALES, ...zeros };
  const result = (/** @type {number} */ rank) => ({ constants, outputs: { y: /** @type {[Type[0], number]} */ ([dtype, rank]) } });
  for (const op of ['QLinearAdd', 'QLinearMul'])
    add(`${op} of ${dtype}`, { a: [dtype, ['n', 3, 8]], b: [dtype, [8]] }, fused(`y = ${op}(a, s, z, b, r, o, t, p)`), { sizes: { n: 2 }, ...result(3) });
  add(`QLinearConcat of ${dtype}`, { a: [dtype, ['n', 3]], b: [dtype, ['n', 4]] }, fused('y = QLinearConcat(t, p, a, s, z, b, r, o)', { axis: 1 }), { sizes: { n: 2 }, ...result(2) });
  const image = /** @type {Type} */ ([dtype, [1, 2, 6, 7]]);
  for (const pads of [0, 1])
    add(`QLinearAveragePool of ${dtype}, pads counted: ${pads}`, { x: image }, fused('y = QLinearAveragePool(x, s, z, t, p)', { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: pads }), result(4));
  add(`QLinearGlobalAveragePool of ${dtype}`, { x: image }, fused('y = QLinearGlobalAveragePool(x, s, z, r, p)'), result(4));
  add(`QLinearGlobalAveragePool of ${dtype} with channels last`, { x: image }, fused('y = QLinearGlobalAveragePool(x, s, z, r, p)', { channels_last: 1 }), result(4));
  add(`QLinearSigmoid of ${dtype}`, { x: image }, fused('y = QLinearSigmoid(x, s, z, r, p)'), result(4));
  add(`QLinearLeakyRelu of ${dtype}`, { x: image }, fused('y = QLinearLeakyRelu(x, s, z, r, p)', { alpha: float(0.1) }), result(4));
  for (const opset of [12, 13])
    add(`QLinearSoftmax of ${dtype} as in opset ${opset}`, { x: [dtype, [2, 3, 5]] }, fused('y = QLinearSoftmax(x, s, z, e, f)', { axis: 1, opset }),
      { ...result(3), constants: { ...constants, e: scalar('f32', 1 / 256), f: scalar(dtype, dtype === 'u8' ? 0 : -128) } });
  const c = { type: /** @type {Type} */ (['i32', [5]]), bytes: new Uint8Array(Int32Array.of(1000, -2000, 30, 0, 7).buffer) };
  const columns = { type: /** @type {Type} */ (['f32', [5]]), bytes: new Uint8Array(Float32Array.of(0.01, 0.02, 0.03, 0.04, 0.05).buffer) };
  const columnZeros = { type: /** @type {Type} */ ([dtype, [5]]), bytes: Uint8Array.of(1, 2, 3, 100, 120) };
  add(`QGemm of ${dtype}`, { a: [dtype, [4, 6]], b: [dtype, [6, 5]] }, fused('y = QGemm(a, s, z, b, r, o, c, w, p)', { alpha: float(0.5) }),
    { ...result(2), constants: { ...constants, c, w: scalar('f32', 0.5) } });
  add(`QGemm of ${dtype} to numbers`, { a: [dtype, [6, 4]], b: [dtype, [5, 6]] }, fused('y = QGemm(a, s, z, b, v, u, c)', { transA: 1, transB: 1 }),
    { constants: { ...constants, c, v: columns, u: columnZeros }, outputs: { y: ['f32', 2] } });
  add(`MatMulIntegerToFloat of ${dtype}`, { a: ['u8', ['n', 3, 6]], b: [dtype, [6, 5]], q: ['f32', [5]] }, fused('y = MatMulIntegerToFloat(a, b, s, v, x, u, q)'),
    { sizes: { n: 2 }, constants: { ...constants, v: columns, u: columnZeros, x: scalar('u8', 77) }, outputs: { y: ['f32', 3] } });
  add(`DynamicQuantizeMatMul of ${dtype}`, { a: ['f32', ['n', 3, 6]], b: [dtype, [6, 5]], q: ['f32', [5]] }, fused('y = DynamicQuantizeMatMul(a, b, v, u, q)'),
    { sizes: { n: 2 }, constants: { v: columns, u: columnZeros } });
}
// ONNX Runtime's attention multiplies by one scale, or by one a column.
for (const [name, scale, zero] of /** @type {[string, import('../onnx_model.mjs').Tensor, import('../onnx_model.mjs').Tensor][]} */ ([['', scalar('f32', 0.0131), scalar('i8', 3)],
  [' with scales of columns', { type: ['f32', [24]], bytes: new Uint8Array(Float32Array.from({ length: 24 }, (_, i) => 0.01 + i / 1000).buffer) }, { type: ['i8', [24]], bytes: new Uint8Array(24) }]])) {
  const of = { inputs: /** @type {Record<string, Type>} */ ({ x: ['u8', ['n', 's', 8]], w: ['i8', [8, 24]], b: ['f32', [24]] }), constants: { ...SCALES, z: scalar('u8', 100), r: scale, o: zero } };
  add(`QAttention${name}`, { ...of.inputs, m: ['i32', ['n', 's']] }, fused('y = QAttention(x, w, b, s, r, m, z, o)', { num_heads: 2 }),
    { sizes: NS, constants: of.constants, given: { m: [1, 1, 0, 1, 0, 1] }, outputs: { y: ['f32', 3] } });
  add(`QAttention with past${name}`, { ...of.inputs, p: ['f32', [2, 'n', 2, 'p', 4]] }, fused('y v = QAttention(x, w, b, s, r, , z, o, p)', { num_heads: 2, unidirectional: 1 }),
    { sizes: { ...NS, p: 2 }, constants: of.constants, outputs: { y: ['f32', 3], v: ['f32', 5] } });
}
for (const dtype of /** @type {const} */ (['u8', 'i8'])) {
  const zeros = { z: scalar(dtype, 100), o: scalar(dtype, 120), p: scalar(dtype, 90) };
  add(`QLinearWhere of ${dtype}`, { a: [dtype, ['n', 3, 8]], b: [dtype, [8]], c: ['u8', [3, 1]] }, [node('d = Cast(c)', { to: 9 }), fused('y = QLinearWhere(d, a, s, z, b, r, o, t, p)')],
    { sizes: { n: 2 }, constants: { ...SCALES, ...zeros }, given: { c: [1, 0, 1] }, outputs: { y: [dtype, 3] } });
  add(`NhwcMaxPool of ${dtype}`, { x: [dtype, ['n', 5, 6, 3]] }, fused('y = NhwcMaxPool(x)', { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 0] }),
    { sizes: { n: 2 }, outputs: { y: [dtype, 4] } });
}
{
  const table = (/** @type {number} */ rows, /** @type {number} */ seed) => ({ type: /** @type {Type} */ (['u8', rows ? [rows, 8] : [8]]), bytes: Uint8Array.from({ length: 8 * (rows || 1) }, (_, i) => Math.imul(i + seed, 2654435761) >>> 16 & 255) });
  const tables = { d: table(6, 1), a: table(5, 2), q: table(2, 3), g: table(0, 4), e: table(0, 5), ...SCALES, z: scalar('u8', 100), o: scalar('u8', 120) }, { ids, seg, mask } = WORDS_GIVEN;
  add('QEmbedLayerNormalization', { i: ['i32', ['n', 4]], j: ['i32', ['n', 4]], m: ['i32', ['n', 4]] }, fused('y c = QEmbedLayerNormalization(i, j, d, a, q, g, e, m, s, r, t, s, r, z, o, z, o, z)', { epsilon: float(1e-5) }),
    { sizes: { n: 2 }, constants: tables, given: { i: ids, j: seg, m: mask }, outputs: { y: ['f32', 3], c: ['i32', 1] } });
  add('QEmbedLayerNormalization without segments', { i: ['i32', ['n', 4]] }, fused('y c = QEmbedLayerNormalization(i, , d, a, , g, e, , s, r, , s, r, z, o, , o, z)', { epsilon: float(1e-5) }),
    { sizes: { n: 2 }, constants: tables, given: { i: ids }, outputs: { y: ['f32', 3], c: ['i32', 1] } });
}
add('QuantizeLinear', { x: ROWS }, fused('y = QuantizeLinear(x, s, z)'), { sizes: { n: 2 }, constants: { s: scalar('f32', 0.0001), z: scalar('u16', 30000) }, outputs: { y: ['u16', 3] } });
add('DequantizeLinear', { x: ['u16', [3, 4]] }, fused('y = DequantizeLinear(x, s, z)'), { constants: { s: scalar('f32', 0.0001), z: scalar('u16', 30000) }, outputs: { y: ['f32', 2] } });

/** Made-up bytes. @param {(number | string)[]} shape @param {number} seed @param {'u8' | 'u4' | 'i4'} dtype elements of half a byte are so many halves @returns {import('../onnx_model.mjs').Tensor} */
function bytesOf(shape, seed, dtype = 'u8') {
  const count = shape.reduce((/** @type {number} */ a, b) => a * Number(b), 1) / (dtype === 'u8' ? 1 : 2);
  return { type: [dtype, shape], bytes: Uint8Array.from({ length: Math.ceil(count) }, (_, i) => Math.imul(i + seed, 2654435761) >>> 16 & 255) };
}
/** Made-up scales. @param {number[]} shape @returns {import('../onnx_model.mjs').Tensor} */
const scalesOf = (shape) => ({ type: ['f32', shape], bytes: new Uint8Array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.01 + (i * 7 % 11) / 500).buffer) });
for (const bits of [2, 4, 8]) {
  for (const [name, K, block_size] of /** @type {const} */ ([['', 64, 32], [' of a part of a block', 40, 16]])) {
    const N = 6, blocks = Math.ceil(K / block_size), b = bytesOf([N, blocks, block_size * bits / 8], bits), s = scalesOf([N, blocks]);
    const z = bytesOf([N, Math.ceil(blocks * bits / 8)], bits + 5);
    add(`MatMulNBits with ${bits}${name}`, { a: ['f32', ['n', 2, K]] }, fused('y = MatMulNBits(a, b, s)', { K, N, bits, block_size }), { sizes: { n: 2 }, constants: { b, s } });
    add(`MatMulNBits with ${bits}, zero points${name}`, { a: ['f32', ['n', 2, K]] }, fused('y = MatMulNBits(a, b, s, z)', { K, N, bits, block_size }), { sizes: { n: 2 }, constants: { b, s, z } });
  }
}
const HALVES = { K: 64, N: 6, bits: 4, block_size: 32 };
add('MatMulNBits with groups and a bias', { a: ['f32', ['n', 2, 64]], q: ['f32', [6]] }, fused('y = MatMulNBits(a, b, s, , g, q)', HALVES), {
  sizes: { n: 2 }, constants: { b: bytesOf([6, 2, 16], 3), s: scalesOf([6, 2]), g: { type: ['i32', [64]], bytes: new Uint8Array(Int32Array.from({ length: 64 }, (_, i) => i % 2).buffer) } },
});
add('MatMulNBits with zero points that are floats', { a: ['f32', ['n', 2, 64]] }, fused('y = MatMulNBits(a, b, s, z)', HALVES),
  { sizes: { n: 2 }, constants: { b: bytesOf([6, 2, 16], 3), s: scalesOf([6, 2]), z: { type: ['f32', [6, 2]], bytes: new Uint8Array(Float32Array.from({ length: 12 }, (_, i) => i / 3 + 5).buffer) } } });
// Large enough that constants stay as they are.
add('MatMulNBits of many weights', { a: ['f32', ['n', 256]] }, fused('y = MatMulNBits(a, b, s, z)', { K: 256, N: 96, bits: 4, block_size: 32 }),
  { sizes: { n: 3 }, constants: { b: bytesOf([96, 8, 16], 1), s: scalesOf([96, 8]), z: bytesOf([96, 4], 9) } });
// Whole panels of whole words: of a row, of as many as a thread has registers for, and of many.
for (const bits of [2, 4]) {
  const N = 96, K = 256, b = bytesOf([N, K / 32, 4 * bits], bits), s = scalesOf([N, K / 32]), z = bytesOf([N, K / 32 * bits / 8], bits + 5);
  for (const rows of [1, 5, 40]) {
    add(`MatMulNBits with ${bits} of ${rows} rows`, { a: ['f32', [rows, K]] }, fused('y = MatMulNBits(a, b, s)', { K, N, bits, block_size: 32 }), { constants: { b, s } });
    add(`MatMulNBits with ${bits} of ${rows} rows, zero points`, { a: ['f32', [rows, K]] }, fused('y = MatMulNBits(a, b, s, z)', { K, N, bits, block_size: 32 }), { constants: { b, s, z } });
  }
}
// In f16: small numbers, whose sums are exact.
{
  const N = 96, K = 64, rows = 3, b = bytesOf([N, 2, 16], 7), z = bytesOf([N, 1], 9);
  const s = { type: /** @type {Type} */ (['f16', [N, 2]]), bytes: new Uint8Array(new Uint16Array(2 * N).fill(0x3000).buffer) };
  for (const [name, inputs] of Object.entries({ '': 'h, b, s', ' and zero points': 'h, b, s, z' }))
    add(`MatMulNBits of f16${name}`, { a: ['f32', [rows, K]] }, [node('h = Cast(a)', { to: 10 }), fused(`p = MatMulNBits(${inputs})`, { K, N, bits: 4, block_size: 32 }), node('y = Cast(p)', { to: 1 })],
      { given: { a: Array.from({ length: rows * K }, (_, i) => i * 7 % 5 - 2) }, constants: { b, s, z } });
}
// Blocks are of rows, or of all weights in a row where those have no whole number of them; and so many that constants stay as they are.
for (const [quant_type, kind] of ['FP4', 'NF4'].entries()) {
  for (const [K, N, block_size] of [[64, 6, 32], [40, 7, 16], [256, 96, 64]]) {
    add(`MatMulBnb4 of ${kind}, ${K} by ${N}`, { a: ['f32', ['n', 2, K]] }, fused('y = MatMulBnb4(a, b, s)', { K, N, block_size, quant_type }),
      { sizes: { n: 2 }, constants: { b: bytesOf([Math.ceil(K * N / 2)], K), s: scalesOf([Math.ceil(K * N / block_size)]) } });
  }
}
const ROW_IDS = /** @type {Record<string, Type>} */ ({ i: ['i64', ['n', 3]] }), GATHERED = { sizes: { n: 2 }, given: { i: [0, 4, 1, 3, 3, 2] }, outputs: { y: /** @type {[Type[0], number]} */ (['f32', 3]) } };
add('GatherBlockQuantized of bytes', ROW_IDS, fused('y = GatherBlockQuantized(d, i, s)', { block_size: 16, bits: 4 }), { ...GATHERED, constants: { d: bytesOf([5, 16], 3), s: scalesOf([5, 2]) } });
add('GatherBlockQuantized of bytes with zero points', ROW_IDS, fused('y = GatherBlockQuantized(d, i, s, z)', { block_size: 16, bits: 4, gather_axis: 0, quantize_axis: 1 }),
  { ...GATHERED, constants: { d: bytesOf([5, 16], 3), s: scalesOf([5, 2]), z: bytesOf([5, 1], 4) } });
// A table that is multiplied as well: both read the same words.
add('MatMulNBits by a table of GatherBlockQuantized', { i: ['i64', [5]], a: ['f32', [3, 256]] },
  [fused('y = GatherBlockQuantized(d, i, s, z)', { block_size: 32, bits: 4, gather_axis: 0, quantize_axis: 1 }), fused('p = MatMulNBits(a, b, s, z)', { K: 256, N: 96, bits: 4, block_size: 32 })],
  { given: { i: [0, 95, 8, 7, 50] }, outputs: { y: ['f32', 2], p: ['f32', 2] }, constants: { b: bytesOf([96, 8, 16], 1), d: bytesOf([96, 128], 1), s: scalesOf([96, 8]), z: bytesOf([96, 4], 9) } });
for (const dtype of /** @type {const} */ (['u4', 'i4'])) {
  add(`GatherBlockQuantized of ${dtype}`, ROW_IDS, fused('y = GatherBlockQuantized(d, i, s, z)', { block_size: 16, gather_axis: 0, quantize_axis: 1 }),
    { ...GATHERED, constants: { d: bytesOf([6, 32], 3, dtype), s: scalesOf([6, 2]), z: bytesOf([6, 2], 4, dtype) } });
  add(`DequantizeLinear of blocks of ${dtype}`, { x: ['f32', [3, 96]] }, [node('w = DequantizeLinear(d, s, z)', { axis: 0, block_size: 32 }), node('y = MatMul(x, w)')],
    { constants: { d: bytesOf([96, 128], 3, dtype), s: scalesOf([3, 128]), z: bytesOf([3, 128], 4, dtype) }, outputs: { y: ['f32', 2] } });
  add(`QuantizeLinear to ${dtype}`, { x: ROWS }, [node('q = QuantizeLinear(x, s, z)', { axis: 2 }), node('y = DequantizeLinear(q, s, z)', { axis: 2 })],
    { sizes: { n: 2 }, constants: { s: scalesOf([8]), z: bytesOf([8], 4, dtype) } });
}
/** Numbers from -1 to 1 as elements; bytes take all values. @param {Type[0]} dtype @param {number[]} data */
function elements(dtype, data) {
  switch (dtype) {
    case 'i32': return Int32Array.from(data);
    case 'i64': return BigInt64Array.from(data, BigInt);
    case 'u8': return Uint8Array.from(data, (x) => (x + 1) * 128);
    case 'i8': return Int8Array.from(data, (x) => x * 128);
    case 'u16': return Uint16Array.from(data, (x) => (x + 1) * 32768);
    default: return Float32Array.from(data);
  }
}

/** Made-up elements for the inputs of a case, and their shapes. @param {string} name @returns {Record<string, { data: ReturnType<typeof elements>, shape: number[] }>} */
export function inputsOf(name) {
  const { inputs, sizes, given = {} } = CASES[name];
  let state = 12345;
  /** @type {ReturnType<typeof inputsOf>} */
  const made = {};
  for (const [input, [dtype, dims]] of Object.entries(inputs)) {
    const shape = dims.map((size) => typeof size === 'number' ? size : sizes[size]);
    const count = shape.reduce((a, b) => a * b, 1);
    const data = given[input] ?? Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) / 2 ** 23 - 1;
    });
    made[input] = { shape, data: elements(dtype, data) };
  }
  return made;
}

/** @param {string} name @param {Node[]} nodes @returns {Model} */
export function modelOf(name, nodes) {
  const { inputs, outputs, constants } = CASES[name];
  return {
    inputs, nodes, constants, opset: 21,
    outputs: Object.fromEntries(Object.entries(outputs).map(([output, [dtype, rank]]) => [output, [dtype, Array.from({ length: rank }, (_, d) => `${output}${d}`)]])),
  };
}

/** The models of several cases as one, and its inputs: what they name is behind their number. @param {[number, string][]} cases */
export function together(cases) {
  /** @type {Model} */
  const all = { inputs: {}, outputs: {}, nodes: [], constants: {}, opset: 21 };
  /** @type {ReturnType<typeof inputsOf>} */
  const inputs = {};
  for (const [index, name] of cases) {
    const { nodes, ...model } = modelOf(name, CASES[name].nodes);
    const own = (/** @type {string} */ text) => text && `${index}.${text}`;
    const renamed = (/** @type {Record<string, any>} */ map) => Object.fromEntries(Object.entries(map).map(([key, value]) => [own(key), value]));
    const typed = (/** @type {Record<string, Type>} */ map) => renamed(Object.fromEntries(Object.entries(map).map(([key, [dtype, shape]]) =>
      [key, [dtype, shape.map((size) => typeof size === 'number' ? size : own(size))]])));
    Object.assign(all.inputs, typed(model.inputs));
    Object.assign(all.outputs, typed(model.outputs));
    Object.assign(all.constants ?? {}, renamed(model.constants ?? {}));
    all.nodes.push(...nodes.map((one) => ({ ...one, name, inputs: one.inputs.map(own), outputs: one.outputs.map(own) })));
    Object.assign(inputs, renamed(inputsOf(name)));
  }
  return { model: all, inputs };
}
