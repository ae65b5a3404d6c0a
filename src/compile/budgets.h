#pragma once

#include <string>

#include "base/result.h"
#include "webnnc/compiler.h"

namespace webnnc {

// Errors: the build exceeds a budget. They say by how much, and what contributes most.
// `description` is what bundle::Description gives.
Status CheckBudgets(const Budgets& budgets, const std::string& description);

}  // namespace webnnc
