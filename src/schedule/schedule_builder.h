// Writes schedules. It keeps the list of loops as the directives so far have left it, so that a
// rule can speak of what is there now:
//
//   ScheduleBuilder build(view.loops());
//   build.Split("i", {16, 4});           // i -> i.0 i.1 i.2
//   build.Bind({"i.0"}, LoopKind::kWorkgroupX);
//   return build.Take();
#pragma once

#include <string>
#include <vector>

#include "schedule/nest.h"
#include "schedule/schedule.h"

namespace webnnc::schedule {

class ScheduleBuilder {
 public:
  struct Loop {
    std::string name;
    Dim extent;
    bool reduction = false;
  };
  using Names = std::vector<std::string>;

  explicit ScheduleBuilder(const std::vector<NestLoop>& loops);

  // From now on directives are for this stage alone; until then for all that have the loops.
  void Only(int stage) { stage_ = stage; }

  const std::vector<Loop>& loops() const { return loops_; }
  const Loop& Find(const std::string& name) const;

  // The names of the loops that came of it, outermost first.
  Names Split(const std::string& name, std::vector<int64_t> factors, Tail tail = Tail::kGuard);
  // Brings these loops together, in this order, and makes them one; a single loop stays as it is.
  // They all reduce, or none does. Gives the name: `wanted`, or one like it that is free.
  std::string Fuse(const Names& names, const std::string& wanted);
  // These loops come first, in this order; the others follow as they are.
  void OrderFirst(const Names& names);
  void Bind(const Names& names, loop::LoopKind kind);
  void Combine(const std::string& name, schedule::Combine::How how = schedule::Combine::kOnce);
  void Replicate(const std::string& at, const std::string& into, int64_t threads);
  void Keep(const std::string& at);
  void Add(Directive directive) { schedule_.push_back(std::move(directive)); }

  Schedule Take() { return std::move(schedule_); }

 private:
  std::string FreeName(const std::string& wanted) const;
  size_t Position(const std::string& name) const;

  LoopId Handle(const std::string& name) const { return {name, stage_}; }
  LoopIds Handles(const Names& names) const { return {names, stage_}; }

  std::vector<Loop> loops_;
  int stage_ = LoopId::kEveryStage;
  Schedule schedule_;
};

}  // namespace webnnc::schedule
