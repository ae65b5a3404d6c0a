// Under which conditions a statement evaluates each of its expressions.
//
// A Select evaluates only the side that it chooses, so a condition may guard a load whose index is
// outside the buffer where it does not hold. An expression that several Selects share is evaluated
// where any of them needs it: its context is the innermost one that encloses all its uses.
//
//   select(a, x[i] + select(b, x[j], 0), y)     x[i] where a, x[j] where a and b, y where not a
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "loop/builder.h"
#include "loop/kernel.h"

namespace webnnc::spirv {

class Contexts {
 public:
  using Id = int32_t;
  static constexpr Id kAlways = 0;

  explicit Contexts(loop::Kernel& kernel) : kernel_(kernel), build_(kernel) {}

  // Finds the contexts of all that the statement with these expressions evaluates.
  void Enter(const std::vector<loop::ExprId>& roots);
  // The context of `id`; of an expression that the statement does not have, `otherwise`.
  Id Of(loop::ExprId id, Id otherwise) const;
  // What must hold in a context, as an expression; invalid for kAlways.
  loop::ExprId Condition(Id context);

 private:
  struct Node {
    Id outer = kAlways;
    int depth = 0;
    loop::ExprId condition;  // including those of the outer contexts
  };
  Id Inside(Id outer, loop::ExprId condition, bool holds);
  Id Common(Id a, Id b) const;
  void Use(loop::ExprId id, Id context);

  loop::Kernel& kernel_;
  loop::Builder build_;
  std::vector<Node> nodes_ = {{}};
  std::map<std::pair<Id, loop::ExprId>, Id> inside_;
  std::unordered_map<loop::ExprId, Id> contexts_;
};

}  // namespace webnnc::spirv
