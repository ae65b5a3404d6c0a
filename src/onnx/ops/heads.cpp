#include "onnx/ops/heads.h"

#include <cmath>

namespace webnnc::onnx {

using loop::BinaryOp;

Result<ValueId> SplitHeads(NodeContext& c, ValueId x, int64_t heads) {
  const Shape shape = c.TypeOf(x).shape;
  if (shape.size() != 3) return Error{Print(c.TypeOf(x)) + " has not three dimensions"};
  if (heads < 1) return Error{"the number of heads is " + std::to_string(heads)};
  auto size = ExactDiv(shape[2], heads);
  if (!size) return Error{std::to_string(heads) + " heads do not divide " + Print(c.TypeOf(x))};
  TRY_ASSIGN(auto split, c.Reshape(x, {shape[0], shape[1], heads, *size}));
  return c.Transpose(split, {0, 2, 1, 3});
}

Result<ValueId> JoinHeads(NodeContext& c, ValueId x) {
  const Shape shape = c.TypeOf(x).shape;
  TRY_ASSIGN(auto moved, c.Transpose(x, {0, 2, 1, 3}));
  return c.Reshape(moved, {shape[0], shape[2], shape[1] * shape[3]});
}

Result<ValueId> RepeatedHeads(NodeContext& c, ValueId x, const Dim& heads) {
  const Shape shape = c.TypeOf(x).shape;
  auto group = ExactDiv(heads, shape[1]);
  if (heads == shape[1] || !group) return x;
  TRY_ASSIGN(auto apart, c.Reshape(x, {shape[0], shape[1], 1, shape[2], shape[3]}));
  graph::Expand repeat{{shape[0], shape[1], *group, shape[2], shape[3]}};
  TRY_ASSIGN(auto repeated, c.Add(repeat, {apart}));
  return c.Reshape(repeated, {shape[0], heads, shape[2], shape[3]});
}

Result<ValueId> Part(NodeContext& c, ValueId x, int64_t axis, const Dim& start, const Dim& size) {
  const Shape shape = c.TypeOf(x).shape;
  graph::Slice slice{graph::Sizes1D(shape.size(), 0), shape, graph::Integers(shape.size(), 1)};
  slice.starts[static_cast<size_t>(axis)] = start;
  slice.sizes[static_cast<size_t>(axis)] = size;
  return c.Add(slice, {x});
}

Result<ValueId> Positions(NodeContext& c, const Dim& count, int64_t axis, int64_t rank) {
  TRY_ASSIGN(auto positions, c.Add(graph::Iota{count}, {}));
  Shape shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = count;
  return c.Reshape(positions, shape);
}

Result<double> ScaleFor(const Dim& size) {
  if (!size.IsConstant() || size.value() < 1)
    return Error{"the size of a head is " + Print(size) + ", which the scale depends on"};
  return 1 / std::sqrt(static_cast<double>(size.value()));
}

Result<double> ScaleOf(NodeContext& c, ValueId q) {
  double scale = c.Float("scale", 0);
  if (scale != 0) return scale;
  return ScaleFor(c.TypeOf(q).shape[3]);
}

Status Refuse(NodeContext& c, std::initializer_list<std::pair<size_t, const char*>> operands) {
  for (auto [operand, name] : operands) {
    if (c.Has(operand)) return Error{std::string(name) + " is not supported"};
  }
  return kSuccess;
}

Result<ValueId> Updated(NodeContext& c, ValueId cache, ValueId now, ValueId places) {
  TRY_ASSIGN(auto last, c.Add(graph::Sizes{{c.TypeOf(cache).shape[2] - 1}, true}, {}));
  TRY_ASSIGN(auto inside, c.Binary(BinaryOp::kMin, places, last));
  TRY_ASSIGN(auto everywhere, c.Add(graph::Expand{c.TypeOf(now).shape}, {inside}));
  return c.Add(graph::ScatterElements{2, loop::Update::kSet, {}}, {cache, everywhere, now});
}

Result<ValueId> Appended(NodeContext& c, ValueId past, ValueId now) {
  if (c.TypeOf(past).rank() != 4)
    return Error{"the past is " + Print(c.TypeOf(past)) + ", not [batch, heads, past, size]"};
  return c.Add(graph::Concat{2}, {past, now});
}

Status Masks::Restrict(NodeContext& c, ValueId condition) {
  if (mask) {
    TRY_ASSIGN(condition, c.Binary(BinaryOp::kAnd, *mask, condition));
  }
  mask = condition;
  return kSuccess;
}

Result<ValueId> AddAttention(NodeContext& c, const graph::Attention& op, ValueId q, ValueId k,
                             ValueId v, const Masks& masks) {
  std::vector<ValueId> operands{q, k, v};
  Shape scores = c.TypeOf(q).shape;
  scores.back() = c.TypeOf(k).shape[scores.size() - 2];
  for (const auto& extra : {masks.bias, masks.mask}) {
    if (!extra) continue;
    const Shape own = c.TypeOf(*extra).shape;
    if (own.size() > scores.size()) return Error{"the mask is " + Print(c.TypeOf(*extra))};
    // Sizes that are open are those of the scores: what broadcasts says 1.
    Shape same(scores.end() - static_cast<int64_t>(own.size()), scores.end());
    for (size_t d = 0; d < own.size(); ++d) {
      if (own[d].Is(1)) same[d] = 1;
      bool fits = own[d] == same[d] || !own[d].IsConstant() || !same[d].IsConstant();
      if (!fits)
        return Error{"the mask is " + Print(c.TypeOf(*extra)) + ", for scores of " + Print(scores)};
      if (own[d] != same[d]) c.AssumeEqual(own[d], same[d]);
    }
    ValueId fitting = *extra;
    if (own != same) {
      TRY_ASSIGN(fitting, c.Add(graph::Refine{same}, {fitting}));
    }
    operands.push_back(fitting);
  }
  return c.Add(op, operands);
}

namespace {

// The elements of a row's pairs: all first ones and all second ones.
struct Pairs {
  ValueId first, second;
};

Result<Pairs> PairsOf(NodeContext& c, ValueId x, bool interleaved) {
  const Shape shape = c.TypeOf(x).shape;
  int64_t last = static_cast<int64_t>(shape.size()) - 1;
  auto half = ExactDiv(shape.back(), 2);
  if (!half) return Error{"rows of " + Print(shape.back()) + " elements are not pairs"};
  Pairs pairs;
  if (!interleaved) {
    TRY_ASSIGN(pairs.first, Part(c, x, last, 0, *half));
    TRY_ASSIGN(pairs.second, Part(c, x, last, *half, *half));
    return pairs;
  }
  Shape upright = shape;
  upright.back() = *half;
  Shape paired = upright;
  paired.push_back(2);
  TRY_ASSIGN(auto both, c.Reshape(x, paired));
  TRY_ASSIGN(auto first, Part(c, both, last + 1, 0, 1));
  TRY_ASSIGN(auto second, Part(c, both, last + 1, 1, 1));
  TRY_ASSIGN(pairs.first, c.Reshape(first, upright));
  TRY_ASSIGN(pairs.second, c.Reshape(second, upright));
  return pairs;
}

Result<ValueId> Unpaired(NodeContext& c, const Pairs& pairs, bool interleaved) {
  Shape shape = c.TypeOf(pairs.first).shape;
  int64_t last = static_cast<int64_t>(shape.size()) - 1;
  if (!interleaved) return c.Add(graph::Concat{last}, {pairs.first, pairs.second});
  Shape upright = shape;
  upright.push_back(1);
  TRY_ASSIGN(auto first, c.Reshape(pairs.first, upright));
  TRY_ASSIGN(auto second, c.Reshape(pairs.second, upright));
  TRY_ASSIGN(auto both, c.Add(graph::Concat{last + 1}, {first, second}));
  shape.back() = shape.back() * 2;
  return c.Reshape(both, shape);
}

}  // namespace

Result<ValueId> Rotated(NodeContext& c, const Rotary& rotary, ValueId x, ValueId cos, ValueId sin) {
  const Dim size = c.TypeOf(x).shape.back();
  int64_t last = c.TypeOf(x).rank() - 1;
  Dim turned = rotary.turned == 0 ? size : Dim(rotary.turned);
  if (ProvablyLess(size, turned))
    return Error{Print(turned) + " elements of rows of " + Print(size) + " cannot be turned"};
  ValueId head = x;
  if (turned != size) {
    TRY_ASSIGN(head, Part(c, x, last, 0, turned));
  }
  TRY_ASSIGN(auto pairs, PairsOf(c, head, rotary.interleaved));
  TRY_ASSIGN(auto first_cos, c.Binary(BinaryOp::kMul, pairs.first, cos));
  TRY_ASSIGN(auto first_sin, c.Binary(BinaryOp::kMul, pairs.first, sin));
  TRY_ASSIGN(auto second_cos, c.Binary(BinaryOp::kMul, pairs.second, cos));
  TRY_ASSIGN(auto second_sin, c.Binary(BinaryOp::kMul, pairs.second, sin));
  Pairs result;
  TRY_ASSIGN(result.first, c.Binary(BinaryOp::kSub, first_cos, second_sin));
  TRY_ASSIGN(result.second, c.Binary(BinaryOp::kAdd, second_cos, first_sin));
  TRY_ASSIGN(auto rotated, Unpaired(c, result, rotary.interleaved));
  if (turned == size) return rotated;
  TRY_ASSIGN(auto rest, Part(c, x, last, turned, size - turned));
  return c.Add(graph::Concat{last}, {rotated, rest});
}

}  // namespace webnnc::onnx
