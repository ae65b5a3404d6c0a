// The operators that can be imported: one function each, by family in onnx/ops/, and one sorted
// table. What differs between opsets is inside the operator's function.
#pragma once

#include <span>
#include <string_view>

#include "onnx/node_context.h"

namespace webnnc::onnx {

using ImportFunction = Result<Values> (*)(NodeContext&);

struct Operator {
  std::string_view domain;  // "" for ai.onnx
  std::string_view name;
  // How many operands must be there; the function may index these without asking.
  size_t operands;
  ImportFunction import;
};

// Sorted by domain, then name.
std::span<const Operator> Operators();
const Operator* FindOperator(std::string_view domain, std::string_view name);

// ops/elementwise.cpp
template <graph::Function function>
Result<Values> ImportUnary(NodeContext& c);
template <loop::BinaryOp op>
Result<Values> ImportBinary(NodeContext& c);
template <loop::BinaryOp op>
Result<Values> ImportVariadic(NodeContext& c);
Result<Values> ImportBitCast(NodeContext& c);
Result<Values> ImportBitShift(NodeContext& c);
Result<Values> ImportCast(NodeContext& c);
Result<Values> ImportCastLike(NodeContext& c);
Result<Values> ImportClip(NodeContext& c);
Result<Values> ImportDropout(NodeContext& c);
Result<Values> ImportGreater(NodeContext& c);
Result<Values> ImportGreaterOrEqual(NodeContext& c);
Result<Values> ImportIdentity(NodeContext& c);
Result<Values> ImportIsInf(NodeContext& c);
Result<Values> ImportMean(NodeContext& c);
Result<Values> ImportMod(NodeContext& c);
Result<Values> ImportPow(NodeContext& c);
Result<Values> ImportWhere(NodeContext& c);

// ops/activations.cpp
Result<Values> ImportBiasAdd(NodeContext& c);
Result<Values> ImportBiasGelu(NodeContext& c);
Result<Values> ImportBiasSplitGelu(NodeContext& c);
Result<Values> ImportCelu(NodeContext& c);
Result<Values> ImportElu(NodeContext& c);
Result<Values> ImportFastGelu(NodeContext& c);
Result<Values> ImportGelu(NodeContext& c);
Result<Values> ImportHardSigmoid(NodeContext& c);
Result<Values> ImportHardSwish(NodeContext& c);
Result<Values> ImportHardmax(NodeContext& c);
Result<Values> ImportLeakyRelu(NodeContext& c);
Result<Values> ImportLogSoftmax(NodeContext& c);
Result<Values> ImportMish(NodeContext& c);
Result<Values> ImportPRelu(NodeContext& c);
Result<Values> ImportQuickGelu(NodeContext& c);
Result<Values> ImportSelu(NodeContext& c);
Result<Values> ImportShrink(NodeContext& c);
Result<Values> ImportSoftmax(NodeContext& c);
Result<Values> ImportSoftsign(NodeContext& c);
Result<Values> ImportSwiGLU(NodeContext& c);
Result<Values> ImportSwish(NodeContext& c);
Result<Values> ImportThresholdedRelu(NodeContext& c);

// ops/products.cpp
Result<Values> ImportEinsum(NodeContext& c);
Result<Values> ImportFusedGemm(NodeContext& c);
Result<Values> ImportFusedMatMul(NodeContext& c);
Result<Values> ImportGemm(NodeContext& c);
Result<Values> ImportMatMul(NodeContext& c);

// ops/attention.cpp
Result<Values> ImportAttention(NodeContext& c);
Result<Values> ImportRotaryEmbedding(NodeContext& c);

// ops/fused_attention.cpp
Result<Values> ImportFusedAttention(NodeContext& c);
Result<Values> ImportFusedRotaryEmbedding(NodeContext& c);
Result<Values> ImportGroupQueryAttention(NodeContext& c);
Result<Values> ImportMultiHeadAttention(NodeContext& c);

// ops/windows.cpp
Result<Values> ImportAveragePool(NodeContext& c);
Result<Values> ImportCausalConvWithState(NodeContext& c);
Result<Values> ImportConv(NodeContext& c);
Result<Values> ImportConvTranspose(NodeContext& c);
Result<Values> ImportFusedConv(NodeContext& c);
Result<Values> ImportGlobalAveragePool(NodeContext& c);
Result<Values> ImportGlobalLpPool(NodeContext& c);
Result<Values> ImportGlobalMaxPool(NodeContext& c);
Result<Values> ImportLpPool(NodeContext& c);
Result<Values> ImportMaxPool(NodeContext& c);
Result<Values> ImportMaxUnpool(NodeContext& c);
Result<Values> ImportNhwcConv(NodeContext& c);

// ops/normalizations.cpp
Result<Values> ImportBatchNormalization(NodeContext& c);
Result<Values> ImportEmbedLayerNormalization(NodeContext& c);
Result<Values> ImportGroupNorm(NodeContext& c);
Result<Values> ImportGroupNormalization(NodeContext& c);
Result<Values> ImportInstanceNormalization(NodeContext& c);
Result<Values> ImportLayerNormalization(NodeContext& c);
Result<Values> ImportLpNormalization(NodeContext& c);
Result<Values> ImportLRN(NodeContext& c);
Result<Values> ImportMeanVarianceNormalization(NodeContext& c);
Result<Values> ImportRMSNormalization(NodeContext& c);
Result<Values> ImportSimplifiedLayerNormalization(NodeContext& c);
Result<Values> ImportSkipGroupNorm(NodeContext& c);
Result<Values> ImportSkipLayerNormalization(NodeContext& c);
Result<Values> ImportSkipSimplifiedLayerNormalization(NodeContext& c);

// ops/reductions.cpp
template <graph::ReduceKind kind>
Result<Values> ImportReduce(NodeContext& c);
Result<Values> ImportArgMax(NodeContext& c);
Result<Values> ImportArgMin(NodeContext& c);
Result<Values> ImportReduceL1(NodeContext& c);
Result<Values> ImportReduceL2(NodeContext& c);
Result<Values> ImportReduceLogSum(NodeContext& c);
Result<Values> ImportReduceLogSumExp(NodeContext& c);
Result<Values> ImportReduceMean(NodeContext& c);
Result<Values> ImportReduceSumSquare(NodeContext& c);

// ops/shapes.cpp
Result<Values> ImportCenterCropPad(NodeContext& c);
Result<Values> ImportConcat(NodeContext& c);
Result<Values> ImportDepthToSpace(NodeContext& c);
Result<Values> ImportExpand(NodeContext& c);
Result<Values> ImportFlatten(NodeContext& c);
Result<Values> ImportPad(NodeContext& c);
Result<Values> ImportReshape(NodeContext& c);
Result<Values> ImportSlice(NodeContext& c);
Result<Values> ImportSpaceToDepth(NodeContext& c);
Result<Values> ImportSplit(NodeContext& c);
Result<Values> ImportSqueeze(NodeContext& c);
Result<Values> ImportTile(NodeContext& c);
Result<Values> ImportTranspose(NodeContext& c);
Result<Values> ImportUnsqueeze(NodeContext& c);

// ops/sources.cpp
Result<Values> ImportConstant(NodeContext& c);
Result<Values> ImportConstantOfShape(NodeContext& c);
Result<Values> ImportEyeLike(NodeContext& c);
Result<Values> ImportRange(NodeContext& c);
Result<Values> ImportShape(NodeContext& c);
Result<Values> ImportSize(NodeContext& c);

// ops/indexing.cpp
Result<Values> ImportGather(NodeContext& c);
Result<Values> ImportGatherElements(NodeContext& c);
Result<Values> ImportGatherND(NodeContext& c);
Result<Values> ImportOneHot(NodeContext& c);
Result<Values> ImportReverseSequence(NodeContext& c);
Result<Values> ImportScatterElements(NodeContext& c);
Result<Values> ImportScatterND(NodeContext& c);
Result<Values> ImportTensorScatter(NodeContext& c);
Result<Values> ImportTrilu(NodeContext& c);

// ops/ordered.cpp
Result<Values> ImportCumProd(NodeContext& c);
Result<Values> ImportCumSum(NodeContext& c);
Result<Values> ImportTopK(NodeContext& c);

// ops/recurrent.cpp
Result<Values> ImportGRU(NodeContext& c);
Result<Values> ImportLSTM(NodeContext& c);
Result<Values> ImportRNN(NodeContext& c);

// ops/losses.cpp
Result<Values> ImportNegativeLogLikelihoodLoss(NodeContext& c);
Result<Values> ImportSoftmaxCrossEntropyLoss(NodeContext& c);

// ops/determinant.cpp
Result<Values> ImportDet(NodeContext& c);

// ops/ngrams.cpp
Result<Values> ImportTfIdfVectorizer(NodeContext& c);

// ops/random.cpp
Result<Values> ImportBernoulli(NodeContext& c);
Result<Values> ImportMultinomial(NodeContext& c);
Result<Values> ImportRandomNormal(NodeContext& c);
Result<Values> ImportRandomNormalLike(NodeContext& c);
Result<Values> ImportRandomUniform(NodeContext& c);
Result<Values> ImportRandomUniformLike(NodeContext& c);

// ops/sampling.cpp
Result<Values> ImportAffineGrid(NodeContext& c);
Result<Values> ImportCol2Im(NodeContext& c);
Result<Values> ImportDeformConv(NodeContext& c);
Result<Values> ImportGridSample(NodeContext& c);
Result<Values> ImportMaxRoiPool(NodeContext& c);
Result<Values> ImportRoiAlign(NodeContext& c);

// ops/signal.cpp
Result<Values> ImportBlackmanWindow(NodeContext& c);
Result<Values> ImportDFT(NodeContext& c);
Result<Values> ImportHammingWindow(NodeContext& c);
Result<Values> ImportHannWindow(NodeContext& c);
Result<Values> ImportMelWeightMatrix(NodeContext& c);
Result<Values> ImportSTFT(NodeContext& c);

// ops/resize.cpp
Result<Values> ImportResize(NodeContext& c);
Result<Values> ImportUpsample(NodeContext& c);

}  // namespace webnnc::onnx
