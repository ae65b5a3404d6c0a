#include "plan/pack_activations.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "loop/parameters.h"
#include "plan/schedule_for_gpu.h"

namespace webnnc::plan {

namespace {

class Packer {
 public:
  explicit Packer(Program& program) : program_(program) {
    for (const Launch* launch : LaunchesOf(program, Place::kDevice))
      launches_[launch->kernel].push_back(launch);
  }

  void Run() {
    FindCandidates();
    std::map<KernelId, loop::Kernel> lowered;
    do {
      Agree();
      for (auto& [id, buffer] : Numbered()) buffer->packed = packed_.count(id) > 0;
      lowered.clear();
    } while (!Lower(lowered));
    for (auto& [id, flat] : lowered) program_.kernels[id].flat = std::move(flat);
  }

 private:
  std::vector<std::pair<BufferId, Buffer*>> Numbered() {
    std::vector<std::pair<BufferId, Buffer*>> buffers;
    for (int32_t b = 0; b < program_.buffers.size(); ++b)
      buffers.emplace_back(BufferId{b}, &program_.buffers[BufferId{b}]);
    return buffers;
  }

  // What nothing but kernels of the device uses, from its begin.
  void FindCandidates() {
    for (const auto& [id, buffer] : Numbered()) {
      const DType dtype = buffer->dtype;
      bool narrow = IsInteger(dtype) && !IsPacked(dtype) && ByteSize(dtype) < 4;
      if (narrow && buffer->kind == BufferKind::kActivation && buffer->place == Place::kDevice &&
          !buffer->takes_places && !buffer->grows)
        packed_.insert(id);
    }
    for (const Step& step : program_.steps) {
      auto* launch = std::get_if<Launch>(&step);
      if (launch && launch->place == Place::kDevice && launch->begins.empty()) continue;
      for (BufferId buffer : BuffersOf(step)) packed_.erase(buffer);
    }
  }

  // All launches of a kernel have the same of their arguments packed.
  void Agree() {
    for (bool agree = false; !agree;) {
      agree = true;
      for (const auto& [kernel, launches] : launches_) {
        for (size_t p = 0; p < launches[0]->arguments.size(); ++p) {
          size_t packed = 0;
          for (const Launch* launch : launches) packed += packed_.count(launch->arguments[p]);
          if (packed == 0 || packed == launches.size()) continue;
          Drop(launches, p);
          agree = false;
        }
      }
    }
  }

  bool Drop(const std::vector<const Launch*>& launches, size_t parameter) {
    bool any = false;
    for (const Launch* launch : launches) any |= packed_.erase(launch->arguments[parameter]) > 0;
    return any;
  }

  // The kernels that use something packed; false, and less is packed, if one cannot.
  bool Lower(std::map<KernelId, loop::Kernel>& lowered) {
    bool all = true;
    for (const auto& [id, launches] : launches_) {
      bool any = false;
      for (BufferId argument : launches[0]->arguments) any |= packed_.count(argument) > 0;
      if (!any) continue;
      const Kernel& kernel = program_.kernels[id];
      auto again = LowerForGpu(program_, id, kernel.schedule);
      if (again) {
        lowered[id] = std::move(again.value().flat);
        continue;
      }
      all = false;
      // It is what it stores, or else it does not fit as it is scheduled.
      const std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel.plain);
      bool stores = false;
      for (size_t p = 0; p < parameters.size(); ++p) {
        if (kernel.plain.buffers[parameters[p]].space == loop::Space::kOut)
          stores |= Drop(launches, p);
      }
      for (size_t p = 0; p < parameters.size() && !stores; ++p) Drop(launches, p);
    }
    return all;
  }

  Program& program_;
  std::map<KernelId, std::vector<const Launch*>> launches_;
  std::set<BufferId> packed_;
};

}  // namespace

void PackActivations(Program& program) { Packer(program).Run(); }

}  // namespace webnnc::plan
