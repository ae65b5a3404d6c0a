#include "schedule/schedule_builder.h"

#include <algorithm>

#include "base/result.h"

namespace webnnc::schedule {

ScheduleBuilder::ScheduleBuilder(const std::vector<NestLoop>& loops) {
  for (const NestLoop& loop : loops) loops_.push_back({loop.name, loop.extent, loop.reduction});
}

size_t ScheduleBuilder::Position(const std::string& name) const {
  for (size_t i = 0; i < loops_.size(); ++i) {
    if (loops_[i].name == name) return i;
  }
  CHECK(false && "a rule names a loop that is not there");
  return 0;
}

const ScheduleBuilder::Loop& ScheduleBuilder::Find(const std::string& name) const {
  return loops_[Position(name)];
}

ScheduleBuilder::Names ScheduleBuilder::Split(const std::string& name, std::vector<int64_t> factors,
                                              Tail tail) {
  size_t at = Position(name);
  Loop old = loops_[at];
  int64_t product = 1;
  for (int64_t factor : factors) product *= factor;
  std::vector<Loop> loops{{name + ".0", CeilDiv(old.extent, product), old.reduction}};
  Names names{loops[0].name};
  for (size_t i = 0; i < factors.size(); ++i) {
    loops.push_back({name + "." + std::to_string(i + 1), factors[i], old.reduction});
    names.push_back(loops.back().name);
  }
  loops_.erase(loops_.begin() + static_cast<int64_t>(at));
  loops_.insert(loops_.begin() + static_cast<int64_t>(at), loops.begin(), loops.end());
  schedule_.push_back(schedule::Split{Handle(name), std::move(factors), tail});
  return names;
}

// A kernel's loops may be called what rules call theirs, and be split later.
std::string ScheduleBuilder::FreeName(const std::string& wanted) const {
  auto taken = [&](const std::string& name) {
    return std::any_of(loops_.begin(), loops_.end(), [&](const Loop& loop) {
      return loop.name == name || loop.name.starts_with(name + ".");
    });
  };
  std::string name = wanted;
  for (int n = 2; taken(name); ++n) name = wanted + "_" + std::to_string(n);
  return name;
}

std::string ScheduleBuilder::Fuse(const Names& names, const std::string& wanted) {
  if (names.size() == 1) return names[0];
  std::string into = FreeName(wanted);
  // They must be neighbours: the others keep their places around the first.
  Names order;
  for (const Loop& loop : loops_) {
    if (loop.name == names[0]) {
      order.insert(order.end(), names.begin(), names.end());
    } else if (std::find(names.begin(), names.end(), loop.name) == names.end()) {
      order.push_back(loop.name);
    }
  }
  OrderFirst(order);
  Dim extent = 1;
  for (const std::string& name : names) extent = extent * Find(name).extent;
  size_t at = Position(names[0]);
  bool reduction = loops_[at].reduction;
  loops_.erase(loops_.begin() + static_cast<int64_t>(at),
               loops_.begin() + static_cast<int64_t>(at + names.size()));
  loops_.insert(loops_.begin() + static_cast<int64_t>(at), Loop{into, extent, reduction});
  schedule_.push_back(schedule::Fuse{Handles(names), into});
  return into;
}

void ScheduleBuilder::OrderFirst(const Names& names) {
  std::vector<Loop> ordered;
  for (const std::string& name : names) ordered.push_back(Find(name));
  for (const Loop& loop : loops_) {
    if (std::find(names.begin(), names.end(), loop.name) == names.end()) ordered.push_back(loop);
  }
  Names all, before;
  for (const Loop& loop : ordered) all.push_back(loop.name);
  for (const Loop& loop : loops_) before.push_back(loop.name);
  loops_ = std::move(ordered);
  if (all != before) schedule_.push_back(Order{Handles(all)});
}

void ScheduleBuilder::Bind(const Names& names, loop::LoopKind kind) {
  if (!names.empty()) schedule_.push_back(schedule::Bind{Handles(names), kind});
}

void ScheduleBuilder::Combine(const std::string& name, schedule::Combine::How how) {
  schedule_.push_back(schedule::Combine{Handle(name), how});
}
void ScheduleBuilder::Replicate(const std::string& at, const std::string& into, int64_t threads) {
  schedule_.push_back(schedule::Replicate{Handle(at), into, threads});
  auto found =
      std::find_if(loops_.begin(), loops_.end(), [&](const Loop& loop) { return loop.name == at; });
  CHECK(found != loops_.end());
  loops_.insert(found + 1, Loop{into, threads});
}
void ScheduleBuilder::Keep(const std::string& at) {
  schedule_.push_back(schedule::Keep{Handle(at)});
}

}  // namespace webnnc::schedule
