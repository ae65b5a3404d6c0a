#pragma once

#include <optional>

#include "loop/kernel.h"

namespace webnnc::loop {

// Makes all reductions of a kernel, sums that run over the same, parts of one:
//
//   %a[i] += %x[k] * %v[k, i]            %a[i], %b[i] += %x[k] * %v[k, i], %x[k] * %w[k, i]
//   %b[i] += %x[k] * %w[k, i]      ->    %y[i] = %a[i] * %b[i]
//   %y[i] = %a[i] * %b[i]
//
// What a sum's terms have of another sum as a factor that is the same for all of them goes behind
// it, and a sum of fewer results is computed again for each of the others'. So a norm joins the
// product that reads it:
//
//   %s[] += %x[k] * %x[k]                          %s[i], %t[i] += %x[k] * %x[k],
//   %y[i] += %x[k] / sqrt(%s[]) * %w[k, i]   ->                    %x[k] * %w[k, i]
//                                                  %y[i] = %t[i] / sqrt(%s[i])
//
// Only sums of f32: what goes behind a sum of f16 might have kept it from overflowing. Nothing, if
// that does not make one reduction of all.
std::optional<Kernel> JoinReductions(const Kernel& plain);

}  // namespace webnnc::loop
