// Products of matrices, convolutions and other windows.

import { FLOATS, float } from './maker.mjs';

/** @import { Operator } from './elementwise.mjs' */
/** @import { Value } from './evaluate.mjs' */
/** @import { Maker } from './maker.mjs' */
/** @import { ElementType } from './values.mjs' */

/** A leaf or an earlier result that multiplies x from the right: [..., k, n]. @param {Maker} m @param {Value} x */
function multiplier(m, x) {
  const k = /** @type {number} */ (x.shape.at(-1)), n = m.c.is(0.1) ? [] : [m.c.is(0.2) ? m.c.int(17, 70) : m.c.int(1, 16)];
  const batch = n.length && x.shape.length > 2 && m.c.is(0.5) ? m.broadcastable(x.shape.slice(0, -2)) : n.length && m.c.is(0.1) ? [m.c.int(1, 3)] : [];
  const fits = batch.every((size, d) => { const own = x.shape[x.shape.length - 2 - batch.length + d]; return own === undefined || own === 1 || size === 1 || size === own; });
  return m.value({ types: [x.type], shape: [...fits ? batch : [], k, ...n] });
}

const EQUATIONS = ['ij,jk->ik', 'bij,bjk->bik', 'ij->ji', 'ii->i', 'ij->', 'ij,ij->i', 'i,j->ij', 'bhid,bhjd->bhij', 'ij,kj->ik', 'abc,cd->abd', '...i,...i->...', 'bij->bj', 'ij,jk,kl->il', 'ij,jk', '...ij->...ji', 'ijk,k->ij', 'ij,ij->', 'abcd->dcba'];

/** @param {Maker} m */
function einsum(m) {
  const equation = m.c.of(EQUATIONS), sizes = new Map(), hidden = m.c.is() ? [] : [m.c.int(1, 4)];
  const type = m.type(['f32', 'i32', 'i64']);
  const inputs = equation.split('->')[0].split(',').map((labels) => m.value({ types: [type], shape: [...labels.startsWith('...') ? hidden : [], ...[...labels.replace('...', '')].map((label) => {
    if (!sizes.has(label)) sizes.set(label, m.c.is(0.1) ? m.c.int(20, 40) : m.c.int(1, 8));
    return sizes.get(label);
  })] }));
  return { inputs, attributes: { equation } };
}

/** @typedef {{ kernel: number[], strides: number[], dilations: number[], attributes: Record<string, number[] | string> }} Window */

/** A window that fits in an image. @param {Maker} m @param {number[]} image @param {{ dilates?: boolean, largest?: number, automatic?: boolean }} [options] @returns {Window} */
function windowFor(m, image, { dilates = true, largest = 4, automatic = true } = {}) {
  const kernel = image.map((size) => m.c.int(1, Math.min(largest, Math.max(1, size))));
  const strides = image.map(() => m.c.of([1, 1, 1, 2, 3])), dilations = image.map((size, d) => dilates && m.c.is(0.2) && (kernel[d] - 1) * 2 < size ? 2 : 1);
  const way = m.c.int(0, automatic ? 4 : 2), pads = [0, 1].flatMap(() => kernel.map((size) => m.c.int(0, size - 1)));
  return { kernel, strides, dilations, attributes: {
    ...way === 0 ? {} : way < 3 ? { pads } : { auto_pad: m.c.of(['SAME_UPPER', 'SAME_LOWER', 'VALID']) },
    ...strides.some((stride) => stride !== 1) || m.c.is() ? { strides } : {}, ...dilations.some((dilation) => dilation !== 1) ? { dilations } : {} } };
}

/** [n, channels, ...] @param {Maker} m @param {number} [channels] @param {readonly ElementType[]} [types] */
function picture(m, channels, types = FLOATS) {
  const rank = m.c.of([1, 2, 2, 2, 3]), side = rank === 1 ? 30 : rank === 2 ? 11 : 5;
  if (!channels) {
    const found = m.value({ types, rank: rank + 2, fits: (shape) => !shape.includes(0), most: 3000 });
    return found;
  }
  return m.value({ types, shape: [m.c.int(1, 2), channels, ...Array.from({ length: rank }, () => m.c.int(1, side))] });
}

/** @param {boolean} transposed @returns {Operator['make']} */
const convolution = (transposed) => (m) => {
  const group = m.c.of([1, 1, 1, 2, 3]), each = m.c.int(1, 4), out = m.c.is(0.15) ? m.c.int(9, 20) : m.c.int(1, 5), depthwise = m.c.is(0.15);
  const channels = group * each, x = picture(m, channels), groups = depthwise ? channels : group, made = groups * (depthwise ? m.c.int(1, 2) : out);
  const { kernel, strides, attributes } = windowFor(m, x.shape.slice(2), { automatic: !transposed });
  const filter = transposed ? [channels, made / groups, ...kernel] : [made, channels / groups, ...kernel];
  const inputs = [x, m.value({ types: [x.type], shape: filter, recipe: { low: -1, high: 1 } }), m.c.is() ? m.leaf(x.type, [made]) : null];
  const extra = transposed && m.c.is(0.3) ? { output_padding: strides.map((stride) => m.c.int(0, stride - 1)), strides } : {};
  return { inputs, attributes: { ...attributes, ...extra, ...groups > 1 && { group: groups }, ...m.c.is() && { kernel_shape: kernel } } };
};

/** @param {number} dilates the opset since which the window may have holes @param {number} rounds since which sizes may round up @param {(m: Maker) => object} [more] */
const pool = (dilates, rounds, more = () => ({})) => (/** @type {Maker} */ m, /** @type {readonly ElementType[]} */ types = ['f32']) => {
  const x = picture(m, undefined, types), { kernel, attributes } = windowFor(m, x.shape.slice(2), { dilates: m.opset >= dilates });
  // ONNX's text and ONNX Runtime differ in how many elements a window that hangs over the end has.
  const ceil = m.opset >= rounds && !('auto_pad' in attributes) && m.c.is(0.2) ? { ceil_mode: 1 } : {};
  return { inputs: [x], attributes: { kernel_shape: kernel, ...attributes, ...ceil, ...more(m) } };
};

/** @param {Maker} m */
const global = (m) => ({ inputs: [m.value({ types: FLOATS, rank: [3, 5], fits: (shape) => !shape.includes(0) })] });

/** @type {Record<string, Operator>} */
export const PRODUCTS = {
  MatMul: {
    make(m) {
      const x = m.value({ types: [...FLOATS, 'i32', 'i64'], rank: [1, 4] });
      return { inputs: [x, multiplier(m, x)] };
    },
  },
  Gemm: {
    make(m) {
      const transA = m.c.int(0, 1), transB = m.c.int(0, 1), a = m.value({ rank: 2 }), [rows, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
      const columns = m.c.is(0.2) ? m.c.int(17, 70) : m.c.int(1, 16), b = m.value({ types: [a.type], shape: transB ? [columns, k] : [k, columns] });
      const c = m.c.is(0.3) && m.opset >= 11 ? null : m.value({ types: [a.type], shape: m.c.of([[rows, columns], [columns], [1, columns], [rows, 1], [1], []]) });
      return { inputs: [a, b, c], attributes: { transA, transB, ...m.c.is(0.3) && { alpha: float(0.5) }, ...m.c.is(0.3) && { beta: float(0.25) } } };
    },
  },
  Einsum: { since: 12, make: einsum },
  Conv: { make: convolution(false) },
  ConvTranspose: { make: convolution(true) },
  AveragePool: { make: (m) => pool(19, 10, () => m.c.is() ? { count_include_pad: 1 } : {})(m) },
  MaxPool: {
    exact: true,
    make(m) {
      const made = pool(10, 10)(m, m.opset >= 12 ? ['f32', 'u8', 'i8'] : ['f32']);
      return { ...made, outputs: [true, m.c.is(0.25)] };
    },
  },
  LpPool: { make: (m) => pool(18, 18, () => ({ p: m.c.int(1, 3) }))(m) },
  GlobalAveragePool: { make: global },
  GlobalMaxPool: { exact: true, make: global },
  GlobalLpPool: { make: (m) => ({ inputs: [m.value({ types: ['f32'], rank: [3, 5], fits: (shape) => !shape.includes(0) })], attributes: { p: m.c.int(1, 3) } }) },
  MaxUnpool: {
    since: 9, exact: true,
    make(m) {
      const [n, c, h, w] = [1, m.c.int(1, 2), m.c.int(1, 3), m.c.int(1, 3)], size = n * c * h * w * 4;
      const places = Array.from({ length: n * c * h * w }, (_, i) => i), taken = m.c.shuffled(Array.from({ length: size }, (_, i) => i)).slice(0, places.length);
      const indices = m.leaf('i64', [n, c, h, w], {}, { data: BigInt64Array.from(taken, BigInt), recipe: undefined });
      return { inputs: [m.value({ types: ['f32'], shape: [n, c, h, w] }), indices], attributes: { kernel_shape: [2, 2], strides: [2, 2] } };
    },
  },
  DeformConv: {
    since: 19,
    make(m) {
      const group = m.c.int(1, 2), offset_group = m.c.int(1, 2), channels = 2 * group * offset_group, [h, w] = [m.c.int(3, 6), m.c.int(3, 6)], out = group * m.c.int(1, 2), pad = m.c.int(0, 1);
      const places = [h - 1 + 2 * pad, w - 1 + 2 * pad];
      return { inputs: [m.value({ types: ['f32'], shape: [1, channels, h, w] }), m.leaf('f32', [out, channels / group, 2, 2]), m.leaf('f32', [1, offset_group * 8, ...places], { low: -1.4, high: 1.4 }),
        m.c.is() ? m.leaf('f32', [out]) : null, m.c.is() ? m.leaf('f32', [1, offset_group * 4, ...places], { low: 0, high: 1 }) : null], attributes: { group, offset_group, pads: [pad, pad, pad, pad], kernel_shape: [2, 2] } };
    },
  },
  GridSample: {
    since: 16,
    make(m) {
      const n = m.c.int(1, 2), modes = m.opset >= 20 ? ['linear', 'nearest', 'cubic'] : ['bilinear', 'nearest', 'bicubic'];
      const x = m.value({ types: ['f32'], shape: [n, m.c.int(1, 3), m.c.int(1, 5), m.c.int(1, 5)] });
      return { inputs: [x, m.leaf('f32', [n, m.c.int(1, 4), m.c.int(1, 4), 2], { low: -1.3, high: 1.3 })],
        attributes: { mode: m.c.of(modes), padding_mode: m.c.of(['zeros', 'border', 'reflection']), align_corners: m.c.int(0, 1) } };
    },
  },
  RoiAlign: {
    since: 10,
    make(m) {
      const n = m.c.int(1, 2), rois = m.c.int(1, 3), x = m.value({ types: ['f32'], shape: [n, m.c.int(1, 3), m.c.int(4, 8), m.c.int(4, 8)] });
      const corners = Float32Array.from({ length: rois * 4 }, (_, i) => i % 4 < 2 ? m.c.real(0, 3) : m.c.real(3.5, 9));
      return { inputs: [x, m.leaf('f32', [rois, 4], {}, { data: corners, recipe: undefined }), m.leaf('i64', [rois], { low: 0, high: n - 1 })],
        // ONNX Runtime takes the largest of products with weights, which ONNX's text does not say.
        attributes: { output_height: m.c.int(1, 3), output_width: m.c.int(1, 3), sampling_ratio: m.c.int(1, 3), spatial_scale: float(m.c.of([1, 0.5])) } };
    },
  },
  MaxRoiPool: {
    exact: true,
    make(m) {
      const rois = m.c.int(1, 3), x = m.value({ types: ['f32'], shape: [1, m.c.int(1, 3), m.c.int(4, 8), m.c.int(4, 8)] });
      const corners = Float32Array.from({ length: rois * 5 }, (_, i) => i % 5 === 0 ? 0 : i % 5 < 3 ? m.c.int(0, 2) : m.c.int(3, 7));
      return { inputs: [x, m.leaf('f32', [rois, 5], {}, { data: corners, recipe: undefined })], attributes: { pooled_shape: [m.c.int(1, 3), m.c.int(1, 3)] } };
    },
  },
  CausalConvWithState: { since: 27, make: (m) => { const c = m.c.int(1, 4), k = m.c.int(1, 3); return { inputs: [m.value({ types: ['f32'], shape: [1, c, m.c.int(1, 9)] }), m.leaf('f32', [c, 1, k]), null, null] }; } },
};
