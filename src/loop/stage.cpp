#include "loop/stage.h"

#include "loop/builder.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

std::vector<Stage> StagesOf(const Kernel& plain) {
  std::vector<Stage> stages;
  for (const Stmt& stmt : plain.body) {
    Stage stage;
    const Stmt* at = &stmt;
    while (auto* loop = std::get_if<For>(at)) {
      CHECK(loop->body.size() == 1);
      stage.loops.push_back({loop->var, loop->extent});
      at = &loop->body[0];
    }
    stage.store = std::get<Store>(*at);
    stages.push_back(std::move(stage));
  }
  return stages;
}

void SetStages(Kernel& kernel, std::vector<Stage> stages) {
  kernel.body.clear();
  for (Stage& stage : stages) {
    Stmt stmt = std::move(stage.store);
    for (size_t i = stage.loops.size(); i-- > 0;) {
      For loop{stage.loops[i].var, stage.loops[i].extent, LoopKind::kSerial, {}};
      loop.body.push_back(std::move(stmt));
      stmt = std::move(loop);
    }
    kernel.body.push_back(std::move(stmt));
  }
}

void DropUnitLoops(Kernel& kernel, Stage& stage) {
  Builder build(kernel);
  std::unordered_map<VarId, ExprId> zero;
  std::erase_if(stage.loops, [&](const StageLoop& loop) {
    if (loop.extent.Is(1)) zero[loop.var] = build.Int(0);
    return loop.extent.Is(1);
  });
  if (zero.empty()) return;
  Substitution put(kernel, std::move(zero));
  for (ExprId& index : stage.store.index) index = put(index);
  stage.store.value = put(stage.store.value);
}

bool IsReduction(const Stage& stage) { return stage.store.update != Update::kSet; }

}  // namespace webnnc::loop
