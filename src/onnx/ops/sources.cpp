#include <algorithm>
#include <cmath>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "tensor/overflow.h"

namespace webnnc::onnx {

using loop::BinaryOp;

static Result<Values> ImportConstant(NodeContext& c) {
  Tensor tensor;
  auto reals = [](const std::vector<double>& values) {
    std::vector<uint8_t> bytes(values.size() * 4);
    for (size_t i = 0; i < values.size(); ++i) {
      WriteScalar(bytes.data(), static_cast<int64_t>(i), Scalar::Real(DType::kF32, values[i]));
    }
    return Tensor{{DType::kF32, {static_cast<int64_t>(values.size())}},
                  TensorData::Own(std::move(bytes))};
  };
  if (c.HasAttribute("value")) {
    TRY_ASSIGN(tensor, c.TensorAttribute("value"));
  } else if (c.HasAttribute("sparse_value")) {
    TRY_ASSIGN(tensor, c.TensorAttribute("sparse_value"));
  } else if (c.HasAttribute("value_float")) {
    tensor = ScalarTensor(Scalar::Real(DType::kF32, c.Float("value_float", 0)));
  } else if (c.HasAttribute("value_floats")) {
    tensor = reals(c.Floats("value_floats"));
  } else if (c.HasAttribute("value_int")) {
    tensor = ScalarTensor(Scalar::Integer(DType::kI64, c.Int("value_int", 0)));
  } else if (c.HasAttribute("value_ints")) {
    tensor = IntegerTensor(DType::kI64, c.Ints("value_ints"));
  } else {
    auto names = c.AttributeNames();
    return Error{"a constant given as " + (names.empty() ? "nothing" : names[0]) +
                 " is not supported"};
  }
  TRY_ASSIGN(auto result, c.AddConstant(std::move(tensor)));
  c.scope().SetNarrow(result, c.NarrowAttribute("value"));
  return Values{result};
}

static Result<Values> ImportConstantOfShape(NodeContext& c) {
  TRY_ASSIGN(auto shape, c.Sizes(0));
  Tensor value = ScalarTensor(Scalar::Real(DType::kF32, 0));
  if (c.HasAttribute("value")) {
    TRY_ASSIGN(value, c.TensorAttribute("value"));
    if (!ElementCount(value.type.shape).Is(1)) return Error{"the value has more than one element"};
    value.type.shape.clear();
  }
  TRY_ASSIGN(auto scalar, c.AddConstant(std::move(value)));
  if (shape.empty()) return Values{scalar};
  TRY_ASSIGN(auto result, c.Add(graph::Expand{shape}, {scalar}));
  return Values{result};
}

static Result<Values> ImportShape(NodeContext& c) {
  const Shape& shape = c.Type(0).shape;
  int64_t rank = c.Type(0).rank();
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  int64_t start = clamp(c.Int("start", 0)), end = clamp(c.Int("end", rank));
  graph::Sizes sizes;
  for (int64_t d = start; d < end; ++d) sizes.values.push_back(shape[static_cast<size_t>(d)]);
  TRY_ASSIGN(auto result, c.Add(sizes, {}));
  return Values{result};
}

static Result<Values> ImportSize(NodeContext& c) {
  TRY_ASSIGN(auto result, c.Add(graph::Sizes{{ElementCount(c.Type(0).shape)}, true}, {}));
  return Values{result};
}

namespace {

// How many elements a range has, if that is known; nothing if data decides it.
Result<std::optional<Dim>> KnownCount(NodeContext& c) {
  const std::optional<Dim> not_known;
  if (IsFloat(c.Type(0).dtype)) {
    double ends[3];
    for (size_t i = 0; i < 3; ++i) {
      TRY_ASSIGN(auto values, c.FindReals(i));
      if (!values) return not_known;
      ends[i] = (*values)[0];
    }
    if (ends[2] == 0) return Error{"the step is 0"};
    return std::optional<Dim>(Truncated(std::max(0.0, std::ceil((ends[1] - ends[0]) / ends[2]))));
  }
  TRY_ASSIGN(auto start, c.FindSizes(0));
  TRY_ASSIGN(auto limit, c.FindSizes(1));
  TRY_ASSIGN(auto step, c.FindIntegers(2));
  if (!start || !limit || !step) return not_known;
  if ((*step)[0] == 0) return Error{"the step is 0"};
  Dim distance = (*limit)[0] - (*start)[0], by = (*step)[0];
  bool rises = (*step)[0] > 0 || distance.IsConstant();
  return std::optional(Max(rises ? CeilDiv(distance, by) : CeilDiv(0 - distance, 0 - by), 0));
}

Result<Dim> CountFromData(NodeContext& c) {
  Formula f(c);
  bool real = IsFloat(c.Type(0).dtype);
  // Wide enough for every type's differences.
  auto operand = [&](size_t i) {
    return Cast(Reshape(f(c[i]), {}), real ? DType::kF64 : DType::kI64);
  };
  Term distance = operand(1) - operand(0), step = operand(2);
  Term count = real ? Ceil(distance / step)
                    : Binary(BinaryOp::kFloorDiv, distance + step - Sign(step), step);
  TRY_ASSIGN(auto vector, f.Result(Cast(Max(count, 0), DType::kI64)));
  TRY_ASSIGN(auto sizes, c.DefineSizes(vector, "count"));
  return sizes[0];
}

}  // namespace

// start + i * step.
static Result<Values> ImportRange(NodeContext& c) {
  DType dtype = c.Type(0).dtype;
  for (size_t i = 0; i < 3; ++i) {
    if (!ElementCount(c.Type(i).shape).Is(1))
      return Error{"operand " + std::to_string(i) + " is not a scalar"};
  }
  TRY_ASSIGN(auto known, KnownCount(c));
  Dim count;
  if (known) {
    count = *known;
  } else {
    TRY_ASSIGN(count, CountFromData(c));
  }
  TRY_ASSIGN(auto positions, c.Add(graph::Iota{count}, {}));
  TRY_ASSIGN(auto numbers, c.Cast(positions, dtype));
  TRY_ASSIGN(auto scaled, c.Binary(BinaryOp::kMul, numbers, c[2]));
  TRY_ASSIGN(auto sum, c.Binary(BinaryOp::kAdd, scaled, c[0]));
  TRY_ASSIGN(auto result, c.Reshape(sum, {count}));
  return Values{result};
}

// ONNX Runtime's, whose step is 1 if it is not there.
static Result<Values> ImportRangeByOne(NodeContext& c) {
  if (c.Has(2)) return ImportRange(c);
  TRY_ASSIGN(auto one, c.Scalar(c.Type(0).dtype, 1));
  NodeContext range = c.WithOperands({c[0], c[1], one});
  return ImportRange(range);
}

static Result<Values> ImportEyeLike(NodeContext& c) {
  const TensorType type = c.Type(0);
  if (type.rank() != 2) return Error{"x is " + Print(type)};
  DType dtype = type.dtype;
  if (c.HasAttribute("dtype")) {
    TRY_ASSIGN(dtype, ElementType(static_cast<int32_t>(c.Int("dtype", 0))));
  }
  TRY_ASSIGN(auto rows, c.Add(graph::Iota{type.shape[0]}, {}));
  TRY_ASSIGN(auto moved, c.Binary(BinaryOp::kAdd, rows, static_cast<double>(c.Int("k", 0))));
  TRY_ASSIGN(auto upright, c.Reshape(moved, {type.shape[0], 1}));
  TRY_ASSIGN(auto columns, c.Add(graph::Iota{type.shape[1]}, {}));
  TRY_ASSIGN(auto diagonal, c.Binary(BinaryOp::kEqual, upright, columns));
  TRY_ASSIGN(auto result, c.Cast(diagonal, dtype));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Constant", 0, ImportConstant, kAnyOpset},
    {"", "ConstantOfShape", 1, ImportConstantOfShape},
    {"", "EyeLike", 1, ImportEyeLike},
    {"", "Range", 3, ImportRange},
    {"", "Shape", 1, ImportShape, kAnyOpset},
    {"", "Size", 1, ImportSize, kAnyOpset},
    {"com.microsoft", "Range", 2, ImportRangeByOne},
};

std::span<const Operator> SourceOperators() { return kOperators; }

}  // namespace webnnc::onnx
