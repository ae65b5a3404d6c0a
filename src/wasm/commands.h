// A program's steps as the commands that the runtime walks (abi::Command).
#pragma once

#include <functional>
#include <vector>

#include "plan/program.h"
#include "wasm/dim_table.h"

namespace webnnc::wasm {

struct Command {
  abi::CommandKind kind;
  int64_t a = 0, b = 0, c = 0, d = 0;
};

// `first_wasm_step` is the number that the first of the program's launches on the CPU has for
// webnnc_model_step. `add_assign` notes a list of sizes, and gives its number for
// webnnc_model_assign.
std::vector<Command> CommandsOf(const plan::Program& program, size_t first_wasm_step,
                                const DimTable& dims,
                                const std::function<size_t(const plan::Assign&)>& add_assign);

}  // namespace webnnc::wasm
