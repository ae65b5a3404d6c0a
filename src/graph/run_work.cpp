#include "graph/run_work.h"

#include <algorithm>

#include "graph/lower.h"
#include "loop/run_stages.h"
#include "loop/stage.h"

namespace webnnc::graph {

RunWork::RunWork(const Graph& graph) {
  Collect(graph, {});
  for (const Part& part : parts_) {
    for (const Dim& extent : part.extents) extent.CollectSymbols(symbols_);
  }
  for (const Dim& size : sizes_) size.CollectSymbols(symbols_);
}

void RunWork::Collect(const Graph& graph, const std::vector<Dim>& around) {
  for (const Value& value : graph.values) {
    for (const Dim& size : value.type.shape) {
      if (!size.IsConstant()) sizes_.insert(size);
    }
  }
  for (const Node& node : graph.nodes) {
    std::vector<Dim> inside = around;
    if (auto* loop = std::get_if<Loop>(&node.op)) inside.push_back(loop->count);
    for (const Graph& body : node.bodies) Collect(body, inside);
    const bool has_kernel = node.bodies.empty() && !std::holds_alternative<Constant>(node.op) &&
                            !std::holds_alternative<Define>(node.op);
    if (!has_kernel) continue;
    const loop::Kernel kernel = LowerNode(graph, node);
    for (const loop::Stage& stage : loop::StagesOf(kernel)) {
      Part part{static_cast<double>(loop::ExpressionsOf(kernel, stage)) + 1, around};
      for (const loop::StageLoop& loop : stage.loops) part.extents.push_back(loop.extent);
      if (stage.ordered) part.extents.push_back(stage.ordered->extent);
      parts_.push_back(std::move(part));
    }
  }
}

SymbolValues RunWork::Completed(SymbolValues sizes) const {
  for (const std::string& symbol : symbols_) sizes.emplace(symbol, 1);
  return sizes;
}

double RunWork::Steps(const SymbolValues& sizes) const {
  const SymbolValues all = Completed(sizes);
  double sum = 0;
  for (const Part& part : parts_) {
    double steps = part.expressions;
    for (const Dim& extent : part.extents)
      steps *= static_cast<double>(std::max<int64_t>(0, extent.Evaluate(all)));
    sum += steps;
  }
  return sum;
}

int64_t RunWork::Empty(const SymbolValues& sizes) const {
  const SymbolValues all = Completed(sizes);
  return std::count_if(sizes_.begin(), sizes_.end(),
                       [&](const Dim& size) { return size.Evaluate(all) < 1; });
}

}  // namespace webnnc::graph
