// Kernels in files, with what is needed to run them on made-up data:
//
//   ; What the kernel is there to show.
//   ; symbols n=7 m=3
//   ; input %x range -4 4
//   ; input %i values 0 -1 7
//   ; tolerance 1e-6
//   ; legalize %w %v
//   kernel @name(in %x: f32[n], ...) { ... }
//   schedule { ... }
//
// With a schedule the kernel is a plain one; without, it is taken as it is and only made flat. An
// input without a line of its own has numbers from -2 to 2, or integers from -9 to 9. `values` are
// repeated. Results may be off by the tolerance times 1 + their magnitude, those in f16 by 2^-10 of
// it besides; integers must be equal.
//
// With a schedule the kernel becomes what the compiler makes of it (lower/lower_kernel.h), with
// `legalize` a kernel that is taken as it is gets at least the types that GPUs have. The parameters
// named after `legalize` are weights. `legalize without half` is for devices without f16.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "loop/interpret.h"
#include "loop/kernel.h"
#include "target/target.h"

namespace webnnc::tests {

struct InputSpec {
  bool is_range = true;
  std::vector<double> numbers;  // the range's ends, or the values
};

struct KernelFile {
  loop::Kernel written;  // as it is in the file
  loop::Kernel flat;
  SymbolValues symbols;
  std::map<std::string, InputSpec> inputs;
  double tolerance = 1e-6;
  bool legalize = false;
  FeatureSet features = {Feature::kF16};
  std::set<std::string> weights;
  bool narrows_64_bits = false;
};

// Errors are as diagnostics show them.
Result<KernelFile> ReadKernelFile(const std::string& path);
Result<KernelFile> ParseKernelFile(const std::string& text);

// The kernel's memory before it runs: inputs as the file says; outputs filled with a pattern that
// no kernel writes, so that what stays unwritten is seen.
loop::Memory MakeMemory(const KernelFile& file);

// A parameter's memory as the flat kernel has it: elements in the type that carries them, or a
// weight's bytes, as many as whole words have.
std::vector<uint8_t> Carry(const KernelFile& file, loop::BufferId id,
                           const std::vector<uint8_t>& bytes);

}  // namespace webnnc::tests
