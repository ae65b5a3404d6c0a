// Boxes out of what detectors give: which outputs hold them and in which form, what their numbers mean, and which of
// those that overlap stay. Nothing of this is drawn here.

/** @import { Result } from './kinds.js' */

import { pacer } from './values.js';

/**
 * The forms. A row is what belongs to a box, `C` how many classes there are.
 *
 *   objects  [1, N, 5+C]             box, whether there is something at all, and scores of classes (YOLOX, YOLOv5)
 *   columns  [1, 4+C, N]             the same without the second, and a column a box (YOLOv8 and later)
 *   classes  [1, N, 4+C]             ... and a row a box
 *   pair     [1, N, 4], [1, N, C]    boxes and scores of classes (SSD, DETR)
 *   chosen   [N, 4], [N], [N]        boxes that were chosen already, their scores, and their classes if there are several
 *   rows     [1, N, 6]               the same in one: box, score, class
 *   marked   [1, 1, N, 7]            picture, class, score, box (Caffe, OpenVINO)
 *   batched  [N, 7]                  picture, box, class, score (YOLOv7)
 *
 * @typedef {'objects' | 'columns' | 'classes' | 'pair' | 'chosen' | 'rows' | 'marked' | 'batched'} FormName
 */

/**
 * @typedef {object} Form
 * @property {FormName} name
 * @property {string[]} of names of outputs: of boxes, scores and classes, as far as the form has them
 * @property {number} count how many boxes
 * @property {number} classes how many scores a box has; 0 where its class is told by its number
 * @property {boolean} isLikely whether little else has this shape
 */

/** @type {Record<FormName, string>} */
export const FORMS = {
  objects: 'box, objectness, scores', columns: 'box, scores; a column each', classes: 'box, scores', pair: 'boxes; scores',
  chosen: 'boxes; scores; classes', rows: 'box, score, class', marked: 'picture, class, score, box', batched: 'picture, box, class, score',
};
/** What the four numbers of a box are. */
export const CORNERS = { xyxy: 'left, top, right, bottom', yxyx: 'top, left, bottom, right', cxcywh: 'centre, size', xywh: 'left, top, size' };
export const UNITS = { unit: 'parts of the picture', pixels: 'pixels', grid: 'cells of a grid (YOLOX)' };
export const SCORES = { given: 'as they are', sigmoid: 'sigmoid', softmax: 'softmax' };
export const BACKGROUNDS = { none: 'none', first: 'the first', last: 'the last' };

/**
 * How numbers are read.
 *
 * @typedef {object} Reading
 * @property {keyof typeof CORNERS} corners
 * @property {keyof typeof UNITS} units
 * @property {keyof typeof SCORES} scores what is done to them first
 * @property {keyof typeof BACKGROUNDS} background which class means that there is nothing
 */

/** @typedef {{ left: number, top: number, right: number, bottom: number, score: number, class: number }} Box in pixels of the picture that the model saw */

const STRIDES = [8, 16, 32], FEWEST = 10, MOST_CANDIDATES = 1000, SAMPLES = 4000;
const CHOSEN = 1000, SLICE = 512;

// ---- Forms

/**
 * Which outputs may hold boxes, the likeliest form first.
 *
 * @param {{name: string, shape: readonly number[], dataType: string}[]} outputs
 * @param {{width: number, height: number}} [picture] what the model saw
 * @returns {Form[]}
 */
export function formsOf(outputs, picture) {
  const floats = outputs.filter(({ dataType }) => dataType[0] === 'f'), isSeen = picture !== undefined;
  const pairs = pairsOf(floats, outputs, isSeen);
  // Several are parts of a form that is none of these.
  if (pairs.length > 1) for (const pair of pairs) pair.isLikely = false;
  const forms = [...pairs, ...floats.flatMap((output) => singlesOf(output, picture))];
  return forms.sort((a, b) => Number(b.isLikely) - Number(a.isLikely));
}

const BOXES = /box|loc|coord|rect/i;

/** The shape without leading dimensions of 1, of which a batch is one. @param {readonly number[]} shape */
function withoutBatch(shape) {
  let from = 0;
  while (shape.length - from > 2 && shape[from] === 1) ++from;
  return shape.slice(from);
}

/** @param {{name: string, shape: readonly number[]}[]} floats @param {{name: string, shape: readonly number[], dataType: string}[]} outputs @param {boolean} isSeen @returns {Form[]} */
function pairsOf(floats, outputs, isSeen) {
  return floats.flatMap(({ name, shape }) => {
    const [count, width, ...more] = withoutBatch(shape.at(-2) === 1 && shape.at(-1) === 4 ? [...shape.slice(0, -2), 4] : shape);
    if (width !== 4 || more.length || shape.length < 2) return [];
    const others = outputs.filter((other) => other.name !== name), isBoxes = BOXES.test(name);
    const vectors = others.filter((other) => elementsOf(other.shape) === count && other.shape.at(-1) === count);
    const scores = vectors.find(({ name, dataType }) => dataType[0] === 'f' && !/class|label/i.test(name));
    if (scores) {
      const classes = vectors.find((other) => other !== scores);
      return [/** @type {Form} */ ({ name: 'chosen', of: [name, scores.name, ...classes ? [classes.name] : []], count, classes: 0, isLikely: isSeen || isBoxes })];
    }
    const matrix = others.find((other) => floats.includes(other) && other.shape.at(-2) === count && elementsOf(other.shape) === count * (other.shape.at(-1) ?? 0));
    // Of four classes, either may be the boxes: names tell.
    if (!matrix || !isBoxes && BOXES.test(matrix.name)) return [];
    return [/** @type {Form} */ ({ name: 'pair', of: [name, matrix.name], count, classes: matrix.shape.at(-1), isLikely: isSeen || isBoxes })];
  });
}

/** @param {readonly number[]} shape */
const elementsOf = (shape) => shape.reduce((n, size) => n * size, 1);

/** @param {{name: string, shape: readonly number[]}} output @param {{width: number, height: number}} [picture] @returns {Form[]} */
function singlesOf({ name, shape }, picture) {
  const [rows, columns, ...more] = withoutBatch(shape);
  if (more.length || columns === undefined) return [];
  const cells = picture ? cellsOf(picture) : 0, isSeen = picture !== undefined, isGrid = cells > 0 && (rows === cells || rows === 3 * cells);
  /** @type {(form: FormName, count: number, classes: number, isLikely: boolean) => Form} */
  const form = (form, count, classes, isLikely) => ({ name: form, of: [name], count, classes, isLikely });
  const forms = [];
  const isMarked = shape.length === 4;
  if (columns === 7) forms.push(form(isMarked ? 'marked' : 'batched', rows, 0, isSeen && (isMarked || shape.length === 2)), form(isMarked ? 'batched' : 'marked', rows, 0, false));
  if (columns === 6) forms.push(form('rows', rows, 0, isSeen && !isGrid && rows <= CHOSEN));
  if (columns >= 6 && rows >= FEWEST) forms.push(form('objects', rows, columns - 5, isGrid));
  if (columns >= 5 && rows >= FEWEST) forms.push(form('classes', rows, columns - 4, isGrid && columns === 5));
  if (rows >= 5 && columns >= FEWEST) forms.push(form('columns', columns, rows - 4, cells > 0 && columns === cells || isSeen && shape.length === 3 && columns > 20 * rows));
  return forms.sort((a, b) => Number(b.isLikely) - Number(a.isLikely));
}

/** How many cells the three usual grids over a picture have. @param {{width: number, height: number}} picture */
const cellsOf = ({ width, height }) => STRIDES.reduce((sum, stride) => sum + Math.floor(width / stride) * Math.floor(height / stride), 0);

// ---- Numbers

/**
 * Where the numbers of a form are: element `at(box) + field * step`.
 *
 * @typedef {{ numbers: ArrayLike<number>, first: number, boxStep: number, step: number }} Fields
 */

/** @typedef {{ box: Fields, score?: Fields, object?: Fields, classOf?: Fields, picture?: Fields }} Parts */

/** @param {Form} form @param {Map<string, Result>} results @returns {Parts} */
export function partsOf({ name, of, count, classes }, results) {
  const [first, second, third] = of.map((output) => /** @type {Result} */ (results.get(output)).numbers);
  const rows = (/** @type {ArrayLike<number>} */ numbers, /** @type {number} */ boxStep, /** @type {number} */ at) => ({ numbers, first: at, boxStep, step: 1 });
  switch (name) {
    case 'objects': return { box: rows(first, 5 + classes, 0), object: rows(first, 5 + classes, 4), score: rows(first, 5 + classes, 5) };
    case 'classes': return { box: rows(first, 4 + classes, 0), score: rows(first, 4 + classes, 4) };
    case 'columns': {
      const columns = (/** @type {number} */ at) => ({ numbers: first, first: at * count, boxStep: 1, step: count });
      return { box: columns(0), score: columns(4) };
    }
    case 'pair': return { box: rows(first, 4, 0), score: rows(second, classes, 0) };
    case 'chosen': return { box: rows(first, 4, 0), score: rows(second, 1, 0), ...third && { classOf: rows(third, 1, 0) } };
    case 'rows': return { box: rows(first, 6, 0), score: rows(first, 6, 4), classOf: rows(first, 6, 5) };
    case 'marked': return { picture: rows(first, 7, 0), classOf: rows(first, 7, 1), score: rows(first, 7, 2), box: rows(first, 7, 3) };
    case 'batched': return { picture: rows(first, 7, 0), box: rows(first, 7, 1), classOf: rows(first, 7, 5), score: rows(first, 7, 6) };
  }
}

/**
 * What the numbers most likely mean, judged by some of them.
 *
 * @param {Form} form @param {Parts} parts @param {{width: number, height: number}} picture @returns {Reading}
 */
export function likelyReading(form, { box, score }, picture) {
  const step = Math.max(1, Math.floor(form.count / SAMPLES)), at = (/** @type {number} */ i, /** @type {number} */ field) => box.numbers[box.first + i * box.boxStep + field * box.step];
  let most = 0, negative = 0, ordered = 0, seen = 0, filled = 0;
  for (let i = 0; i < form.count; i += step, ++seen) {
    const [a, b, c, d] = [at(i, 0), at(i, 1), at(i, 2), at(i, 3)];
    most = Math.max(most, a, b, c, d);
    if (c < 0 || d < 0) ++negative;
    // Rows of nothing but zeros fill up.
    if (a === 0 && b === 0 && c === 0 && d === 0) continue;
    ++filled;
    if (c >= a && d >= b) ++ordered;
  }
  const isYolo = ['objects', 'columns', 'classes'].includes(form.name), cells = cellsOf(picture);
  // Logarithms of sizes are often negative, sizes are not.
  const isGrid = form.name === 'objects' && form.count === cells && negative > 0.01 * seen;
  const units = isGrid ? 'grid' : most <= 2 ? 'unit' : 'pixels';
  const areCorners = form.name === 'rows' || form.name === 'marked' || form.name === 'batched' || ordered >= 0.95 * filled && !isYolo;
  // TensorFlow's detectors have the name, and the order.
  const corners = /detection_boxes|StatefulPartitionedCall/.test(form.of[0]) ? 'yxyx' : areCorners ? 'xyxy' : 'cxcywh';
  return { corners, units, ...likelyScores(form, score) };
}

/** @param {Form} form @param {Fields} [score] @returns {Pick<Reading, 'scores' | 'background'>} */
function likelyScores({ name, classes, count }, score) {
  if (!score || classes < 1) return { scores: 'given', background: 'none' };
  const sums = new Float64Array(classes), step = Math.max(1, Math.floor(count / SAMPLES));
  let least = Infinity, most = -Infinity, chances = 0, seen = 0;
  for (let i = 0; i < count; i += step, ++seen) {
    let sum = 0;
    for (let c = 0; c < classes; ++c) {
      const value = score.numbers[score.first + i * score.boxStep + c * score.step];
      least = Math.min(least, value);
      most = Math.max(most, value);
      sums[c] += value;
      sum += value;
    }
    if (Math.abs(sum - 1) < 0.01) ++chances;
  }
  const areLogits = least < -0.01 || most > 1.01, mean = sums.reduce((all, sum) => all + sum, 0) / (classes * seen || 1);
  // Scores of classes of their own are far below zero almost everywhere; of a softmax, the background is far above the rest.
  const scores = !areLogits ? 'given' : classes === 1 || sums.every((sum) => sum / seen < mean + 3) ? 'sigmoid' : 'softmax';
  const exclude = name === 'pair' && classes > 1 && (scores === 'softmax' || scores === 'given' && chances > 0.9 * seen);
  return { scores, background: !exclude ? 'none' : sums[0] >= sums[classes - 1] ? 'first' : 'last' };
}

/**
 * The boxes whose score is above a threshold, the best first, each of its likeliest class.
 *
 * @param {Form} form @param {Parts} parts @param {Reading} reading @param {{width: number, height: number}} picture @param {number} threshold
 * @returns {Promise<Box[]>}
 */
export async function readBoxes(form, { box, score, object, classOf, picture: number }, reading, picture, threshold) {
  /** @type {Box[]} */
  const boxes = [], pace = pacer();
  const first = reading.background === 'first' ? 1 : 0, end = Math.max(1, form.classes) - (reading.background === 'last' ? 1 : 0), cells = reading.units === 'grid' ? gridOf(picture) : undefined;
  const squash = reading.scores === 'sigmoid' ? (/** @type {number} */ x) => 1 / (1 + Math.exp(-x)) : (/** @type {number} */ x) => x;
  for (let i = 0; i < form.count; ++i) {
    if (i % SLICE === 0) await pace();
    const sure = object ? squash(object.numbers[object.first + i * object.boxStep]) : 1;
    // Most boxes end here: what objectness alone does not reach, its product with a score does not.
    if (!(sure > threshold) && object) continue;
    if (number && number.numbers[number.first + i * number.boxStep] !== 0) continue;
    const best = score ? bestOf(score, i, first, end, form.classes, reading.scores) : { class: 0, score: 1 };
    const value = sure * best.score;
    if (!(value > threshold)) continue;
    const corners = cornersOf(box, i, reading, picture, cells);
    if (corners) boxes.push({ ...corners, score: value, class: classOf ? classOf.numbers[classOf.first + i * classOf.boxStep] : best.class });
  }
  return boxes.sort((a, b) => b.score - a.score);
}

/** @param {Fields} fields @param {number} i @param {number} from @param {number} end @param {number} classes @param {string} scores */
function bestOf({ numbers, first, boxStep, step }, i, from, end, classes, scores) {
  const at = first + i * boxStep;
  let best = from;
  for (let c = from + 1; c < end; ++c) if (numbers[at + c * step] > numbers[at + best * step]) best = c;
  const value = numbers[at + best * step];
  if (scores === 'given') return { class: best, score: value };
  if (scores === 'sigmoid') return { class: best, score: 1 / (1 + Math.exp(-value)) };
  let sum = 0;
  for (let c = 0; c < classes; ++c) sum += Math.exp(numbers[at + c * step] - value);
  return { class: best, score: 1 / sum };
}

/** Left, top and side of each cell of YOLOX's grids, in the order of its boxes. @param {{width: number, height: number}} picture */
function gridOf({ width, height }) {
  const cells = [];
  for (const stride of STRIDES) {
    for (let y = 0; y < Math.floor(height / stride); ++y) for (let x = 0; x < Math.floor(width / stride); ++x) cells.push([x, y, stride]);
  }
  return cells;
}

/** @param {Fields} fields @param {number} i @param {Reading} reading @param {{width: number, height: number}} picture @param {number[][]} [cells] */
function cornersOf({ numbers, first, boxStep, step }, i, { corners, units }, { width, height }, cells) {
  const at = first + i * boxStep;
  let [a, b, c, d] = [numbers[at], numbers[at + step], numbers[at + 2 * step], numbers[at + 3 * step]];
  if (cells) {
    const [x, y, stride] = cells[i] ?? [0, 0, 1];
    [a, b, c, d] = [(a + x) * stride, (b + y) * stride, Math.exp(c) * stride, Math.exp(d) * stride];
  }
  if (corners === 'yxyx') [a, b, c, d] = [b, a, d, c];
  if (units === 'unit') [a, b, c, d] = [a * width, b * height, c * width, d * height];
  if (corners === 'xywh') [c, d] = [a + c, b + d];
  if (corners === 'cxcywh') [a, b, c, d] = [a - c / 2, b - d / 2, a + c / 2, b + d / 2];
  if (![a, b, c, d].every(Number.isFinite)) return undefined;
  return { left: Math.min(a, c), top: Math.min(b, d), right: Math.max(a, c), bottom: Math.max(b, d) };
}

// ---- Overlaps

/**
 * The part that two boxes share of what they cover together. @param {Omit<Box, 'score' | 'class'>} a @param {Omit<Box, 'score' | 'class'>} b
 */
export function overlapOf(a, b) {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left), height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const area = (/** @type {typeof a} */ { left, top, right, bottom }) => (right - left) * (bottom - top), shared = width * height;
  return shared / (area(a) + area(b) - shared);
}

/**
 * Non-maximum suppression, as ONNX defines it: of boxes of one class that overlap by more than a part, the best stays.
 *
 * @param {Box[]} boxes the best first; of more than 1000, the rest is left out @param {number} most the largest overlap
 */
export function suppress(boxes, most) {
  /** @type {Map<number, Box[]>} */
  const kept = new Map();
  return boxes.slice(0, MOST_CANDIDATES).filter((box) => {
    const others = kept.get(box.class) ?? [];
    if (others.some((other) => overlapOf(box, other) > most)) return false;
    others.push(box);
    kept.set(box.class, others);
    return true;
  });
}
