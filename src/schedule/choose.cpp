#include "schedule/choose.h"

#include "loop/passes/align_rows.h"
#include "schedule/classify.h"

namespace webnnc::schedule {

Schedule ChooseForCpu(const loop::Kernel& plain) {
  loop::Kernel kernel = plain;
  if (Classify(kernel) != Kind::kRows) return {};
  auto rows = loop::AlignRows(kernel);
  CHECK(rows);
  if (rows->empty()) return {};
  return {Merge{*rows}};
}

}  // namespace webnnc::schedule
