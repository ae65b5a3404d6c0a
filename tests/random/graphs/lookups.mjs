// Operators that look up and scatter, and those that go step by step.

import { ALL, float } from './maker.mjs';
import { count } from './values.mjs';

/** @import { Made, Operator } from './elementwise.mjs' */
/** @import { Maker } from './maker.mjs' */
/** @import { ElementType } from './values.mjs' */

/** Indices of a dimension, some from the end. @param {Maker} m @param {number[]} shape @param {number} size */
const indices = (m, shape, size) => m.fresh(m.c.of(/** @type {ElementType[]} */ (['i64', 'i64', 'i32'])), shape, { low: m.opset >= 11 && m.c.is(0.4) ? -size : 0, high: size - 1 });
/** @param {readonly ElementType[]} types @returns {import('./maker.mjs').Wanted} */
const filled = (types) => ({ types, rank: [1, 4], fits: (shape) => !shape.includes(0) });

/** Rows of indices into the first dimensions, all different where `distinct`. @param {Maker} m @param {number[]} shape @param {number} depth @param {number} rows @param {boolean} distinct */
function tuples(m, shape, depth, rows, distinct) {
  const places = count(shape.slice(0, depth)), from = Array.from({ length: places }, (_, i) => i);
  const taken = distinct ? m.c.shuffled(from).slice(0, rows) : Array.from({ length: rows }, () => m.c.of(from));
  return taken.flatMap((place) => {
    const tuple = [];
    for (let d = depth - 1, rest = place; d >= 0; rest = Math.floor(rest / shape[d--])) tuple.unshift(rest % shape[d]);
    return tuple;
  });
}

/** @param {Maker} m */
const reduction = (m) => m.opset >= 18 ? m.c.of(['none', 'none', 'add', 'mul', 'max', 'min']) : m.opset >= 16 ? m.c.of(['none', 'add', 'mul']) : 'none';

/** @param {string} op @param {number} gates @returns {Operator} */
function recurrent(op, gates) {
  return {
    // ONNX Runtime's sigmoid is a rational function.
    slack: 1e-6,
    make(m) {
      const [t, b, i, h] = [m.c.int(1, 6), m.c.int(1, 3), m.c.int(1, 6), m.c.int(1, 6)], direction = m.c.of(['forward', 'reverse', 'bidirectional']), d = direction === 'bidirectional' ? 2 : 1;
      const x = m.value({ types: ['f32'], shape: [t, b, i], low: -10, high: 10 }), small = { low: -0.7, high: 0.7 };
      const optional = (/** @type {number} */ part, /** @type {number[]} */ shape) => m.c.is(part) ? m.leaf('f32', shape, small) : null;
      const lengths = m.c.is(0.3) ? m.leaf('i32', [b], { low: 1, high: t }) : null;
      const inputs = [x, m.leaf('f32', [d, gates * h, i], small), m.leaf('f32', [d, gates * h, h], small), optional(0.6, [d, 2 * gates * h]), lengths, optional(0.4, [d, b, h]),
        ...op === 'LSTM' ? [optional(0.4, [d, b, h]), optional(0.3, [d, 3 * h])] : []];
      const outputs = m.c.of([[true, true], [true, false], [false, true], ...op === 'LSTM' ? [[true, true, true], [false, false, true]] : []]);
      return { inputs, outputs, attributes: { hidden_size: h, direction, ...op === 'GRU' && m.c.is() && { linear_before_reset: 1 }, ...op === 'LSTM' && m.c.is(0.1) && { input_forget: 1 }, ...m.c.is(0.15) && { clip: float(0.8) } } };
    },
  };
}

/** @type {Operator['make']} */
const window = (m) => ({ inputs: [m.scalar(m.c.int(2, 20))], attributes: { periodic: m.c.int(0, 1) } });

/** @type {Record<string, Operator>} */
export const LOOKUPS = {
  Gather: { exact: true, make: (m) => { const x = m.value(filled(ALL)), axis = m.c.int(0, x.shape.length - 1); return { inputs: [x, indices(m, m.shape([0, 2], 30), x.shape[axis])], attributes: { axis: m.axis(x.shape.length, axis) } }; } },
  GatherElements: {
    since: 11, exact: true,
    make(m) {
      const x = m.value(filled(ALL)), axis = m.c.int(0, x.shape.length - 1);
      const shape = x.shape.map((size, d) => d === axis ? m.c.int(1, 6) : m.c.is(0.7) ? size : m.c.int(1, size));
      return { inputs: [x, indices(m, shape, x.shape[axis])], attributes: { axis: m.axis(x.shape.length, axis) } };
    },
  },
  GatherND: {
    since: 12, exact: true,
    make(m) {
      const x = m.value(filled(ALL)), rank = x.shape.length, batch_dims = rank > 1 && m.c.is(0.3) ? 1 : 0, depth = m.c.int(1, rank - batch_dims), rows = m.c.int(1, 5);
      const batches = batch_dims ? x.shape[0] : 1, data = Array.from({ length: batches }, () => tuples(m, x.shape.slice(batch_dims), depth, rows, false)).flat();
      return { inputs: [x, m.leaf('i64', [...x.shape.slice(0, batch_dims), rows, depth], {}, { data: BigInt64Array.from(data, BigInt), recipe: undefined })], attributes: batch_dims ? { batch_dims } : {} };
    },
  },
  ScatterElements: {
    since: 11, exact: true,
    make(m) {
      const kind = reduction(m), x = m.value(filled(kind === 'none' ? ALL : ['f32', 'i32', 'i64'])), axis = m.c.int(0, x.shape.length - 1);
      // Of indices that occur twice ONNX leaves open which wins.
      const shape = x.shape.map((size, d) => d === axis ? m.c.int(1, kind === 'none' ? size : 2 * size) : m.c.int(1, size)), along = shape[axis];
      const inner = count(shape.slice(axis + 1)), data = new BigInt64Array(count(shape));
      for (let line = 0; line < data.length / along; ++line) {
        const places = Array.from({ length: Math.max(along, x.shape[axis]) }, (_, i) => i % x.shape[axis]), drawn = kind === 'none' ? m.c.shuffled(places) : places.map(() => m.c.int(0, x.shape[axis] - 1));
        for (let i = 0; i < along; ++i) data[(Math.floor(line / inner) * along + i) * inner + line % inner] = BigInt(drawn[i]);
      }
      return { inputs: [x, m.leaf('i64', shape, {}, { data, recipe: undefined }), m.value({ types: [x.type], shape })], attributes: { axis: m.axis(x.shape.length, axis), ...kind !== 'none' && { reduction: kind } } };
    },
  },
  Scatter: { until: 10, exact: true, make: (m) => { const x = m.value(filled(['f32'])), shape = x.shape.map((size, d) => d ? m.c.int(1, size) : 1); return { inputs: [x, m.leaf('i64', shape, { low: 0, high: x.shape[0] - 1 }), m.value({ types: ['f32'], shape })] }; } },
  ScatterND: {
    since: 11, exact: true,
    make(m) {
      const kind = reduction(m), x = m.value(filled(kind === 'none' ? ALL : ['f32', 'i32', 'i64'])), depth = m.c.int(1, x.shape.length);
      const rows = m.c.int(1, Math.min(6, kind === 'none' ? count(x.shape.slice(0, depth)) : 6)), data = BigInt64Array.from(tuples(m, x.shape, depth, rows, kind === 'none'), BigInt);
      return { inputs: [x, m.leaf('i64', [rows, depth], {}, { data, recipe: undefined }), m.value({ types: [x.type], shape: [rows, ...x.shape.slice(depth)] })], attributes: kind === 'none' ? {} : { reduction: kind } };
    },
  },
  TensorScatter: {
    since: 24, exact: true,
    make(m) {
      const [b, h, s, d] = [m.c.int(1, 3), m.c.int(1, 2), m.c.int(2, 7), m.c.int(1, 4)], taken = m.c.int(1, s), circular = m.c.is();
      return { inputs: [m.value({ types: ['f32'], shape: [b, h, s, d] }), m.value({ types: ['f32'], shape: [b, h, taken, d] }), m.c.is(0.7) ? m.leaf('i64', [b], { low: 0, high: circular ? s - 1 : s - taken }) : null], attributes: circular ? { mode: 'circular' } : {} };
    },
  },
  RNN: recurrent('RNN', 1),
  GRU: recurrent('GRU', 3),
  LSTM: recurrent('LSTM', 4),
  // ONNX Runtime's own sums in f32 are off by some 1e-4 of what is summed: it multiplies angles in f32.
  DFT: {
    since: 17, slack: 1e-3,
    make(m) {
      const parts = m.c.int(1, 2), n = m.c.of([1, 2, 3, 4, 5, 8, 12, 16, 31]), inverse = parts === 2 && m.c.is(0.3) ? 1 : 0, onesided = parts === 1 && m.c.is(0.4) ? 1 : 0;
      const x = m.value({ types: ['f32'], shape: [m.c.int(1, 2), n, parts], low: -4, high: 4 });
      if (m.opset < 20) return { inputs: [x], attributes: { axis: 1, inverse, onesided } };
      return { inputs: [x, null, m.scalar(m.axis(3, 1))], attributes: { inverse, onesided } };
    },
  },
  STFT: {
    since: 17, slack: 1e-3,
    make(m) {
      const length = m.c.of([2, 4, 8, 9]), x = m.value({ types: ['f32'], shape: [m.c.int(1, 2), length + m.c.int(0, 20), 1], low: -4, high: 4 });
      return { inputs: [x, m.scalar(m.c.int(1, 5)), m.c.is(0.7) ? m.leaf('f32', [length], { low: 0.2, high: 1 }) : null, m.scalar(length)], attributes: { onesided: m.c.int(0, 1) } };
    },
  },
  HannWindow: { since: 17, slack: 1e-5, make: window },
  HammingWindow: { since: 17, slack: 1e-5, make: window },
  BlackmanWindow: { since: 17, slack: 1e-5, make: window },
  MelWeightMatrix: { since: 17, slack: 1e-5, make: (m) => ({ inputs: [m.scalar(m.c.int(1, 8)), m.scalar(m.c.of([16, 33, 64])), m.scalar(16000), m.scalar(0, 'f32'), m.scalar(8000, 'f32')] }) },
  TfIdfVectorizer: {
    since: 9,
    make: (m) => ({ inputs: [m.value({ types: ['i32', 'i64'], rank: [1, 2], recipe: { low: 0, high: 4 } })], attributes: {
      mode: m.c.of(['TF', 'IDF', 'TFIDF']), min_gram_length: 1, max_gram_length: 3, max_skip_count: m.c.int(0, 2), ngram_counts: [0, 3, 7], ngram_indexes: [5, 0, 2, 1, 4, 3], pool_int64s: [1, 2, 3, 1, 2, 3, 3, 1, 2, 3],
      weights: { floats: [1, 2, 0.5, 4, 3, 0.25] } } }),
  },
  Attention: {
    since: 23,
    make(m) {
      const [b, heads, q, k, d] = [m.c.int(1, 2), m.c.int(1, 3), m.c.int(1, 6), m.c.int(1, 6), m.c.int(1, 8)], shared = m.c.is(0.3) ? 1 : heads, v = m.c.is(0.7) ? d : m.c.int(1, 6);
      const mask = m.c.is(0.4) ? m.leaf(m.c.of(/** @type {ElementType[]} */ (['f32', 'f32'])), m.c.of([[q, k], [1, 1, q, k], [b, 1, q, k]])) : null;
      return { inputs: [m.value({ types: ['f32'], shape: [b, heads, q, d], low: -5, high: 5 }), m.value({ types: ['f32'], shape: [b, shared, k, d], low: -5, high: 5 }), m.value({ types: ['f32'], shape: [b, shared, k, v] }), mask],
        attributes: { ...m.c.is(0.3) && k >= q && { is_causal: 1 }, ...m.c.is(0.3) && { scale: float(0.4) }, ...m.c.is(0.2) && { softcap: float(2) } } };
    },
  },
  RotaryEmbedding: {
    since: 23,
    make(m) {
      const [b, heads, s, half] = [m.c.int(1, 2), m.c.int(1, 3), m.c.int(1, 5), m.c.int(1, 4)], longest = s + m.c.int(0, 3);
      return { inputs: [m.value({ types: ['f32'], shape: [b, heads, s, 2 * half] }), m.leaf('f32', [longest, half]), m.leaf('f32', [longest, half]), m.leaf('i64', [b, s], { low: 0, high: longest - 1 })], attributes: m.c.is() ? { interleaved: 1 } : {} };
    },
  },
};

// ---- Of ONNX Runtime

/** @param {Operator['make']} make @param {Partial<Operator>} [more] @returns {Operator} */
const fused = (make, more = {}) => ({ make, domain: 'com.microsoft', ...more });
/** @param {Maker} m */
const rows = (m) => m.value({ types: ['f32'], rank: 3, fits: (shape) => !shape.includes(0) });
/** @param {Maker} m @param {number[]} shape */
const vector = (m, shape) => m.leaf('f32', shape.slice(-1), { low: 0.3, high: 1.5 });
/** @param {Maker} m @returns {Made} */
const biased = (m) => { const x = rows(m); return { inputs: [x, vector(m, x.shape)] }; };

/** @type {Record<string, Operator>} */
export const FUSED = {
  BiasGelu: fused(biased),
  FastGelu: fused(biased),
  'Gelu of ONNX Runtime': fused((m) => ({ inputs: [m.value({ types: ['f32'] })] })),
  QuickGelu: { ...fused((m) => ({ inputs: [m.value({ types: ['f32'] })] })), slack: 1e-6 },
  FusedMatMul: fused((m) => {
    const a = m.value({ types: ['f32'], rank: [2, 3] }), transA = m.c.int(0, 1), transB = m.c.int(0, 1), k = a.shape.at(transA ? -2 : -1) ?? 1, n = m.c.int(1, 9);
    return { inputs: [a, m.value({ types: ['f32'], shape: [...a.shape.slice(0, -2), ...transB ? [n, k] : [k, n]] })], attributes: { transA, transB, alpha: float(0.5) } };
  }),
  TransposeMatMul: fused((m) => { const a = m.value({ types: ['f32'], rank: 2 }); return { inputs: [a, m.value({ types: ['f32'], shape: [a.shape[0], m.c.int(1, 9)] })], attributes: { transA: 1 } }; }),
  FusedGemm: fused((m) => { const a = m.value({ types: ['f32'], rank: 2 }), n = m.c.int(1, 9); return { inputs: [a, m.value({ types: ['f32'], shape: [a.shape[1], n] }), m.leaf('f32', [n])], attributes: { activation: m.c.of(['Relu', 'Tanh', 'Sigmoid', 'LeakyRelu']) } }; }),
  FusedConv: fused((m) => {
    const [c, o] = [m.c.int(1, 4), m.c.int(1, 5)];
    return { inputs: [m.value({ types: ['f32'], shape: [1, c, m.c.int(3, 8), m.c.int(3, 8)] }), m.leaf('f32', [o, c, 3, 2]), m.leaf('f32', [o])], attributes: { activation: m.c.of(['Relu', 'Tanh', 'Sigmoid']), pads: [m.c.int(0, 1), 0, 1, m.c.int(0, 1)] } };
  }),
  SkipLayerNormalization: fused((m) => { const x = rows(m); return { inputs: [x, m.value({ types: ['f32'], shape: x.shape }), vector(m, x.shape), m.c.is() ? vector(m, x.shape) : null, m.c.is() ? vector(m, x.shape) : null], attributes: { epsilon: float(1e-2) }, outputs: m.c.is(0.3) ? [true, false, false, true] : [true] }; }),
  SkipSimplifiedLayerNormalization: fused((m) => { const x = rows(m); return { inputs: [x, m.value({ types: ['f32'], shape: x.shape }), vector(m, x.shape), m.c.is() ? vector(m, x.shape) : null], attributes: { epsilon: float(1e-2) } }; }),
  'Trilu of ONNX Runtime': fused((m) => ({ inputs: [m.value({ types: ['f32', 'i64'], rank: [2, 4] }), m.scalar(m.c.int(-3, 3))], attributes: { upper: m.c.int(0, 1) } }), { exact: true }),
  MultiHeadAttention: fused((m) => {
    const [b, s, k, heads, d] = [m.c.int(1, 2), m.c.int(1, 5), m.c.int(1, 6), m.c.int(1, 3), m.c.int(1, 4)];
    return { inputs: [m.value({ types: ['f32'], shape: [b, s, heads * d], low: -5, high: 5 }), m.value({ types: ['f32'], shape: [b, k, heads * d], low: -5, high: 5 }), m.value({ types: ['f32'], shape: [b, k, heads * d] }), m.c.is() ? m.leaf('f32', [3 * heads * d]) : null], attributes: { num_heads: heads } };
  }),
  'Attention of ONNX Runtime': fused((m) => {
    const [b, s, i, heads, d] = [m.c.int(1, 2), m.c.int(1, 5), m.c.int(1, 5), m.c.int(1, 3), m.c.int(1, 4)];
    return { inputs: [m.value({ types: ['f32'], shape: [b, s, i], low: -3, high: 3 }), m.leaf('f32', [i, 3 * heads * d], { low: -1, high: 1 }), m.leaf('f32', [3 * heads * d])], attributes: { num_heads: heads, ...m.c.is(0.4) && { unidirectional: 1 } } };
  }),
  'RotaryEmbedding of ONNX Runtime': fused((m) => {
    const [b, heads, s, half] = [m.c.int(1, 2), m.c.int(1, 3), m.c.int(1, 5), m.c.int(1, 4)], longest = s + m.c.int(0, 3);
    return { inputs: [m.value({ types: ['f32'], shape: [b, heads, s, 2 * half] }), m.leaf('i64', [b, s], { low: 0, high: longest - 1 }), m.leaf('f32', [longest, half]), m.leaf('f32', [longest, half])], attributes: m.c.is() ? { interleaved: 1 } : {} };
  }),
  Inverse: fused((m) => { const n = m.c.int(1, 4); return { inputs: [m.value({ types: ['f32'], shape: [...m.shape([0, 1], 4), n, n] })] }; }),
  EmbedLayerNormalization: fused((m) => {
    const [b, s, d, words] = [m.c.int(1, 2), m.c.int(1, 5), m.c.int(2, 8), m.c.int(2, 6)];
    return { inputs: [m.leaf('i32', [b, s], { low: 0, high: words - 1 }), m.leaf('i32', [b, s], { low: 0, high: 1 }), m.leaf('f32', [words, d]), m.leaf('f32', [s, d]), m.leaf('f32', [2, d]), m.leaf('f32', [d]), m.leaf('f32', [d])], attributes: { epsilon: float(1e-2) }, outputs: [true, true] };
  }),
};


