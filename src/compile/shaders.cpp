#include "compile/shaders.h"

#include <functional>
#include <optional>

#include "base/parallel.h"
#include "plan/device_sizes.h"
#include "spirv/emit.h"
#include "wgsl/print.h"

namespace webnnc {

Result<plan::Shader> EmitShader(const loop::Kernel& flat, const std::vector<Storage>& parameters,
                                const Target& target, bool many_names, bool takes_more_workgroups) {
  std::vector<bool> read_only;
  for (Storage kind : parameters) read_only.push_back(kind == Storage::kWeight);
  TRY_ASSIGN(auto module,
             spirv::Emit(flat, {read_only, target.features, !many_names, takes_more_workgroups}));
  plan::Shader shader;
  TRY_ASSIGN(shader.wgsl, wgsl::Print(module.words));
  for (bool only : read_only) shader.bindings += only ? 'r' : 'w';
  if (!module.sizes.empty()) shader.bindings += 'u';
  const auto& [x, y, z] = module.workgroups;
  shader.grid = {x, y, z, std::move(module.sizes), module.takes_more_workgroups};
  shader.workgroup_size = module.workgroup_size;
  shader.workgroup_bytes = module.workgroup_bytes;
  if (module.uses_f16) shader.features = {"shader-f16"};
  // The second is a feature of the language, which there are engines without.
  if (module.uses_subgroups)
    shader.features.insert(shader.features.end(), {"subgroups", "subgroup_id"});
  if (module.uses_fragments) shader.features.push_back("chromium-experimental-subgroup-matrix");
  if (module.uses_dots) shader.features.push_back("packed_4x8_integer_dot_product");
  shader.spirv = std::move(module.words);
  return shader;
}

namespace {

Result<plan::Shader> Emit(const plan::Program& program, plan::KernelId id, bool many_names,
                          bool takes_more_workgroups = false) {
  return EmitShader(program.kernels[id].flat, plan::ParametersOf(program, id), program.target,
                    many_names, takes_more_workgroups);
}

// Text of all kernels, each behind a title in a comment.
std::string PrintShaders(const Model& model, const std::string& comment,
                         const std::function<std::string(const plan::Shader&)>& print) {
  std::string out;
  for (const plan::Variant& variant : model.variants) {
    for (size_t k = 0; k < variant.shaders.size(); ++k) {
      const plan::Shader& shader = variant.shaders[k];
      const plan::Kernel& kernel = variant.program.kernels[plan::KernelId{static_cast<int32_t>(k)}];
      out += comment + " " + kernel.plain.name + ": " + Print(shader.grid.x) + " x " +
             Print(shader.grid.y) + " x " + Print(shader.grid.z) + " workgroups\n" + print(shader) +
             "\n";
    }
  }
  return out;
}

Status EmitShaders(const Model& model, plan::Variant& variant, bool many_names) {
  const plan::Program& program = variant.program;
  std::vector<std::optional<Result<plan::Shader>>> all(static_cast<size_t>(program.kernels.size()));
  InParallel(all.size(), [&](size_t k) {
    all[k] = Emit(program, plan::KernelId{static_cast<int32_t>(k)}, many_names);
  });
  for (size_t k = 0; k < all.size(); ++k) {
    Result<plan::Shader>& shader = *all[k];
    const plan::Kernel& kernel = program.kernels[plan::KernelId{static_cast<int32_t>(k)}];
    if (!shader) return Error{"@" + kernel.plain.name + ": " + shader.error().message};
    variant.shaders.push_back(std::move(shader.value()));
  }
  auto emit = [&](const plan::Program& own, plan::KernelId id) {
    return Emit(own, id, many_names, true);
  };
  return plan::KeepSizesOnDevice(variant, model.NotNegative(), model.likely, emit);
}

}  // namespace

Status EmitShaders(Model& model, bool many_names) {
  for (plan::Variant& variant : model.variants) {
    if (variant.target().IsGpu()) TRY(EmitShaders(model, variant, many_names));
  }
  return kSuccess;
}

std::string PrintSpirv(const Model& model) {
  return PrintShaders(model, ";",
                      [](const plan::Shader& shader) { return spirv::Disassemble(shader.spirv); });
}

std::string PrintWgsl(const Model& model) {
  return PrintShaders(model, "//", [](const plan::Shader& shader) { return shader.wgsl; });
}

}  // namespace webnnc
