// How much a program computes.
#pragma once

#include "plan/program.h"

namespace webnnc::plan {

// The multiply-adds of a plain kernel, as papers count the work of networks: one for each product
// that is added to a sum. Other arithmetic does not count.
Dim MultiplyAdds(const loop::Kernel& plain);

}  // namespace webnnc::plan
