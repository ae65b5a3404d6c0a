// What the compiler decided, for people: --explain, and the steps that are reports.
#pragma once

#include <string>

#include "compile/code.h"
#include "webnnc/compiler.h"

namespace webnnc {

// Kernels, what nodes each computes and how it is scheduled; weights that changed their layout;
// memory.
std::string Explain(const Code& code);

// Each kernel after each pass of lower::LowerKernel.
std::string PrintLowering(const Code& code);

// The arena of each program as a table.
std::string PrintMemory(const Code& code);

Summary SummaryOf(const Code& code, int64_t wasm_bytes);

}  // namespace webnnc
