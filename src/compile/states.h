// What a model keeps from run to run: outputs that the next run takes as inputs.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "graph/graph.h"
#include "graph/state.h"
#include "onnx/model.h"
#include "webnnc/compiler.h"

namespace webnnc {

// --state INPUT=OUTPUT, or what exporters' names and TensorScatter tell if it is not given:
//
//   past_key_values.0.key -> present.0.key     past_0 -> present_0     past_key_0 -> present_key_0
//   h -> hn, h_out, new_h, next_h              state -> stateN, state_out
//   cache -> what TensorScatter makes of it
//
// Pairs that are found have the same type, but for sizes that grow. `--state none` is none.
Result<std::vector<graph::State>> StatesOf(const CompileOptions& options, const onnx::Model& model,
                                           const graph::Graph& graph);

// Whether two names are such a pair, as far as flags and names tell: of what is imported yet.
std::function<bool(const std::string& input, const std::string& output)> StateNames(
    const CompileOptions& options);

// How much room states that are appended have from the beginning: with --dim total=2048, where
// total is what the model calls the size that the output grows to, that much and no more; with
// --dim past=?1..2048, of the input's, that much. A name of an output's size that is none of these
// is an error.
Status SetCapacities(const CompileOptions& options, const onnx::Model& model,
                     const graph::Graph& graph, std::vector<graph::State>& states);

// Whether it is INPUT=OUTPUT of an input and an output of the graph.
bool IsState(const std::string& text, const graph::Graph& graph);

}  // namespace webnnc
