// The command line: flags become options.
#pragma once

#include <optional>

#include "webnnc/compiler.h"

namespace webnnc::cli {

struct Arguments {
  CompileOptions options;
  bool quiet = false;
  bool json = false;
};

// How a program ends.
inline constexpr int kFine = 0, kFailed = 1, kMisused = 2;

// Nothing if there is nothing to compile: help was printed, or what is wrong with the flags.
// `exit_code` is then how the program ends.
std::optional<Arguments> Parse(int count, char** values, int& exit_code);

}  // namespace webnnc::cli
