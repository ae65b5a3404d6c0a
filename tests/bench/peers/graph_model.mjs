// Layers as TF.js's graph model: model.json, a TensorFlow graph with its operators as TF.js's own converter fuses them, and the weights
// beside it.

import { permuted } from './layers.mjs';

/** @import { Activation, Layer, Network, Op, Value } from './layers.mjs' */
/** @typedef {Record<string, Record<string, unknown>>} Attributes */
/** @typedef {{ name: string, op: string, input: string[], attr: Attributes }} GraphNode */

const FLOAT = { type: 'DT_FLOAT' }, INTEGER = { type: 'DT_INT32' };
/** @param {string} value */
const text = (value) => ({ s: Buffer.from(value).toString('base64') });
/** @param {number[]} values */
const list = (values) => ({ list: { i: values.map(String) } });
/** @type {Record<Activation, string[]>} */
const FUSED = { none: [], relu: ['Relu'], relu6: ['Relu6'] };

/** @param {Activation} activation @returns {Attributes} what is computed behind a product */
const behind = (activation) => ({
  fused_ops: { list: { s: ['BiasAdd', ...FUSED[activation]].map((name) => text(name).s) } }, num_args: { i: '1' }, epsilon: { f: 0 },
});

/** @param {Layer} layer @returns {Attributes} */
function placed({ window }) {
  const { strides, pads: [above, left, below, right], kernel } = /** @type {import('./layers.mjs').Window} */ (window);
  const isPadded = above + left + below + right > 0;
  return {
    strides: list([1, ...strides, 1]), ksize: list([1, ...kernel, 1]), dilations: list([1, 1, 1, 1]), data_format: text('NHWC'),
    padding: text(isPadded ? 'EXPLICIT' : 'VALID'), ...isPadded && { explicit_paddings: list([0, 0, above, below, left, right, 0, 0]) },
  };
}

/** @type {Record<Exclude<Op, 'Gelu'>, [string, (layer: Layer) => Attributes]>} */
const OPERATORS = {
  Add: ['AddV2', () => ({})], AveragePool: ['AvgPool', placed], BatchMatMul: ['BatchMatMulV2', () => ({ adj_x: { b: false }, adj_y: { b: false } })],
  Clip6: ['Relu6', () => ({})], Concat: ['ConcatV2', ({ inputs }) => ({ N: { i: String(inputs.length) } })],
  Conv: ['_FusedConv2D', (layer) => ({ ...placed(layer), ...behind(layer.activation) })],
  Dense: ['_FusedMatMul', ({ activation }) => ({ transpose_a: { b: false }, transpose_b: { b: false }, ...behind(activation) })],
  Depthwise: ['FusedDepthwiseConv2dNative', (layer) => ({ ...placed(layer), ...behind(layer.activation) })],
  Erf: ['Erf', () => ({})], MaxPool: ['MaxPool', placed], Mean: ['Mean', () => ({ keep_dims: { b: true } })], Multiply: ['Mul', () => ({})], Pad: ['Pad', () => ({})],
  Relu: ['Relu', () => ({})], Reshape: ['Reshape', () => ({})], Rsqrt: ['Rsqrt', () => ({})], Slice: ['Slice', () => ({})], Softmax: ['Softmax', () => ({})],
  SquaredDifference: ['SquaredDifference', () => ({})], Subtract: ['Sub', () => ({})], Transpose: ['Transpose', () => ({})],
};

/** What TensorFlow wants of filters and matrices: what is first here is last there. @param {Value} value @returns {Value} */
const outputsLast = ({ id, shape, constant }) => ({ ...permuted(/** @type {Float32Array} */ (constant), shape, [...shape.keys()].map((axis) => (axis + 1) % shape.length)), id });

/** @param {Layer} layer @returns {Layer} with constants in TensorFlow's order */
function ordered(layer) {
  const { op, inputs: [x, w, ...rest] } = layer;
  if (op === 'Conv' || op === 'Dense') return { ...layer, inputs: [x, outputsLast(w), ...rest] };
  if (op === 'Depthwise') return { ...layer, inputs: [x, { ...w, shape: [...w.shape.slice(1), 1] }, ...rest] };
  if (op === 'Concat') return { ...layer, inputs: [...layer.inputs, { id: -layer.output.id, shape: [], constant: Int32Array.of(layer.axis ?? 0) }] };
  return layer;
}

/** What TensorFlow has no operator for. @param {Layer} layer @returns {Layer[]} */
function spelt(layer) {
  const { op, inputs: [x], output, activation } = layer;
  if (op === 'Add' && activation !== 'none') {
    const sum = { id: -output.id, shape: output.shape };
    return [{ ...layer, output: sum, activation: 'none' }, { op: activation === 'relu' ? 'Relu' : 'Clip6', inputs: [sum], output, activation: 'none' }];
  }
  if (op !== 'Gelu') return [layer];
  const [scaled, erf, sum, half] = [1, 2, 3, 4].map((part) => ({ id: -output.id - part / 8, shape: output.shape }));
  const number = (/** @type {number} */ value, /** @type {number} */ part) => ({ id: -output.id - part / 8, shape: [], constant: Float32Array.of(value) });
  return [
    { op: 'Multiply', inputs: [x, number(Math.SQRT1_2, 5)], output: scaled, activation }, { op: 'Erf', inputs: [scaled], output: erf, activation },
    { op: 'Add', inputs: [erf, number(1, 6)], output: sum, activation }, { op: 'Multiply', inputs: [x, number(0.5, 7)], output: half, activation },
    { op: 'Multiply', inputs: [half, sum], output, activation },
  ];
}

/** @param {Network} network @returns {{ json: string, weights: Uint8Array }} */
export function graphModelOf({ inputs, outputs, layers: all }) {
  /** @type {GraphNode[]} */
  const nodes = inputs.map((value) => ({
    name: `t${value.id}`, op: 'Placeholder', input: [],
    attr: { dtype: FLOAT, shape: { shape: { dim: value.shape.map((size) => ({ size: String(size) })) } } },
  }));
  const layers = all.flatMap(spelt).map(ordered);
  const constants = new Map(layers.flatMap((layer) => layer.inputs).filter(({ constant }) => constant).map((value) => [value.id, value]));
  const weights = [...constants.values()].map(({ id, shape, constant }) => ({ name: `t${id}`, shape, dtype: constant instanceof Int32Array ? 'int32' : 'float32' }));
  for (const { name, dtype } of weights) nodes.push({ name, op: 'Const', input: [], attr: { dtype: dtype === 'int32' ? INTEGER : FLOAT } });
  for (const layer of layers) {
    const [op, attributesOf] = OPERATORS[/** @type {Exclude<Op, 'Gelu'>} */ (layer.op)];
    nodes.push({ name: `t${layer.output.id}`, op, input: layer.inputs.map(({ id }) => `t${id}`), attr: { T: FLOAT, ...attributesOf(layer) } });
  }
  nodes.push(...outputs.map(({ id }, i) => ({ name: `output${i}`, op: 'Identity', input: [`t${id}`], attr: { T: FLOAT } })));
  const json = JSON.stringify({ format: 'graph-model', modelTopology: { node: nodes, versions: {} }, weightsManifest: [{ paths: ['weights.bin'], weights }] });
  return { json, weights: Buffer.concat([...constants.values()].map(({ constant }) => new Uint8Array(/** @type {Float32Array} */ (constant).buffer))) };
}
