#pragma once

#include <string>

#include "graph/graph.h"

namespace webnnc::graph {

// x[..., n, ...] as [..., parts, size, ...]: dimension `axis`, of a known size, in parts of `size`
// elements, the last one filled up with `filler`.
ValueId InParts(Builder& build, ValueId x, int64_t axis, int64_t size, double filler,
                const std::string& name, const std::string& result);

// The other way round: [..., parts, size, ...] as [..., length, ...], without what was filled up.
ValueId InOne(Builder& build, ValueId parts, int64_t axis, const Dim& length,
              const std::string& name);

}  // namespace webnnc::graph
