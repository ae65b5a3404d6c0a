// Sees to it that no run reads a table where it has no rows: gathers and scatters clamp their
// indices, and ONNX forbids those that are outside.
//
//   %p: i64[seq] = iota(count=seq)          %y = gather(%table, %p) of a table f32[512,64]
//                                           assumes seq <= 512
//   %ids: i64[n] is an input                %y = gather(%table, %ids) of a table f32[4096,64]
//                                           the input's range is -4096 to 4095
//   %i = add(%ids, %segment)                %y = gather(%table, %i)
//                                           a hidden output tells the least and the largest of %i
//
// What values an index can have is told from the operations that make it: a bound is an expression
// over sizes, and exact if some element has that value in every run. An exact bound that exceeds
// the table for some sizes becomes an assumption about sizes; what depends on data is checked in
// the run, at the input if the index is its elements moved or shifted, else where it is used.
//
// A body of If or Loop, which may not run, tells of all its indices that are not proven to be
// inside, and the node has what it told as one result more.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace webnnc::graph {

// What an input's elements may be.
struct InputRange {
  std::string input;  // its name
  int64_t low = 0, high = 0;
  // The ONNX node that needs it.
  std::string origin;
};

// What a hidden output tells of an index: three integers, its least and largest element and the
// size of the dimension that it is an index of.
struct IndexCheck {
  // The ONNX node that uses the index, and the inputs that decide it.
  std::string origin;
  std::vector<std::string> inputs;
};

struct IndexChecks {
  // At most one an input: the narrowest.
  std::vector<InputRange> ranges;
  // In the order of the hidden output, abi::kIndexOutput, which is the graph's last, of type
  // i32[3 * checks].
  std::vector<IndexCheck> checks;
};

// Adds assumptions and, if there are checks, the hidden output to the graph. Errors: an index that
// is outside in every run.
Result<IndexChecks> CheckIndices(Graph& graph);

}  // namespace webnnc::graph
