// Plain kernels as the list of stages that they are.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

struct StageLoop {
  VarId var;
  Dim extent;
  friend bool operator==(const StageLoop&, const StageLoop&) = default;
};

// What the iterations of a stage are to each other.
enum class StageKind : uint8_t {
  kMap,      // each stores an element of its own
  kReduce,   // those of one place are combined, and with what the result starts from
  kReplace,  // in ordered loops: each combines with what is there
};

// Serial loops, outermost first, around a store or a Reduce, which may stand under a condition.
struct Stage {
  StageKind kind = StageKind::kMap;
  std::vector<StageLoop> loops;
  // How terms combine, of kReduce with each other; kSet of kMap.
  Update update = Update::kSet;
  // Where each part is stored in its buffer.
  Index place;
  // One, but for a reducer of several. Only those of kReduce have a start.
  std::vector<Part> parts;
  // The ordered loop that the stage stands in, together with its neighbours that have the same: all
  // of them run in each iteration, one after another.
  std::optional<StageLoop> ordered = std::nullopt;
  // In an ordered loop: where it does not hold, the iteration would leave what is stored as it is,
  // and need not run. It speaks of the place's loops and the ordered one. Invalid: nothing is
  // known.
  ExprId condition = {};

  BufferId buffer() const { return parts[0].buffer; }
  ExprId value() const { return parts[0].term; }
};

// A stage that sets elements.
Stage MapStage(std::vector<StageLoop> loops, Store store);

std::vector<Stage> StagesOf(const Kernel& plain);
void SetStages(Kernel& kernel, std::vector<Stage> stages);

// The stage that `stmt` is, if it is one, and the statement that a stage is.
std::optional<Stage> StageOf(const Stmt& stmt);
Stmt StmtOf(Stage stage);

// Takes out the stage's loops that run once.
void DropUnitLoops(Kernel& kernel, Stage& stage);

inline bool IsReduction(const Stage& stage) { return stage.kind == StageKind::kReduce; }

// Whether the stage's place names the loop. The others of a kReduce are what is reduced.
bool Names(const Kernel& kernel, const Stage& stage, VarId loop);
std::vector<StageLoop> PlaceLoops(const Kernel& kernel, const Stage& stage);

// How often the stage runs what it stores or reduces.
Dim IterationsOf(const Stage& stage);

// The two sides of what a sum of products adds up.
struct Product {
  ExprId left, right;
};
std::optional<Product> ProductOf(const Kernel& kernel, const Stage& stage);
// Those of all parts that are sums of products.
std::vector<Product> ProductsOf(const Kernel& kernel, const Stage& stage);

bool IsOrdered(const std::vector<Stage>& stages);

// Calls `visit` for each expression that the stage computes: its place, its terms and their starts,
// its condition.
void ForEachRoot(const Stage& stage, const std::function<void(ExprId)>& visit);
// Replaces each of these by what `f` gives for it.
void RewriteRoots(Stage& stage, const std::function<ExprId(ExprId)>& f);

// Calls `visit` for each different load of a root.
void ForEachLoad(const Kernel& kernel, const Stage& stage,
                 const std::function<void(const Load&)>& visit);

// The map that sets a part of a reduction to what it starts from.
Stage StartOf(const Kernel& kernel, const Stage& reduction, size_t part);

// What a stage does that has a loop of no iterations: nothing, or sets a reduction without terms to
// its starts. The stage itself if it has no such loop.
std::vector<Stage> WithoutEmptyLoops(const Kernel& kernel, Stage stage);

// The kernel with each reduction as what it means, for interpreters: stages that set its parts to
// their starts, and one that combines terms with what is there. It is no longer plain.
Kernel WithoutReductions(const Kernel& plain);

}  // namespace webnnc::loop
