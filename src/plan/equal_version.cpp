#include "plan/equal_version.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/import.h"
#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/passes/replace_symbols.h"
#include "loop/passes/split_groups.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "schedule/classify.h"

namespace webnnc::plan {

namespace {

// The arguments of what is max(a,b) or min(a,b), and nothing more. Constants are the first.
const std::pair<Dim, Dim>* ArgumentsOf(const Dim& dim, DimAtom::Kind kind) {
  bool alone = dim.constant() == 0 && dim.terms().size() == 1 && dim.terms()[0].coefficient == 1 &&
               dim.terms()[0].factors.size() == 1;
  if (!alone || dim.terms()[0].factors[0].kind != kind) return nullptr;
  return dim.terms()[0].factors[0].arguments.get();
}

// The size whose index is multiplied by `factor`: n of max(0,min(1,n-1)), as graph::Expand has it.
std::optional<Dim> SizeOfFactor(const Dim& factor) {
  auto* positive = ArgumentsOf(factor, DimAtom::Kind::kMax);
  bool limited = positive && positive->first.Is(0);
  auto* least = ArgumentsOf(limited ? positive->second : factor, DimAtom::Kind::kMin);
  if (!least || !least->first.Is(1)) return std::nullopt;
  return least->second + 1;
}

// Finds sizes that are equal if nothing broadcasts.
class Finder {
 public:
  Finder(const loop::Kernel& kernel, const LikelySizes& sizes, const Machine& machine)
      : kernel_(kernel), sizes_(sizes), machine_(machine) {
    loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) extents_[loop->var] = loop->extent;
    });
    for (const loop::Stage& stage : loop::StagesOf(kernel)) {
      for (const loop::Part& part : stage.parts) {
        loop::ForEachExpr(kernel, part.term, [&](loop::ExprId id) {
          if (auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node)) Visit(*load);
        });
      }
    }
  }

  // Classes of sizes that have no part in common.
  std::vector<std::set<Dim>> classes;
  // Whether a version would read anything faster.
  bool pays = false;

 private:
  // What an index is: a variable times factors of sizes.
  struct Scaled {
    std::vector<Dim> sizes;
    std::optional<loop::VarId> var;
  };

  void Visit(const loop::Load& load) {
    const Shape& shape = kernel_.buffers[load.buffer].type.shape;
    for (size_t d = 0; d < shape.size(); ++d) {
      loop::ForEachExpr(kernel_, load.index[d], [&](loop::ExprId id) {
        Scaled scaled;
        if (!Take(id, scaled) || scaled.sizes.empty() || !scaled.var) return;
        scaled.sizes.push_back(extents_.at(*scaled.var));
        Join(scaled.sizes);
        double behind = 1;
        for (size_t inner = d + 1; inner < shape.size(); ++inner)
          behind *= sizes_.Typical(shape[inner]);
        pays |= behind < machine_.tiles.short_stretch;
      });
    }
  }

  bool Take(loop::ExprId id, Scaled& into) {
    const loop::Expr& expr = kernel_.exprs[id];
    if (auto* variable = std::get_if<loop::Variable>(&expr.node)) {
      bool is_loop = extents_.count(variable->var) && !into.var;
      into.var = variable->var;
      return is_loop;
    }
    if (auto* size = std::get_if<loop::Size>(&expr.node)) {
      std::optional<Dim> broadcast = SizeOfFactor(size->dim);
      if (broadcast) into.sizes.push_back(*broadcast);
      return broadcast.has_value();
    }
    auto* product = std::get_if<loop::Binary>(&expr.node);
    return product && product->op == loop::BinaryOp::kMul && Take(product->a, into) &&
           Take(product->b, into);
  }

  void Join(const std::vector<Dim>& sizes) {
    std::set<Dim> joined;
    for (const Dim& size : sizes) {
      for (const Dim& part : BroadcastParts(size)) joined.insert(part);
    }
    std::erase_if(classes, [&](const std::set<Dim>& known) {
      bool meet = std::any_of(known.begin(), known.end(),
                              [&](const Dim& size) { return joined.count(size) > 0; });
      if (meet) joined.insert(known.begin(), known.end());
      return meet;
    });
    classes.push_back(std::move(joined));
  }

  const loop::Kernel& kernel_;
  const LikelySizes& sizes_;
  const Machine& machine_;
  std::map<loop::VarId, Dim> extents_;
};

// The size that the others of a class become: the one that is no symbol, if there is one. Nothing
// if there are several, or if it is made of the others.
std::optional<Dim> TargetOf(const std::set<Dim>& sizes) {
  std::set<std::string> symbols;
  std::optional<Dim> target;
  for (const Dim& size : sizes) {
    std::optional<std::string> symbol = SymbolOf(size);
    if (symbol) symbols.insert(*symbol);
    if (!symbol && target) return std::nullopt;
    if (!symbol) target = size;
  }
  if (!target) return *sizes.begin();
  std::set<std::string> own;
  target->CollectSymbols(own);
  bool circular = std::any_of(own.begin(), own.end(),
                              [&](const std::string& symbol) { return symbols.count(symbol) > 0; });
  return circular ? std::nullopt : target;
}

// A flat kernel's statements, put into another kernel with the same parameters.
loop::Block StatementsIn(loop::Kernel& to, const loop::Kernel& from) {
  std::map<loop::BufferId, loop::BufferId> parameters;
  std::vector<loop::BufferId> own = loop::ParametersOf(from), others = loop::ParametersOf(to);
  for (size_t p = 0; p < own.size(); ++p) parameters[own[p]] = others.at(p);
  // The other version may have a buffer of this name.
  return loop::Import(to, from, std::move(parameters), "_equal").Statements();
}

}  // namespace

std::optional<EqualVersion> VersionOf(const loop::Kernel& plain, const LikelySizes& sizes,
                                      const Machine& machine) {
  Finder found(plain, sizes, machine);
  if (!found.pays) return std::nullopt;
  EqualVersion version{plain, {}, {}};
  std::map<std::string, Dim> symbols;
  for (const std::set<Dim>& equal : found.classes) {
    std::optional<Dim> target = TargetOf(equal);
    if (!target) continue;
    for (const Dim& size : equal) {
      if (size == *target) continue;
      symbols.emplace(*SymbolOf(size), *target);
      version.equal.push_back({size, *target});
    }
    version.several.push_back(*target);
  }
  if (symbols.empty()) return std::nullopt;
  loop::Kernel& kernel = version.plain;
  loop::ReplaceSymbols(kernel, symbols);
  auto is_several = [&](const Dim& size) {
    return std::find(version.several.begin(), version.several.end(), size) != version.several.end();
  };
  loop::Builder build(kernel);
  loop::ExprRewriter rewrite(kernel, [&](loop::ExprId id, loop::ExprId) {
    const loop::Expr expr = kernel.exprs[id];
    if (auto* size = std::get_if<loop::Size>(&expr.node)) {
      std::optional<Dim> of = SizeOfFactor(size->dim);
      return of && is_several(*of) ? build.Int(1) : id;
    }
    // Folds what is multiplied by 1.
    auto* product = std::get_if<loop::Binary>(&expr.node);
    bool is_product = product && product->op == loop::BinaryOp::kMul;
    return is_product ? build.Mul(product->a, product->b) : id;
  });
  loop::RewriteExprs(kernel.body, rewrite);
  loop::Collapse(kernel);
  loop::SplitGroups(kernel);
  schedule::AlignLoops(kernel);
  return version;
}

void AddVersion(loop::Kernel& general, const EqualVersion& version, const loop::Kernel& flat) {
  loop::Builder build(general);
  loop::ExprId holds;
  auto also = [&](loop::ExprId test) { holds = holds.valid() ? build.And(holds, test) : test; };
  for (const auto& [a, b] : version.equal) also(build.Equal(build.Size(a), build.Size(b)));
  for (const Dim& size : version.several) also(build.LessEqual(build.Int(2), build.Size(size)));
  loop::Block fast = StatementsIn(general, flat), slow = std::move(general.body);
  general.body.clear();
  general.body.push_back(loop::If{holds, std::move(fast)});
  general.body.push_back(loop::If{build.Not(holds), std::move(slow)});
}

}  // namespace webnnc::plan
