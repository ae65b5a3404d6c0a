#include "graph/passes/quantize_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <span>

#include "tensor/f16.h"
#include "tensor/quantize.h"

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

// Where a weight's scales are if each is that of a column, channel or row.
struct Scales {
  Groups groups;
  Shape shape;  // so that they broadcast to the result; of a table, to it
};

std::vector<float> FloatsOf(const Tensor& tensor) {
  std::vector<float> values(tensor.data.bytes().size() / sizeof(float));
  std::memcpy(values.data(), tensor.data.bytes().data(), values.size() * sizeof(float));
  return values;
}

Tensor FloatTensor(const std::vector<float>& values, const Shape& shape) {
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {{DType::kF32, shape}, TensorData::Own(std::move(bytes))};
}

Tensor HalfTensor(const std::vector<float>& values, const Shape& shape) {
  std::vector<uint8_t> bytes(values.size() * sizeof(uint16_t));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t half = FloatToHalf(values[i]);
    std::memcpy(bytes.data() + i * sizeof(half), &half, sizeof(half));
  }
  return {{DType::kF16, shape}, TensorData::Own(std::move(bytes))};
}

// Whether all are finite, as f16 too if they become that.
bool StayFinite(const std::vector<float>& values, DType as) {
  return std::all_of(values.begin(), values.end(), [&](float value) {
    return std::isfinite(as == DType::kF16 ? HalfToFloat(FloatToHalf(value)) : value);
  });
}

// Whether f16 has them with all of its bits.
bool AreNormal(const std::vector<float>& scales) {
  return std::all_of(scales.begin(), scales.end(), [](float scale) {
    const float magnitude = std::fabs(scale);
    return magnitude == 0 ||
           (magnitude >= 0x1p-14f && std::isfinite(HalfToFloat(FloatToHalf(scale))));
  });
}

int64_t Count(const Shape& shape, size_t first, size_t end) {
  int64_t count = 1;
  for (size_t d = first; d < end; ++d) count *= shape[d].value();
  return count;
}

// Rows of `depth` elements as they are, or of what are columns, filled up to `width`.
std::vector<float> RowsOf(const Tensor& tensor, bool are_columns, int64_t depth, int64_t width) {
  const std::vector<float> from = FloatsOf(tensor);
  const int64_t rows = static_cast<int64_t>(from.size()) / depth;
  std::vector<float> to(static_cast<size_t>(rows * width));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < depth; ++k) {
      const int64_t at = are_columns ? k * rows + i : i * depth + k;
      to[static_cast<size_t>(i * width + k)] = from[static_cast<size_t>(at)];
    }
  }
  return to;
}

class WeightQuantizer {
 public:
  WeightQuantizer(Graph& graph, const WeightFormat& format)
      : graph_(graph), format_(format), links_(graph), rewrite_(graph) {}

  void Run() {
    for (Node& node : rewrite_.nodes()) {
      auto* constant = std::get_if<Constant>(&node.op);
      if (constant) Consider(node.result(), *constant);
      auto weight = weights_.find(WeightOf(node));
      if (weight == weights_.end()) {
        rewrite_.Keep(std::move(node));
        continue;
      }
      name_ = graph_.values[node.result()].name;
      rewrite_.Replace(node, Quantized(node, weight->second));
    }
  }

 private:
  struct Weight {
    Constant constant;
    DType dtype;
  };

  // ---- What is quantised

  void Consider(ValueId id, const Constant& constant) {
    if (constant.value.type.dtype != DType::kF32 || links_.IsOutput(id)) return;
    DType dtype = format_.dtype;
    for (const Node* user : links_.UsersOf(id)) {
      auto uses = std::count(user->operands.begin(), user->operands.end(), id);
      if (uses != 1 || WeightOf(*user) != id) return;
      if (dtype == DType::kI4 && !HasBlocks(*user)) dtype = DType::kI8;
    }
    const TensorType narrow{dtype, constant.value.type.shape};
    const int64_t saved = ByteSize(constant.value.type).value() - ByteSize(narrow).value();
    if (saved >= kFewestSaved && StayFinite(FloatsOf(constant.value), dtype))
      weights_.emplace(id, Weight{constant, dtype});
  }

  // What the node reads as a weight, constant or not.
  ValueId WeightOf(const Node& node) const {
    const bool is_table = std::holds_alternative<Gather>(node.op);
    const bool reads = is_table || std::holds_alternative<MatMul>(node.op) ||
                       std::holds_alternative<Conv>(node.op) ||
                       std::holds_alternative<ConvTranspose>(node.op);
    if (!reads) return {};
    ValueId weight = node.operands[is_table ? 0 : 1];
    return IsStatic(ShapeOf(weight)) && ScalesOf(node) ? weight : ValueId();
  }

  bool HasBlocks(const Node& node) const {
    if (std::holds_alternative<Gather>(node.op)) return true;
    return std::holds_alternative<MatMul>(node.op) && ShapeOf(node.operands[1]).size() == 2;
  }

  // ---- Where scales are if each is that of a column, a channel or a row

  std::optional<Scales> ScalesOf(const Node& node) const {
    return std::visit([&](const auto& op) { return ScalesOf(node, op); }, node.op);
  }
  template <typename T>
  std::optional<Scales> ScalesOf(const Node&, const T&) const {
    return std::nullopt;
  }
  std::optional<Scales> ScalesOf(const Node& node, const Gather& gather) const {
    const Shape& w = ShapeOf(node.operands[0]);
    if (gather.axis != 0 || w.size() < 2) return std::nullopt;
    Shape shape = w;
    shape.back() = 1;
    return Scales{{.outer = Count(w, 0, w.size() - 1), .along = w.back().value()}, shape};
  }
  std::optional<Scales> ScalesOf(const Node& node, const MatMul& matmul) const {
    const Shape& w = ShapeOf(node.operands[1]);
    const size_t matrix = w.size() - 2;
    const int64_t count = Count(w, 0, matrix);
    const int64_t k = w[matrix + (matmul.transpose_b ? 1 : 0)].value();
    const int64_t n = w[matrix + (matmul.transpose_b ? 0 : 1)].value();
    Shape shape = w;
    shape[matrix] = 1;
    shape[matrix + 1] = n;
    if (matmul.transpose_b) return Scales{{.outer = count * n, .along = k}, shape};
    return Scales{{.outer = count, .along = k, .inner = n}, shape};
  }
  std::optional<Scales> ScalesOf(const Node& node, const Conv& conv) const {
    const Shape& w = ShapeOf(node.operands[1]);
    const bool first = conv.layout == Layout::kChannelsFirst;
    const Dim channels = first ? w.front() : w.back();
    if (!first)
      return Scales{{.along = Count(w, 0, w.size() - 1), .inner = channels.value()}, {channels}};
    return Scales{{.outer = channels.value(), .along = Count(w, 1, w.size())},
                  Upright(channels, w.size() - 2)};
  }
  std::optional<Scales> ScalesOf(const Node& node, const ConvTranspose& conv) const {
    if (conv.groups != 1) return std::nullopt;
    const Shape& w = ShapeOf(node.operands[1]);
    const bool first = conv.layout == Layout::kChannelsFirst;
    const Dim channels = first ? w[1] : w.back();
    if (!first)
      return Scales{{.along = Count(w, 0, w.size() - 1), .inner = channels.value()}, {channels}};
    return Scales{{.along = w[0].value(), .inner = channels.value(), .tail = Count(w, 2, w.size())},
                  Upright(channels, w.size() - 2)};
  }
  static Shape Upright(const Dim& channels, size_t behind) {
    Shape shape(behind + 1, 1);
    shape[0] = channels;
    return shape;
  }

  // ---- What it becomes

  ValueId Quantized(const Node& node, const Weight& weight) {
    const bool is_table = std::holds_alternative<Gather>(node.op);
    switch (weight.dtype) {
      case DType::kF16: {
        const Tensor& value = weight.constant.value;
        return With(node, Widened(HalfTensor(FloatsOf(value), value.type.shape), weight));
      }
      case DType::kI4: return is_table ? BlocksOfRows(node, weight) : ByBlocks(node, weight);
      default: return ByBytes(node, weight);
    }
  }

  ValueId ByBytes(const Node& node, const Weight& weight) {
    const Scales scales = *ScalesOf(node);
    const Tensor& value = weight.constant.value;
    QuantizedWeights quantized =
        Quantize(value.type, FloatsOf(value), scales.groups, DType::kI8, false);
    ValueId result = With(node, Widened(quantized.integers, weight));
    ValueId by = AddConstant(FloatTensor(quantized.scales, scales.shape), ScaleName(weight));
    if (std::holds_alternative<Gather>(node.op)) {
      by = Add(Expand{value.type.shape}, {by});
      by = Add(node.op, {by, node.operands[1]});
    }
    return Add(Binary{BinaryOp::kMul}, {result, by});
  }

  // Rows of integers, as f32, and of scales, one a block.
  struct Blocks {
    ValueId integers, scales;
    int64_t depth;
  };
  Blocks BlocksOf(const Weight& weight, bool are_columns) {
    const Tensor& value = weight.constant.value;
    Shape shape = value.type.shape;
    if (are_columns) std::swap(shape[0], shape[1]);
    const int64_t depth = shape.back().value(), rows = Count(shape, 0, shape.size() - 1);
    const int64_t blocks = CeilDiv(Dim(depth), format_.block).value();
    const Groups groups{.outer = rows, .along = blocks * format_.block, .block = format_.block};
    shape.back() = groups.along;
    const TensorType type{DType::kF32, shape};
    const std::vector<float> values = RowsOf(value, are_columns, depth, groups.along);
    QuantizedWeights quantized = Quantize(type, values, groups, DType::kI4, true);
    if (!AreNormal(quantized.scales)) quantized = Quantize(type, values, groups, DType::kI4, false);
    shape.back() = blocks;
    ValueId scales = AddConstant(AreNormal(quantized.scales) ? HalfTensor(quantized.scales, shape)
                                                             : FloatTensor(quantized.scales, shape),
                                 ScaleName(weight));
    return {Widened(quantized.integers, weight), scales, depth};
  }

  ValueId ByBlocks(const Node& node, const Weight& weight) {
    const MatMul& matmul = std::get<MatMul>(node.op);
    const Blocks blocks = BlocksOf(weight, !matmul.transpose_b);
    return Add(MatMul{matmul.transpose_a, true},
               {node.operands[0], Add(Binary{BinaryOp::kMul}, {Elements(blocks), Spread(blocks)})});
  }

  // Scales are spread before they are looked up: a lookup of those of blocks would be read by each
  // of their elements, and be stored for that.
  ValueId BlocksOfRows(const Node& node, const Weight& weight) {
    const Blocks blocks = BlocksOf(weight, false);
    auto looked_up = [&](ValueId table) { return Add(node.op, {table, node.operands[1]}); };
    return Add(Binary{BinaryOp::kMul}, {looked_up(Elements(blocks)), looked_up(Spread(blocks))});
  }

  ValueId Elements(const Blocks& blocks) { return Shortened(blocks.integers, blocks.depth); }

  // Of each element its block's scale.
  ValueId Spread(const Blocks& blocks) {
    const Shape whole = ShapeOf(blocks.integers);
    Shape apart = ShapeOf(blocks.scales);
    apart.push_back(1);
    ValueId by = Add(Reshape{apart}, {blocks.scales});
    apart.back() = format_.block;
    by = Add(Reshape{whole}, {Add(Expand{apart}, {by})});
    if (graph_.values[by].type.dtype != DType::kF32) by = Add(Cast{DType::kF32}, {by});
    return Shortened(by, blocks.depth);
  }

  ValueId Shortened(ValueId rows, int64_t depth) {
    Slice slice{Sizes1D(ShapeOf(rows).size(), 0), ShapeOf(rows), Integers(ShapeOf(rows).size(), 1)};
    if (slice.sizes.back().Is(depth)) return rows;
    slice.sizes.back() = depth;
    return Add(slice, {rows});
  }

  // The node with another weight.
  ValueId With(const Node& node, ValueId weight) {
    std::vector<ValueId> operands = node.operands;
    operands[std::holds_alternative<Gather>(node.op) ? 0 : 1] = weight;
    return Add(node.op, std::move(operands));
  }

  ValueId Widened(const Tensor& tensor, const Weight& weight) {
    return Add(Cast{DType::kF32}, {AddConstant(tensor, weight.constant.name)});
  }

  static std::string ScaleName(const Weight& weight) { return weight.constant.name + ".scale"; }
  ValueId AddConstant(const Tensor& tensor, const std::string& name) {
    return rewrite_.build.AddConstant(tensor, name);
  }
  ValueId Add(Op op, std::vector<ValueId> operands) {
    return rewrite_.build.Add(std::move(op), std::move(operands), name_);
  }
  const Shape& ShapeOf(ValueId id) const { return graph_.values[id].type.shape; }

  Graph& graph_;
  const WeightFormat& format_;
  Links links_;
  Rewriter rewrite_;
  std::map<ValueId, Weight> weights_;
  std::string name_;
};

}  // namespace

void QuantizeWeights(Graph& graph, const WeightFormat& format) {
  WeightQuantizer(graph, format).Run();
}

}  // namespace webnnc::graph
