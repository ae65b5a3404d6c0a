#pragma once

#include <array>
#include <optional>
#include <vector>

#include "loop/kernel.h"
#include "loop/passes/simplify.h"

namespace webnnc::loop {

// What an expression of a flat kernel puts together though it lies so in memory: four neighbours,
// i8 each, the first at a multiple of four, as one word of i32. Products of bytes ask for it
// (schedule/build_words.cpp):
//
//   i32(%x[4*i]) & 255 | (i32(%x[4*i + 1]) & 255) << 8 | ... | i32(%x[4*i + 3]) << 24
struct WordsInMemory {
  BufferId buffer;
  std::vector<ExprId> first;       // the index of the first of them, for each lane
  std::vector<ExprId> conditions;  // the word is 0 where one of these does not hold
};
std::optional<WordsInMemory> FindWords(Kernel& kernel, Simplifier& simplify, ExprId id);

// What such a word is put together of, from the lowest byte on, without masks.
std::optional<std::array<ExprId, 4>> BytesOfWord(const Kernel& kernel, ExprId id);

}  // namespace webnnc::loop
