// What a store inside matrix loops does with fragments, which a subgroup's threads hold together.
//
//   for i in 16 matrix { for j in 16 matrix {
//     %acc[256*f + 16*i + j] = 0.0                                            sets a fragment
//     %moved[16*i + j] = %acc[256*f + 16*i + j]                               moves it to memory
//   } }
//   for i in 16 matrix { for j in 16 matrix { for k in 16 matrix {
//     %acc[256*f + 16*i + j] += f32(%a[40*i + k]) * f32(%b[136*k + j])        multiplies two
//   } } }
#pragma once

#include "base/result.h"
#include "loop/kernel.h"
#include "loop/passes/simplify.h"

namespace webnnc::spirv {

// A fragment in memory: where its first element is, and how far its rows are apart, or its columns.
struct FragmentPlace {
  loop::BufferId buffer;
  loop::Polynomial first;
  int64_t stride = 0;
  bool by_columns = false;
};

struct FragmentStore {
  enum class Kind : uint8_t { kSet, kMove, kMultiply };
  Kind kind = Kind::kSet;
  // The fragment in registers.
  loop::BufferId buffer;
  int64_t number = 0;
  // Of kMultiply what is multiplied, of kMove where to.
  FragmentPlace left, right, to;
};

// `loop` is the outermost of the matrix loops.
Result<FragmentStore> FragmentStoreOf(const loop::Kernel& kernel, loop::Simplifier& simplify,
                                      const loop::For& loop);

// How many elements that are neighbours in memory the accesses of a fragment there begin and move
// with: a power of two up to 8.
int32_t LanesOf(loop::Simplifier& simplify, const FragmentPlace& place);

}  // namespace webnnc::spirv
