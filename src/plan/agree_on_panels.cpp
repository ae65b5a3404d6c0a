#include "plan/agree_on_panels.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "loop/parameters.h"
#include "plan/schedule_kernels.h"
#include "schedule/pack.h"

namespace webnnc::plan {

namespace {

using Layouts = std::map<WeightId, std::set<std::string>>;

// For each parameter of a kernel how it lies, if its schedule packs it.
std::map<size_t, std::string> LayoutsOf(const Kernel& kernel) {
  std::map<size_t, std::string> layouts;
  const std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel.plain);
  for (const schedule::Packed& packed : schedule::PackedBy(kernel.plain, kernel.schedule)) {
    const auto at = std::ranges::find(parameters, packed.buffer) - parameters.begin();
    layouts[static_cast<size_t>(at)] = std::to_string(packed.counts) + "/" + Print(packed.to);
  }
  return layouts;
}

// Calls `f` with each weight that a kernel of the device reads and how it lies for it.
template <typename F>
void ForEachWeight(Program& program, F f) {
  std::map<KernelId, std::map<size_t, std::string>> known;
  for (const Launch* launch : LaunchesOf(program, Place::kDevice)) {
    auto [layouts, is_new] = known.try_emplace(launch->kernel);
    if (is_new) layouts->second = LayoutsOf(program.kernels[launch->kernel]);
    for (size_t a = 0; a < launch->arguments.size(); ++a) {
      const Buffer& buffer = program.buffers[launch->arguments[a]];
      if (buffer.kind != BufferKind::kWeight) continue;
      auto layout = layouts->second.find(a);
      f(*launch, buffer.weight, layout == layouts->second.end() ? "" : layout->second);
    }
  }
}

}  // namespace

Status AgreeOnPanels(const std::vector<ScheduledProgram>& programs,
                     const schedule::Database& measured) {
  // Each round takes its packing from a kernel at least, which may be what others agreed with.
  for (bool agree = false; !agree;) {
    agree = true;
    Layouts layouts;
    for (const ScheduledProgram& scheduled : programs) {
      ForEachWeight(scheduled.program, [&](const Launch&, WeightId weight, const std::string& own) {
        layouts[weight].insert(own);
      });
    }
    for (const auto& [program, sizes] : programs) {
      std::set<KernelId> alone;
      ForEachWeight(program, [&](const Launch& launch, WeightId weight, const std::string& own) {
        if (!own.empty() && layouts[weight].size() > 1) alone.insert(launch.kernel);
      });
      for (KernelId kernel : alone) {
        if (measured.Find(Name(program.target), program.kernels[kernel].plain, sizes)) continue;
        TRY(ScheduleUnpacked(program, kernel, sizes));
        agree = false;
      }
    }
  }
  return kSuccess;
}

}  // namespace webnnc::plan
