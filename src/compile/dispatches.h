// GPUs' programs as data, for who runs their SPIR-V without a page.
#pragma once

#include <string>

#include "compile/code.h"

namespace webnnc {

// What --emit dispatches prints: each program for GPUs that runs its steps once each, for sizes
// that are known. Its lines are:
//
//   program TARGET NAME
//   arena BYTES
//   buffer arena|weights OFFSET BYTES NAME
//   input|output BUFFER DTYPE ELEMENTS NAME
//   shader WORKGROUP_SIZE BINDINGS WORDS NAME
//   dispatch SHADER X Y Z BUFFER...
//   end
//
// Buffers and shaders are numbered from 0, in order. A buffer is in the arena or in the weights'
// file. Bindings are as plan::Shader has them, and a dispatch names the buffers of its own; words
// are SPIR-V's, in hexadecimal behind each other.
//
// A name takes the rest of its line. Of a program that does more there is a comment.
std::string PrintDispatches(const Model& model,
                            const IdVector<plan::WeightTag, plan::Weight>& weights);

}  // namespace webnnc
