#include "loop/passes/single_terms.h"

#include <algorithm>

#include "loop/reducer.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// Whether every element gets one term: the loops that its place does not name run once.
bool HasSingleTerms(const Kernel& kernel, const Stage& stage) {
  return std::all_of(stage.loops.begin(), stage.loops.end(), [&](const StageLoop& loop) {
    return loop.extent.Is(1) || Names(kernel, stage, loop.var);
  });
}

// What the parts of such a stage are.
Tuple ResultsOf(Kernel& kernel, const Stage& stage) {
  Tuple starts, terms;
  std::vector<DType> dtypes;
  for (const Part& part : stage.parts) {
    starts.push_back(part.start);
    terms.push_back(part.term);
    dtypes.push_back(kernel.exprs[part.term].dtype);
  }
  // Adding to zero would only lose the sign of a negative zero.
  if (starts == NeutralTuple(kernel, stage.update, dtypes)) return terms;
  return Combine(kernel, stage.update, starts, terms);
}

}  // namespace

void StoreSingleTerms(Kernel& kernel) {
  std::vector<Stage> stages;
  for (Stage& stage : StagesOf(kernel)) {
    if (!IsReduction(stage) || !HasSingleTerms(kernel, stage)) {
      stages.push_back(std::move(stage));
      continue;
    }
    Tuple results = ResultsOf(kernel, stage);
    for (size_t p = 0; p < results.size(); ++p) {
      Stage map = MapStage(stage.loops, {stage.parts[p].buffer, stage.place, results[p]});
      map.ordered = stage.ordered;
      map.condition = stage.condition;
      DropUnitLoops(kernel, map);
      stages.push_back(std::move(map));
    }
  }
  SetStages(kernel, std::move(stages));
}

}  // namespace webnnc::loop
