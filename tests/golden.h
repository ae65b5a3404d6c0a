// What the parts of the golden runner share: golden.cpp has kernels and schedules,
// golden_graphs.cpp has graphs and programs.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "graph/graph.h"
#include "loop/kernel.h"

namespace webnnc {

// What a step printed, or its error and the text that the error speaks of.
struct Outcome {
  std::string text;
  bool failed = false;
};
Outcome Failure(const Error& error, const std::string& about);

// From a test's input to its outcome, by the name of the step.
using Steps = std::map<std::string, std::function<Outcome(const std::string&)>>;

// golden_graphs.cpp
const Steps& GraphSteps();

// Element `i` of made-up data: small integers, so that sums in any order are exact.
Scalar MadeUp(DType dtype, int64_t i, int64_t tensor);
// Every symbol is 7: no power of two, so that tails are there to be wrong about.
inline constexpr int64_t kSymbolSize = 7;
// Whether numbers agree up to the rounding of sums in another order.
bool Close(const Scalar& a, const Scalar& b);

}  // namespace webnnc
