// Operators that reduce, normalise or order.

import { FLOATS, float } from './maker.mjs';

/** @import { Operator } from './elementwise.mjs' */
/** @import { Maker, Wanted } from './maker.mjs' */
/** @import { ElementType, Recipe } from './values.mjs' */

/**
 * @param {number} moves the opset since which axes are an operand
 * @param {Partial<Operator> & { types?: readonly ElementType[], low?: number, high?: number, recipe?: Recipe }} [options] @returns {Operator}
 */
function reduce(moves, { types = [...FLOATS, 'i32', 'i64'], low, high, recipe, ...more } = {}) {
  return {
    make(m) {
      const x = m.value({ types, rank: [1, 4], low, high, recipe, fits: (shape) => m.c.is(0.1) || !shape.includes(0) }), rank = x.shape.length;
      const axes = m.c.is(0.2) ? [] : m.c.some(x.shape.map((_, d) => d), m.c.int(1, rank)).map((axis) => m.opset >= 11 ? m.axis(rank, axis) : axis);
      const attributes = m.c.is(0.7) ? { keepdims: m.c.int(0, 1) } : {};
      const noop = m.opset >= moves && m.c.is(0.2) ? { noop_with_empty_axes: 1 } : {};
      if (m.opset < moves) return { inputs: [x], attributes: { ...attributes, ...axes.length && { axes } } };
      return { inputs: [x, ...axes.length || m.c.is() ? [m.longs(axes)] : []], attributes: { ...attributes, ...noop } };
    }, ...more,
  };
}

/** With elements. @param {Wanted} [wanted] @returns {Wanted} */
const filled = (wanted = {}) => ({ rank: [1, 4], fits: (shape) => !shape.includes(0), ...wanted });

/** @type {Operator['make']} */
const softmax = (m) => {
  const x = m.value(filled({ low: -30, high: 30 }));
  return { inputs: [x], attributes: m.c.is(0.2) && x.shape.length > 1 ? {} : { axis: m.opset < 11 ? m.c.int(0, x.shape.length - 1) : m.axis(x.shape.length) } };
};

/** A vector with an element a channel. @param {Maker} m @param {ElementType} type @param {number} channels @param {Recipe} [recipe] */
const vector = (m, type, channels, recipe = { low: 0.3, high: 1.5 }) => m.leaf(type, [channels], recipe);

/** @type {Operator['make']} */
const arg = (m) => {
  const x = m.value(filled({ types: [...FLOATS, 'i32', 'i64', 'u8', 'i8'] }));
  return { inputs: [x], attributes: { axis: m.opset < 11 ? m.c.int(0, x.shape.length - 1) : m.axis(x.shape.length), keepdims: m.c.int(0, 1), ...m.opset >= 12 && m.c.is(0.3) && { select_last_index: 1 } } };
};

/** @type {Operator['make']} */
const cumulate = (m) => {
  const x = m.value({ types: [...FLOATS.slice(0, 1), 'i32', 'i64'], rank: [1, 4] });
  return { inputs: [x, m.scalar(m.axis(x.shape.length))], attributes: { ...m.c.is(0.4) && { exclusive: 1 }, ...m.c.is(0.4) && { reverse: 1 } } };
};

/** @type {Record<string, Operator>} */
export const SUMS = {
  ReduceSum: reduce(13),
  ReduceMean: reduce(18, { types: FLOATS }),
  ReduceMax: reduce(18, { types: [...FLOATS, 'i32', 'i64', 'i8', 'u8'], exact: true }),
  ReduceMin: reduce(18, { types: [...FLOATS, 'i32', 'i64', 'i8', 'u8'], exact: true }),
  ReduceProd: reduce(18, { low: -3, high: 3, recipe: { low: 0.7, high: 1.3 } }),
  ReduceL1: reduce(18),
  ReduceL2: reduce(18),
  ReduceSumSquare: reduce(18),
  ReduceLogSum: reduce(18, { types: FLOATS, low: 0.05, high: 1e4 }),
  ReduceLogSumExp: reduce(18, { types: FLOATS, low: -30, high: 30 }),
  ArgMax: { exact: true, make: arg },
  ArgMin: { exact: true, make: arg },
  Softmax: { make: softmax },
  LogSoftmax: { make: softmax },
  Hardmax: { exact: true, make: softmax },
  CumSum: { since: 11, make: cumulate },
  CumProd: { since: 26, make: cumulate },
  TopK: {
    exact: true,
    make(m) {
      const x = m.value(filled({ types: m.opset >= 11 ? ['f32', 'i32', 'i64'] : ['f32'], ...m.c.is(0.7) && { recipe: { distinct: true } } }));
      const axis = m.c.int(0, x.shape.length - 1), k = m.c.int(1, x.shape[axis]), outputs = [true, true];
      if (m.opset < 10) return { inputs: [x], attributes: { axis, k }, outputs };
      return { inputs: [x, m.longs([k], { low: 1, high: k })], attributes: { axis: m.axis(x.shape.length, axis), ...m.opset >= 11 && m.c.is(0.4) && { largest: 0 } }, outputs };
    },
  },
  LpNormalization: { make: (m) => { const x = m.value(filled({ types: ['f32'] })); return { inputs: [x], attributes: { axis: m.axis(x.shape.length), p: m.c.int(1, 2) } }; } },
  MeanVarianceNormalization: { make: (m) => ({ inputs: [m.value(filled({ types: ['f32'], rank: 4 }))], attributes: m.c.is() ? {} : { axes: [0, 2, 3] } }) },
  BatchNormalization: {
    make(m) {
      const x = m.value(filled({ rank: [2, 5] })), n = x.shape[1];
      const training = m.opset >= 14 && x.type === 'f32' && m.c.is(0.15);
      return { inputs: [x, vector(m, x.type, n), vector(m, x.type, n, { low: -1, high: 1 }), vector(m, x.type, n, { low: -1, high: 1 }), vector(m, x.type, n)],
        attributes: { ...m.c.is() && { epsilon: float(1e-3) }, ...training && { training_mode: 1 } }, outputs: training ? [true, m.c.is(), m.c.is()] : [true] };
    },
  },
  InstanceNormalization: { make: (m) => { const x = m.value(filled({ types: ['f32'], rank: [3, 5] })); return { inputs: [x, vector(m, 'f32', x.shape[1]), vector(m, 'f32', x.shape[1])], attributes: { epsilon: float(1e-2) } }; } },
  GroupNormalization: {
    since: 21,
    make(m) {
      const groups = m.c.int(1, 3), x = m.value({ types: ['f32'], shape: [m.c.int(1, 3), groups * m.c.int(1, 3), ...m.shape([1, 2], 60).map((size) => size || 1)] });
      return { inputs: [x, vector(m, x.type, x.shape[1]), vector(m, x.type, x.shape[1])], attributes: { num_groups: groups, epsilon: float(1e-2) } };
    },
  },
  LRN: { make: (m) => ({ inputs: [m.value(filled({ types: ['f32'], rank: 4 }))], attributes: { size: m.c.of([1, 3, 5]), alpha: float(0.02), beta: float(0.75), bias: float(1) } }) },
  LayerNormalization: {
    since: 17,
    make(m) {
      const x = m.value(filled()), axis = m.c.int(0, x.shape.length - 1), shape = x.shape.slice(axis);
      return { inputs: [x, m.leaf(x.type, shape, { low: 0.3, high: 1.5 }), m.c.is() ? m.leaf(x.type, shape) : null],
        attributes: { axis: m.axis(x.shape.length, axis), epsilon: float(1e-2) }, outputs: x.type === 'f32' ? [true, m.c.is(0.2), m.c.is(0.2)] : [true] };
    },
  },
  RMSNormalization: { since: 23, make: (m) => { const x = m.value(filled()), axis = m.c.int(0, x.shape.length - 1); return { inputs: [x, m.leaf(x.type, x.shape.slice(axis), { low: 0.3, high: 1.5 })], attributes: { axis: m.axis(x.shape.length, axis), epsilon: float(1e-2) } }; } },
  SimplifiedLayerNormalization: { make: (m) => { const x = m.value(filled()); return { inputs: [x, m.leaf(x.type, x.shape.slice(-1), { low: 0.3, high: 1.5 })], attributes: { axis: -1, epsilon: float(1e-2) } }; } },
  NegativeLogLikelihoodLoss: { since: 12, make: (m) => loss(m, 1) },
  SoftmaxCrossEntropyLoss: { since: 12, make: (m) => loss(m, m.c.int(1, 2)) },
  Det: { since: 11, make: (m) => { const n = m.c.int(1, 5); return { inputs: [m.value({ types: ['f32'], shape: [...m.shape([0, 2], 20), n, n] })] }; } },
};

/** @param {Maker} m @param {number} results @returns {ReturnType<Operator['make']>} */
function loss(m, results) {
  const classes = m.c.int(2, 6), batch = m.c.int(1, 4), places = m.c.is() ? [] : [m.c.int(1, 4)];
  const x = m.value({ types: ['f32'], shape: [batch, classes, ...places] });
  const targets = m.leaf(m.c.of(/** @type {('i32' | 'i64')[]} */ (['i32', 'i64'])), [batch, ...places], { low: 0, high: classes - 1 });
  return { inputs: [x, targets, m.c.is(0.4) ? m.leaf('f32', [classes], { low: 0.5, high: 2 }) : null],
    attributes: { reduction: m.c.of(['mean', 'sum', 'none']), ...m.c.is(0.3) && { ignore_index: m.c.of([0, 1, -1]) } }, outputs: results === 2 ? [true, true] : [true] };
}


