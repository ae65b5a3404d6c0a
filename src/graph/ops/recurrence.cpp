#include "graph/ops/shapes.h"

namespace webnnc::graph {

using loop::ExprId;
using loop::Index;
using loop::UnaryOp;

namespace {

int64_t GatesOf(Cell kind) { return kind == Cell::kRnn ? 1 : kind == Cell::kGru ? 3 : 4; }

// Which operand is which, of those that are there.
struct Places {
  explicit Places(const Recurrence& op) {
    size_t next = 3;
    if (op.peepholes) peephole = next++;
    if (op.reset_after) bias = next++;
    if (op.lengths) lengths = next++;
    count = next;
  }
  size_t peephole = 0, bias = 0, lengths = 0, count = 0;
};

}  // namespace

Result<Types> Recurrence::Infer(std::span<const TensorType> operands) const {
  std::string what = Describe(kName, operands);
  Places places(*this);
  if (operands.size() != places.count)
    return Error{what + ": it takes " + std::to_string(places.count) + " operands"};
  size_t functions = kind == Cell::kRnn ? 1 : kind == Cell::kGru ? 2 : 3;
  if (activations.size() != functions || alpha.size() != functions || beta.size() != functions)
    return Error{what + ": it needs " + std::to_string(functions) + " activations"};
  bool has_misfit = (peepholes || coupled) && kind != Cell::kLstm;
  if (has_misfit || (reset_after && kind != Cell::kGru))
    return Error{what + ": an attribute is not this cell's"};
  const TensorType &x = operands[0], &weights = operands[1];
  if (!IsFloat(x.dtype) || x.rank() != 3 || weights.rank() != 2)
    return Error{what + ": the ranks do not fit"};
  const Dim &batch = x.shape[1], &hidden = weights.shape[0];
  Dim gates = hidden * GatesOf(kind);
  auto fits = [&](size_t operand, const Shape& shape) {
    return operands[operand].shape == shape && operands[operand].dtype == x.dtype;
  };
  bool fine = x.shape[2] == gates && weights.shape == Shape{hidden, gates} &&
              weights.dtype == x.dtype &&
              fits(2, {batch, kind == Cell::kLstm ? hidden * 2 : hidden});
  if (peepholes) fine = fine && fits(places.peephole, {hidden * 3});
  if (reset_after) fine = fine && fits(places.bias, {hidden});
  if (lengths) fine = fine && operands[places.lengths] == TensorType{DType::kI32, {batch}};
  if (!fine) return Error{what + ": the sizes do not fit"};
  TensorType state{x.dtype, {batch, hidden}};
  Types types{{x.dtype, {x.shape[0], batch, hidden}}, state};
  if (kind == Cell::kLstm) types.push_back(state);
  return types;
}

// All have one batch.
std::vector<EqualSizes> Recurrence::Equal(std::span<const TensorType> operands) const {
  Places places(*this);
  if (operands.size() != places.count || operands[0].rank() != 3 || operands[2].rank() != 2)
    return {};
  EqualSizes batch{{{0, 1}, {2, 0}}};
  if (lengths && operands[places.lengths].rank() == 1) batch.places.push_back({places.lengths, 0});
  return {batch};
}

namespace {

class RecurrenceLowering {
 public:
  RecurrenceLowering(const Recurrence& op, loop::Lowering& to)
      : op_(op),
        to_(to),
        b_(to.build),
        places_(op),
        dtype_(to.Result().dtype),
        wide_(AccumulatorType(dtype_)),
        seq_(to.Operand(0).shape[0]),
        hidden_(to.Operand(1).shape[0]),
        states_(to.Result(1).shape) {}

  void Run() {
    state_ = to_.Temporary("state", {wide_, states_});
    Start(state_, 0);
    if (op_.kind == Cell::kLstm) {
      cell_ = to_.Temporary("cell", {wide_, states_});
      Start(cell_, 1);
    }
    b_.ForOrdered("t", seq_, [&](ExprId t) {
      t_ = t;
      switch (op_.kind) {
        case Cell::kRnn: StepRnn(); break;
        case Cell::kGru: StepGru(); break;
        case Cell::kLstm: StepLstm(); break;
      }
      ForEachState([&](const Index& at) {
        ExprId state = b_.Convert(b_.Load(state_, at), dtype_);
        if (op_.lengths) state = b_.Select(IsInside(at[0]), state, b_.Real(dtype_, 0));
        b_.Store(to_.results[0], {Time(at[0]), at[0], at[1]}, state);
      });
    });
    Finish(1, state_);
    if (op_.kind == Cell::kLstm) Finish(2, cell_);
  }

 private:
  void ForEachState(const std::function<void(const Index& at)>& body) {
    b_.ForEach(states_, body, {"n", "j"});
  }

  // Takes the state, or the cell behind it, from the third operand.
  void Start(loop::BufferId buffer, int64_t part) {
    ForEachState(
        [&](const Index& at) { b_.Store(buffer, at, Operand(2, {at[0], Column(part, at[1])})); });
  }

  void Finish(size_t result, loop::BufferId buffer) {
    ForEachState([&](const Index& at) {
      b_.Store(to_.results[result], at, b_.Convert(b_.Load(buffer, at), dtype_));
    });
  }

  ExprId Operand(size_t operand, const Index& at) {
    return b_.Convert(b_.Load(to_.operands[operand], at), wide_);
  }

  // ---- Time

  ExprId LengthOf(ExprId n) { return b_.Load(to_.operands[places_.lengths], {n}); }
  // Whether sequence n has not ended at this step.
  ExprId IsInside(ExprId n) { return b_.Less(t_, LengthOf(n)); }
  // Which element of sequence n this step takes. Behind the end it is whatever is there.
  ExprId Time(ExprId n) {
    if (!op_.reverse) return t_;
    if (!op_.lengths) return b_.Sub(b_.Size(seq_ - 1), t_);
    ExprId back = b_.Sub(b_.Sub(LengthOf(n), b_.Int(1)), t_);
    // A length beyond the sequence must not read outside.
    ExprId inside = b_.Max(b_.Min(back, b_.Size(seq_ - 1)), b_.Int(0));
    return b_.Select(IsInside(n), inside, t_);
  }
  // What replaces `old` in sequences that have not ended.
  ExprId Stepped(ExprId n, ExprId next, ExprId old) {
    return op_.lengths ? b_.Select(IsInside(n), next, old) : next;
  }

  // ---- Gates

  // The input's part of gate q.
  ExprId Input(int64_t q, const Index& at) {
    return Operand(0, {Time(at[0]), at[0], Column(q, at[1])});
  }
  ExprId Column(int64_t q, ExprId j) { return b_.Add(b_.Size(hidden_ * q), j); }

  // A temporary that gets start(q, at) plus the state's part for `count` gates from `first` on:
  // [batch, count, h].
  loop::BufferId Gates(const std::string& name, int64_t first, int64_t count, loop::BufferId state,
                       const std::function<ExprId(ExprId q, const Index& at)>& start) {
    Shape shape{states_[0], count, hidden_}, domain = shape;
    domain.push_back(hidden_);
    loop::BufferId gates = to_.Temporary(name, {wide_, shape});
    b_.ForEach(domain,
               [&](const Index& all) {
                 ExprId column =
                     b_.Add(b_.Mul(b_.Add(all[1], b_.Int(first)), b_.Size(hidden_)), all[2]);
                 ExprId weight = Operand(1, {all[3], column});
                 ExprId value = b_.Load(state, {all[0], all[3]});
                 b_.Reduce(gates, {all[0], all[1], all[2]}, b_.Mul(value, weight),
                           loop::Update::kAdd, start(all[1], {all[0], all[2]}));
               },
               {"n", "q", "j", "k"});
    return gates;
  }

  // The same, starting from the input's part.
  loop::BufferId GatesOfInput(const std::string& name, int64_t first, int64_t count,
                              loop::BufferId state) {
    return Gates(name, first, count, state, [&](ExprId q, const Index& at) {
      ExprId column = b_.Add(b_.Mul(b_.Add(q, b_.Int(first)), b_.Size(hidden_)), at[1]);
      return Operand(0, {Time(at[0]), at[0], column});
    });
  }

  ExprId Gate(loop::BufferId gates, int64_t q, const Index& at) {
    return b_.Load(gates, {at[0], b_.Int(q), at[1]});
  }

  // The function of kLstm's cell, whose argument is not clipped.
  static constexpr size_t kOfCell = 2;

  ExprId Activate(size_t which, ExprId x) {
    if (op_.clip > 0 && which != kOfCell) x = b_.Max(b_.Min(x, Real(op_.clip)), Real(-op_.clip));
    ExprId alpha = Real(op_.alpha[which]), beta = Real(op_.beta[which]);
    ExprId zero = Real(0), one = Real(1);
    auto below_zero = [&](ExprId value) { return b_.Select(b_.Less(x, zero), value, x); };
    auto exp = [&](ExprId value) { return b_.Apply(UnaryOp::kExp, value); };
    switch (op_.activations[which]) {
      case Activation::kRelu: return b_.Max(x, zero);
      case Activation::kTanh: return b_.Apply(UnaryOp::kTanh, x);
      case Activation::kSigmoid: return Sigmoid(x);
      case Activation::kAffine: return b_.Add(b_.Mul(alpha, x), beta);
      case Activation::kLeakyRelu: return below_zero(b_.Mul(alpha, x));
      case Activation::kThresholdedRelu: return b_.Select(b_.Less(alpha, x), x, zero);
      case Activation::kScaledTanh: return b_.Mul(alpha, b_.Apply(UnaryOp::kTanh, b_.Mul(beta, x)));
      case Activation::kHardSigmoid:
        return b_.Max(b_.Min(b_.Add(b_.Mul(alpha, x), beta), one), zero);
      case Activation::kElu: return below_zero(b_.Mul(alpha, b_.Sub(exp(x), one)));
      case Activation::kSoftsign: return b_.Div(x, b_.Add(one, b_.Apply(UnaryOp::kAbs, x)));
      case Activation::kSoftplus: return Softplus(b_, x);
    }
    CHECK(false);
    return x;
  }
  ExprId Sigmoid(ExprId x) {
    ExprId one = Real(1), power = b_.Apply(UnaryOp::kExp, b_.Apply(UnaryOp::kNegate, x));
    return b_.Div(one, b_.Add(one, power));
  }
  ExprId Real(double value) { return b_.Real(wide_, value); }

  // ---- Cells

  void StepRnn() {
    loop::BufferId sum = GatesOfInput("sum", 0, 1, state_);
    ForEachState([&](const Index& at) {
      ExprId next = Activate(0, Gate(sum, 0, at));
      b_.Store(state_, at, Stepped(at[0], next, b_.Load(state_, at)));
    });
  }

  void StepGru() {
    loop::BufferId gates = GatesOfInput("gates", 0, 2, state_);
    loop::BufferId hidden;
    if (op_.reset_after) {
      hidden = Gates("hidden", 2, 1, state_,
                     [&](ExprId, const Index& at) { return Operand(places_.bias, {at[1]}); });
    } else {
      loop::BufferId reset = to_.Temporary("reset", {wide_, states_});
      ForEachState([&](const Index& at) {
        ExprId r = Activate(0, Gate(gates, 1, at));
        b_.Store(reset, at, b_.Mul(r, b_.Load(state_, at)));
      });
      hidden = GatesOfInput("hidden", 2, 1, reset);
    }
    ForEachState([&](const Index& at) {
      ExprId sum = Gate(hidden, 0, at);
      if (op_.reset_after) {
        ExprId r = Activate(0, Gate(gates, 1, at));
        sum = b_.Add(Input(2, at), b_.Mul(r, sum));
      }
      ExprId z = Activate(0, Gate(gates, 0, at)), old = b_.Load(state_, at);
      ExprId next = b_.Add(b_.Mul(b_.Sub(Real(1), z), Activate(1, sum)), b_.Mul(z, old));
      b_.Store(state_, at, Stepped(at[0], next, old));
    });
  }

  void StepLstm() {
    loop::BufferId gates = GatesOfInput("gates", 0, 4, state_);
    // What a gate sees of the cell through peephole p.
    auto gate = [&](int64_t q, int64_t p, const Index& at) {
      ExprId sum = Gate(gates, q, at);
      if (!op_.peepholes) return sum;
      ExprId weight = Operand(places_.peephole, {Column(p, at[1])});
      return b_.Add(sum, b_.Mul(weight, b_.Load(cell_, at)));
    };
    ForEachState([&](const Index& at) {
      ExprId i = Activate(0, gate(0, 0, at)), old = b_.Load(cell_, at);
      ExprId f = op_.coupled ? b_.Sub(Real(1), i) : Activate(0, gate(2, 2, at));
      ExprId next = b_.Add(b_.Mul(f, old), b_.Mul(i, Activate(1, Gate(gates, 3, at))));
      b_.Store(cell_, at, Stepped(at[0], next, old));
    });
    ForEachState([&](const Index& at) {
      ExprId o = Activate(0, gate(1, 1, at));
      ExprId next = b_.Mul(o, Activate(kOfCell, b_.Load(cell_, at)));
      b_.Store(state_, at, Stepped(at[0], next, b_.Load(state_, at)));
    });
  }

  const Recurrence& op_;
  loop::Lowering& to_;
  loop::Builder& b_;
  Places places_;
  DType dtype_, wide_;
  Dim seq_, hidden_;
  Shape states_;
  loop::BufferId state_, cell_;
  ExprId t_;
};

}  // namespace

void Recurrence::Lower(loop::Lowering& to) const { RecurrenceLowering(*this, to).Run(); }

}  // namespace webnnc::graph
