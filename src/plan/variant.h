// The model for one kind of device. A bundle holds several variants of a model, and the page runs
// the first that its browser can. What differs between them is what their targets say.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "plan/program.h"

namespace webnnc::plan {

// All variants that there are, best first for each kind: a further one is a further line. A model
// gets those whose features it makes use of, and that were asked for where not all are worth it.
struct VariantKind {
  Target::Kind kind;
  FeatureSet features;
};
inline constexpr VariantKind kVariants[] = {
    {Target::Kind::kWebGpu, {Feature::kF16, Feature::kSubgroups, Feature::kMatrices}},
    {Target::Kind::kWebGpu, {Feature::kF16, Feature::kSubgroups}},
    {Target::Kind::kWebGpu, {Feature::kF16}},
    {Target::Kind::kWebGpu, {Feature::kDots}},
    {Target::Kind::kWebGpu, {Feature::kSubgroups}},
    {Target::Kind::kWebGpu, {}},
    {Target::Kind::kWasm, {}},
    {Target::Kind::kWasm, {Feature::kRelaxedSimd}},
    {Target::Kind::kWasm, {Feature::kThreads}},
    {Target::Kind::kWasm, {Feature::kRelaxedSimd, Feature::kThreads}},
    {Target::Kind::kWasm, {Feature::kRelaxedSimd, Feature::kDots}},
    {Target::Kind::kWasm, {Feature::kRelaxedSimd, Feature::kThreads, Feature::kDots}},
};

// How many run a GPU's kernel, and the sizes that it is told.
struct Grid {
  // Workgroups.
  Dim x = 1, y = 1, z = 1;
  // What its uniform buffer holds.
  std::vector<Dim> sizes;
  // Whether those of too many workgroups do nothing.
  bool may_be_more = false;

  // The length of that buffer, which holds vectors of four.
  int64_t uniform_bytes() const { return static_cast<int64_t>((sizes.size() + 3) / 4 * 16); }
};

// A GPU's kernel as code.
struct Shader {
  std::string wgsl;
  // How its bindings are declared, in order: 'r' as read-only storage, 'w' as storage that may
  // be written, 'u' as the uniform buffer of sizes.
  std::string bindings;
  Grid grid = {};
  int64_t workgroup_size = 1;
  int64_t workgroup_bytes = 0;
  // WebGPU's names, "shader-f16", and WGSL's of what not every engine's has.
  std::vector<std::string> features = {};
  // What the text was made of, for --emit.
  std::vector<uint32_t> spirv = {};
  // Where in the program's buffer kTold its uniform buffer is, and the workgroups behind it, in
  // bytes; -1 if the host tells it (device_sizes.h). More workgroups may run than that says.
  int64_t told_at = -1;
};

// Shaders that a kernel of a GPU may have, the one in use first: a page may measure which is the
// fastest.
struct Alternatives {
  KernelId kernel;
  std::vector<Shader> shaders;
};

struct Variant {
  Program program;
  // Of a GPU: one a kernel, when they have been emitted. Kernels of the CPU become code together
  // (wasm::Compile).
  std::vector<Shader> shaders = {};
  // Of its most expensive kernels, if the bundle is to have them.
  std::vector<Alternatives> alternatives = {};

  const Target& target() const { return program.target; }
  std::string name() const { return Name(target()); }
};

// Each module of a bundle has all variants for GPUs and at most one for the CPU. This is what they
// are called by in order, as in abi::Model::programs.
class ModuleVariants {
 public:
  ModuleVariants() = default;
  // The module for engines with these features.
  ModuleVariants(std::span<const Variant> variants, FeatureSet features);

  std::span<const Variant* const> all() const { return all_; }
  std::span<const Variant* const> gpu() const { return std::span(all_).first(gpu_count_); }
  // Null if there is none.
  const Program* cpu() const;
  // Whether some program does more than to run its steps once each, and so has commands.
  bool HaveCommands() const;
  // Whether the CPU's program keeps states in memory of their own.
  bool KeepStates() const;
  // Any of the programs: their ports are the same.
  const Program& any() const { return all_.back()->program; }

 private:
  std::vector<const Variant*> all_;
  size_t gpu_count_ = 0;
};

// The features that engines must have for each of a bundle's modules. The first needs none. There
// are as many if no variant is for the CPU: modules are what runs variants for GPUs, too.
std::vector<FeatureSet> Modules();

}  // namespace webnnc::plan
