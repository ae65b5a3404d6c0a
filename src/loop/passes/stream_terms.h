// What StreamRows needs to know of a kernel: which stages are reductions of a row's columns, and
// what their terms are factors of.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "loop/kernel.h"
#include "loop/stage.h"

namespace webnnc::loop {

// What is done with a sum once it is whole, from the first to the last: a factor, a divisor, the
// condition without which it is 0, or the sum of weights that is 0 or no number if they are none.
struct After {
  enum class Kind : uint8_t { kMul, kDiv, kSelect, kNoWeights } kind;
  ExprId by;
};

// One of the reductions along the columns.
struct Streamed {
  Stage stage;
  // Its term: what only rows and columns tell, and a factor that other loops tell, too.
  ExprId in_row, other;
  // The maximum that `in_row` is relative to.
  std::optional<BufferId> relative_to;
  std::vector<After> after;
};

// A kernel whose first stage makes rows that all others reduce.
struct Streams {
  std::vector<Stage> stages;
  // The first stage's result, the dimension of it that is reduced, and the variables of its place.
  BufferId first;
  size_t dimension = 0;
  std::vector<VarId> place;
  VarId column;
  Dim length;
  // In the order of the stages, which call rows and columns as the first does.
  std::vector<Streamed> streamed;

  // The maximum that a sum is relative to.
  const Streamed& MaximumOf(const Streamed& each) const;
  bool IsMaximum(const Streamed& each) const;
};

bool Depends(const Kernel& kernel, ExprId id, const std::set<VarId>& vars);
DType DTypeOf(const Kernel& kernel, const Stage& stage);

// Nothing, if one pass does not do. Expressions are added to the kernel.
std::optional<Streams> FindStreams(Kernel& kernel);

}  // namespace webnnc::loop
