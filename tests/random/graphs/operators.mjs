// All operators of random graphs: by a name whose first word is the operator's.

import { ELEMENTWISE } from './elementwise.mjs';
import { FUSED, LOOKUPS } from './lookups.mjs';
import { MOVES } from './moves.mjs';
import { PRODUCTS } from './products.mjs';
import { SUMS } from './sums.mjs';

/** @type {Record<string, import('./elementwise.mjs').Operator>} */
export const OPERATORS = { ...ELEMENTWISE, ...MOVES, ...SUMS, ...PRODUCTS, ...LOOKUPS, ...FUSED };

/** What the compiler takes and random graphs do not have, and why. @type {Record<string, string>} */
export const LEFT_OUT = {
  ...Object.fromEntries(['Bernoulli', 'Multinomial', 'RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike'].map((op) => [op, 'ONNX states no generator, so numbers differ; onnx_random compares with the hash that is documented'])),
  ...Object.fromEntries(['BiasAdd', 'BiasSplitGelu', 'GroupNorm', 'SkipGroupNorm', 'NhwcConv', 'SimplifiedLayerNormalization'].map((op) => [`com.microsoft.${op}`, 'ONNX Runtime has no kernel for the CPU; web_fused compares with what its documentation says'])),
  ...Object.fromEntries(['com.microsoft.GroupQueryAttention', 'com.microsoft.CausalConvWithState', 'LinearAttention', 'com.microsoft.LinearAttention'].map((op) => [op, 'caches, states and lengths that must agree; web_fused and onnx_operators have their forms'])),
  ...Object.fromEntries(['If', 'Loop', 'Scan', 'SequenceMap'].map((op) => [op, 'graphs inside it; onnx_operators and onnx_decisions have its forms'])),
  ...Object.fromEntries(['NonZero', 'Compress', 'Unique', 'NonMaxSuppression'].map((op) => [op, 'sizes that depend on data, which what comes behind would have to fit; onnx_decisions has its forms'])),
  ...Object.fromEntries(['SequenceConstruct', 'SequenceEmpty', 'SequenceInsert', 'SequenceErase', 'SequenceAt', 'SequenceLength', 'SplitToSequence', 'ConcatFromSequence',
    'Optional', 'OptionalGetElement', 'OptionalHasElement'].map((op) => [op, 'values that are no tensors; onnx_decisions has its forms'])),
  'ai.onnx.preview.FlexAttention': 'graphs inside it; onnx_operators has its forms',
};

/** What the compiler must know of operators' operands, whose sizes cannot be open then. @type {Record<string, string>} */
export const MUST_KNOW = {
  DFT: 'whether numbers are real or complex', STFT: 'whether numbers are real or complex', Det: 'the size of a matrix', Inverse: 'the size of a matrix', DeformConv: 'the sizes of the filter and what it moves over',
  Col2Im: 'the number of channels', Conv: 'the sizes of the filter', ConvTranspose: 'the sizes of the filter', DepthToSpace: 'the number of channels', GroupNormalization: 'the number of channels', AffineGrid: 'the number of dimensions', GridSample: 'the number of dimensions',
  GatherND: 'how long an index is', ScatterND: 'how long an index is', Attention: 'the size of a head', MultiHeadAttention: 'the size of a head', RotaryEmbedding: 'the size of a head',
  RNN: 'the size of the state', GRU: 'the size of the state', LSTM: 'the size of the state',
};
