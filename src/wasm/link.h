// LLD: objects and the runtime become a module.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace webnnc::wasm {

struct LinkInput {
  std::vector<const std::string*> objects = {};
  // Whether it has kernels alone, which are exported.
  bool is_bare = false;
  // Whether the module is a WASI command. One that is only for pages is some kilobytes smaller.
  bool is_command = true;
  // Whether it has commands, and so the part of the runtime that walks them.
  bool walks = false;
  // Whether it keeps states, of which its command knows.
  bool keeps_states = false;
  // Whether it imports its memory, which threads share, as "env.memory".
  bool has_threads = false;
  // What its kernels keep on the stack, at most.
  uint64_t stack_bytes = 0;
};

// The modules of `inputs`, which are linked at the same time.
Result<std::vector<std::string>> Link(const std::vector<LinkInput>& inputs);

}  // namespace webnnc::wasm
