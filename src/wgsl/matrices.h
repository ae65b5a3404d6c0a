// Cooperative matrices, which SPIRV-Cross cannot parse: fragments of matrices that a subgroup
// holds.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace webnnc::wgsl {

// A module without their types. In these' place are structs of one element, which no instruction
// that can be printed takes apart.
struct Matrices {
  explicit Matrices(const std::vector<uint32_t>& words);

  struct Type {
    uint32_t rows = 0, columns = 0;
  };

  std::vector<uint32_t> words;
  std::unordered_map<uint32_t, Type> types;
  // The values that are multiplied from the right. WGSL's types say so, SPIR-V's do not.
  std::unordered_set<uint32_t> right;
};

}  // namespace webnnc::wgsl
