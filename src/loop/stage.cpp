#include "loop/stage.h"

#include <algorithm>

#include "loop/builder.h"
#include "loop/reducer.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

Stage MapStage(std::vector<StageLoop> loops, Store store) {
  return {StageKind::kMap,
          std::move(loops),
          Update::kSet,
          std::move(store.index),
          {{store.buffer, store.value, {}}}};
}

std::optional<Stage> StageOf(const Stmt& stmt) {
  Stage stage;
  const Stmt* at = &stmt;
  while (auto* loop = std::get_if<For>(at)) {
    if (loop->kind != LoopKind::kSerial || loop->body.size() != 1) return std::nullopt;
    stage.loops.push_back({loop->var, loop->extent});
    at = &loop->body[0];
  }
  if (auto* test = std::get_if<If>(at)) {
    if (test->body.size() != 1) return std::nullopt;
    stage.condition = test->condition;
    at = &test->body[0];
  }
  if (auto* reduce = std::get_if<Reduce>(at)) {
    stage.kind = StageKind::kReduce;
    stage.update = reduce->update;
    stage.place = reduce->place;
    stage.parts = reduce->parts;
    return stage;
  }
  auto* store = std::get_if<Store>(at);
  if (!store) return std::nullopt;
  stage.kind = store->update == Update::kSet ? StageKind::kMap : StageKind::kReplace;
  stage.update = store->update;
  stage.place = store->index;
  stage.parts = {{store->buffer, store->value, {}}};
  return stage;
}

Stmt StmtOf(Stage stage) {
  Stmt stmt = Store{stage.buffer(), stage.place, stage.value(), stage.update};
  if (IsReduction(stage))
    stmt = Reduce{stage.update, std::move(stage.place), std::move(stage.parts)};
  if (stage.condition.valid()) {
    If test{stage.condition, {}};
    test.body.push_back(std::move(stmt));
    stmt = std::move(test);
  }
  for (size_t i = stage.loops.size(); i-- > 0;) {
    For loop{stage.loops[i].var, stage.loops[i].extent, LoopKind::kSerial, {}};
    loop.body.push_back(std::move(stmt));
    stmt = std::move(loop);
  }
  return stmt;
}

std::vector<Stage> StagesOf(const Kernel& plain) {
  std::vector<Stage> stages;
  auto add = [&](const Stmt& stmt) {
    std::optional<Stage> stage = StageOf(stmt);
    CHECK(stage);
    stages.push_back(std::move(*stage));
  };
  for (const Stmt& stmt : plain.body) {
    auto* loop = std::get_if<For>(&stmt);
    if (!loop || loop->kind != LoopKind::kOrdered) {
      add(stmt);
      continue;
    }
    for (const Stmt& inner : loop->body) {
      add(inner);
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
  RewriteRoots(stage, [&](ExprId id) { return put(id); });
}

bool Names(const Kernel& kernel, const Stage& stage, VarId loop) {
  return std::any_of(stage.place.begin(), stage.place.end(),
                     [&](ExprId index) { return VariableOf(kernel, index) == loop; });
}

std::vector<StageLoop> PlaceLoops(const Kernel& kernel, const Stage& stage) {
  std::vector<StageLoop> loops = stage.loops;
  std::erase_if(loops, [&](const StageLoop& loop) { return !Names(kernel, stage, loop.var); });
  return loops;
}

Dim IterationsOf(const Stage& stage) {
  Dim iterations = stage.ordered ? stage.ordered->extent : 1;
  for (const StageLoop& loop : stage.loops) iterations = iterations * loop.extent;
  return iterations;
}

std::optional<Product> ProductOf(const Kernel& kernel, const Stage& stage) {
  if (stage.parts.size() != 1) return std::nullopt;
  std::vector<Product> products = ProductsOf(kernel, stage);
  return products.empty() ? std::nullopt : std::optional(products[0]);
}

std::vector<Product> ProductsOf(const Kernel& kernel, const Stage& stage) {
  std::vector<Product> products;
  if (!IsReduction(stage) || stage.update != Update::kAdd) return products;
  for (const Part& part : stage.parts) {
    auto* product = std::get_if<Binary>(&kernel.exprs[part.term].node);
    if (product && product->op == BinaryOp::kMul) products.push_back({product->a, product->b});
  }
  return products;
}

bool IsOrdered(const std::vector<Stage>& stages) {
  return std::any_of(stages.begin(), stages.end(),
                     [](const Stage& stage) { return stage.ordered.has_value(); });
}

void ForEachRoot(const Stage& stage, const std::function<void(ExprId)>& visit) {
  for (const Part& part : stage.parts) {
    visit(part.term);
    if (part.start.valid()) visit(part.start);
  }
  for (ExprId index : stage.place) visit(index);
  if (stage.condition.valid()) visit(stage.condition);
}

void RewriteRoots(Stage& stage, const std::function<ExprId(ExprId)>& f) {
  for (Part& part : stage.parts) {
    part.term = f(part.term);
    if (part.start.valid()) part.start = f(part.start);
  }
  for (ExprId& index : stage.place) index = f(index);
  if (stage.condition.valid()) stage.condition = f(stage.condition);
}

void ForEachLoad(const Kernel& kernel, const Stage& stage,
                 const std::function<void(const Load&)>& visit) {
  ForEachRoot(stage, [&](ExprId root) {
    ForEachExpr(kernel, root, [&](ExprId id) {
      if (auto* load = std::get_if<Load>(&kernel.exprs[id].node)) visit(*load);
    });
  });
}

Stage StartOf(const Kernel& kernel, const Stage& reduction, size_t part) {
  const Part& own = reduction.parts[part];
  Stage start = MapStage(PlaceLoops(kernel, reduction), {own.buffer, reduction.place, own.start});
  start.ordered = reduction.ordered;
  start.condition = reduction.condition;
  return start;
}

static bool HasEmpty(const std::vector<StageLoop>& loops) {
  return std::any_of(loops.begin(), loops.end(),
                     [](const StageLoop& loop) { return loop.extent.Is(0); });
}

std::vector<Stage> WithoutEmptyLoops(const Kernel& kernel, Stage stage) {
  if (!HasEmpty(stage.loops)) return {std::move(stage)};
  std::vector<Stage> starts;
  if (!IsReduction(stage) || HasEmpty(PlaceLoops(kernel, stage))) return starts;
  for (size_t p = 0; p < stage.parts.size(); ++p) starts.push_back(StartOf(kernel, stage, p));
  return starts;
}

// The block that a stage's statement is in, `block` if in no other.
static Block& BodyOf(Block& block) {
  if (block.size() != 1) return block;
  if (auto* loop = std::get_if<For>(&block[0])) return BodyOf(loop->body);
  auto* test = std::get_if<If>(&block[0]);
  return test ? BodyOf(test->body) : block;
}

static void AppendInSteps(Kernel& kernel, const Stmt& stmt, Block& into) {
  auto* loop = std::get_if<For>(&stmt);
  if (loop && loop->kind == LoopKind::kOrdered) {
    For ordered{loop->var, loop->extent, loop->kind, {}};
    for (const Stmt& inner : loop->body) AppendInSteps(kernel, inner, ordered.body);
    into.push_back(std::move(ordered));
    return;
  }
  std::optional<Stage> stage = StageOf(stmt);
  if (!stage || !IsReduction(*stage)) {
    into.push_back(stmt);
    return;
  }
  std::vector<BufferId> buffers;
  Tuple terms;
  for (size_t p = 0; p < stage->parts.size(); ++p) {
    into.push_back(StmtOf(StartOf(kernel, *stage, p)));
    buffers.push_back(stage->parts[p].buffer);
    terms.push_back(stage->parts[p].term);
  }
  Block stores = CombineInto(kernel, stage->update, buffers, stage->place, terms);
  Block steps{stmt};
  BodyOf(steps) = std::move(stores);
  for (Stmt& step : steps) into.push_back(std::move(step));
}

Kernel WithoutReductions(const Kernel& plain) {
  Kernel kernel = plain;
  kernel.body.clear();
  for (const Stmt& stmt : plain.body) AppendInSteps(kernel, stmt, kernel.body);
  return kernel;
}

}  // namespace webnnc::loop
