#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace webnnc::graph {

// What a value was seen to be, in one run of the graph or several.
struct SeenValue {
  double largest = 0;  // magnitude
  bool is_finite = true;
  // What f16 would make of its elements: the root of the mean square of the difference, by that of
  // the elements; in the worst run.
  double rounding = 0;

  void Add(const Tensor& tensor);
  void Add(const SeenValue& other);
};
using SeenValues = std::map<ValueId, SeenValue>;

// How many of a graph's values of f32 became f16, and the names of those that did not, by the
// reason.
struct LoweredValues {
  int64_t lowered = 0;
  std::map<std::string, std::vector<std::string>> kept;
};

// Computes in f16 what is in f32, where that is safe by what values were seen to be:
//
//   %y = matmul(%x, %w)         %y = matmul(%x, f32(%w))      where %w is f16 now
//   %r = relu(%y)         ->    %r = f16(relu(%y))
//   %z = matmul(%r, %v)         %z = matmul(f32(%r), f32(%v))
//
// Inputs and outputs keep their types, so that bodies fit around theirs. A value becomes f16 only
// if it has room there (kHeadroom, kMostRounding), was seen to be other than 0, and does not depend
// on integers alone: positions need all of f32's bits. Nodes whose operands or results have no room
// compute in f32, and so do functions that f16 makes much worse (exp, pow, sin, ...); products, of
// which f16 keeps sums in f32 as well, still multiply numbers of f16 then. What is behind a sum is
// computed in f32 up to where it is stored, and so is what only nodes that compute in f32 read.
LoweredValues LowerPrecision(Graph& graph, const SeenValues& seen);

// How much larger than what was seen a value of f16 may become before it overflows.
inline constexpr double kHeadroom = 8;
// What rounding may make of a value at most: twice what it makes of a number that f16 has with all
// of its bits.
inline constexpr double kMostRounding = 0x1p-10;

}  // namespace webnnc::graph
