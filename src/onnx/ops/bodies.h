// Bodies of If and Loop: what operators with graphs among their attributes have in common, and
// those that are loops underneath.
#pragma once

#include "onnx/node_context.h"

namespace webnnc::onnx {

// Makes a body of a frame whose values are there: a closed graph with these inputs and outputs, and
// behind the inputs one for each value that it captures.
graph::Graph CloseBody(Frame& frame, const std::string& name, const Values& inputs,
                       const Values& outputs, const Values& captures);
// The values around the frame that these outputs need.
Values CapturesOf(Frame& frame, const Values& outputs);

// A value of a graph where a body in it is added to, or in that graph itself.
inline ValueId Here(NodeContext& inside, const Frame& around, ValueId id) {
  return &inside.frame() == &around ? id : inside.scope().Capture(id);
}

// A loop, said by what an iteration adds to its body.
struct LoopBody {
  struct Carried {
    std::string name;
    ValueId start;
  };
  std::vector<Carried> carried;
  // How often it runs: a value of one i64 and, if it is known, the number itself.
  ValueId trips;
  std::optional<Dim> known_trips;
  // Whether it runs at all: a bool; invalid for true.
  ValueId condition;
  // Given the iteration and what is carried, adds an iteration through a context of its body. The
  // outputs are the condition, if `has_condition`, what is carried on, and then slices to stack.
  std::function<Result<Values>(NodeContext& inside, ValueId iteration, const Values& carried)>
      iterate;
  bool has_condition = false;
};

// What is carried at the end, and the stacked slices. A loop that runs a few times is unrolled.
Result<Values> AddLoop(NodeContext& c, const LoopBody& loop);

}  // namespace webnnc::onnx
