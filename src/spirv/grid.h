// How the workgroups that a kernel's outermost loops stand for are launched.
//
// WebGPU launches at most 65535 workgroups along an axis. Where an extent may be more, all
// workgroups are numbered in one row, x fastest, that is folded into rows of the grid; what is left
// of the last row does nothing:
//
//   for i in 7 workgroup.y { for j in n workgroup.x { } }
//
//     n workgroups of x, 7 of y                           if n is known to be at most 65535
//     min(7*n,65535) of x, ceil(7*n / 65535) of y         else: number = y*65535 + x,
//                                                         j = number % n, i = number / n
#pragma once

#include <array>

#include "loop/kernel.h"

namespace webnnc::spirv {

inline constexpr int64_t kMostWorkgroups = 65535;

struct Grid {
  // The extents of the kernel's workgroup loops, and the workgroups to launch: x, y and z.
  std::array<Dim, 3> extents{1, 1, 1}, workgroups{1, 1, 1};
  // Whether workgroups are numbered: 0 <= number < count, `row` of them along x.
  bool folds = false;
  Dim count = 1;
  int64_t row = 1;

  // The axis of a workgroup loop.
  static size_t Axis(loop::LoopKind kind);
};

// `always_folds`: also what fits, so that more workgroups may be launched than there is work for.
Grid ChooseGrid(const loop::Kernel& kernel, bool always_folds = false);

}  // namespace webnnc::spirv
