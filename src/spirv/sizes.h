#pragma once

#include <map>
#include <vector>

#include "spirv/code_builder.h"
#include "tensor/dim.h"

namespace webnnc::spirv {

// The sizes that the shader is told when it runs, in a uniform buffer: array<vec4<i32>>, since the
// elements of a uniform array are 16 bytes apart.
class Sizes {
 public:
  explicit Sizes(CodeBuilder& code) : code_(code) {}

  // An i32, read where the function begins.
  Value Of(const Dim& dim);
  // Declares the buffer, if it is needed, after the last Of, and names what was read of it: as
  // sizes are written, or by their places.
  void Declare(uint32_t binding, bool names_symbols);
  const std::vector<Dim>& dims() const { return dims_; }

 private:
  CodeBuilder& code_;
  spv::Id variable_ = 0;
  std::vector<Dim> dims_;
  std::map<Dim, Value> values_;
};

}  // namespace webnnc::spirv
