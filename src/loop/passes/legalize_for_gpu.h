// Gives a flat kernel the element types that GPU kernels have: i32, u32, f32 and f16.
//
//   bool, i8, i16, i32, i64   are carried as i32, bools as 0 or 1
//   u8, u16, u32, u64         as u32
//   f16                       as f16, or as f32 on devices without it
//   f64                       is an error
//
// Activations, registers and workgroup memory have an element of the carried type for each of
// theirs, so the host converts a graph's inputs and outputs. Weights keep the bytes that they have
// in the weights file, and so do activations that are packed (Storage). Kernels read them out of
// words:
//
//   in %w: i8[n]    %w[i]         ->   in %w: i32[ceil(n/4)]   %w[i / 4] << (24 - i % 4 * 8) >> 24
//   in %w: u8[n]    %w[4*i : 4]   ->   in %w: u32[ceil(n/4)]   (one word) >> (0, 8, 16, 24) & 255
//   in %w: u4[n]    %w[i]         ->   in %w: u32[ceil(n/8)]   %w[i / 8] >> i % 8 * 4 & 15
//   in %w: i64[n]   %w[i]         ->   in %w: i32[2*n]         %w[2*i]
//
// and store what is packed by words, which vectors of neighbours make; it is an error if one is not
// whole:
//
//   out %y: i8[n]   %y[4*i : 4] = v   ->   %parts[0 : 4] = v
//                                          %y[i] = %parts[0] & 255 | (%parts[1] & 255) << 8 | ...
//
// Four bytes that a kernel puts together as they lie in memory are the word there.
// Where f16 is f32, f16 weights stay as they are; what is loaded is converted to f32 at once, which
// spirv::Emit does from words. Nothing is rounded but what a model converts by a node of its own,
// and sums that are there to round (loop/passes/round_half.h). The kernel is flat because only then
// are vectors known, and aligned ones are one word.
//
// What is computed is what tensor/scalar.h says. Narrow integers are wrapped where a result may
// leave their type, and only there. Numbers of 64 bits are computed in 32; constants saturate, so
// that the largest number stays the largest. Sums of f16 are in f32 where
// their reduction says so.
#pragma once

#include <vector>

#include "base/result.h"
#include "loop/kernel.h"
#include "target/target.h"

namespace webnnc::loop {

struct GpuLegalization {
  // A result in i64 or u64 may not fit 32 bits, as far as can be seen from the kernel: not where
  // indices or comparisons of what is loaded are all that there is. What is loaded is taken to fit.
  bool narrows_64_bits = false;
};

// `parameters` are the kernel's, in order. Those not listed are activations.
Result<GpuLegalization> LegalizeForGpu(Kernel& kernel, const std::vector<Storage>& parameters,
                                       const Target& target);

}  // namespace webnnc::loop
