#include <algorithm>

#include "onnx/operators.h"

namespace webnnc::onnx {

using loop::BinaryOp;

namespace {

// Refuses indices that are known now (operand 1) and outside dimension first + i % count of x, for
// the i-th of them. What is not known now is checked when the model runs.
Status CheckIndices(NodeContext& c, size_t first, size_t count = 1) {
  const TensorType &x = c.Type(0), &type = c.Type(1);
  constexpr int64_t kMostIndices = 1 << 20;
  if (IsFloat(type.dtype) || !IsStatic(type.shape)) return kSuccess;
  if (ElementCount(type.shape).value() > kMostIndices) return kSuccess;
  TRY_ASSIGN(auto indices, c.KnownConstant(1));
  if (!indices) return kSuccess;
  std::vector<int64_t> values = Integers(*indices);
  for (size_t i = 0; i < values.size(); ++i) {
    size_t d = first + i % count;
    if (!x.shape[d].IsConstant()) continue;
    int64_t size = x.shape[d].value();
    if (values[i] >= -size && values[i] < size) continue;
    return Error{"index " + std::to_string(values[i]) + " is outside dimension " +
                 std::to_string(d) + " of " + Print(x)};
  }
  return kSuccess;
}

}  // namespace

static Result<Values> ImportGather(NodeContext& c) {
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  TRY(CheckIndices(c, static_cast<size_t>(axis)));
  TRY_ASSIGN(auto result, c.Add(graph::Gather{axis}, {c[0], c[1]}));
  return Values{result};
}

static Result<Values> ImportGatherElements(NodeContext& c) {
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  TRY(CheckIndices(c, static_cast<size_t>(axis)));
  const Shape &shape = c.Type(0).shape, &places = c.Type(1).shape;
  for (size_t d = 0; d < std::min(shape.size(), places.size()); ++d) {
    // What is read is inside x.
    bool open = !shape[d].IsConstant() || !places[d].IsConstant();
    if (static_cast<int64_t>(d) != axis && open && !ProvablyLessEqual(places[d], shape[d]))
      c.AssumeLessEqual(places[d], shape[d]);
  }
  TRY_ASSIGN(auto result, c.Add(graph::GatherElements{axis}, {c[0], c[1]}));
  return Values{result};
}

static Result<Values> ImportGatherND(NodeContext& c) {
  graph::GatherND gather{c.Int("batch_dims", 0)};
  TRY_ASSIGN(auto result, c.Add(gather, {c[0], c[1]}));
  // That it could be added says that the last dimension is known, and that x has as many.
  TRY(CheckIndices(c, static_cast<size_t>(gather.batch),
                   static_cast<size_t>(c.Type(1).shape.back().value())));
  return Values{result};
}

static Result<loop::Update> UpdateOf(NodeContext& c) {
  std::string reduction = c.String("reduction", "none");
  if (reduction == "none") return loop::Update::kSet;
  if (reduction == "add") return loop::Update::kAdd;
  if (reduction == "mul") return loop::Update::kMul;
  if (reduction == "max") return loop::Update::kMax;
  if (reduction == "min") return loop::Update::kMin;
  return Error{"the reduction \"" + reduction + "\" is not supported"};
}

static Result<Values> ImportScatterElements(NodeContext& c) {
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  TRY_ASSIGN(auto update, UpdateOf(c));
  TRY(CheckIndices(c, static_cast<size_t>(axis)));
  TRY_ASSIGN(auto result, c.Add(graph::ScatterElements{axis, update}, {c[0], c[1], c[2]}));
  return Values{result};
}

static Result<Values> ImportScatterND(NodeContext& c) {
  TRY_ASSIGN(auto update, UpdateOf(c));
  TRY_ASSIGN(auto result, c.Add(graph::ScatterND{update}, {c[0], c[1], c[2]}));
  TRY(CheckIndices(c, 0, static_cast<size_t>(c.Type(1).shape.back().value())));
  return Values{result};
}

// values[1] where position along the new axis equals the index, values[0] elsewhere. Negative
// indices count from the end.
static Result<Values> ImportOneHot(NodeContext& c) {
  const TensorType indices = c.Type(0);
  TRY_ASSIGN(auto depth, c.Sizes(1));
  if (depth.size() != 1) return Error{"the depth is not a scalar"};
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -1), indices.rank() + 1));
  Shape shape = indices.shape;
  shape.insert(shape.begin() + axis, 1);
  TRY_ASSIGN(auto integers, c.Cast(c[0], DType::kI64));
  TRY_ASSIGN(auto raised, c.Reshape(integers, shape));
  TRY_ASSIGN(auto size, c.Add(graph::Sizes{depth, true}, {}));
  TRY_ASSIGN(auto from_front, c.Binary(BinaryOp::kFloorMod, raised, size));
  // Out of range in either direction means nowhere.
  TRY_ASSIGN(auto zero, c.Scalar(DType::kI64, 0));
  TRY_ASSIGN(auto lowest, c.Binary(BinaryOp::kSub, zero, size));
  TRY_ASSIGN(auto not_below, c.Binary(BinaryOp::kLessEqual, lowest, raised));
  TRY_ASSIGN(auto not_above, c.Binary(BinaryOp::kLess, raised, size));
  TRY_ASSIGN(auto inside, c.Binary(BinaryOp::kAnd, not_below, not_above));
  TRY_ASSIGN(auto positions, c.Add(graph::Iota{depth[0]}, {}));
  Shape upright(static_cast<size_t>(indices.rank() + 1 - axis), 1);
  upright[0] = depth[0];
  TRY_ASSIGN(auto along, c.Reshape(positions, upright));
  TRY_ASSIGN(auto equal, c.Binary(BinaryOp::kEqual, from_front, along));
  TRY_ASSIGN(auto hit, c.Binary(BinaryOp::kAnd, equal, inside));
  TRY_ASSIGN(auto first, c.Add(graph::Slice{{0}, {1}, {1}}, {c[2]}));
  TRY_ASSIGN(auto second, c.Add(graph::Slice{{1}, {1}, {1}}, {c[2]}));
  TRY_ASSIGN(auto off, c.Reshape(first, {}));
  TRY_ASSIGN(auto on, c.Reshape(second, {}));
  TRY_ASSIGN(auto result, c.Add(graph::Where{}, {hit, on, off}));
  return Values{result};
}

// Of each sequence of a batch the first elements, as many as its length says, in reverse.
static Result<Values> ImportReverseSequence(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto time, c.Axis(c.Int("time_axis", 0), type.rank()));
  TRY_ASSIGN(auto batch, c.Axis(c.Int("batch_axis", 1), type.rank()));
  if (time == batch) return Error{"the axes of time and batch are the same"};
  auto along = [&](int64_t axis) {
    Shape shape(type.shape.size(), 1);
    shape[static_cast<size_t>(axis)] = type.shape[static_cast<size_t>(axis)];
    return shape;
  };
  TRY(c.CheckVector("sequence_lens", c[1], type.shape[static_cast<size_t>(batch)], "sequence"));
  TRY_ASSIGN(auto integers, c.Cast(c[1], DType::kI32));
  TRY_ASSIGN(auto lengths, c.Reshape(integers, along(batch)));
  TRY_ASSIGN(auto positions, c.Add(graph::Iota{type.shape[static_cast<size_t>(time)]}, {}));
  TRY_ASSIGN(auto numbers, c.Cast(positions, DType::kI32));
  TRY_ASSIGN(auto steps, c.Reshape(numbers, along(time)));
  TRY_ASSIGN(auto last, c.Binary(BinaryOp::kSub, lengths, 1));
  TRY_ASSIGN(auto mirrored, c.Binary(BinaryOp::kSub, last, steps));
  TRY_ASSIGN(auto reversed, c.Binary(BinaryOp::kLess, steps, lengths));
  TRY_ASSIGN(auto sources, c.Add(graph::Where{}, {reversed, mirrored, steps}));
  TRY_ASSIGN(auto indices, c.Add(graph::Expand{type.shape}, {sources}));
  TRY_ASSIGN(auto result, c.Add(graph::GatherElements{time}, {c[0], indices}));
  return Values{result};
}

// The cache with some of its elements along `axis` from the update: those of one batch from
// write_indices[batch] on, past the end from the beginning if the mode is circular.
static Result<Values> ImportTensorScatter(NodeContext& c) {
  const TensorType cache = c.Type(0), update = c.Type(1);
  std::string mode = c.String("mode", "linear");
  if (mode != "linear" && mode != "circular") return Error{"the mode is linear or circular"};
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", -2), cache.rank()));
  if (axis == 0) return Error{"the axis is the batch"};
  auto d = static_cast<size_t>(axis);
  if (update.rank() != cache.rank() || ProvablyLess(cache.shape[d], update.shape[d]))
    return Error{"the update is " + Print(update) + ", for a cache of " + Print(cache)};
  if (!ProvablyLessEqual(update.shape[d], cache.shape[d]))
    c.AssumeLessEqual(update.shape[d], cache.shape[d]);
  // Where each element of the update goes.
  TRY_ASSIGN(auto positions, c.Add(graph::Iota{update.shape[d]}, {}));
  Shape along(cache.shape.size(), 1), batches(cache.shape.size(), 1);
  along[d] = update.shape[d];
  TRY_ASSIGN(auto place, c.Reshape(positions, along));
  if (c.Has(2)) {
    TRY(c.CheckVector("write_indices", c[2], cache.shape[0], "batch"));
    batches[0] = cache.shape[0];
    TRY_ASSIGN(auto begin, c.Reshape(c[2], batches));
    TRY_ASSIGN(place, c.Binary(BinaryOp::kAdd, place, begin));
  }
  if (mode == "circular") {
    TRY_ASSIGN(auto size, c.Add(graph::Sizes{{cache.shape[d]}, true}, {}));
    TRY_ASSIGN(place, c.Binary(BinaryOp::kFloorMod, place, size));
  }
  TRY_ASSIGN(auto everywhere, c.Add(graph::Expand{update.shape}, {place}));
  TRY_ASSIGN(auto result,
             c.Add(graph::ScatterElements{axis, loop::Update::kSet, {}}, {c[0], everywhere, c[1]}));
  return Values{result};
}

static Result<Values> ImportTrilu(NodeContext& c) {
  const TensorType type = c.Type(0);
  if (type.rank() < 2) return Error{"x is " + Print(type)};
  const Dim &rows = type.shape[type.shape.size() - 2], &columns = type.shape.back();
  bool upper = c.Int("upper", 1) != 0;
  TRY_ASSIGN(auto row, c.Add(graph::Iota{rows}, {}));
  TRY_ASSIGN(auto upright, c.Reshape(row, {rows, 1}));
  if (c.Has(1)) {
    TRY_ASSIGN(auto k, c.Reshape(c[1], {}));
    TRY_ASSIGN(upright, c.Binary(BinaryOp::kAdd, upright, k));
  }
  TRY_ASSIGN(auto column, c.Add(graph::Iota{columns}, {}));
  // Upper keeps column >= row + k, lower column <= row + k.
  TRY_ASSIGN(auto kept, upper ? c.Binary(BinaryOp::kLessEqual, upright, column)
                              : c.Binary(BinaryOp::kLessEqual, column, upright));
  TRY_ASSIGN(auto zero, c.Scalar(type.dtype, 0));
  TRY_ASSIGN(auto result, c.Add(graph::Where{}, {kept, c[0], zero}));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Gather", 2, ImportGather, kAnyOpset},
    {"", "GatherElements", 2, ImportGatherElements},
    {"", "GatherND", 2, ImportGatherND},
    {"", "OneHot", 3, ImportOneHot},
    {"", "ReverseSequence", 2, ImportReverseSequence},
    {"", "Scatter", 3, ImportScatterElements},
    {"", "ScatterElements", 3, ImportScatterElements},
    {"", "ScatterND", 3, ImportScatterND},
    {"", "TensorScatter", 2, ImportTensorScatter},
    {"", "Trilu", 1, ImportTrilu},
    {"com.microsoft", "Trilu", 1, ImportTrilu},
};

std::span<const Operator> IndexingOperators() { return kOperators; }

}  // namespace webnnc::onnx
