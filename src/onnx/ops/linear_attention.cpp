#include "onnx/operators.h"
#include "onnx/ops/heads.h"

namespace webnnc::onnx {

namespace {

// Imports one LinearAttention, ONNX's or ONNX Runtime's, which has keys that several heads share
// and queries that several states share besides.
class LinearAttentionImporter {
 public:
  explicit LinearAttentionImporter(NodeContext& c) : c_(c) {}

  Result<Values> Run() {
    TRY(ReadRule());
    TRY(ReadHeads());
    std::vector<ValueId> operands;
    for (auto read : {&LinearAttentionImporter::QueryHeads, &LinearAttentionImporter::KeyHeads,
                      &LinearAttentionImporter::ValueHeads, &LinearAttentionImporter::Past}) {
      TRY_ASSIGN(auto operand, (this->*read)());
      operands.push_back(operand);
    }
    if (op_.decays) {
      TRY_ASSIGN(auto decay, Decay());
      operands.push_back(decay);
    }
    if (op_.delta) {
      TRY_ASSIGN(auto beta, Beta());
      operands.push_back(beta);
    }
    TRY_ASSIGN(auto results, c_.AddAll(op_, operands));
    const Shape shape = c_.TypeOf(results[0]).shape;
    TRY_ASSIGN(results[0],
               c_.Reshape(results[0], {shape[0], shape[1], heads_ * group_ * value_size_}));
    TRY_ASSIGN(results[0], c_.Cast(results[0], c_.Type(kQuery).dtype));
    TRY_ASSIGN(results[1], c_.Cast(results[1], c_.Type(c_.Has(kPast) ? kPast : kQuery).dtype));
    return results;
  }

 private:
  enum Operand : size_t { kQuery, kKey, kValue, kPast, kDecay, kBeta };
  static constexpr std::string_view kNames[] = {"query",      "key",   "value",
                                                "past_state", "decay", "beta"};

  Status ReadRule() {
    std::string rule = c_.String("update_rule", "gated_delta");
    op_.decays = rule == "gated" || rule == "gated_delta";
    op_.delta = rule == "delta" || rule == "gated_delta";
    if (!op_.decays && !op_.delta && rule != "linear")
      return Error{"the update rule " + Quote(rule) + " is not supported"};
    if (op_.decays && !c_.Has(kDecay)) return Error{"the rule " + rule + " needs a decay"};
    if (op_.delta && !c_.Has(kBeta)) return Error{"the rule " + rule + " needs a beta"};
    if (c_.Int("state_window", 0) != 0) return Error{"a state_window is not supported"};
    return kSuccess;
  }

  Status ReadHeads() {
    int64_t queries = c_.Int("q_num_heads", 0);
    heads_ = c_.Int("kv_num_heads", 0);
    bool fits = queries > 0 && heads_ > 0 && (queries % heads_ == 0 || heads_ % queries == 0);
    if (!fits)
      return Error{std::to_string(queries) + " heads of queries do not go with " +
                   std::to_string(heads_) + " of keys and values"};
    group_ = std::max<int64_t>(queries / heads_, 1);
    for (size_t i : {kQuery, kKey, kValue}) {
      if (c_.Type(i).rank() != 3)
        return Error{"query, key and value are " + Print(c_.Type(kQuery)) + ", " +
                     Print(c_.Type(kKey)) + " and " + Print(c_.Type(kValue)) +
                     "; all have three dimensions"};
    }
    TRY_ASSIGN(key_size_, Part(kQuery, queries));
    TRY_ASSIGN(value_size_, Part(kValue, heads_));
    if (double scale = c_.Float("scale", 0); scale != 0) {
      op_.scale = scale;
    } else {
      TRY_ASSIGN(op_.scale, ScaleFor(key_size_));
    }
    return kSuccess;
  }

  DType WideType() const {
    return c_.Type(kQuery).dtype == DType::kF64 ? DType::kF64 : DType::kF32;
  }

  // What each of `count` heads has of an operand's last dimension.
  Result<Dim> Part(size_t operand, int64_t count) const {
    auto size = ExactDiv(c_.Type(operand).shape.back(), count);
    if (!size)
      return Error{std::to_string(count) + " heads do not divide " + Print(c_.Type(operand))};
    return *size;
  }

  // The operand in the type that all is computed in.
  Result<ValueId> Wide(size_t operand, int64_t rank) {
    const TensorType& type = c_.Type(operand);
    if (type.rank() != rank) return Error{std::string(kNames[operand]) + " is " + Print(type)};
    return c_.Cast(c_[operand], WideType());
  }

  // [batch, seq, heads*size] as [batch, seq, count, size], each head as often as count needs it.
  Result<ValueId> Apart(ValueId flat, int64_t heads, int64_t count, const Dim& size) {
    const Shape shape = c_.TypeOf(flat).shape;
    TRY_ASSIGN(auto apart, c_.Reshape(flat, {shape[0], shape[1], heads, 1, size}));
    if (count != heads) {
      graph::Expand repeat{{shape[0], shape[1], heads, count / heads, size}};
      TRY_ASSIGN(apart, c_.Add(repeat, {apart}));
    }
    return c_.Reshape(apart, {shape[0], shape[1], count, size});
  }

  Result<ValueId> QueryHeads() {
    const Shape shape = c_.Type(kQuery).shape;
    TRY_ASSIGN(auto q, Wide(kQuery, 3));
    TRY_ASSIGN(q, Apart(q, c_.Int("q_num_heads", 0), heads_ * group_, key_size_));
    return c_.Reshape(q, {shape[0], shape[1], heads_, group_, key_size_});
  }
  Result<ValueId> KeyHeads() {
    auto heads = ExactDiv(c_.Type(kKey).shape[2], key_size_);
    bool fits = heads && heads->IsConstant() && heads->value() > 0 && heads_ % heads->value() == 0;
    if (!fits) return Error{"key is " + Print(c_.Type(kKey)) + ", which does not fit the queries"};
    TRY_ASSIGN(auto k, Wide(kKey, 3));
    return Apart(k, heads->value(), heads_, key_size_);
  }
  Result<ValueId> ValueHeads() {
    TRY_ASSIGN(auto v, Wide(kValue, 3));
    return Apart(v, heads_, heads_, value_size_);
  }

  Result<ValueId> Past() {
    if (c_.Has(kPast)) return Wide(kPast, 4);
    TRY_ASSIGN(auto zero, c_.Scalar(WideType(), 0));
    return c_.Add(graph::Expand{{c_.Type(kQuery).shape[0], heads_, key_size_, value_size_}},
                  {zero});
  }

  // The factor for each element of a key, or for all of a head; given as its logarithm.
  Result<ValueId> Decay() {
    TRY_ASSIGN(auto decay, Wide(kDecay, 3));
    TRY_ASSIGN(auto size, Part(kDecay, heads_));
    TRY_ASSIGN(decay, c_.Unary(graph::Function::kExp, decay));
    return Apart(decay, heads_, heads_, size);
  }
  Result<ValueId> Beta() { return Wide(kBeta, 3); }

  NodeContext& c_;
  graph::LinearAttention op_;
  Dim key_size_, value_size_;
  int64_t heads_ = 0, group_ = 1;
};

}  // namespace

static Result<Values> ImportLinearAttention(NodeContext& c) {
  return LinearAttentionImporter(c).Run();
}

static constexpr Operator kOperators[] = {
    {"", "LinearAttention", 3, ImportLinearAttention},
    {"com.microsoft", "LinearAttention", 3, ImportLinearAttention},
};

std::span<const Operator> LinearAttentionOperators() { return kOperators; }

}  // namespace webnnc::onnx
