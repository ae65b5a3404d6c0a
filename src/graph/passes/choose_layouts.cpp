#include "graph/passes/choose_layouts.h"

#include <algorithm>
#include <map>
#include <set>

#include "graph/passes/minimum_cut.h"

namespace webnnc::graph {

namespace {

// Seconds.
constexpr double kForbidden = 1e9;

// Channels last: dimension 1 goes to the end.
Integers ToLast(size_t rank) {
  Integers order{0};
  for (size_t d = 2; d < rank; ++d) order.push_back(static_cast<int64_t>(d));
  order.push_back(1);
  return order;
}
Integers ToFirst(size_t rank) {
  Integers order{0, static_cast<int64_t>(rank) - 1};
  for (size_t d = 1; d + 1 < rank; ++d) order.push_back(static_cast<int64_t>(d));
  return order;
}
// Where dimension d is with the channels last.
int64_t LastPosition(int64_t d, size_t rank) {
  if (d == 0) return 0;
  return d == 1 ? static_cast<int64_t>(rank) - 1 : d - 1;
}
template <typename T>
std::vector<T> Permuted(const std::vector<T>& values) {
  std::vector<T> out;
  for (int64_t d : ToLast(values.size())) out.push_back(values[static_cast<size_t>(d)]);
  return out;
}

class LayoutChooser {
 public:
  LayoutChooser(Graph& graph, const Machine& machine)
      : graph_(graph), links_(graph), costs_(machine.layouts) {}

  void Run() {
    Choose();
    if (std::any_of(last_.begin(), last_.end(), [](bool b) { return b; })) Rewrite();
  }

 private:
  const Shape& ShapeOf(ValueId id) const { return graph_.values[id].type.shape; }

  double Estimate(const Dim& dim) const {
    std::set<std::string> symbols;
    dim.CollectSymbols(symbols);
    SymbolValues values;
    for (const std::string& symbol : symbols) values[symbol] = costs_.open_size;
    return static_cast<double>(dim.Evaluate(values));
  }

  static bool IsConstant(const Node& node) { return std::holds_alternative<Constant>(node.op); }

  // Whether the operation can have its channels in either place.
  bool HasChoice(const Node& node) const {
    size_t rank = ShapeOf(node.results[0]).size();
    if (rank < 3) return false;
    auto all_rank = [&] {
      for (ValueId operand : node.operands) {
        if (ShapeOf(operand).size() != rank) return false;
      }
      return true;
    };
    if (auto* conv = std::get_if<Conv>(&node.op)) return conv->layout == Layout::kChannelsFirst;
    if (auto* conv = std::get_if<ConvTranspose>(&node.op))
      return conv->layout == Layout::kChannelsFirst;
    if (auto* pool = std::get_if<Pool>(&node.op)) {
      // Indices count elements in the order of ONNX's layout.
      bool whole = pool->first == 2 && pool->kernel.size() + 2 == rank;
      return pool->kind != PoolKind::kMaxIndex && (whole || pool->kernel.size() == 1);
    }
    if (auto* reduce = std::get_if<Reduce>(&node.op)) return reduce->keep;
    if (auto* arg = std::get_if<ArgReduce>(&node.op)) return arg->keep;
    if (std::holds_alternative<Pad>(node.op)) return true;
    return std::holds_alternative<Unary>(node.op) || std::holds_alternative<Binary>(node.op) ||
           std::holds_alternative<Where>(node.op) || std::holds_alternative<Cast>(node.op) ||
           std::holds_alternative<Softmax>(node.op) || std::holds_alternative<Normalize>(node.op) ||
           std::holds_alternative<Slice>(node.op) || std::holds_alternative<Resize>(node.op) ||
           std::holds_alternative<Refine>(node.op) || std::holds_alternative<Tile>(node.op) ||
           (std::holds_alternative<Concat>(node.op) && all_rank());
  }

  // Whether the model moves the channels of an image from the end to the front itself. Who takes
  // them last takes what was there before.
  static bool MovesToFirst(const Node& node) {
    auto* transpose = std::get_if<Transpose>(&node.op);
    return transpose && transpose->order.size() >= 4 &&
           transpose->order == ToFirst(transpose->order.size());
  }

  // Whether it moves them to the end, where the pixels may have become one dimension.
  bool MovesToLast(const Node& node) const {
    const Shape& from = ShapeOf(node.operands[0]);
    if (from.size() < 4) return false;
    if (IsToLast(node)) return true;
    if (!std::holds_alternative<Reshape>(node.op)) return false;
    const Shape& to = ShapeOf(node.result());
    bool keeps_channels =
        to.size() >= 3 && from[0] == to[0] && from[1] == to[1] && !links_.IsOutput(node.result());
    const auto& users = links_.UsersOf(node.result());
    return keeps_channels && std::all_of(users.begin(), users.end(),
                                         [](const Node* user) { return IsToLast(*user); });
  }
  static bool IsToLast(const Node& node) {
    auto* transpose = std::get_if<Transpose>(&node.op);
    return transpose && transpose->order == ToLast(transpose->order.size());
  }

  // What moving the value between layouts costs.
  double MovePrice(ValueId id) const {
    const Shape& shape = ShapeOf(id);
    if (shape.size() < 3) return 0;
    bool one_pixel =
        std::all_of(shape.begin() + 2, shape.end(), [](const Dim& d) { return d.Is(1); });
    if (shape[1].Is(1) || one_pixel) return 0;
    return Estimate(ByteSize(graph_.values[id].type)) * costs_.seconds_per_byte;
  }

  // What a convolution loses with its channels first.
  double FirstPrice(const Node& node) const {
    bool conv = std::holds_alternative<Conv>(node.op),
         transposed = std::holds_alternative<ConvTranspose>(node.op);
    if (!conv && !transposed) return 0;
    const Shape& filter = ShapeOf(node.operands[1]);
    double taps = 1;
    for (size_t d = 1; d < filter.size(); ++d) taps *= Estimate(filter[d]);
    const Shape& places = ShapeOf(transposed ? node.operands[0] : node.results[0]);
    return 2 * Estimate(ElementCount(places)) * taps * costs_.seconds_per_operation *
           costs_.channels_first;
  }

  void Choose() {
    MinimumCut cut(static_cast<int>(graph_.nodes.size()));
    std::map<ValueId, int> producer;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      auto item = static_cast<int>(n);
      for (ValueId result : node.results) producer[result] = item;
      // Constants are laid out as they are used.
      if (IsConstant(node)) continue;
      cut.AddPrice(item, HasChoice(node) ? FirstPrice(node) : 0, HasChoice(node) ? 0 : kForbidden);
    }
    // A value is moved once, however many use it in the other layout: two items a value stand for
    // "some user wants it first" and "some user wants it last".
    std::map<ValueId, std::pair<int, int>> wanted;
    auto user = [&](ValueId value, int item) {
      auto [found, is_new] = wanted.emplace(value, std::pair{0, 0});
      if (is_new) {
        found->second = {cut.AddItem(), cut.AddItem()};
        int made = MadeBy(cut, producer, value);
        double price = MovePrice(value);
        // Made last (second side), wanted first; and the other way round.
        cut.AddApart(found->second.first, made, price);
        cut.AddApart(made, found->second.second, price);
      }
      cut.AddApart(item, found->second.first, kForbidden);
      cut.AddApart(found->second.second, item, kForbidden);
    };
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      for (ValueId operand : Images(node)) {
        auto found = producer.find(operand);
        bool constant =
            found != producer.end() && IsConstant(graph_.nodes[static_cast<size_t>(found->second)]);
        if (!constant) user(operand, MovesToLast(node) ? AlwaysLast(cut) : static_cast<int>(n));
      }
    }
    for (const Port& port : graph_.outputs) {
      int outside = cut.AddItem();
      cut.AddPrice(outside, 0, kForbidden);
      user(port.value, outside);
    }
    std::vector<bool> second = cut.Solve();
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      last_.push_back(second[n] && HasChoice(graph_.nodes[n]));
    }
  }

  // The item that makes a value: its node, or for inputs one that is first, and one that is last
  // for what the model has moved to the front.
  int MadeBy(MinimumCut& cut, const std::map<ValueId, int>& producer, ValueId value) {
    auto found = producer.find(value);
    if (found == producer.end()) {
      int input = cut.AddItem();
      cut.AddPrice(input, 0, kForbidden);
      return input;
    }
    bool was_last = MovesToFirst(graph_.nodes[static_cast<size_t>(found->second)]);
    return was_last ? AlwaysLast(cut) : found->second;
  }

  static int AlwaysLast(MinimumCut& cut) {
    int item = cut.AddItem();
    cut.AddPrice(item, kForbidden, 0);
    return item;
  }

  // The operands that are images, not filters or scalars.
  std::vector<ValueId> Images(const Node& node) const {
    bool filtered =
        std::holds_alternative<Conv>(node.op) || std::holds_alternative<ConvTranspose>(node.op);
    if (filtered || std::holds_alternative<Pad>(node.op)) return {node.operands[0]};
    return node.operands;
  }

  // ---- Rewriting

  void Rewrite() {
    Rewriter rewrite(graph_);
    build_ = &rewrite.build;
    size_t n = 0;
    for (Node& node : rewrite.nodes()) {
      if (!last_[n++]) {
        rewrite.Keep(std::move(node));
        continue;
      }
      const std::string name = graph_.values[node.result()].name;
      size_t rank = ShapeOf(node.result()).size();
      std::vector<ValueId> operands = node.operands;
      for (size_t i = 0; i < operands.size(); ++i) operands[i] = OperandLast(node, i, rank);
      ValueId result = build_->Add(OpLast(node.op, rank), operands, name);
      rewrite.Replace(node, build_->Add(Transpose{ToFirst(rank)}, {result}, name));
    }
  }

  ValueId OperandLast(const Node& node, size_t i, size_t rank) {
    ValueId operand = node.operands[i];
    const std::string name = graph_.values[operand].name;
    Shape shape = ShapeOf(operand);
    if (std::holds_alternative<Conv>(node.op) && i == 1) {
      // filter[o, c, k...] to [k..., c, o]
      Integers order;
      for (size_t d = 2; d < rank; ++d) order.push_back(static_cast<int64_t>(d));
      order.insert(order.end(), {1, 0});
      return build_->Add(Transpose{order}, {operand}, name);
    }
    if (std::holds_alternative<ConvTranspose>(node.op) && i == 1) {
      // filter[c, o, k...] to [k..., c, o]
      Integers order;
      for (size_t d = 2; d < rank; ++d) order.push_back(static_cast<int64_t>(d));
      order.insert(order.end(), {0, 1});
      return build_->Add(Transpose{order}, {operand}, name);
    }
    if (std::holds_alternative<Pad>(node.op) && i == 1) return operand;
    if (shape.size() < rank) {
      // Broadcasting aligns at the end: missing dimensions are in front.
      shape.insert(shape.begin(), rank - shape.size(), 1);
      operand = build_->Add(Reshape{shape}, {operand}, name);
    }
    return build_->Add(Transpose{ToLast(rank)}, {operand}, name);
  }

  static Integers Moved(const Integers& axes, size_t rank) {
    Integers out;
    for (int64_t axis : axes) out.push_back(LastPosition(axis, rank));
    std::sort(out.begin(), out.end());
    return out;
  }

  static Op OpLast(Op op, size_t rank) {
    if (auto* conv = std::get_if<Conv>(&op)) conv->layout = Layout::kChannelsLast;
    if (auto* conv = std::get_if<ConvTranspose>(&op)) conv->layout = Layout::kChannelsLast;
    if (auto* pool = std::get_if<Pool>(&op)) pool->first = LastPosition(pool->first, rank);
    if (auto* reduce = std::get_if<Reduce>(&op)) reduce->axes = Moved(reduce->axes, rank);
    if (auto* arg = std::get_if<ArgReduce>(&op)) arg->axis = LastPosition(arg->axis, rank);
    if (auto* softmax = std::get_if<Softmax>(&op)) softmax->axes = Moved(softmax->axes, rank);
    if (auto* normalize = std::get_if<Normalize>(&op))
      normalize->axes = Moved(normalize->axes, rank);
    if (auto* concat = std::get_if<Concat>(&op)) concat->axis = LastPosition(concat->axis, rank);
    if (auto* slice = std::get_if<Slice>(&op)) {
      slice->starts = Permuted(slice->starts);
      slice->sizes = Permuted(slice->sizes);
      slice->steps = Permuted(slice->steps);
    }
    if (auto* refine = std::get_if<Refine>(&op)) refine->shape = Permuted(refine->shape);
    if (auto* pad = std::get_if<Pad>(&op)) {
      pad->begin = Permuted(pad->begin);
      pad->end = Permuted(pad->end);
    }
    if (auto* tile = std::get_if<Tile>(&op)) tile->repeats = Permuted(tile->repeats);
    if (auto* resize = std::get_if<Resize>(&op)) {
      resize->sizes = Permuted(resize->sizes);
      resize->scales = Permuted(resize->scales);
      if (!resize->roi_begin.empty()) resize->roi_begin = Permuted(resize->roi_begin);
      if (!resize->roi_end.empty()) resize->roi_end = Permuted(resize->roi_end);
    }
    return op;
  }

  Graph& graph_;
  const Links links_;
  const Machine::Layouts& costs_;
  Builder* build_ = nullptr;
  std::vector<bool> last_;
};

// A reduction that drops its axes is one that keeps them and a reshape: then it has a choice.
void KeepReducedAxes(Graph& graph) {
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    auto* reduce = std::get_if<Reduce>(&node.op);
    if (!reduce || reduce->keep || graph.values[node.operands[0]].type.rank() < 3) {
      rewrite.Keep(std::move(node));
      continue;
    }
    const std::string name = graph.values[node.result()].name;
    Shape shape = graph.values[node.result()].type.shape;
    ValueId kept = rewrite.build.Add(Reduce{reduce->kind, reduce->axes, true}, node.operands, name);
    rewrite.Replace(node, rewrite.build.Add(Reshape{shape}, {kept}, name));
  }
}

}  // namespace

void ChooseLayouts(Graph& graph, const Machine& machine) {
  KeepReducedAxes(graph);
  LayoutChooser(graph, machine).Run();
}

}  // namespace webnnc::graph
