// Operators that move elements, and those that make tensors of sizes.

import { TYPES } from '../../onnx_model.mjs';
import { ALL, FLOATS, NUMBERS, float } from './maker.mjs';
import { count, fromNumbers } from './values.mjs';

/** @import { Operator } from './elementwise.mjs' */
/** @import { Value } from './evaluate.mjs' */
/** @import { Maker, Wanted } from './maker.mjs' */

/** An integer list where opsets have moved it from an attribute to an operand. @param {Maker} m @param {number} since @param {string} name @param {number[]} numbers */
function movedList(m, since, name, numbers) {
  return m.opset < since ? { attributes: { [name]: numbers }, operands: [] } : { attributes: {}, operands: [m.longs(numbers)] };
}

/** Of axes, some counted from the end. @param {Maker} m @param {number} rank @param {number[]} axes */
const signed = (m, rank, axes) => m.opset < 11 ? axes : axes.map((axis) => m.axis(rank, axis));

/** Factors of a size, in so many parts. @param {Maker} m @param {number} size @param {number} parts */
function factored(m, size, parts) {
  const factors = Array.from({ length: parts }, () => 1);
  let rest = size;
  for (let p = 2; rest > 1; ++p) {
    if (p * p > rest) p = rest;
    for (; rest % p === 0; rest /= p) factors[m.c.int(0, parts - 1)] *= p;
  }
  return factors;
}

/** @param {Maker} m @param {Value} x */
function newShape(m, x) {
  const all = count(x.shape);
  if (all === 0) return m.c.is() ? [0, m.c.int(1, 5)] : [...x.shape, 1];
  const shape = factored(m, all, m.c.int(1, 4));
  // A 0 copies x's size.
  const same = shape.findIndex((size, d) => size === x.shape[d]);
  /** @type {number[]} */
  const written = [...shape];
  if (same >= 0 && m.c.is()) written[same] = 0;
  if (m.c.is(0.5)) written[m.c.int(0, shape.length - 1)] = -1;
  return written;
}

/** Sizes that a slice begins and ends at, of any sign and beyond the ends. @param {Maker} m @param {number} size @param {number} step */
function bounds(m, size, step) {
  let start = m.c.int(0, Math.max(0, size - 1)), end = m.c.int(start, size);
  if (step < 0) [start, end] = [end, start - 1];
  /** @param {number} bound */
  const written = (bound) => bound < 0 ? -size - 1 - m.c.int(0, 3) : bound < size && size > 0 && m.c.is(0.3) ? bound - size : bound;
  if (step > 0 && end === size && m.c.is(0.5)) return [written(start), m.c.of([size + 5, 2 ** 31 - 1, 2 ** 40])];
  return [written(start), written(end)];
}

/** @param {number} rank @returns {Wanted} */
const image = (rank) => ({ types: ALL, rank });

/** @type {Record<string, Operator>} */
export const MOVES = {
  Concat: {
    exact: true,
    make(m) {
      const first = m.value({ types: ALL, rank: [1, 4] }), axis = m.c.int(0, first.shape.length - 1), inputs = [first];
      for (let i = m.c.int(0, 3); i > 0; --i) {
        const shape = first.shape.map((size, d) => d === axis && m.c.is() ? m.c.int(m.c.is(0.05) ? 0 : 1, 6) : size);
        inputs.push(m.c.is(0.1) ? first : m.value({ types: [first.type], shape }));
      }
      return { inputs: m.c.shuffled(inputs), attributes: { axis: m.opset < 11 ? axis : m.axis(first.shape.length, axis) } };
    },
  },
  Constant: {
    exact: true,
    make(m) {
      const type = m.type(m.opset >= 13 ? ALL : ['f32', 'i64']), shape = m.shape([0, 3]), low = type === 'u8' || type === 'bool' ? 0 : -2;
      const data = fromNumbers(type, Array.from({ length: count(shape) }, () => m.c.int(low, type === 'bool' ? 1 : 5)));
      return { inputs: [], attributes: { value: { tensor: { type: [type, shape], bytes: new Uint8Array(data.buffer) } } } };
    },
  },
  ConstantOfShape: {
    exact: true,
    make(m) {
      const type = m.type(ALL), shape = m.shape([1, 3], 500), data = fromNumbers(type, [type === 'bool' ? 1 : 3]);
      const inputs = [m.longs(shape, { low: 0, high: 5 })];
      return { inputs, attributes: m.c.is(0.2) ? {} : { value: { tensor: { type: [type, [1]], bytes: new Uint8Array(data.buffer) } } } };
    },
  },
  DepthToSpace: {
    exact: true,
    make(m) {
      const block = m.c.int(1, 3), x = m.value({ types: FLOATS, shape: [m.c.int(1, 2), block * block * m.c.int(1, 3), m.c.int(1, 5), m.c.int(1, 5)] });
      return { inputs: [x], attributes: { blocksize: block, ...m.opset >= 11 && { mode: m.c.of(['DCR', 'CRD']) } } };
    },
  },
  SpaceToDepth: {
    exact: true,
    make(m) {
      const block = m.c.int(1, 3), x = m.value({ types: FLOATS, shape: [m.c.int(1, 2), m.c.int(1, 4), block * m.c.int(1, 4), block * m.c.int(1, 4)] });
      return { inputs: [x], attributes: { blocksize: block } };
    },
  },
  Expand: {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [0, 3], most: 300 }), shape = x.shape.map((size) => size === 1 && m.c.is() ? m.c.int(1, 5) : m.c.is(0.2) ? 1 : size);
      while (m.c.is(0.3) && shape.length < 5) shape.unshift(m.c.int(1, 4));
      if (shape.length > 1 && m.c.is(0.2) && shape[0] === 1) shape.shift();
      return { inputs: [x, m.longs(shape)] };
    },
  },
  EyeLike: { exact: true, make: (m) => ({ inputs: [m.value({ types: [...FLOATS, 'i32', 'i64'], rank: 2 })], attributes: { k: m.c.int(-3, 3), ...m.c.is() && { dtype: TYPES[m.c.of(/** @type {('f32' | 'i64' | 'i32')[]} */ (['f32', 'i64', 'i32']))] } } }) },
  Flatten: { exact: true, make: (m) => { const x = m.value({ types: ALL, rank: [1, 5] }), axis = m.c.int(0, x.shape.length); return { inputs: [x], attributes: { axis: m.opset >= 11 && axis < x.shape.length ? m.axis(x.shape.length, axis) : axis } }; } },
  Pad: {
    exact: true,
    make(m) {
      const x = m.value({ types: m.opset < 11 ? ['f32'] : [...FLOATS, 'i32', 'i64', 'u8', 'i8', ...m.opset >= 13 ? /** @type {'bool'[]} */ (['bool']) : []], rank: [1, 4] });
      const mode = m.c.of(['constant', 'constant', 'reflect', 'edge', ...m.opset >= 19 ? ['wrap'] : []]), rank = x.shape.length;
      const axes = m.opset >= 18 && m.c.is(0.3) ? m.c.some(x.shape.map((_, d) => d), m.c.int(1, rank)) : undefined;
      /** @param {number} size */
      const pad = (size) => {
        if (m.c.is(0.4)) return 0;
        if (mode === 'constant') return m.c.is(0.2) && size > 3 ? -1 : m.c.int(0, 3);
        return m.c.int(0, Math.max(0, Math.min(3, mode === 'edge' && size > 0 ? 3 : size - 1)));
      };
      const sizes = axes ? axes.map((d) => x.shape[d]) : x.shape, pads = [...sizes.map(pad), ...sizes.map(pad)];
      if (m.opset < 11) return { inputs: [x], attributes: { mode, pads, ...mode === 'constant' && m.c.is() && { value: float(1.5) } } };
      const value = mode === 'constant' && m.c.is(0.6) ? m.leaf(x.type, []) : null;
      return { inputs: [x, m.longs(pads, mode === 'constant' ? { low: 0, high: 3 } : undefined), value, ...axes ? [m.longs(signed(m, rank, axes))] : []], attributes: { mode } };
    },
  },
  Reshape: {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [0, 4] }), shape = newShape(m, x), empty = count(x.shape) === 0;
      return { inputs: [x, m.longs(shape)], attributes: empty && m.opset >= 14 && !shape.includes(-1) ? { allowzero: 1 } : {} };
    },
  },
  'Reshape to the shape of another': {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [0, 4] }), y = m.leaf('f32', count(x.shape) ? factored(m, count(x.shape), m.c.int(1, 4)) : [0, 2], {}, { constant: false });
      return { inputs: [x, m.ofShape('Shape', y)], attributes: m.opset >= 14 ? { allowzero: 1 } : {} };
    },
  },
  'Expand to the shape of another': {
    exact: true,
    make(m) {
      const y = m.value({ types: ALL, rank: [1, 4] });
      return { inputs: [m.value({ types: ALL, shape: m.broadcastable(y.shape) }), m.ofShape('Shape', y)] };
    },
  },
  'ConstantOfShape like another': { exact: true, make: (m) => ({ inputs: [m.ofShape('Shape', m.value({ types: ALL, rank: [1, 4] }))] }) },
  'Range of a size': {
    since: 11, exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [1, 3], most: 2000 });
      return { inputs: [m.scalar(0), m.ofShape('Size', x), m.scalar(1)] };
    },
  },
  Shape: { exact: true, make: (m) => { const x = m.value({ types: ALL, rank: [0, 4] }), rank = x.shape.length; return { inputs: [x], attributes: m.opset >= 15 && rank > 1 && m.c.is() ? { start: m.c.int(0, 1), end: m.c.of([rank, -1]) } : {} }; } },
  Size: { exact: true, make: (m) => ({ inputs: [m.value({ types: ALL, rank: [0, 4] })] }) },
  Slice: {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [1, 4] }), rank = x.shape.length, axes = m.c.some(x.shape.map((_, d) => d), m.c.int(1, rank));
      const steps = axes.map(() => m.opset < 10 || m.c.is(0.6) ? 1 : m.c.of([-1, -1, 2, 3, -2]));
      const pairs = axes.map((d, i) => bounds(m, x.shape[d], steps[i])), starts = pairs.map(([start]) => start), ends = pairs.map(([, end]) => end);
      const all = axes.length === rank && m.c.is();
      if (m.opset < 10) return { inputs: [x], attributes: { starts, ends, ...!all && { axes } } };
      const hasSteps = steps.some((step) => step !== 1) || m.c.is(0.3), hasAxes = !all || hasSteps;
      return { inputs: [x, m.longs(starts, { low: -6, high: 6 }), m.longs(ends, { low: -6, high: 9 }), ...hasAxes ? [m.longs(signed(m, rank, axes))] : [], ...hasSteps ? [m.longs(steps)] : []] };
    },
  },
  Split: {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [1, 4], fits: (shape) => shape.some((size) => size > 0) }), rank = x.shape.length;
      const axis = m.c.of(x.shape.map((_, d) => d).filter((d) => x.shape[d] > 0)), size = x.shape[axis];
      const parts = m.c.int(1, Math.min(3, size)), attributes = { axis: m.opset < 11 ? axis : m.axis(rank, axis) }, outputs = Array.from({ length: parts }, () => true);
      if (size % parts === 0 && m.c.is(0.4)) return { inputs: [x], attributes: { ...attributes, ...m.opset >= 18 && { num_outputs: parts } }, outputs };
      const cuts = [0, ...m.c.shuffled(Array.from({ length: size + 1 }, (_, i) => i)).slice(0, parts - 1).sort((a, b) => a - b), size];
      const { attributes: more, operands } = movedList(m, 13, 'split', cuts.slice(1).map((cut, i) => cut - cuts[i]));
      return { inputs: [x, ...operands], attributes: { ...attributes, ...more }, outputs };
    },
  },
  'Split into parts that are not equal': {
    since: 18, exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [1, 3], fits: (shape) => shape.some((size) => size >= 3) }), axis = x.shape.findIndex((size) => size >= 3);
      const parts = m.c.int(2, 3), each = Math.ceil(x.shape[axis] / parts);
      const num_outputs = each * (parts - 1) <= x.shape[axis] ? parts : 2;
      return { inputs: [x], attributes: { axis, num_outputs }, outputs: Array.from({ length: num_outputs }, () => true) };
    },
  },
  Squeeze: {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [1, 5], fits: (shape) => shape.includes(1), recipe: undefined }), ones = x.shape.map((_, d) => d).filter((d) => x.shape[d] === 1);
      const { attributes, operands } = movedList(m, 13, 'axes', signed(m, x.shape.length, m.c.some(ones, m.c.int(1, ones.length))));
      return { inputs: [x, ...operands], attributes };
    },
  },
  Unsqueeze: {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [0, 3] }), added = m.c.int(1, 2), rank = x.shape.length + added;
      const { attributes, operands } = movedList(m, 13, 'axes', signed(m, rank, m.c.some(Array.from({ length: rank }, (_, d) => d), added)));
      return { inputs: [x, ...operands], attributes };
    },
  },
  Tile: { exact: true, make: (m) => { const x = m.value({ types: ALL, rank: [1, 4], most: 300 }); return { inputs: [x, m.longs(x.shape.map(() => m.c.of([1, 1, 2, 3, m.hasEmpty ? 0 : 2])), { low: 0, high: 3 })] }; } },
  Transpose: { exact: true, make: (m) => { const x = m.value({ types: ALL, rank: [1, 5] }); return { inputs: [x], attributes: m.c.is(0.2) ? {} : { perm: m.c.shuffled(x.shape.map((_, d) => d)) } }; } },
  Trilu: { since: 14, exact: true, make: (m) => ({ inputs: [m.value({ types: [...FLOATS, 'i32', 'i64', 'bool'], rank: [2, 4] }), ...m.c.is() ? [m.scalar(m.c.int(-4, 4))] : []], attributes: { upper: m.c.int(0, 1) } }) },
  CenterCropPad: {
    since: 18, exact: true,
    make(m) {
      const x = m.value({ types: NUMBERS, rank: [1, 4] }), axes = m.c.some(x.shape.map((_, d) => d), m.c.int(1, x.shape.length));
      return { inputs: [x, m.longs(axes.map((d) => Math.max(1, x.shape[d] + m.c.int(-3, 3))))], attributes: axes.length === x.shape.length && m.c.is() ? {} : { axes: signed(m, x.shape.length, axes) } };
    },
  },
  Range: {
    since: 11, exact: true,
    make(m) {
      const type = m.c.of(/** @type {('f32' | 'i32' | 'i64')[]} */ (['f32', 'i32', 'i64'])), start = m.c.int(-5, 5), step = m.c.of([1, 2, 3, -1, -2]);
      return { inputs: [m.scalarOrInput(start, type, { whole: true, low: -5, high: 5 }), m.scalarOrInput(start + step * m.c.int(0, 12), type, { whole: true, low: -9, high: 9 }), m.scalarOrInput(step, type)] };
    },
  },
  OneHot: {
    since: 11, exact: true,
    make(m) {
      const depth = m.c.int(1, 9), x = m.value({ types: ['i64', 'i32'], rank: [1, 3], most: 500, low: -depth - 1, high: depth + 1, recipe: { low: -depth - 1, high: depth } });
      return { inputs: [x, m.scalarOrInput(depth, 'i64', { low: 1, high: 9 }), m.leaf(m.c.of(/** @type {('f32' | 'i64')[]} */ (['f32', 'i64'])), [2])], attributes: { axis: m.axis(x.shape.length + 1) } };
    },
  },
  ReverseSequence: {
    since: 10, exact: true,
    make(m) {
      const x = m.value({ types: NUMBERS, rank: [2, 4], fits: ([a, b]) => a > 0 && b > 0 }), time = m.c.int(0, 1);
      return { inputs: [x, m.leaf('i64', [x.shape[1 - time]], { low: 1, high: x.shape[time] })], attributes: { time_axis: time, batch_axis: 1 - time } };
    },
  },
  Col2Im: {
    since: 18,
    make(m) {
      const kernel = [m.c.int(1, 3), m.c.int(1, 3)], strides = [m.c.int(1, 2), m.c.int(1, 2)], places = [m.c.int(1, 4), m.c.int(1, 4)];
      const size = places.map((n, d) => (n - 1) * strides[d] + kernel[d]);
      return { inputs: [m.value({ types: ['f32'], shape: [m.c.int(1, 2), kernel[0] * kernel[1] * m.c.int(1, 3), places[0] * places[1]] }), m.longs(size), m.longs(kernel)], attributes: { strides } };
    },
  },
  AffineGrid: {
    since: 20,
    make(m) {
      const n = m.c.int(1, 3), flat = m.c.is(0.7), size = [n, m.c.int(1, 3), m.c.int(2, 5), m.c.int(2, 5), ...flat ? [] : [m.c.int(2, 4)]];
      return { inputs: [m.value({ types: ['f32'], shape: flat ? [n, 2, 3] : [n, 3, 4] }), m.longs(size)], attributes: { align_corners: m.c.int(0, 1) } };
    },
  },
  Resize: {
    since: 11, slack: 1e-5,
    make(m) {
      const flat = m.c.is(0.7), x = m.value({ ...image(flat ? 4 : 3), types: ['f32'], fits: (shape) => shape.every((size) => size > 0), most: 800 }), rank = x.shape.length;
      const mode = m.c.of(['nearest', 'nearest', 'linear', ...flat ? ['cubic'] : []]);
      const coordinate_transformation_mode = m.c.of(['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel', ...m.opset >= 19 ? ['half_pixel_symmetric'] : []]);
      const attributes = { mode, coordinate_transformation_mode, ...mode === 'nearest' && { nearest_mode: m.c.of(['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil']) },
        ...mode === 'cubic' && m.c.is(0.3) && { cubic_coeff_a: float(-0.5) }, ...mode === 'cubic' && m.c.is(0.3) && { exclude_outside: 1 } };
      const from = rank === 4 ? 2 : m.c.int(0, 2);
      const roi = m.opset < 13 ? m.fixed('f32', [0], []) : null;
      if (m.c.is()) {
        const scales = x.shape.map((_, d) => d >= from ? m.c.of([0.5, 1, 1.5, 2, 3, 0.75]) : 1);
        return { inputs: [x, roi, m.fixed('f32', [rank], scales, !m.sizesAreData || m.c.is())], attributes };
      }
      const sizes = x.shape.map((size, d) => d >= from ? m.c.int(1, 9) : size);
      return { inputs: [x, roi, m.opset < 13 ? m.fixed('f32', [0], []) : null, m.longs(sizes)], attributes };
    },
  },
  Upsample: {
    since: 9, until: 9,
    make: (m) => ({ inputs: [m.value({ types: ['f32'], rank: 4, fits: (shape) => shape.every((size) => size > 0), most: 300 }), m.fixed('f32', [4], [1, 1, m.c.int(1, 3), m.c.int(1, 3)])], attributes: { mode: m.c.of(['nearest', 'linear']) } }),
  },
};
