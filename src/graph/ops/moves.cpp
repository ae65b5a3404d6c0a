// transpose, reshape, refine, expand, slice, pad, concat, tile: the same elements elsewhere.
#include <algorithm>

#include "graph/ops/shapes.h"

namespace webnnc::graph {

Result<Types> Transpose::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  Integers sorted = order;
  std::sort(sorted.begin(), sorted.end());
  bool permutes = sorted.size() == x.shape.size();
  for (size_t d = 0; permutes && d < sorted.size(); ++d)
    permutes = sorted[d] == static_cast<int64_t>(d);
  if (!permutes) {
    return Error{Describe(kName, operands) + ": the order is not a permutation of the axes"};
  }
  TensorType result{x.dtype, {}};
  for (int64_t axis : order) result.shape.push_back(x.shape[static_cast<size_t>(axis)]);
  return Types{result};
}

void Transpose::Lower(loop::Lowering& to) const {
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index source(at.size());
    for (size_t d = 0; d < at.size(); ++d) source[static_cast<size_t>(order[d])] = at[d];
    return to.build.Load(to.operands[0], source);
  });
}

Result<Types> Reshape::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  if (ElementCount(x.shape) != ElementCount(shape)) {
    return Error{"cannot reshape " + Print(x) + " to " + Print(shape)};
  }
  return Types{{x.dtype, shape}};
}

// Dimensions are matched in runs of equal products, so that [n,12,64] to [n,768] takes no
// division, and the other way one by a constant.
void Reshape::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const Shape from = to.Operand(0).shape;
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index source(from.size());
    size_t i = 0, o = 0;
    while (i < from.size() || o < shape.size()) {
      size_t i_begin = i, o_begin = o;
      Dim in = i < from.size() ? from[i++] : Dim(1), out = o < shape.size() ? shape[o++] : Dim(1);
      while (in != out && (i < from.size() || o < shape.size())) {
        // Grow the side that is known to be smaller; if neither is, both end up in one run.
        bool grow_in =
            i < from.size() && (o == shape.size() || ExactDiv(out, in) || !ExactDiv(in, out));
        if (grow_in) {
          in = in * from[i++];
        } else {
          out = out * shape[o++];
        }
      }
      loop::ExprId linear = b.Int(0);
      for (size_t d = o_begin; d < o; ++d) {
        if (shape[d].Is(1)) continue;
        linear = b.Add(b.Mul(linear, b.Size(shape[d])), at[d]);
      }
      for (size_t d = i; d-- > i_begin;) {
        bool outermost = true;
        for (size_t e = i_begin; e < d; ++e) outermost &= from[e].Is(1);
        if (from[d].Is(1)) {
          source[d] = b.Int(0);
          continue;
        }
        source[d] = outermost ? linear : b.FloorMod(linear, b.Size(from[d]));
        linear = b.FloorDiv(linear, b.Size(from[d]));
      }
    }
    return b.Load(to.operands[0], source);
  });
}

Result<Types> Refine::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  bool fits = x.shape.size() == shape.size();
  for (size_t d = 0; fits && d < shape.size(); ++d) {
    bool differs = x.shape[d].IsConstant() && shape[d].IsConstant() && x.shape[d] != shape[d];
    fits = !differs;
  }
  if (!fits) return Error{Describe(kName, operands) + ": it is not " + Print(shape)};
  return Types{{x.dtype, shape}};
}

void Refine::Lower(loop::Lowering& to) const {
  LowerMap(to, [&](const loop::Index& at) { return to.build.Load(to.operands[0], at); });
}

Result<Types> Expand::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  bool fits = x.shape.size() <= shape.size();
  for (size_t d = 0; fits && d < x.shape.size(); ++d) {
    const Dim &from = x.shape[d], &to = shape[shape.size() - x.shape.size() + d];
    fits = from == to || from.Is(1) || MayBeOne(from);
  }
  if (!fits) return Error{"cannot expand " + Print(x) + " to " + Print(shape)};
  return Types{{x.dtype, shape}};
}

std::vector<EqualSizes> Expand::Equal(std::span<const TensorType> operands) const {
  const Shape& from = operands[0].shape;
  std::vector<EqualSizes> equal;
  if (from.size() > shape.size()) return equal;
  for (size_t d = 0; d < from.size(); ++d)
    equal.push_back({{{0, d}}, true, shape[shape.size() - from.size() + d]});
  return equal;
}

void Expand::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const Shape& from = to.Operand(0).shape;
  size_t added = shape.size() - from.size();
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index own(at.begin() + static_cast<int64_t>(added), at.end());
    for (size_t d = 0; d < from.size(); ++d) {
      if (from[d].Is(1) || from[d] == shape[added + d]) continue;
      // A size of 1 is read at 0, any other one at the index: one kernel for both.
      own[d] = b.Mul(own[d], b.Size(Max(0, Min(1, from[d] - 1))));
    }
    return b.LoadBroadcast(to.operands[0], own);
  });
}

Result<Types> Slice::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  size_t rank = x.shape.size();
  if (starts.size() != rank || sizes.size() != rank || steps.size() != rank) {
    return Error{Describe(kName, operands) + ": starts, sizes and steps need an entry a dimension"};
  }
  for (size_t d = 0; d < rank; ++d) {
    if (steps[d] == 0) return Error{"slice: a step is 0"};
    if (!starts[d].IsConstant() || !sizes[d].IsConstant() || !x.shape[d].IsConstant()) continue;
    Dim first = starts[d], last = first + (sizes[d] - 1) * steps[d];
    if (sizes[d].value() <= 0) continue;
    bool inside =
        ProvablyLessEqual(0, Min(first, last)) && ProvablyLess(Max(first, last), x.shape[d]);
    if (!inside) {
      return Error{Describe(kName, operands) + ": dimension " + std::to_string(d) +
                   " is left by the slice"};
    }
  }
  return Types{{x.dtype, sizes}};
}

void Slice::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index source;
    for (size_t d = 0; d < at.size(); ++d) {
      source.push_back(b.Add(b.Size(starts[d]), b.Mul(at[d], b.Int(steps[d]))));
    }
    return b.Load(to.operands[0], source);
  });
}

Result<Types> Pad::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  if (begin.size() != x.shape.size() || end.size() != x.shape.size()) {
    return Error{Describe(kName, operands) + ": begin and end need an entry a dimension"};
  }
  bool takes_value = mode == PadMode::kConstant;
  if (operands.size() != (takes_value ? 2u : 1u)) {
    return Error{"pad takes a value to fill with if and only if its mode is constant"};
  }
  if (takes_value && operands[1] != TensorType{x.dtype, {}}) {
    return Error{Describe(kName, operands) + ": what it fills with must be a scalar of x's type"};
  }
  TensorType result = x;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    for (const Dim* pad : {&begin[d], &end[d]}) {
      if (pad->IsConstant() && pad->value() < 0) return Error{"pad: a pad is negative"};
      if (takes_value || pad->Is(0) || !x.shape[d].Is(0)) continue;
      return Error{Describe(kName, operands) + ": dimension " + std::to_string(d) +
                   " has no elements to pad with"};
    }
    result.shape[d] = begin[d] + x.shape[d] + end[d];
  }
  return Types{result};
}

void Pad::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const Shape shape = to.Operand(0).shape;
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index source;
    loop::ExprId inside = b.Constant(Scalar::Bool(true)), zero = b.Int(0);
    for (size_t d = 0; d < at.size(); ++d) {
      bool padded = !begin[d].Is(0) || !end[d].Is(0);
      loop::ExprId size = b.Size(shape[d]), last = b.Size(shape[d] - 1);
      loop::ExprId i = b.Sub(at[d], b.Size(begin[d]));
      if (padded && mode == PadMode::kConstant) {
        if (!begin[d].Is(0)) inside = b.And(inside, b.LessEqual(zero, i));
        if (!end[d].Is(0)) inside = b.And(inside, b.Less(i, size));
      } else if (padded && mode == PadMode::kEdge) {
        i = b.Max(b.Min(i, last), zero);
      } else if (padded && mode == PadMode::kReflect) {
        // Back and forth; once, where no pad is longer than that.
        bool once = ProvablyLess(begin[d], shape[d]) && ProvablyLess(end[d], shape[d]);
        Dim back = (shape[d] - 1) * 2;
        i = once ? b.Apply(loop::UnaryOp::kAbs, i) : b.FloorMod(i, b.Size(Max(back, 1)));
        i = b.Min(i, b.Sub(b.Size(back), i));
        if (!once) i = b.Max(i, zero);
      } else if (padded && mode == PadMode::kWrap) {
        i = b.FloorMod(i, size);
      }
      source.push_back(i);
    }
    loop::ExprId load = b.Load(to.operands[0], source);
    if (mode != PadMode::kConstant) return load;
    return b.Select(inside, load, b.Load(to.operands[1], {}));
  });
}

Result<Types> Concat::Infer(std::span<const TensorType> operands) const {
  TensorType result = operands[0];
  TRY(CheckAxes(kName, {axis}, result.rank()));
  auto at = static_cast<size_t>(axis);
  result.shape[at] = 0;
  for (const TensorType& operand : operands) {
    TensorType like = operand;
    if (like.shape.size() == result.shape.size()) like.shape[at] = result.shape[at];
    if (like != result) {
      return Error{Describe(kName, operands) + " along axis " + std::to_string(axis) +
                   ": the other dimensions differ"};
    }
    result.shape[at] = result.shape[at] + operand.shape[at];
  }
  return Types{result};
}

std::vector<EqualSizes> Concat::Equal(std::span<const TensorType> operands) const {
  std::vector<EqualSizes> equal;
  for (size_t d = 0; d < operands[0].shape.size(); ++d) {
    if (static_cast<int64_t>(d) == axis) continue;
    equal.emplace_back();
    for (size_t i = 0; i < operands.size(); ++i) {
      if (d < operands[i].shape.size()) equal.back().places.push_back({i, d});
    }
  }
  return equal;
}

void Concat::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  auto d = static_cast<size_t>(axis);
  LowerMap(to, [&](const loop::Index& at) {
    Dim start = 0;
    std::vector<Dim> starts;
    for (size_t i = 0; i < to.operands.size(); ++i) {
      starts.push_back(start);
      start = start + to.Operand(i).shape[d];
    }
    loop::ExprId value;
    for (size_t i = to.operands.size(); i-- > 0;) {
      loop::Index source = at;
      source[d] = b.Sub(at[d], b.Size(starts[i]));
      loop::ExprId own = b.Load(to.operands[i], source);
      value = value.valid() ? b.Select(b.Less(at[d], b.Size(starts[i + 1])), own, value) : own;
    }
    return value;
  });
}

Result<Types> Tile::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  if (repeats.size() != x.shape.size()) {
    return Error{Describe(kName, operands) + ": repeats need an entry a dimension"};
  }
  TensorType result = x;
  for (size_t d = 0; d < repeats.size(); ++d) {
    if (repeats[d].IsConstant() && repeats[d].value() < 0)
      return Error{"tile: a repeat is negative"};
    result.shape[d] = x.shape[d] * repeats[d];
  }
  return Types{result};
}

void Tile::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const Shape shape = to.Operand(0).shape;
  LowerMap(to, [&](const loop::Index& at) {
    loop::Index source = at;
    for (size_t d = 0; d < at.size(); ++d) {
      if (!repeats[d].Is(1)) source[d] = b.FloorMod(at[d], b.Size(shape[d]));
    }
    return b.Load(to.operands[0], source);
  });
}

}  // namespace webnnc::graph
