// An ONNX model as the layers of TensorFlow's libraries: channels last, constants folded, activations part of the layers before
// them, as their own converters would leave it. tflite.mjs and graph_model.mjs write these layers to files.
//
// What is not known here is refused by name: a peer is measured on all of a network or not at all.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readGraph } from '../../onnx_model.mjs';

/** @import { Node } from '../../onnx_model.mjs' */
/** @typedef {'Add' | 'AveragePool' | 'BatchMatMul' | 'Clip6' | 'Concat' | 'Conv' | 'Dense' | 'Depthwise' | 'Erf' | 'Gelu' | 'MaxPool' | 'Mean' | 'Multiply' |
 *   'Pad' | 'Relu' | 'Reshape' | 'Rsqrt' | 'Slice' | 'Softmax' | 'SquaredDifference' | 'Subtract' | 'Transpose'} Op */
/**
 * What a layer reads or gives. That of an image has its channels last, whatever the shape in ONNX. The same tensor has the same number.
 *
 * @typedef {{ id: number, shape: number[], isImage?: boolean, constant?: Float32Array | Int32Array, from?: Layer }} Value
 * @typedef {'none' | 'relu' | 'relu6'} Activation
 * @typedef {{ strides: number[], pads: number[], kernel: number[] }} Window heights and widths; pads are above, left, below, right
 * @typedef {{ op: Op, inputs: Value[], output: Value, activation: Activation, window?: Window, axis?: number }} Layer
 * @typedef {{ inputs: Value[], outputs: Value[], layers: Layer[] }} Network
 */

const LAST = [0, 2, 3, 1], FIRST = [0, 3, 1, 2];
const FUSING = new Set(['Add', 'Conv', 'Depthwise']);
/** @param {number[]} shape */
const count = (shape) => shape.reduce((a, b) => a * b, 1);
let ids = 0;
/** @param {number[]} values @param {number[]} shape @returns {Value} */
const integers = (values, shape = [values.length]) => ({ id: ++ids, shape, constant: Int32Array.from(values) });
/** @param {number[]} shape @param {Iterable<number>} values @returns {Value} */
const floats = (shape, values) => ({ id: ++ids, shape, constant: Float32Array.from(values) });
/** @param {Value | undefined} value @param {number} number */
const isScalar = (value, number) => value?.constant?.length === 1 && Math.abs(value.constant[0] - number) < 1e-6;

/** A constant with its axes in another order. @param {ArrayLike<number>} values @param {number[]} shape @param {number[]} order */
export function permuted(values, shape, order) {
  const strides = order.map((axis) => count(shape.slice(axis + 1))), sizes = order.map((axis) => shape[axis]), result = new Float32Array(values.length);
  for (let i = 0; i < result.length; ++i) {
    let rest = i, at = 0;
    for (let axis = sizes.length - 1; axis >= 0; rest = Math.floor(rest / sizes[axis--])) at += rest % sizes[axis] * strides[axis];
    result[i] = values[at];
  }
  return floats(sizes, result);
}

/** Above and below, or left and right, of what TensorFlow calls "same". @param {number} size @param {number} kernel @param {number} stride */
export function samePads(size, kernel, stride) {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  return [total >> 1, total - (total >> 1)];
}

class Converter {
  /** @type {Layer[]} */ layers = [];
  /** @type {Map<string, Value>} */ values = new Map();
  /** @type {Map<string, number>} */ uses = new Map();

  /** @param {Buffer} model @param {{name: string, shape: number[]}[]} inputs */
  constructor(model, inputs) {
    this.graph = readGraph(model);
    for (const { name, shape } of inputs) this.values.set(name, { id: ++ids, shape });
    for (const name of [...this.graph.nodes.flatMap((node) => node.inputs), ...this.graph.outputs.keys()]) this.uses.set(name, (this.uses.get(name) ?? 0) + 1);
  }

  /** @param {Op} op @param {Value[]} inputs @param {number[]} shape @param {Partial<Layer & Value>} more */
  add(op, inputs, shape, { isImage, ...more } = {}) {
    const layer = { op, inputs, output: /** @type {Value} */ ({ id: ++ids, shape, isImage }), activation: /** @type {Activation} */ ('none'), ...more };
    layer.output.from = layer;
    this.layers.push(layer);
    return layer.output;
  }

  /** @param {string} name @returns {Value} */
  value(name) {
    const known = this.values.get(name), weight = known ? undefined : this.weight(name);
    return known ?? floats(weight?.shape.length ? weight.shape : [1], weight?.values ?? []);
  }

  /** @param {string} name */
  weight(name) {
    const weight = this.graph.weights.get(name);
    if (!weight) throw new Error(`${name} is no weight`);
    return weight;
  }

  /** @param {string} name */
  numbers(name) {
    const found = this.graph.integers.get(name)?.values;
    if (!found) throw new Error(`${name} is no constant`);
    return found;
  }

  /** Zeros if there is none. @param {string | undefined} name @param {number} size */
  bias(name, size) {
    return name ? this.value(name) : floats([size], new Float32Array(size));
  }

  /** With channels last. @param {string} name */
  image(name) {
    const value = this.value(name);
    if (value.isImage) return value;
    if (value.constant) return this.asImage(permuted(value.constant, value.shape, LAST));
    // A page has its pictures so from the start.
    const isFree = !value.from && !this.layers.some(({ inputs }) => inputs.some(({ id }) => id === value.id));
    if (isFree) return Object.assign(value, { shape: LAST.map((axis) => value.shape[axis]), isImage: true });
    return this.asImage(this.transpose(value, LAST));
  }

  /** @param {Value} value @returns {Value} the same elements */
  asImage(value) {
    return { ...value, isImage: true };
  }

  /** In ONNX's order. @param {string} name */
  plain(name) {
    const value = this.value(name);
    return value.isImage ? this.transpose({ ...value, isImage: false }, FIRST) : value;
  }

  /** @param {Value} value @param {number[]} order */
  transpose(value, order) {
    const shape = order.map((axis) => value.shape[axis]), moved = order.filter((axis) => value.shape[axis] > 1);
    if (moved.every((axis, i) => i === 0 || moved[i - 1] < axis)) return this.reshape(value, shape);
    return this.add('Transpose', [value, integers(order)], shape);
  }

  /** @param {Value} value @param {number[]} shape @returns {Value} */
  reshape(value, shape) {
    if (value.from?.op === 'Reshape') return this.reshape(value.from.inputs[0], shape);
    return value.shape.join() === shape.join() ? value : this.add('Reshape', [value, integers(shape)], shape);
  }

  /** @param {Value} x @param {Record<string, any>} attributes @param {number[]} kernel */
  window(x, { strides = [1, 1], pads = [0, 0, 0, 0], auto_pad = 'NOTSET', dilations = [1, 1], ceil_mode = 0 }, kernel) {
    if (Math.max(...dilations) > 1 || ceil_mode || auto_pad === 'SAME_LOWER') throw new Error('dilations, ceil_mode and SAME_LOWER are not known here');
    const [, height, width, channels] = x.shape;
    if (auto_pad === 'SAME_UPPER') {
      const [above, below] = samePads(height, kernel[0], strides[0]), [left, right] = samePads(width, kernel[1], strides[1]);
      pads = [above, left, below, right];
    }
    const out = [height, width].map((size, i) => Math.floor((size + pads[i] + pads[i + 2] - kernel[i]) / strides[i]) + 1);
    return { window: { strides, pads, kernel }, shape: [x.shape[0], ...out, channels] };
  }

  /** Before a pool, whose padding counts for nothing: zeros where the least is zero. @param {Op} op @param {Value} x @param {Window} window */
  padded(op, x, { pads: [above, left, below, right] }) {
    if (!(above || left || below || right)) return x;
    if (op !== 'MaxPool' || !x.from || x.from.activation === 'none') throw new Error('padding of averages, and of what may be negative, is not known here');
    const [batch, height, width, channels] = x.shape;
    return this.add('Pad', [x, integers([0, 0, above, below, left, right, 0, 0], [4, 2])], [batch, height + above + below, width + left + right, channels]);
  }

  /** @param {Op} op @param {Node} node */
  pool(op, { inputs: [x], attributes = {} }) {
    const image = this.image(x), { window, shape } = this.window(image, attributes, /** @type {number[]} */ (attributes.kernel_shape));
    return this.add(op, [this.padded(op, image, window)], shape, { window: { ...window, pads: [0, 0, 0, 0] }, isImage: true });
  }

  /** @param {Op} op @param {string[]} names */
  elementwise(op, names) {
    const given = names.map((name) => this.value(name)), isNumber = (/** @type {Value} */ { constant }) => constant?.length === 1;
    const isImage = given.some((value) => value.isImage) && given.every((value) => value.shape.length === 4 || isNumber(value));
    const values = names.map((name, i) => isImage && !isNumber(given[i]) ? this.image(name) : this.plain(name));
    const rank = Math.max(...values.map(({ shape }) => shape.length));
    const shape = Array.from({ length: rank }, (_, i) => Math.max(...values.map((value) => value.shape[value.shape.length - rank + i] ?? 1)));
    return this.add(op, values, shape, { isImage });
  }

  /** @param {'relu' | 'relu6'} activation @param {string} name */
  activate(activation, name) {
    const value = this.value(name), { from } = value;
    if (from && FUSING.has(from.op) && from.activation === 'none' && this.uses.get(name) === 1) {
      from.activation = activation;
      return value;
    }
    return this.add(activation === 'relu' ? 'Relu' : 'Clip6', [value], value.shape, { isImage: value.isImage, activation });
  }

  /** 0.5 x (1 + erf(x / sqrt 2)), of which 0.5 was just read. @param {Value} product @returns {Value | undefined} x */
  geluOf(product) {
    const sum = product.from?.op === 'Multiply' ? product.from.inputs.find(({ from }) => from?.op === 'Add')?.from : undefined;
    const x = product.from?.inputs.find((value) => value.from !== sum), erf = sum?.inputs.find(({ from }) => from?.op === 'Erf')?.from;
    const scaled = erf?.inputs[0].from;
    return scaled?.op === 'Multiply' && scaled.inputs[0] === x && isScalar(scaled.inputs[1], Math.SQRT1_2) && isScalar(sum?.inputs[1], 1) ? x : undefined;
  }

  /** @param {Value} x @param {Value} scale @param {Value} bias @param {number} epsilon */
  normalised(x, scale, bias, epsilon) {
    const axis = integers([x.shape.length - 1]), one = [...x.shape.slice(0, -1), 1];
    const mean = this.add('Mean', [x, axis], one), variance = this.add('Mean', [this.add('SquaredDifference', [x, mean], x.shape), axis], one);
    const factor = this.add('Rsqrt', [this.add('Add', [variance, floats([1], [epsilon])], one)], one);
    const centred = this.add('Multiply', [this.add('Subtract', [x, mean], x.shape), factor], x.shape);
    return this.add('Add', [this.add('Multiply', [centred, scale], x.shape), bias], x.shape);
  }

  /** @param {Value} x @param {number[]} begin @param {number[]} shape */
  slice(x, begin, shape) {
    return this.add('Slice', [x, integers(begin), integers(shape)], shape);
  }

  /** Those layers that a result needs. @param {Value[]} results */
  needed(results) {
    /** @type {Set<Layer>} */
    const needed = new Set();
    const visit = (/** @type {Layer | undefined} */ layer) => {
      if (!layer || needed.has(layer)) return;
      needed.add(layer);
      for (const { from } of layer.inputs) visit(from);
    };
    for (const { from } of results) visit(from);
    return this.layers.filter((layer) => needed.has(layer));
  }
}

/** @type {Record<string, (to: Converter, node: Node & { attributes: Record<string, any> }) => Value>} */
const OPERATORS = {
  Conv(to, { inputs: [x, w, b], attributes }) {
    const image = to.image(x), { shape: [out, of, height, width], values } = to.weight(w), { window, shape } = to.window(image, attributes, [height, width]);
    const { group = 1 } = attributes, isDepthwise = of === 1 && group === out && group > 1;
    if (group !== 1 && !isDepthwise) throw new Error('convolutions of groups are not known here');
    const filter = permuted(values, [out, of, height, width], isDepthwise ? [1, 2, 3, 0] : [0, 2, 3, 1]);
    return to.add(isDepthwise ? 'Depthwise' : 'Conv', [image, filter, to.bias(b, out)], [...shape.slice(0, 3), out], { window, isImage: true });
  },
  Gemm(to, { inputs: [x, w, b], attributes: { transA = 0, transB = 0, alpha = { float: 1 }, beta = { float: 1 } } }) {
    if (transA || alpha.float !== 1 || beta.float !== 1) throw new Error('transA, alpha and beta are not known here');
    const { shape, values } = to.weight(w), weights = permuted(values, shape, transB ? [0, 1] : [1, 0]), [out] = weights.shape, plain = to.plain(x);
    return to.add('Dense', [plain, weights, to.bias(b, out)], [plain.shape[0], out]);
  },
  MatMul(to, { inputs: [a, b] }) {
    const left = to.plain(a), right = to.plain(b);
    return to.add('BatchMatMul', [left, right], [...left.shape.slice(0, -1), /** @type {number} */ (right.shape.at(-1))]);
  },
  MaxPool: (to, node) => to.pool('MaxPool', node),
  AveragePool: (to, node) => to.pool('AveragePool', node),
  GlobalAveragePool(to, { inputs: [x] }) {
    const image = to.image(x);
    return to.add('Mean', [image, integers([1, 2])], [image.shape[0], 1, 1, image.shape[3]], { isImage: true });
  },
  Relu: (to, { inputs: [x] }) => to.activate('relu', x),
  Clip(to, { inputs: [x, low, high] }) {
    if (!isScalar(to.value(low), 0) || !isScalar(to.value(high), 6)) throw new Error('Clip to others than 0 and 6 is not known here');
    return to.activate('relu6', x);
  },
  Add: (to, { inputs }) => to.elementwise('Add', inputs),
  Sub: (to, { inputs }) => to.elementwise('Subtract', inputs),
  Mul(to, { inputs: [a, b] }) {
    const x = isScalar(to.value(b), 0.5) ? to.geluOf(to.value(a)) : undefined;
    return x ? to.add('Gelu', [x], x.shape) : to.elementwise('Multiply', [a, b]);
  },
  Div(to, { inputs: [a, b] }) {
    const { shape, constant } = to.value(b), inverse = `1 / ${b}`;
    if (!constant) throw new Error('Div by what is no constant is not known here');
    to.values.set(inverse, floats(shape, constant.map((value) => 1 / value)));
    return to.elementwise('Multiply', [a, inverse]);
  },
  Erf: (to, { inputs: [x] }) => to.add('Erf', [to.plain(x)], to.plain(x).shape),
  LayerNormalization(to, { inputs: [x, scale, bias], attributes: { axis = -1, epsilon = { float: 1e-5 } } }) {
    const value = to.plain(x);
    if (axis !== -1 && axis !== value.shape.length - 1) throw new Error('norms of more than the last axis are not known here');
    return to.normalised(value, to.value(scale), to.value(bias), epsilon.float);
  },
  Softmax(to, { inputs: [x], attributes: { axis = -1 } }) {
    const value = to.value(x), { shape, isImage } = value;
    const isLast = isImage ? axis === 1 && shape[1] * shape[2] === 1 : axis === -1 || axis === shape.length - 1;
    if (!isLast) throw new Error('Softmax of others than the last axis is not known here');
    return to.add('Softmax', [value], shape, { isImage });
  },
  Concat(to, { inputs, attributes: { axis } }) {
    const isImage = inputs.every((name) => to.value(name).isImage), values = inputs.map((name) => isImage ? to.value(name) : to.plain(name));
    const rank = values[0].shape.length, along = isImage ? LAST.indexOf((axis + rank) % rank) : (axis + rank) % rank;
    const shape = values[0].shape.map((size, i) => i === along ? values.reduce((sum, value) => sum + value.shape[i], 0) : size);
    return to.add('Concat', values, shape, { isImage, axis: along });
  },
  Transpose(to, { inputs: [x], attributes: { perm } }) {
    const value = to.value(x);
    if (value.isImage && perm.join() === LAST.join()) return { ...value, isImage: false };
    if (!value.isImage && perm.join() === FIRST.join()) return to.asImage(value);
    return to.transpose(to.plain(x), perm);
  },
  Reshape(to, { inputs: [x, to_shape] }) {
    const value = to.plain(x), wanted = to.numbers(to_shape).map((size, i) => size === 0 ? value.shape[i] : size);
    const known = count(wanted.filter((size) => size !== -1));
    return to.reshape(value, wanted.map((size) => size === -1 ? count(value.shape) / known : size));
  },
  Flatten(to, { inputs: [x], attributes: { axis = 1 } }) {
    const value = to.plain(x);
    return to.reshape(value, [count(value.shape.slice(0, axis)), count(value.shape.slice(axis))]);
  },
  Slice(to, { inputs: [x, starts, ends, axes, steps] }) {
    const value = to.plain(x), begin = value.shape.map(() => 0), end = [...value.shape], from = to.numbers(starts), until = to.numbers(ends);
    if (steps && to.numbers(steps).some((step) => step !== 1)) throw new Error('Slice with steps is not known here');
    for (const [i, given] of (axes ? to.numbers(axes) : from.map((_, at) => at)).entries()) {
      const axis = (given + end.length) % end.length, size = value.shape[axis];
      [begin[axis], end[axis]] = [from[i], until[i]].map((at) => Math.max(0, Math.min(size, at < 0 ? at + size : at)));
    }
    return to.slice(value, begin, end.map((at, axis) => at - begin[axis]));
  },
  Gather(to, { inputs: [x, indices], attributes: { axis = 0 } }) {
    const value = to.plain(x), { shape, values: [index] } = to.graph.integers.get(indices) ?? { shape: [0], values: [] };
    if (shape.length) throw new Error('Gather of more than one index is not known here');
    const sliced = to.slice(value, value.shape.map((_, i) => i === axis ? index : 0), value.shape.map((size, i) => i === axis ? 1 : size));
    return to.reshape(sliced, value.shape.filter((_, i) => i !== axis));
  },
};

/** The model with constants folded by ONNX Runtime, all sizes known. @param {string} file @param {Record<string, number>} sizes of open sizes */
async function folded(file, sizes) {
  const ort = createRequire(import.meta.url)('onnxruntime-node'), folder = mkdtempSync(join(tmpdir(), 'webnnc-peers-'));
  try {
    const optimizedModelFilePath = join(folder, 'folded.onnx');
    await ort.InferenceSession.create(file, { graphOptimizationLevel: 'basic', optimizedModelFilePath, freeDimensionOverrides: sizes, logSeverityLevel: 3 });
    return readFileSync(optimizedModelFilePath);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {string} file an ONNX model @param {{name: string, shape: number[]}[]} inputs all sizes known
 * @param {Record<string, number>} sizes of its open sizes @returns {Promise<Network>}
 */
export async function layersOf(file, inputs, sizes) {
  const to = new Converter(await folded(file, sizes), inputs);
  for (const node of to.graph.nodes) {
    const convert = OPERATORS[node.op];
    if (!convert) throw new Error(`${node.op} is not known here`);
    to.values.set(node.outputs[0], convert(to, /** @type {any} */ (node)));
  }
  const outputs = [...to.graph.outputs.keys()].map((name) => to.plain(name));
  return { inputs: inputs.map(({ name }) => to.value(name)), outputs, layers: to.needed(outputs) };
}
