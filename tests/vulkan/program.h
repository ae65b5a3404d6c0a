// A GPU's program as `webnnc --emit dispatches` prints it (src/compile/dispatches.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

struct Buffer {
  bool is_weight = false;
  uint64_t offset = 0, bytes = 0;
  std::string name;
};

struct Port {
  size_t buffer = 0;
  std::string dtype;
  uint64_t elements = 0;
  std::string name;
};

struct Shader {
  std::string bindings;
  std::vector<uint32_t> words;
  std::string name;
};

struct Dispatch {
  size_t shader = 0;
  std::array<uint32_t, 3> workgroups{};
  std::vector<size_t> buffers;
};

struct Program {
  uint64_t arena_bytes = 0;
  std::vector<Buffer> buffers;
  std::vector<Port> inputs, outputs;
  std::vector<Shader> shaders;
  std::vector<Dispatch> dispatches;
};

// The program for a target, such as "large-f16", or the last one, which every GPU can run. Throws
// std::runtime_error if there is none.
Program ReadProgram(const std::string& path, const std::string& target);
