#include "loop/stage.h"

#include <algorithm>

#include "loop/builder.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

static Stage StageOf(const Stmt& stmt) {
  Stage stage;
  const Stmt* at = &stmt;
  while (auto* loop = std::get_if<For>(at)) {
    CHECK(loop->body.size() == 1);
    stage.loops.push_back({loop->var, loop->extent});
    at = &loop->body[0];
  }
  stage.store = std::get<Store>(*at);
  return stage;
}

static Stmt StmtOf(Stage stage) {
  Stmt stmt = std::move(stage.store);
  for (size_t i = stage.loops.size(); i-- > 0;) {
    For loop{stage.loops[i].var, stage.loops[i].extent, LoopKind::kSerial, {}};
    loop.body.push_back(std::move(stmt));
    stmt = std::move(loop);
  }
  return stmt;
}

std::vector<Stage> StagesOf(const Kernel& plain) {
  std::vector<Stage> stages;
  for (const Stmt& stmt : plain.body) {
    auto* loop = std::get_if<For>(&stmt);
    if (!loop || loop->kind != LoopKind::kOrdered) {
      stages.push_back(StageOf(stmt));
      continue;
    }
    for (const Stmt& inner : loop->body) {
      stages.push_back(StageOf(inner));
      stages.back().ordered = StageLoop{loop->var, loop->extent};
    }
  }
  return stages;
}

void SetStages(Kernel& kernel, std::vector<Stage> stages) {
  kernel.body.clear();
  std::optional<StageLoop> open;
  for (Stage& stage : stages) {
    if (stage.ordered && stage.ordered != open)
      kernel.body.push_back(For{stage.ordered->var, stage.ordered->extent, LoopKind::kOrdered, {}});
    open = stage.ordered;
    Block& block = open ? std::get<For>(kernel.body.back()).body : kernel.body;
    block.push_back(StmtOf(std::move(stage)));
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

bool IsOrdered(const std::vector<Stage>& stages) {
  return std::any_of(stages.begin(), stages.end(),
                     [](const Stage& stage) { return stage.ordered.has_value(); });
}

void ForEachLoad(const Kernel& kernel, const Stage& stage,
                 const std::function<void(const Load&)>& visit) {
  auto visit_loads = [&](ExprId root) {
    ForEachExpr(kernel, root, [&](ExprId id) {
      if (auto* load = std::get_if<Load>(&kernel.exprs[id].node)) visit(*load);
    });
  };
  visit_loads(stage.store.value);
  for (ExprId index : stage.store.index) visit_loads(index);
}

}  // namespace webnnc::loop
