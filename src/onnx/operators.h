// The operators that can be imported: one function each, by family in onnx/ops/. The rows of a
// family stand at the end of its file. What differs between opsets is inside the operator's
// function.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "onnx/node_context.h"

namespace webnnc::onnx {

using ImportFunction = Result<Values> (*)(NodeContext&);

// Opset 6 changed how most operators broadcast and say their attributes.
inline constexpr int64_t kOldestOpset = 6, kAnyOpset = 1;

struct Operator {
  std::string_view domain;  // "" for ai.onnx
  std::string_view name;
  // How many operands must be there; the function may index these without asking.
  size_t operands;
  ImportFunction import;
  // The oldest opset of ai.onnx whose models may use it: kAnyOpset where it has always meant the
  // same.
  int64_t oldest = kOldestOpset;
  // Whether operands may be sequences and optionals.
  bool takes_lists = false;
};

// All of them, sorted by domain, then name.
const std::vector<Operator>& Operators();
const Operator* FindOperator(std::string_view domain, std::string_view name);

// The operator of an f32 where its operand is an f16, rounded once at the end: a sum of halves that
// is divided, or whose root or logarithm is taken, is beyond what halves can say long before the
// result is.
template <ImportFunction import>
Result<Values> InWide(NodeContext& c) {
  if (c.Type(0).dtype != DType::kF16) return import(c);
  ValueId narrow = c[0];
  TRY_ASSIGN(auto wide, c.Cast(narrow, DType::kF32));
  c.SetOperand(0, wide);
  TRY_ASSIGN(auto results, import(c));
  c.SetOperand(0, narrow);
  TRY_ASSIGN(results[0], c.Cast(results[0], DType::kF16));
  return results;
}

// The families, one a file of ops/.
std::span<const Operator> ActivationOperators();
std::span<const Operator> AttentionOperators();
std::span<const Operator> BlockQuantizedOperators();
std::span<const Operator> ControlOperators();
std::span<const Operator> ElementwiseOperators();
std::span<const Operator> ExpertOperators();
std::span<const Operator> FlexAttentionOperators();
std::span<const Operator> FusedAttentionOperators();
std::span<const Operator> FusedNormalizationOperators();
std::span<const Operator> GroupQueryOperators();
std::span<const Operator> IndexingOperators();
std::span<const Operator> IntegerProductOperators();
std::span<const Operator> LinearAttentionOperators();
std::span<const Operator> LossOperators();
std::span<const Operator> MatrixOperators();
std::span<const Operator> NgramOperators();
std::span<const Operator> NormalizationOperators();
std::span<const Operator> OrderedOperators();
std::span<const Operator> ProductOperators();
std::span<const Operator> QuantizationOperators();
std::span<const Operator> QuantizedOperators();
std::span<const Operator> RandomOperators();
std::span<const Operator> RecurrentOperators();
std::span<const Operator> ReductionOperators();
std::span<const Operator> RegionOperators();
std::span<const Operator> ResizeOperators();
std::span<const Operator> SamplingOperators();
std::span<const Operator> ScanOperators();
std::span<const Operator> SelectionOperators();
std::span<const Operator> SequenceOperators();
std::span<const Operator> ShapeOperators();
std::span<const Operator> SignalOperators();
std::span<const Operator> SignalWindowOperators();
std::span<const Operator> SliceOperators();
std::span<const Operator> SourceOperators();
std::span<const Operator> SuppressionOperators();
std::span<const Operator> WindowOperators();

}  // namespace webnnc::onnx
