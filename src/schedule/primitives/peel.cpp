#include "loop/builder.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

// Makes the loop run over `extent` iterations from number `from` on.
static void Restrict(loop::Kernel& kernel, LoopList& list, const LoopId& id, int64_t from,
                     const Dim& extent) {
  loop::Builder build(kernel);
  NestLoop& loop = *list.Find(id);
  loop::VarId var = kernel.vars.Add({loop.name});
  list.definitions.push_back({loop.var, build.Add(build.Var(var), build.Int(from))});
  loop.var = var;
  loop.extent = extent;
}

Status ApplyPeel(Nests& nests, const Peel& peel) {
  bool found = false;
  std::vector<Nest> out;
  for (Nest& nest : nests.nests) {
    const NestLoop* loop = nest.main.Find(peel.loop);
    if (!loop) {
      out.push_back(std::move(nest));
      continue;
    }
    found = true;
    if (loop->reduction) return Error{"peel: " + Print(peel.loop) + " is a reduction"};
    if (loop->kind != loop::LoopKind::kSerial)
      return Error{"peel: " + Print(peel.loop) + " is bound"};
    Dim extent = loop->extent;
    if (!extent.IsConstant() || extent.value() < peel.first + peel.last) {
      return Error{"peel: the loop over " + Print(peel.loop) + " may be shorter than its ends"};
    }
    int64_t middle = extent.value() - peel.first - peel.last, from = 0;
    for (int64_t part : {peel.first, middle, peel.last}) {
      if (part > 0) {
        out.push_back(nest);
        for (LoopList* list : out.back().Lists())
          Restrict(nests.kernel, *list, peel.loop, from, part);
      }
      from += part;
    }
  }
  nests.nests = std::move(out);
  if (!found) return Error{"peel: no loop " + Print(peel.loop)};
  return kSuccess;
}

}  // namespace webnnc::schedule
