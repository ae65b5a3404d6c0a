// The steps of the compiler in their order, each named once. The name is what --emit takes, what
// the files of --dump are called by, and what the documentation and the tests speak of.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace webnnc {

struct Step {
  std::string_view name;
  // What the step makes, for --help.
  std::string_view makes;
  // The ending of its file in --dump.
  std::string_view ending;
  // Its part of the whole work, for the progress display: measured on MobileNetV2, in percent.
  int share;
};

inline constexpr Step kSteps[] = {
    {"import", "the model as a graph", "graph", 1},
    {"pictures", "what makes images of pictures before the inputs", "graph", 0},
    {"fold-constants", "what depends on constants alone computed", "graph", 2},
    {"simplify", "cheaper operations for the same, common ones merged", "graph", 1},
    {"keep-integers", "quantised numbers kept as integers, scales behind products", "graph", 0},
    {"fold-scales", "batch normalisation folded into weights", "graph", 1},
    {"find-attention", "products around a softmax as attention", "graph", 0},
    {"layouts", "images with channels first or last", "graph", 2},
    {"expand-attention", "attention as products and softmax", "graph", 0},
    {"transposes", "transposes cancelled, weights transposed", "graph", 2},
    {"move-rows", "rows moved by the kernels beside what moves them", "graph", 0},
    {"siblings", "products of one matrix as one, for GPUs", "graph", 0},
    {"quantize", "fewer bits, as --quantize and --precision ask", "graph", 0},
    {"split-concats", "concatenations a GPU's kernel can bind, long running sums in blocks",
     "graph", 0},
    {"program", "kernels formed from groups of nodes", "program", 3},
    {"pack-weights", "weights in the order that kernels read them", "program", 2},
    {"factor-reductions", "products summed in parts on a GPU, convolutions by fewer on a CPU",
     "program", 0},
    {"schedule", "loops tiled, bound and vectorised", "program", 6},
    {"schedules", "the schedule of each kernel, as --schedules reads them", "txt", 0},
    {"lowering", "each kernel after each pass from its schedule on", "txt", 0},
    {"memory", "where buffers are in the arena", "txt", 0},
    {"spirv", "GPU kernels as SPIR-V", "spvasm", 10},
    {"wgsl", "GPU kernels as WGSL", "wgsl", 4},
    {"dispatches", "a GPU's program of known sizes with its SPIR-V, as data", "txt", 0},
    {"candidates", "schedules that kernels may have, each as code, as data", "json", 0},
    {"llvm", "the CPU's kernels and host functions as LLVM IR", "ll", 0},
    {"wasm", "the module", "wasm", 64},
    {"relaxed-wasm", "the module with relaxed SIMD", "wasm", 0},
    {"threads-wasm", "the module for several threads", "wasm", 0},
    {"relaxed-threads-wasm", "the module for several threads with relaxed SIMD", "wasm", 0},
    {"relaxed-dots-wasm", "the module that multiplies bytes by relaxed SIMD", "wasm", 0},
    {"relaxed-threads-dots-wasm", "the same for several threads", "wasm", 0},
    {"bundle", "the files of the bundle", "txt", 2},
};
inline constexpr size_t kStepCount = std::size(kSteps);

constexpr std::optional<size_t> FindStep(std::string_view name) {
  for (size_t i = 0; i < kStepCount; ++i) {
    if (kSteps[i].name == name) return i;
  }
  return std::nullopt;
}

}  // namespace webnnc
