#pragma once

#include "loop/kernel.h"
#include "loop/passes/simplify.h"

namespace webnnc::loop {

// The type of the words that elements of `dtype` are read out of: integers and bools.
DType WordType(DType dtype);
// The words that hold `count` elements.
Dim WordCount(DType dtype, const Dim& count);

// `lanes` elements of `dtype` from `index` on, where `buffer` is one of words. Integers of 64 bits
// are read as their lower half.
ExprId LoadFromWords(Kernel& kernel, Simplifier& simplify, BufferId buffer, DType dtype,
                     ExprId index, int32_t lanes);

// The other way round: a vector of the words that hold all elements, of `dtype`, of a register,
// whose number is a multiple of a word's. In the register each has a word's type.
ExprId WordsOf(Kernel& kernel, BufferId elements, DType dtype);

}  // namespace webnnc::loop
