#include "spirv/grid.h"

#include <algorithm>

#include "loop/rewrite.h"

namespace webnnc::spirv {

size_t Grid::Axis(loop::LoopKind kind) {
  return static_cast<size_t>(kind) - static_cast<size_t>(loop::LoopKind::kWorkgroupX);
}

Grid ChooseGrid(const loop::Kernel& kernel, bool always_folds) {
  Grid grid;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    if (loop && loop::IsWorkgroup(loop->kind)) grid.extents[Grid::Axis(loop->kind)] = loop->extent;
  });
  auto fits = [](const Dim& extent) { return ProvablyLessEqual(extent, kMostWorkgroups); };
  if (!always_folds && std::all_of(grid.extents.begin(), grid.extents.end(), fits)) {
    grid.workgroups = grid.extents;
    return grid;
  }
  grid.folds = true;
  for (const Dim& extent : grid.extents) grid.count = grid.count * extent;
  Dim rows = CeilDiv(grid.count, kMostWorkgroups);
  // Rows of the same length leave less to do nothing.
  Dim row = grid.count.IsConstant() ? CeilDiv(grid.count, rows) : Min(grid.count, kMostWorkgroups);
  grid.row = row.IsConstant() ? row.value() : kMostWorkgroups;
  grid.workgroups = {row, rows, 1};
  return grid;
}

}  // namespace webnnc::spirv
