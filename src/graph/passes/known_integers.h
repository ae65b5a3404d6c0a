// What is known of integers in a graph.
#pragma once

#include "graph/evaluate.h"
#include "graph/passes/definitions.h"

namespace webnnc::graph {

struct Range {
  int64_t low = 0, high = 0;
  int64_t magnitude() const { return std::max(std::abs(low), std::abs(high)); }
  bool IsWithin(const Range& other) const { return other.low <= low && high <= other.high; }
};

Range RangeOf(DType dtype);
// Of the elements that a constant has, and of all that a value's may be.
Range RangeOf(const Tensor& tensor);
Range RangeOf(const Definitions& definitions, ValueId id);

// Whether it is constants, as other types and in other shapes, and arithmetic on them.
bool IsMadeOfConstants(const Definitions& definitions, ValueId id);
// The value of what is made of constants, if the budget allows.
std::optional<Tensor> ComputedConstant(const Definitions& definitions, ValueId id,
                                       EvaluationBudget& budget);

}  // namespace webnnc::graph
