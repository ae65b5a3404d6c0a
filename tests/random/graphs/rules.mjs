// Where ONNX Runtime 1.30 is no reference: what it computes contradicts ONNX's text or leaves its own kernel's domain.
// Each rule says why an operator is not taken of these operands, or nothing.

import { count, toNumbers } from './values.mjs';

/** @import { Node, Value } from './evaluate.mjs' */

/** @type {Record<string, (operands: (Value | undefined)[], node: Node, opset: number) => string | undefined | false>} */
export const RULES = {
  InstanceNormalization: (operands) => operands.some((value) => value && count(value.shape) === 0) ? 'ONNX Runtime ends its process where there are no elements'
    : operands[0] && count(operands[0].shape.slice(2)) === 1 && 'ONNX Runtime takes the mean away as a product of it, of which less digits are left than of the bias',
  Dropout: (_, { outputs }, opset) => opset < 12 && outputs.length > 1 && 'before opset 12 ONNX does not say what the mask of inference is; ONNX Runtime gives zeros',
  MaxPool: hasPlace, AveragePool: hasPlace, LpPool: hasPlace,
  ArgMax: ofSomething, ArgMin: ofSomething, ReduceMean: ofSomething,
  Inverse: ofRegular,
  Resize: betweenElements,
  FusedMatMul: ofTerms, TransposeMatMul: ofTerms,
  Compress: ofCondition,
  Concat: ofFittingParts, QLinearConcat: (operands, node) => ofFittingParts([operands[2], operands[5]], node), ConcatFromSequence: (operands) => operands.some((value) => value && count(value.shape) === 0) && 'ONNX Runtime leaves out parts without elements, whatever their shape', Pad: ofWhatIsThere, GatherND: ofSlices, ScatterND: ofSlices,
  ReduceLogSum: ofElements, ReduceLogSumExp: ofElements,
  ...Object.fromEntries(['L1', 'L2', 'Max', 'Min', 'Prod', 'Sum', 'SumSquare'].map((kind) => [`Reduce${kind}`, keepsElements])),
  ReduceL2: (operands, node) => ofSmallIntegers(operands) || keepsElements(operands, node),
  NegativeLogLikelihoodLoss: ofTargets, SoftmaxCrossEntropyLoss: ofTargets,
  MeanVarianceNormalization: ([x]) => x && (new Set(toNumbers(x)).size < 2 || x.shape.includes(1)) && 'ONNX Runtime divides by the deviation, where ONNX adds 1e-9',
  DynamicQuantizeMatMul: betweenSteps,
  SkipLayerNormalization: sameShape, SkipSimplifiedLayerNormalization: sameShape,
};

/** What is quantised inside, as all is whose lowest and highest are opposite: 127.5 steps. @param {(Value | undefined)[]} operands */
function betweenSteps([x]) {
  if (!x || count(x.shape) === 0) return undefined;
  const numbers = toNumbers(x), low = numbers.reduce((a, b) => Math.min(a, b), 0), high = numbers.reduce((a, b) => Math.max(a, b), 0), scale = (high - low) / 255;
  const isBetween = (/** @type {number} */ number) => Math.abs(Math.abs(number / scale) % 1 - 0.5) < 1e-4 + 4 * x.error / scale;
  return (isBetween(low) || numbers.some(isBetween)) && 'which of two steps a number in the middle becomes is decided by how its quotient was rounded, which WGSL leaves open';
}

/** @param {(Value | undefined)[]} operands */
function sameShape([x, skip]) {
  return x?.shape.join() !== skip?.shape.join() && 'ONNX Runtime reads beyond operands whose shapes differ';
}

/** @param {(Value | undefined)[]} operands @param {Node} node */
function ofCondition([x, condition], { attributes: { axis } }) {
  return x && condition && count(condition.shape) > (axis === undefined ? count(x.shape) : x.shape.at(Number(axis)) ?? 0) && 'ONNX says that a condition may be shorter, and not that it may be longer';
}

/** @param {(Value | undefined)[]} operands */
function ofSomething([x]) {
  return x && count(x.shape) === 0 && 'ONNX does not say what the mean of nothing is, nor where its largest element lies';
}

/** @param {(Value | undefined)[]} operands @param {Node} node */
function betweenElements([x, , scales, sizes], { attributes: { mode, coordinate_transformation_mode: places, axes, keep_aspect_ratio_policy: keeps = 'stretch' } }) {
  if (mode !== 'nearest' || places !== 'half_pixel_symmetric') return undefined;
  const along = /** @type {number[] | undefined} */ (axes), shape = x?.shape ?? [];
  const factors = scales && count(scales.shape) ? [...toNumbers(scales)] : [...toNumbers(/** @type {Value} */ (sizes))].map((size, i) => size / (shape.at(along ? along[i] : i) ?? 1));
  // Of whole factors every place is a quotient, which is rounded once.
  return (keeps !== 'stretch' || !factors.every(Number.isInteger)) && 'ONNX Runtime rounds places, so that one that is an element is taken for one just before it';
}

/** @param {(Value | undefined)[]} operands */
function ofRegular([x]) {
  const size = x?.shape.at(-1) ?? 0, numbers = x && size ? [...toNumbers(x)] : [];
  const isSingular = Array.from({ length: size ? numbers.length / size ** 2 : 0 }, (_, m) => Array.from({ length: size }, (_, r) => numbers.slice((m * size + r) * size, (m * size + r + 1) * size)))
    .some((rows) => determinant(rows) === 0);
  return isSingular && 'a singular matrix has no inverse';
}

/** By the first row's minors. @param {number[][]} rows @returns {number} */
const determinant = ([first, ...rest]) => first ? first.reduce((sum, value, c) => sum + (c % 2 ? -1 : 1) * value * determinant(rest.map((row) => row.filter((_, d) => d !== c))), 0) : 1;

/** @param {(Value | undefined)[]} operands */
function ofTerms([x]) {
  return x && count(x.shape) === 0 && 'ONNX Runtime leaves a product over nothing as its memory was';
}

/** @param {(Value | undefined)[]} operands */
function ofElements([x]) {
  return x && count(x.shape) === 0 && 'WGSL does not say what log(0) is';
}

/** @param {(Value | undefined)[]} operands @param {Node} node */
function ofFittingParts(operands, { attributes: { axis = 0 } }) {
  const shapes = operands.flatMap((value) => value ? [value.shape.filter((_, d) => d !== (Number(axis) + value.shape.length) % value.shape.length).join()] : []);
  return new Set(shapes).size > 1 && 'ONNX Runtime leaves out parts without elements, whatever their shape';
}

/** @param {(Value | undefined)[]} operands @param {Node} node */
function ofWhatIsThere([x, pads, , axes], { attributes }) {
  const around = pads ? [...toNumbers(pads)] : /** @type {number[] | undefined} */ (attributes.pads) ?? [], rank = x?.shape.length ?? 0;
  const along = axes ? [...toNumbers(axes)].map((axis) => axis < 0 ? axis + rank : axis) : around.slice(around.length / 2).map((_, d) => d);
  const cutsTooMuch = x && along.some((d, i) => Math.max(0, -around[i]) + Math.max(0, -around[i + along.length]) > x.shape[d]);
  return cutsTooMuch && 'ONNX does not say what is left where more is cut away than there is';
}

/** @param {(Value | undefined)[]} operands @param {Node} node */
function ofSlices([x, indices], { attributes: { batch_dims = 0 } }) {
  const batches = (/** @type {Value | undefined} */ value) => value?.shape.slice(0, Number(batch_dims)).join();
  if (batches(x) !== batches(indices)) return 'ONNX Runtime takes another number of batches of the indices';
  const slice = x && indices && x.shape.slice(Number(batch_dims) + (indices.shape.at(-1) ?? 0));
  return slice && count(slice) === 0 && 'ONNX Runtime does not look at the indices of slices without elements';
}

/** @param {(Value | undefined)[]} operands @param {Node} node */
function hasPlace([x], { attributes: { kernel_shape: kernel, pads = [], dilations = [], strides = [], auto_pad = '' } }) {
  if (String(auto_pad).startsWith('SAME') && Object(dilations).length) return "ONNX Runtime pads to the same size without a pool's dilations";
  const [sizes, around, apart, steps] = /** @type {number[][]} */ ([kernel, pads, dilations, strides]);
  if (String(auto_pad).startsWith('SAME') && sizes.some((size, d) => size < (steps[d] ?? 1))) return 'ONNX Runtime pads by less than nothing where a stride is longer than the window';
  const isShort = x && sizes.some((size, d) => x.shape[d + 2] + (around[d] ?? 0) + (around[d + sizes.length] ?? 0) < (size - 1) * (apart[d] ?? 1) + 1);
  return isShort && 'ONNX Runtime rounds the size of a result that has no place for a window up to 1';
}

/** @param {(Value | undefined)[]} operands @param {Node} node */
function keepsElements([x, axes], { attributes }) {
  if (!x || count(x.shape) > 0) return undefined;
  const given = axes ? [...toNumbers(axes)] : /** @type {number[] | undefined} */ (attributes.axes) ?? [];
  if (given.some((axis) => axis < 0)) return 'ONNX Runtime leaves dimensions counted from the end as they are where x has no elements';
  const reduced = given.map((axis) => axis < 0 ? axis + x.shape.length : axis);
  return reduced.length > 0 && x.shape.some((size, d) => size === 0 && !reduced.includes(d)) && 'ONNX Runtime gives back the shape of x where the result has no elements';
}

/** @param {(Value | undefined)[]} operands */
function ofSmallIntegers([x]) {
  return x?.type === 'i32' && toNumbers(x).reduce((sum, number) => sum + number * number, 0) >= 2 ** 31 && 'ONNX does not say how squares are added up that are beyond their type';
}

/** @param {(Value | undefined)[]} operands */
function ofTargets([x, targets]) {
  return x && targets && x.shape.filter((_, d) => d !== 1).join() !== targets.shape.join() && 'ONNX Runtime reads beyond targets that are fewer';
}
