// How values combine. A reducer of one part is an update of a store; one of several combines
// tuples.
//
// All reducers are associative and commutative, up to rounding, so that terms may be combined in
// any order, and each has a neutral element, so that parts of a reduction can be combined apart.
//
//   argmax, argmin   (value, where): the largest or smallest value, and of equal ones that with the
//                    smallest `where`. With the index as `where` that is the first place, with its
//                    negative the last. NaN replaces nothing.
//
// A part's combination reads only itself and the parts before it.
#pragma once

#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// How many parts a tuple of this reducer has.
size_t PartsOf(Update reducer);

using Tuple = std::vector<ExprId>;
Tuple Combine(Kernel& kernel, Update reducer, const Tuple& a, const Tuple& b);

// The tuple that leaves any other as it is, for parts of these types.
Tuple NeutralTuple(Kernel& kernel, Update reducer, const std::vector<DType>& dtypes);

// Stores that combine `terms` with what is at `index` of each part's buffer. The terms do not load
// what is stored.
Block CombineInto(Kernel& kernel, Update reducer, const std::vector<BufferId>& buffers,
                  const Index& index, const Tuple& terms);

}  // namespace webnnc::loop
