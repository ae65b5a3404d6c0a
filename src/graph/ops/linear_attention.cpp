#include "graph/ops/shapes.h"

namespace webnnc::graph {

using loop::ExprId;
using loop::Index;

Result<Types> LinearAttention::Infer(std::span<const TensorType> operands) const {
  Error misfit{Describe(kName, operands) + ": the sizes do not fit"};
  const TensorType &q = operands[0], &v = operands[2];
  if (operands.size() != OperandCount() || q.rank() != 5 || v.rank() != 4 || !IsFloat(q.dtype))
    return misfit;
  const Dim &batch = q.shape[0], &seq = q.shape[1], &heads = q.shape[2], &size = q.shape[4];
  const Dim& values = v.shape[3];
  auto fits = [&](size_t operand, const Shape& shape) {
    return operands[operand] == TensorType{q.dtype, shape};
  };
  bool fine = fits(1, {batch, seq, heads, size}) && fits(2, {batch, seq, heads, values}) &&
              fits(3, {batch, heads, size, values});
  if (decays)
    fine = fine && (fits(4, {batch, seq, heads, size}) || fits(4, {batch, seq, heads, 1}));
  if (delta) {
    size_t beta = operands.size() - 1;
    fine = fine && (fits(beta, {batch, seq, heads}) || fits(beta, {batch, seq, 1}));
  }
  if (!fine) return misfit;
  return Types{{q.dtype, {batch, seq, heads, q.shape[3], values}}, operands[3]};
}

// All have one batch, and all but the state one sequence.
std::vector<EqualSizes> LinearAttention::Equal(std::span<const TensorType> operands) const {
  EqualSizes batch, seq;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].rank() < 2) return {};
    batch.places.push_back({i, 0});
    if (i != 3) seq.places.push_back({i, 1});
  }
  return {batch, seq};
}

namespace {

// Every stage has loops over batch, heads and values, which never meet: they are its rows.
class LinearAttentionLowering {
 public:
  LinearAttentionLowering(const LinearAttention& op, loop::Lowering& to)
      : op_(op),
        to_(to),
        b_(to.build),
        dtype_(to.Result().dtype),
        wide_(AccumulatorType(dtype_)),
        states_(to.Operand(3).shape) {}

  void Run() {
    state_ = to_.Temporary("state", {wide_, states_});
    b_.ForEach(states_, [&](const Index& at) { b_.Store(state_, at, Operand(3, at)); }, kNames);
    b_.ForOrdered("t", to_.Operand(0).shape[1], [&](ExprId t) {
      t_ = t;
      if (op_.delta) Recall();
      Write();
      Read();
    });
    b_.ForEach(
        states_,
        [&](const Index& at) {
          b_.Store(to_.results[1], at, b_.Convert(b_.Load(state_, at), dtype_));
        },
        kNames);
  }

 private:
  inline static const std::vector<std::string> kNames{"n", "h", "d", "e"};

  ExprId Operand(size_t operand, const Index& at) {
    return b_.Convert(b_.LoadBroadcast(to_.operands[operand], at), wide_);
  }

  // The state at [n, h, d, e] as this step finds it.
  ExprId Decayed(const Index& at) {
    ExprId state = b_.Load(state_, at);
    return op_.decays ? b_.Mul(state, Operand(4, {at[0], t_, at[1], at[2]})) : state;
  }
  ExprId Key(const Index& at) { return Operand(1, {at[0], t_, at[1], at[2]}); }

  // What is found under this step's key.
  void Recall() {
    Shape found{states_[0], states_[1], states_[3]}, domain = found;
    domain.push_back(states_[2]);
    found_ = to_.Temporary("found", {wide_, found});
    b_.ForEach(domain,
               [&](const Index& all) {
                 Index at{all[0], all[1], all[3], all[2]};
                 b_.Reduce(found_, {all[0], all[1], all[2]}, b_.Mul(Decayed(at), Key(at)),
                           loop::Update::kAdd);
               },
               {"n", "h", "e", "d"});
  }

  void Write() {
    b_.ForEach(
        states_,
        [&](const Index& at) {
          ExprId value = Operand(2, {at[0], t_, at[1], at[3]});
          if (op_.delta) {
            ExprId beta = Operand(to_.operands.size() - 1, {at[0], t_, at[1]});
            value = b_.Mul(beta, b_.Sub(value, b_.Load(found_, {at[0], at[1], at[3]})));
          }
          b_.Store(state_, at, b_.Add(Decayed(at), b_.Mul(Key(at), value)));
        },
        kNames);
  }

  void Read() {
    Shape sums{states_[0], states_[1], to_.Operand(0).shape[3], states_[3]}, domain = sums;
    domain.push_back(states_[2]);
    loop::BufferId sum = to_.Temporary("sum", {wide_, sums});
    const std::vector<std::string> names{"n", "h", "g", "e", "d"};
    b_.ForEach(
        domain,
        [&](const Index& all) {
          ExprId query = Operand(0, {all[0], t_, all[1], all[2], all[4]});
          ExprId state = b_.Load(state_, {all[0], all[1], all[4], all[3]});
          b_.Reduce(sum, {all[0], all[1], all[2], all[3]}, b_.Mul(query, state),
                    loop::Update::kAdd);
        },
        names);
    b_.ForEach(
        sums,
        [&](const Index& at) {
          ExprId scaled = b_.Mul(b_.Load(sum, at), b_.Real(wide_, op_.scale));
          b_.Store(to_.results[0], {at[0], t_, at[1], at[2], at[3]}, b_.Convert(scaled, dtype_));
        },
        names);
  }

  const LinearAttention& op_;
  loop::Lowering& to_;
  loop::Builder& b_;
  DType dtype_, wide_;
  Shape states_;
  loop::BufferId state_, found_;
  ExprId t_;
};

}  // namespace

void LinearAttention::Lower(loop::Lowering& to) const { LinearAttentionLowering(*this, to).Run(); }

}  // namespace webnnc::graph
