#include "target/target.h"

#include "base/result.h"

namespace webnnc {

Target Wasm(FeatureSet features) { return {Target::Kind::kWasm, features, &WasmMachine()}; }

Target WebGpu(FeatureSet features, const Machine& machine) {
  return {Target::Kind::kWebGpu, features, &machine};
}

std::string Name(const Target& target) {
  std::string name(target.machine->name);
  if (target.Has(Feature::kRelaxedSimd)) name += "-relaxed";
  if (target.Has(Feature::kF16)) name += "-f16";
  return name;
}

std::string_view Name(Target::Kind kind) {
  return kind == Target::Kind::kWebGpu ? "webgpu" : "wasm";
}

DType StoredType(const Target& target, DType dtype, Storage storage) {
  if (storage == Storage::kWeight) return dtype;
  if (!target.IsGpu()) {
    // Without arithmetic on f16, kernels would widen each load and round each result.
    return dtype == DType::kF16 && storage == Storage::kActivation ? DType::kF32 : dtype;
  }
  CHECK(dtype != DType::kF64);
  if (dtype == DType::kF16) return target.Has(Feature::kF16) ? DType::kF16 : DType::kF32;
  if (IsFloat(dtype)) return dtype;
  return IsSigned(dtype) || dtype == DType::kBool ? DType::kI32 : DType::kU32;
}

}  // namespace webnnc
