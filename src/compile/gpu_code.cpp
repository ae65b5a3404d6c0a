#include "compile/gpu_code.h"

#include "base/parallel.h"
#include "plan/form_kernels.h"
#include "plan/merge_kernels.h"
#include "plan/pack_weights.h"
#include "spirv/emit.h"
#include "wgsl/print.h"

namespace webnnc {

namespace {

bool HasType(const graph::Graph& graph, DType dtype) {
  for (const graph::Value& value : graph.values) {
    if (value.type.dtype == dtype) return true;
  }
  return false;
}

// Weights of 64 bits are read as their lower halves.
Status CheckWeights(const plan::Program& program,
                    const IdVector<plan::WeightTag, plan::Weight>& weights) {
  for (const plan::Buffer& buffer : program.buffers) {
    if (buffer.kind != plan::BufferKind::kWeight) continue;
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

// What becomes of a kernel.
struct Emitted {
  std::vector<uint32_t> spirv;
  wasm::Launch launch;
  bundle::Shader shader;
};

Result<Emitted> Emit(const plan::Program& program, plan::KernelId id) {
  std::vector<bool> read_only;
  for (Storage kind : plan::ParametersOf(program, id)) {
    read_only.push_back(kind == Storage::kWeight);
  }
  TRY_ASSIGN(auto module,
             spirv::Emit(program.kernels[id].flat, {read_only, program.target.Has(Feature::kF16)}));
  bundle::Shader shader;
  TRY_ASSIGN(shader.wgsl, wgsl::Print(module.words));
  for (bool only : read_only) shader.bindings += only ? 'r' : 'w';
  if (!module.sizes.empty()) shader.bindings += 'u';
  shader.workgroup_size = module.workgroup_size;
  shader.workgroup_bytes = module.workgroup_bytes;
  if (module.uses_f16) shader.features = {"shader-f16"};
  const auto& [x, y, z] = module.workgroups;
  wasm::Launch launch{x, y, z, std::move(module.sizes)};
  shader.uniform_bytes = launch.uniform_bytes();
  return Emitted{std::move(module.words), std::move(launch), std::move(shader)};
}

}  // namespace

Result<std::vector<GpuCode>> FormGpuCode(const graph::Graph& graph, const Machine& machine,
                                         IdVector<plan::WeightTag, plan::Weight>& weights) {
  if (HasType(graph, DType::kF64)) return Error{"float64 is not there on WebGPU"};
  std::vector<FeatureSet> variants{FeatureSet()};
  if (HasType(graph, DType::kF16)) variants = {{Feature::kF16}, {}};
  std::vector<GpuCode> all;
  for (const FeatureSet& features : variants) {
    GpuCode code;
    code.program = plan::FormKernels(graph, WebGpu(features, machine), weights);
    TRY(CheckWeights(code.program, weights));
    all.push_back(std::move(code));
  }
  return all;
}

Status EmitShaders(GpuCode& code) {
  auto count = static_cast<size_t>(code.program.kernels.size());
  std::vector<std::optional<Result<Emitted>>> all(count);
  InParallel(count, [&](size_t k) {
    all[k] = Emit(code.program, plan::KernelId{static_cast<int32_t>(k)});
  });
  for (size_t k = 0; k < count; ++k) {
    Result<Emitted>& emitted = *all[k];
    const plan::Kernel& kernel = code.program.kernels[plan::KernelId{static_cast<int32_t>(k)}];
    if (!emitted) return Error{"@" + kernel.plain.name + ": " + emitted.error().message};
    code.spirv.push_back(std::move(emitted.value().spirv));
    code.launches.push_back(std::move(emitted.value().launch));
    code.shaders.push_back(std::move(emitted.value().shader));
  }
  return kSuccess;
}

static std::string Title(const GpuCode& code, int32_t k) {
  const wasm::Launch& launch = code.launches[static_cast<size_t>(k)];
  return code.program.kernels[plan::KernelId{k}].plain.name + ": " + Print(launch.x) + " x " +
         Print(launch.y) + " x " + Print(launch.z) + " workgroups\n";
}

std::string PrintSpirv(const Code& code) {
  std::string out;
  for (const GpuCode& gpu : code.gpu) {
    for (int32_t k = 0; k < gpu.program.kernels.size(); ++k) {
      out += "; " + Title(gpu, k) + spirv::Disassemble(gpu.spirv[static_cast<size_t>(k)]) + "\n";
    }
  }
  return out;
}

std::string PrintWgsl(const Code& code) {
  std::string out;
  for (const GpuCode& gpu : code.gpu) {
    for (int32_t k = 0; k < gpu.program.kernels.size(); ++k) {
      out += "// " + Title(gpu, k) + gpu.shaders[static_cast<size_t>(k)].wgsl + "\n";
    }
  }
  return out;
}

}  // namespace webnnc
