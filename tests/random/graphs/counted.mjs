// Operators whose results have sizes that the data gives.

import { TYPES } from '../../onnx_model.mjs';
import { ALL } from './maker.mjs';

/** @import { Operator } from './elementwise.mjs' */
/** @import { Maker } from './maker.mjs' */
/** @import { ElementType } from './values.mjs' */

/** What ONNX Runtime finds elements of. @type {ElementType[]} */
const SEARCHED = ['f32', 'i32', 'i64', 'u8', 'bool'];
/** Mostly zeros and ones, so that some elements are found and some not. */
const sparse = { whole: true, low: -1, high: 1 };

/** A mask of this shape, often computed. @param {Maker} m @param {number[]} shape */
const mask = (m, shape) => m.value({ types: ['bool'], shape });

/** @type {Record<string, Operator>} */
export const COUNTED = {
  NonZero: { exact: true, make: (m) => ({ inputs: [m.c.is() ? m.value({ types: SEARCHED, rank: [1, 4] }) : m.value({ types: SEARCHED, rank: [1, 4], recipe: sparse })] }) },
  'NonZero of a mask, and what lies there': {
    exact: true,
    async make(m) {
      const x = m.value({ types: ALL, rank: [1, 3] }), found = await m.add('NonZero', [mask(m, m.opset >= 12 ? x.shape : x.shape.slice(0, 1))]);
      if (m.opset >= 12) return { op: 'GatherND', inputs: [x, await m.add('Transpose', [found])] };
      return { op: 'Gather', inputs: [x, await m.add('Squeeze', [found], { axes: [0] })] };
    },
  },
  'NonZero of a comparison, and the rows that are it': {
    since: 13, exact: true,
    async make(m) {
      const x = m.value({ types: ALL, rank: [1, 3] }), scores = m.value({ types: ['f32', 'i32'], shape: x.shape.slice(0, 1) });
      const over = await m.add('Greater', [scores, m.leaf(scores.type, [], { low: -1, high: 1 })]), found = await m.add('NonZero', [over]);
      return { op: 'Gather', inputs: [x, await m.add('Squeeze', [found, m.longs([0])])], attributes: { axis: 0 } };
    },
  },
  'TopK of what is there, at most some': {
    since: 13, exact: true,
    async make(m) {
      const x = m.value({ types: ['f32', 'i32', 'i64'], rank: 1, fits: ([n]) => n > 0, ...m.c.is(0.7) && { recipe: { distinct: true } } }), most = m.c.int(1, 9);
      // As PyTorch writes min(k, n).
      const k = await m.add('Min', [m.ofShape('Shape', x), m.fixed('i64', [1], [most])]);
      return { inputs: [x, k], outputs: [true, true] };
    },
  },
  Compress: {
    exact: true,
    make(m) {
      const x = m.value({ types: ALL, rank: [1, 4], fits: (shape) => !shape.includes(0) }), rank = x.shape.length, axis = m.c.is(0.6) ? m.c.int(0, rank - 1) : undefined;
      const size = axis === undefined ? x.shape.reduce((a, b) => a * b, 1) : x.shape[axis];
      return { inputs: [x, mask(m, [m.c.is(0.7) ? size : m.c.int(1, size)])], attributes: axis === undefined ? {} : { axis: m.opset >= 11 ? m.axis(rank, axis) : axis } };
    },
  },
  Unique: {
    since: 11, exact: true,
    make(m) {
      const x = m.value({ types: ['f32', 'i64', 'i8'], rank: [1, 3], most: 300, fits: (shape) => !shape.includes(0), recipe: { whole: true, low: -2, high: 2 } });
      const outputs = [true, m.c.is(), m.c.is(), m.c.is()];
      return { inputs: [x], attributes: { ...m.c.is() && { axis: m.axis(x.shape.length) }, ...m.c.is() && { sorted: m.c.int(0, 1) } }, outputs };
    },
  },
  NonMaxSuppression: {
    since: 10, exact: true,
    make(m) {
      const batch = m.c.int(1, 2), classes = m.c.int(1, 3), boxes = m.c.int(1, 12);
      const number = (/** @type {number} */ value, /** @type {import('./values.mjs').Recipe} */ recipe) => m.leaf('f32', [], recipe, { fixed: true, data: Float32Array.of(value), recipe });
      return {
        inputs: [m.leaf('f32', [batch, boxes, 4], { whole: true, low: 1, high: 7 }, { opens: true }), m.leaf('f32', [batch, classes, boxes], { distinct: true, low: 0, high: 1 }, { opens: true }),
          m.leaf('i64', m.c.is() ? [] : [1], { low: 0, high: 6 }),
          // Not a quotient of small integers, which boxes that nearly overlap by so much would have.
          m.c.is(0.7) ? number(0.3711, { values: [0.1213, 0.3711, 0.6211] }) : null, m.c.is() ? number(0.2503, { values: [0.2503, 0.7501] }) : null],
        attributes: { center_point_box: m.c.int(0, 1) },
      };
    },
  },
  'RoiAlign of boxes that are counted': {
    since: 16, slack: 1e-5,
    async make(m) {
      const n = m.c.int(1, 6), channels = m.c.int(1, 3), x = m.value({ types: ['f32'], shape: [1, channels, m.c.int(3, 6), m.c.int(3, 6)] });
      const kept = await m.add('Compress', [m.leaf('f32', [n, 4], { values: [0.25, 1.5, 2.75, 4.25] }), mask(m, [n])], { axis: 0 });
      const index = await m.add('ConstantOfShape', [await m.add('Slice', [m.ofShape('Shape', kept), m.fixed('i64', [1], [0]), m.fixed('i64', [1], [1])])], { value: { tensor: { type: ['i64', [1]], bytes: new Uint8Array(8) } } });
      return { op: 'RoiAlign', inputs: [x, kept, index], attributes: { output_height: 2, output_width: 2, sampling_ratio: 2 } };
    },
  },
  'NonZero and ScatterElements': {
    since: 13, exact: true,
    async make(m) {
      const n = m.c.int(1, 12), x = m.value({ types: ['f32', 'i64'], shape: [n] }), found = await m.add('Squeeze', [await m.add('NonZero', [mask(m, [n])]), m.longs([0])]);
      const picked = await m.add('Gather', [x, found]);
      return { op: 'ScatterElements', inputs: [m.value({ types: [x.type], shape: [n] }), found, picked] };
    },
  },
  'Cast of NonZero': { exact: true, async make(m) { return { op: 'Cast', inputs: [await m.add('NonZero', [mask(m, m.shape([1, 3]))])], attributes: { to: TYPES.f32 } }; } },
};
