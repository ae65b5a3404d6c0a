#include "compile/variants.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/parallel.h"
#include "graph/passes/narrow_factors.h"
#include "plan/agree_on_panels.h"
#include "plan/form_kernels.h"
#include "plan/join_launches.h"
#include "plan/name_kernels.h"
#include "plan/pack_activations.h"
#include "plan/schedule_for_gpu.h"

namespace webnnc {

namespace {

using Weights = IdVector<plan::WeightTag, plan::Weight>;

// ---- Forming

bool HasType(const graph::Graph& graph, DType dtype) {
  bool has = false;
  graph::ForEachGraph(graph, [&](const graph::Graph& inner) {
    for (const graph::Value& value : inner.values) has |= value.type.dtype == dtype;
  });
  return has;
}

bool MultipliesBytes(const graph::Graph& graph) {
  bool multiplies = false;
  graph::ForEachGraph(
      graph, [&](const graph::Graph& inner) { multiplies |= graph::HasByteProducts(inner); });
  return multiplies;
}

// Whether there is a program for targets with the feature: another than for those without, and, of
// what few models gain by, asked for.
bool IsWanted(Feature feature, Target::Kind kind, const Model& model) {
  const CompileOptions& options = model.options;
  switch (feature) {
    case Feature::kF16: return HasType(model.graph, DType::kF16);
    case Feature::kRelaxedSimd:
    case Feature::kThreads: return true;
    case Feature::kSubgroups: return options.subgroups || options.matrices;
    case Feature::kMatrices: return options.matrices;
    case Feature::kDots:
      return kind == Target::Kind::kWasm ? model.dots_graph.has_value()
                                         : options.dots && MultipliesBytes(*model.gpu_graph);
  }
  return false;
}

bool IsWanted(const plan::VariantKind& variant, const Model& model) {
  return std::all_of(std::begin(kFeatures), std::end(kFeatures), [&](Feature feature) {
    return !variant.features.Has(feature) || IsWanted(feature, variant.kind, model);
  });
}

// Weights of 64 bits are read as their lower halves.
Status CheckWeights(const plan::Program& program, const Weights& weights) {
  for (const plan::Buffer& buffer : program.buffers) {
    bool is_weight = buffer.kind == plan::BufferKind::kWeight;
    if (!is_weight || buffer.place == plan::Place::kHost) continue;
    const plan::Weight& weight = weights[buffer.weight];
    bool is_signed = weight.type.dtype == DType::kI64;
    if (!is_signed && weight.type.dtype != DType::kU64) continue;
    int64_t count = ElementCount(weight.type.shape).value();
    for (int64_t i = 0; i < count; ++i) {
      int64_t value = weight.data.At(weight.type.dtype, i).integer;
      bool fits = is_signed ? value >= INT32_MIN && value <= INT32_MAX
                            : static_cast<uint64_t>(value) <= UINT32_MAX;
      if (!fits) {
        return Error{"constant " + Quote(weight.name) + " holds " + std::to_string(value) +
                     ", which is more than the 32 bits that integers have on WebGPU"};
      }
    }
  }
  return kSuccess;
}

bool HasDotsGraph(const Target& target) { return !target.IsGpu() && target.Has(Feature::kDots); }

// Whether programs for the two are the same until they are scheduled: both store elements alike,
// and count with the same machine.
bool AreFormedAlike(const Target& a, const Target& b) {
  return a.kind == b.kind && a.machine == b.machine && HasDotsGraph(a) == HasDotsGraph(b) &&
         StoredType(a, DType::kF16, Storage::kActivation) ==
             StoredType(b, DType::kF16, Storage::kActivation);
}

Result<plan::Program> Form(const graph::Graph& graph, const Target& target,
                           const std::vector<plan::Variant>& before, const Model& model,
                           Weights& weights) {
  for (const plan::Variant& other : before) {
    if (!AreFormedAlike(other.target(), target)) continue;
    plan::Program program = other.program;
    program.target = target;
    return program;
  }
  plan::Program program = plan::FormKernels(graph, target, weights, model.states, model.likely);
  if (target.IsGpu()) TRY(CheckWeights(program, weights));
  return program;
}

Result<std::vector<plan::Variant>> FormKind(const Model& model, const graph::Graph& graph,
                                            Target::Kind kind, const Machine& machine,
                                            Weights& weights) {
  std::vector<plan::Variant> variants;
  for (const plan::VariantKind& variant : plan::kVariants) {
    if (variant.kind != kind || !IsWanted(variant, model)) continue;
    Target target{kind, variant.features, &machine};
    TRY_ASSIGN(auto program, Form(HasDotsGraph(target) ? *model.dots_graph : graph, target,
                                  variants, model, weights));
    variants.push_back({std::move(program)});
  }
  return variants;
}

// ---- Scheduling

// What became of a variant, for which many are scheduled at a time.
struct Scheduled {
  Status status = kSuccess;
  std::vector<std::string> warnings;
  std::set<std::string> narrowed;
};

void WarnOfNarrowing(const plan::Warn& warn, const std::set<std::string>& nodes) {
  if (nodes.empty()) return;
  std::string names;
  for (const std::string& node : nodes) names += (names.empty() ? "" : ", ") + Quote(node);
  warn("on WebGPU int64 is computed in 32 bits; larger results would be wrong in node " + names);
}

}  // namespace

Status FormVariants(Model& model, Weights& weights, const Machine& machine,
                    const plan::Warn& warn) {
  std::vector<plan::Variant> wasm;
  if (model.options.wasm) {
    TRY_ASSIGN(wasm, FormKind(model, model.graph, Target::Kind::kWasm, WasmMachine(), weights));
  }
  if (model.gpu_graph) {
    auto webgpu = FormKind(model, *model.gpu_graph, Target::Kind::kWebGpu, machine, weights);
    if (webgpu) {
      model.variants = std::move(webgpu.value());
    } else if (!wasm.empty()) {
      warn("there is no program for WebGPU: " + webgpu.error().message);
    } else {
      return webgpu.error();
    }
  }
  std::move(wasm.begin(), wasm.end(), std::back_inserter(model.variants));
  return kSuccess;
}

// Side by side. What is said of them comes in their order.
Status ScheduleVariants(Model& model, const schedule::Database& measured, const plan::Warn& warn) {
  // Those that are scheduled alike are so once.
  std::map<std::string, size_t> firsts;
  std::vector<size_t> distinct;
  for (size_t v = 0; v < model.variants.size(); ++v) {
    if (firsts.emplace(model.variants[v].name(), v).second) distinct.push_back(v);
  }
  std::vector<Scheduled> all(distinct.size());
  InParallel(all.size(), [&](size_t v) {
    plan::Program& program = model.variants[distinct[v]].program;
    Scheduled& result = all[v];
    auto note = [&](const std::string& text) { result.warnings.push_back(text); };
    result.status =
        program.target.IsGpu()
            ? plan::ScheduleForGpu(program, measured, model.likely, result.narrowed, note)
            : plan::ScheduleKernels(program, plan::Place::kDevice, measured, model.likely, note);
    if (result.status && program.target.IsGpu() && program.target.Has(Feature::kDots))
      plan::PackActivations(program);
    if (result.status && program.host_kernels.size() > 0) {
      result.status =
          plan::ScheduleKernels(program, plan::Place::kHost, measured, model.likely, note);
    }
  });
  std::set<std::string> narrowed;
  for (Scheduled& result : all) {
    for (const std::string& text : result.warnings) warn(text);
    TRY(result.status);
    narrowed.merge(result.narrowed);
  }
  WarnOfNarrowing(warn, narrowed);
  for (plan::Variant& variant : model.variants) {
    const plan::Variant& first = model.variants[firsts.at(variant.name())];
    if (&first == &variant) continue;
    const Target target = variant.target();
    variant.program = first.program;
    variant.program.target = target;
  }
  return kSuccess;
}

Status AgreeOnPanels(Code& code, const schedule::Database& measured) {
  std::vector<plan::ScheduledProgram> programs;
  for (Model& model : code.models) {
    for (plan::Variant& variant : model.variants)
      programs.push_back({variant.program, model.likely});
  }
  return plan::AgreeOnPanels(programs, measured);
}

void JoinLaunches(Code& code) {
  for (Model& model : code.models) {
    for (plan::Variant& variant : model.variants) {
      if (variant.target().IsGpu()) plan::JoinLaunches(variant.program, model.likely);
    }
  }
}

void ShareKernels(Code& code) {
  if (!code.HasManyNames()) return;
  auto name = [&](auto is_meant, plan::Place place) {
    std::vector<plan::Kernel*> kernels;
    for (Model& model : code.models) {
      for (plan::Variant& variant : model.variants) {
        if (!is_meant(variant.target())) continue;
        for (plan::Kernel& kernel : variant.program.KernelsAt(place)) kernels.push_back(&kernel);
      }
    }
    plan::NameKernels(kernels);
  };
  // Each module has the kernels of the CPU's programs for it, and all of hosts, whose names begin
  // otherwise.
  name([](const Target& target) { return target.IsGpu(); }, plan::Place::kHost);
  for (FeatureSet features : code.Modules()) {
    name([&](const Target& target) { return !target.IsGpu() && target.features == features; },
         plan::Place::kDevice);
  }
}

}  // namespace webnnc
