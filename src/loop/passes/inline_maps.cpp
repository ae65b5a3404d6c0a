#include "loop/passes/inline_maps.h"

#include <map>
#include <set>

#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// The stage's loop variables in terms of an index of the element that it stores, if the index
// determines them.
std::optional<std::unordered_map<VarId, size_t>> Dimensions(const Kernel& kernel,
                                                            const Stage& stage) {
  std::unordered_map<VarId, size_t> dimension;
  for (size_t d = 0; d < stage.store.index.size(); ++d) {
    auto* variable = std::get_if<Variable>(&kernel.exprs[stage.store.index[d]].node);
    if (variable) dimension.emplace(variable->var, d);
  }
  if (dimension.size() != stage.loops.size()) return std::nullopt;
  return dimension;
}

}  // namespace

void InlineMaps(Kernel& kernel) {
  std::vector<Stage> stages = StagesOf(kernel);
  // A temporary that several stages store to, as a reduction and its start do, is no map's.
  std::map<BufferId, int> writers;
  for (const Stage& stage : stages) ++writers[stage.store.buffer];

  struct Map {
    std::unordered_map<VarId, size_t> dimension;
    ExprId value;
  };
  std::map<BufferId, Map> maps;
  ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
    auto* load = std::get_if<Load>(&kernel.exprs[id].node);
    if (!load) return id;
    auto map = maps.find(load->buffer);
    if (map == maps.end()) return id;
    std::unordered_map<VarId, ExprId> values;
    for (auto [var, d] : map->second.dimension) values[var] = load->index[d];
    return Substitution(kernel, std::move(values))(map->second.value);
  });

  std::vector<Stage> kept;
  for (Stage& stage : stages) {
    for (ExprId& index : stage.store.index) index = rewrite(index);
    stage.store.value = rewrite(stage.store.value);
    BufferId buffer = stage.store.buffer;
    bool candidate = kernel.buffers[buffer].space == Space::kTemporary &&
                     stage.store.update == Update::kSet && writers[buffer] == 1;
    auto dimension = candidate ? Dimensions(kernel, stage) : std::nullopt;
    if (dimension) {
      maps[buffer] = {std::move(*dimension), stage.store.value};
    } else {
      kept.push_back(std::move(stage));
    }
  }
  SetStages(kernel, std::move(kept));
}

}  // namespace webnnc::loop
