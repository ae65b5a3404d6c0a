// Two models that share a table of weights, and whose results are integers, which f32 holds: they are known from the
// definitions of what they are made of.

import { onnxModel } from './onnx_model.mjs';

export const ROWS = 8, WIDTH = 64;

/** @param {number[]} shape @param {(i: number) => number} at @returns {import('./onnx_model.mjs').Tensor} */
export const weight = (shape, at) => ({
  type: ['f32', shape], bytes: new Uint8Array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => at(i)).buffer),
});
/** @param {number} i */
export const tableAt = (i) => i % 7 - 3, projectAt = (/** @type {number} */ i) => i % 5 - 2;
export const TABLE = weight([ROWS, WIDTH], tableAt), PROJECT = weight([WIDTH, WIDTH], projectAt);

/** Rows of the table by ids, projected. @param {string} prefix of names, those of sizes as well @param {any} [more] */
export const encoder = (prefix = '', more = {}) => onnxModel({
  inputs: { [`${prefix}ids`]: ['i64', [`${prefix}count`]] }, outputs: { [`${prefix}hidden`]: ['f32', [`${prefix}count`, WIDTH]] },
  nodes: [{ op: 'Gather', inputs: [`${prefix}table`, `${prefix}ids`], outputs: ['rows'] },
    { op: 'MatMul', inputs: ['rows', `${prefix}project`], outputs: [`${prefix}hidden`] }],
  constants: { [`${prefix}table`]: TABLE, [`${prefix}project`]: PROJECT }, ...more,
});

/** The table's rows by ids, so often added to what comes from the encoder as a loop says. */
export const decoder = onnxModel({
  inputs: { ids: ['i64', ['count']], hidden: ['f32', ['count', WIDTH]], times: ['i64', []] }, outputs: { sums: ['f32', ['count', WIDTH]] },
  nodes: [{ op: 'Gather', inputs: ['embedding', 'ids'], outputs: ['rows'] },
    { op: 'Loop', inputs: ['times', '', 'hidden'], outputs: ['sums'], attributes: { body: { graph: {
      inputs: { i: ['i64', []], go: ['bool', []], before: ['f32', ['count', WIDTH]] }, outputs: { goes: ['bool', []], after: ['f32', ['count', WIDTH]] },
      nodes: [{ op: 'Add', inputs: ['before', 'rows'], outputs: ['after'] }, { op: 'Identity', inputs: ['go'], outputs: ['goes'] }],
    } } } }],
  constants: { embedding: TABLE }, opset: 16,
});

/** The same once, without a loop. */
export const adder = onnxModel({
  inputs: { ids: ['i64', ['count']], hidden: ['f32', ['count', WIDTH]] }, outputs: { sums: ['f32', ['count', WIDTH]] },
  nodes: [{ op: 'Gather', inputs: ['embedding', 'ids'], outputs: ['rows'] }, { op: 'Add', inputs: ['hidden', 'rows'], outputs: ['sums'] }],
  constants: { embedding: TABLE },
});

/** Its state is all that it was given, whose sum it gives. */
export const keeper = onnxModel({
  inputs: { x: ['f32', ['count', WIDTH]], past: ['f32', ['before', WIDTH]] }, outputs: { sum: ['f32', [1, WIDTH]], present: ['f32', ['total', WIDTH]] },
  nodes: [{ op: 'Concat', inputs: ['past', 'x'], outputs: ['present'], attributes: { axis: 0 } }, { op: 'ReduceSum', inputs: ['present', 'axes'], outputs: ['sum'] }],
  constants: { axes: [0n] },
});

/** @param {readonly bigint[]} ids */
const rowsOf = (ids) => ids.map((id) => Array.from({ length: WIDTH }, (_, i) => tableAt(Number(id) * WIDTH + i)));

/** What the encoder gives, a row an id. @param {readonly bigint[]} ids */
export const encoded = (ids) => rowsOf(ids).map((row) => row.map((_, o) => row.reduce((sum, value, i) => sum + value * projectAt(i * WIDTH + o), 0)));

/** What the decoder makes of that, and the adder with `times` 1. @param {readonly bigint[]} ids @param {number} times */
export const decoded = (ids, times) => {
  const rows = rowsOf(ids);
  return encoded(ids).map((row, r) => row.map((value, i) => value + times * rows[r][i]));
};
