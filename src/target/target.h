// What code is compiled for: what it runs on, the instructions that it may use, how elements lie in
// memory there, and the machine that choices are made for. A value that every step which depends on
// it is handed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "target/machine.h"
#include "tensor/dtype.h"

namespace webnnc {

// What not every engine or device of a kind has.
enum class Feature : uint8_t {
  kRelaxedSimd,  // wasm: fused multiply-add and the like, whose last bits depend on the machine
  kThreads,      // wasm: memory that several threads share
  kF16,          // WebGPU: arithmetic on f16 (shader-f16)
  kSubgroups,    // WebGPU: threads reduce with their neighbours (subgroups)
  kMatrices,     // WebGPU: subgroups of 32 multiply fragments of matrices (subgroup matrix)
  // Products of four bytes at once: WebGPU: packed_4x8_integer_dot_product; wasm: those of relaxed
  // SIMD, on engines where they are exact
  kDots,
};
inline constexpr Feature kFeatures[] = {Feature::kRelaxedSimd, Feature::kThreads,  Feature::kF16,
                                        Feature::kSubgroups,   Feature::kMatrices, Feature::kDots};

class FeatureSet {
 public:
  constexpr FeatureSet(std::initializer_list<Feature> features = {}) {
    for (Feature feature : features) bits_ |= Bit(feature);
  }
  constexpr bool Has(Feature feature) const { return bits_ & Bit(feature); }
  constexpr FeatureSet Without(Feature feature) const {
    FeatureSet rest = *this;
    rest.bits_ &= ~Bit(feature);
    return rest;
  }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool operator==(const FeatureSet&) const = default;

 private:
  static constexpr uint32_t Bit(Feature feature) { return 1u << static_cast<uint32_t>(feature); }

  uint32_t bits_ = 0;
};

struct Target {
  enum class Kind : uint8_t { kWebGpu, kWasm };

  Kind kind = Kind::kWasm;
  FeatureSet features = {};
  const Machine* machine = &WasmMachine();

  bool IsGpu() const { return kind == Kind::kWebGpu; }
  bool Has(Feature feature) const { return features.Has(feature); }
};

Target Wasm(FeatureSet features = {});
Target WebGpu(FeatureSet features = {}, const Machine& machine = GpuMachines().front());

// "webgpu" or "wasm".
std::string_view Name(Target::Kind kind);

// What names of files, schedules and steps call features, each behind a separator: "-relaxed" or
// "-f16"; nothing for none.
std::string Suffix(FeatureSet features, char separator);

// What measured schedules call it: the machine's name, with a suffix where its features make other
// schedules the best.
std::string Name(const Target& target);

// What a tensor is to a program whose kernels read or write it.
enum class Storage : uint8_t {
  kPort,        // an input or output
  kWeight,      // in the weights file
  kActivation,  // between kernels
  kPacked,      // the same, of integers that have no more bits in memory than their type has
};

// The type that elements of `dtype` have in a target's memory:
//
//              wasm     WebGPU with f16    WebGPU
//   f32        f32      f32                f32
//   f16        f32      f16                f32
//   i8 .. i64  as is    i32                i32
//   u8 .. u64  as is    u32                u32
//   bool       as is    i32                i32
//   f64        f64      none               none
//   i2, i4     i8       i32                i32
//   u2, u4     u8       u32                u32
//
// Weights and what is packed keep their bytes everywhere, and on wasm so do inputs and outputs. On
// WebGPU the page converts these (runtime-js/elements.js).
DType StoredType(const Target& target, DType dtype, Storage storage);

}  // namespace webnnc
