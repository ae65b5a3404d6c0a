// A kernel that is to be scheduled, as rules see it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loop/kernel.h"
#include "schedule/classify.h"
#include "schedule/view.h"
#include "target/target.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

class Problem {
 public:
  // `target` and `sizes` outlive it. The loops get the order and names of AlignLoops.
  Problem(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes);

  const loop::Kernel& kernel() const { return kernel_; }
  Kind kind() const { return kind_; }
  // The loops that all stages of a kernel of several share.
  const std::vector<std::string>& rows() const { return rows_; }
  const Target& target() const { return target_; }
  const Machine& machine() const { return *target_.machine; }
  const LikelySizes& sizes() const { return sizes_; }

  // The stages, as nests: what a reduction's result is used for is one with it.
  size_t nest_count() const { return views_.size(); }
  NestView& view(size_t n = 0);
  std::vector<NestView*> views();

 private:
  loop::Kernel kernel_;
  Kind kind_;
  std::vector<std::string> rows_;
  const Target& target_;
  const LikelySizes& sizes_;
  std::vector<std::unique_ptr<NestView>> views_;  // made when they are asked for
};

}  // namespace webnnc::schedule
