#pragma once

#include <cstdint>
#include <optional>

#include "loop/kernel.h"

namespace webnnc::loop {

// Makes one pass over a row of what earlier reductions of the row have to see whole, a block at a
// time, and takes back what was counted too much (online softmax; Milakov, Gimelshein, Online
// normalizer calculation for softmax, 2018; with a product behind it: Dao et al., FlashAttention,
// 2022). With blocks of 64:
//
//   %s[i, j] += %q[i, k] * %k[j, k]              for b in ceil(n / 64) ordered {
//   %m[i] max= %s[i, j]                            %s[i, j] += %q[i, k] * %k[b * 64 + j, k]
//   %l[i] += exp(%s[i, j] - %m[i])          ->     %old[i] = %m[i]
//   %o[i, d] += exp(%s[i, j] - %m[i])              %m[i] max= %s[i, j] from %m[i]
//               / %l[i] * %v[j, d]                 %scale[i] = exp(%old[i] - %m[i])
//                                                  %s[i, j] = exp(%s[i, j] - %m[i])
//                                                  %l[i] += %s[i, j] from %l[i] * %scale[i]
//                                                  %sum[i, d] += %s[i, j] * %v[b * 64 + j, d]
//                                                                from %sum[i, d] * %scale[i]
//                                                }
//                                                %o[i, d] = %sum[i, d] / %l[i]
//
// What it takes is algebra: sums of products of which a factor is exp(x - %m) and %m a maximum, as
// that factor for another maximum is the one for this times exp(%m - %other); and factors,
// quotients and conditions that do not depend on j, which go behind the sum.
//
// Where a mask is a condition on indices (passes/mask.h), blocks that it leaves no column of need
// not run: each stage of the block is under a condition on its row, `if b * 64 <= i { ... }`.
//
// With several `parts` each row's blocks are divided among them, which may run side by side: rows
// of all parts are kept as if they were others, and the stages from `whole` on put them together
// ("flash decoding"; Dao et al., 2023):
//
//   %o[i, d] = (%sum[0, i, d] * exp(%m[0, i] - max(%m[0, i], %m[1, i])) + ...) / (%l[0, i] * ...)
//
// Nothing, if the first stage's result does not flow through reductions of that kind alone.
struct Stream {
  Kernel kernel;
  size_t whole = 0;
};
std::optional<Stream> StreamRows(const Kernel& plain, int64_t block, int64_t parts = 1);

}  // namespace webnnc::loop
