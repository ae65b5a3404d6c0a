#pragma once

#include "base/result.h"
#include "wgsl/source.h"
#include "wgsl/syntax.h"

namespace webnnc::wgsl {

// The module as WGSL, statement by statement. It has nothing that Refuse has not let through.
Result<Module> Lower(const Source& source);

}  // namespace webnnc::wgsl
