// Nests: what directives work on. A plain kernel's stages become nests, directives change the
// nests' lists of loops, and Build writes the loops out.
//
// A nest is one store inside loops. The expressions of a nest speak of its original variables;
// `definitions` says what those are in terms of the loops there are now. So a directive never
// rewrites an expression.
#pragma once

#include <optional>
#include <string>
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
  bool combined = false;
};

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
  std::vector<NestLoop> loops;
  std::vector<Definition> definitions;

  const NestLoop* Find(const std::string& name) const;
  NestLoop* Find(const std::string& name);
  // The position in `loops`, or -1.
  int Position(const std::string& name) const;
};

struct Nest {
  LoopList main;
  // A reduction whose split was peeled runs these after `main`, onto the same result. They have
  // the same loops by name and differ in extents.
  std::vector<LoopList> rest;
  // What must hold for an iteration to count, in original variables.
  std::vector<Guard> guards;

  // The reduction or the plain store.
  loop::Store store;
  // A reduction's neutral element, which each of its parts starts from; absent for a plain store.
  std::optional<loop::ExprId> init;
  // What else goes into a reduction's result, once: what its stage started from.
  std::optional<loop::ExprId> start;
  // Stores to run once the reduction's result is final, over its spatial loops. They read it as a
  // load of store.buffer. Empty: the result itself is what is wanted, and goes to store.buffer.
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

  std::vector<LoopList*> Lists();
};

struct Nests {
  loop::Kernel kernel;  // its body is not used
  std::vector<Nest> nests;
  // How many outer loops all nests share.
  size_t merged = 0;
};

// Makes nests of the stages of a plain kernel: a stage that sets a buffer to its start and the
// reduction that follows become one nest, and elementwise stages that alone use a reduction's
// result become its writers.
Nests ExtractNests(const loop::Kernel& plain);

// The primitives, one a directive. Each changes the nests that have the loops it names, and fails
// if none has.
Status ApplySplit(Nests& nests, const Split& split);
Status ApplyPeel(Nests& nests, const Peel& peel);
Status ApplyFuse(Nests& nests, const Fuse& fuse);
Status ApplyOrder(Nests& nests, const Order& order);
Status ApplyMerge(Nests& nests, const Merge& merge);
Status ApplyBind(Nests& nests, const Bind& bind);
Status ApplyKeep(Nests& nests, const Keep& keep);
Status ApplySkip(Nests& nests, const Skip& skip);
Status ApplyCombine(Nests& nests, const Combine& combine);
Status ApplyNarrow(Nests& nests, const Narrow& narrow);
Status ApplySubtotal(Nests& nests, const Subtotal& subtotal);
Status ApplyStage(Nests& nests, const Stage& stage);

// What later directives may change: whether merged loops are still shared, and narrow sums short.
Status CheckPromises(Nests& nests);

// All of them, one after another.
Status ApplyAll(Nests& nests, const Schedule& schedule);

// Writes the loops.
Result<loop::Kernel> Build(Nests nests);

}  // namespace webnnc::schedule
