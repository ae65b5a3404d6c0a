// What is decided in a run: sizes, axes and bounds that are data, selections, branches, loops, sequences.
// `node operators_reference.mjs decisions` computes what ONNX Runtime makes of the models, and decisions.test.mjs compares.

import { given, made, y } from './operators.mjs';

/** @typedef {import('./operators.mjs').Case} Case */
/** @typedef {import('./operators.mjs').Type} Type */
/** @typedef {import('./operators.mjs').Value} Value */
/** @typedef {import('../onnx_model.mjs').Node} Node */
/** @typedef {import('../onnx_model.mjs').Graph} Graph */

/** @param {...number} values */
const i64 = (...values) => given('i64', [values.length], values);
/** @param {number} value */
const scalar = (value) => given('i64', [], [value]);
/** @param {boolean} value */
const flag = (value) => given('bool', [], [Number(value)]);
/** @param {number} rank @returns {Type} */
const open = (rank, /** @type {Type[0]} */ type = 'f32') => [type, Array.from({ length: rank }, (_, d) => `o${d}`)];

/** @type {Record<string, Case>} */
export const CASES = {};

/** @param {string} name @param {Record<string, Type>} inputs @param {Node[]} nodes @param {Record<string, Value>[]} runs */
function add(name, inputs, nodes, runs, /** @type {Record<string, Type>} */ outputs = y(1), more = {}) {
  CASES[name] = { model: { inputs, outputs, nodes, opset: 18, ...more }, runs };
}
/** A model of one node whose operands are all inputs; '' for one that is left out. @param {string} op @param {Record<string, Type>} inputs @param {Record<string, Value>[]} runs @param {number | Record<string, Type>} result */
function one(op, name, inputs, runs, result, /** @type {Node['attributes']} */ attributes = {}, operands = Object.keys(inputs), opset = 18) {
  const outputs = typeof result === 'number' ? y(result) : result;
  add(`${op}, ${name}`, inputs, [{ op, inputs: operands, outputs: Object.keys(outputs), attributes }], runs, outputs, { opset });
}

// ---- Shapes

const box = made('f32', [3, 4, 5]);
one('Reshape', 'zeros and what is left', { x: ['f32', [3, 4, 5]], s: ['i64', [2]] }, [[0, -1], [-1, 6], [60, 1], [-1, 60]].map((s) => ({ x: box, s: i64(...s) })), 2);
one('Reshape', 'of no elements', { x: ['f32', ['n', 4]], s: ['i64', [3]] }, [{ x: made('f32', [0, 4]), s: i64(0, 2, 2) }, { x: made('f32', [3, 4]), s: i64(2, -1, 3) }], 3);
add('Reshape by a shape of which a size is data', { x: ['f32', [6, 4]], k: ['i64', [1]] }, [{ op: 'Shape', inputs: ['x'], outputs: ['s'] },
  { op: 'Gather', inputs: ['s', 'last'], outputs: ['four'] }, { op: 'Concat', inputs: ['k', 'minus', 'four'], outputs: ['t'], attributes: { axis: 0 } },
  { op: 'Reshape', inputs: ['x', 't'], outputs: ['r'] }, { op: 'MatMul', inputs: ['r', 'w'], outputs: ['y'] }],
  [1, 2, 3, 6].map((k) => ({ x: made('f32', [6, 4]), k: i64(k) })), y(3), { constants: { last: [1n], minus: [-1n], w: { type: ['f32', [4, 2]], bytes: new Uint8Array(made('f32', [4, 2]).data.buffer) } } });
one('Expand', 'more dimensions and ones', { x: ['f32', [4, 1]], s: ['i64', [3]] }, [[2, 4, 3], [1, 1, 1], [3, 1, 5]].map((s) => ({ x: made('f32', [4, 1]), s: i64(...s) })), 3);
one('Tile', 'also nothing', { x: ['f32', [2, 3]], r: ['i64', [2]] }, [[2, 1], [1, 3], [0, 2]].map((r) => ({ x: made('f32', [2, 3]), r: i64(...r) })), 2);
one('ConstantOfShape', 'of any size', { s: ['i64', [2]] }, [[2, 3], [0, 4], [1, 1]].map((s) => ({ s: i64(...s) })), 2);
one('Squeeze', 'axes from both ends', { x: ['f32', [1, 4, 1, 5]], a: ['i64', [1]] }, [0, 2, -2, -4].map((a) => ({ x: made('f32', [1, 4, 1, 5]), a: i64(a) })), 3);
one('Unsqueeze', 'axes in any order', { x: ['f32', [4, 5]], a: ['i64', [2]] }, [[0, 1], [3, 0], [-1, 1], [-2, -4]].map((a) => ({ x: made('f32', [4, 5]), a: i64(...a) })), 4);
one('Split', 'sizes of parts', { x: ['f32', [7, 2]], p: ['i64', [3]] }, [[1, 2, 4], [0, 7, 0], [3, 3, 1]].map((p) => ({ x: made('f32', [7, 2]), p: i64(...p) })),
  { a: open(2), b: open(2), c: open(2) });
one('Pad', 'of both signs', { x: ['f32', [4, 5]], p: ['i64', [4]] }, [[0, 1, 2, 3], [-1, 0, 2, -2], [1, -2, -1, 0]].map((p) => ({ x: made('f32', [4, 5]), p: i64(...p) })), 2);
for (const mode of ['reflect', 'edge', 'wrap'])
  one('Pad', `${mode} along axes that are data`, { x: ['f32', [4, 5]], p: ['i64', [2]], a: ['i64', [1]] }, [[1, 2, 0], [3, 0, -1], [0, 2, -2]].map(([b, e, a]) => ({ x: made('f32', [4, 5]), p: i64(b, e), a: i64(a) })), 2, { mode }, ['x', 'p', '', 'a'], 19);

// ---- Slices

const bounds = [[0, 5], [1, -1], [-3, 100], [4, 1], [-100, 100], [2, 2]];
one('Slice', 'bounds', { x: ['f32', [6, 2]], s: ['i64', [1]], e: ['i64', [1]] }, bounds.map(([s, e]) => ({ x: made('f32', [6, 2]), s: i64(s), e: i64(e) })), 2);
one('Slice', 'bounds of an open size, backwards', { x: ['f32', ['n']], s: ['i64', [1]], e: ['i64', [1]] }, [...bounds, [-1, -100], [100, 0]].map(([s, e], k) => ({ x: made('f32', [k + 1]), s: i64(s), e: i64(e) })), 1);
one('Slice', 'steps of both signs', { x: ['f32', [6, 7]], s: ['i64', [2]], e: ['i64', [2]], a: ['i64', [2]], t: ['i64', [2]] },
  [[0, 1, 6, 7, 0, 1, 2, 3], [5, 6, -100, 0, 0, 1, -1, -2], [-1, 0, 0, 7, 1, 0, -3, 1], [1, 1, 2, 2, -1, -2, 5, 5]].map((v) => ({ x: made('f32', [6, 7]), s: i64(v[0], v[1]), e: i64(v[2], v[3]), a: i64(v[4], v[5]), t: i64(v[6], v[7]) })), 2);
one('Slice', 'bounds of 64 bits', { x: ['i32', [5]], s: ['i64', [1]], e: ['i64', [1]] }, [{ x: made('i32', [5], 9), s: given('i64', [1], [-(2 ** 62)]), e: given('i64', [1], [2 ** 62]) }], { y: open(1, 'i32') });

// ---- Counts and axes

for (const [start, limit, delta] of [[0, 10, 3], [5, -4, -2], [3, 3, 1], [7, 2, 1]]) {
  for (const type of /** @type {const} */ (['f32', 'i64', 'i32']))
    one('Range', `${type} from ${start} to ${limit} by ${delta}`, { a: [type, []], b: [type, []], d: [type, []] }, [{ a: given(type, [], [start]), b: given(type, [], [limit]), d: given(type, [], [delta]) }], { y: open(1, type) });
}
one('Range', 'of reals', { a: ['f32', []], b: ['f32', []], d: ['f32', []] }, [[0.5, 2, 0.25], [1, -1, -0.3]].map(([a, b, d]) => ({ a: given('f32', [], [a]), b: given('f32', [], [b]), d: given('f32', [], [d]) })), 1);
one('TopK', 'how many', { x: ['f32', [3, 9]], k: ['i64', [1]] }, [1, 4, 9, 0].map((k) => ({ x: made('f32', [3, 9]), k: i64(k) })), { y: open(2), i: open(2, 'i64') });
one('OneHot', 'depth', { x: ['i64', [4]], d: ['i64', []], v: ['f32', [2]] }, [3, 6].map((d) => ({ x: i64(0, 2, -1, 5), d: scalar(d), v: given('f32', [2], [0.5, 2]) })), 2, { axis: 0 });
for (const op of ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceLogSumExp', 'ReduceL2']) {
  for (const keepdims of [0, 1])
    one(op, `axes, ${keepdims ? 'kept' : 'not kept'}`, { x: ['f32', [3, 4, 5]], a: ['i64', [2]] }, [[0, 2], [-1, 1], [1, 0]].map((a) => ({ x: box, a: i64(...a) })), keepdims ? 3 : 1, { keepdims });
}
one('ReduceSum', 'an axis of open sizes', { x: ['f32', ['n', 'm']], a: ['i64', [1]] }, [0, 1, -1].map((a, k) => ({ x: made('f32', [2 + k, 5 - k]), a: i64(a) })), 1, { keepdims: 0 });
for (const attributes of [{}, { exclusive: 1 }, { reverse: 1 }])
  one('CumSum', `the axis, ${Object.keys(attributes)[0] ?? 'plain'}`, { x: ['f32', [3, 4, 5]], a: ['i64', []] }, [0, 1, -1].map((a) => ({ x: box, a: scalar(a) })), 3, attributes);

// ---- Resizing

for (const [mode, extra] of /** @type {[string, Node['attributes']][]} */ ([['nearest', {}], ['linear', {}], ['cubic', {}], ['cubic', { exclude_outside: 1 }], ['linear', { antialias: 1 }], ['cubic', { antialias: 1 }]])) {
  for (const coordinate_transformation_mode of ['half_pixel', 'align_corners', 'asymmetric', 'pytorch_half_pixel'])
    one('Resize', `scales, ${mode} ${Object.keys(extra ?? {})[0] ?? ''}, ${coordinate_transformation_mode}`, { x: ['f32', [1, 1, 5, 6]], s: ['f32', [4]] },
      [[1, 1, 2, 1.5], [1, 1, 0.6, 0.5]].map((s) => ({ x: made('f32', [1, 1, 5, 6]), s: given('f32', [4], s) })), 4, { mode, coordinate_transformation_mode, ...extra }, ['x', '', 's']);
}
one('Resize', 'a region', { x: ['f32', [1, 1, 5, 6]], r: ['f32', [8]], s: ['i64', [4]] }, [[0, 0, 0.2, 0.1, 1, 1, 0.9, 0.7], [0, 0, -0.3, 0, 1, 1, 0.5, 1.4]].map((r) => ({ x: made('f32', [1, 1, 5, 6]), r: given('f32', [8], r), s: i64(1, 1, 3, 4) })), 4,
  { mode: 'linear', coordinate_transformation_mode: 'tf_crop_and_resize', extrapolation_value: { float: 7 } }, ['x', 'r', '', 's']);

// ---- Selections

one('NonZero', 'also nothing', { x: ['f32', [3, 4]] }, [[0, 1, 0, 2, 0, 0, -3, 0, 0, 4, 0, 5], Array(12).fill(0), Array(12).fill(1)].map((v) => ({ x: given('f32', [3, 4], v) })), { y: open(2, 'i64') });
one('NonZero', 'of open sizes', { x: ['bool', ['n', 2, 'm']] }, [[2, 3], [1, 1], [0, 4]].map(([n, m]) => ({ x: made('bool', [n, 2, m]) })), { y: open(2, 'i64') });
one('Compress', 'a shorter condition', { x: ['f32', [4, 3]], c: ['bool', [3]] }, [[1, 0, 1], [0, 0, 0]].map((c) => ({ x: made('f32', [4, 3]), c: given('bool', [3], c) })), 2, { axis: 0 });
one('Compress', 'of elements', { x: ['f32', [4, 3]], c: ['bool', ['n']] }, [[1, 0, 1, 1, 0], [1]].map((c) => ({ x: made('f32', [4, 3]), c: given('bool', [c.length], c) })), 1);
for (const sorted of [0, 1]) {
  const results = { y: open(1), i: open(1, 'i64'), j: open(1, 'i64'), k: open(1, 'i64') };
  one('Unique', sorted ? 'sorted' : 'in order', { x: ['f32', ['n']] }, [[3, 1, 2, 3, 1, 1, -0.5], [5], [2, 2, 2]].map((v) => ({ x: given('f32', [v.length], v) })), results, { sorted });
  for (const axis of [0, 1])
    one('Unique', `${sorted ? 'sorted' : 'in order'} along ${axis}`, { x: ['i64', [4, 3]] }, [[1, 2, 1, 0, 5, 0, 1, 2, 1, 1, 1, 1]].map((v) => ({ x: given('i64', [4, 3], v) })), { ...results, y: open(2, 'i64') }, { sorted, axis });
  // Many, of which some are equal, also zeros of both signs; rows of three elements, which are sorted, and of nine, which are compared.
  const many = Array.from(made('f32', [2500], 300).data, (/** @type {number} */ v) => Math.abs(v) < 9 ? v * 0 : Math.round(v));
  one('Unique', `${sorted ? 'sorted' : 'in order'}, of many`, { x: ['f32', ['n']] }, [{ x: given('f32', [2500], many) }], results, { sorted });
  for (const width of [3, 9])
    one('Unique', `${sorted ? 'sorted' : 'in order'}, rows of ${width}`, { x: ['i64', ['n', width]] }, [[40, 2], [5, 1]].map(([n, most]) => ({ x: given('i64', [n, width], Array.from(made('i32', [n, width], most, n).data, (v, i) => i % width < 7 - width ? v : Math.floor(i / width) % 3)) })), { ...results, y: open(2, 'i64') }, { sorted, axis: 0 });
}
// Along the last axis: along others ONNX Runtime ends its process where there are no elements.
one('Unique', 'rows that may have no elements', { x: ['f32', ['n', 'm']] }, [[3, 2], [0, 3], [0, 1]].map((shape) => ({ x: made('f32', shape) })), { y: open(2), i: open(1, 'i64'), j: open(1, 'i64'), k: open(1, 'i64') }, { axis: 1 });
const corners = given('f32', [1, 7, 4], [0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 1, 10.1, 0, 11.1, 0, 100, 1, 101, 5, 5, 5, 6]);
const scores = given('f32', [1, 2, 7], [0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.6, 0.2, 0.3, 0.3, 0.3, 0.8, 0.1, 0.9]);
for (const [name, center_point_box] of /** @type {const} */ ([['corners', 0], ['centres', 1]])) {
  one('NonMaxSuppression', `${name}, thresholds and counts`, { b: ['f32', [1, 7, 4]], s: ['f32', [1, 2, 7]], m: ['i64', []], o: ['f32', []], t: ['f32', []] },
    [[3, 0.5, 0], [100, 0.5, 0.4], [2, 0, 0.25], [0, 0.5, 0], [100, 1, -1], [3, 0.5, 2]].map(([m, o, t]) => ({ b: corners, s: scores, m: scalar(m), o: given('f32', [], [o]), t: given('f32', [], [t]) })), { y: open(2, 'i64') }, { center_point_box });
}
// Many boxes, of which more or less have scores that are good enough: also all, one and none.
one('NonMaxSuppression', 'many boxes of open sizes', { b: ['f32', ['batch', 'n', 4]], s: ['f32', ['batch', 3, 'n']], m: ['i64', []], o: ['f32', []], t: ['f32', []] },
  [[2, 300, 400, 0.45, 1.7], [1, 500, 400, 0.3, -3], [2, 40, 5, 0.5, 1.99], [1, 20, 9, 0.5, 1.999999], [1, 1, 2, 0.5, 0]].map(([batch, n, m, o, t]) => ({
    b: given('f32', [batch, n, 4], Array.from(made('f32', [batch, n, 4], 1, n).data, (/** @type {number} */ v, i) => i % 4 < 2 ? 20 * v : 3 + 2 * v)),
    s: made('f32', [batch, 3, n], 2, m), m: scalar(m), o: given('f32', [], [o]), t: given('f32', [], [t]) })), { y: open(2, 'i64') }, { center_point_box: 1 });
add('NonMaxSuppression of open sizes, and a Gather of what is left', { b: ['f32', ['batch', 'n', 4]], s: ['f32', ['batch', 'classes', 'n']] }, [
  { op: 'NonMaxSuppression', inputs: ['b', 's', 'most', 'overlap'], outputs: ['picked'] }, { op: 'Gather', name: 'c', inputs: ['picked', 'column'], outputs: ['c'], attributes: { axis: 1 } },
  { op: 'Squeeze', name: 'rows', inputs: ['c', 'one'], outputs: ['rows'] }, { op: 'Squeeze', name: 'flat', inputs: ['b', 'none'], outputs: ['flat'] }, { op: 'Gather', inputs: ['flat', 'rows'], outputs: ['y'] }],
  [[12, 1], [5, 3]].map(([n, k]) => ({ b: made('f32', [1, n, 4], 5), s: made('f32', [1, k, n]) })), y(2), { constants: { most: [4n], overlap: [0.3], column: [2n], one: [1n], none: [0n] } });

// ---- Branches

/** @param {Node[]} nodes @param {string} output @returns {{ graph: Graph }} */
const branch = (nodes, output, /** @type {Type} */ type = open(1)) => ({ graph: { inputs: {}, outputs: { [output]: type }, nodes } });
const both = [true, false];
add('If whose branches have other sizes', { c: ['bool', []], x: ['f32', ['n']] }, [{ op: 'If', inputs: ['c'], outputs: ['r'], attributes: {
  then_branch: branch([{ op: 'Concat', inputs: ['x', 'x'], outputs: ['t'], attributes: { axis: 0 } }], 't'), else_branch: branch([{ op: 'Relu', inputs: ['x'], outputs: ['e'] }], 'e') } },
{ op: 'Add', inputs: ['r', 'one'], outputs: ['y'] }], both.map((c) => ({ c: flag(c), x: made('f32', [3]) })), y(1), { constants: { one: [1] } });
add('If in an If, which reads what is around both', { c: ['bool', []], d: ['bool', [1]], x: ['f32', [2, 3]] }, [{ op: 'Mul', inputs: ['x', 'two'], outputs: ['w'] }, { op: 'If', inputs: ['c'], outputs: ['y'], attributes: {
  then_branch: branch([{ op: 'If', inputs: ['d'], outputs: ['t'], attributes: { then_branch: branch([{ op: 'MatMul', inputs: ['w', 'm'], outputs: ['tt'] }], 'tt', open(2)), else_branch: branch([{ op: 'Softmax', inputs: ['w'], outputs: ['te'] }], 'te', open(2)) } }], 't', open(2)),
  else_branch: branch([{ op: 'Identity', inputs: ['x'], outputs: ['e'] }], 'e', open(2)) } }], both.flatMap((c) => both.map((d) => ({ c: flag(c), d: given('bool', [1], [Number(d)]), x: made('f32', [2, 3]) }))), y(2),
{ constants: { two: [2], m: { type: ['f32', [3, 3]], bytes: new Uint8Array(made('f32', [3, 3]).data.buffer) } } });
add('If of a few small operations', { c: ['bool', []], x: ['f32', [4]] }, [{ op: 'If', inputs: ['c'], outputs: ['y'], attributes: {
  then_branch: branch([{ op: 'Neg', inputs: ['x'], outputs: ['t'] }], 't'), else_branch: branch([{ op: 'Identity', inputs: ['x'], outputs: ['e'] }], 'e') } }], both.map((c) => ({ c: flag(c), x: made('f32', [4]) })));

// ---- A merged decoder, as Optimum makes one: an If whose branches are the decoder with a cache and without one, on weights
// that are around both.

const HIDDEN = 32, HEADS = 2, VOCABULARY = 48, EACH = HIDDEN / HEADS;
/** @param {number[]} shape @param {number} seed @returns {{ type: Type, bytes: Uint8Array }} */
const weight = (shape, seed) => ({ type: ['f32', shape], bytes: new Uint8Array(Float32Array.from(made('f32', shape, 2, seed).data, (value) => value / Math.sqrt(HIDDEN)).buffer) });
export const DECODER_WEIGHTS = {
  embedding: weight([VOCABULARY, HIDDEN], 1), query: weight([HIDDEN, HIDDEN], 2), key: weight([HIDDEN, HIDDEN], 3), value: weight([HIDDEN, HIDDEN], 4), out: weight([HIDDEN, HIDDEN], 5),
  up: weight([HIDDEN, 2 * HIDDEN], 6), down: weight([2 * HIDDEN, HIDDEN], 7), head: weight([HIDDEN, VOCABULARY], 8),
};
const CACHE = /** @type {Type} */ (['f32', [1, HEADS, 'past', EACH]]), PRESENT = /** @type {Type} */ (['f32', [1, HEADS, 'total', EACH]]);
const LOGITS = /** @type {Type} */ (['f32', [1, 'n', VOCABULARY]]);

/** A decoder of one layer; names of values are its own. @param {string} p before these @param {boolean} hasPast @returns {Node[]} */
function decoder(p, hasPast) {
  /** @type {Node[]} */
  const nodes = [];
  const add = (/** @type {string} */ op, /** @type {string[]} */ inputs, /** @type {string} */ output, attributes = {}) =>
    nodes.push({ op, name: p + output, inputs, outputs: [p + output], attributes });
  add('Gather', ['embedding', 'tokens'], 'x');
  for (const name of ['query', 'key', 'value']) {
    add('MatMul', [`${p}x`, name], `${name}_flat`);
    add('Reshape', [`${p}${name}_flat`, 'split'], `${name}_parts`);
    add('Transpose', [`${p}${name}_parts`], hasPast && name !== 'query' ? `${name}_new` : `${name}_heads`, { perm: [0, 2, 1, 3] });
    if (hasPast && name !== 'query') add('Concat', [`past.${name}`, `${p}${name}_new`], `${name}_heads`, { axis: 2 });
  }
  add('Transpose', [`${p}key_heads`], 'key_turned', { perm: [0, 1, 3, 2] });
  add('MatMul', [`${p}query_heads`, `${p}key_turned`], 'scores');
  add('Mul', [`${p}scores`, 'scale'], 'scaled');
  add('Softmax', [`${p}scaled`], 'chances', { axis: -1 });
  add('MatMul', [`${p}chances`, `${p}value_heads`], 'seen');
  add('Transpose', [`${p}seen`], 'joined', { perm: [0, 2, 1, 3] });
  add('Reshape', [`${p}joined`, 'join'], 'flat');
  add('MatMul', [`${p}flat`, 'out'], 'attended');
  add('Add', [`${p}x`, `${p}attended`], 'h');
  add('MatMul', [`${p}h`, 'up'], 'wide');
  add('Relu', [`${p}wide`], 'active');
  add('MatMul', [`${p}active`, 'down'], 'narrow');
  add('Add', [`${p}h`, `${p}narrow`], 'last');
  add('MatMul', [`${p}last`, 'head'], 'logits');
  return nodes;
}

const DECODER_INPUTS = { tokens: /** @type {Type} */ (['i64', [1, 'n']]), 'past.key': CACHE, 'past.value': CACHE };
const DECODER_CONSTANTS = { ...DECODER_WEIGHTS, split: [0n, 0n, BigInt(HEADS), BigInt(EACH)], join: [0n, 0n, BigInt(HIDDEN)], scale: [1 / Math.sqrt(EACH)] };
/** @param {string} p @param {boolean} hasPast @returns {Graph} */
const decoderGraph = (p, hasPast) => ({ inputs: {}, outputs: { [`${p}logits`]: LOGITS, [`${p}key_heads`]: PRESENT, [`${p}value_heads`]: PRESENT }, nodes: decoder(p, hasPast) });
/** The decoder with a cache alone, whose weights are those of both. */
export const DECODER_WITH_PAST = { inputs: DECODER_INPUTS, outputs: decoderGraph('with.', true).outputs, nodes: decoder('with.', true), constants: DECODER_CONSTANTS, opset: 18 };
add('a merged decoder', { ...DECODER_INPUTS, use_cache_branch: ['bool', [1]] },
  [{ op: 'If', inputs: ['use_cache_branch'], outputs: ['logits', 'present.key', 'present.value'], attributes: { then_branch: { graph: decoderGraph('with.', true) }, else_branch: { graph: decoderGraph('without.', false) } } }],
  [[1, 5, true], [1, 1, true], [3, 4, true], [6, 0, false], [2, 3, false]].map(([n, past, uses], k) => ({
    tokens: i64(...Array.from({ length: Number(n) }, (_, i) => (7 * i + 3 * k) % VOCABULARY)), 'past.key': made('f32', [1, HEADS, Number(past), EACH], 2, k), 'past.value': made('f32', [1, HEADS, Number(past), EACH], 2, k + 9),
    use_cache_branch: given('bool', [1], [Number(uses)]),
  })).map(({ tokens, ...rest }) => ({ tokens: { ...tokens, shape: [1, tokens.shape[0]] }, ...rest })),
  { logits: LOGITS, 'present.key': PRESENT, 'present.value': PRESENT }, { constants: DECODER_CONSTANTS });

// ---- Loops

/** @param {Record<string, Type>} carried @param {Record<string, Type>} outputs without the condition @param {Node[]} nodes */
const body = (carried, outputs, nodes, condition = 'go') => ({ graph: { inputs: { i: ['i64', []], go: ['bool', []], ...carried }, outputs: { [condition]: ['bool', []], ...outputs }, nodes } });
add('Loop that doubles, and stacks', { m: ['i64', []], x: ['f32', [3]] }, [{ op: 'Loop', inputs: ['m', '', 'x'], outputs: ['y', 'all'], attributes: {
  body: body({ a: ['f32', [3]] }, { b: ['f32', [3]], s: ['f32', [3]] }, [{ op: 'Identity', inputs: ['go'], outputs: ['gone'] }, { op: 'Add', inputs: ['a', 'a'], outputs: ['b'] }, { op: 'Sub', inputs: ['b', 'x'], outputs: ['s'] }], 'gone') } }],
[0, 1, 5].map((m) => ({ m: scalar(m), x: made('f32', [3]) })), { ...y(1), all: open(2) });
add('Loop whose condition is data', { x: ['f32', [2]], c: ['bool', []] }, [{ op: 'Loop', inputs: ['', 'c', 'x'], outputs: ['y', 'trace'], attributes: {
  body: body({ a: ['f32', [2]] }, { b: ['f32', [2]], t: ['f32', []] }, [{ op: 'Mul', inputs: ['a', 'half'], outputs: ['b'] }, { op: 'ReduceMax', inputs: ['b'], outputs: ['t'], attributes: { keepdims: 0 } }, { op: 'Less', inputs: ['small', 't'], outputs: ['goes'] }], 'goes') } }],
[[8, 1, true], [0.1, 0.2, true], [8, 1, false]].map(([a, b, c]) => ({ x: given('f32', [2], [Number(a), Number(b)]), c: flag(Boolean(c)) })), { ...y(1), trace: open(1) }, { constants: { half: { type: ['f32', []], bytes: new Uint8Array(Float32Array.of(0.5).buffer) }, small: { type: ['f32', []], bytes: new Uint8Array(Float32Array.of(0.3).buffer) } } });
add('Loop whose carried value grows', { m: ['i64', []], x: ['f32', [1, 2]] }, [{ op: 'Loop', inputs: ['m', '', 'x'], outputs: ['y'], attributes: {
  body: body({ a: open(2) }, { b: open(2) }, [{ op: 'Identity', inputs: ['go'], outputs: ['gone'] }, { op: 'Concat', inputs: ['a', 'x'], outputs: ['t'], attributes: { axis: 0 } }, { op: 'Neg', inputs: ['t'], outputs: ['b'] }], 'gone') } }],
[0, 1, 12].map((m) => ({ m: scalar(m), x: made('f32', [1, 2]) })), y(2));
// Batches whose size is open, which are one: the first of a body's conditions counts.
add('Loop whose conditions have an open size', { m: ['i64', ['k']], x: ['f32', ['n', 2]], c: ['bool', ['j']] }, [{ op: 'Loop', inputs: ['m', 'c', 'x'], outputs: ['y', 'all'], attributes: {
  body: { graph: { inputs: { i: ['i64', []], go: ['bool', ['j']], a: ['f32', ['n', 2]] }, outputs: { goes: ['bool', ['n']], b: ['f32', ['n', 2]], s: ['f32', ['n']] }, nodes: [{ op: 'Add', inputs: ['a', 'a'], outputs: ['b'] }, { op: 'ReduceMax', inputs: ['b'], outputs: ['s'], attributes: { axes: [1], keepdims: 0 } }, { op: 'Less', inputs: ['s', 'ten'], outputs: ['goes'] }] } } } }],
[[1, 5], [2, 9], [1, 2]].map(([n, m]) => ({ m: i64(m), x: made('f32', [n, 2]), c: given('bool', [1], [1]) })), { ...y(2), all: open(2) },
{ opset: 17, constants: { ten: { type: ['f32', []], bytes: new Uint8Array(Float32Array.of(10).buffer) } } });
add('If of a flag whose size is open', { c: ['bool', ['n']], x: ['f32', [3]] }, [{ op: 'If', inputs: ['c'], outputs: ['y'], attributes: {
  then_branch: { graph: { inputs: {}, outputs: { a: ['f32', [3]] }, nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['a'] }] } }, else_branch: { graph: { inputs: {}, outputs: { b: ['f32', [3]] }, nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['b'] }] } } } }],
[1, 0].map((c) => ({ c: given('bool', [1], [c]), x: made('f32', [3]) })), y(1));
// As a decoder in the model goes on by its last token.
add('Loop that goes on by the last of what grows', { m: ['i64', []], x: ['i64', [1, 'n']] }, [{ op: 'Loop', inputs: ['m', '', 'x'], outputs: ['y'], attributes: {
  body: body({ a: ['i64', [1, 'o']] }, { b: ['i64', [1, 'p']] }, [{ op: 'Slice', inputs: ['a', 'last', 'far', 'one'], outputs: ['t'] }, { op: 'Add', inputs: ['t', 'two'], outputs: ['u'] }, { op: 'Concat', inputs: ['a', 'u'], outputs: ['b'], attributes: { axis: 1 } },
    { op: 'Squeeze', inputs: ['u'], outputs: ['v'] }, { op: 'Less', inputs: ['v', 'limit'], outputs: ['goes'] }], 'goes') } }],
[[1, 9], [3, 9], [2, 1]].map(([n, m]) => ({ m: scalar(m), x: made('i64', [1, n], 9) })), y(2, 'i64'), { constants: { last: [-1n], far: [9223372036854775807n], one: [1n], two: [2n], limit: { type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(12n).buffer) } } });
one('Slice', 'the last of an open size', { x: ['f32', ['n', 3]] }, [1, 2, 5].map((n) => ({ x: made('f32', [n, 3]) })), 2, {}, ['x', 's', 'e']);
Object.assign(CASES['Slice, the last of an open size'].model, { constants: { s: [-2n], e: [9223372036854775807n] } });
add('Loop in a Loop', { m: ['i64', []], k: ['i64', []], x: ['f32', [2]] }, [{ op: 'Loop', inputs: ['m', '', 'x'], outputs: ['y', 'all'], attributes: {
  body: body({ a: ['f32', [2]] }, { b: ['f32', [2]], s: ['f32', [2]] }, [{ op: 'Identity', inputs: ['go'], outputs: ['gone'] }, { op: 'Loop', inputs: ['k', '', 'a'], outputs: ['b0'], attributes: {
    body: { graph: { inputs: { j: ['i64', []], g2: ['bool', []], p: ['f32', [2]] }, outputs: { g3: ['bool', []], q: ['f32', [2]] }, nodes: [{ op: 'Identity', inputs: ['g2'], outputs: ['g3'] }, { op: 'Add', inputs: ['p', 'x'], outputs: ['q'] }] } } } },
  { op: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: 1 } }, { op: 'Add', inputs: ['b0', 'f'], outputs: ['b'] }, { op: 'Neg', inputs: ['b'], outputs: ['s'] }], 'gone') } }],
[[2, 3], [3, 0], [0, 2]].map(([m, k]) => ({ m: scalar(m), k: scalar(k), x: made('f32', [2]) })), { ...y(1), all: open(2) });
add('Loop of a known number of iterations', { x: ['f32', [3]] }, [{ op: 'Loop', inputs: ['five', '', 'x'], outputs: ['y', 'all'], attributes: {
  body: body({ a: ['f32', [3]] }, { b: ['f32', [3]], s: ['f32', []] }, [{ op: 'Identity', inputs: ['go'], outputs: ['gone'] }, { op: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: 1 } }, { op: 'Add', inputs: ['a', 'f'], outputs: ['b'] }, { op: 'ReduceSum', inputs: ['b'], outputs: ['s'], attributes: { keepdims: 0 } }], 'gone') } }],
[{ x: made('f32', [3]) }], { ...y(1), all: open(1) }, { constants: { five: [5n] } });
add('Loop that selects in each iteration', { m: ['i64', []], x: ['f32', ['n']] }, [{ op: 'Loop', inputs: ['m', '', 'x'], outputs: ['y'], attributes: {
  body: body({ a: open(1) }, { b: open(1) }, [{ op: 'Identity', inputs: ['go'], outputs: ['gone'] }, { op: 'Sub', inputs: ['a', 'one'], outputs: ['d'] }, { op: 'Less', inputs: ['zero', 'd'], outputs: ['c'] }, { op: 'Compress', inputs: ['d', 'c'], outputs: ['b'], attributes: { axis: 0 } }], 'gone') } }],
[[1, 5], [2, 4], [0, 3], [9, 3]].map(([m, n]) => ({ m: scalar(m), x: given('f32', [n], Array.from({ length: n }, (_, k) => k)) })), y(1), { constants: { one: [1], zero: [0] } });

// At its end there are no sizes for another iteration.
add('Loop that uses up what it carries', { x: ['f32', ['n']], c: ['bool', []] }, [{ op: 'Loop', inputs: ['', 'c', 'x', 'zero'], outputs: ['rest', 'y'], attributes: {
  body: body({ a: open(1), sum: ['f32', [1]] }, { b: open(1), next: ['f32', [1]] }, [{ op: 'Shape', inputs: ['a'], outputs: ['count'] }, { op: 'Sub', inputs: ['count', 'one'], outputs: ['left'] },
    { op: 'Concat', inputs: ['one', 'left'], outputs: ['sizes'], attributes: { axis: 0 } }, { op: 'Split', inputs: ['a', 'sizes'], outputs: ['e', 'b'] }, { op: 'Mul', inputs: ['sum', 'half'], outputs: ['less'] }, { op: 'Add', inputs: ['less', 'e'], outputs: ['next'] }, { op: 'Less', inputs: ['none', 'left'], outputs: ['some'] }, { op: 'Squeeze', inputs: ['some'], outputs: ['goes'] }], 'goes') } }],
[[1, true], [4, true], [6, true], [3, false]].map(([n, c]) => ({ x: made('f32', [Number(n)]), c: flag(Boolean(c)) })), { rest: open(1), ...y(1) }, { constants: { one: [1n], none: [0n], zero: [0], half: [0.5] } });

// ---- Scans

/** @param {Record<string, Type>} inputs @param {Record<string, Type>} outputs @param {Node[]} nodes @returns {{ graph: Graph }} */
const scanned = (inputs, outputs, nodes) => ({ graph: { inputs, outputs, nodes } });
for (const [name, attributes] of /** @type {[string, Node['attributes']][]} */ ([['plain', {}], ['backwards', { scan_input_directions: [1], scan_output_directions: [1] }], ['along other axes', { scan_input_axes: [1], scan_output_axes: [-1] }]])) {
  const along = name === 'along other axes', element = ['f32', [along ? 'n' : 3]];
  add(`Scan, ${name}`, { s: ['f32', along ? ['n'] : [3]], x: ['f32', ['n', 3]] }, [{ op: 'Scan', inputs: ['s', 'x'], outputs: ['y', 'all'], attributes: { num_scan_inputs: 1, ...attributes,
    body: scanned({ a: /** @type {Type} */ (element), e: /** @type {Type} */ (element) }, { b: /** @type {Type} */ (element), o: /** @type {Type} */ (element) }, [{ op: 'Add', inputs: ['a', 'e'], outputs: ['b'] }, { op: 'Mul', inputs: ['b', 'e'], outputs: ['o'] }]) } }],
  [4, 1, 11].map((n) => ({ s: made('f32', [along ? n : 3]), x: made('f32', [n, 3]) })), { ...y(1), all: open(2) });
}

// ---- Sequences

add('sequences that are known', { x: ['f32', [2, 3]], z: ['f32', [1, 3]] }, [{ op: 'SequenceConstruct', inputs: ['x', 'z'], outputs: ['s'] }, { op: 'SequenceInsert', inputs: ['s', 'z', 'first'], outputs: ['t'] },
  { op: 'SequenceErase', inputs: ['t', 'last'], outputs: ['u'] }, { op: 'SequenceAt', inputs: ['u', 'last'], outputs: ['e'] }, { op: 'ConcatFromSequence', inputs: ['t'], outputs: ['c'], attributes: { axis: 0 } },
  { op: 'SequenceLength', inputs: ['t'], outputs: ['n'] }, { op: 'Concat', inputs: ['e', 'c'], outputs: ['y'], attributes: { axis: 0 } }], [{ x: made('f32', [2, 3]), z: made('f32', [1, 3], 2, 1) }],
{ ...y(2), n: ['i64', []] }, { constants: { first: { type: ['i64', []], bytes: new Uint8Array(8) }, last: { type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(-1n).buffer) } } });
add('an element of a sequence at a position that is data', { x: ['f32', [6, 2]], p: ['i64', []] }, [{ op: 'SplitToSequence', inputs: ['x', 'two'], outputs: ['s'], attributes: { axis: 0 } }, { op: 'SequenceAt', inputs: ['s', 'p'], outputs: ['y'] }],
  [0, 2, -1, -3].map((p) => ({ x: made('f32', [6, 2]), p: scalar(p) })), y(2), { constants: { two: { type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(2n).buffer) } } });

// ---- Sequences of which nobody knows how long they are

/** @param {bigint} value @returns {{ type: Type, bytes: Uint8Array }} */
const constant = (value) => ({ type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(value).buffer) });
/** @param {keyof typeof import('../onnx_model.mjs').TYPES} type @param {number} rank */
const sequence = (type, rank) => ({ list: /** @type {const} */ ('sequence'), of: open(rank, type) });
/** A loop over `m` that puts what these nodes call `e` into the sequence it has, at `p` if that is there. @param {Node[]} nodes @param {string[]} place @param {number} rank */
const filling = (nodes, place = [], rank = 2) => ({ op: 'Loop', inputs: ['m', '', 'none'], outputs: ['s'], attributes: {
  body: /** @type {any} */ (body(/** @type {any} */ ({ a: sequence('f32', rank) }), /** @type {any} */ ({ b: sequence('f32', rank) }), [{ op: 'Identity', inputs: ['go'], outputs: ['gone'] }, ...nodes, { op: 'SequenceInsert', name: 'n1', inputs: ['a', 'e', ...place], outputs: ['b'] }], 'gone')) } });
const empty = { op: 'SequenceEmpty', inputs: [], outputs: ['none'], attributes: { dtype: 1 } };
/** The first elements of x along an axis, as many as the iteration says and one more. @param {string} axis @returns {Node[]} */
const first = (axis) => [{ op: 'Add', inputs: ['i', 'one'], outputs: ['end'] }, { op: 'Reshape', inputs: ['end', 'shape'], outputs: ['ends'] }, { op: 'Slice', inputs: ['x', 'start', 'ends', axis], outputs: ['e'] }];
const known = { one: constant(1n), shape: [1n], start: [0n], rows: [0n], columns: [1n], last: constant(-1n) };

for (const [where, place] of /** @type {const} */ ([['behind each other', []], ['where data says', ['p']]])) {
  add(`a sequence that a loop fills, ${where}`, { m: ['i64', []], p: ['i64', []], x: ['f32', [6, 2]] }, [empty, filling(first('rows'), [...place]),
    { op: 'SequenceLength', inputs: ['s'], outputs: ['n'] }, { op: 'SequenceAt', inputs: ['s', 'p'], outputs: ['at'] }, { op: 'SequenceErase', inputs: ['s', 'p'], outputs: ['rest'] },
    { op: 'ConcatFromSequence', name: 'n2', inputs: ['s'], outputs: ['all'], attributes: { axis: 0 } }, { op: 'SequenceInsert', name: 'n3', inputs: ['rest', 'x', 'p'], outputs: ['other'] }, { op: 'ConcatFromSequence', name: 'n4', inputs: ['other'], outputs: ['y'], attributes: { axis: -2 } }],
  [[1, 0], [3, 0], [6, 0]].concat(place.length ? [] : [[4, 2], [5, -1], [5, -4]]).map(([m, p]) => ({ m: scalar(m), p: scalar(p), x: made('f32', [6, 2]) })), { ...y(2), at: open(2), all: open(2), n: ['i64', []] }, { constants: known });
}
add('a sequence of other sizes along an axis in the middle', { m: ['i64', []], x: ['f32', [3, 5, 2]] }, [empty, filling(first('columns'), [], 3), { op: 'ConcatFromSequence', name: 'n5', inputs: ['s'], outputs: ['y'], attributes: { axis: 1 } }],
  [1, 2, 5].map((m) => ({ m: scalar(m), x: made('f32', [3, 5, 2]) })), y(3), { constants: known });
add('a sequence of equal tensors along a new axis', { m: ['i64', []], x: ['f32', ['n', 3]] }, [empty, filling([{ op: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: 1 } }, { op: 'Add', inputs: ['x', 'f'], outputs: ['e'] }]),
  ...[0, 1, -1].map((axis) => ({ op: 'ConcatFromSequence', name: `c${axis}`, inputs: ['s'], outputs: [`y${axis}`], attributes: { axis, new_axis: 1 } }))],
  [[1, 2], [4, 1]].map(([m, n]) => ({ m: scalar(m), x: made('f32', [n, 3]) })), { y0: open(3), y1: open(3), 'y-1': open(3) });
add('a sequence of scalars', { m: ['i64', []] }, [empty, filling([{ op: 'Cast', inputs: ['i'], outputs: ['e'], attributes: { to: 1 } }], [], 0), { op: 'ConcatFromSequence', name: 'n7', inputs: ['s'], outputs: ['y'], attributes: { axis: 0, new_axis: 1 } }],
  [1, 5].map((m) => ({ m: scalar(m) })), y(1));
for (const [axis, x] of /** @type {const} */ ([[0, ['n', 3]], [1, [2, 'n']]])) {
  for (const each of [0, 2, 3]) {
    for (const keepdims of each ? [1] : [0, 1]) {
      add(`SplitToSequence of an open size along ${axis} by ${each}, ${keepdims ? 'kept' : 'not kept'}`, { x: ['f32', [...x]], p: ['i64', []] }, [{ op: 'SplitToSequence', inputs: ['x', ...each ? ['each'] : []], outputs: ['s'], attributes: { axis, keepdims } },
        { op: 'SequenceAt', inputs: ['s', 'p'], outputs: ['y'] }, { op: 'SequenceLength', inputs: ['s'], outputs: ['n'] }],
      [[7, 0], [7, -1], [6, 1], [3, 0]].map(([n, p]) => ({ x: made('f32', axis ? [2, n] : [n, 3]), p: scalar(p) })), { ...y(keepdims ? 2 : 1), n: ['i64', []] }, { constants: { each: constant(BigInt(each)) } });
    }
  }
}
add('SequenceMap over a sequence of open length', { x: ['f32', ['n', 3]], w: ['f32', [3]] }, [{ op: 'SplitToSequence', inputs: ['x'], outputs: ['s'], attributes: { axis: 0, keepdims: 0 } },
  { op: 'SequenceMap', inputs: ['s', 's', 'w'], outputs: ['t', 'u'], attributes: { body: { graph: { inputs: { a: ['f32', [3]], b: ['f32', [3]], c: ['f32', [3]] }, outputs: { d: ['f32', [3]], e: ['f32', [6]] }, nodes: [{ op: 'Mul', inputs: ['a', 'c'], outputs: ['d'] }, { op: 'Concat', name: 'n8', inputs: ['b', 'd'], outputs: ['e'], attributes: { axis: 0 } }] } } } },
  { op: 'ConcatFromSequence', name: 'n9', inputs: ['t'], outputs: ['y'], attributes: { axis: 0, new_axis: 1 } }, { op: 'ConcatFromSequence', name: 'n10', inputs: ['u'], outputs: ['z'], attributes: { axis: 0 } }],
  [4, 1].map((n) => ({ x: made('f32', [n, 3]), w: made('f32', [3]) })), { ...y(2), z: open(1) });
const choices = /** @type {any} */ ({
  then_branch: branch([{ op: 'SequenceConstruct', inputs: ['x'], outputs: ['t'] }], 't', /** @type {any} */ (sequence('f32', 2))),
  else_branch: branch([{ op: 'Neg', inputs: ['x'], outputs: ['minus'] }, { op: 'Concat', name: 'n11', inputs: ['x', 'x'], outputs: ['twice'], attributes: { axis: 0 } }, { op: 'SequenceConstruct', inputs: ['minus', 'twice', 'x'], outputs: ['e'] }], 'e', /** @type {any} */ (sequence('f32', 2))),
});
add('an If whose branches make sequences of other lengths', { c: ['bool', []], x: ['f32', ['n', 2]] }, [{ op: 'If', inputs: ['c'], outputs: ['s'], attributes: choices },
  { op: 'SequenceAt', inputs: ['s', 'last'], outputs: ['e'] }, { op: 'ConcatFromSequence', name: 'n12', inputs: ['s'], outputs: ['all'], attributes: { axis: 0 } }, { op: 'Concat', name: 'n13', inputs: ['e', 'all'], outputs: ['y'], attributes: { axis: 0 } }],
both.flatMap((c) => [3, 1].map((n) => ({ c: flag(c), x: made('f32', [n, 2]) }))), y(2), { constants: known });
add('a loop that uses up a sequence', { x: ['f32', ['n', 2]] }, [{ op: 'SplitToSequence', inputs: ['x'], outputs: ['s'], attributes: { axis: 0, keepdims: 0 } },
  { op: 'Loop', inputs: ['', 'yes', 's', 'zeros'], outputs: ['left', 'y'], attributes: { body: /** @type {any} */ (body(/** @type {any} */ ({ a: sequence('f32', 1), sum: ['f32', [2]] }), /** @type {any} */ ({ b: sequence('f32', 1), next: ['f32', [2]] }), [
    { op: 'SequenceAt', inputs: ['a', 'last'], outputs: ['e'] }, { op: 'SequenceErase', inputs: ['a'], outputs: ['b'] }, { op: 'Add', inputs: ['sum', 'e'], outputs: ['t'] }, { op: 'Mul', inputs: ['t', 't'], outputs: ['next'] },
    { op: 'SequenceLength', inputs: ['b'], outputs: ['count'] }, { op: 'Less', inputs: ['zero', 'count'], outputs: ['goes'] }], 'goes')) } }],
[1, 3, 4].map((n) => ({ x: made('f32', [n, 2]) })), y(1), { constants: { ...known, zero: constant(0n), zeros: [0, 0], yes: { type: ['bool', []], bytes: Uint8Array.of(1) } } });
add('an element of a known sequence of other sizes at a position that is data', { x: ['f32', [1, 2]], z: ['f32', [3, 2]], p: ['i64', []] }, [{ op: 'SequenceConstruct', inputs: ['x', 'z', 'x'], outputs: ['s'] }, { op: 'SequenceAt', inputs: ['s', 'p'], outputs: ['e'] },
  { op: 'SequenceErase', inputs: ['s', 'p'], outputs: ['t'] }, { op: 'ConcatFromSequence', inputs: ['t'], outputs: ['rest'], attributes: { axis: 0 } }, { op: 'Neg', inputs: ['e'], outputs: ['y'] }],
[0, 1, 2, -1, -2].map((p) => ({ x: made('f32', [1, 2]), z: made('f32', [3, 2], 2, 1), p: scalar(p) })), { ...y(2), rest: open(2) });
