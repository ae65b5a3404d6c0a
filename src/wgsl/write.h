#pragma once

#include <string>

#include "base/result.h"
#include "wgsl/syntax.h"

namespace webnnc::wgsl {

// The text of a module. Symbols get the names that they ask for, made into identifiers that differ
// from all others in scope, from keywords and from what WGSL declares itself.
//
// An error if a symbol is used where it is not declared.
Result<std::string> Write(const Module& module);

}  // namespace webnnc::wgsl
