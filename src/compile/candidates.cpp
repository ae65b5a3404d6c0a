#include "compile/candidates.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/parallel.h"
#include "compile/expensive.h"
#include "compile/shaders.h"
#include "loop/parameters.h"
#include "loop/tally.h"
#include "plan/schedule_for_gpu.h"
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
      if (!variant.target().IsGpu()) continue;
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

// Nothing of one that does not fit.
Json Describe(const Kernel& kernel, const Candidate& candidate, bool many_names) {
  const Model& model = *kernel.model;
  const plan::Program& program = *kernel.program;
  auto lowered = plan::LowerForGpu(program, kernel.id, candidate.schedule);
  if (!lowered) return {};
  const loop::Kernel& flat = lowered.value().flat;
  auto shader =
      EmitShader(flat, plan::ParametersOf(program, kernel.id), program.target, many_names);
  if (!shader) return {};
  const plan::Grid& grid = shader.value().grid;
  Json sizes = Json::array(), traits = Json::array();
  for (const Dim& size : grid.sizes) sizes.push_back(Whole(model, size));
  for (double trait : TraitsOf(loop::TallyOf(flat, model.likely), candidate.seconds))
    traits.push_back(std::round(trait * 1000) / 1000);
  return {{"schedule", Print(lowered.value().schedule)},
          {"seconds", candidate.seconds},
          {"wgsl", shader.value().wgsl},
          {"bindings", shader.value().bindings},
          {"workgroups", {Whole(model, grid.x), Whole(model, grid.y), Whole(model, grid.z)}},
          {"sizes", sizes},
          {"features", shader.value().features},
          {"traits", traits}};
}

// As they are stored.
Json DescribeBuffers(const Kernel& kernel) {
  const loop::Kernel& flat = kernel.get().flat;
  std::vector<Storage> storage = plan::ParametersOf(*kernel.program, kernel.id);
  Json buffers = Json::array();
  for (loop::BufferId id : loop::ParametersOf(flat)) {
    const TensorType& type = flat.buffers[id].type;
    bool is_weight = storage[buffers.size()] == Storage::kWeight;
    buffers.push_back(
        {{"type", std::string(Name(type.dtype))},
         {"bytes", Whole(*kernel.model, ElementCount(type.shape)) * ByteSize(type.dtype)},
         {"isWeight", is_weight}});
  }
  return buffers;
}

Json Describe(const Kernel& kernel, size_t most, bool many_names) {
  std::vector<Candidate> candidates = CandidatesOf(kernel, most);
  Json list = Json::array();
  std::map<std::string, size_t> known;
  for (const Candidate& candidate : candidates) {
    if (list.size() == most) break;
    Json described = Describe(kernel, candidate, many_names);
    if (described.empty()) continue;
    auto [found, is_new] = known.emplace(described["schedule"], list.size());
    if (is_new) {
      list.push_back(std::move(described));
    } else if (candidate.seconds > 0) {
      // The one in use, whose guess comes with the rule's.
      list[found->second] = std::move(described);
    }
  }
  return {{"target", Name(kernel.program->target)},
          {"key", schedule::KeyOf(kernel.get().plain, kernel.model->likely)},
          {"title", schedule::TitleOf(kernel.get().plain)},
          {"launches", kernel.launches},
          {"operations", kernel.operations},
          {"bytes", kernel.bytes},
          {"buffers", DescribeBuffers(kernel)},
          {"candidates", list}};
}

// Each with what WebGPU must offer for it. In the order in which pages choose.
Json DescribeTargets(const Code& code) {
  std::map<std::string, std::set<std::string>> features;
  std::vector<std::string> names;
  for (const Model& model : code.models) {
    for (const plan::Variant& variant : model.variants) {
      if (!variant.target().IsGpu()) continue;
      auto [found, is_new] = features.try_emplace(variant.name());
      if (is_new) names.push_back(variant.name());
      for (const plan::Shader& shader : variant.shaders)
        found->second.insert(shader.features.begin(), shader.features.end());
    }
  }
  Json targets = Json::array();
  for (const std::string& name : names)
    targets.push_back({{"name", name}, {"features", features[name]}});
  return targets;
}

}  // namespace

std::string PrintCandidates(const Code& code, size_t most) {
  std::vector<Kernel> kernels = KernelsOf(code);
  std::vector<Json> described(kernels.size());
  InParallel(kernels.size(),
             [&](size_t k) { described[k] = Describe(kernels[k], most, code.HasManyNames()); });
  return Json{{"targets", DescribeTargets(code)}, {"kernels", described}}.dump(
             -1, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace webnnc
