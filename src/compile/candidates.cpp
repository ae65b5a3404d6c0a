#include "compile/candidates.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/parallel.h"
#include "compile/expensive.h"
#include "compile/shaders.h"
#include "digest/hex.h"
#include "loop/parameters.h"
#include "loop/sizes.h"
#include "loop/tally.h"
#include "plan/schedule_for_gpu.h"
#include "plan/schedule_kernels.h"
#include "schedule/choose.h"
#include "schedule/key.h"
#include "schedule/variations.h"

namespace webnnc {

namespace {

using Json = nlohmann::ordered_json;
using schedule::Candidate;

using Kernel = ExpensiveKernel;

// Of all programs, those with the same target and key once.
std::vector<Kernel> KernelsOf(const Code& code) {
  std::vector<Kernel> kernels;
  std::map<std::pair<std::string, std::string>, size_t> known;
  for (const Model& model : code.models) {
    for (const plan::Variant& variant : model.variants) {
      // Threads take the schedules of one.
      if (variant.target().Has(Feature::kThreads)) continue;
      for (const Kernel& own : ExpensiveKernels(model, variant)) {
        auto [found, is_new] =
            known.emplace(std::pair(variant.name(), schedule::KeyOf(own.get().plain, model.likely)),
                          kernels.size());
        if (is_new) {
          kernels.push_back(own);
        } else {
          kernels[found->second].launches += own.launches;
        }
      }
    }
  }
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const Kernel& a, const Kernel& b) { return a.Cost() > b.Cost(); });
  return kernels;
}

// The schedule in use goes first. Its guess is that of the rule, if it is one of the rule's.
std::vector<Candidate> CandidatesOf(const Kernel& kernel, size_t most) {
  const loop::Kernel& plain = kernel.get().plain;
  // Some of those that the rule thinks little of, since it may be wrong.
  schedule::Sample sample{most - most / 4, most / 4};
  std::vector<Candidate> candidates{{kernel.get().schedule}};
  for (Candidate& own :
       schedule::Candidates(plain, kernel.program->target, kernel.model->likely, sample))
    candidates.push_back(std::move(own));
  for (size_t i = 0, own = candidates.size(); i < own && candidates.size() < most; ++i) {
    for (schedule::Schedule& other : schedule::Variations(candidates[i].schedule))
      candidates.push_back({std::move(other)});
  }
  return candidates;
}

double Log(double value) { return std::log2(1 + value); }

// Figures that the time of a schedule depends on.
std::vector<double> TraitsOf(const loop::Tally& tally, double seconds) {
  double work = tally.threads * tally.workgroups;
  return {seconds > 0 ? std::log2(seconds) : 0,
          Log(tally.threads),
          Log(tally.workgroups),
          Log(tally.instructions),
          Log(tally.operations) - Log(tally.instructions),
          Log(tally.global.bytes),
          Log(tally.global.count),
          Log(tally.shared.bytes),
          Log(tally.shared.count),
          Log(tally.barriers),
          Log(tally.register_bytes),
          Log(tally.shared_bytes),
          Log(work * tally.operations),
          Log(work * tally.global.bytes),
          Log(work * tally.shared.count)};
}

int64_t Whole(const Model& model, const Dim& dim) {
  return std::max<int64_t>(0, std::llround(model.likely.Typical(dim)));
}

Json WholeOf(const Model& model, const std::vector<Dim>& dims) {
  Json list = Json::array();
  for (const Dim& dim : dims) list.push_back(Whole(model, dim));
  return list;
}

// As data, and what its code is made of.
struct Described {
  Json json;
  loop::Kernel flat;
};

// Of a kernel for GPUs. Whether it has a shader.
bool AddShader(Described& candidate, const Kernel& kernel, bool many_names) {
  const plan::Program& program = *kernel.program;
  auto shader = EmitShader(candidate.flat, plan::ParametersOf(program, kernel.id), program.target,
                           many_names);
  if (!shader) return false;
  const plan::Grid& grid = shader.value().grid;
  candidate.json["wgsl"] = shader.value().wgsl;
  candidate.json["bindings"] = shader.value().bindings;
  candidate.json["workgroups"] = WholeOf(*kernel.model, {grid.x, grid.y, grid.z});
  candidate.json["sizes"] = WholeOf(*kernel.model, grid.sizes);
  candidate.json["features"] = shader.value().features;
  return true;
}

// Nothing of one that does not fit.
std::optional<Described> Describe(const Kernel& kernel, const Candidate& candidate,
                                  bool many_names) {
  const Model& model = *kernel.model;
  const plan::Program& program = *kernel.program;
  const bool is_gpu = program.target.IsGpu();
  auto lowered = is_gpu ? plan::LowerForGpu(program, kernel.id, candidate.schedule)
                        : plan::LowerForCpu(program, kernel.id, candidate.schedule);
  if (!lowered) return std::nullopt;
  Json traits = Json::array();
  Described described{
      {{"schedule", Print(lowered.value().schedule)}, {"seconds", candidate.seconds}},
      std::move(lowered.value().flat)};
  for (double trait : TraitsOf(loop::TallyOf(described.flat, model.likely), candidate.seconds))
    traits.push_back(std::round(trait * 1000) / 1000);
  described.json["traits"] = traits;
  if (!is_gpu) {
    described.json["sizes"] = WholeOf(model, loop::SizesOf(described.flat));
  } else if (!AddShader(described, kernel, many_names)) {
    return std::nullopt;
  }
  return described;
}

int64_t BytesOf(const Model& model, const TensorType& type) {
  return Whole(model, ElementCount(type.shape)) * ByteSize(type.dtype);
}

// As they are stored, with room for all candidates: weights may be packed otherwise.
Json DescribeBuffers(const Kernel& kernel, const std::vector<Described>& candidates) {
  const loop::Kernel& flat = kernel.get().flat;
  std::vector<Storage> storage = plan::ParametersOf(*kernel.program, kernel.id);
  Json buffers = Json::array();
  for (loop::BufferId id : loop::ParametersOf(flat)) {
    const size_t at = buffers.size();
    int64_t bytes = BytesOf(*kernel.model, flat.buffers[id].type);
    for (const Described& candidate : candidates) {
      const loop::Kernel& other = candidate.flat;
      bytes = std::max(bytes,
                       BytesOf(*kernel.model, other.buffers[loop::ParametersOf(other)[at]].type));
    }
    buffers.push_back({{"type", std::string(Name(flat.buffers[id].type.dtype))},
                       {"bytes", bytes},
                       {"isWeight", storage[at] == Storage::kWeight}});
  }
  return buffers;
}

std::vector<Described> DescribeCandidates(const Kernel& kernel, size_t most, bool many_names) {
  std::vector<Described> list;
  std::map<std::string, size_t> known;
  for (const Candidate& candidate : CandidatesOf(kernel, most)) {
    if (list.size() == most) break;
    std::optional<Described> described = Describe(kernel, candidate, many_names);
    if (!described) continue;
    auto [found, is_new] = known.emplace(described->json["schedule"], list.size());
    if (is_new) {
      list.push_back(std::move(*described));
    } else if (candidate.seconds > 0) {
      // The one in use, whose guess comes with the rule's.
      list[found->second] = std::move(*described);
    }
  }
  return list;
}

Json Describe(const Kernel& kernel, const std::vector<Described>& candidates) {
  Json list = Json::array();
  for (const Described& candidate : candidates) list.push_back(candidate.json);
  return {{"target", Name(kernel.program->target)},
          {"key", schedule::KeyOf(kernel.get().plain, kernel.model->likely)},
          {"title", schedule::TitleOf(kernel.get().plain)},
          {"launches", kernel.launches},
          {"operations", kernel.operations},
          {"bytes", kernel.bytes},
          {"buffers", DescribeBuffers(kernel, candidates)},
          {"candidates", list}};
}

// Each with what WebGPU or the engine must offer for it. In the order in which pages choose.
Json DescribeTargets(const Code& code) {
  std::map<std::string, std::set<std::string>> features;
  std::vector<std::string> names;
  for (const Model& model : code.models) {
    for (const plan::Variant& variant : model.variants) {
      if (variant.target().Has(Feature::kThreads)) continue;
      auto [found, is_new] = features.try_emplace(variant.name());
      if (is_new) names.push_back(variant.name());
      if (variant.target().Has(Feature::kRelaxedSimd)) found->second.insert("relaxed-simd");
      const bool multiplies = !variant.target().IsGpu() && variant.target().Has(Feature::kDots);
      if (multiplies) found->second.insert("relaxed-dots");
      for (const plan::Shader& shader : variant.shaders)
        found->second.insert(shader.features.begin(), shader.features.end());
    }
  }
  // Of the CPU's, which are the last, what every engine has comes first.
  std::stable_partition(names.begin(), names.end(),
                        [&](const std::string& name) { return !features[name].empty(); });
  Json targets = Json::array();
  for (const std::string& name : names)
    targets.push_back({{"name", name}, {"features", features[name]}});
  return targets;
}

}  // namespace

Result<std::string> PrintCandidates(const Code& code, size_t most, size_t most_kernels) {
  std::vector<Kernel> kernels = KernelsOf(code);
  std::vector<std::vector<Described>> candidates(kernels.size());
  InParallel(kernels.size(), [&](size_t k) {
    candidates[k] = DescribeCandidates(kernels[k], most, code.HasManyNames());
  });
  Json described = Json::array();
  std::map<std::string, size_t> counts;
  for (size_t k = 0; k < kernels.size(); ++k) {
    const Target& target = kernels[k].program->target;
    // On the CPU many kernels have one schedule alone.
    if (!target.IsGpu() && candidates[k].size() < 2) continue;
    if (++counts[Name(target)] > most_kernels) continue;
    Json& json = described.emplace_back(Describe(kernels[k], candidates[k]));
    if (target.IsGpu()) continue;
    std::vector<loop::Kernel> flats;
    for (Described& candidate : candidates[k]) flats.push_back(std::move(candidate.flat));
    TRY_ASSIGN(auto wasm, wasm::CompileKernels(flats, target.features));
    json["wasm"] = digest::Hex({reinterpret_cast<const uint8_t*>(wasm.data()), wasm.size()});
  }
  return Json{{"targets", DescribeTargets(code)}, {"kernels", described}}.dump(
             -1, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace webnnc
