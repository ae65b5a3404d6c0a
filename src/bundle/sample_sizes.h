// Values for a model's symbols, to show what depends on them: a memory plan, a number of bytes.
#pragma once

#include <string>

#include "plan/program.h"

namespace webnnc::bundle {

class SampleSizes {
 public:
  // 1 for a symbol that is an input's first size, as batches are, and 128 for the others.
  explicit SampleSizes(const plan::Program& program);

  const SymbolValues& values() const { return values_; }
  bool empty() const { return values_.empty(); }
  // "batch = 1, height = 128"
  std::string Print() const;

 private:
  SymbolValues values_;
};

}  // namespace webnnc::bundle
