#include "schedule/classify.h"

#include <set>

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

Kind Classify(loop::Kernel& plain) {
  if (loop::IsOrdered(loop::StagesOf(plain))) {
    loop::AlignOrdered(plain);
    return Kind::kOrdered;
  }
  Nests nests = ExtractNests(plain);
  if (nests.nests.empty()) return Kind::kMap;
  if (nests.nests.size() == 1) {
    const Nest& nest = nests.nests[0];
    if (!nest.Reduces()) return Kind::kMap;
    return IsContraction(nests.kernel, nest) ? Kind::kContraction : Kind::kReduction;
  }
  return loop::AlignRows(plain) ? Kind::kRows : Kind::kNone;
}

}  // namespace webnnc::schedule
