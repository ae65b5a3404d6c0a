// Applies directives one after another, and writes the loops out.
#include <algorithm>
#include <map>

#include "loop/builder.h"
#include "loop/parallel.h"
#include "loop/passes/collapse.h"
#include "loop/passes/simplify.h"
#include "loop/relax.h"
#include "loop/rewrite.h"
#include "loop/verify.h"
#include "schedule/insert_barriers.h"
#include "schedule/localize.h"
#include "schedule/nest.h"
#include "schedule/nest_builder.h"
#include "target/machine.h"

namespace webnnc::schedule {

using loop::Block;
using loop::ExprId;
using loop::LoopKind;
using loop::VarId;

namespace {

// The loops that all nests share, then the nests one after another inside them.
class KernelBuilder {
 public:
  explicit KernelBuilder(Nests& nests)
      : nests_(nests), build_(nests.kernel), simplify_(nests.kernel) {}

  Result<Block> Run(size_t i) {
    // Of loops that never run peeling leaves nothing.
    if (i == nests_.merged || nests_.nests.empty()) return EmitNests(i);
    const NestLoop& loop = nests_.First().main.loops[i];
    VarId var = nests_.kernel.vars.Add({loop.name});
    simplify_.Bind(var, loop.extent);
    shared_.push_back(var);
    for (Nest& nest : nests_.nests) {
      for (LoopList* list : nest.Lists()) {
        if (!nest.host) env_[list->loops[i].var] = build_.Var(var);
      }
    }
    if (loop.kind == LoopKind::kThread) {
      if (thread_.valid()) return Error{"merge: only one shared loop may be bound to thread"};
      thread_ = build_.Var(var);
    }
    are_independent_ &= std::all_of(
        nests_.nests.begin(), nests_.nests.end(),
        [&](const Nest& nest) { return nest.host || IsIndependent(nest.main.loops[i]); });
    LoopKind kind = are_independent_ ? LoopKind::kParallel : loop.kind;
    Dim extent = loop.extent;
    TRY_ASSIGN(auto body, Run(i + 1));
    Block out;
    out.push_back(loop::For{var, extent, kind, std::move(body)});
    return out;
  }

  const std::vector<VarId>& shared() const { return shared_; }
  const Hosted& hosted() const { return hosted_; }

 private:
  // All nests from loop `from` on, those of one ordered loop together.
  Result<Block> EmitNests(size_t from) {
    Block out;
    std::optional<loop::StageLoop> open;
    for (Nest& nest : nests_.nests) {
      if (nest.host) continue;
      if (nest.ordered && nest.ordered != open) {
        VarId var = nests_.kernel.vars.Add({nests_.kernel.vars[nest.ordered->var].name});
        simplify_.Bind(var, nest.ordered->extent);
        env_[nest.ordered->var] = build_.Var(var);
        out.push_back(loop::For{var, nest.ordered->extent, LoopKind::kSerial, {}});
      }
      open = nest.ordered;
      ExprId condition = ConditionOf(nest, from);
      TRY_ASSIGN(auto block,
                 NestBuilder(nests_, simplify_, nest, env_, thread_, hosted_).Run(from));
      Block& into = Under(condition, open ? std::get<loop::For>(out.back()).body : out);
      for (loop::Stmt& stmt : block) into.push_back(std::move(stmt));
    }
    return out;
  }

  // Without which none of the nest's iterations inside of the loops so far needs to run; invalid if
  // there is no such condition.
  ExprId ConditionOf(const Nest& nest, size_t from) {
    if (!nest.rest.empty()) return {};
    if (!nest.condition.valid()) return TilesAreUsed(nest);
    std::map<VarId, Dim> open;
    for (size_t l = from; l < nest.main.loops.size(); ++l)
      open[nest.main.loops[l].var] = nest.main.loops[l].extent;
    loop::Substitution resolve(nests_.kernel, ValuesOf(nests_.kernel, nest.main, env_));
    ExprId condition = resolve(nest.condition);
    condition = simplify_(loop::Relax(nests_.kernel, condition, open));
    return build_.ConstantValue(condition) ? ExprId() : condition;
  }

  // Nothing reads the tiles of what is left behind whole ones where nothing is left.
  ExprId TilesAreUsed(const Nest& nest) {
    const auto& loops = nest.main.loops;
    ExprId condition;
    for (const Stage& stage : nest.stages) {
      for (auto l = static_cast<size_t>(nest.main.Position(stage.at) + 1); l < loops.size(); ++l) {
        // A sum of nothing has a result, too.
        bool runs_always = loops[l].reduction || LowerBound(loops[l].extent).value_or(0) > 0;
        if (runs_always || IsWorkgroup(loops[0].kind)) continue;
        ExprId runs = build_.Less(build_.Int(0), build_.Size(loops[l].extent));
        condition = condition.valid() ? build_.And(condition, runs) : runs;
      }
    }
    return condition;
  }

  // Where in `block` stands what needs to run under the condition only.
  static Block& Under(ExprId condition, Block& block) {
    if (!condition.valid()) return block;
    auto* last = block.empty() ? nullptr : std::get_if<loop::If>(&block.back());
    if (!last || last->condition != condition) block.push_back(loop::If{condition, {}});
    return std::get<loop::If>(block.back()).body;
  }

  Nests& nests_;
  loop::Builder build_;
  loop::Simplifier simplify_;
  Env env_;
  ExprId thread_;
  std::vector<VarId> shared_;
  // Whether iterations of the shared loops so far are.
  bool are_independent_ = true;
  Hosted hosted_;
};

}  // namespace

static std::set<loop::BufferId> StoredBy(const Nest& nest) {
  std::set<loop::BufferId> stored;
  for (const loop::Part& part : nest.parts) stored.insert(part.buffer);
  for (const loop::Store& writer : nest.writers) stored.insert(writer.buffer);
  return stored;
}

// What iterations of ordered loops leave for the next.
static std::set<loop::BufferId> CarriedBy(const Nests& nests) {
  std::set<loop::BufferId> carried;
  for (const Nest& nest : nests.nests) {
    if (!nest.ordered) continue;
    for (loop::BufferId buffer : StoredBy(nest)) carried.insert(buffer);
  }
  return carried;
}

// What several threads compute each for itself.
static std::set<loop::BufferId> ReplicatedBy(const Nests& nests) {
  std::set<loop::BufferId> replicated;
  for (const Nest& nest : nests.nests) {
    const auto& loops = nest.main.loops;
    if (std::none_of(loops.begin(), loops.end(), [](const NestLoop& l) { return l.replicated; }))
      continue;
    for (loop::BufferId buffer : StoredBy(nest)) replicated.insert(buffer);
  }
  return replicated;
}

static bool HasThreads(const loop::Stmt& stmt) {
  bool has = false;
  auto note = [&](const loop::Stmt& inner) {
    auto* loop = std::get_if<loop::For>(&inner);
    has |= loop && IsRegion(loop->kind);
  };
  note(stmt);
  if (auto* loop = std::get_if<loop::For>(&stmt)) loop::ForEachStmt(loop->body, note);
  if (auto* test = std::get_if<loop::If>(&stmt)) loop::ForEachStmt(test->body, note);
  return has;
}

// Whether a tile may have been moved back to end with its loop, and stores elements again.
static bool MayStoreAgain(const Nests& nests) {
  bool again = false;
  for (const Nest& nest : nests.nests) {
    for (const Definition& definition : nest.main.definitions) {
      loop::ForEachExpr(nests.kernel, definition.value, [&](ExprId id) {
        auto* binary = std::get_if<loop::Binary>(&nests.kernel.exprs[id].node);
        again |= binary && binary->op == loop::BinaryOp::kMin;
      });
    }
  }
  return again;
}

// Puts temporaries into the results that they can be in. Threads would have to wait for each
// other's stores, and what is stored twice would be made of the result the second time: then each
// row's is a copy of its own, if it is known how long rows are.
static void PutInResults(Nests& nests) {
  std::erase_if(nests.in_results,
                [&](const auto& entry) { return nests.hosted.count(entry.first) > 0; });
  if (nests.in_results.empty() || MayStoreAgain(nests) ||
      std::any_of(nests.kernel.body.begin(), nests.kernel.body.end(), HasThreads))
    return;
  loop::ExprRewriter rewrite(nests.kernel, [&](ExprId id, ExprId) {
    loop::Expr expr = nests.kernel.exprs[id];
    auto* load = std::get_if<loop::Load>(&expr.node);
    auto result = load ? nests.in_results.find(load->buffer) : nests.in_results.end();
    if (result == nests.in_results.end()) return id;
    load->buffer = result->second;
    return nests.kernel.exprs.Add(std::move(expr));
  });
  loop::RewriteExprs(nests.kernel.body, rewrite);
  loop::ForEachStore(nests.kernel.body, [&](loop::Store& store) {
    auto result = nests.in_results.find(store.buffer);
    if (result != nests.in_results.end()) store.buffer = result->second;
  });
}

// Where threads run, they run all that is stored.
static Status CheckThreads(const Block& block) {
  bool any = std::any_of(block.begin(), block.end(), HasThreads);
  if (!any) return kSuccess;
  for (const loop::Stmt& stmt : block) {
    auto* loop = std::get_if<loop::For>(&stmt);
    auto* test = std::get_if<loop::If>(&stmt);
    auto* store = std::get_if<loop::Store>(&stmt);
    bool inside = HasThreads(stmt) || (!loop && !test);
    if (store || !inside) return Error{"a stage is bound to thread, and another beside it is not"};
    if (loop && !IsRegion(loop->kind)) TRY(CheckThreads(loop->body));
    if (test) TRY(CheckThreads(test->body));
  }
  return kSuccess;
}

Result<loop::Kernel> Build(Nests nests) {
  KernelBuilder builder(nests);
  TRY_ASSIGN(nests.kernel.body, builder.Run(0));
  PutInResults(nests);
  std::map<loop::BufferId, HostedPlace> hosted;
  for (const auto& [buffer, vars] : builder.hosted())
    hosted[buffer] = {vars, nests.hosted.at(buffer)};
  TRY(LocalizeTemporaries(nests.kernel, builder.shared(), CarriedBy(nests), ReplicatedBy(nests),
                          hosted));
  loop::Simplify(nests.kernel);
  loop::DropUnused(nests.kernel);
  loop::KeepPromises(nests.kernel);
  TRY(CheckThreads(nests.kernel.body));
  InsertBarriers(nests.kernel);
  return std::move(nests.kernel);
}

// What is unrolled or peeled is copied, and each copy takes time to compile; so do long vectors.
static Status CheckCopies(Nests& nests) {
  double all = 0;
  for (Nest& nest : nests.nests) {
    for (const LoopList* list : nest.Lists()) {
      double copies = 1;
      for (const NestLoop& loop : list->loops) {
        bool vector = loop.kind == LoopKind::kVector;
        if (vector && loop.extent.value() > Machine::kMostLanes) {
          return Error{"a vector of " + Print(loop.extent) + " lanes is longer than the longest, " +
                       std::to_string(Machine::kMostLanes)};
        }
        if (loop.kind == LoopKind::kUnrolled || loop.dot)
          copies *= static_cast<double>(std::max<int64_t>(1, loop.extent.value()));
      }
      all += copies;
    }
  }
  if (all <= Machine::kMostCopies) return kSuccess;
  return Error{"more than " + std::to_string(static_cast<int64_t>(Machine::kMostCopies)) +
               " copies of its statements, where loops are unrolled or peeled"};
}

Status ApplyAll(Nests& nests, const Schedule& schedule) {
  for (const Directive& directive : schedule) {
    Status status = std::visit(
        [&](const auto& d) -> Status {
          using T = std::decay_t<decltype(d)>;
          if constexpr (std::is_same_v<T, Split>) return ApplySplit(nests, d);
          if constexpr (std::is_same_v<T, Peel>) return ApplyPeel(nests, d);
          if constexpr (std::is_same_v<T, Fuse>) return ApplyFuse(nests, d);
          if constexpr (std::is_same_v<T, Order>) return ApplyOrder(nests, d);
          if constexpr (std::is_same_v<T, Merge>) return ApplyMerge(nests, d);
          if constexpr (std::is_same_v<T, At>) return ApplyAt(nests, d);
          if constexpr (std::is_same_v<T, Bind>) return ApplyBind(nests, d);
          if constexpr (std::is_same_v<T, Keep>) return ApplyKeep(nests, d);
          if constexpr (std::is_same_v<T, Skip>) return ApplySkip(nests, d);
          if constexpr (std::is_same_v<T, Combine>) return ApplyCombine(nests, d);
          if constexpr (std::is_same_v<T, Replicate>) return ApplyReplicate(nests, d);
          if constexpr (std::is_same_v<T, Dot>) return ApplyDot(nests, d);
          if constexpr (std::is_same_v<T, Narrow>) return ApplyNarrow(nests, d);
          if constexpr (std::is_same_v<T, Subtotal>) return ApplySubtotal(nests, d);
          if constexpr (std::is_same_v<T, Stage>) return ApplyStage(nests, d);
          if constexpr (std::is_same_v<T, Pack>) return ApplyPack(nests, d);
        },
        directive);
    if (status) status = CheckPromises(nests);
    if (status) status = CheckCopies(nests);
    if (!status) {
      return Error{Print(directive) + ": " + status.error().message};
    }
  }
  return kSuccess;
}

Result<loop::Kernel> Apply(const loop::Kernel& plain, const Schedule& schedule) {
  Nests nests = ExtractNests(plain);
  if (Status fits = ApplyAll(nests, schedule); !fits)
    return Error{"the schedule does not fit @" + plain.name + ": " + fits.error().message};
  auto kernel = Build(std::move(nests));
  // What directives make together shows in the result alone: a workgroup loop inside another loop.
  Status fits = kernel ? loop::Verify(kernel.value()) : Status(std::move(kernel.error()));
  if (!fits) return Error{"the schedule does not fit @" + plain.name + ": " + fits.error().message};
  return kernel;
}

}  // namespace webnnc::schedule
