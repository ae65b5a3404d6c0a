#pragma once

#include <vector>

#include "loop/kernel.h"
#include "target/target.h"

namespace webnnc::loop {

// Gives a flat kernel of the CPU no elements of less than a byte. Weights keep the bytes that they
// have in the weights file, and are read out of words; what else has such elements has bytes:
//
//   in %w: u4[n]    f32(%w[i])    ->    in %w: u32[ceil(n/8)]
//                                       f32(u8(%w[i / 8] >> i % 8 * 4 & 15))
//
// `parameters` are the kernel's, in order. For GPUs LegalizeForGpu does this, too.
void UnpackWords(Kernel& kernel, const std::vector<Storage>& parameters, const Target& target);

}  // namespace webnnc::loop
