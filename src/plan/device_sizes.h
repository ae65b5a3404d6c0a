// Sizes that stay on the GPU. A size that depends on data is read back from there, which waits. If
// the most that it can be is known, that need not be:
//
//   read back %c to %h         becomes     bound s = %c[0], at most n
//   define s = %h[0]                       run @known.1(%c, %known)
//   plan 1 for s                           plan 1 for s
//   run @k(...)                            run @told.1(%known, %told)
//                                          run @k(...)
//
// On the host the symbol stands for the most, so that buffers have room for whatever there is, and
// as many workgroups are launched. What a shader is told of sizes, and how many workgroups have
// something to do, is computed on the device: each kernel that mentions the symbol has its part of
// the buffer `told`, which is bound as its uniform buffer. Where the most are very many, the page
// launches it indirectly. Sizes of outputs are read back when all is submitted.
#pragma once

#include <functional>

#include "plan/variant.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Gives the shader of a kernel, of which more workgroups may run than there is work for.
using EmitShader = std::function<Result<Shader>(const Program&, KernelId)>;

// Lets the sizes of a program for a GPU, whose shaders are there, stay on it where they can: where
// nothing on the host mentions them, and what is reserved is not much more than inputs are.
// `not_negative` is checked on the host in each run.
Status KeepSizesOnDevice(Variant& gpu, const std::vector<Dim>& not_negative,
                         const LikelySizes& sizes, const EmitShader& emit);

}  // namespace webnnc::plan
