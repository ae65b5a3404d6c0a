#pragma once

#include "base/result.h"
#include "webnnc/compiler.h"

namespace webnnc {

// An error as Compile gives it. `subject` is what it is about: the model's path.
Failure FailureOf(const std::string& subject, const Error& error);

}  // namespace webnnc
