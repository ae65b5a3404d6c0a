// Small detectors built as torchvision's exports of RetinaNet and Faster R-CNN are: how many boxes there are is known in a run only.
// `node operators_reference.mjs detectors` computes what ONNX Runtime makes of them, and detectors.test.mjs compares.

import { made } from './operators.mjs';

/** @typedef {import('./operators.mjs').Case} Case */
/** @typedef {import('../onnx_model.mjs').Node} Node */
/** @typedef {import('../onnx_model.mjs').Tensor} Tensor */
/** @typedef {import('../onnx_model.mjs').Type} Type */

const SIZE = 32, CLASSES = 3, ANCHORS = 2;

/** A model that is written node by node. */
class Builder {
  /** @type {Node[]} */
  nodes = [];
  /** @type {Record<string, Tensor>} */
  constants = {};
  #names = 0;

  /** The first result's name. @param {string} op @param {string[]} inputs @param {Node['attributes']} [attributes] @param {number} [results] */
  add(op, inputs, attributes = {}, results = 1) {
    const name = `v${this.#names++}`, outputs = [name, ...Array.from({ length: results - 1 }, (_, i) => `${name}_${i + 1}`)];
    this.nodes.push({ op, name: `${op}_${name}`, inputs, outputs, attributes });
    return name;
  }
  /** @param {Type[0]} type @param {number[]} shape @param {ArrayBufferView} data */
  #constant(type, shape, data) {
    const name = `c${this.#names++}`;
    this.constants[name] = { type: [type, shape], bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    return name;
  }
  /** @param {...number} values */
  longs(...values) {
    return this.#constant('i64', [values.length], BigInt64Array.from(values, BigInt));
  }
  /** @param {number} value */
  long(value) {
    return this.#constant('i64', [], BigInt64Array.of(BigInt(value)));
  }
  /** @param {number} value */
  real(value) {
    return this.#constant('f32', [], Float32Array.of(value));
  }
  /** @param {number[]} shape @param {ArrayLike<number>} values */
  reals(shape, values) {
    return this.#constant('f32', shape, Float32Array.from(values));
  }
  /** Made-up weights, (-size, size). @param {number[]} shape @param {number} size */
  weight(shape, size, shift = 0) {
    return this.reals(shape, Array.from(made('f32', shape, size, this.#names).data, (value) => value + shift));
  }

  /** @param {string} x @param {number} from @param {number} to channels @param {number} stride */
  conv(x, from, to, stride, size = 0.5, shift = 0) {
    return this.add('Conv', [x, this.weight([to, from, 3, 3], size), this.weight([to], 0.1, shift)], { kernel_shape: [3, 3], strides: [stride, stride], pads: [1, 1, 1, 1] });
  }
  /** Two levels of features, 8 x 8 and 4 x 4. @param {string} image [3, 32, 32] @returns {string[]} */
  backbone(image) {
    const batch = this.add('Unsqueeze', [this.add('Div', [this.add('Sub', [image, this.reals([3, 1, 1], [0.1, -0.1, 0])]), this.reals([3, 1, 1], [0.9, 1.1, 1])]), this.longs(0)]);
    const stem = this.add('Relu', [this.conv(batch, 3, 4, 2)]), fine = this.add('Relu', [this.conv(stem, 4, 8, 2)]);
    return [fine, this.add('Relu', [this.conv(fine, 8, 8, 2)])];
  }
  /** What a head gives for each anchor, row by row of its level: [anchors, values]. @param {string} head [1, anchors * values, h, w] @param {number} values */
  perAnchor(head, values) {
    const shape = this.add('Shape', [head]), [height, width] = [2, 3].map((d) => this.add('Gather', [shape, this.longs(d)]));
    const parts = this.add('Reshape', [head, this.add('Concat', [this.longs(1, ANCHORS, values), height, width], { axis: 0 })]);
    return this.add('Reshape', [this.add('Transpose', [parts], { perm: [0, 3, 4, 1, 2] }), this.longs(-1, values)]);
  }
  /** Where a vector of bools is true. @param {string} mask */
  where(mask) {
    return this.add('Squeeze', [this.add('NonZero', [mask]), this.longs(0)]);
  }
  /** @param {string} x @param {string} rows */
  rows(x, rows) {
    return this.add('Gather', [x, rows], { axis: 0 });
  }
  /** The most of a vector, but no more than there are: values and places. @param {string} x @param {number} most */
  best(x, most) {
    const k = this.add('Reshape', [this.add('Min', [this.add('Gather', [this.add('Shape', [x]), this.long(0)]), this.long(most)]), this.longs(1)]);
    const values = this.add('TopK', [x, k], {}, 2);
    return [values, `${values}_1`];
  }
  /** Corners of boxes, from what is told relative to anchors, inside of the image. @param {string} deltas @param {string} anchors both [n, 4] */
  decode(deltas, anchors) {
    const column = (/** @type {string} */ x, /** @type {number} */ i) => this.add('Slice', [x, this.longs(i), this.longs(i + 1), this.longs(1)]);
    const sides = [0, 1].map((d) => {
      const low = column(anchors, d), size = this.add('Sub', [column(anchors, d + 2), low]), centre = this.add('Add', [low, this.add('Mul', [size, this.real(0.5)])]);
      const at = this.add('Add', [this.add('Mul', [column(deltas, d), size]), centre]);
      const half = this.add('Mul', [this.add('Mul', [this.add('Exp', [this.add('Clip', [column(deltas, d + 2), '', this.real(Math.log(1000 / 16))])]), size]), this.real(0.5)]);
      return [this.add('Sub', [at, half]), this.add('Add', [at, half])];
    });
    const corners = this.add('Concat', [sides[0][0], sides[1][0], sides[0][1], sides[1][1]], { axis: 1 });
    return this.add('Clip', [corners, this.real(0), this.real(SIZE)]);
  }
  /** Places of the boxes that are not tiny. @param {string} boxes */
  notSmall(boxes) {
    const [x0, y0, x1, y1] = [0, 1, 2, 3].map((i) => this.add('Gather', [boxes, this.long(i)], { axis: 1 }));
    const isLarge = (/** @type {string[]} */ [high, low]) => this.add('GreaterOrEqual', [this.add('Sub', [high, low]), this.real(0.75)]);
    return this.where(this.add('And', [isLarge([x1, x0]), isLarge([y1, y0])]));
  }
  /** Places of the boxes that no better one of their class covers: boxes of other classes are moved away. @param {string} boxes @param {string} scores @param {string} classes */
  suppress(boxes, scores, classes, overlap = 0.4) {
    const around = this.nodes, isEmpty = this.add('Equal', [this.add('Size', [boxes]), this.long(0)]);
    const branch = (/** @type {() => string} */ make) => {
      this.nodes = [];
      const result = make(), nodes = this.nodes;
      this.nodes = around;
      return { graph: { inputs: {}, outputs: { [result]: /** @type {Type} */ (['i64', ['kept']]) }, nodes } };
    };
    return this.add('If', [isEmpty], {
      then_branch: branch(() => this.add('ConstantOfShape', [this.longs(0)], { value: { tensor: { type: ['i64', [1]], bytes: new Uint8Array(8) } } })),
      else_branch: branch(() => {
        const far = this.add('Add', [this.add('ReduceMax', [boxes], { keepdims: 0 }), this.real(1)]), offsets = this.add('Mul', [this.add('Cast', [classes], { to: 1 }), far]);
        const moved = this.add('Add', [boxes, this.add('Unsqueeze', [offsets, this.longs(1)])]);
        const picked = this.add('NonMaxSuppression', [this.add('Unsqueeze', [moved, this.longs(0)]), this.add('Unsqueeze', [scores, this.longs(0, 1)]), this.longs(Number.MAX_SAFE_INTEGER), this.reals([1], [overlap])]);
        return this.add('Squeeze', [this.add('Slice', [picked, this.longs(2), this.longs(3), this.longs(1)]), this.longs(1)]);
      }),
    });
  }
  /** @param {string} kept @param {number} most */
  first(kept, most) {
    return this.add('Slice', [kept, this.longs(0), this.longs(most), this.longs(0)]);
  }

  /** @param {Record<string, string>} results by their names @param {Record<string, Type>} outputs @returns {Case['model']} */
  model(results, outputs) {
    for (const [name, value] of Object.entries(results)) this.nodes.push({ op: 'Identity', name, inputs: [value], outputs: [name] });
    return { inputs: { image: ['f32', [3, SIZE, SIZE]] }, outputs, nodes: this.nodes, constants: this.constants, opset: 17 };
  }
}

/** Two anchors, of other sizes and forms, around each place of a level. @param {number} places in a row @param {number} size */
function anchorsOf(places, size) {
  const values = [], step = SIZE / places;
  for (let y = 0; y < places; ++y)
    for (let x = 0; x < places; ++x)
      for (const [w, h] of [[size, 0.7 * size], [0.6 * size, 1.1 * size]]) values.push((x + 0.5) * step - w / 2, (y + 0.5) * step - h / 2, (x + 0.5) * step + w / 2, (y + 0.5) * step + h / 2);
  return values;
}
const LEVELS = [{ places: 8, size: 7 }, { places: 4, size: 14 }];
/** @type {Record<string, Type>} */
const DETECTIONS = { boxes: ['f32', ['detections', 4]], scores: ['f32', ['detections']], labels: ['i64', ['detections']] };

/** Levels that are thresholded, sorted and decoded by themselves. */
function oneStage() {
  const b = new Builder(), parts = b.backbone('image').map((features, i) => {
    const { places, size } = LEVELS[i];
    const scores = b.add('Sigmoid', [b.add('Reshape', [b.perAnchor(b.conv(features, 8, ANCHORS * CLASSES, 1, 0.5, -2), CLASSES), b.longs(-1)])]);
    const deltas = b.perAnchor(b.conv(features, 8, ANCHORS * 4, 1, 0.15), 4);
    const kept = b.where(b.add('Greater', [scores, b.real(0.3)]));
    const [best, order] = b.best(b.rows(scores, kept), 40), picked = b.rows(kept, order);
    const anchor = b.add('Div', [picked, b.long(CLASSES)]), label = b.add('Mod', [picked, b.long(CLASSES)]);
    return { best, label, boxes: b.decode(b.rows(deltas, anchor), b.rows(b.reals([ANCHORS * places * places, 4], anchorsOf(places, size)), anchor)) };
  });
  const all = (/** @type {'best' | 'label' | 'boxes'} */ part) => b.add('Concat', parts.map((level) => level[part]), { axis: 0 });
  const [boxes, scores, labels] = [all('boxes'), all('best'), all('label')], large = b.notSmall(boxes);
  const [largeBoxes, largeScores, largeLabels] = [boxes, scores, labels].map((x) => b.rows(x, large));
  const kept = b.first(b.suppress(largeBoxes, largeScores, largeLabels), 20);
  return b.model({ boxes: b.rows(largeBoxes, kept), scores: b.rows(largeScores, kept), labels: b.rows(largeLabels, kept) }, DETECTIONS);
}

/** Proposals, whose features are taken from the level that suits their size, put back in order, and classified. */
function twoStage() {
  const b = new Builder(), levels = b.backbone('image'), [fine] = levels;
  const objectness = b.add('Reshape', [b.perAnchor(b.conv(fine, 8, ANCHORS, 1, 0.5, -1), 1), b.longs(-1)]), deltas = b.perAnchor(b.conv(fine, 8, ANCHORS * 4, 1, 0.2), 4);
  const [best, order] = b.best(objectness, 60);
  const decoded = b.decode(b.rows(deltas, order), b.rows(b.reals([ANCHORS * 64, 4], anchorsOf(8, 9)), order));
  const likely = b.where(b.add('And', [b.add('Greater', [b.add('Sigmoid', [best]), b.real(0.35)]), b.add('Less', [best, b.real(1e6)])]));
  const large = b.rows(likely, b.notSmall(b.rows(decoded, likely))), candidates = b.rows(decoded, large);
  const proposed = b.first(b.suppress(candidates, b.rows(best, large), b.add('Mul', [large, b.long(0)]), 0.7), 30), proposals = b.rows(candidates, proposed);

  // The level by the size of a proposal, as feature pyramids choose it.
  const [x0, y0, x1, y1] = [0, 1, 2, 3].map((i) => b.add('Gather', [proposals, b.long(i)], { axis: 1 }));
  const root = b.add('Sqrt', [b.add('Mul', [b.add('Sub', [x1, x0]), b.add('Sub', [y1, y0])])]);
  const octave = b.add('Floor', [b.add('Add', [b.add('Div', [b.add('Log', [b.add('Div', [root, b.real(7)])]), b.real(Math.LN2)]), b.real(1e-6)])]);
  const level = b.add('Cast', [b.add('Clip', [octave, b.real(0), b.real(1)])], { to: 7 });
  const many = b.add('Gather', [b.add('Shape', [proposals]), b.longs(0)]);
  let pooled = b.add('ConstantOfShape', [b.add('Concat', [many, b.longs(8, 3, 3)], { axis: 0 })]);
  levels.forEach((features, i) => {
    const own = b.where(b.add('Equal', [level, b.long(i)])), rois = b.rows(proposals, own);
    const image = b.add('ConstantOfShape', [b.add('Gather', [b.add('Shape', [rois]), b.longs(0)])], { value: { tensor: { type: ['i64', [1]], bytes: new Uint8Array(8) } } });
    const aligned = b.add('RoiAlign', [features, rois, image], { output_height: 3, output_width: 3, sampling_ratio: 2, spatial_scale: { float: 1 / (4 << i) }, coordinate_transformation_mode: 'output_half_pixel' });
    const places = b.add('Expand', [b.add('Reshape', [own, b.longs(-1, 1, 1, 1)]), b.add('Shape', [aligned])]);
    pooled = i === 0 ? b.add('ScatterElements', [pooled, places, aligned], { axis: 0 }) : b.add('ScatterND', [pooled, b.add('Unsqueeze', [own, b.longs(1)]), aligned]);
  });

  const hidden = b.add('Relu', [b.add('Gemm', [b.add('Flatten', [pooled]), b.weight([72, 16], 0.2), b.weight([16], 0.1)])]);
  const chances = b.add('Softmax', [b.add('Gemm', [hidden, b.weight([16, CLASSES + 1], 0.8), b.weight([CLASSES + 1], 0.1)])], { axis: 1 });
  const moves = b.add('Reshape', [b.add('Gemm', [hidden, b.weight([16, 4 * (CLASSES + 1)], 0.1), b.weight([4 * (CLASSES + 1)], 0.05)]), b.longs(-1, 4)]);
  const spread = b.add('Reshape', [b.add('Expand', [b.add('Unsqueeze', [proposals, b.longs(1)]), b.longs(1, CLASSES + 1, 1)]), b.longs(-1, 4)]);
  const perClass = b.add('Reshape', [b.decode(moves, spread), b.longs(-1, CLASSES + 1, 4)]);
  // The first class is the background.
  const withoutFirst = (/** @type {string} */ x) => b.add('Slice', [x, b.longs(1), b.longs(CLASSES + 1), b.longs(1)]);
  const boxes = b.add('Reshape', [withoutFirst(perClass), b.longs(-1, 4)]), scores = b.add('Reshape', [withoutFirst(chances), b.longs(-1)]);
  const labels = b.add('Reshape', [b.add('Expand', [b.add('Unsqueeze', [b.longs(1, 2, 3), b.longs(0)]), b.add('Concat', [many, b.longs(CLASSES)], { axis: 0 })]), b.longs(-1)]);
  const sure = b.where(b.add('Greater', [scores, b.real(0.2)])), [sureBoxes, sureScores, sureLabels] = [boxes, scores, labels].map((x) => b.rows(x, sure));
  const kept = b.first(b.suppress(sureBoxes, sureScores, sureLabels), 40);
  return b.model({ boxes: b.rows(sureBoxes, kept), scores: b.rows(sureScores, kept), labels: b.rows(sureLabels, kept) }, DETECTIONS);
}

/** @param {number} size of what is in it; of 0, an image of one colour */
const image = (size, seed = 0) => ({ image: made('f32', [3, SIZE, SIZE], size, seed) });
const runs = [image(0.4), image(0), image(1.7, 3)];

/** @type {Record<string, Case>} */
export const CASES = { 'a detector of one stage': { model: oneStage(), runs }, 'a detector of two stages': { model: twoStage(), runs } };
