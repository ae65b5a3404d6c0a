// Nodes that ONNX's own cases do not have: other ranks, types, sizes that are open or 0, attributes, older opsets.
// `node operators_reference.mjs` computes what ONNX Runtime makes of them, and operators.test.mjs compares.

/** @typedef {Parameters<typeof import('../onnx_model.mjs').onnxModel>[0]} Model */
/** @typedef {import('../onnx_model.mjs').Type} Type */
/** @typedef {import('../onnx_model.mjs').Node} Node */
/** @typedef {{ shape: number[], data: any }} Value */
/** @typedef {{ model: Model, runs: Record<string, Value>[], precise?: boolean, reference?: Model }} Case `reference` is the same in operators that ONNX Runtime's CPU has */

const ARRAYS = { f32: Float32Array, f64: Float64Array, i32: Int32Array, i64: BigInt64Array, bool: Uint8Array, u8: Uint8Array };

/** Reals of all signs in (-size, size), or integers from 0 to size - 1. @param {keyof typeof ARRAYS} type @param {number[]} shape */
export function made(type, shape, size = 2, seed = 0) {
  const count = shape.reduce((a, b) => a * b, 1), real = type === 'f32' || type === 'f64';
  // What a linear congruence gives: no two neighbours are alike, and no period shows.
  let state = 12345 + 999 * seed;
  const next = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const values = Array.from({ length: count }, () => real ? (next() * 2 - 1) * size : Math.floor(next() * size));
  return { shape, data: type === 'i64' ? BigInt64Array.from(values, BigInt) : ARRAYS[type].from(values) };
}

/** @param {keyof typeof ARRAYS} type @param {number[]} shape @param {number[]} values */
export const given = (type, shape, values) => ({ shape, data: type === 'i64' ? BigInt64Array.from(values, BigInt) : ARRAYS[type].from(values) });
/** A constant. @param {number[]} values @returns {import('../onnx_model.mjs').Tensor} */
const given32 = (values) => ({ type: ['i32', [values.length]], bytes: new Uint8Array(Int32Array.from(values).buffer) });
/** The same. @param {...number} values @returns {import('../onnx_model.mjs').Tensor} */
const given64 = (...values) => ({ type: ['i64', [values.length]], bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) });
/** @param {...number} values */
const longs = (...values) => values.map(BigInt);

/**
 * A model of one node. Inputs are constants, or else are fed: their types have symbols where sizes are open.
 * @param {string} op @param {number} opset @param {Record<string, Type>} inputs in the node's order; '' for none
 * @param {Node['attributes']} attributes @param {Record<string, Value>[]} runs
 * @param {{ constants?: Model['constants'], outputs?: Record<string, Type>, operands?: string[], precise?: boolean }} [more] precise where
 *   ONNX Runtime's own f32 is not, so that the reference is computed in f64
 * @returns {Case}
 */
function one(op, opset, inputs, attributes, runs, { constants, outputs = { y: ['f32', []] }, operands, precise = false } = {}) {
  const nodes = [{ op, inputs: operands ?? [...Object.keys(inputs), ...Object.keys(constants ?? {})], outputs: Object.keys(outputs), attributes }];
  return { model: { inputs, outputs, nodes, constants, opset }, runs, precise };
}

/** @param {number} rank of a result @param {Type[0]} [type] @returns {Record<string, Type>} */
export const y = (rank, type = 'f32') => ({ y: [type, Array.from({ length: rank }, (_, d) => `y${d}`)] });
/** @param {number} value */
const float = (value) => ({ float: value });

/** @type {Record<string, Case>} */
export const CASES = {};

// ---- Losses

for (const reduction of ['mean', 'sum', 'none']) {
  const targets = given('i64', [3, 2], [0, 4, 2, 2, 1, 4]), scores = made('f32', [3, 5, 2]);
  for (const op of ['NegativeLogLikelihoodLoss', 'SoftmaxCrossEntropyLoss']) {
    CASES[`${op} of open sizes, ${reduction}`] = one(op, 13, { x: ['f32', ['n', 5, 'd']], t: ['i64', ['n', 'd']] }, { reduction },
      [{ x: scores, t: targets }, { x: made('f32', [1, 5, 4], 9), t: given('i64', [1, 4], [3, 3, 0, 1]) }], { outputs: y(reduction === 'none' ? 2 : 0) });
    CASES[`${op} with weights and what it ignores, ${reduction}`] = one(op, 13, { x: ['f32', [3, 5, 2]], t: ['i32', [3, 2]], w: ['f32', [5]] },
      { reduction, ignore_index: 2 }, [{ x: scores, t: given('i32', [3, 2], [0, 4, 2, 2, 1, 4]), w: given('f32', [5], [1, 0.5, 3, 0.25, 2]) }],
      { outputs: y(reduction === 'none' ? 2 : 0) });
  }
}
CASES['SoftmaxCrossEntropyLoss in f64 with its logarithms'] = one('SoftmaxCrossEntropyLoss', 13, { x: ['f64', [3, 5]], t: ['i64', [3]] }, {},
  [{ x: made('f64', [3, 5], 30), t: given('i64', [3], [0, 4, 2]) }], { outputs: { ...y(0, 'f64'), z: ['f64', [3, 5]] } });

// ---- Sequences, crops

CASES['ReverseSequence of open sizes'] = one('ReverseSequence', 10, { x: ['f32', ['t', 'n', 3]], l: ['i64', ['n']] }, {},
  [{ x: made('f32', [4, 2, 3]), l: given('i64', [2], [1, 4]) }, { x: made('f32', [2, 3, 3]), l: given('i64', [3], [2, 1, 2]) }], { outputs: y(3) });
CASES['ReverseSequence of integers, batch first'] = one('ReverseSequence', 10, { x: ['i64', [2, 4]], l: ['i64', [2]] }, { batch_axis: 0, time_axis: 1 },
  [{ x: made('i64', [2, 4], 99), l: given('i64', [2], [3, 2]) }], { outputs: y(2, 'i64') });
CASES['CenterCropPad of an open size'] = one('CenterCropPad', 18, { x: ['f32', ['n', 3]] }, { axes: [0] },
  [2, 3, 5, 8, 9].map((n) => ({ x: made('f32', [n, 3]) })), { constants: { s: longs(5) }, outputs: y(2) });
CASES['CenterCropPad of axes from the end'] = one('CenterCropPad', 18, { x: ['f32', [2, 5, 4]] }, { axes: [-1, -2] },
  [{ x: made('f32', [2, 5, 4]) }], { constants: { s: longs(7, 2) }, outputs: y(3) });

// ---- The first of rows whose size is open: blocks of 64, 256 and 1,024, and rows shorter than these

for (const [k, largest, sizes] of [[8, 1, [8, 63, 64, 200, 5000]], [20, 0, [20, 257, 3000]], [200, 1, [200, 2500]]])
  CASES[`TopK, ${k} of an open size, ${largest ? 'largest' : 'smallest'}`] = one('TopK', 11, { x: ['f32', ['b', 'n', 2]] }, { axis: 1, largest: Number(largest) },
    // Of which some are equal.
    /** @type {number[]} */ (sizes).map((n, i) => ({ x: given('f32', [1 + i % 2, n, 2], [...made('f32', [1 + i % 2, n, 2], 400).data].map(Math.round)) })),
    { constants: { k: longs(Number(k)) }, outputs: { ...y(3), z: ['i64', ['z0', 'z1', 'z2']] } });

// ---- Pools that pad open sizes

/** @type {[string, string, number, Node['attributes']][]} */
const SAME_POOLS = [['AveragePool', 'SAME_UPPER', 11, { strides: [2, 2] }], ['AveragePool', 'SAME_LOWER', 11, { strides: [2, 1] }], ['AveragePool', 'SAME_UPPER', 19, { strides: [2, 3], count_include_pad: 1 }],
  ['LpPool', 'SAME_LOWER', 18, { strides: [3, 2] }], ['MaxPool', 'SAME_UPPER', 12, { strides: [2, 2] }]];
for (const [op, auto_pad, opset, attributes] of SAME_POOLS)
  CASES[`${op} of open sizes, ${auto_pad}, in steps of ${attributes?.strides}`] = one(op, opset, { x: ['f32', ['n', 3, 'h', 'w']] }, { kernel_shape: [3, 4], auto_pad, ...attributes },
    [[1, 3, 6, 8], [2, 3, 7, 9], [1, 3, 5, 10], [1, 3, 4, 4]].map((shape) => ({ x: made('f32', shape) })), { outputs: y(4) });

for (const [auto_pad, attributes] of /** @type {[string, Node['attributes']][]} */ ([['SAME_UPPER', { strides: [2, 2] }], ['SAME_LOWER', { strides: [3, 2] }], ['SAME_LOWER', { strides: [2, 1], storage_order: 1 }], ['SAME_UPPER', { strides: [2, 3] }]]))
  CASES[`MaxPool of open sizes with indices, ${auto_pad}, ${JSON.stringify(attributes)}`] = one('MaxPool', 12, { x: ['f32', ['n', 3, 'h', 'w']] }, { kernel_shape: [3, 4], auto_pad, ...attributes },
    [[1, 3, 6, 8], [2, 3, 7, 9], [1, 3, 5, 10], [1, 3, 4, 4]].map((shape) => ({ x: made('f32', shape) })), { outputs: { ...y(4), z: ['i64', ['z0', 'z1', 'z2', 'z3']] } });
CASES['MaxPool of an open row with indices'] = one('MaxPool', 12, { x: ['f32', ['n', 'c', 'l']] }, { kernel_shape: [5], auto_pad: 'SAME_LOWER', strides: [2] },
  [[2, 3, 6], [1, 2, 1]].map((shape) => ({ x: made('f32', shape) })), { outputs: { ...y(3), z: ['i64', ['z0', 'z1', 'z2']] } });
// Bytes that are as low as pads are: ONNX Runtime finds none of them, so that the reference is of f32. Its automatic pads do not count dilations.
for (const [dilations, pads] of [[1, [1, 1]], [2, [3, 3]]]) {
  const outputs = { y: /** @type {Type} */ (['u8', ['y0', 'y1', 'y2']]), z: /** @type {Type} */ (['i64', ['z0', 'z1', 'z2']]) }, kernel = { kernel_shape: [dilations === 1 ? 3 : 4], strides: [2], dilations: [Number(dilations)] };
  const example = one('MaxPool', 12, { x: ['u8', ['n', 'c', 'l']] }, { ...kernel, auto_pad: 'SAME_UPPER' }, [{ x: given('u8', [1, 2, 5], [0, 0, 0, 0, 0, 0, 3, 0, 0, 0]) }], { outputs });
  CASES[`MaxPool of open rows of zeros with indices, dilated by ${dilations}`] = { ...example, reference: { ...example.model, nodes: [
    { op: 'Cast', inputs: ['x'], outputs: ['f'], attributes: { to: 1 } }, { op: 'MaxPool', inputs: ['f'], outputs: ['g', 'z'], attributes: { ...kernel, pads: /** @type {number[]} */ (pads) } },
    { op: 'Cast', name: 'bytes', inputs: ['g'], outputs: ['y'], attributes: { to: 2 } }] } };
}

// ---- Windows and spectra

for (const op of ['HannWindow', 'HammingWindow', 'BlackmanWindow']) {
  for (const periodic of [0, 1]) {
    CASES[`${op} of f64, ${periodic ? 'periodic' : 'symmetric'}`] = one(op, 17, {}, { periodic, output_datatype: 11 }, [{}],
      { constants: { s: { type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(9n).buffer) } }, outputs: y(1, 'f64') });
    CASES[`${op} of as many elements as x, ${periodic ? 'periodic' : 'symmetric'}`] = {
      model: { inputs: { x: ['f32', ['n']] }, outputs: y(1), nodes: [{ op: 'Size', inputs: ['x'], outputs: ['s'] }, { op, inputs: ['s'], outputs: ['y'], attributes: { periodic } }], opset: 17 },
      runs: [2, 5, 12].map((n) => ({ x: made('f32', [n]) })),
    };
  }
}
/** @param {number} value @returns {import('../onnx_model.mjs').Tensor} */
const long = (value) => ({ type: ['i64', []], bytes: new Uint8Array(BigInt64Array.of(BigInt(value)).buffer) });
/** @param {number} value @returns {import('../onnx_model.mjs').Tensor} */
const real = (value) => ({ type: ['f32', []], bytes: new Uint8Array(Float32Array.of(value).buffer) });
for (const [bands, length, rate, low, high] of [[8, 64, 16000, 0, 8000], [5, 33, 8000, 125, 3500], [1, 16, 44100, 0, 20000]]) {
  CASES[`MelWeightMatrix of ${bands} bands`] = one('MelWeightMatrix', 17, {}, {}, [{}],
    { constants: { b: long(bands), n: long(length), r: long(rate), l: real(low), h: real(high) }, outputs: y(2) });
}
for (const n of [1, 2, 7, 64, 90, 131, 263]) {
  for (const parts of [1, 2]) {
    for (const inverse of [0, 1]) {
      if (inverse && parts === 1) continue;
      CASES[`DFT of ${n} elements in ${parts} parts${inverse ? ', inverse' : ''}`] = one('DFT', 17, { x: ['f32', [1, n, parts]] }, { axis: 1, inverse },
        [{ x: made('f32', [1, n, parts], 1, n) }], { outputs: y(3), precise: true });
    }
  }
  CASES[`DFT of ${n} real elements, one side`] = one('DFT', 17, { x: ['f32', [1, n, 1]] }, { axis: 1, onesided: 1 },
    [{ x: made('f32', [1, n, 1], 1, n) }], { outputs: y(3), precise: true });
}
for (const length of [4, 10]) {
  CASES[`DFT along the first axis to ${length} elements`] = one('DFT', 20, { x: ['f32', [6, 2, 3, 2]] }, {}, [{ x: made('f32', [6, 2, 3, 2], 1) }],
    { constants: { l: long(length), a: long(-4) }, outputs: y(4) });
}
CASES['DFT of f64'] = one('DFT', 17, { x: ['f64', [2, 100, 2]] }, { axis: 1 }, [{ x: made('f64', [2, 100, 2], 1) }], { outputs: y(3, 'f64') });
CASES['DFT of an open size'] = one('DFT', 17, { x: ['f32', ['b', 'n', 2]] }, { axis: 1 },
  [[2, 5], [1, 64], [3, 1]].map(([b, n]) => ({ x: made('f32', [b, n, 2], 1) })), { outputs: y(3) });
CASES['DFT of an open size, one side'] = one('DFT', 17, { x: ['f32', ['b', 'n', 1]] }, { axis: 1, onesided: 1 },
  [[2, 5], [1, 64], [3, 2]].map(([b, n]) => ({ x: made('f32', [b, n, 1], 1) })), { outputs: y(3) });
CASES['STFT of an open length'] = one('STFT', 17, { x: ['f32', ['b', 'n', 1]] }, {},
  [[1, 40], [2, 33], [1, 16]].map(([b, n]) => ({ x: made('f32', [b, n, 1], 1) })),
  { constants: { step: long(8), window: Array.from({ length: 16 }, (_, i) => Math.sin((i + 0.5) * Math.PI / 16)) }, outputs: y(4) });
CASES['STFT of real numbers without a dimension of parts'] = one('STFT', 17, { x: ['f32', ['b', 'n']] }, {},
  [[1, 40], [3, 16]].map(([b, n]) => ({ x: made('f32', [b, n], 1) })), { constants: { step: long(8), length: long(16) }, operands: ['x', 'step', '', 'length'], outputs: y(4) });
CASES['STFT, both sides'] = one('STFT', 17, { x: ['f32', [1, 50, 1]] }, { onesided: 0 }, [{ x: made('f32', [1, 50, 1], 1) }],
  { constants: { step: long(7), length: long(10) }, operands: ['x', 'step', '', 'length'], outputs: y(4) });

// ---- Images read between their elements

for (const align_corners of [0, 1]) {
  for (const padding_mode of ['zeros', 'border', 'reflection']) {
    for (const mode of ['linear', 'nearest', 'cubic']) {
      CASES[`GridSample ${mode}, ${padding_mode}, align_corners ${align_corners}`] = one('GridSample', 20,
        { x: ['f32', ['n', 2, 'h', 'w']], g: ['f32', ['n', 'i', 'j', 2]] }, { mode, padding_mode, align_corners },
        [{ x: made('f32', [2, 2, 4, 3]), g: made('f32', [2, 3, 2, 2], 1.4) }, { x: made('f32', [1, 2, 1, 5]), g: made('f32', [1, 2, 4, 2], 3, 1) }], { outputs: y(4) });
      if (mode !== 'cubic') CASES[`GridSample in 3 dimensions, ${mode}, ${padding_mode}, align_corners ${align_corners}`] = one('GridSample', 20,
        { x: ['f32', [1, 2, 3, 4, 2]], g: ['f32', [1, 2, 1, 3, 3]] }, { mode, padding_mode, align_corners },
        [{ x: made('f32', [1, 2, 3, 4, 2]), g: made('f32', [1, 2, 1, 3, 3], 1.6) }], { outputs: y(5) });
    }
  }
  // Of a single element's corners ONNX Runtime sees the first, and PyTorch their middle, as we do.
  for (const [n, h, w] of align_corners ? [[2, 3, 4]] : [[2, 3, 4], [1, 2, 1]]) {
    CASES[`AffineGrid of ${h} by ${w}, align_corners ${align_corners}`] = one('AffineGrid', 20, { t: ['f32', ['n', 2, 3]] }, { align_corners },
      [{ t: made('f32', [n, 2, 3]) }], { constants: { s: longs(n, 3, h, w) }, outputs: y(4) });
  }
}
const regions = given('f32', [4, 4], [0, 0, 6, 5, 1.5, 0.5, 3.2, 4.6, -2, -3, 9, 8, 4, 4, 4.2, 4.1]);
for (const [opset, attributes] of /** @type {[number, Node['attributes']][]} */ ([
  [10, { output_height: 2, output_width: 3, sampling_ratio: 2, spatial_scale: float(0.5) }],
  [16, { output_height: 2, output_width: 3, sampling_ratio: 3 }], [16, { output_height: 3, output_width: 2, sampling_ratio: 0 }],
  [16, { output_height: 2, output_width: 2, sampling_ratio: 0, coordinate_transformation_mode: 'output_half_pixel', spatial_scale: float(0.75) }],
  [16, { output_height: 2, output_width: 2, sampling_ratio: 2, mode: 'max' }], [16, { output_height: 2, output_width: 3, sampling_ratio: 0, mode: 'max' }],
  [16, { output_height: 1, output_width: 2, sampling_ratio: 0, mode: 'max', coordinate_transformation_mode: 'output_half_pixel', spatial_scale: float(0.75) }]])) {
  CASES[`RoiAlign of opset ${opset}, ${JSON.stringify(attributes)}`] = one('RoiAlign', opset, { x: ['f32', ['n', 2, 6, 'w']], r: ['f32', ['r', 4]], i: ['i64', ['r']] }, attributes,
    [{ x: made('f32', [2, 2, 6, 7]), r: regions, i: given('i64', [4], [0, 1, 1, 0]) }, { x: made('f32', [1, 2, 6, 3]), r: given('f32', [1, 4], [0.5, 1, 2.5, 5]), i: given('i64', [1], [0]) }], { outputs: y(4) });
}
CASES['MaxRoiPool of open sizes'] = one('MaxRoiPool', 5, { x: ['f32', ['n', 2, 'h', 5]], r: ['f32', ['r', 5]] }, { pooled_shape: [2, 3], spatial_scale: float(0.5) },
  [{ x: made('f32', [2, 2, 6, 5]), r: given('f32', [3, 5], [0, 0, 0, 8, 10, 1, 3, 2, 7, 9, 0, 8, 8, 30, 30]) }], { outputs: y(4) });
for (const [name, group, offset_group, extra] of /** @type {[string, number, number, Node['attributes']][]} */ ([
  ['', 1, 1, {}], [' in groups', 2, 2, { strides: [2, 1], pads: [1, 0, 1, 2] }], [' with dilations', 1, 2, { dilations: [2, 1], pads: [1, 1, 1, 1] }]])) {
  const places = { '': [4, 3], ' in groups': [3, 5], ' with dilations': [5, 5] }[name] ?? [];
  const type = /** @type {Type} */ (['f32', [1, offset_group * 8, ...places]]), mask = /** @type {Type} */ (['f32', [1, offset_group * 4, ...places]]);
  CASES[`DeformConv${name}`] = one('DeformConv', 19, { x: ['f32', [1, 4, 5, 4]], w: ['f32', [2, 4 / group, 2, 2]], o: type, b: ['f32', [2]], m: mask }, { group, offset_group, ...extra },
    [{ x: made('f32', [1, 4, 5, 4]), w: made('f32', [2, 4 / group, 2, 2], 1, 1), o: made('f32', [1, offset_group * 8, ...places], 1.5, 2), b: made('f32', [2], 1, 3), m: made('f32', [1, offset_group * 4, ...places], 1, 4) }], { outputs: y(4) });
}
CASES['Col2Im in one dimension'] = one('Col2Im', 18, { x: ['f32', ['n', 6, 'l']] }, { strides: [2], pads: [1, 1] },
  [{ x: made('f32', [2, 6, 5]) }], { constants: { i: longs(9), b: longs(3) }, outputs: y(3) });
CASES['Col2Im with dilations'] = one('Col2Im', 18, { x: ['f32', [1, 8, 9]] }, { strides: [2, 1], dilations: [2, 1], pads: [1, 0, 1, 0] },
  [{ x: made('f32', [1, 8, 9]) }], { constants: { i: longs(6, 4), b: longs(2, 2) }, outputs: y(4) });
CASES['Col2Im of an open batch'] = one('Col2Im', 18, { x: ['f32', ['n', 8, 12]] }, {}, [{ x: made('f32', [2, 8, 12]) }, { x: made('f32', [0, 8, 12]) }],
  { constants: { i: longs(4, 5), b: longs(2, 2) }, outputs: y(4) });

// ---- Determinants

for (const n of [1, 2, 3, 5, 9]) {
  CASES[`Det of ${n} by ${n}`] = one('Det', 11, { x: ['f32', ['b', n, n]] }, {}, [{ x: made('f32', [3, n, n], 2, n) }, { x: made('f32', [0, n, n]) }], { outputs: y(1) });
}
CASES['Det of a matrix'] = one('Det', 11, { x: ['f32', [3, 3]] }, {}, [[0, 1, 2, 3, 4, 5, 6, 7, 9], [0, 0, 1, 1, 0, 0, 0, 1, 0], [1, 2, 3, 2, 4, 6, 1, 1, 1]].map((x) => ({ x: given('f32', [3, 3], x) })), { outputs: y(0) });

// ---- Long running sums

/** Whole numbers, whose sums are exact in any order. @param {'f32' | 'i32'} type @param {number[]} shape */
const whole = (type, shape) => given(type, shape, [...made('f32', shape, 9).data].map(Math.round));
for (const [exclusive, reverse] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
  CASES[`CumSum of a long vector, exclusive ${exclusive}, reverse ${reverse}`] = one('CumSum', 14, { x: ['f32', [1000]] }, { exclusive, reverse },
    [{ x: whole('f32', [1000]) }], { constants: { a: { type: ['i64', []], bytes: new Uint8Array(8) } }, outputs: y(1) });
}
CASES['CumSum of long columns'] = one('CumSum', 14, { x: ['i32', [2, 1024, 3]] }, {}, [{ x: whole('i32', [2, 1024, 3]) }],
  { constants: { a: { type: ['i64', []], bytes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) } }, outputs: y(3, 'i32') });

// ---- The largest of long rows

const LONG = made('f32', [2, 5000], 9, 7).data.map((/** @type {number} */ x) => Math.round(x * 50));
for (const largest of [0, 1]) {
  CASES[`TopK of long rows, ${largest ? 'largest' : 'smallest'}`] = one('TopK', 11, { x: ['f32', ['n', 5000]] }, { largest },
    [{ x: given('f32', [2, 5000], LONG) }], { constants: { k: [500n] }, outputs: { ...y(2), i: ['i64', ['i0', 'i1']] } });
  CASES[`TopK of long columns of integers, ${largest ? 'largest' : 'smallest'}`] = one('TopK', 11, { x: ['i32', [1030, 2]] }, { largest, axis: 0 },
    [{ x: made('i32', [1030, 2], 300) }], { constants: { k: [7n] }, outputs: { ...y(2, 'i32'), i: ['i64', ['i0', 'i1']] } });
}
for (const largest of [0, 1]) {
  // A row of an open size may be shorter than a block, or have many of them.
  CASES[`TopK of rows of an open size, ${largest ? 'largest' : 'smallest'}`] = one('TopK', 11, { x: ['f32', ['n']] }, { largest },
    [9, 1024, 1030, 12345].map((n) => ({ x: given('f32', [n], Array.from(made('f32', [n], 9, n).data, (/** @type {number} */ x) => x < -8.9 ? -Infinity : Math.round(x * 50))) })),
    { constants: { k: [9n] }, outputs: { ...y(1), i: ['i64', ['i0']] } });
  CASES[`TopK of columns of an open size of integers, ${largest ? 'largest' : 'smallest'}`] = one('TopK', 11, { x: ['i32', ['n', 'm']] }, { largest, axis: 0 },
    [[150, 3], [3000, 2]].map((shape) => ({ x: made('i32', shape, 300) })), { constants: { k: [100n] }, outputs: { ...y(2, 'i32'), i: ['i64', ['i0', 'i1']] } });
}
for (const largest of [0, 1]) {
  // All of a row; zeros of both signs are equal.
  CASES[`TopK of whole rows, ${largest ? 'largest' : 'smallest'}`] = one('TopK', 11, { x: ['f32', [3, 'n']] }, { largest },
    [200].map((n) => ({ x: given('f32', [3, n], Array.from(made('f32', [3, n], 9).data, (/** @type {number} */ x) => Math.abs(x) < 2 ? x < 0 ? -0 : 0 : Math.round(x))) })),
    { constants: { k: [200n] }, outputs: { ...y(2), i: ['i64', ['i0', 'i1']] } });
  // What f32, and i32, would take for equal.
  const close = Array.from(made('i32', [100], 40).data, (/** @type {number} */ x) => x - 20);
  CASES[`TopK of f64, ${largest ? 'largest' : 'smallest'}`] = one('TopK', 11, { x: ['f64', [100]] }, { largest },
    [{ x: given('f64', [100], close.map((x) => x < 0 ? x * 1e-300 - 1 : 1 + x * 2 ** -50)) }], { constants: { k: [9n] }, outputs: { ...y(1, 'f64'), i: ['i64', ['i0']] } });
  // WebGPU would take them for 32 bits.
  CASES[`TopK of integers of 64 bits, ${largest ? 'largest' : 'smallest'}`] = { model: { inputs: { x: ['i64', [100]] }, outputs: { ...y(1, 'f64'), i: ['i64', ['i0']] },
    opset: 17, constants: { k: [100n] }, nodes: [{ op: 'TopK', inputs: ['x', 'k'], outputs: ['m', 'i'], attributes: { largest } },
      { op: 'Cast', inputs: ['m'], outputs: ['y'], attributes: { to: 11 } }] },
    runs: [{ x: { shape: [100], data: BigInt64Array.from(close, (x) => x < -15 ? -(2n ** 63n) : BigInt(x) * 2n ** 32n * BigInt(x % 3) + BigInt(x)) } }] };
}
CASES['TopK of what has infinities'] = one('TopK', 11, { x: ['f32', [1030]] }, {}, [{ x: given('f32', [1030], [...Array(1029).fill(-Infinity), 1]) }],
  { constants: { k: [4n] }, outputs: { ...y(1), i: ['i64', ['i0']] } });

// ---- Sizes of sizes

CASES['Reshape to a size divided by an open one'] = { model: { inputs: { x: ['f32', ['n', 6]], z: ['f32', ['m']] }, outputs: y(2), opset: 17, nodes: [
  { op: 'Size', inputs: ['x'], outputs: ['a'] }, { op: 'Shape', inputs: ['z'], outputs: ['b'] }, { op: 'Div', inputs: ['a', 'b'], outputs: ['c'] },
  { op: 'Concat', inputs: ['b', 'c'], outputs: ['s'], attributes: { axis: 0 } }, { op: 'Reshape', inputs: ['x', 's'], outputs: ['t'] },
  { op: 'Neg', inputs: ['t'], outputs: ['y'] }] }, runs: [3, 4, 12].map((m) => ({ x: made('f32', [2, 6]), z: made('f32', [m]) })) };
CASES['Expand to sizes that are asked whether they are -1'] = { model: { inputs: { x: ['f32', [1, 1, 's']] }, outputs: y(3), opset: 17, constants: { no: [-1n, -1n, -1n], one: [1n, 1n, 1n], v: [7] }, nodes: [
  { op: 'MaxPool', inputs: ['x'], outputs: ['p'], attributes: { kernel_shape: [10], strides: [5] } }, { op: 'Shape', inputs: ['p'], outputs: ['s'] },
  { op: 'Equal', inputs: ['s', 'no'], outputs: ['e'] }, { op: 'Where', inputs: ['e', 'one', 's'], outputs: ['w'] }, { op: 'Expand', inputs: ['v', 'w'], outputs: ['y'] }] },
  runs: [{ x: made('f32', [1, 1, 31]) }, { x: made('f32', [1, 1, 10]) }] };

// ---- Branches that are known

/** @param {string} op */
const branch = (op) => ({ graph: { inputs: {}, outputs: { y: /** @type {Type} */ (['f32', ['a', 'b']]) }, constants: { two: [2] },
  nodes: [{ op, inputs: ['z', 'two'], outputs: ['t'] }, { op: 'Relu', inputs: ['t'], outputs: ['y'] }] } });
for (const size of [1, 3]) {
  CASES[`If of a size that is ${size}`] = { model: { inputs: { x: ['f32', ['n', size]] }, outputs: y(2), opset: 16, constants: { one: [1n], at: [1n] }, nodes: [
    { op: 'Neg', inputs: ['x'], outputs: ['z'] }, { op: 'Shape', inputs: ['x'], outputs: ['s'] }, { op: 'Gather', inputs: ['s', 'at'], outputs: ['w'] },
    { op: 'Equal', inputs: ['w', 'one'], outputs: ['c'] },
    { op: 'If', inputs: ['c'], outputs: ['y'], attributes: { then_branch: branch('Mul'), else_branch: branch('Add') } }] }, runs: [{ x: made('f32', [2, size]) }] };
}
CASES['If in functions, twice'] = { model: { inputs: { x: ['f32', ['n', 3]] }, outputs: { y: ['f32', ['n', 3]], z: ['f32', ['n', 3]] }, opset: 16,
  functions: { maybe: { inputs: ['z'], outputs: ['r'], nodes: [
    { op: 'Size', inputs: ['z'], outputs: ['s'] }, { op: 'Less', inputs: ['s', 's'], outputs: ['c'] },
    { op: 'If', inputs: ['c'], outputs: ['r'], attributes: { then_branch: branch('Mul'), else_branch: branch('Sub') } }] } },
  nodes: [{ op: 'maybe', name: 'first', domain: 'local', inputs: ['x'], outputs: ['y'] }, { op: 'maybe', name: 'second', domain: 'local', inputs: ['y'], outputs: ['z'] }] },
  runs: [{ x: made('f32', [2, 3], 9) }] };

// ---- Batch normalization that trains, as opsets before 14 say by its results

for (const [opset, used] of /** @type {[number, string[]][]} */ ([[7, []], [9, ['mean', 'var', 'saved_mean', 'saved_var']], [13, ['var']]])) {
  CASES[`BatchNormalization of opset ${opset} in training, ${['y', ...used].join(', ')}`] = {
    model: { inputs: { x: ['f32', ['n', 3, 4]] }, outputs: { ...y(3), ...Object.fromEntries(used.map((name) => [name, ['f32', [3]]])) }, opset, constants: { scale: [1, 0.5, -2], bias: [0, 1, 0.25], m: [0.5, -1, 0], v: [1, 4, 0.25] },
      nodes: [{ op: 'BatchNormalization', inputs: ['x', 'scale', 'bias', 'm', 'v'], outputs: ['b', 'mean', 'var', 'saved_mean', 'saved_var'], attributes: { epsilon: float(0.01), momentum: float(0.75) } }, { op: 'Relu', inputs: ['b'], outputs: ['y'] }] },
    runs: [{ x: made('f32', [2, 3, 4]) }, { x: made('f32', [1, 3, 4], 9, 1) }],
  };
}

// ---- What pooling took, grams

CASES['MaxUnpool of what MaxPool found'] = {
  model: { inputs: { x: ['f32', ['n', 2, 'h', 6]] }, outputs: y(4), opset: 11, nodes: [
    { op: 'MaxPool', inputs: ['x'], outputs: ['m', 'i'], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
    { op: 'MaxUnpool', inputs: ['m', 'i'], outputs: ['y'], attributes: { kernel_shape: [2, 2], strides: [2, 2] } }] },
  runs: [{ x: made('f32', [2, 2, 4, 6]) }, { x: made('f32', [1, 2, 2, 6]) }],
};
CASES['MaxUnpool in one dimension'] = one('MaxUnpool', 11, { x: ['f32', [1, 2, 3]], i: ['i64', [1, 2, 3]] }, { kernel_shape: [3], strides: [2], pads: [1, 0] },
  [{ x: made('f32', [1, 2, 3]), i: given('i64', [1, 2, 3], [0, 3, 5, 6, 9, 11]) }], { outputs: y(3) });
for (const mode of ['TF', 'IDF', 'TFIDF']) {
  for (const [shape, skip] of /** @type {[(number | string)[], number][]} */ ([[['n', 'l'], 0], [['l'], 2]])) {
    CASES[`TfIdfVectorizer of ${shape}, ${mode}, ${skip} skipped`] = one('TfIdfVectorizer', 9, { x: ['i32', shape] },
      { mode, min_gram_length: 1, max_gram_length: 3, max_skip_count: skip, ngram_counts: [0, 3, 7], ngram_indexes: [5, 0, 2, 1, 4, 3], pool_int64s: [1, 2, 3, 1, 2, 3, 3, 1, 2, 3],
        weights: { floats: [1, 2, 0.5, 4, 3, 0.25] } },
      [{ x: made('i32', shape.length === 2 ? [2, 9] : [9], 4) }, { x: made('i32', shape.length === 2 ? [1, 14] : [14], 4, 1) }], { outputs: y(shape.length) });
  }
}

// ---- What random graphs found (tests/random/graphs.mjs)

CASES['SpaceToDepth of open sizes'] = one('SpaceToDepth', 13, { x: ['f32', ['n', 2, 'h', 'w']] }, { blocksize: 2 },
  [[1, 4, 6], [2, 2, 2]].map(([n, h, w]) => ({ x: made('f32', [n, 2, h, w]) })), { outputs: y(4) });
CASES['TfIdfVectorizer of open rows that are shorter than the grams'] = one('TfIdfVectorizer', 9, { x: ['i32', ['n', 'l']] },
  { mode: 'TF', min_gram_length: 1, max_gram_length: 3, max_skip_count: 1, ngram_counts: [0, 3, 7], ngram_indexes: [5, 0, 2, 1, 4, 3], pool_int64s: [1, 2, 3, 1, 2, 3, 3, 1, 2, 3] },
  [1, 2, 4, 9].map((l) => ({ x: made('i32', [2, l], 4) })), { outputs: y(2) });
for (const op of ['ReduceMean', 'ReduceL2', 'ReduceLogSum']) {
  CASES[`${op} of halves whose sum is no half`] = {
    model: { inputs: { x: ['f32', ['n', 600]] }, outputs: y(2), opset: 13, nodes: [{ op: 'Cast', name: 'narrow', inputs: ['x'], outputs: ['h'], attributes: { to: 10 } },
      { op, inputs: ['h'], outputs: ['m'], attributes: { axes: [1] } }, { op: 'Cast', inputs: ['m'], outputs: ['y'], attributes: { to: 1 } }] },
    runs: [{ x: given('f32', [1, 600], Array.from({ length: 600 }, (_, i) => 200 + i % 7)) }],
  };
}
CASES['Softplus of small results'] = {
  model: { inputs: { x: ['f32', ['n']] }, outputs: y(1), opset: 13, constants: { k: [1e6] }, nodes: [{ op: 'Softplus', inputs: ['x'], outputs: ['s'] }, { op: 'Mul', name: 'large', inputs: ['s', 'k'], outputs: ['y'] }] },
  runs: [{ x: given('f32', [8], [-18, -15, -12, -9, -6, -4.9, -4.8, 1]) }],
};
CASES['MeanVarianceNormalization of small numbers'] = one('MeanVarianceNormalization', 13, { x: ['f32', ['n', 2, 3, 4]] }, {}, [1e-2, 1e-4, 1e-6].map((size) => ({ x: made('f32', [2, 2, 3, 4], size) })), { outputs: y(4) });
CASES['a sum over sizes that no tensor has'] = {
  model: { inputs: { x: ['i64', ['n', 'n']] }, outputs: y(0), opset: 13, nodes: [{ op: 'Shape', inputs: ['x'], outputs: ['s'] }, { op: 'ConstantOfShape', inputs: ['s'], outputs: ['c'] },
    { op: 'ReduceL2', inputs: ['c'], outputs: ['y'], attributes: { keepdims: 0, axes: [0, 1] } }] },
  runs: [{ x: made('i64', [3, 3]) }],
};
// ---- Integers that wrap

CASES['divided twice by what i32 does not hold together'] = {
  model: { inputs: { x: ['i32', ['n']] }, outputs: { y: ['i32', ['m']] }, opset: 14, constants: { least: given32([0]), by: given32([100000]) }, nodes: [
    { op: 'Max', name: 'a', inputs: ['x', 'least'], outputs: ['a'] }, { op: 'Div', name: 'b', inputs: ['a', 'by'], outputs: ['b'] }, { op: 'Div', name: 'y', inputs: ['b', 'by'], outputs: ['y'] }] },
  runs: [{ x: given('i32', [4], [2000000000, -5, 99999, 100000]) }],
};
CASES['sums that wrap are compared'] = {
  model: { inputs: { x: ['i32', ['n']] }, outputs: { y: ['bool', ['m']], z: ['bool', ['k']], w: ['i32', ['l']] }, opset: 16, constants: { one: given32([1]), four: given32([4]), five: given32([5]) }, nodes: [
    { op: 'Add', name: 'a', inputs: ['x', 'one'], outputs: ['a'] }, { op: 'Less', name: 'y', inputs: ['x', 'a'], outputs: ['y'] }, { op: 'LessOrEqual', name: 'z', inputs: ['a', 'x'], outputs: ['z'] },
    { op: 'Mul', name: 'b', inputs: ['x', 'four'], outputs: ['b'] }, { op: 'Add', name: 'c', inputs: ['b', 'five'], outputs: ['c'] }, { op: 'Div', name: 'w', inputs: ['c', 'four'], outputs: ['w'] }] },
  runs: [{ x: given('i32', [5], [2147483647, -2147483648, 0, 1073741824, -3]) }],
};
const squares = Array.from({ length: 30 }, (_, i) => ({ op: 'Mul', name: `square${i}`, inputs: [`i${i}`, `i${i}`], outputs: [`i${i + 1}`] }));
CASES['places that are squared thirty times'] = {
  model: { inputs: { x: ['f32', [64]], i0: ['i32', [4]], u: ['f32', [4]] }, outputs: { y: ['f32', ['m']] }, opset: 16,
    nodes: [...squares, { op: 'ScatterElements', name: 'y', inputs: ['x', 'i30', 'u'], outputs: ['y'], attributes: { reduction: 'add' } }] },
  runs: [{ x: made('f32', [64]), i0: given('i32', [4], [0, 1, 0, 65536]), u: made('f32', [4]) }],
};

// ---- Many updates, of which a GPU's threads take parts

/** Places from -`size` / 2 on, most of them more than once. @param {number[]} shape @param {number} size */
function places(shape, size) {
  const { data } = made('i64', shape, size, 3);
  return { shape, data: /** @type {BigInt64Array} */ (data).map((place) => place - BigInt(size >> 1)) };
}
for (const reduction of ['none', 'add', 'mul', 'max', 'min']) {
  for (const [x, i, axis] of /** @type {[number[], number[], number][]} */ ([[[50], [200], 0], [[40, 5], [130, 4], 0], [[3, 41], [2, 100], 1], [[2, 9, 3], [2, 150, 3], 1]])) {
    CASES[`ScatterElements, ${reduction}, ${i} into ${x} along ${axis}`] = one('ScatterElements', 18, { x: ['f32', x], i: ['i64', i], u: ['f32', i] }, { axis, ...(reduction === 'none' ? {} : { reduction }) },
      [{ x: made('f32', x), i: places(i, x[axis]), u: made('f32', i, 2, 7) }], { outputs: y(x.length) });
  }
  // What of several updates of one element is left is not defined without a reduction.
  const count = reduction === 'none' ? 63 : 120;
  const pairs = Array.from({ length: count }, (_, n) => [n * 5 % 7 - 3, Math.floor(n / 7) % 9]).flat();
  CASES[`ScatterND, ${reduction}, of pairs`] = one('ScatterND', 18, { x: ['f32', [7, 9, 3]], i: ['i64', [count / 3, 3, 2]], u: ['f32', [count / 3, 3, 3]] }, reduction === 'none' ? {} : { reduction },
    [{ x: made('f32', [7, 9, 3]), i: given('i64', [count / 3, 3, 2], pairs), u: made('f32', [count / 3, 3, 3], 2, 7) }], { outputs: y(3) });
}
CASES['ScatterElements, i32, as many updates as there are'] = one('ScatterElements', 18, { x: ['i32', [37]], i: ['i64', ['n']], u: ['i32', ['n']] }, { reduction: 'add' },
  [300, 5].map((n) => ({ x: made('i32', [37], 100), i: places([n], 37), u: made('i32', [n], 100, 5) })), { outputs: y(1, 'i32') });
CASES['ScatterND, bool, as many updates as there are'] = one('ScatterND', 18, { x: ['bool', [90]], i: ['i64', ['n', 1]], u: ['bool', ['n']] }, {},
  [{ x: given('bool', [90], Array.from({ length: 90 }, (_, i) => i % 3 % 2)), i: given('i64', [80, 1], Array.from({ length: 80 }, (_, i) => 7 * i % 90 - 1)), u: given('bool', [80], Array.from({ length: 80 }, (_, i) => i % 2)) }], { outputs: y(1, 'bool') });

// ---- Sizes that turn out to be known

CASES['a size that was broadcast turns out to be 1'] = {
  model: { inputs: { a: ['f32', ['n']], b: ['f32', ['m']], c: ['f32', [1]], i: ['i64', [1]] }, outputs: { ...y(1), z: ['f32', ['z0']] }, opset: 18, nodes: [
    { op: 'Div', name: 'q', inputs: ['a', 'b'], outputs: ['q'] }, { op: 'ScatterElements', name: 'y', inputs: ['q', 'i', 'q'], outputs: ['y'], attributes: { reduction: 'min' } },
    { op: 'Div', name: 'z', inputs: ['q', 'c'], outputs: ['z'] }] },
  runs: [{ a: made('f32', [1]), b: made('f32', [1], 2, 1), c: made('f32', [1], 2, 2), i: given('i64', [1], [0]) }],
};

// ---- Nearest elements that are told by the last bit

for (const nearest_mode of ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil']) {
  for (const coordinate_transformation_mode of ['half_pixel_symmetric', 'pytorch_half_pixel']) {
    CASES[`Resize of few elements, ${coordinate_transformation_mode}, ${nearest_mode}`] = one('Resize', 19, { x: ['f32', [3, 5]] }, { mode: 'nearest', coordinate_transformation_mode, nearest_mode },
      [{ x: made('f32', [3, 5]) }], { constants: { scales: [1.5, 1.5] }, operands: ['x', '', 'scales'], outputs: y(2) });
  }
}

// ---- Parts without elements

CASES['Concat of four parts, one of them without elements'] = {
  model: { inputs: { a: ['f32', [1, 1, 2]], b: ['f32', [0, 1, 2]], c: ['f32', [1, 1, 2]] }, outputs: y(3), opset: 13, nodes: [
    { op: 'Concat', inputs: ['a', 'b', 'a', 'c'], outputs: ['y'], attributes: { axis: 0 } }] },
  runs: [{ a: made('f32', [1, 1, 2]), b: made('f32', [0, 1, 2]), c: made('f32', [1, 1, 2], 2, 1) }],
};
CASES['Pad of what is computed and has no elements'] = {
  model: { inputs: { x: ['f32', [0]] }, outputs: y(1), opset: 13, constants: { pads: [1n, 2n] }, nodes: [{ op: 'Log', inputs: ['x'], outputs: ['l'] },
    { op: 'Pad', inputs: ['l', 'pads'], outputs: ['p'] }, { op: 'Cos', inputs: ['p'], outputs: ['y'] }] },
  runs: [{ x: made('f32', [0]) }],
};

// ---- Vectors of which each lane is chosen by itself

for (const type of /** @type {const} */ (['f32', 'i32'])) {
  CASES[`elements of ${type} where they are larger than one`] = {
    model: { inputs: { x: [type, [19]] }, outputs: { y: [type, ['m']] }, opset: 16, constants: { one: type === 'f32' ? [1] : given32([1]), zero: type === 'f32' ? [0] : given32([0]) }, nodes: [
      { op: 'Less', inputs: ['one', 'x'], outputs: ['larger'] }, { op: 'Where', inputs: ['larger', 'x', 'zero'], outputs: ['y'] }] },
    runs: [{ x: made(type, [19], 4) }],
  };
}
CASES['a Concat of what each element chooses by itself'] = {
  model: { inputs: { x: ['f32', [3, 12]] }, outputs: y(2), opset: 16, nodes: [
    { op: 'ThresholdedRelu', inputs: ['x'], outputs: ['v'], attributes: { alpha: { float: 0.25 } } },
    { op: 'Concat', inputs: ['v', 'x', 'v'], outputs: ['y'], attributes: { axis: 0 } }] },
  runs: [{ x: made('f32', [3, 12]) }],
};

// Rows of a table that is multiplied as well, and of one whose transpose is.
{
  const table = made('f32', [24, 8]), turned = given('f32', [8, 24], Array.from({ length: 192 }, (_, i) => table.data[i % 24 * 8 + Math.floor(i / 24)]));
  /** @param {Value} value @returns {import('../onnx_model.mjs').Tensor} */
  const constant = ({ shape, data }) => ({ type: ['f32', shape], bytes: new Uint8Array(data.buffer) });
  CASES['Gather of a table whose transpose is multiplied'] = {
    model: { inputs: { i: ['i64', ['n', 2]], x: ['f32', ['m', 8]] }, outputs: { ...y(3), z: ['f32', ['m', 24]] }, opset: 17, constants: { w: constant(table), v: constant(turned) }, nodes: [
      { op: 'Gather', inputs: ['w', 'i'], outputs: ['y'] }, { op: 'MatMul', inputs: ['x', 'v'], outputs: ['z'] }] },
    runs: [{ i: given('i64', [3, 2], [0, 23, 8, 7, -1, 15]), x: made('f32', [5, 8]) }, { i: given('i64', [1, 2], [9, 16]), x: made('f32', [1, 8]) }],
  };
}

// Few long rows and sums, which a GPU's workgroups share.
CASES['norms of few long rows, and sums of all elements'] = {
  model: { inputs: { x: ['f32', [1, 8, 256, 128]] }, outputs: { y: ['f32', [1, 8]], l: ['f32', []], least: ['f32', []], means: ['f32', [8]] }, opset: 17, constants: { scale: [1, 2, -1, 0.5, 3, 1, 1, 2], bias: [0, 1, 2, -1, 0, 0.5, 1, 0], w: [1, -1, 2, 1, 1, 0.5, -2, 1] }, nodes: [
    { op: 'InstanceNormalization', inputs: ['x', 'scale', 'bias'], outputs: ['n'] },
    { op: 'Transpose', inputs: ['n'], outputs: ['t'], attributes: { perm: [0, 2, 3, 1] } }, { op: 'Mul', inputs: ['t', 'w'], outputs: ['m'] },
    { op: 'ReduceMax', inputs: ['m'], outputs: ['y'], attributes: { axes: [1, 2], keepdims: 0 } },
    { op: 'ReduceL2', inputs: ['x'], outputs: ['l'], attributes: { keepdims: 0 } }, { op: 'ReduceMin', inputs: ['x'], outputs: ['least'], attributes: { keepdims: 0 } },
    { op: 'Abs', inputs: ['x'], outputs: ['a'] }, { op: 'ReduceMean', inputs: ['a'], outputs: ['means'], attributes: { axes: [0, 2, 3], keepdims: 0 } }] },
  runs: [{ x: made('f32', [1, 8, 256, 128]) }],
};

// A pooled image brought back to its size, as in atrous spatial pooling: of one element nothing is interpolated.
for (const mode of ['linear', 'cubic', 'nearest']) {
  CASES[`Resize of one element, ${mode}`] = {
    model: { inputs: { x: ['f32', [1, 24, 6, 5]], row: ['f32', [1, 2, 1, 4]] }, outputs: { ...y(4), z: ['f32', [1, 2, 3, 7]] }, opset: 17,
      constants: { w: { type: ['f32', [8, 24, 1, 1]], bytes: new Uint8Array(made('f32', [192]).data.buffer) }, all: given64(1, 8, 6, 5), wide: given64(1, 2, 3, 7) }, nodes: [
        { op: 'GlobalAveragePool', inputs: ['x'], outputs: ['p'] }, { op: 'Conv', inputs: ['p', 'w'], outputs: ['c'] }, { op: 'Relu', inputs: ['c'], outputs: ['r'] },
        { op: 'Resize', inputs: ['r', '', '', 'all'], outputs: ['y'], attributes: { mode, coordinate_transformation_mode: 'half_pixel' } },
        { op: 'Resize', name: 'rows', inputs: ['row', '', '', 'wide'], outputs: ['z'], attributes: { mode, coordinate_transformation_mode: 'half_pixel' } }] },
    runs: [{ x: made('f32', [1, 24, 6, 5]), row: made('f32', [1, 2, 1, 4]) }],
  };
}
