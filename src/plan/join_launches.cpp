#include "plan/join_launches.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "loop/parameters.h"
#include "loop/passes/run_beside.h"
#include "plan/merge_kernels.h"
#include "plan/work.h"

namespace webnnc::plan {

namespace {

// Steps that a launch goes ahead of at most: what it stores is kept for longer.
constexpr size_t kMostPassed = 8;

struct Uses {
  std::set<BufferId> reads, writes;

  void Add(const Uses& other) {
    reads.insert(other.reads.begin(), other.reads.end());
    writes.insert(other.writes.begin(), other.writes.end());
  }
};

bool Meet(const std::set<BufferId>& a, const std::set<BufferId>& b) {
  return std::any_of(a.begin(), a.end(), [&](BufferId id) { return b.count(id) > 0; });
}

// Whether one must come before the other.
bool Depend(const Uses& a, const Uses& b) {
  return Meet(a.writes, b.reads) || Meet(a.writes, b.writes) || Meet(a.reads, b.writes);
}

// Launches that become one, and what that binds.
struct Group {
  struct Argument {
    BufferId buffer;
    Dim begin, elements;  // elements of the plain kernel
    Shape stored;         // of the flat one
  };

  std::vector<const Launch*> launches;
  // For each launch which of the arguments its own are.
  std::vector<std::vector<size_t>> parameters;
  std::vector<Argument> arguments;
  Uses uses;
};

class Joiner {
 public:
  Joiner(Program& program, const LikelySizes& sizes)
      : program_(program), sizes_(sizes), machine_(*program.target.machine) {}

  void Run() {
    std::vector<bool> taken(program_.steps.size());
    std::vector<Step> steps;
    for (size_t s = 0; s < program_.steps.size(); ++s) {
      if (taken[s]) continue;
      auto group = GroupAt(s, taken);
      if (group && group->launches.size() > 1) {
        steps.push_back(Join(*group));
      } else {
        steps.push_back(program_.steps[s]);
      }
    }
    program_.steps = std::move(steps);
    DropUnused();
  }

 private:
  const Launch* LaunchAt(size_t s) const {
    auto* launch = std::get_if<Launch>(&program_.steps[s]);
    return launch && launch->place == Place::kDevice ? launch : nullptr;
  }

  Uses UsesOf(const Launch& launch) const {
    const loop::Kernel& kernel = program_.kernels[launch.kernel].flat;
    std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel);
    Uses uses;
    for (size_t p = 0; p < parameters.size(); ++p) {
      bool writes = kernel.buffers[parameters[p]].space == loop::Space::kOut;
      (writes ? uses.writes : uses.reads).insert(launch.arguments[p]);
    }
    return uses;
  }

  // The launch at `s` with those behind it that it may run beside.
  std::optional<Group> GroupAt(size_t s, std::vector<bool>& taken) {
    const Launch* first = LaunchAt(s);
    if (!first || !IsShort(*first)) return std::nullopt;
    Group group;
    if (!Add(group, *first)) return std::nullopt;
    Uses passed;
    size_t count = 0;
    for (size_t t = s + 1; t < program_.steps.size() && count <= kMostPassed; ++t) {
      if (taken[t]) continue;
      const Launch* launch = LaunchAt(t);
      if (!launch) break;
      Uses uses = UsesOf(*launch);
      bool joins = !Depend(uses, group.uses) && !Depend(uses, passed) && IsShort(*launch) &&
                   Add(group, *launch);
      if (joins) {
        taken[t] = true;
        continue;
      }
      passed.Add(uses);
      ++count;
    }
    return group;
  }

  bool Add(Group& group, const Launch& launch) const {
    const Kernel& kernel = program_.kernels[launch.kernel];
    std::vector<loop::BufferId> plain = loop::ParametersOf(kernel.plain),
                                flat = loop::ParametersOf(kernel.flat);
    std::vector<Group::Argument> arguments = group.arguments;
    std::vector<size_t> parameters;
    for (size_t p = 0; p < flat.size(); ++p) {
      Group::Argument own{launch.arguments[p], launch.begins.empty() ? Dim(0) : launch.begins[p],
                          ElementCount(kernel.plain.buffers[plain[p]].type.shape),
                          kernel.flat.buffers[flat[p]].type.shape};
      size_t at = 0;
      while (at < arguments.size() && arguments[at].buffer != own.buffer) ++at;
      if (at == arguments.size()) {
        arguments.push_back(own);
      } else {
        // A buffer is bound once, and to one parameter.
        const Group::Argument& known = arguments[at];
        bool same = known.begin == own.begin && known.elements == own.elements &&
                    known.stored == own.stored;
        if (!same) return false;
      }
      parameters.push_back(at);
    }
    if (static_cast<int64_t>(arguments.size()) > machine_.max_buffers) return false;
    group.launches.push_back(&launch);
    group.parameters.push_back(std::move(parameters));
    group.arguments = std::move(arguments);
    group.uses.Add(UsesOf(launch));
    return true;
  }

  struct Work {
    bool may_join = false;
    double operations = 0;
    std::vector<Dim> touched;
  };

  const Work& WorkOf(KernelId id) {
    auto [found, is_new] = work_.emplace(id, Work());
    if (!is_new) return found->second;
    const Kernel& kernel = program_.kernels[id];
    Work& work = found->second;
    work.may_join = loop::MayRunBeside(kernel.flat);
    if (!work.may_join) return work;
    work.operations = sizes_.Typical(Operations(kernel.plain));
    work.touched = ElementsTouched(kernel.plain);
    return work;
  }

  // Whether it takes no longer than it does to launch it.
  bool IsShort(const Launch& launch) {
    const Work& work = WorkOf(launch.kernel);
    if (!work.may_join) return false;
    double bytes = sizes_.Typical(BytesMoved(program_, launch, work.touched));
    return LeastSeconds(work.operations, bytes, machine_) <= machine_.launch;
  }

  Launch Join(const Group& group) {
    Launch joined{{}, {}, {}, Place::kDevice};
    bool begins = false;
    for (const Group::Argument& argument : group.arguments) {
      joined.arguments.push_back(argument.buffer);
      joined.begins.push_back(argument.begin);
      begins |= argument.begin != 0;
    }
    if (!begins) joined.begins.clear();
    for (const Launch* launch : group.launches) {
      for (const std::string& origin : launch->origins) {
        if (!std::count(joined.origins.begin(), joined.origins.end(), origin))
          joined.origins.push_back(origin);
      }
    }
    joined.kernel = KernelOf(group);
    return joined;
  }

  // One for all groups of the same kernels that share the same parameters.
  KernelId KernelOf(const Group& group) {
    std::vector<KernelId> ids;
    for (const Launch* launch : group.launches) ids.push_back(launch->kernel);
    auto [found, is_new] = joined_.emplace(std::pair(ids, group.parameters), KernelId());
    if (!is_new) return found->second;
    Kernel kernel;
    std::vector<const loop::Kernel*> plains, flats;
    std::vector<BufferId> arguments;
    for (const Launch* launch : group.launches) {
      const Kernel& part = program_.kernels[launch->kernel];
      kernel.parts.push_back(part);
      plains.push_back(&part.plain);
      flats.push_back(&part.flat);
      arguments.insert(arguments.end(), launch->arguments.begin(), launch->arguments.end());
    }
    kernel.plain = loop::RunBehind(plains);
    JoinRepeatedArguments(kernel.plain, arguments);
    kernel.flat = loop::RunBeside(flats, group.parameters);
    int number = ++names_[kernel.plain.name];
    if (number > 1) kernel.plain.name += "_" + std::to_string(number);
    kernel.flat.name = kernel.plain.name;
    return found->second = program_.kernels.Add(std::move(kernel));
  }

  // Kernels that are parts of others alone.
  void DropUnused() {
    std::map<KernelId, KernelId> kept;
    Kernels kernels;
    for (Launch* launch : LaunchesOf(program_)) {
      if (launch->place != Place::kDevice) continue;
      auto [found, is_new] = kept.emplace(launch->kernel, KernelId());
      if (is_new) found->second = kernels.Add(std::move(program_.kernels[launch->kernel]));
      launch->kernel = found->second;
    }
    program_.kernels = std::move(kernels);
  }

  Program& program_;
  const LikelySizes& sizes_;
  const Machine& machine_;
  std::map<KernelId, Work> work_;
  std::map<std::pair<std::vector<KernelId>, std::vector<std::vector<size_t>>>, KernelId> joined_;
  std::map<std::string, int> names_;
};

}  // namespace

void JoinLaunches(Program& program, const LikelySizes& sizes) { Joiner(program, sizes).Run(); }

}  // namespace webnnc::plan
