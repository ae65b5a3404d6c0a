#include "target/target.h"

#include "base/result.h"

namespace webnnc {

Target Wasm(FeatureSet features) { return {Target::Kind::kWasm, features, &WasmMachine()}; }

Target WebGpu(FeatureSet features, const Machine& machine) {
  return {Target::Kind::kWebGpu, features, &machine};
}

static std::string_view Name(Feature feature) {
  switch (feature) {
    case Feature::kRelaxedSimd: return "relaxed";
    case Feature::kThreads: return "threads";
    case Feature::kF16: return "f16";
    case Feature::kSubgroups: return "subgroups";
    case Feature::kMatrices: return "matrices";
    case Feature::kDots: return "dots";
  }
  return "";
}

std::string Suffix(FeatureSet features, char separator) {
  std::string suffix;
  for (Feature feature : kFeatures) {
    if (features.Has(feature)) suffix += separator + std::string(Name(feature));
  }
  return suffix;
}

// Threads share what one would do, by the same schedules.
std::string Name(const Target& target) {
  return std::string(target.machine->name) +
         Suffix(target.features.Without(Feature::kThreads), '-');
}

std::string_view Name(Target::Kind kind) {
  return kind == Target::Kind::kWebGpu ? "webgpu" : "wasm";
}

DType StoredType(const Target& target, DType dtype, Storage storage) {
  if (storage == Storage::kWeight || storage == Storage::kPacked) return dtype;
  if (IsPacked(dtype)) dtype = IsSigned(dtype) ? DType::kI8 : DType::kU8;
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
