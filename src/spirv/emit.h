// Emits GPU kernels as SPIR-V, for Vulkan's memory model and WebGPU's rules.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "loop/kernel.h"
#include "target/target.h"

namespace webnnc::spirv {

struct Options {
  // Which parameters are declared read-only, in their order; those that are not listed are not. A
  // parameter that is only read may yet have to be bound as writable: in one dispatch WebGPU binds
  // a buffer as either, and one buffer may hold several of a kernel's parameters.
  std::vector<bool> read_only = {};
  // What the device has. Without f16, parameters in of f16 are arrays of words that hold two
  // elements each, and what is loaded from them must be converted to f32.
  FeatureSet features = {Feature::kF16};
  // Whether sizes have the names of their symbols, for who reads the text, or of their places: then
  // kernels that are the same but for symbols' names are the same text.
  bool names_symbols = true;
  // Whether workgroups beyond those that there is work for do nothing: then more may be launched.
  bool takes_more_workgroups = false;
};

// A kernel as a compute shader with entry point "main".
//
// Descriptor set 0: binding i is the kernel's i-th parameter (in or out, in the order of
// kernel.buffers), a storage buffer; if `sizes` is not empty, the binding after the last parameter
// is a uniform buffer that holds them as i32, padded to a multiple of 4.
struct Module {
  std::vector<uint32_t> words;
  // Invocations in a workgroup; all in x.
  int64_t workgroup_size = 1;
  // The workgroups to launch: x, y and z. At most 65535 each, for less than 2^32 in all.
  std::array<Dim, 3> workgroups{1, 1, 1};
  // What the shader must be told when it runs: each distinct size that is not constant.
  std::vector<Dim> sizes;
  // Bytes of workgroup memory.
  int64_t workgroup_bytes = 0;
  bool uses_f16 = false, uses_subgroups = false, uses_fragments = false, uses_dots = false;
  // As Options say; true as well where grids are folded for their size.
  bool takes_more_workgroups = false;
};

// Emits a flat kernel (loop::VerifyFlat), validates it with spirv-val and runs those of
// SPIRV-Tools' optimisation passes that help. Element types are bool (in expressions only), i32,
// u32, f32 and f16, lanes 1 to 4: passes before this see to it. Anything else is an error that
// names it.
Result<Module> Emit(const loop::Kernel& kernel, const Options& options = {});

// spirv-val's verdict, with its message.
Status Validate(const std::vector<uint32_t>& words);

// The text form (spirv-dis), for --emit spirv.
std::string Disassemble(const std::vector<uint32_t>& words);

}  // namespace webnnc::spirv
