// Parts of tensors.
#include <algorithm>

#include "onnx/assume.h"
#include "onnx/operators.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;
using graph::SizeElements;

namespace {

// A slice of everything, to be narrowed.
graph::Slice Whole(const Shape& shape) {
  return {SizeElements(shape.size(), 0), shape, Integers(shape.size(), 1)};
}

// A bound of a slice, counted from the end if negative and kept inside [low, high]. Numpy's rule.
Dim ClampBound(NodeContext& c, const Dim& bound, const Dim& size, const Dim& low, const Dim& high) {
  // No dimension is longer: tensors are smaller than 2 GiB.
  int64_t longest = INT32_MAX / ByteSize(c.Type(0).dtype);
  if (bound.IsConstant() && bound.value() > longest) return high;
  if (bound.IsConstant() && bound.value() < -longest) return low;
  Dim front = bound;
  if (bound.IsConstant()) {
    if (bound.value() < 0) front = size + bound;
  } else if (!ProvablyLessEqual(0, bound)) {
    // -n with n a size counts from the end; what may have either sign does not.
    if (ProvablyLessEqual(bound, Dim(0))) {
      front = size + bound;
    } else {
      c.AssumeLessEqual(0, bound);
    }
  }
  return Min(Max(front, low), high);
}

// What a slice takes of each dimension, where data says it: i64[rank] each.
struct DataBounds {
  Term from, step, count;
};

DataBounds BoundsFromData(Formula& f, int64_t given) {
  NodeContext& c = f.context();
  const Shape shape = c.Type(0).shape;
  int64_t rank = c.Type(0).rank();
  // No dimension is longer, and no step needs to be.
  constexpr double kFar = INT32_MAX;
  Term zero = f.Number(0, DType::kI64), one = f.Number(1, DType::kI64);
  Term axes = c.Has(3) ? IntegersOf(f, 3, given) : f.Iota(given, DType::kI64);
  Term places = PlacesOf(f, axes, rank), sizes = f.Sizes(shape);
  Term start = AtAxes(places, IntegersOf(f, 1, given), zero);
  Term end = AtAxes(places, IntegersOf(f, 2, given), sizes);
  Term step = Expand(one, {rank});
  if (c.Has(4)) step = AtAxes(places, Max(Min(IntegersOf(f, 4, given), kFar), -kFar), one);
  // Backward, bounds are one place further to the front.
  Term shift = Cast(step < 0, DType::kI64);
  auto clamped = [&](Term bound, Term low) {
    Term front = Where(bound < 0, bound + sizes, bound);
    return Min(Max(front, low), sizes - shift);
  };
  Term from = clamped(start, zero), to = clamped(end, -shift);
  Term count = FloorDiv(to - from + step - Sign(step), step);
  return {Max(from, 0), step, Max(count, 0)};
}

// Steps that are data have a sign of their own, so elements are looked up one by one.
Result<Values> GatherByData(NodeContext& c, Formula& f, const DataBounds& bounds) {
  const Shape shape = c.Type(0).shape;
  TRY_ASSIGN(auto vector, f.Result(bounds.count));
  TRY_ASSIGN(auto counts, c.DefineSizes(vector, "count", shape));
  Term x = f(c[0]);
  for (size_t d = 0; d < shape.size(); ++d) {
    auto at = static_cast<int64_t>(d);
    auto step = c.KnownElements(bounds.step.id);
    bool is_whole = counts[d] == shape[d] && step && (*step)[d] && (*step)[d]->Is(1);
    if (is_whole) continue;
    Term indices = Slice(bounds.from, 0, at, 1) +
                   f.Iota(counts[d], DType::kI64) * Slice(bounds.step, 0, at, 1);
    x = f.Add(graph::Gather{at}, {x, indices});
  }
  TRY_ASSIGN(auto result, f.Result(x));
  return Values{result};
}

Result<Values> SliceByData(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  TRY_ASSIGN(int64_t given, c.Length(1));
  for (size_t i = 2; i < c.count(); ++i) {
    if (!c.Has(i)) continue;
    TRY_ASSIGN(int64_t length, c.Length(i));
    if (length != given) return Error{"starts, ends, axes and steps differ in length"};
  }
  Formula f(c);
  DataBounds bounds = BoundsFromData(f, given);
  TRY_ASSIGN(auto step, f.Result(bounds.step));
  auto steps = c.KnownSizes(step);
  bool are_known = steps && std::all_of(steps->begin(), steps->end(),
                                        [](const Dim& size) { return size.IsConstant(); });
  if (!are_known) return GatherByData(c, f, bounds);
  TRY_ASSIGN(auto vector, f.Result(Concat({bounds.from, bounds.count}, 0)));
  SizeElements most = shape;
  most.insert(most.end(), shape.begin(), shape.end());
  TRY_ASSIGN(auto sizes, c.DefineSizes(vector, "slice", most));
  graph::Slice slice;
  auto middle = sizes.begin() + static_cast<int64_t>(shape.size());
  slice.starts.assign(sizes.begin(), middle);
  slice.sizes.assign(middle, sizes.end());
  for (const Dim& size : *steps) {
    if (size.Is(0)) return Error{"a step is 0"};
    slice.steps.push_back(size.value());
  }
  TRY_ASSIGN(auto result, c.Add(slice, {c[0]}));
  return Values{result};
}

}  // namespace

// Bounds are attributes up to opset 9 and operands since.
static Result<Values> ImportSlice(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  SizeElements starts, ends;
  Integers axes, steps;
  if (c.HasAttribute("starts")) {
    for (int64_t start : c.Ints("starts")) starts.push_back(start);
    for (int64_t end : c.Ints("ends")) ends.push_back(end);
    axes = c.Ints("axes");
  } else {
    if (!c.Has(1) || !c.Has(2)) return Error{"starts or ends are missing"};
    TRY_ASSIGN(auto known_starts, c.FindSizes(1));
    TRY_ASSIGN(auto known_ends, c.FindSizes(2));
    std::optional<Integers> known_axes = Integers(), known_steps = Integers();
    if (c.Has(3)) {
      TRY_ASSIGN(known_axes, c.FindIntegers(3));
    }
    if (c.Has(4)) {
      TRY_ASSIGN(known_steps, c.FindIntegers(4));
    }
    if (!known_starts || !known_ends || !known_axes || !known_steps) return SliceByData(c);
    starts = *known_starts;
    ends = *known_ends;
    axes = *known_axes;
    steps = *known_steps;
  }
  if (axes.empty()) {
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    return Error{"starts, ends, axes and steps differ in length"};
  }
  graph::Slice slice = Whole(shape);
  for (size_t i = 0; i < axes.size(); ++i) {
    TRY_ASSIGN(auto axis, c.Axis(axes[i], c.Type(0).rank()));
    auto d = static_cast<size_t>(axis);
    const Dim& size = shape[d];
    if (steps[i] == 0) return Error{"a step is 0"};
    // No dimension is longer, so a longer step takes the first element alone as well.
    int64_t step = std::clamp<int64_t>(steps[i], -INT32_MAX, INT32_MAX);
    Dim from, count;
    if (step > 0) {
      from = ClampBound(c, starts[i], size, 0, size);
      Dim to = ClampBound(c, ends[i], size, 0, size);
      count = Max(CeilDiv(to - from, step), 0);
      // The last k of a row, where it has so many.
      const bool is_from_end = starts[i].IsConstant() && starts[i].value() < 0;
      if (step == 1 && is_from_end && to == size) count = Min(-starts[i].value(), size);
    } else {
      from = ClampBound(c, starts[i], size, 0, size - 1);
      Dim to = ClampBound(c, ends[i], size, -1, size - 1);
      count = Max(CeilDiv(from - to, -step), 0);
    }
    slice.starts[d] = from;
    slice.sizes[d] = count;
    slice.steps[d] = step;
  }
  if (slice.sizes == shape && slice.steps == Integers(shape.size(), 1)) return Values{c[0]};
  TRY_ASSIGN(auto result, c.Add(slice, {c[0]}));
  return Values{result};
}

namespace {

// As many parts as there are results, of equal sizes. Since opset 18 the last may be smaller.
Result<SizeElements> EqualParts(NodeContext& c, const Dim& size) {
  auto count = static_cast<int64_t>(c.result_count());
  bool may_differ = c.opset() >= 18;
  if (may_differ && c.Int("num_outputs", count) != count) {
    return Error{"it has " + std::to_string(count) + " results, but num_outputs is " +
                 std::to_string(c.Int("num_outputs", count))};
  }
  if (count < 1) return Error{"it has no results"};
  if (auto each = ExactDiv(size, count)) return SizeElements(static_cast<size_t>(count), *each);
  Dim each = may_differ ? CeilDiv(size, count) : FloorDiv(size, count);
  Dim last = may_differ ? size - each * (count - 1) : each;
  if (size.IsConstant() && (!may_differ || last.value() < 0)) {
    std::string parts = std::to_string(count) + (may_differ ? "" : " equal") + " parts";
    return Error{"a dimension of " + Print(size) + " cannot be split into " + parts};
  }
  if (may_differ) {
    c.AssumeLessEqual(each * (count - 1), size);
  } else {
    c.AssumeEqual(size, each * count);
  }
  SizeElements parts(static_cast<size_t>(count), each);
  parts.back() = last;
  return parts;
}

}  // namespace

// Sizes of the parts: an attribute up to opset 12, an operand since; or equal, by their number.
static Result<Values> ImportSplit(NodeContext& c) {
  Shape shape = c.Type(0).shape;
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  auto d = static_cast<size_t>(axis);
  for (size_t i = 0; i < c.result_count(); ++i) {
    if (!c.Wants(i)) return Error{"part " + std::to_string(i) + " has no name"};
  }
  SizeElements parts;
  if (c.HasAttribute("split")) {
    for (int64_t size : c.Ints("split")) parts.push_back(size);
  } else if (c.Has(1)) {
    TRY_ASSIGN(parts, c.Sizes(1));
  } else {
    TRY_ASSIGN(parts, EqualParts(c, shape[d]));
  }
  if (parts.size() != c.result_count()) {
    return Error{"it has " + std::to_string(c.result_count()) + " results, but sizes for " +
                 std::to_string(parts.size()) + " parts"};
  }
  Dim all = 0;
  for (const Dim& size : parts) {
    if (size.IsConstant() && size.value() < 0) return Error{"a part has the size " + Print(size)};
    all = all + size;
  }
  ValueId x = c[0];
  if (all != shape[d]) {
    if (all.IsConstant() && shape[d].IsConstant()) {
      return Error{"the parts make " + Print(all) + ", but dimension " + std::to_string(axis) +
                   " of " + Print(c.Type(0)) + " is " + Print(shape[d])};
    }
    c.AssumeEqual(shape[d], all);
    shape[d] = all;
    TRY_ASSIGN(x, c.Add(graph::Refine{shape}, {x}));
  }
  Values results;
  Dim start = 0;
  for (const Dim& size : parts) {
    graph::Slice slice = Whole(shape);
    slice.starts[d] = start;
    slice.sizes[d] = size;
    start = start + size;
    TRY_ASSIGN(auto result, c.Add(slice, {x}));
    results.push_back(result);
  }
  return results;
}

// The middle of x, or x with zeros around it, so that the axes have the sizes that are asked for.
static Result<Values> ImportCenterCropPad(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto wanted, c.Sizes(1));
  Integers axes = c.Ints("axes");
  if (!c.HasAttribute("axes")) {
    for (int64_t d = 0; d < type.rank(); ++d) axes.push_back(d);
  }
  TRY(c.Axes(axes, type.rank()));
  if (axes.size() != wanted.size())
    return Error{std::to_string(wanted.size()) + " sizes are given for " +
                 std::to_string(axes.size()) + " axes"};
  graph::Pad pad{SizeElements(type.shape.size(), 0), SizeElements(type.shape.size(), 0),
                 graph::PadMode::kConstant};
  graph::Slice slice = Whole(type.shape);
  for (size_t i = 0; i < axes.size(); ++i) {
    TRY_ASSIGN(auto axis, c.Axis(axes[i], type.rank()));
    auto d = static_cast<size_t>(axis);
    if (wanted[i].IsConstant() && wanted[i].value() < 0)
      return Error{"size " + std::to_string(i) + " is " + Print(wanted[i])};
    Dim largest = Max(type.shape[d], wanted[i]), missing = largest - type.shape[d];
    pad.begin[d] = FloorDiv(missing, 2);
    pad.end[d] = missing - pad.begin[d];
    slice.starts[d] = FloorDiv(largest - wanted[i], 2);
    slice.sizes[d] = wanted[i];
  }
  TRY_ASSIGN(auto zero, c.Scalar(type.dtype, 0));
  TRY_ASSIGN(auto padded, c.Add(pad, {c[0], zero}));
  TRY_ASSIGN(auto result, c.Add(slice, {padded}));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "CenterCropPad", 2, ImportCenterCropPad},
    {"", "Slice", 1, ImportSlice, kAnyOpset},
    {"", "Split", 1, ImportSplit},
};

std::span<const Operator> SliceOperators() { return kOperators; }

}  // namespace webnnc::onnx
