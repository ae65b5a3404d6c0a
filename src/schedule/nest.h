// Nests: what directives work on. A plain kernel's stages become nests, directives change the
// nests' lists of loops, and Build writes the loops out.
//
// A nest is one store or reduction inside loops. The expressions of a nest speak of its original
// variables; `definitions` says what those are in terms of the loops there are now. So a directive
// never rewrites an expression.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "loop/kernel.h"
#include "loop/stage.h"
#include "schedule/schedule.h"

namespace webnnc::schedule {

struct NestLoop {
  std::string name;
  loop::VarId var;
  Dim extent;
  loop::LoopKind kind = loop::LoopKind::kSerial;
  bool reduction = false;
  bool combined = false, by_subgroups = false;
  // Whether what is computed in different iterations is the same, after parts are combined.
  bool replicated = false;
  bool dot = false;
};

// Whether a plain kernel promises that its iterations are independent, and it is bound to nothing.
inline bool IsIndependent(const NestLoop& loop) {
  return loop.kind == loop::LoopKind::kSerial && !loop.reduction;
}

// The value of a variable that is no longer a loop's. Later definitions speak of newer variables.
struct Definition {
  loop::VarId var;
  loop::ExprId value;
};

// A loop ran past its end unless this holds.
struct Guard {
  loop::ExprId condition;
  bool reduction = false;
};

// Loops from the outermost in, and the variables that are defined by them.
struct LoopList {
  int stage = 0;  // whose they are
  std::vector<NestLoop> loops;
  std::vector<Definition> definitions;

  const NestLoop* Find(const LoopId& id) const;
  NestLoop* Find(const LoopId& id);
  // The position in `loops`, or -1.
  int Position(const LoopId& id) const;
};

// Where a nest is computed that has a place inside another one's loops (At).
struct Host {
  int stage;
  std::string loop;
  std::vector<loop::VarId> around;  // that loop and those outside of it, from the outermost in
};

struct Nest {
  LoopList main;
  // A reduction whose split was peeled runs these after `main`, onto the same result. They have
  // the same loops by name and differ in extents.
  std::vector<LoopList> rest;
  // What must hold for an iteration to count, in original variables.
  std::vector<Guard> guards;

  // What the stage stores or reduces, as loop::Stage has it.
  loop::StageKind kind = loop::StageKind::kMap;
  loop::Update update = loop::Update::kSet;
  loop::Index place;
  std::vector<loop::Part> parts;
  // Of a sum of products.
  std::optional<loop::Product> product;
  // Stores to run once a reduction's results are final, over its spatial loops. They read them as
  // loads of the parts' buffers. Empty: the results themselves are what is wanted, and go there.
  std::vector<loop::Store> writers;

  // The loop that the result is kept inside of; by default as far in as possible.
  std::optional<Keep> keep;
  std::optional<Narrow> narrow;
  std::vector<Subtotal> subtotals;
  bool skips = false;
  std::vector<Stage> stages;

  // The ordered loop that the nest stands in, with its neighbours that have the same. It is
  // outside of all loops of the nest but those that all nests share.
  std::optional<loop::StageLoop> ordered;
  // Where it does not hold, the nest may run or not (loop::Stage). In original variables.
  loop::ExprId condition;

  std::optional<Host> host;

  std::vector<LoopList*> Lists();
  bool Reduces() const { return kind == loop::StageKind::kReduce; }
  // What it stores, or reduces: of the first part.
  loop::BufferId buffer() const { return parts[0].buffer; }
  loop::ExprId value() const { return parts[0].term; }
  bool Stores(loop::BufferId buffer) const;
};

// Of a temporary that is computed inside a nest's loops: in each dimension, the least of its index
// there besides what the loops around contribute.
using Lows = std::vector<int64_t>;

struct Nests {
  loop::Kernel kernel;  // its body is not used
  std::vector<Nest> nests;
  std::map<loop::BufferId, Lows> hosted;
  // Results that temporaries can be in (loop/passes/keep_functions.h).
  std::map<loop::BufferId, loop::BufferId> in_results;
  // How many outer loops all nests share but those that have a host.
  size_t merged = 0;

  // One that has none.
  const Nest& First() const;
};

// Makes nests of the stages of a plain kernel. Maps that use a reduction's results, each iteration
// one place of them, become its writers.
Nests ExtractNests(const loop::Kernel& plain);

// What variables are, those that `list` defines among them, where its loops' are `loops`.
std::unordered_map<loop::VarId, loop::ExprId> ValuesOf(
    loop::Kernel& kernel, const LoopList& list,
    std::unordered_map<loop::VarId, loop::ExprId> loops = {});

// The load that the operand names, in original variables, if the nest has it; an error if it loads
// from several places, or only where some condition holds.
Result<loop::ExprId> LoadOf(const loop::Kernel& kernel, const Nest& nest, const Operand& operand);

// The primitives, one a directive. Each changes the nests that have the loops it names, and fails
// if none has.
Status ApplySplit(Nests& nests, const Split& split);
Status ApplyPeel(Nests& nests, const Peel& peel);
Status ApplyFuse(Nests& nests, const Fuse& fuse);
Status ApplyOrder(Nests& nests, const Order& order);
Status ApplyMerge(Nests& nests, const Merge& merge);
Status ApplyAt(Nests& nests, const At& at);
Status ApplyBind(Nests& nests, const Bind& bind);
Status ApplyKeep(Nests& nests, const Keep& keep);
Status ApplySkip(Nests& nests, const Skip& skip);
Status ApplyCombine(Nests& nests, const Combine& combine);
Status ApplyReplicate(Nests& nests, const Replicate& replicate);
Status ApplyDot(Nests& nests, const Dot& dot);
Status ApplyNarrow(Nests& nests, const Narrow& narrow);
Status ApplySubtotal(Nests& nests, const Subtotal& subtotal);
Status ApplyStage(Nests& nests, const Stage& stage);
Status ApplyPack(Nests& nests, const Pack& pack);

// What later directives may change: whether merged loops are still shared, those around a hosted
// nest as they were, and narrow sums short.
Status CheckPromises(Nests& nests);

// All of them, one after another.
Status ApplyAll(Nests& nests, const Schedule& schedule);

// Writes the loops.
Result<loop::Kernel> Build(Nests nests);

}  // namespace webnnc::schedule
