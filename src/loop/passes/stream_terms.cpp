#include "loop/passes/stream_terms.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "loop/builder.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

bool Depends(const Kernel& kernel, ExprId id, const std::set<VarId>& vars) {
  return Mentions(kernel, id, [&](VarId var) { return vars.count(var) > 0; });
}

DType DTypeOf(const Kernel& kernel, const Stage& stage) {
  return kernel.buffers[stage.buffer()].type.dtype;
}

const Streamed& Streams::MaximumOf(const Streamed& each) const {
  for (const Streamed& other : streamed) {
    if (other.stage.buffer() == *each.relative_to) return other;
  }
  CHECK(false);
}

bool Streams::IsMaximum(const Streamed& each) const {
  return std::any_of(streamed.begin(), streamed.end(), [&](const Streamed& other) {
    return other.relative_to == each.stage.buffer();
  });
}

namespace {

class StreamFinder {
 public:
  explicit StreamFinder(Kernel& kernel) : kernel_(kernel), build_(kernel) {
    found_.stages = StagesOf(kernel);
  }

  std::optional<Streams> Run() {
    if (IsOrdered(found_.stages) || !FindColumns()) return std::nullopt;
    for (size_t s = 1; s < found_.stages.size(); ++s) {
      const Stage& stage = found_.stages[s];
      bool is_map = !IsReduction(stage);
      if (is_map && !Loads(stage, found_.first)) continue;
      if (is_map || !AddReduction(stage)) return std::nullopt;
    }
    bool relative = std::any_of(found_.streamed.begin(), found_.streamed.end(),
                                [](const Streamed& each) { return each.relative_to.has_value(); });
    // Without that each stage of a row is as well off by itself.
    if (!relative || IsMaximumWanted()) return std::nullopt;
    return std::move(found_);
  }

 private:
  bool Loads(const Stage& stage, BufferId buffer) {
    bool loads = false;
    ForEachLoad(kernel_, stage, [&](const Load& load) { loads |= load.buffer == buffer; });
    return loads;
  }

  // Whether somebody wants to know a maximum itself, which begins with a finite number here.
  bool IsMaximumWanted() {
    for (const Streamed& each : found_.streamed) {
      if (!found_.IsMaximum(each)) continue;
      const BufferId maximum = each.stage.buffer();
      if (kernel_.buffers[maximum].space == Space::kOut) return true;
      for (const Stage& stage : found_.stages) {
        if (!IsReduction(stage) && Loads(stage, maximum)) return true;
      }
    }
    return false;
  }

  // The dimension of the first stage's result along which all others reduce it.
  bool FindColumns() {
    if (found_.stages.empty() || !IsReduction(found_.stages[0]) ||
        found_.stages[0].parts.size() != 1)
      return false;
    found_.first = found_.stages[0].buffer();
    if (kernel_.buffers[found_.first].space != Space::kTemporary) return false;
    for (const Stage& stage : found_.stages) {
      if (!IsReduction(stage)) continue;
      bool fits = true;
      ForEachLoad(kernel_, stage, [&](const Load& load) {
        if (load.buffer != found_.first) return;
        for (size_t d = 0; d < load.index.size(); ++d) {
          auto var = VariableOf(kernel_, load.index[d]);
          bool is_column = var && !Names(kernel_, stage, *var);
          if (is_column && !dimension_) dimension_ = d;
          fits &= var && is_column == (dimension_ == d);
        }
      });
      if (!fits) return false;
    }
    if (!dimension_) return false;
    for (ExprId index : found_.stages[0].place) {
      auto var = VariableOf(kernel_, index);
      if (!var) return false;
      found_.place.push_back(*var);
    }
    found_.dimension = *dimension_;
    found_.column = found_.place[*dimension_];
    found_.length = kernel_.buffers[found_.first].type.shape[*dimension_];
    return true;
  }

  // The stage with its rows and columns called as the first stage calls them.
  std::optional<Stage> Renamed(Stage stage) {
    std::unordered_map<VarId, ExprId> values;
    std::map<VarId, VarId> renamed;
    bool same = true;
    ForEachLoad(kernel_, stage, [&](const Load& load) {
      if (load.buffer != found_.first) return;
      for (size_t d = 0; d < load.index.size(); ++d) {
        VarId var = *VariableOf(kernel_, load.index[d]);
        auto [found, is_new] = renamed.emplace(var, found_.place[d]);
        same &= is_new || found->second == found_.place[d];
        values[var] = build_.Var(found_.place[d]);
      }
    });
    if (!same || renamed.size() != found_.place.size()) return std::nullopt;
    for (StageLoop& loop : stage.loops) {
      auto found = renamed.find(loop.var);
      if (found == renamed.end()) continue;
      loop.var = found->second;
      // Not of a part of them.
      if (loop.extent != ExtentOf(loop.var)) return std::nullopt;
    }
    Substitution rename(kernel_, std::move(values));
    RewriteRoots(stage, [&](ExprId id) { return rename(id); });
    return stage;
  }

  const Dim& ExtentOf(VarId var) const {
    size_t d = 0;
    while (found_.place[d] != var) ++d;
    return kernel_.buffers[found_.first].type.shape[d];
  }

  bool AddReduction(const Stage& original) {
    auto stage = Renamed(original);
    if (!stage || stage->parts.size() != 1) return false;
    Streamed streamed{*stage, {}, {}, {}, {}};
    std::set<VarId> others;
    for (const StageLoop& loop : stage->loops) {
      bool row = std::count(found_.place.begin(), found_.place.end(), loop.var) > 0;
      if (!row && !Names(kernel_, *stage, loop.var)) return false;
      if (!row) others.insert(loop.var);
    }
    std::vector<ExprId> factors;
    bool fits = stage->update == Update::kAdd ? Decompose(stage->value(), streamed, factors)
                                              : IsFree(stage->value());
    if (!fits) return false;
    if (stage->update != Update::kAdd) factors = {stage->value()};
    const Scalar* start = build_.ConstantValue(stage->parts[0].start);
    if (!start || !(*start == Neutral(stage->update, DTypeOf(kernel_, *stage)))) return false;
    for (ExprId factor : factors) {
      ExprId& side = Depends(kernel_, factor, others) ? streamed.other : streamed.in_row;
      ExprId converted = build_.Convert(factor, build_.dtype(stage->value()));
      side = side.valid() ? build_.Mul(side, converted) : converted;
    }
    if (!streamed.in_row.valid() || !FillsAlike(streamed)) return false;
    results_.insert(stage->buffer());
    found_.streamed.push_back(std::move(streamed));
    return true;
  }

  // What reductions of the same values find past the last column is one thing for all.
  bool FillsAlike(const Streamed& streamed) const {
    return std::all_of(found_.streamed.begin(), found_.streamed.end(), [&](const Streamed& other) {
      return other.in_row != streamed.in_row || other.stage.update == streamed.stage.update;
    });
  }

  // Whether it knows nothing of the reductions so far.
  bool IsFree(ExprId id) {
    bool free = true;
    ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<Load>(&kernel_.exprs[e].node);
      free &= !load || !results_.count(load->buffer);
    });
    return free;
  }

  // Whether it is the same for all columns.
  bool IsOfRow(ExprId id) { return !Depends(kernel_, id, {found_.column}); }

  // A term as a product of factors that can be summed in one pass, and what comes after the sum.
  bool Decompose(ExprId id, Streamed& term, std::vector<ExprId>& factors) {
    if (IsFree(id)) {
      factors.push_back(id);
      return true;
    }
    const Expr expr = kernel_.exprs[id];
    if (auto* binary = std::get_if<Binary>(&expr.node))
      return DecomposeBinary(*binary, term, factors);
    if (auto* choice = std::get_if<Select>(&expr.node))
      return DecomposeChoice(*choice, term, factors);
    // Rounding a weight on its way would make it no better.
    if (auto* convert = std::get_if<Convert>(&expr.node))
      return IsFloat(expr.dtype) && Decompose(convert->a, term, factors);
    auto* unary = std::get_if<Unary>(&expr.node);
    auto maximum = unary && unary->op == UnaryOp::kExp ? MaximumIn(unary->a) : std::nullopt;
    if (!maximum || term.relative_to) return false;
    term.relative_to = maximum;
    factors.push_back(id);
    return true;
  }

  bool DecomposeChoice(const Select& choice, Streamed& term, std::vector<ExprId>& factors) {
    if (IsZero(choice.no) && IsOfRow(choice.condition) && IsFree(choice.condition)) {
      if (!Decompose(choice.yes, term, factors)) return false;
      term.after.push_back({After::Kind::kSelect, choice.condition});
      return true;
    }
    // Weights that are no numbers are none: then all of a row are, since their sum is none.
    auto* test = std::get_if<Unary>(&kernel_.exprs[choice.condition].node);
    bool drops = test && test->op == UnaryOp::kIsNan && test->a == choice.no && IsZero(choice.yes);
    if (!drops || !term.after.empty() || !Decompose(choice.no, term, factors)) return false;
    if (factors.size() != 1 || term.after.size() != 1) return false;
    auto divisor = DivisorOf(term.after[0]);
    if (!divisor || !IsSumOf(*divisor, factors[0])) return false;
    term.after.push_back({After::Kind::kNoWeights, *divisor});
    return true;
  }

  // x of what divides by x, or multiplies by 1 / x.
  std::optional<ExprId> DivisorOf(const After& after) const {
    if (after.kind == After::Kind::kDiv) return after.by;
    auto* division = std::get_if<Binary>(&kernel_.exprs[after.by].node);
    bool divides = after.kind == After::Kind::kMul && division && division->op == BinaryOp::kDiv &&
                   build_.ConstantValue(division->a);
    return divides ? std::optional(division->b) : std::nullopt;
  }

  bool IsZero(ExprId id) const {
    const Scalar* value = build_.ConstantValue(id);
    return value && value->AsReal() == 0;
  }

  // Whether it is the sum of a row's `weights`.
  bool IsSumOf(ExprId id, ExprId weights) const {
    auto* load = std::get_if<Load>(&kernel_.exprs[id].node);
    return load &&
           std::any_of(found_.streamed.begin(), found_.streamed.end(), [&](const Streamed& sum) {
             return sum.stage.buffer() == load->buffer && sum.stage.update == Update::kAdd &&
                    sum.in_row == weights && !sum.other.valid() && sum.after.empty() &&
                    load->index == sum.stage.place;
           });
  }

  bool DecomposeBinary(const Binary& binary, Streamed& term, std::vector<ExprId>& factors) {
    bool is_division = binary.op == BinaryOp::kDiv;
    if (!is_division && binary.op != BinaryOp::kMul) return false;
    if (IsOfRow(binary.b) && !IsFree(binary.b)) {
      if (!Decompose(binary.a, term, factors)) return false;
      term.after.push_back({is_division ? After::Kind::kDiv : After::Kind::kMul, binary.b});
      return true;
    }
    if (is_division) {
      if (!IsFree(binary.b) || !Decompose(binary.a, term, factors)) return false;
      factors.push_back(build_.Div(build_.Real(build_.dtype(binary.b), 1), binary.b));
      return true;
    }
    if (IsOfRow(binary.a) && !IsFree(binary.a)) {
      if (!Decompose(binary.b, term, factors)) return false;
      term.after.push_back({After::Kind::kMul, binary.a});
      return true;
    }
    return Decompose(binary.a, term, factors) && Decompose(binary.b, term, factors);
  }

  // %m of x - %m, where x knows nothing of the reductions and %m is a maximum that is known in
  // one pass.
  std::optional<BufferId> MaximumIn(ExprId id) {
    auto* difference = std::get_if<Binary>(&kernel_.exprs[id].node);
    if (!difference || difference->op != BinaryOp::kSub || !IsFree(difference->a))
      return std::nullopt;
    auto* load = std::get_if<Load>(&kernel_.exprs[difference->b].node);
    if (!load) return std::nullopt;
    for (const Streamed& earlier : found_.streamed) {
      bool is_maximum = earlier.stage.buffer() == load->buffer && !earlier.other.valid() &&
                        earlier.stage.update == Update::kMax &&
                        IsFloat(DTypeOf(kernel_, earlier.stage)) &&
                        load->index == earlier.stage.place;
      if (is_maximum) return load->buffer;
    }
    return std::nullopt;
  }

  Kernel& kernel_;
  Builder build_;
  Streams found_;
  std::optional<size_t> dimension_;
  std::set<BufferId> results_;
};

}  // namespace

std::optional<Streams> FindStreams(Kernel& kernel) { return StreamFinder(kernel).Run(); }

}  // namespace webnnc::loop
