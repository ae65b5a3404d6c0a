#include "loop/passes/run_beside.h"

#include <map>

#include "loop/builder.h"
#include "loop/import.h"
#include "loop/parameters.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

// The loops of a flat kernel that are bound to workgroups, outermost first, and what is in them.
struct Workgroups {
  explicit Workgroups(const Kernel& flat) : body(&flat.body) {
    while (body->size() == 1) {
      auto* loop = std::get_if<For>(&body->front());
      if (!loop || !IsWorkgroup(loop->kind)) break;
      loops.push_back(loop);
      body = &loop->body;
    }
  }

  Dim Count() const {
    Dim count = 1;
    for (const For* loop : loops) count = count * loop->extent;
    return count;
  }

  std::vector<const For*> loops;
  const Block* body;
};

// Puts kernels into one that has none yet.
class Joiner {
 public:
  Import Add(const Kernel& from, const std::vector<size_t>& parameters) {
    std::map<BufferId, BufferId> buffers;
    std::vector<BufferId> own = ParametersOf(from);
    for (size_t p = 0; p < own.size(); ++p) {
      CHECK(parameters[p] <= parameters_.size());
      if (parameters[p] == parameters_.size())
        parameters_.push_back(kernel.buffers.Add(from.buffers[own[p]]));
      buffers[own[p]] = parameters_[parameters[p]];
    }
    if (!kernel.name.empty()) kernel.name += "_";
    kernel.name += from.name;
    return Import(kernel, from, std::move(buffers));
  }

  // Of parameters that there are so far.
  size_t count() const { return parameters_.size(); }

  Kernel kernel;

 private:
  std::vector<BufferId> parameters_;
};

}  // namespace

bool MayRunBeside(const Kernel& flat) {
  bool may = true;
  for (const Buffer& buffer : flat.buffers) may &= buffer.space != Space::kWorkgroup;
  ForEachStmt(flat.body, [&](const Stmt& stmt) {
    auto* loop = std::get_if<For>(&stmt);
    bool meets = loop && (loop->kind == LoopKind::kCombined || loop->kind == LoopKind::kSubgroup ||
                          loop->kind == LoopKind::kMatrix);
    may &= !meets && !std::holds_alternative<Barrier>(stmt);
  });
  return may;
}

Kernel RunBeside(const std::vector<const Kernel*>& flats,
                 const std::vector<std::vector<size_t>>& parameters) {
  Joiner joiner;
  Kernel& kernel = joiner.kernel;
  Builder build(kernel);
  const VarId group_var = kernel.vars.Add({"g"});
  const ExprId group = build.Var(group_var);
  Dim begin = 0;
  Block body;
  for (size_t n = 0; n < flats.size(); ++n) {
    const Import part = joiner.Add(*flats[n], parameters[n]);
    const Workgroups workgroups(*flats[n]);
    const Dim end = begin + workgroups.Count();
    const ExprId first = build.Size(begin);
    const bool is_first = n == 0, is_last = n + 1 == flats.size();
    ExprId is_own = is_first  ? build.Less(group, build.Size(end))
                    : is_last ? build.LessEqual(first, group)
                              : build.Within(group, first, build.Size(end));
    Block own;
    // It is no less than 0 where it counts, which is to be seen where it does not, too.
    ExprId rest = is_first ? group : build.Max(build.Sub(group, first), build.Int(0));
    for (size_t l = workgroups.loops.size(); l-- > 0;) {
      const For& loop = *workgroups.loops[l];
      // What is in no other loop has no more iterations.
      ExprId extent = build.Size(loop.extent);
      own.push_back(
          Let{part.Of(loop.var), l == 0 ? rest : build.Apply(BinaryOp::kMod, rest, extent)});
      rest = build.Apply(BinaryOp::kDiv, rest, extent);
    }
    for (Stmt& stmt : part.Statements(*workgroups.body)) own.push_back(std::move(stmt));
    body.push_back(If{is_own, std::move(own)});
    begin = end;
  }
  kernel.body.clear();
  kernel.body.push_back(For{group_var, begin, LoopKind::kWorkgroupX, std::move(body)});
  NameByPlace(kernel);
  return std::move(kernel);
}

Kernel RunBehind(const std::vector<const Kernel*>& plains) {
  Joiner joiner;
  Block body;
  for (const Kernel* plain : plains) {
    std::vector<size_t> parameters;
    for (size_t p = 0; p < ParametersOf(*plain).size(); ++p)
      parameters.push_back(joiner.count() + p);
    for (Stmt& stmt : joiner.Add(*plain, parameters).Statements()) body.push_back(std::move(stmt));
  }
  joiner.kernel.body = std::move(body);
  NameByPlace(joiner.kernel);
  return std::move(joiner.kernel);
}

}  // namespace webnnc::loop
