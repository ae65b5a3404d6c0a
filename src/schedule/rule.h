// Rules: each knows a way to write the loops of some kernels for some machines.
//
// A rule is a class in a file of its own under rules/:
//
//   class GpuMap {
//    public:
//     static constexpr std::string_view kName = "gpu_map";
//     static constexpr Processor kProcessor = Processor::kGpu;
//     static constexpr Kind kKinds[] = {Kind::kMap};
//     struct Point { int64_t threads; };
//
//     explicit GpuMap(Problem& problem);    of one of these kinds
//     bool Fits();                          whether it is for such a kernel
//     std::vector<Point> Space();           what there is to choose from, best first
//     Schedule Write(const Point& point);   the schedule of one of them
//     double Seconds(const Point& point);   by the machine's cost model; 0 where there is none
//     std::optional<Point> Smallest(space)  (if it likes) what fits where the best need too much
//   };
//   constinit const Rule kGpuMap = RuleOf<GpuMap>();
//
// and a line in the table of rules/rules.h. Schedules can make a kernel slow, never wrong, so that
// a rule need not prove anything: what does not fit is refused when it is applied, and the next
// candidate taken.
#pragma once

#include <algorithm>
#include <concepts>
#include <iterator>
#include <string_view>
#include <vector>

#include "schedule/candidate.h"
#include "schedule/problem.h"

namespace webnnc::schedule {

enum class Processor : uint8_t { kCpu, kGpu };

template <typename R>
concept WritesSchedules = requires(R rule, const typename R::Point& point) {
  { R::kName } -> std::convertible_to<std::string_view>;
  { R::kProcessor } -> std::convertible_to<Processor>;
  { R::kKinds[0] } -> std::convertible_to<Kind>;
  { rule.Fits() } -> std::same_as<bool>;
  { rule.Space() } -> std::same_as<std::vector<typename R::Point>>;
  { rule.Write(point) } -> std::same_as<Schedule>;
  { rule.Seconds(point) } -> std::same_as<double>;
};

// What a rule inherits that has one schedule for a kernel.
struct OnePoint {
  struct Point {};
  std::vector<Point> Space() { return {{}}; }
  double Seconds(const Point&) { return 0; }
};

struct Rule {
  Processor processor;
  // Those of the wanted points, best first; none where the rule does not fit.
  std::vector<Candidate> (*candidates)(Problem& problem, const Sample& sample);
};

template <WritesSchedules R>
std::vector<Candidate> CandidatesOf(Problem& problem, const Sample& sample) {
  if (std::ranges::find(R::kKinds, problem.kind()) == std::end(R::kKinds)) return {};
  R rule(problem);
  if (!rule.Fits()) return {};
  const auto space = rule.Space();
  std::vector<Candidate> candidates;
  for (size_t i : sample.Of(space.size()))
    candidates.push_back({rule.Write(space[i]), rule.Seconds(space[i]), R::kName});
  if constexpr (requires { rule.Smallest(space); }) {
    if (auto point = rule.Smallest(space))
      candidates.push_back({rule.Write(*point), rule.Seconds(*point), R::kName});
  }
  return candidates;
}

template <WritesSchedules R>
constexpr Rule RuleOf() {
  return {R::kProcessor, CandidatesOf<R>};
}

}  // namespace webnnc::schedule
