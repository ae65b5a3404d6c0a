// attention.
#include "graph/ops/rows.h"

namespace webnnc::graph {

namespace {

bool BroadcastsToScores(const TensorType& extra, const TensorType& q, const TensorType& k) {
  Shape scores = q.shape;
  scores.back() = k.shape[k.shape.size() - 2];
  return Broadcast(extra.shape, scores) == scores;
}

}  // namespace

Attention::Extras Attention::ExtrasOf(std::span<const TensorType> operands) {
  Extras extras;
  if (operands.size() > 3) (operands[3].dtype == DType::kBool ? extras.mask : extras.bias) = 3;
  if (operands.size() > 4) extras.mask = 4;
  return extras;
}

Result<Types> Attention::Infer(std::span<const TensorType> operands) const {
  const TensorType &q = operands[0], &k = operands[1], &v = operands[2];
  std::string what = Describe(kName, operands);
  if (!IsFloat(q.dtype) || k.dtype != q.dtype || v.dtype != q.dtype)
    return Error{what + ": q, k and v are of one type, which is one of floats"};
  size_t rank = q.shape.size();
  if (rank < 3 || k.shape.size() != rank || v.shape.size() != rank)
    return Error{what + ": q, k and v have as many dimensions as each other, and at least three"};
  for (size_t d = 0; d + 3 < rank; ++d) {
    if (k.shape[d] != q.shape[d] || v.shape[d] != q.shape[d])
      return Error{what + ": the batch dimensions differ"};
  }
  const Dim &heads = q.shape[rank - 3], &shared = k.shape[rank - 3];
  if (v.shape[rank - 3] != shared || shared.Is(0) || !ExactDiv(heads, shared))
    return Error{what + ": the heads of keys and values do not divide those of queries"};
  if (q.shape[rank - 1] != k.shape[rank - 1])
    return Error{what + ": queries and keys differ in their size"};
  if (k.shape[rank - 2] != v.shape[rank - 2])
    return Error{what + ": there are not as many values as keys"};
  Extras extras = ExtrasOf(operands);
  if (extras.bias != 0 && !IsFloat(operands[extras.bias].dtype))
    return Error{what + ": the bias is one of floats, before the mask"};
  if (extras.mask != 0 && operands[extras.mask].dtype != DType::kBool)
    return Error{what + ": the mask is one of bools, behind the bias"};
  for (size_t i = 3; i < operands.size(); ++i) {
    if (!BroadcastsToScores(operands[i], q, k))
      return Error{what + ": bias and mask must broadcast to the scores"};
  }
  TensorType result = q;
  result.shape.back() = v.shape.back();
  return Types{result};
}

std::vector<EqualSizes> Attention::Equal(std::span<const TensorType> operands) const {
  size_t rank = operands[0].shape.size();
  if (rank < 3 || operands[1].shape.size() != rank || operands[2].shape.size() != rank) return {};
  std::vector<EqualSizes> equal;
  for (size_t d = 0; d + 3 < rank; ++d) equal.push_back({{{0, d}, {1, d}, {2, d}}});
  equal.push_back({{{1, rank - 3}, {2, rank - 3}}});
  equal.push_back({{{1, rank - 2}, {2, rank - 2}}});
  equal.push_back({{{0, rank - 1}, {1, rank - 1}}});
  return equal;
}

namespace {

// The stages of an attention, each of which gives the next a temporary.
class AttentionStages {
 public:
  AttentionStages(const Attention& op, loop::Lowering& to)
      : op_(op),
        to_(to),
        b_(to.build),
        wide_(AccumulatorType(to.Result().dtype)),
        scores_(to.Operand(0).shape),
        rank_(scores_.size()),
        extras_(ExtrasIn(to)),
        group_(*ExactDiv(scores_[rank_ - 3], to.Operand(1).shape[rank_ - 3])) {
    scores_.back() = to.Operand(1).shape[rank_ - 2];
  }

  void Run() {
    loop::BufferId product = Products();
    loop::BufferId score = Temporary("score");
    b_.ForEach(scores_, [&](const loop::Index& at) { b_.Store(score, at, Score(at, product)); });
    loop::BufferId weight = Weights(score);
    Results(weight);
  }

 private:
  static Attention::Extras ExtrasIn(const loop::Lowering& to) {
    Types types;
    for (size_t i = 0; i < to.operands.size(); ++i) types.push_back(to.Operand(i));
    return Attention::ExtrasOf(types);
  }

  loop::BufferId Temporary(const std::string& name) {
    return to_.Temporary(name, {wide_, scores_});
  }

  // The element of an operand in the row `j` of the head that the query's head shares.
  loop::ExprId LoadShared(size_t operand, const loop::Index& at, loop::ExprId j, loop::ExprId d) {
    loop::Index source(at.begin(), at.begin() + static_cast<int64_t>(rank_) - 3);
    source.push_back(b_.FloorDiv(at[rank_ - 3], b_.Size(group_)));
    source.push_back(j);
    source.push_back(d);
    return b_.Convert(b_.Load(to_.operands[operand], source), wide_);
  }

  loop::BufferId Products() {
    loop::BufferId product = Temporary("product");
    Shape domain = scores_;
    domain.push_back(to_.Operand(0).shape.back());
    b_.ForEach(domain, [&](loop::Index at) {
      loop::ExprId d = at.back();
      at.pop_back();
      loop::Index query = at;
      query.back() = d;
      loop::ExprId x = b_.Convert(b_.Load(to_.operands[0], query), wide_);
      loop::ExprId y = LoadShared(1, at, at.back(), d);
      b_.Reduce(product, at, b_.Mul(x, y), loop::Update::kAdd);
    });
    return product;
  }

  // j <= i + offset
  loop::ExprId IsBefore(const loop::Index& at) {
    loop::ExprId last = b_.Add(at[rank_ - 2], b_.Size(op_.offset));
    return b_.LessEqual(at[rank_ - 1], last);
  }

  loop::ExprId Extra(size_t operand, const loop::Index& at) {
    return b_.LoadBroadcast(to_.operands[operand], at);
  }
  loop::ExprId Bias(const loop::Index& at) { return b_.Convert(Extra(extras_.bias, at), wide_); }
  loop::ExprId Mask(const loop::Index& at) { return Extra(extras_.mask, at); }

  loop::ExprId Score(const loop::Index& at, loop::BufferId product) {
    loop::ExprId score = b_.Mul(b_.Load(product, at), b_.Real(wide_, op_.scale));
    if (op_.softcap != 0) {
      loop::ExprId cap = b_.Real(wide_, op_.softcap);
      score = b_.Mul(b_.Apply(loop::UnaryOp::kTanh, b_.Div(score, cap)), cap);
    }
    if (extras_.bias != 0) score = b_.Add(score, Bias(at));
    if (extras_.mask != 0) score = b_.Select(Mask(at), score, b_.Real(wide_, op_.masked));
    return op_.causal ? b_.Select(IsBefore(at), score, Nothing()) : score;
  }

  // The score of a key that does not count.
  loop::ExprId Nothing() { return b_.Real(wide_, -std::numeric_limits<double>::infinity()); }

  // Whether key j counts for query i, as a number.
  loop::ExprId Counts(const loop::Index& at) {
    loop::ExprId counts = b_.Constant(Scalar::Integer(DType::kBool, 1));
    if (extras_.bias != 0) counts = b_.Not(b_.Equal(Bias(at), Nothing()));
    bool masks = extras_.mask != 0 && op_.masked == -std::numeric_limits<double>::infinity();
    if (masks) counts = b_.And(counts, Mask(at));
    if (op_.causal) counts = b_.And(counts, IsBefore(at));
    return b_.Select(counts, b_.Int(1), b_.Int(0));
  }

  loop::BufferId Weights(loop::BufferId score) {
    Rows rows(to_, scores_, {static_cast<int64_t>(rank_) - 1});
    loop::BufferId max = rows.Temporary("max", wide_), sum = rows.Temporary("sum", wide_);
    auto power = [&](const loop::Index& at, const loop::Index& row) {
      return b_.Apply(loop::UnaryOp::kExp, b_.Sub(b_.Load(score, at), b_.Load(max, row)));
    };
    rows.Reduce(max, loop::Update::kMax,
                [&](const loop::Index& at, const loop::Index&) { return b_.Load(score, at); });
    rows.Reduce(sum, loop::Update::kAdd, power);
    loop::BufferId any;
    if (op_.no_keys == NoKeys::kZero) {
      any = rows.Temporary("any", DType::kI32);
      rows.Reduce(any, loop::Update::kMax,
                  [&](const loop::Index& at, const loop::Index&) { return Counts(at); });
    }
    loop::BufferId weight = Temporary("weight");
    b_.ForEach(scores_, [&](const loop::Index& at) {
      loop::Index row(at.begin(), at.end() - 1);
      loop::ExprId value = b_.Div(power(at, row), b_.Load(sum, row)), zero = b_.Real(wide_, 0);
      if (op_.no_keys == NoKeys::kZero)
        value = b_.Select(b_.LessEqual(b_.Load(any, row), b_.Int(0)), zero, value);
      if (op_.no_keys == NoKeys::kNanIsZero)
        value = b_.Select(b_.Apply(loop::UnaryOp::kIsNan, value), zero, value);
      b_.Store(weight, at, value);
    });
    return weight;
  }

  void Results(loop::BufferId weight) {
    loop::BufferId sum = AccumulatorFor(to_);
    Shape domain = to_.Result().shape;
    domain.push_back(scores_.back());
    b_.ForEach(domain, [&](loop::Index at) {
      loop::ExprId j = at.back();
      at.pop_back();
      loop::Index place = at;
      place.back() = j;
      loop::ExprId value = LoadShared(2, at, j, at.back());
      b_.Reduce(sum, at, b_.Mul(b_.Load(weight, place), value), loop::Update::kAdd);
    });
    Finish(to_, sum);
  }

  const Attention& op_;
  loop::Lowering& to_;
  loop::Builder& b_;
  DType wide_;
  Shape scores_;
  size_t rank_;
  Attention::Extras extras_;
  Dim group_;
};

}  // namespace

void Attention::Lower(loop::Lowering& to) const { AttentionStages(*this, to).Run(); }

}  // namespace webnnc::graph
