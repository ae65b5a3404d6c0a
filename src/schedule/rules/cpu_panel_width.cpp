#include "schedule/rules/cpu_panel_width.h"

#include <algorithm>
#include <cmath>

#include "schedule/pack.h"
#include "target/machine.h"

namespace webnnc::schedule {

std::vector<int64_t> ColumnsOf(const loop::Kernel& plain,
                               const std::vector<loop::BufferId>& panels) {
  std::vector<int64_t> columns;
  for (loop::BufferId id : panels) {
    auto own = PackableColumns(plain, plain.buffers[id].name);
    if (!own) return {};
    columns.push_back(*own);
  }
  return columns;
}

bool CanPack(const std::vector<int64_t>& columns, int64_t width) {
  return !columns.empty() && width != Machine::kPanelWidth &&
         std::ranges::all_of(columns, [&](int64_t own) { return own % width == 0; });
}

double BytesOfPanels(const NestView& view, const std::vector<loop::BufferId>& panels) {
  double bytes = 0;
  for (loop::BufferId id : panels) bytes += view.Estimate(ByteSize(view.kernel().buffers[id].type));
  return bytes;
}

double StreamsOf(int64_t columns, int64_t width, int64_t panel) {
  const double all = static_cast<double>(columns),
               narrower = static_cast<double>(std::min(width, panel));
  return std::ceil(all / narrower);
}

}  // namespace webnnc::schedule
