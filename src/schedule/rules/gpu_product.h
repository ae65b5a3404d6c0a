// A product of two tensors with loops of their own, as the rules for products see it.
//
// Names: m are the result's loops that only one operand (the rows') depends on, n those that only
// the other (the columns') depends on, the result's innermost loop among them; k is summed over.
// Loops of both operands are the batch.
#pragma once

#include <string>
#include <vector>

#include "schedule/problem.h"
#include "schedule/rules/gpu_tiling.h"
#include "schedule/schedule_builder.h"

namespace webnnc::schedule {

class GpuProduct {
 public:
  using Names = ScheduleBuilder::Names;

  explicit GpuProduct(Problem& problem);

  // Whether it is one.
  bool IsValid() const { return !m.empty() && !k.empty(); }

  // The loop of the kernel by name.
  const NestLoop& Loop(const std::string& name) const;
  Operand RowsOperand() const { return swapped ? Operand::kRight : Operand::kLeft; }
  Operand ColumnsOperand() const { return swapped ? Operand::kLeft : Operand::kRight; }
  // The loop along k that tiles of `depth` are cut from; loops before it, which run around the
  // tiles, are added to `around`. Short ones are made one first.
  std::string TileLoop(ScheduleBuilder& build, int64_t depth, Names& around) const;

  NestView& view;
  const Machine& machine;
  // The rows are on the right.
  bool swapped = false;
  loop::ExprId rows, columns;
  const NestLoop* innermost = nullptr;
  Names batch, m, n, k;
  // Both operands are widened from f16, and the target multiplies it.
  bool widened = false;
  // For the sizes that are likely least, typical, and likely most; one if there are none.
  std::vector<ProductSize> sizes{3, ProductSize{}};

 private:
  void Grow(double ProductSize::* side, const Dim& extent);
};

}  // namespace webnnc::schedule
