#include "schedule/choose.h"

#include <algorithm>
#include <iterator>

#include "schedule/rules/rules.h"

namespace webnnc::schedule {

std::vector<Candidate> Candidates(const loop::Kernel& plain, const Target& target,
                                  const LikelySizes& sizes, const Sample& sample) {
  if (plain.body.empty()) return {};
  Problem problem(plain, target, sizes);
  const Processor processor = target.IsGpu() ? Processor::kGpu : Processor::kCpu;
  std::vector<Candidate> all;
  size_t last = 0;  // where those of the rule before begin
  for (const auto& [rule, is_rival] : kRules) {
    if (rule->processor != processor) continue;
    std::vector<Candidate> own = rule->candidates(problem, sample);
    size_t begin = all.size();
    std::move(own.begin(), own.end(), std::back_inserter(all));
    bool faster =
        is_rival && last < begin && begin < all.size() && all[begin].seconds < all[last].seconds;
    auto at = [&](size_t i) { return all.begin() + static_cast<ptrdiff_t>(i); };
    if (faster) std::rotate(at(last), at(begin), all.end());
    if (begin < all.size()) last = begin;
  }
  return all;
}

Schedule Choose(const loop::Kernel& plain, const Target& target, const LikelySizes& sizes) {
  std::vector<Candidate> candidates = Candidates(plain, target, sizes, {1, 0});
  return candidates.empty() ? Schedule{} : std::move(candidates[0].schedule);
}

}  // namespace webnnc::schedule
