#include "graph/passes/separate_windows.h"

#include <algorithm>

namespace webnnc::graph {

namespace {

// Steps that storing and reading an element again takes as long as.
constexpr double kMoved = 4;
// How many times less work it must be.
constexpr double kGain = 2;

bool IsSeparable(const Pool& pool, DType dtype) {
  return pool.kind == PoolKind::kMax || (pool.kind != PoolKind::kMaxIndex && dtype != DType::kF16);
}

// The dimensions of `pool` in the order in which they are gone along; empty if it stays one.
std::vector<size_t> OrderOf(const Pool& pool, const TensorType& x, const TensorType& result) {
  if (!IsSeparable(pool, x.dtype)) return {};
  // By how much each makes what comes behind it smaller.
  std::vector<double> shrinks(pool.kernel.size(), 1);
  std::vector<size_t> order;
  double whole = 1;
  for (size_t d = 0; d < pool.kernel.size(); ++d) {
    const Dim &before = x.shape[static_cast<size_t>(pool.first) + d],
              &after = result.shape[static_cast<size_t>(pool.first) + d];
    bool is_known = before.IsConstant() && after.IsConstant() && after.value() > 0;
    shrinks[d] = is_known ? static_cast<double>(before.value()) / static_cast<double>(after.value())
                          : static_cast<double>(pool.strides[d]);
    whole *= static_cast<double>(pool.kernel[d]);
    if (pool.kernel[d] > 1 || pool.strides[d] > 1) order.push_back(d);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return shrinks[a] > shrinks[b]; });
  double parts = 0, left = 1;
  for (size_t i = order.size(); i-- > 0;) {
    parts += (static_cast<double>(pool.kernel[order[i]]) + kMoved) * left;
    left *= shrinks[order[i]];
  }
  return order.size() > 1 && whole >= kGain * parts ? order : std::vector<size_t>();
}

// What `pool` does along one dimension.
Pool Along(const Pool& pool, size_t dimension) {
  Pool part = pool;
  for (size_t d = 0; d < pool.kernel.size(); ++d) {
    if (d == dimension) continue;
    part.kernel[d] = part.strides[d] = part.dilations[d] = 1;
    part.pads_begin[d] = part.pads_end[d] = 0;
  }
  return part;
}

}  // namespace

void SeparateWindows(Graph& graph) {
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    auto* pool = std::get_if<Pool>(&node.op);
    std::vector<size_t> order;
    if (pool) {
      order = OrderOf(*pool, graph.values[node.operands[0]].type, graph.values[node.result()].type);
    }
    if (order.empty()) {
      rewrite.Keep(std::move(node));
      continue;
    }
    rewrite.build.SetOrigins(node.origins);
    const std::string name = graph.values[node.result()].name;
    ValueId value = node.operands[0];
    for (size_t d : order) value = rewrite.build.Add(Along(*pool, d), {value}, name);
    rewrite.Replace(node, value);
  }
}

}  // namespace webnnc::graph
