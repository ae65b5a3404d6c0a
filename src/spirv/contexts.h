// Under which conditions a statement evaluates each of its expressions.
//
// A Select evaluates only the side that it chooses, so a condition may guard a load whose index is
// outside the buffer where it does not hold. A context is what the Selects around a use require:
//
//   select(a, x[i] + select(b, x[j], 0), y)     x[i] where a, x[j] where a and b, y where not a
//
// An expression that is used in several contexts is evaluated once in each, but for those inside
// others. If there are many, it is evaluated anywhere, and its loads look after themselves.
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
  // In contexts that have nothing in common.
  static constexpr Id kAnywhere = -1;

  explicit Contexts(loop::Kernel& kernel) : kernel_(kernel), build_(kernel) {}

  // Finds the contexts of all that the statement with these expressions evaluates.
  void Enter(const std::vector<loop::ExprId>& roots);
  // The context to evaluate `id` in where it is used in `use`.
  Id Of(loop::ExprId id, Id use) const;
  // The context of a side of a Select that is evaluated in `outer`.
  Id Inside(Id outer, loop::ExprId condition, bool holds);
  // The context around this one, in which its condition is evaluated.
  Id Outer(Id context) const {
    return context == kAnywhere ? kAnywhere : nodes_[static_cast<size_t>(context)].outer;
  }
  // What must hold in a context; invalid for the two that have no condition.
  loop::ExprId Condition(Id context) const;

 private:
  struct Node {
    Id outer = kAlways;
    loop::ExprId own;        // what it adds
    loop::ExprId condition;  // with what the outer contexts require
  };
  bool IsInside(Id context, Id outer) const;
  bool Requires(Id context, loop::ExprId condition) const;
  void Use(loop::ExprId id, Id context);

  loop::Kernel& kernel_;
  loop::Builder build_;
  std::vector<Node> nodes_ = {{}};
  std::map<std::pair<Id, loop::ExprId>, Id> inside_;
  // None is inside another.
  std::unordered_map<loop::ExprId, std::vector<Id>> contexts_;
};

}  // namespace webnnc::spirv
