#include "schedule/problem.h"

#include "schedule/nest.h"

namespace webnnc::schedule {

Problem::Problem(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes)
    : kernel_(plain), kind_(Classify(plain)), target_(target), sizes_(sizes) {
  rows_ = AlignLoops(kernel_, kind_);
  views_.resize(ExtractNests(kernel_).nests.size());
}

NestView& Problem::view(size_t n) {
  if (!views_.at(n)) views_[n] = std::make_unique<NestView>(kernel_, n, sizes_);
  return *views_[n];
}

std::vector<NestView*> Problem::views() {
  std::vector<NestView*> all;
  for (size_t n = 0; n < nest_count(); ++n) all.push_back(&view(n));
  return all;
}

}  // namespace webnnc::schedule
