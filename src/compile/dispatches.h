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
//   buffer arena|weights OFFSET BYTES NAME        numbered from 0; in the arena, or the weights
//   file input|output BUFFER DTYPE ELEMENTS NAME shader WORKGROUP_SIZE BINDINGS WORDS NAME numbered
//   from 0; bindings as plan::Shader has them,
//                                                 SPIR-V's words in hexadecimal behind each other
//   dispatch SHADER X Y Z BUFFER...               in order; the buffers of its bindings
//   end
//
// A name takes the rest of its line. Of a program that does more there is a comment.
std::string PrintDispatches(const Model& model,
                            const IdVector<plan::WeightTag, plan::Weight>& weights);

}  // namespace webnnc
