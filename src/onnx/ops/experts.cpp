// ONNX Runtime's mixtures of experts: each row is given to k experts, whose results are added up.
//
//   y[r] = sum over j < k of share[r, j] * (act(x[r] * fc1[e] + bias1[e]) * fc2[e] + bias2[e])
//
// with e = chosen[r, j], the j-th largest of the router's numbers for the row. Weights are looked
// up by chosen[r, j] where they are multiplied: a product takes in such a lookup, so that a row
// reads k experts, and nowhere are k experts' weights for each row.

#include "onnx/operators.h"
#include "onnx/ops/activations.h"
#include "onnx/ops/block_quantized.h"
#include "onnx/ops/quantization.h"

namespace webnnc::onnx {

namespace {

// Where a layer's operands are. What an operator does not have is behind all that it may have.
struct Layer {
  static constexpr size_t kNone = SIZE_MAX;
  const char* name;
  size_t weights, bias, scales = kNone, zeros = kNone;
};

class ExpertsImporter {
 public:
  explicit ExpertsImporter(NodeContext& c) : c_(c), f_(c) {}

  Result<Values> Run(const Layer& fc1, const Layer& fc2, const Layer& fc3, size_t shares) {
    TRY(ReadAttributes());
    if (!c_.Has(fc2.weights)) return Error{"fc2 is missing"};
    if (fused_ && c_.Has(fc3.weights)) return Error{"fc3 goes with a swiglu_fusion of 0"};
    if (activation_ == "swiglu" && !fused_ && !c_.Has(fc3.weights))
      return Error{"swiglu without swiglu_fusion needs fc3"};
    TRY(ReadSizes(fc2));
    Route(shares);
    Term x = Reshape(f_(c_[kInput]), {rows_, 1, 1, hidden_});
    TRY_ASSIGN(auto h, Product(fc1, x, fused_ ? inter_ * 2 : inter_, hidden_));
    std::optional<Term> linear;
    if (c_.Has(fc3.weights)) {
      TRY_ASSIGN(linear, Product(fc3, x, inter_, hidden_));
    }
    TRY_ASSIGN(auto activated, Activated(h, linear));
    TRY_ASSIGN(auto each, Product(fc2, activated, hidden_, inter_));
    Term sum = Reduce(graph::ReduceKind::kSum, Cast(each, DType::kF32) * shares_, {1});
    sum = Cast(sum, c_.Type(kInput).dtype);
    TRY_ASSIGN(auto result, f_.Result(Reshape(sum, c_.Type(kInput).shape)));
    return Values{result};
  }

 private:
  enum Operand : size_t { kInput, kRouter };

  Status ReadAttributes() {
    if (c_.Int("use_sparse_mixer", 0) != 0)
      return Error{"use_sparse_mixer is not supported: no processor but CUDA's has it"};
    const std::string type = c_.String("quant_type", "int");
    if (type != "int") return Error{"the quant_type " + Quote(type) + " is not supported"};
    if (c_.Int("weights_prepacked", -1) == 1)
      return Error{"weights_prepacked is 1: the weights are packed for one processor"};
    choices_ = c_.Int("k", 1);
    activation_ = c_.String("activation_type", "relu");
    int64_t fusion = c_.Int("swiglu_fusion", 0);
    if (fusion < 0 || fusion > 2) return Error{"swiglu_fusion is " + std::to_string(fusion)};
    fused_ = activation_ == "swiglu" && fusion != 0;
    interleaved_ = fusion == 1;
    return kSuccess;
  }

  Status ReadSizes(const Layer& fc2) {
    const TensorType &x = c_.Type(kInput), &router = c_.Type(kRouter), &w = c_.Type(fc2.weights);
    if (x.rank() < 2 || router.rank() != 2 || w.rank() != 3)
      return Error{"input, router_probs and weights are " + Print(x) + ", " + Print(router) +
                   " and " + Print(w)};
    hidden_ = x.shape.back();
    rows_ = router.shape[0];
    experts_ = w.shape[0];
    if (fc2.scales != Layer::kNone) {
      TRY_ASSIGN(element_, UnsignedOf(c_.Int("expert_weight_bits", 4)));
    }
    // Some models say fc2 as [experts, inter, hidden], and their weights lie as those of others.
    int64_t packed = fc2.scales != Layer::kNone ? 8 / BitSize(element_) : 1;
    auto inter = ExactDiv(w.shape[1] * w.shape[2] * packed, hidden_);
    if (!inter) return Error{"fc2 is " + Print(w) + " for rows of " + Print(hidden_)};
    inter_ = *inter;
    bool fits = choices_ > 0 && (!experts_.IsConstant() || choices_ <= experts_.value());
    if (!fits) return Error{"k is " + std::to_string(choices_) + " of " + Print(experts_)};
    return kSuccess;
  }

  // QMoE's shares are of those that are chosen, in whatever way, as on ONNX Runtime's CPU.
  void Route(size_t shares) {
    Term logits = Cast(Reshape(f_(c_[kRouter]), {rows_, experts_}), DType::kF32);
    auto best = c_.AddAll(graph::TopK{1, choices_}, {logits.id});
    Term largest = best ? f_(best.value()[0]) : f_.Take(best.error());
    Term where = best ? f_(best.value()[1]) : largest;
    chosen_ = Cast(where, DType::kI32);
    auto of_all = [&](Term x) { return f_.Add(graph::GatherElements{1}, {x, where}); };
    bool normalized = c_.Int("normalize_routing_weights", 0) != 0;
    if (c_.Has(shares)) {
      shares_ = of_all(Cast(Reshape(f_(c_[shares]), {rows_, experts_}), DType::kF32));
      if (normalized) {
        Term sum = Reduce(graph::ReduceKind::kSum, shares_, {1}, true);
        shares_ = Where(sum == 0.0, f_.Number(0, DType::kF32), shares_ / sum);
      }
    } else if (normalized || c_.op_type() == "QMoE") {
      shares_ = f_.Add(graph::Softmax{{1}}, {largest});
    } else {
      shares_ = of_all(f_.Add(graph::Softmax{{1}}, {logits}));
    }
    shares_ = Reshape(shares_, {rows_, choices_, 1, 1});
  }

  // What the chosen experts have: [rows, k, ...].
  Term OfChosen(Term x) { return f_.Add(graph::Gather{0}, {x, chosen_}); }

  // [rows, 1 or k, 1, depth] times the experts' weights, plus their bias: [rows, k, 1, width].
  Result<Term> Product(const Layer& layer, Term x, const Dim& width, const Dim& depth) {
    Term weights = x;
    if (layer.scales == Layer::kNone) {
      weights = OfChosen(Reshape(f_(c_[layer.weights]), {experts_, width, depth}));
    } else {
      TRY_ASSIGN(weights, Dequantized(layer, width, depth));
    }
    Term product = f_.Add(graph::MatMul{false, true}, {x, weights});
    if (!c_.Has(layer.bias)) return product;
    Term bias = OfChosen(Reshape(f_(c_[layer.bias]), {experts_, width}));
    return product + Reshape(bias, {rows_, choices_, 1, width});
  }

  // (element - zero) * scale of the chosen experts' weights, with a scale a row, or one for each
  // block of it.
  Result<Term> Dequantized(const Layer& layer, const Dim& width, const Dim& depth) {
    const TensorType& given = c_.Type(layer.weights);
    const Shape shape{experts_, width, depth};
    auto bytes = ExactDiv(depth, 8 / BitSize(element_));
    if (!bytes || given.shape != Shape{experts_, width, *bytes} || !depth.IsConstant() ||
        !width.IsConstant())
      return Error{std::string(layer.name) + " is " + Print(given) + ", not " +
                   Print(TensorType{element_, shape}) + " in bytes"};
    if (!c_.Has(layer.scales)) return Error{std::string(layer.name) + " has no scales"};
    const TensorType& scale = c_.Type(layer.scales);
    const DType dtype = c_.Type(kInput).dtype;
    const DType real = scale.dtype == dtype ? dtype : DType::kF32;
    int64_t block = depth.value();
    if (scale.rank() == 3) {
      TRY_ASSIGN(block, BlockSize(c_, block));
    }
    const int64_t blocks = (depth.value() + block - 1) / block;
    auto spread = [&](Term by) { return OfChosen(Repeated(by, 2, block, depth)); };
    TRY_ASSIGN(auto elements, c_.Has(layer.zeros)
                                  ? Elements(f_, layer.weights, element_, shape)
                                  : CentredElements(f_, layer.weights, element_, shape));
    Term weights = OfChosen(Cast(elements, real));
    if (c_.Has(layer.zeros)) {
      // Of rows that have one they lie one behind the other, of others each row's fill bytes.
      const bool in_blocks = c_.Type(layer.zeros).rank() == 3;
      const int64_t each = in_blocks ? blocks : width.value();
      Shape whole{experts_, InWholeBytes(each, element_)};
      if (in_blocks) whole.insert(whole.begin() + 1, width);
      TRY_ASSIGN(auto zeros, Elements(f_, layer.zeros, element_, whole));
      zeros = Slice(Cast(zeros, real), in_blocks ? 2 : 1, 0, each);
      weights = weights - spread(Reshape(zeros, {experts_, width, blocks}));
    }
    Term scales = Cast(Reshape(f_(c_[layer.scales]), {experts_, width, blocks}), real);
    return Cast(weights * spread(scales), dtype);
  }

  // [rows, k, 1, inter] of what fc1 gives, and of what goes through the gate that this is.
  Result<Term> Activated(Term h, std::optional<Term> linear) {
    if (fused_) {
      Shape pairs{rows_, choices_, inter_, 2}, halves{rows_, choices_, 2, inter_};
      Term both = Reshape(h, interleaved_ ? pairs : halves);
      auto part = [&](int64_t i) {
        return Reshape(Slice(both, interleaved_ ? 3 : 2, i, 1), {rows_, choices_, 1, inter_});
      };
      linear = part(1);
      h = part(0);
    }
    if (activation_ == "swiglu") {
      if (c_.HasAttribute("swiglu_limit")) {
        const double limit = c_.Float("swiglu_limit", 0);
        h = Min(h, limit);
        linear = Max(Min(*linear, limit), -limit);
      }
      TRY_ASSIGN(auto gate, f_.Result(h));
      TRY_ASSIGN(gate, Swish(c_, gate, c_.Float("activation_alpha", 1)));
      double beta = c_.Float("activation_beta", 0);
      return f_(gate) * (beta == 0 ? *linear : *linear + beta);
    }
    TRY_ASSIGN(auto result, f_.Result(h));
    if (activation_ == "relu") {
      TRY_ASSIGN(result, c_.Unary(graph::Function::kRelu, result));
    } else if (activation_ == "gelu") {
      TRY_ASSIGN(result, FastGelu(c_, result));
    } else if (activation_ == "silu") {
      TRY_ASSIGN(result, Swish(c_, result, 1));
    } else if (activation_ != "identity") {
      return Error{"the activation " + Quote(activation_) + " is not supported"};
    }
    return linear ? f_(result) * *linear : f_(result);
  }

  NodeContext& c_;
  Formula f_;
  int64_t choices_ = 1;
  std::string activation_;
  bool fused_ = false, interleaved_ = false;
  DType element_ = DType::kU4;
  Dim rows_, hidden_, inter_, experts_;
  Term chosen_{}, shares_{};
};

}  // namespace

static Result<Values> ImportMoE(NodeContext& c) {
  return ExpertsImporter(c).Run({"fc1", 2, 3}, {"fc2", 4, 5}, {"fc3", 6, 7}, Layer::kNone);
}

static Result<Values> ImportQMoE(NodeContext& c) {
  return ExpertsImporter(c).Run({"fc1", 2, 4, 3, 11}, {"fc2", 5, 7, 6, 12}, {"fc3", 8, 10, 9, 13},
                                14);
}

static constexpr Operator kOperators[] = {
    {"com.microsoft", "MoE", 3, ImportMoE},
    {"com.microsoft", "QMoE", 3, ImportQMoE},
};

std::span<const Operator> ExpertOperators() { return kOperators; }

}  // namespace webnnc::onnx
