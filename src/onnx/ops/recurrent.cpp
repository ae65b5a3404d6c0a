// RNN, GRU and LSTM: the input's product for all steps at once, then a recurrence a direction.
#include <algorithm>

#include "onnx/operators.h"

namespace webnnc::onnx {

using graph::Activation;
using graph::Cell;
using loop::BinaryOp;

namespace {

struct KnownActivation {
  std::string_view name;  // in small letters
  Activation activation;
  // Used unless the node has its own; which it needs is said by the counts.
  double alpha = 0, beta = 0;
  int parameters = 0;
};
constexpr KnownActivation kActivations[] = {
    {"relu", Activation::kRelu},
    {"tanh", Activation::kTanh},
    {"sigmoid", Activation::kSigmoid},
    {"affine", Activation::kAffine, 1, 0, 2},
    {"leakyrelu", Activation::kLeakyRelu, 0.01, 0, 1},
    {"thresholdedrelu", Activation::kThresholdedRelu, 1, 0, 1},
    {"scaledtanh", Activation::kScaledTanh, 1, 1, 2},
    {"hardsigmoid", Activation::kHardSigmoid, 0.2, 0.5, 2},
    {"elu", Activation::kElu, 1, 0, 1},
    {"softsign", Activation::kSoftsign},
    {"softplus", Activation::kSoftplus},
};

// Values of activation_alpha or _beta, given to the activations that take one in turn.
class Parameters {
 public:
  explicit Parameters(std::vector<double> values) : values_(std::move(values)) {}
  double Next(double otherwise) { return next_ < values_.size() ? values_[next_++] : otherwise; }

 private:
  std::vector<double> values_;
  size_t next_ = 0;
};

class Layer {
 public:
  Layer(NodeContext& c, Cell kind)
      : c_(c),
        kind_(kind),
        gates_(kind == Cell::kRnn   ? 1
               : kind == Cell::kGru ? 3
                                    : 4),
        functions_(kind == Cell::kRnn   ? 1
                   : kind == Cell::kGru ? 2
                                        : 3),
        batch_first_(c.Int("layout", 0) != 0) {}

  Result<Values> Run() {
    TRY(CheckOperands());
    TRY(ReadActivations());
    x_ = c_[0];
    if (batch_first_) {
      TRY_ASSIGN(x_, c_.Transpose(x_, {1, 0, 2}));
    }
    TRY(ReadLengths());
    std::vector<Values> parts(3);
    for (int64_t d = 0; d < directions_; ++d) {
      TRY_ASSIGN(auto results, Direction(d));
      for (size_t i = 0; i < results.size(); ++i) parts[i].push_back(results[i]);
    }
    Values out;
    TRY_ASSIGN(auto y, Joined(parts[0], 1, {2, 0, 1, 3}));
    out.push_back(y);
    for (size_t i = 1; i < (kind_ == Cell::kLstm ? 3U : 2U); ++i) {
      TRY_ASSIGN(auto last, Joined(parts[i], 0, {1, 0, 2}));
      out.push_back(last);
    }
    return out;
  }

 private:
  Status CheckOperands() {
    const TensorType &x = c_.Type(0), &w = c_.Type(1), &r = c_.Type(2);
    if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3)
      return Error{"X, W and R need three dimensions"};
    std::string direction = c_.String("direction", "forward");
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
      return Error{"the direction \"" + direction + "\" is not supported"};
    directions_ = direction == "bidirectional" ? 2 : 1;
    reverse_ = direction == "reverse";
    hidden_ = r.shape[2];
    if (c_.HasAttribute("hidden_size") && Dim(c_.Int("hidden_size", 0)) != hidden_) {
      return Error{"hidden_size is " + std::to_string(c_.Int("hidden_size", 0)) + ", but R is " +
                   Print(r)};
    }
    Dim gates = hidden_ * gates_;
    if (w.shape[0] != Dim(directions_) || r.shape[0] != Dim(directions_) || w.shape[1] != gates ||
        r.shape[1] != gates) {
      return Error{"W is " + Print(w) + " and R is " + Print(r) + ", which do not fit " +
                   std::to_string(directions_) + " directions of " + std::to_string(gates_) +
                   " gates"};
    }
    // Optional ones: [directions, ...].
    TRY(CheckOptional("B", 3, {directions_, gates * 2}));
    if (kind_ == Cell::kLstm) TRY(CheckOptional("P", 7, {directions_, hidden_ * 3}));
    return kSuccess;
  }

  Status CheckOptional(const std::string& name, size_t operand, const Shape& shape) {
    if (!c_.Has(operand) || c_.Type(operand).shape == shape) return kSuccess;
    return Error{name + " is " + Print(c_.Type(operand)) + ", not " +
                 Print(TensorType{c_.Type(0).dtype, shape})};
  }

  Status ReadActivations() {
    static constexpr std::string_view kDefaults[] = {"tanh", "sigmoid tanh", "sigmoid tanh tanh"};
    std::vector<std::string> names = c_.Strings("activations");
    if (names.empty()) {
      for (int64_t d = 0; d < directions_; ++d) {
        std::string_view defaults = kDefaults[static_cast<int>(kind_)];
        for (size_t at = 0; at < defaults.size();) {
          size_t end = std::min(defaults.find(' ', at), defaults.size());
          names.emplace_back(defaults.substr(at, end - at));
          at = end + 1;
        }
      }
    }
    auto wanted = static_cast<size_t>(directions_) * functions_;
    if (names.size() != wanted) {
      return Error{"it has " + std::to_string(names.size()) + " activations, not " +
                   std::to_string(wanted)};
    }
    Parameters alpha(c_.Floats("activation_alpha")), beta(c_.Floats("activation_beta"));
    for (std::string& name : names) {
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char letter) { return std::tolower(letter); });
      auto* known = std::find_if(std::begin(kActivations), std::end(kActivations),
                                 [&](const KnownActivation& a) { return a.name == name; });
      if (known == std::end(kActivations))
        return Error{"the activation " + Quote(name) + " is not supported"};
      activations_.push_back(known->activation);
      alpha_.push_back(known->parameters > 0 ? alpha.Next(known->alpha) : 0);
      beta_.push_back(known->parameters > 1 ? beta.Next(known->beta) : 0);
    }
    return kSuccess;
  }

  // Lengths that all are the whole sequence say nothing.
  Status ReadLengths() {
    if (!c_.Has(4)) return kSuccess;
    const Dim& steps = c_.TypeOf(x_).shape[0];
    TRY_ASSIGN(auto known, c_.KnownConstant(4));
    bool whole = known && steps.IsConstant();
    if (known) {
      for (int64_t i = 0; i < ElementCount(known->type.shape).value(); ++i) {
        int64_t length = known->data.At(known->type.dtype, i).integer;
        if (length < 0 || (steps.IsConstant() && length > steps.value()))
          return Error{"a sequence length is " + std::to_string(length) + " of " + Print(steps)};
        whole = whole && length == steps.value();
      }
    }
    if (whole) return kSuccess;
    TRY_ASSIGN(lengths_, c_.Cast(c_[4], DType::kI32));
    return kSuccess;
  }

  // Part d of an operand, without that dimension.
  Result<ValueId> Of(ValueId operand, size_t dimension, int64_t d) {
    Shape shape = c_.TypeOf(operand).shape;
    graph::Slice slice;
    for (size_t i = 0; i < shape.size(); ++i) {
      slice.starts.push_back(i == dimension ? Dim(d) : Dim(0));
      slice.sizes.push_back(i == dimension ? Dim(1) : shape[i]);
      slice.steps.push_back(1);
    }
    TRY_ASSIGN(auto part, c_.Add(slice, {operand}));
    shape.erase(shape.begin() + static_cast<int64_t>(dimension));
    return c_.Reshape(part, shape);
  }

  // Elements [from, from + count) of a vector.
  Result<ValueId> Cut(ValueId vector, const Dim& from, const Dim& count) {
    return c_.Add(graph::Slice{{from}, {count}, {1}}, {vector});
  }

  Result<ValueId> Zeros(const Shape& shape) {
    TRY_ASSIGN(auto zero, c_.Scalar(c_.Type(0).dtype, 0));
    return c_.Add(graph::Expand{shape}, {zero});
  }

  // The initial state or cell of direction d.
  Result<ValueId> Initial(size_t operand, int64_t d) {
    Shape shape{c_.TypeOf(x_).shape[1], hidden_};
    if (!c_.Has(operand)) return Zeros(shape);
    if (c_.Type(operand).rank() != 3)
      return Error{"an initial state is " + Print(c_.Type(operand))};
    TRY_ASSIGN(auto initial, Of(c_[operand], batch_first_ ? 1 : 0, d));
    // That batches are equal is the recurrence's own rule; how wide a state is, its weights say.
    const Shape given = c_.TypeOf(initial).shape;
    if (given[1] != hidden_) c_.AssumeEqual(given[1], hidden_);
    return c_.Add(graph::Refine{{given[0], hidden_}}, {initial});
  }

  Result<Values> Direction(int64_t d) {
    auto first = static_cast<size_t>(d) * functions_;
    auto part = [&](const auto& all) {
      auto begin = all.begin() + static_cast<int64_t>(first);
      return std::decay_t<decltype(all)>(begin, begin + static_cast<int64_t>(functions_));
    };
    graph::Recurrence op{kind_, part(activations_), part(alpha_), part(beta_)};
    op.clip = c_.HasAttribute("clip") ? c_.Float("clip", 0) : 0;
    op.reverse = d == 1 || reverse_;
    op.coupled = kind_ == Cell::kLstm && c_.Int("input_forget", 0) != 0;
    op.reset_after = kind_ == Cell::kGru && c_.Int("linear_before_reset", 0) != 0;
    op.peepholes = kind_ == Cell::kLstm && c_.Has(7);
    op.lengths = lengths_.valid();

    TRY_ASSIGN(auto weights, Of(c_[1], 0, d));
    TRY_ASSIGN(auto gates, c_.Add(graph::MatMul{false, true}, {x_, weights}));
    ValueId reset_bias;
    if (c_.Has(3)) {
      TRY_ASSIGN(auto both, Of(c_[3], 0, d));
      TRY_ASSIGN(auto bias, InputBias(both, op.reset_after));
      TRY_ASSIGN(gates, c_.Binary(BinaryOp::kAdd, gates, bias));
      if (op.reset_after) {
        TRY_ASSIGN(reset_bias, Cut(both, hidden_ * 5, hidden_));
      }
    } else if (op.reset_after) {
      TRY_ASSIGN(reset_bias, Zeros({hidden_}));
    }
    TRY_ASSIGN(auto recurrent, Of(c_[2], 0, d));
    TRY_ASSIGN(recurrent, c_.Transpose(recurrent, {1, 0}));
    TRY_ASSIGN(auto state, Initial(5, d));
    if (kind_ == Cell::kLstm) {
      TRY_ASSIGN(auto cell, Initial(6, d));
      TRY_ASSIGN(state, c_.Add(graph::Concat{1}, {state, cell}));
    }
    Values operands{gates, recurrent, state};
    if (op.peepholes) {
      TRY_ASSIGN(auto peephole, Of(c_[7], 0, d));
      operands.push_back(peephole);
    }
    if (op.reset_after) operands.push_back(reset_bias);
    if (op.lengths) operands.push_back(lengths_);
    return c_.AddAll(op, operands);
  }

  // Both biases of the gates added, but for the hidden gate's that is reset.
  Result<ValueId> InputBias(ValueId both, bool reset_after) {
    Dim size = hidden_ * gates_;
    TRY_ASSIGN(auto input, Cut(both, 0, size));
    TRY_ASSIGN(auto recurrent, Cut(both, size, reset_after ? hidden_ * 2 : size));
    if (reset_after) {
      TRY_ASSIGN(auto zeros, Zeros({hidden_}));
      TRY_ASSIGN(recurrent, c_.Add(graph::Concat{0}, {recurrent, zeros}));
    }
    return c_.Binary(BinaryOp::kAdd, input, recurrent);
  }

  // All directions side by side along a new dimension.
  Result<ValueId> Joined(const Values& parts, int64_t dimension, std::vector<int64_t> batch_first) {
    Values raised;
    for (ValueId part : parts) {
      Shape shape = c_.TypeOf(part).shape;
      shape.insert(shape.begin() + dimension, 1);
      TRY_ASSIGN(auto reshaped, c_.Reshape(part, shape));
      raised.push_back(reshaped);
    }
    ValueId joined = raised[0];
    if (raised.size() > 1) {
      TRY_ASSIGN(joined, c_.Add(graph::Concat{dimension}, raised));
    }
    if (!batch_first_) return joined;
    return c_.Transpose(joined, std::move(batch_first));
  }

  NodeContext& c_;
  Cell kind_;
  int64_t gates_;
  size_t functions_;
  bool batch_first_, reverse_ = false;
  int64_t directions_ = 1;
  Dim hidden_;
  std::vector<Activation> activations_;
  std::vector<double> alpha_, beta_;
  ValueId x_, lengths_;
};

}  // namespace

static Result<Values> ImportRNN(NodeContext& c) { return Layer(c, Cell::kRnn).Run(); }
static Result<Values> ImportGRU(NodeContext& c) { return Layer(c, Cell::kGru).Run(); }
static Result<Values> ImportLSTM(NodeContext& c) { return Layer(c, Cell::kLstm).Run(); }

static constexpr Operator kOperators[] = {
    {"", "GRU", 3, ImportGRU},
    {"", "LSTM", 3, ImportLSTM},
    {"", "RNN", 3, ImportRNN},
};

std::span<const Operator> RecurrentOperators() { return kOperators; }

}  // namespace webnnc::onnx
