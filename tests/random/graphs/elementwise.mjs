// Operators of one element each.

import { ALL, FLOATS, INTEGERS, NUMBERS, float } from './maker.mjs';
import { TYPES } from '../../onnx_model.mjs';

/** @import { Maker } from './maker.mjs' */
/** @import { ElementType, Recipe } from './values.mjs' */
/** @import { Node, Value } from './evaluate.mjs' */
/**
 * @typedef {{ inputs: (Value | null)[], attributes?: Record<string, import('../../onnx_model.mjs').Attribute | undefined>, outputs?: boolean[], op?: string,
 *   bodies?: Node['bodies'], group?: Node[], results?: string[], domain?: string, exact?: boolean }} Made outputs: which are wanted; one if not given, or those of `results`. `op` where the row's name is not it, `domain` and `exact`
 *   where they are not the row's; `group`: nodes it stands for
 */
/** @typedef {{ make: (m: Maker) => Made | Promise<Made>, since?: number, until?: number, domain?: string, exact?: boolean, slack?: number }} Operator */

/** @param {Partial<Operator> & { types?: readonly ElementType[], low?: number, high?: number, attributes?: (m: Maker) => Made['attributes'] }} [options] @returns {Operator} */
const unary = ({ types = FLOATS, low, high, attributes, ...more } = {}) => ({
  make: (m) => ({ inputs: [m.value({ types, low, high, rank: [0, 4] })], attributes: attributes?.(m) ?? {} }), ...more,
});

/** @param {Partial<Operator> & { types?: readonly ElementType[], second?: Recipe, low?: number, high?: number, attributes?: (m: Maker) => Made['attributes'] }} [options] @returns {Operator} */
const binary = ({ types = FLOATS, second, low, high, attributes, ...more } = {}) => ({
  make(m) {
    const a = m.value({ types, low, high, rank: [0, 4] }), b = m.partner(a, second);
    return { inputs: second === undefined && m.c.is(0.3) ? [b, a] : [a, b], attributes: attributes?.(m) ?? {} };
  }, ...more,
});

/** @param {readonly ElementType[]} types @param {Partial<Operator>} [more] @returns {Operator} */
const variadic = (types, more) => ({
  make(m) {
    const first = m.value({ types, rank: [0, 4] }), inputs = [first];
    for (let i = m.c.int(0, 3); i > 0; --i) inputs.push(m.partner(first));
    return { inputs: m.c.shuffled(inputs) };
  }, ...more,
});

/** @param {Maker} m @param {string} name @param {number} low @param {number} high */
const parameter = (m, name, low, high) => m.c.is(0.3) ? {} : { [name]: float(m.c.real(low, high)) };

/** WGSL leaves sin, cos and what is made of them an absolute error. */
const OF_ANGLES = 2 ** -11;

/** Casts of numbers that both types have. @param {Maker} m @param {readonly ElementType[]} types @returns {[Value, ElementType]} */
function castOperand(m, types) {
  const to = m.c.of(types), unsigned = ['u8', 'u32', 'u64', 'u16'].includes(to);
  return [m.value({ types: ALL, rank: [0, 4], low: to === 'bool' ? undefined : unsigned ? 0 : -100, high: to === 'bool' ? undefined : 100 }), to];
}

/** @type {Record<string, Operator>} */
export const ELEMENTWISE = {
  Abs: unary({ types: NUMBERS, exact: true }),
  Acos: unary({ low: -0.95, high: 0.95 }),
  Acosh: unary({ low: 1.1, high: 5 }),
  Asin: unary({ low: -0.95, high: 0.95 }),
  Asinh: unary(),
  Atan: unary(),
  Atanh: unary({ low: -0.9, high: 0.9 }),
  Ceil: unary({ exact: true }),
  Celu: unary({ since: 12, attributes: (m) => parameter(m, 'alpha', 0.5, 2) }),
  Cos: unary({ low: -20, high: 20, slack: OF_ANGLES }),
  Cosh: unary({ low: -5, high: 5 }),
  Elu: unary({ low: -20, high: 20, attributes: (m) => parameter(m, 'alpha', 0.5, 2) }),
  Erf: unary(),
  Exp: unary({ low: -10, high: 5 }),
  Floor: unary({ exact: true }),
  Gelu: unary({ since: 20, attributes: (m) => m.c.of([{}, { approximate: 'tanh' }, { approximate: 'none' }]) }),
  HardSigmoid: unary({ attributes: (m) => ({ ...parameter(m, 'alpha', 0.1, 1), ...parameter(m, 'beta', 0, 1) }) }),
  HardSwish: unary({ since: 14 }),
  Identity: unary({ types: ALL, exact: true }),
  IsInf: unary({ since: 10, types: ['f32'], exact: true, attributes: (m) => m.c.of([{}, { detect_negative: 0 }, { detect_positive: 0 }]) }),
  IsNaN: unary({ types: FLOATS, exact: true }),
  LeakyRelu: unary({ attributes: (m) => parameter(m, 'alpha', 0.01, 0.5) }),
  Log: unary({ low: 0.05, high: 1e4 }),
  Mish: unary({ since: 18, low: -20, high: 20 }),
  Neg: unary({ types: [...FLOATS, 'i32', 'i64', 'i8'], exact: true }),
  Not: unary({ types: ['bool'], exact: true }),
  BitwiseNot: unary({ since: 18, types: INTEGERS, exact: true }),
  Reciprocal: unary({ low: 0.2, high: 100 }),
  Relu: unary({ types: [...FLOATS, 'i32', 'i64', 'i8'], exact: true }),
  Round: unary({ since: 11, exact: true }),
  Selu: unary({ low: -20, high: 20, attributes: (m) => ({ ...parameter(m, 'alpha', 1, 2), ...parameter(m, 'gamma', 1, 2) }) }),
  // Integers are cast to floats and back: ONNX Runtime computes x - bias in the integers' type.
  Shrink: unary({ attributes: (m) => ({ ...parameter(m, 'lambd', 0.1, 1), ...parameter(m, 'bias', 0, 0.5) }) }),
  // ONNX Runtime's own is a rational function.
  Sigmoid: unary({ slack: 1e-7 }),
  Sign: unary({ types: NUMBERS, exact: true }),
  Sin: unary({ low: -20, high: 20, slack: OF_ANGLES }),
  Sinh: unary({ low: -5, high: 5 }),
  Softplus: unary({ low: -20, high: 20 }),
  Softsign: unary(),
  Sqrt: unary({ low: 0.01, high: 1e4 }),
  Swish: unary({ since: 24, low: -20, high: 20, attributes: (m) => parameter(m, 'alpha', 0.5, 2) }),
  Tan: unary({ low: -1.2, high: 1.2, slack: 4 * OF_ANGLES }),
  Tanh: unary(),
  ThresholdedRelu: unary({ since: 10, exact: true, attributes: (m) => parameter(m, 'alpha', -1, 1) }),

  Add: binary({ types: [...FLOATS, 'i32', 'i64'] }),
  Sub: binary({ types: [...FLOATS, 'i32', 'i64'] }),
  Mul: binary({ types: [...FLOATS, 'i32', 'i64'] }),
  Div: {
    make(m) {
      const a = m.value({ types: [...FLOATS, 'i32', 'i64'], rank: [0, 4] });
      const isReal = FLOATS.includes(a.type), low = isReal ? 0.3 : 1;
      return { inputs: [a, m.fresh(a.type, m.broadcastable(a.shape), m.c.is(0.7) ? { low, high: 9 } : { low: -9, high: isReal ? -0.3 : -1 })] };
    },
  },
  Pow: {
    make(m) {
      const base = m.value({ types: [...FLOATS, 'i32', 'i64'], low: 0, high: 6, rank: [0, 4] });
      const isReal = FLOATS.includes(base.type), shape = m.broadcastable(base.shape);
      // Between types from opset 12 on.
      const type = m.opset >= 12 && m.c.is(0.3) ? m.c.of(/** @type {ElementType[]} */ (['f32', 'i32', 'i64'])) : base.type;
      const powers = isReal ? FLOATS.includes(type) ? m.c.of([{ low: 0.25, high: 3 }, { values: [2] }, { values: [0.5, 2, 3] }]) : { low: 0, high: 4 } : { values: [1, 2, 3] };
      return { inputs: [base, m.fresh(type, shape, powers)] };
    },
  },
  Mod: {
    since: 10, exact: true,
    make(m) {
      const a = m.value({ types: NUMBERS, rank: [0, 4] }), isReal = FLOATS.includes(a.type), fmod = isReal || m.c.is(0.3) ? 1 : 0;
      const signs = ['u8'].includes(a.type) || m.c.is(0.5) ? { low: 1, high: 7 } : { low: -7, high: -1 };
      return { inputs: [a, m.fresh(a.type, m.broadcastable(a.shape), isReal ? { low: 0.7, high: 3 } : signs)], attributes: { fmod } };
    },
  },
  Max: variadic([...FLOATS, 'i32', 'i64', 'u8', 'i8'], { exact: true }),
  Min: variadic([...FLOATS, 'i32', 'i64', 'u8', 'i8'], { exact: true }),
  Sum: variadic(FLOATS),
  Mean: variadic(FLOATS),
  And: binary({ types: ['bool'], exact: true }),
  Or: binary({ types: ['bool'], exact: true }),
  Xor: binary({ types: ['bool'], exact: true }),
  Equal: binary({ types: [...FLOATS, 'i32', 'i64', 'bool', 'u8'], exact: true }),
  Less: binary({ types: NUMBERS, exact: true }),
  LessOrEqual: binary({ since: 12, types: NUMBERS, exact: true }),
  Greater: binary({ types: NUMBERS, exact: true }),
  GreaterOrEqual: binary({ since: 12, types: NUMBERS, exact: true }),
  BitShift: binary({ since: 11, types: ['u8', 'u32', 'u64'], low: 0, high: 100, second: { low: 0, high: 7 }, exact: true, attributes: (m) => ({ direction: m.c.of(['LEFT', 'RIGHT']) }) }),
  BitwiseAnd: binary({ since: 18, types: INTEGERS, exact: true }),
  BitwiseOr: binary({ since: 18, types: INTEGERS, exact: true }),
  BitwiseXor: binary({ since: 18, types: INTEGERS, exact: true }),
  PRelu: { make: (m) => { const x = m.value({ types: [...FLOATS, 'i32', 'i64'], rank: [1, 4] }); return { inputs: [x, m.fresh(x.type, m.broadcastable(x.shape), FLOATS.includes(x.type) ? { low: -1, high: 1 } : {})] }; } },
  SwiGLU: { since: 27, make: (m) => { const x = m.value({ rank: [1, 4] }); return { inputs: [x, m.value({ types: [x.type], shape: x.shape })] }; } },

  Where: {
    exact: true,
    make(m) {
      const a = m.value({ types: ALL, rank: [0, 4] }), b = m.partner(a);
      return { inputs: [m.value({ types: ['bool'], shape: m.broadcastable(a.shape) }), a, b] };
    },
  },
  Clip: {
    exact: true,
    make(m) {
      if (m.opset < 11) return { inputs: [m.value({ types: ['f32'], rank: [0, 4] })], attributes: { ...m.c.is(0.7) && { min: float(-0.75) }, ...m.c.is(0.7) && { max: float(1.25) } } };
      const x = m.value({ types: m.opset >= 12 ? NUMBERS : ['f32'], rank: [0, 4] }), isReal = FLOATS.includes(x.type);
      const low = m.c.is(0.7) ? m.leaf(x.type, [], isReal ? { low: -1, high: 0 } : { low: 0, high: 2 }) : null;
      const high = m.c.is(0.7) ? m.leaf(x.type, [], isReal ? { low: 0.1, high: 1.5 } : { low: 3, high: 8 }) : null;
      return { inputs: [x, low, high] };
    },
  },
  // Between reals a cast rounds, where it rounds to halves.
  Cast: { exact: true, make: (m) => { const [x, to] = castOperand(m, ALL); return { inputs: [x], attributes: { to: TYPES[to] } }; } },
  CastLike: { since: 15, exact: true, make: (m) => { const [x, to] = castOperand(m, ALL); return { inputs: [x, m.value({ types: [to], rank: [0, 2] })] }; } },
  BitCast: { since: 26, exact: true, make: (m) => ({ inputs: [m.value({ types: ['i32'] })], attributes: { to: TYPES.f32 } }) },
  Dropout: {
    exact: true,
    make(m) {
      const x = m.value(), outputs = [true, m.opset >= 10 && m.c.is(0.3)];
      if (m.opset < 12) return { inputs: [x], attributes: { ratio: float(0.3) }, outputs };
      return { inputs: [x, m.c.is() ? m.scalar(0.3, 'f32') : null, m.c.is(0.3) ? m.scalar(0, 'bool') : null], outputs };
    },
  },
};
