// Runs a kernel on sizes instead of numbers: how the shape arithmetic of a model is done when the
// model is compiled.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// An element: a size, or nothing where it is not known.
using DimElements = std::vector<std::optional<Dim>>;

// memory[b] holds buffer b in row-major order; parameters are given by the caller. Reals
// count as sizes as long as they are integers. Fails (false) at whatever sizes do not decide: a
// loop of symbolic extent, a comparison that holds for some values of the symbols only. Those in
// `sizes` are some tensor's, so they are not negative in any run, whatever else is known of them.
bool InterpretDims(const Kernel& kernel, std::vector<DimElements>& memory,
                   const std::set<Dim>& sizes = {});

}  // namespace webnnc::loop
