// Shaders that a bundle has besides those in use, for pages that measure (load({ tune: true })).
#pragma once

#include "compile/code.h"

namespace webnnc {

// Gives each program for GPUs those of its most expensive kernels: other schedules that were
// measured, or else that their rules have. Programs are scheduled, and their shaders are there.
void AddAlternatives(Code& code, const schedule::Database& measured);

}  // namespace webnnc
