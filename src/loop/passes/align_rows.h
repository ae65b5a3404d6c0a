#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "loop/kernel.h"
#include "loop/stage.h"

namespace webnnc::loop {

// Finds the loops that all stages of a plain kernel have in common: those over the elements of the
// temporaries that flow between them. A softmax's are the loops over its rows. They become the
// outermost loops of every stage, in the same order and with the same names r0, r1, ...; the other
// loops are named q0, q1, ... from the outermost.
//
// Gives the names r0, r1, ..., or nothing (and leaves the kernel alone) if the stages do not share
// all loops that temporaries are indexed by.
std::optional<std::vector<std::string>> AlignRows(Kernel& kernel);

// Puts the loops of these classes outermost in a stage, in this order, named r0, r1, ...; the
// others follow as they are, named <other>0, <other>1, ...
void PutRowsFirst(Kernel& kernel, Stage& stage, const std::vector<size_t>& rows,
                  const std::function<size_t(VarId)>& class_of, const std::string& other);

}  // namespace webnnc::loop
