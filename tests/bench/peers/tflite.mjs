// Layers as a .tflite file, LiteRT's format: a flatbuffer by TensorFlow Lite's schema.fbs, of which this is what the layers need.
// A table's fields are named by their places in the schema.

import { Builder } from 'flatbuffers';

import { samePads } from './layers.mjs';

/** @import { Activation, Layer, Network, Op, Value, Window } from './layers.mjs' */
/** A field of options: its place, its type, its value. @typedef {[number, 'Int8' | 'Int32' | 'Float32', number]} Field */

/** Numbers of BuiltinOperator. @type {Partial<Record<Op, number>>} */
const OPERATORS = {
  Add: 0, AveragePool: 1, Concat: 2, Conv: 3, Depthwise: 4, Dense: 9, MaxPool: 17, Multiply: 18, Relu: 19, Clip6: 21, Reshape: 22, Softmax: 25, Pad: 34,
  Transpose: 39, Mean: 40, Subtract: 41, Slice: 65, Rsqrt: 76, SquaredDifference: 99, BatchMatMul: 126, Gelu: 150,
};
/** Operators above this came with a wider field; a reader of either must find the same number. */
const MOST_OF_OLD = 127;
const FLOAT32 = 0, INT32 = 2, ALIGNMENT = 16;
/** @type {Record<Activation, number>} */
const ACTIVATIONS = { none: 0, relu: 1, relu6: 3 };

/** Whether padding is what TensorFlow computes by itself. @param {Layer} layer */
function isSame({ inputs: [{ shape: [, height, width] }], window }) {
  const { pads, kernel, strides } = /** @type {Window} */ (window);
  const [above, below] = samePads(height, kernel[0], strides[0]), [left, right] = samePads(width, kernel[1], strides[1]);
  return pads.join() === [above, left, below, right].join();
}

/** The union's number of a layer's options, and their fields; null where there are none. @param {Layer} layer @returns {[number, Field[]] | null} */
function optionsOf(layer) {
  const { op, window, activation, axis = 0 } = layer, fused = ACTIVATIONS[activation];
  /** @type {Field[]} */
  const placed = window ? [[0, 'Int8', isSame(layer) ? 0 : 1], [1, 'Int32', window.strides[1]], [2, 'Int32', window.strides[0]]] : [];
  switch (op) {
    case 'Conv': return [1, [...placed, [3, 'Int8', fused], [4, 'Int32', 1], [5, 'Int32', 1]]];
    case 'Depthwise': return [2, [...placed, [3, 'Int32', 1], [4, 'Int8', fused], [5, 'Int32', 1], [6, 'Int32', 1]]];
    case 'AveragePool': case 'MaxPool': return [5, [...placed, [3, 'Int32', window?.kernel[1] ?? 1], [4, 'Int32', window?.kernel[0] ?? 1]]];
    case 'Dense': return [8, [[0, 'Int8', fused]]];
    case 'Softmax': return [9, [[0, 'Float32', 1]]];
    case 'Concat': return [10, [[0, 'Int32', axis]]];
    case 'Add': return [11, [[0, 'Int8', fused]]];
    case 'Mean': return [27, [[0, 'Int8', 1]]];
    default: return null;
  }
}

class Writer {
  builder = new Builder(1 << 20);
  /** @type {number[]} */ buffers = [];
  /** @type {number[]} */ tensors = [];
  /** @type {Map<number, number>} */ indices = new Map();

  /** @param {number} fields @param {(builder: Builder) => void} add */
  table(fields, add) {
    this.builder.startObject(fields);
    add(this.builder);
    return this.builder.endObject();
  }

  /** @param {ArrayLike<number>} values */
  integers(values) {
    this.builder.startVector(4, values.length, 4);
    for (let i = values.length - 1; i >= 0; --i) this.builder.addInt32(values[i]);
    return this.builder.endVector();
  }

  /** @param {number[]} offsets */
  offsets(offsets) {
    this.builder.startVector(4, offsets.length, 4);
    for (const offset of [...offsets].reverse()) this.builder.addOffset(offset);
    return this.builder.endVector();
  }

  /** @param {Float32Array | Int32Array} [data] */
  buffer(data) {
    const bytes = data && new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (bytes) this.builder.prep(ALIGNMENT, bytes.length);
    const at = bytes ? this.builder.createByteVector(bytes) : 0;
    return this.buffers.push(this.table(1, (builder) => builder.addFieldOffset(0, at, 0))) - 1;
  }

  /** The number of a tensor. @param {Value} value */
  tensor({ id, shape, constant }) {
    const known = this.indices.get(id);
    if (known !== undefined) return known;
    const sizes = this.integers(shape), name = this.builder.createString(`t${id}`), buffer = constant ? this.buffer(constant) : 0;
    const index = this.tensors.push(this.table(9, (builder) => {
      builder.addFieldOffset(0, sizes, 0);
      builder.addFieldInt8(1, constant instanceof Int32Array ? INT32 : FLOAT32, 0);
      builder.addFieldInt32(2, buffer, 0);
      builder.addFieldOffset(3, name, 0);
    })) - 1;
    this.indices.set(id, index);
    return index;
  }

  /** @param {Layer} layer @param {number} code the number of its operator in the file */
  operator(layer, code) {
    const inputs = this.integers(layer.inputs.map((value) => this.tensor(value))), outputs = this.integers([this.tensor(layer.output)]);
    const [kind, fields] = optionsOf(layer) ?? [0, []];
    const options = kind && this.table(fields.length, (builder) => {
      for (const [place, type, value] of fields) builder[`addField${type}`](place, value, 0);
    });
    return this.table(9, (builder) => {
      builder.addFieldInt32(0, code, 0);
      builder.addFieldOffset(1, inputs, 0);
      builder.addFieldOffset(2, outputs, 0);
      builder.addFieldInt8(3, kind, 0);
      builder.addFieldOffset(4, options, 0);
    });
  }
}

/** The format pads only as "same" or not at all, so other padding is a layer of its own. @param {Layer} layer @returns {Layer[]} */
function withPadding(layer) {
  const { window, inputs: [x, ...rest], output } = layer;
  if (!window?.pads.some((pad) => pad > 0) || isSame(layer)) return [layer];
  const [above, left, below, right] = window.pads, [batch, height, width, channels] = x.shape;
  const padded = { id: -output.id, shape: [batch, height + above + below, width + left + right, channels] };
  const pads = { id: -1e9 - output.id, shape: [4, 2], constant: Int32Array.of(0, 0, above, below, left, right, 0, 0) };
  return [{ op: 'Pad', inputs: [x, pads], output: padded, activation: 'none' }, { ...layer, inputs: [padded, ...rest], window: { ...window, pads: [0, 0, 0, 0] } }];
}

/** @param {Network} network @returns {Uint8Array} */
export function tfliteOf({ inputs, outputs, layers: all }) {
  const writer = new Writer(), layers = all.flatMap(withPadding), { builder } = writer, ops = [...new Set(layers.map(({ op }) => op))];
  // The first is that of tensors without data.
  writer.buffer();
  const codes = ops.map((op) => {
    const code = OPERATORS[op];
    if (code === undefined) throw new Error(`${op} is not in TensorFlow Lite`);
    return writer.table(4, () => {
      builder.addFieldInt8(0, Math.min(code, MOST_OF_OLD), 0);
      builder.addFieldInt32(2, 1, 0);
      builder.addFieldInt32(3, code, 0);
    });
  });
  const ports = [inputs, outputs].map((values) => writer.integers(values.map((value) => writer.tensor(value))));
  const operators = writer.offsets(layers.map((layer) => writer.operator(layer, ops.indexOf(layer.op)))), tensors = writer.offsets(writer.tensors);
  const graph = writer.table(5, () => [tensors, ...ports, operators].forEach((offset, place) => builder.addFieldOffset(place, offset, 0)));
  const [operatorCodes, graphs, buffers] = [codes, [graph], writer.buffers].map((offsets) => writer.offsets(offsets));
  const model = writer.table(8, () => {
    builder.addFieldInt32(0, 3, 0);
    builder.addFieldOffset(1, operatorCodes, 0);
    builder.addFieldOffset(2, graphs, 0);
    builder.addFieldOffset(4, buffers, 0);
  });
  builder.finish(model, 'TFL3');
  return builder.asUint8Array();
}
