#include "loop/passes/single_terms.h"

#include <set>

#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// Sets what `reduction` adds to, and nothing more.
bool Starts(const Stage& start, const Stage& reduction) {
  return start.store.update == Update::kSet && start.store.buffer == reduction.store.buffer &&
         start.ordered == reduction.ordered;
}

// Whether every element gets one term: the loops that no index names run once.
bool HasSingleTerms(const Kernel& kernel, const Stage& stage) {
  std::set<VarId> named;
  for (ExprId index : stage.store.index) {
    if (auto var = VariableOf(kernel, index)) named.insert(*var);
  }
  for (const StageLoop& loop : stage.loops) {
    if (!named.count(loop.var) && !loop.extent.Is(1)) return false;
  }
  return true;
}

bool IsNeutral(const Kernel& kernel, ExprId id, Update update) {
  auto* constant = std::get_if<Constant>(&kernel.exprs[id].node);
  return constant && constant->value == Neutral(update, kernel.exprs[id].dtype);
}

// `start`'s value for the element that `reduction` stores.
ExprId StartOf(Kernel& kernel, const Stage& start, const Stage& reduction) {
  std::unordered_map<VarId, ExprId> values;
  for (size_t d = 0; d < start.store.index.size(); ++d) {
    if (auto var = VariableOf(kernel, start.store.index[d]))
      values[*var] = reduction.store.index[d];
  }
  return Substitution(kernel, std::move(values))(start.store.value);
}

}  // namespace

void StoreSingleTerms(Kernel& kernel) {
  std::vector<Stage> stages;
  for (Stage& stage : StagesOf(kernel)) {
    bool single = IsReduction(stage) && !stages.empty() && Starts(stages.back(), stage) &&
                  HasSingleTerms(kernel, stage);
    if (single) {
      Update update = stage.store.update;
      ExprId start = StartOf(kernel, stages.back(), stage);
      // Adding to zero would only lose the sign of a negative zero.
      if (!IsNeutral(kernel, start, update))
        stage.store.value = Combine(kernel, update, start, stage.store.value);
      stage.store.update = Update::kSet;
      DropUnitLoops(kernel, stage);
      stages.pop_back();
    }
    stages.push_back(std::move(stage));
  }
  SetStages(kernel, std::move(stages));
}

}  // namespace webnnc::loop
