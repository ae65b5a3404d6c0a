#include "graph/passes/simplify.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

class Simplifier {
 public:
  explicit Simplifier(Graph& graph) : graph_(graph), rewrite_(graph) {}

  void Run() {
    for (Node& node : rewrite_.nodes()) {
      std::optional<ValueId> by;
      if (node.results.size() == 1) by = Simpler(node);
      if (by) {
        rewrite_.Replace(node, *by);
        continue;
      }
      for (ValueId result : node.results) definition_.emplace(result, node);
      rewrite_.Keep(std::move(node));
    }
  }

 private:
  const TensorType& TypeOf(ValueId id) const { return graph_.values[id].type; }
  const std::string& NameOf(const Node& node) const { return graph_.values[node.result()].name; }

  // The node that defines `id`, if its operation is a T.
  template <typename T>
  const Node* DefinitionAs(ValueId id) const {
    auto found = definition_.find(id);
    return found != definition_.end() && std::holds_alternative<T>(found->second.op)
               ? &found->second
               : nullptr;
  }

  ValueId Add(Op op, std::vector<ValueId> operands, const Node& like) {
    ValueId id = rewrite_.build.Add(std::move(op), std::move(operands), NameOf(like));
    definition_.emplace(id, graph_.nodes.back());
    return id;
  }

  // The one value that all elements of a constant have.
  std::optional<double> Uniform(ValueId id) const {
    const Node* node = DefinitionAs<Constant>(id);
    if (!node) return std::nullopt;
    const Tensor& tensor = std::get<Constant>(node->op).value;
    int64_t count = ElementCount(tensor.type.shape).value();
    if (count == 0 || count > 4096) return std::nullopt;
    double first = tensor.data.At(tensor.type.dtype, 0).AsReal();
    for (int64_t i = 1; i < count; ++i) {
      if (tensor.data.At(tensor.type.dtype, i).AsReal() != first) return std::nullopt;
    }
    return first;
  }

  std::optional<ValueId> Simpler(const Node& node) {
    return std::visit([&](const auto& op) { return SimplerOp(node, op); }, node.op);
  }

  template <typename T>
  std::optional<ValueId> SimplerOp(const Node&, const T&) {
    return std::nullopt;
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Cast& cast) {
    if (TypeOf(node.operands[0]).dtype == cast.to && !cast.rounded) return node.operands[0];
    return std::nullopt;
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Expand&) {
    if (TypeOf(node.operands[0]) == TypeOf(node.result())) return node.operands[0];
    return std::nullopt;
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Slice& slice) {
    bool forward =
        std::all_of(slice.steps.begin(), slice.steps.end(), [](int64_t s) { return s == 1; });
    if (forward && slice.sizes == TypeOf(node.operands[0]).shape) return node.operands[0];
    return std::nullopt;
  }

  // Indices that are known and evenly spaced are a slice, which consumers read through. What looks
  // an index up is arithmetic that they would repeat.
  std::optional<ValueId> SimplerOp(const Node& node, const Gather& gather) {
    auto progression = ProgressionOf(node.operands[1]);
    if (!progression) return std::nullopt;
    const Shape& shape = TypeOf(node.operands[0]).shape;
    auto axis = static_cast<size_t>(gather.axis);
    auto [first, step, count] = *progression;
    Dim start = first, last = start + Dim(count - 1) * step;
    if (first < 0 && last.value() < 0) {
      start = start + shape[axis];
      last = last + shape[axis];
    }
    // Others would be clamped.
    bool inside =
        ProvablyLessEqual(0, Min(start, last)) && ProvablyLess(Max(start, last), shape[axis]);
    if (!inside) return std::nullopt;
    Slice slice{Sizes1D(shape.size(), 0), shape, Integers(shape.size(), 1)};
    slice.starts[axis] = start;
    slice.sizes[axis] = count;
    slice.steps[axis] = step;
    ValueId sliced = Add(slice, {node.operands[0]}, node);
    const Shape& wanted = TypeOf(node.result()).shape;
    return TypeOf(sliced).shape == wanted ? sliced : Add(Reshape{wanted}, {sliced}, node);
  }

  // Weights that kernels widen where they read them are moved themselves, so that this is done now.
  std::optional<ValueId> MoveStored(const Node& node) {
    return IsWidened(node.operands[0]) ? std::optional(Moved(node, node.operands[0]))
                                       : std::nullopt;
  }
  // Integers that are stored in few bits, wider and less a number perhaps.
  bool IsWidened(ValueId id) const {
    if (const Node* cast = DefinitionAs<Cast>(id)) {
      ValueId from = cast->operands[0];
      return IsInteger(TypeOf(from).dtype) && (IsStored(from) || IsWidened(from));
    }
    const Node* less = DefinitionAs<Binary>(id);
    return less && std::get<Binary>(less->op).op == BinaryOp::kSub &&
           ElementCount(TypeOf(less->operands[1]).shape).Is(1) &&
           TypeOf(less->operands[0]).shape == TypeOf(id).shape && IsWidened(less->operands[0]);
  }
  // A constant, moved perhaps, which will be one.
  bool IsStored(ValueId id) const {
    if (DefinitionAs<Constant>(id)) return !IsPacked(TypeOf(id).dtype);
    const Node* moved = DefinitionAs<Transpose>(id);
    if (!moved) moved = DefinitionAs<Reshape>(id);
    return moved && IsStored(moved->operands[0]);
  }
  ValueId Moved(const Node& node, ValueId id) {
    if (IsStored(id)) return Add(node.op, {id}, node);
    const Node made = definition_.at(id);
    std::vector<ValueId> operands = made.operands;
    operands[0] = Moved(node, operands[0]);
    if (operands.size() > 1) operands[1] = Add(Reshape{}, {operands[1]}, node);
    return Add(made.op, operands, node);
  }

  struct Progression {
    int64_t first, step, count;
  };
  std::optional<Progression> ProgressionOf(ValueId id) const {
    const Node* node = DefinitionAs<Constant>(id);
    if (!node) return std::nullopt;
    const Tensor& tensor = std::get<Constant>(node->op).value;
    int64_t count = ElementCount(tensor.type.shape).value();
    if (count == 0) return std::nullopt;
    // As a size, whose arithmetic is checked.
    auto at = [&](int64_t i) { return Dim(tensor.data.At(tensor.type.dtype, i).integer); };
    Dim step = count > 1 ? at(1) - at(0) : Dim(1);
    if (!step.IsConstant() || step.Is(0)) return std::nullopt;
    for (int64_t i = 1; i < count; ++i) {
      if (at(i) - at(i - 1) != step) return std::nullopt;
    }
    return Progression{at(0).value(), step.value(), count};
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Reshape& reshape) {
    if (TypeOf(node.operands[0]).shape == reshape.shape) return node.operands[0];
    if (const Node* inner = DefinitionAs<Reshape>(node.operands[0])) {
      ValueId x = inner->operands[0];
      return TypeOf(x).shape == reshape.shape ? x : Add(reshape, {x}, node);
    }
    if (auto moved = MoveStored(node)) return moved;
    return ReshapeFirst(node);
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Refine& refine) {
    if (TypeOf(node.operands[0]).shape == refine.shape) return node.operands[0];
    return std::nullopt;
  }

  // Reshape(Transpose(x)) as Transpose(Reshape(x)), where the transpose may meet another. Possible
  // if what the reshape merges or splits lies side by side in x as well.
  std::optional<ValueId> ReshapeFirst(const Node& node) {
    const Node* inner = DefinitionAs<Transpose>(node.operands[0]);
    if (!inner) return std::nullopt;
    const Integers& order = std::get<Transpose>(inner->op).order;
    const Shape &from = TypeOf(node.operands[0]).shape, &to = TypeOf(node.result()).shape;
    struct Run {
      int64_t source;  // the first of its dimensions of x
      std::vector<size_t> out;
    };
    std::vector<Run> runs;
    size_t i = 0, o = 0;
    while (i < from.size() && o < to.size()) {
      Run run{order[i], {o}};
      Dim in = from[i++], out = to[o++];
      while (in != out) {
        bool grow_in = i < from.size() && (o == to.size() || ExactDiv(out, in));
        if (grow_in) {
          if (order[i] != order[i - 1] + 1) return std::nullopt;
          in = in * from[i++];
        } else if (o < to.size()) {
          run.out.push_back(o);
          out = out * to[o++];
        } else {
          return std::nullopt;
        }
      }
      runs.push_back(std::move(run));
    }
    // Dimensions of size 1 at the end belong to the last run.
    if (runs.empty() || i != from.size()) return std::nullopt;
    for (; o < to.size(); ++o) runs.back().out.push_back(o);
    std::vector<Run> sorted = runs;
    std::sort(sorted.begin(), sorted.end(),
              [](const Run& a, const Run& b) { return a.source < b.source; });
    Shape shape;
    Integers back(to.size());
    for (const Run& run : sorted) {
      for (size_t d : run.out) {
        back[d] = static_cast<int64_t>(shape.size());
        shape.push_back(to[d]);
      }
    }
    ValueId reshaped = Add(Reshape{shape}, {inner->operands[0]}, node);
    return Add(Transpose{back}, {reshaped}, node);
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Transpose& transpose) {
    const Shape& shape = TypeOf(node.operands[0]).shape;
    if (std::is_sorted(transpose.order.begin(), transpose.order.end())) return node.operands[0];
    if (auto moved = MoveStored(node)) return moved;
    if (const Node* inner = DefinitionAs<Transpose>(node.operands[0])) {
      Transpose both = transpose;
      for (int64_t& axis : both.order)
        axis = std::get<Transpose>(inner->op).order[static_cast<size_t>(axis)];
      bool cancel = std::is_sorted(both.order.begin(), both.order.end());
      return cancel ? inner->operands[0] : Add(both, {inner->operands[0]}, node);
    }
    Integers moved;
    for (int64_t axis : transpose.order) {
      if (!shape[static_cast<size_t>(axis)].Is(1)) moved.push_back(axis);
    }
    if (!std::is_sorted(moved.begin(), moved.end())) return std::nullopt;
    return Add(Reshape{TypeOf(node.result()).shape}, {node.operands[0]}, node);
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Binary& binary) {
    ValueId a = node.operands[0], b = node.operands[1];
    DType dtype = TypeOf(a).dtype;
    auto x = Uniform(a), y = Uniform(b);
    bool keeps_a = TypeOf(node.result()) == TypeOf(a), keeps_b = TypeOf(node.result()) == TypeOf(b);
    switch (binary.op) {
      case BinaryOp::kAdd:
        if (y == 0.0 && keeps_a) return a;
        if (x == 0.0 && keeps_b) return b;
        break;
      case BinaryOp::kMul:
        if (y == 1.0 && keeps_a) return a;
        if (x == 1.0 && keeps_b) return b;
        break;
      case BinaryOp::kSub:
        if (y == 0.0 && keeps_a) return a;
        if (IsFloat(dtype) && DefinitionAs<Constant>(b)) {
          return Add(Binary{BinaryOp::kAdd}, {a, Changed(b, [](double c) { return -c; })}, node);
        }
        break;
      case BinaryOp::kDiv:
        if (y == 1.0 && keeps_a) return a;
        if (IsFloat(dtype) && HasExactReciprocals(b)) {
          return Add(Binary{BinaryOp::kMul}, {a, Changed(b, [](double c) { return 1 / c; })}, node);
        }
        break;
      case BinaryOp::kPow:
        if (!IsFloat(dtype) || !keeps_a || !y) break;
        if (*y == 1) return a;
        if (*y == 2) return Add(Binary{BinaryOp::kMul}, {a, a}, node);
        if (*y == 3)
          return Add(Binary{BinaryOp::kMul}, {Add(Binary{BinaryOp::kMul}, {a, a}, node), a}, node);
        if (*y == 0.5) return Add(Unary{Function::kSqrt}, {a}, node);
        if (*y == -1) return Add(Unary{Function::kReciprocal}, {a}, node);
        break;
      default: break;
    }
    return std::nullopt;
  }

  // Whether all elements of a constant are powers of two whose reciprocals are no subnormals, which
  // devices may take for 0. Only then is x * (1/c) what x / c is.
  bool HasExactReciprocals(ValueId id) const {
    const Node* node = DefinitionAs<Constant>(id);
    if (!node) return false;
    const Tensor& tensor = std::get<Constant>(node->op).value;
    DType dtype = tensor.type.dtype;
    int largest = dtype == DType::kF16 ? 14 : dtype == DType::kF32 ? 126 : 1022;
    int64_t count = ElementCount(tensor.type.shape).value();
    for (int64_t i = 0; i < count; ++i) {
      double value = tensor.data.At(dtype, i).real;
      int exponent = 0;
      bool is_power = std::isfinite(value) && std::fabs(std::frexp(value, &exponent)) == 0.5;
      if (!is_power || std::abs(exponent - 1) > largest) return false;
    }
    return true;
  }

  template <typename F>
  ValueId Changed(ValueId id, F f) {
    const Constant& constant = std::get<Constant>(DefinitionAs<Constant>(id)->op);
    DType dtype = constant.value.type.dtype;
    int64_t count = ElementCount(constant.value.type.shape).value();
    std::vector<uint8_t> bytes(static_cast<size_t>(count * ByteSize(dtype)));
    for (int64_t i = 0; i < count; ++i) {
      WriteScalar(bytes.data(), i, Scalar::Real(dtype, f(constant.value.data.At(dtype, i).real)));
    }
    Constant changed{{constant.value.type, TensorData::Own(std::move(bytes))}, constant.name};
    ValueId result = rewrite_.build.Add(changed, {}, constant.name);
    definition_.emplace(result, graph_.nodes.back());
    return result;
  }

  // ---- Pads

  // If `id` is x padded with zeros along spatial dimensions only: that node.
  const Node* ZeroPad(ValueId id, size_t first, size_t count) const {
    const Node* node = DefinitionAs<Pad>(id);
    if (!node) return nullptr;
    const Pad& pad = std::get<Pad>(node->op);
    if (pad.mode != PadMode::kConstant || Uniform(node->operands[1]) != 0.0) return nullptr;
    for (size_t d = 0; d < pad.begin.size(); ++d) {
      if (!pad.begin[d].IsConstant() || !pad.end[d].IsConstant()) return nullptr;
      bool spatial = d >= first && d < first + count;
      if (!spatial && (!pad.begin[d].Is(0) || !pad.end[d].Is(0))) return nullptr;
    }
    return node;
  }

  template <typename T>
  std::optional<ValueId> WithPads(const Node& node, T op, size_t first) {
    const Node* padded = ZeroPad(node.operands[0], first, op.pads_begin.size());
    if (!padded) return std::nullopt;
    const Pad& pad = std::get<Pad>(padded->op);
    for (size_t d = 0; d < op.pads_begin.size(); ++d) {
      op.pads_begin[d] += pad.begin[first + d].value();
      op.pads_end[d] += pad.end[first + d].value();
    }
    std::vector<ValueId> operands = node.operands;
    operands[0] = padded->operands[0];
    return Add(op, operands, node);
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Conv& conv) {
    if (conv.outside != 0) return std::nullopt;
    return WithPads(node, conv, conv.layout == Layout::kChannelsFirst ? 2 : 1);
  }

  std::optional<ValueId> SimplerOp(const Node& node, const Pool& pool) {
    bool none =
        std::all_of(pool.pads_begin.begin(), pool.pads_begin.end(),
                    [](int64_t p) { return p == 0; }) &&
        std::all_of(pool.pads_end.begin(), pool.pads_end.end(), [](int64_t p) { return p == 0; });
    // Zeros in an explicit pad count, as the pool's own do if it is told so.
    if (pool.kind != PoolKind::kAverage || !(none || pool.count_pads) || pool.ceil)
      return std::nullopt;
    Pool counting = pool;
    counting.count_pads = true;
    return WithPads(node, counting, static_cast<size_t>(pool.first));
  }

  Graph& graph_;
  Rewriter rewrite_;
  std::map<ValueId, Node> definition_;
};

}  // namespace

void Simplify(Graph& graph) { Simplifier(graph).Run(); }

}  // namespace webnnc::graph
