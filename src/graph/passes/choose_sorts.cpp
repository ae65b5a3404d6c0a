#include "graph/passes/choose_sorts.h"

#include <limits>
#include <map>

#include "graph/passes/sort_in_steps.h"

namespace webnnc::graph {

void ChooseSortsForCpu(Graph& graph) {
  // Comparing is done by vectors, and a digit has values to look through however few elements have
  // it. Measured: equal for some fifty elements.
  constexpr int64_t kMostCompared = 48;
  for (Node& node : graph.nodes) {
    auto* op = std::get_if<TopK>(&node.op);
    if (!op) continue;
    auto size =
        UpperBound(graph.values[node.operands[0]].type.shape[static_cast<size_t>(op->axis)]);
    if (size && *size <= kMostCompared) op->method = SortMethod::kRanks;
  }
}

namespace {

// The largest of a long row, by those of its blocks: what is among the first `count` of a row is
// among the first of its block. Of equal elements the first stays first, since blocks are in order.
class TopOfBlocks {
 public:
  TopOfBlocks(Builder& build, const TopK& op, const SortLimits& limits, std::string name)
      : build_(build),
        op_(op),
        axis_(static_cast<size_t>(op.axis)),
        largest_(limits.network),
        block_(BlockFor(op.count.value())),
        name_(std::move(name)) {
    op_.method = SortMethod::kNetwork;
  }

  // Whether blocks leave at most half of a row, which may be long where its size is open.
  static bool Suits(const TopK& op, const Dim& size, const SortLimits& limits) {
    bool is_long = !size.IsConstant() || size.value() > limits.network;
    return is_long && op.count.IsConstant() && op.count.value() <= limits.network / 2;
  }

  Sorted Run(ValueId x) {
    Shape along(ShapeOf(x).size(), 1);
    along[axis_] = Size(x);
    ValueId places = Add(Reshape{along}, {Add(Iota{Size(x)}, {})});
    if (along != ShapeOf(x)) places = Add(Expand{ShapeOf(x)}, {places});
    for (int round = 0; IsLong(x, round); ++round) TakeFirst(x, places);
    Sorted last = FirstOf(x, op_.axis);
    return {last.values, Add(GatherElements{op_.axis}, {places, last.places})};
  }

 private:
  // What a sort takes for each element grows with the square of the block's logarithm, and a row of
  // an open size may be shorter than a block. So blocks are as small as leave an eighth.
  int64_t BlockFor(int64_t count) const {
    constexpr int64_t kSmallest = 64, kLeft = 8;
    int64_t block = std::min(kSmallest, largest_);
    while (block < largest_ && block < kLeft * count) block *= 2;
    return block;
  }

  // Of an open size three rounds leave a five hundredth, or two of the largest blocks at most a
  // quarter, and of some hundred thousand elements a few hundred times the count.
  bool IsLong(ValueId x, int round) const {
    const int rounds = block_ < largest_ ? 3 : 2;
    return Size(x).IsConstant() ? Size(x).value() > largest_ : round < rounds;
  }

  const Shape& ShapeOf(ValueId x) const { return build_.type(x).shape; }
  const Dim& Size(ValueId x) const { return ShapeOf(x)[axis_]; }
  ValueId Add(Op op, std::vector<ValueId> operands) {
    return build_.Add(std::move(op), std::move(operands), name_);
  }

  Sorted FirstOf(ValueId x, int64_t axis) {
    TopK op = op_;
    op.axis = axis;
    auto results = build_.TryAddAll(op, {x}, name_);
    CHECK(results);
    return {results.value()[0], results.value()[1]};
  }

  // x with the axis in blocks, filled up with `filling` behind the end: [..., blocks, block_, ...].
  ValueId InBlocks(ValueId x, const Scalar& filling) {
    Shape shape = ShapeOf(x);
    Dim blocks = CeilDiv(shape[axis_], block_);
    Pad pad{Sizes1D(shape.size(), 0), Sizes1D(shape.size(), 0), PadMode::kConstant};
    pad.end[axis_] = blocks * block_ - shape[axis_];
    if (!pad.end[axis_].Is(0)) x = Add(pad, {x, build_.AddConstant(ScalarTensor(filling), name_)});
    shape[axis_] = block_;
    shape.insert(shape.begin() + op_.axis, blocks);
    return Add(Reshape{shape}, {x});
  }

  // What comes after all others, so that it is never among the first.
  static Scalar Last(DType dtype, bool smallest) {
    if (!smallest) return Lowest(dtype, true);
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    return IsFloat(dtype) ? Scalar::Real(dtype, kNan) : Highest(dtype);
  }

  // Leaves the first of each block, and where in the row each of them was.
  void TakeFirst(ValueId& x, ValueId& places) {
    Sorted found = FirstOf(InBlocks(x, Last(build_.type(x).dtype, op_.smallest)), op_.axis + 1);
    ValueId own = Add(GatherElements{op_.axis + 1},
                      {InBlocks(places, Scalar::Integer(DType::kI64, 0)), found.places});
    Shape shape = ShapeOf(x);
    shape[axis_] = ShapeOf(found.values)[axis_] * op_.count;
    x = Add(Reshape{shape}, {found.values});
    places = Add(Reshape{shape}, {own});
  }

  Builder& build_;
  TopK op_;
  size_t axis_;
  int64_t largest_, block_;
  std::string name_;
};

class GpuSorts {
 public:
  GpuSorts(Graph& model, const SortLimits& limits) : model_(model), limits_(limits) {
    ForEachGraph(model, [&](const Graph& graph) {
      for (const Node& node : graph.nodes) {
        auto* define = std::get_if<Define>(&node.op);
        for (size_t i = 0; define && i < define->most.size(); ++i) {
          if (auto bound = UpperBound(define->most[i])) most_[define->symbols[i]] = *bound;
        }
      }
    });
  }

  bool Run() {
    ForEachGraph(model_, [&](Graph& graph) { Visit(graph); });
    return changed_;
  }

 private:
  void Visit(Graph& graph) {
    bool any = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                           [](const Node& node) { return std::holds_alternative<TopK>(node.op); });
    if (!any) return;
    Rewriter rewrite(graph);
    for (Node& node : rewrite.nodes()) {
      auto* op = std::get_if<TopK>(&node.op);
      std::optional<Sorted> sorted = op ? InParts(rewrite.build, graph, node, *op) : std::nullopt;
      if (!sorted) {
        rewrite.Keep(std::move(node));
        continue;
      }
      rewrite.Replace(node.results[0], sorted->values);
      rewrite.Replace(node.results[1], sorted->places);
      changed_ = true;
    }
  }

  // Chooses how the operation sorts, or gives what takes its place.
  std::optional<Sorted> InParts(Builder& build, const Graph& graph, const Node& node, TopK& op) {
    const ValueId x = node.operands[0];
    const Dim size = graph.values[x].type.shape[static_cast<size_t>(op.axis)];
    const std::string name = graph.values[node.results[0]].name;
    build.SetOrigins(node.origins);
    if (TopOfBlocks::Suits(op, size, limits_)) return TopOfBlocks(build, op, limits_, name).Run(x);
    int64_t largest = LargestOf(size);
    if (largest > limits_.compared) return SortInSteps(build, op, x, name, largest);
    bool is_short = size.IsConstant() && size.value() <= limits_.network;
    op.method = is_short ? SortMethod::kNetwork : SortMethod::kRanks;
    return std::nullopt;
  }

  int64_t LargestOf(const Dim& size) const {
    if (auto bound = UpperBound(size)) return *bound;
    auto symbol = SymbolOf(size);
    auto found = symbol ? most_.find(*symbol) : most_.end();
    return found == most_.end() ? INT32_MAX : found->second;
  }

  Graph& model_;
  SortLimits limits_;
  // Of symbols that data decides, the most that they may be.
  std::map<std::string, int64_t> most_;
  bool changed_ = false;
};

}  // namespace

bool ChooseSortsForGpu(Graph& model, const SortLimits& limits) {
  return GpuSorts(model, limits).Run();
}

}  // namespace webnnc::graph
