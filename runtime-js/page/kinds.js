// What an output most likely is, judged by its shape, type, name and values. Each guess can be overruled on the page.

/** @import * as Api from '../model.js' */
/** @import { Form } from './boxes.js' */
/** @import { Summary } from './values.js' */

/**
 * @typedef {object} Result an output of a run
 * @property {Api.Port} port
 * @property {Api.Tensor} tensor
 * @property {ArrayLike<number>} numbers its elements
 * @property {Summary} summary
 */

/**
 * @typedef {object} Run what the outputs are of
 * @property {Result[]} results
 * @property {HTMLCanvasElement} [picture] the picture as the model saw it
 * @property {NonNullable<Api.Port['image']>} [image] how the model takes it
 * @property {Form[]} forms in which the outputs may hold boxes, the likeliest first
 */

/**
 * @typedef {object} Planes an output as planes of height x width, one a channel
 * @property {number} count how many pictures
 * @property {number} channels
 * @property {number} height
 * @property {number} width
 * @property {number} pointStep how far points of a plane are apart
 * @property {number} channelStep
 */

/** @typedef {'scalar' | 'classes' | 'vector' | 'line' | 'picture' | 'segments' | 'heat' | 'boxes' | 'table'} Kind */

/** @type {Record<Kind, string>} */
export const KINDS = {
  scalar: 'a number', classes: 'scores of classes', vector: 'a vector', line: 'a curve', picture: 'a picture', segments: 'areas of classes',
  heat: 'a heat map', boxes: 'boxes', table: 'a table',
};

const LEAST_SIDE = 16, MOST_CLASSES = 256, LEAST_VECTOR = 64, LEAST_CURVE = 2048;
const AREAS = /mask|seg|class|logit|label/i, HEAT = /heat|landmark|keypoint|kpt|pose|depth|saliency/i;
const SCORES = /logit|prob|softmax|score|class|label|categor/i, VECTORS = /embed|feature|vector|pool|hidden|state|latent|repr|encod/i;
const CURVES = /audio|wave|signal|speech|sound|pcm/i;

/** @param {readonly number[]} shape @param {'nchw' | 'nhwc'} [layout] @returns {Planes | undefined} */
export function planesOf(shape, layout) {
  const rank = shape.length, [a, b, c] = shape.slice(-3);
  if (rank < 2 || rank > 4 || shape.includes(0)) return undefined;
  if (rank === 2) return { count: 1, channels: 1, height: shape[0], width: shape[1], pointStep: 1, channelStep: shape[0] * shape[1] };
  const count = rank === 4 ? shape[0] : 1, isLast = layout ? layout === 'nhwc' && rank === 4 : rank === 4 && c <= 4 && a > 4;
  if (isLast) return { count, channels: c, height: a, width: b, pointStep: c, channelStep: 1 };
  return { count, channels: a, height: b, width: c, pointStep: 1, channelStep: b * c };
}

/** Planes as this output has them: like its own picture, or like the one that the model takes. @param {Result} result @param {Run} run */
export const planesIn = ({ port, tensor }, { image }) => planesOf(tensor.shape, (port.image ?? image)?.layout);

/** The dimension that counts classes: the last that is not 1. @param {readonly number[]} shape */
export function rowsOf(shape) {
  const at = shape.findLastIndex((size) => size > 1), columns = shape[at] ?? 1;
  return { columns, rows: shape.slice(0, Math.max(0, at)).reduce((n, size) => n * size, 1), shape: shape.slice(0, Math.max(0, at)) };
}

/** @param {Result} result @param {Run} run @returns {Kind[]} */
export function possibleKinds(result, run) {
  const { port, tensor: { shape, dataType }, summary } = result, planes = planesIn(result, run);
  const isMap = planes !== undefined && planes.height > 1 && planes.width > 1, { columns } = rowsOf(shape);
  /** @type {[Kind, boolean][]} */
  const kinds = [
    ['scalar', summary.count === 1], ['classes', columns > 1], ['vector', columns > 1], ['line', columns > 1],
    ['picture', isMap && [1, 3, 4].includes(planes.channels)],
    ['segments', isMap && planes.channels <= MOST_CLASSES && (dataType[0] === 'f' ? planes.channels > 1 : true)], ['heat', isMap],
    ['boxes', run.forms.some(({ of }) => of[0] === port.name)], ['table', true],
  ];
  return kinds.filter(([, isPossible]) => isPossible).map(([kind]) => kind);
}

/** @param {Result} result @param {Run} run @returns {Kind} */
export function likelyKind(result, run) {
  const { port, tensor: { shape, dataType }, summary } = result, planes = planesIn(result, run), isFloat = dataType[0] === 'f';
  if (summary.count <= 1) return summary.count ? 'scalar' : 'table';
  if (run.forms.some(({ of, isLikely }) => (isLikely || port.boxes) && of[0] === port.name)) return 'boxes';
  if (planes && run.picture && Math.min(planes.height, planes.width) >= LEAST_SIDE) {
    const kind = kindOfPlanes(result, planes, run.picture, run.image?.channels ?? 3);
    if (kind) return kind;
  }
  if (port.image && planes && planes.height > 1 && planes.width > 1) return 'picture';
  if (!isFloat) return 'table';
  const isRow = shape.filter((size) => size > 1).length === 1, isNamed = SCORES.test(port.name);
  if (isRow || shape.length === 2 && rowsOf(shape).rows > 1 && (port.labels || isNamed)) return kindOfRow(result, run);
  return shape.length === 3 && (port.labels || isNamed) && rowsOf(shape).columns >= LEAST_VECTOR ? 'classes' : 'table';
}

/** Of a model that takes pictures. @param {Result} result @param {Planes} planes @param {{width: number, height: number}} picture @param {number} taken channels of the picture @returns {Kind | undefined} */
function kindOfPlanes({ port, tensor: { dataType }, summary: { least, most } }, { channels, height, width }, picture, taken) {
  const isFloat = dataType[0] === 'f', isWhole = Math.abs(height / width / (picture.height / picture.width) - 1) < 0.1;
  if (!isFloat && channels === 1 && !port.image) return least >= 0 && most < MOST_CLASSES ? 'segments' : undefined;
  if (!isFloat || !isWhole) return undefined;
  if (port.classes && channels > 1) return 'segments';
  if (HEAT.test(port.name)) return 'heat';
  if (port.image) return channels > 1 && AREAS.test(port.name) ? 'segments' : channels < taken ? 'heat' : 'picture';
  if (channels === 1) return 'heat';
  // Scores of areas are at least a fourth as fine as the picture; heat maps of points are coarser.
  return channels <= MOST_CLASSES && height * 4 >= picture.height ? 'segments' : 'heat';
}

/** Of a row of numbers: scores of classes, or what means something only as a whole. @param {Result} result @param {Run} run @returns {Kind} */
function kindOfRow({ port, numbers, tensor: { shape }, summary: { least, sum, squares } }, { image, results }) {
  const { columns } = rowsOf(shape), areChances = least >= 0 && Math.abs(sum - numbers.length / columns) < 0.01 * numbers.length / columns;
  if (port.labels || port.classes || areChances) return 'classes';
  if (CURVES.test(port.name) || columns >= LEAST_CURVE) return 'line';
  if (VECTORS.test(port.name)) return 'vector';
  // A model has so many classes, whatever it is given.
  if (typeof port.shape[shape.findLastIndex((size) => size > 1)] === 'string') return 'vector';
  if (SCORES.test(port.name)) return 'classes';
  // Vectors that are to be compared are often of length 1.
  if (Math.abs(squares - 1) < 1e-3) return 'vector';
  return columns < LEAST_VECTOR || image && results.length === 1 ? 'classes' : 'vector';
}
