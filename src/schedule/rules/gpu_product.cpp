#include "schedule/rules/gpu_product.h"

#include <algorithm>

#include "schedule/element_work.h"

namespace webnnc::schedule {

GpuProduct::GpuProduct(Problem& problem) : view(problem.view()), machine(problem.machine()) {
  std::vector<const NestLoop*> spatial = view.SpatialLoops();
  if (spatial.empty() || !view.is_product()) return;
  innermost = spatial.back();
  bool in_left = view.DependsOn(view.left(), *innermost),
       in_right = view.DependsOn(view.right(), *innermost);
  if (in_left == in_right) return;
  swapped = in_left;
  rows = swapped ? view.right() : view.left();
  columns = swapped ? view.left() : view.right();
  for (const NestLoop* loop : spatial) {
    bool in_rows = view.DependsOn(rows, *loop), in_columns = view.DependsOn(columns, *loop);
    Names& names = in_rows == in_columns ? batch : in_rows ? m : n;
    Grow(in_rows == in_columns ? &ProductSize::batch
         : in_rows             ? &ProductSize::m
                               : &ProductSize::n,
         loop->extent);
    names.push_back(loop->name);
  }
  for (const NestLoop* loop : view.ReductionLoops()) {
    k.push_back(loop->name);
    Grow(&ProductSize::k, loop->extent);
  }
  const ElementWork work = WorkOf(view.kernel(), rows, machine.fusion);
  for (ProductSize& product : sizes) {
    product.row_loads = std::max(1.0, static_cast<double>(work.loads));
    product.row_operations = static_cast<double>(work.operations);
  }
  auto is_half = [&](loop::ExprId side) { return view.WidenedFrom(side) == DType::kF16; };
  widened = problem.target().Has(Feature::kF16) && is_half(rows) && is_half(columns);
  if (widened) {
    for (ProductSize& product : sizes) product.element_bytes = 2;
  }
  // Sizes that are not open make one product of the three.
  if (sizes[0] == sizes[2]) sizes.resize(1);
}

void GpuProduct::Grow(double ProductSize::* side, const Dim& extent) {
  const LikelySizes& likely = view.sizes();
  double extents[] = {likely.Low(extent), likely.Typical(extent), likely.High(extent)};
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i].*side *= std::max(1.0, extents[i]);
}

const NestLoop& GpuProduct::Loop(const std::string& name) const {
  for (const NestLoop& loop : view.loops()) {
    if (loop.name == name) return loop;
  }
  CHECK(false);
}

std::string GpuProduct::TileLoop(ScheduleBuilder& build, int64_t depth, Names& around) const {
  const auto& last = build.Find(k.back());
  if (k.size() == 1 || view.Estimate(last.extent) >= static_cast<double>(depth)) {
    around.assign(k.begin(), k.end() - 1);
    return k.back();
  }
  return build.Fuse(k, "k");
}

}  // namespace webnnc::schedule
