// What a measured schedule is found by: the kernel that it was measured for, as far as a schedule
// depends on it. Two models that compute the same in the same loops find the same schedules, and
// the order of kernels in a model, or what its nodes are called, does not count.
#pragma once

#include <string>

#include "loop/kernel.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// A plain kernel's text without the names of the kernel, of buffers and of symbols. In the place of
// a symbol's name is what the size is likely to be, which schedules are chosen by. Loops keep their
// names, which directives speak of.
std::string CanonicalText(const loop::Kernel& plain, const LikelySizes& sizes);

// 16 hexadecimal digits: the XXH64 of that text.
std::string KeyOf(const loop::Kernel& plain, const LikelySizes& sizes);

bool IsKey(const std::string& text);

// For people: "softmax f32[10] -> f32[10]".
std::string TitleOf(const loop::Kernel& plain);

}  // namespace webnnc::schedule
