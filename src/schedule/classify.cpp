#include "schedule/classify.h"

#include "loop/passes/align_rows.h"
#include "loop/rewrite.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

std::string_view Name(Kind kind) {
  static constexpr std::string_view kNames[] = {"map",  "reduction", "contraction",
                                                "rows", "ordered",   "none"};
  return kNames[static_cast<int>(kind)];
}

static bool IsContraction(const loop::Kernel& kernel, const Nest& nest) {
  if (!nest.product) return false;
  bool left = false, right = false;
  for (const NestLoop& loop : nest.main.loops) {
    auto is = [&](loop::VarId var) { return var == loop.var; };
    bool in_left = loop::Mentions(kernel, nest.product->left, is),
         in_right = loop::Mentions(kernel, nest.product->right, is);
    left |= !loop.reduction && in_left && !in_right;
    right |= !loop.reduction && in_right && !in_left;
  }
  return left && right;
}

Kind Classify(const loop::Kernel& plain) {
  if (loop::IsOrdered(loop::StagesOf(plain))) return Kind::kOrdered;
  Nests nests = ExtractNests(plain);
  if (nests.nests.empty()) return Kind::kMap;
  if (nests.nests.size() == 1) {
    const Nest& nest = nests.nests[0];
    if (!nest.Reduces()) return Kind::kMap;
    return IsContraction(nests.kernel, nest) ? Kind::kContraction : Kind::kReduction;
  }
  loop::Kernel aligned = plain;
  return loop::AlignRows(aligned) ? Kind::kRows : Kind::kNone;
}

std::vector<std::string> AlignLoops(loop::Kernel& plain, Kind kind) {
  if (kind == Kind::kOrdered) return loop::AlignOrdered(plain);
  if (kind != Kind::kRows) return {};
  auto rows = loop::AlignRows(plain);
  CHECK(rows);
  return *rows;
}

}  // namespace webnnc::schedule
