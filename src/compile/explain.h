// What the compiler decided, for people: --explain, and the steps that are reports.
#pragma once

#include <string>

#include "compile/code.h"

namespace webnnc {

// Kernels, what nodes each computes and how it is scheduled; memory.
std::string Explain(const Model& model);
// Weights that changed their layout.
std::string ExplainWeights(const Code& code);

// Each kernel after each pass of lower::LowerKernel.
std::string PrintLowering(const Model& model);

// The arena of each program as a table.
std::string PrintMemory(const Model& model);

Summary SummaryOf(const Code& code, int64_t wasm_bytes);

}  // namespace webnnc
