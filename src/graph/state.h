// An input that is an output of the run before, and how it is kept between runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/type.h"

namespace webnnc::graph {

struct State {
  enum class Kept : uint8_t {
    kReplaced,  // a run makes all of it
    kAppended,  // in place: a run adds behind what is there (AppendStates)
    kUpdated,   // in place: a run sets some of what is there (plan::FormKernels)
  };

  // Which of the graph's inputs and outputs.
  size_t input = 0, output = 0;
  Kept kept = Kept::kReplaced;
  // Of kAppended: the axis that grows. It is the first one of the graph's input and output, which
  // have the others behind it in their order; callers see the model's own type.
  int64_t axis = 0;
  // How much of that axis there is room for from the beginning, or 0; and whether more is refused.
  int64_t capacity = 0;
  bool is_limited = false;
  // Why it is not appended in place although it grows.
  std::string reason = {};
};

// A type as callers see it, of a state whose axis is the first one in the graph.
inline TensorType AsCallersSee(TensorType type, int64_t axis) {
  Dim first = type.shape.front();
  type.shape.erase(type.shape.begin());
  type.shape.insert(type.shape.begin() + axis, first);
  return type;
}

}  // namespace webnnc::graph
