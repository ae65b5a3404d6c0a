#pragma once

#include <map>
#include <string>

#include "tensor/dim.h"

namespace webnnc {

// The size that a symbol stands for.
using SymbolSizes = std::map<std::string, Dim>;

// A size with sizes in the place of symbols, all at once. Those that are not named stay.
Dim Substitute(const Dim& dim, const SymbolSizes& sizes);

}  // namespace webnnc
