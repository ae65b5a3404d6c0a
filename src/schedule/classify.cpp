#include "schedule/classify.h"

#include <set>

#include "loop/passes/align_ordered.h"
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
  auto* product = std::get_if<loop::Binary>(&kernel.exprs[nest.store.value].node);
  if (nest.store.update != loop::Update::kAdd || !product) return false;
  if (product->op != loop::BinaryOp::kMul) return false;
  bool left = false, right = false;
  for (const NestLoop& loop : nest.main.loops) {
    auto is = [&](loop::VarId var) { return var == loop.var; };
    bool in_left = loop::Mentions(kernel, product->a, is),
         in_right = loop::Mentions(kernel, product->b, is);
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
    if (!nest.init) return nest.store.update == loop::Update::kSet ? Kind::kMap : Kind::kNone;
    return IsContraction(nests.kernel, nest) ? Kind::kContraction : Kind::kReduction;
  }
  for (const Nest& nest : nests.nests) {
    bool started = nest.init || nest.store.update == loop::Update::kSet;
    if (!started) return Kind::kNone;
  }
  return loop::AlignRows(plain) ? Kind::kRows : Kind::kNone;
}

}  // namespace webnnc::schedule
