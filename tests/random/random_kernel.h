// Random plain kernels whose results are known well enough to compare any order of their loops.
#pragma once

#include <string>
#include <vector>

#include "loop/kernel.h"
#include "tests/random/choices.h"

namespace webnnc::tests {

// Numbers that a buffer holds: integers from -3 to 3, or any from -2 to 2.
struct RandomInput {
  std::string name;
  bool integral = true;
};

// How far a result may be off, whatever the order of the loops: no more than `error`. It follows
// from the expressions, as numerical analysis teaches (Higham, Accuracy and Stability, chapter 4):
// an operation rounds by at most u of its result's magnitude, u = 2^-24 for f32 and 2^-11 for f16;
// a sum of n terms in any order by at most n u of the sum of their magnitudes; what operands were
// off by goes through. Sums and products of integers that the type holds are exact, so their
// results, most of all, have to be equal.
struct RandomResult {
  std::string name;
  double error = 0;
};

struct RandomKernel {
  std::string text;
  SymbolValues symbols;
  std::vector<RandomInput> inputs;
  std::vector<RandomResult> results;
};

// One to four stages: maps, and sums, products, maxima and minima, of tensors that they index
// plainly, reversed, broadcast, by windows, past their ends behind a condition, and divided; and
// ordered loops: recurrences, running sums and extremes, scatters. Sizes
// from 0 on, known or open. `narrowed`: bounds are for sums of widened f16 that are kept in f16.
RandomKernel MakeRandomKernel(Choices& choices, bool narrowed = false);

}  // namespace webnnc::tests
