// How values combine. An update of a store is a reducer, which of several parts combines each with
// its own; others combine tuples.
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

// Whether a tuple of this reducer may have so many parts.
bool HasParts(Update reducer, size_t count);

using Tuple = std::vector<ExprId>;
Tuple Combine(Kernel& kernel, Update reducer, const Tuple& a, const Tuple& b);

// The tuple that leaves any other as it is, for parts of these types.
Tuple NeutralTuple(Kernel& kernel, Update reducer, const std::vector<DType>& dtypes);

// Stores that combine `terms` with what is at `index` of each part's buffer. The terms do not load
// what is stored.
Block CombineInto(Kernel& kernel, Update reducer, const std::vector<BufferId>& buffers,
                  const Index& index, const Tuple& terms);

}  // namespace webnnc::loop
