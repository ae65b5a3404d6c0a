#include "onnx/operators.h"
#include "onnx/ops/heads.h"

namespace webnnc::onnx {

using loop::BinaryOp;

namespace {

// The attention of PyTorch's flex_attention: what the model does to scores and to weights are
// graphs among the node's attributes.
class FlexAttentionImporter {
 public:
  explicit FlexAttentionImporter(NodeContext& c) : c_(c) {}

  Result<Values> Run() {
    TRY(ReadOperands());
    bool is_plain = !c_.HasAttribute("score_mod") && !c_.HasAttribute("prob_mod");
    TRY_ASSIGN(auto result, is_plain ? Plain() : Modified());
    TRY_ASSIGN(result, c_.Cast(result, c_.Type(0).dtype));
    return Values{result};
  }

 private:
  Status ReadOperands() {
    const TensorType &q = c_.Type(0), &k = c_.Type(1), &v = c_.Type(2);
    if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4)
      return Error{"Q, K and V are " + Print(q) + ", " + Print(k) + " and " + Print(v) +
                   "; all have four dimensions"};
    TRY_ASSIGN(scale_, c_.HasAttribute("scale") ? Result<double>(c_.Float("scale", 1))
                                                : ScaleFor(q.shape[3]));
    // Softmax is computed in f32 or wider anyway.
    constexpr int64_t kDouble = 11;
    bool is_double = c_.Int("softmax_precision", 0) == kDouble || q.dtype == DType::kF64;
    DType wide = is_double ? DType::kF64 : DType::kF32;
    for (size_t i = 0; i < 3; ++i) {
      TRY_ASSIGN(operands_[i], c_.Cast(c_[i], wide));
    }
    return kSuccess;
  }

  Result<ValueId> Plain() {
    graph::Attention op;
    op.scale = scale_;
    return AddAttention(c_, op, operands_[0], operands_[1], operands_[2], {});
  }

  Result<ValueId> Modified() {
    TRY_ASSIGN(auto keys, RepeatedHeads(c_, operands_[1], c_.Type(0).shape[1]));
    TRY_ASSIGN(auto values, RepeatedHeads(c_, operands_[2], c_.Type(0).shape[1]));
    TRY_ASSIGN(auto scores, c_.Add(graph::MatMul{false, true}, {operands_[0], keys}));
    TRY_ASSIGN(scores, c_.Binary(BinaryOp::kMul, scores, scale_));
    TRY_ASSIGN(scores, Modify("score_mod", scores));
    TRY_ASSIGN(auto weights, c_.Add(graph::Softmax{{3}, false}, {scores}));
    TRY_ASSIGN(weights, Modify("prob_mod", weights));
    return c_.Add(graph::MatMul{}, {weights, values});
  }

  // What the model's graph of this name makes of x, if there is one.
  Result<ValueId> Modify(const std::string& name, ValueId x) {
    if (!c_.HasAttribute(name)) return x;
    TRY_ASSIGN(auto results, c_.Body(name, {x}));
    const TensorType type = c_.TypeOf(x);
    if (results.size() != 1 || c_.TypeOf(results[0]) != type)
      return Error{"what " + name + " makes of " + Print(type) + " is not of that type"};
    return results[0];
  }

  NodeContext& c_;
  double scale_ = 1;
  ValueId operands_[3];
};

}  // namespace

static Result<Values> ImportFlexAttention(NodeContext& c) { return FlexAttentionImporter(c).Run(); }

static constexpr Operator kOperators[] = {
    {"ai.onnx.preview", "FlexAttention", 3, ImportFlexAttention},
};

std::span<const Operator> FlexAttentionOperators() { return kOperators; }

}  // namespace webnnc::onnx
