#include "schedule/variations.h"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace webnnc::schedule {

namespace {

// A factor of a split: whose loop is run by threads.
struct Place {
  size_t directive, factor;
};

std::vector<Place> ThreadFactors(const Schedule& schedule) {
  std::set<std::string> threads;
  for (const Directive& directive : schedule) {
    auto* bind = std::get_if<Bind>(&directive);
    if (!bind || bind->kind != loop::LoopKind::kThread) continue;
    for (const LoopId& loop : bind->loops) threads.insert(Print(loop));
  }
  std::vector<Place> places;
  for (size_t d = 0; d < schedule.size(); ++d) {
    auto* split = std::get_if<Split>(&schedule[d]);
    for (size_t f = 0; split && f < split->factors.size(); ++f) {
      if (threads.count(Print(split->loop) + "." + std::to_string(f + 1))) places.push_back({d, f});
    }
  }
  return places;
}

}  // namespace

std::vector<Schedule> Variations(const Schedule& schedule) {
  // How many times a factor is doubled or halved, and how far a schedule is from the first in all.
  constexpr int kMostDoublings = 2;
  struct Variation {
    Schedule schedule;
    int distance;
  };
  std::vector<Variation> variations{{schedule, 0}};
  for (const Place& place : ThreadFactors(schedule)) {
    for (size_t i = 0, count = variations.size(); i < count; ++i) {
      for (int doublings = -kMostDoublings; doublings <= kMostDoublings; ++doublings) {
        Variation next = variations[i];
        int64_t& factor = std::get<Split>(next.schedule[place.directive]).factors[place.factor];
        bool divides = doublings > 0 || factor % (1 << -doublings) == 0;
        if (doublings == 0 || !divides) continue;
        factor = doublings > 0 ? factor << doublings : factor >> -doublings;
        next.distance += std::abs(doublings);
        variations.push_back(std::move(next));
      }
    }
  }
  variations.erase(variations.begin());
  std::stable_sort(variations.begin(), variations.end(),
                   [](const Variation& a, const Variation& b) { return a.distance < b.distance; });
  std::vector<Schedule> schedules;
  for (Variation& variation : variations) schedules.push_back(std::move(variation.schedule));
  return schedules;
}

}  // namespace webnnc::schedule
