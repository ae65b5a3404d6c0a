// All operators of random graphs: by a name whose first word is the operator's.

import { CONTROL } from './control.mjs';
import { COUNTED } from './counted.mjs';
import { ELEMENTWISE } from './elementwise.mjs';
import { FUSED, LOOKUPS } from './lookups.mjs';
import { MOVES } from './moves.mjs';
import { PRODUCTS } from './products.mjs';
import { QUANTISED } from './quantised.mjs';
import { SEQUENCES } from './sequences.mjs';
import { SUMS } from './sums.mjs';

/** @type {Record<string, import('./elementwise.mjs').Operator>} */
export const OPERATORS = { ...ELEMENTWISE, ...MOVES, ...SUMS, ...PRODUCTS, ...LOOKUPS, ...FUSED, ...COUNTED, ...CONTROL, ...SEQUENCES, ...QUANTISED };

/** What decides what is run, or how large results are, by values. @type {Record<string, unknown>} */
export const DECIDING = { ...CONTROL, ...Object.fromEntries(['NonZero', 'Compress', 'Unique', 'NonMaxSuppression'].map((op) => [op, COUNTED[op]])) };

/** What the compiler takes and random graphs do not have, and why. @type {Record<string, string>} */
export const LEFT_OUT = {
  ...Object.fromEntries(['Bernoulli', 'Multinomial', 'RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike'].map((op) => [op, 'ONNX states no generator, so numbers differ; onnx_random compares with the hash that is documented'])),
  ...Object.fromEntries(['BiasAdd', 'BiasSplitGelu', 'GroupNorm', 'SkipGroupNorm', 'NhwcConv', 'SimplifiedLayerNormalization'].map((op) => [`com.microsoft.${op}`, 'ONNX Runtime has no kernel for the CPU; web_fused compares with what its documentation says'])),
  ...Object.fromEntries(['com.microsoft.GroupQueryAttention', 'com.microsoft.CausalConvWithState', 'LinearAttention', 'com.microsoft.LinearAttention'].map((op) => [op, 'caches, states and lengths that must agree; web_fused and onnx_operators have their forms'])),
  ...Object.fromEntries(['QuantizeLinear', 'DequantizeLinear'].map((op) => [`com.microsoft.${op}`, 'they are those of ONNX'])),
  ...Object.fromEntries(['MatMulBnb4', 'MatMulNBits', 'GatherBlockQuantized', 'QGemm', 'QLinearAveragePool'].map((op) => [`com.microsoft.${op}`, 'packed weights and scales that must fit; quantised networks have them (networks.mjs)'])),
  ...Object.fromEntries(['QAttention', 'QEmbedLayerNormalization', 'QLinearWhere', 'NhwcMaxPool'].map((op) => [`com.microsoft.${op}`, 'they are others of their operators (web_fused)'])),
  ...Object.fromEntries(['QLinearSoftmax', 'DynamicQuantizeLSTM'].map((op) => [`com.microsoft.${op}`, 'ONNX Runtime computes less exactly; web_fused and models_quantised have their forms'])),
  ...Object.fromEntries(['MoE', 'QMoE'].map((op) => [`com.microsoft.${op}`, 'weights of experts that must fit, and a choice that jumps; onnx_operators has their forms'])),
  ...Object.fromEntries(['BiasSoftmax', 'CropAndResize', 'ExpandDims', 'GridSample', 'Pad', 'Range'].map((op) => [`com.microsoft.${op}`, 'they are others of their operators; onnx_operators has their forms (contrib.mjs)'])),
  'com.microsoft.DecoderMaskedMultiHeadAttention': 'caches and lengths that must agree; onnx_operators has its forms (contrib.mjs)',
  SequenceMap: 'graphs inside it; onnx_operators has its forms',
  'ai.onnx.preview.FlexAttention': 'graphs inside it; onnx_operators has its forms',
};

/** What the compiler must know of operators' operands, whose sizes cannot be open then. @type {Record<string, string>} */
export const MUST_KNOW = {
  DFT: 'whether numbers are real or complex', STFT: 'whether numbers are real or complex', Det: 'the size of a matrix', Inverse: 'the size of a matrix', DeformConv: 'the sizes of the filter and what it moves over',
  Col2Im: 'the number of channels', Conv: 'the sizes of the filter', ConvInteger: 'the sizes of the filter', QLinearConv: 'the sizes of the filter', ConvTranspose: 'the sizes of the filter', DepthToSpace: 'the number of channels', GroupNormalization: 'the number of channels', AffineGrid: 'the number of dimensions', GridSample: 'the number of dimensions',
  GatherND: 'how long an index is', ScatterND: 'how long an index is', Attention: 'the size of a head', MultiHeadAttention: 'the size of a head', RotaryEmbedding: 'the size of a head',
  If: 'that the condition is one element', Loop: 'that the condition and the number of iterations are one element', NonMaxSuppression: 'that a box is four numbers',
  RNN: 'the size of the state', GRU: 'the size of the state', LSTM: 'the size of the state',
};
