#include "loop/passes/split_groups.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// A loop's variable, and what divides it.
struct Division {
  VarId var;
  int64_t extent = 0, size = 0;  // of a group
};

class Splitter {
 public:
  Splitter(Kernel& kernel, std::vector<Stage>& stages, const Division& division)
      : kernel_(kernel), build_(kernel), stages_(stages), division_(division) {}

  bool Run() {
    loops_.insert(division_.var);
    while (FindLinks()) {
    }
    KeepWhole();
    if (!StoresFollow()) return false;
    for (Stage& stage : stages_) RewriteStage(stage);
    for (auto [buffer, d] : dimensions_) {
      Shape& shape = kernel_.buffers[buffer].type.shape;
      shape[d] = division_.size;
      shape.insert(shape.begin() + static_cast<int64_t>(d), division_.extent / division_.size);
    }
    return true;
  }

 private:
  using Dimension = std::pair<BufferId, size_t>;

  // Calls f(buffer, index) for every access of a stage.
  template <typename F>
  void ForEachAccess(const Stage& stage, F f) const {
    for (const Part& part : stage.parts) f(part.buffer, stage.place);
    ForEachLoad(kernel_, stage, [&](const Load& load) { f(load.buffer, load.index); });
  }

  bool HasExtent(const Stage& stage, VarId var) const {
    return std::any_of(stage.loops.begin(), stage.loops.end(), [&](const StageLoop& loop) {
      return loop.var == var && loop.extent.Is(division_.extent);
    });
  }

  // Dimensions that split loops index, and loops that index split dimensions. Gives whether there
  // was anything new.
  bool FindLinks() {
    size_t before = loops_.size() + dimensions_.size();
    for (const Stage& stage : stages_) {
      ForEachAccess(stage, [&](BufferId buffer, const Index& index) {
        for (size_t d = 0; d < index.size(); ++d) {
          auto var = VariableOf(kernel_, index[d]);
          bool fits = var && kernel_.buffers[buffer].type.shape[d].Is(division_.extent) &&
                      HasExtent(stage, *var);
          if (fits && loops_.count(*var)) dimensions_.insert({buffer, d});
          if (fits && dimensions_.count({buffer, d})) loops_.insert(*var);
        }
      });
    }
    return loops_.size() + dimensions_.size() > before;
  }

  // What is also indexed in another way stays whole.
  void KeepWhole() {
    std::set<Dimension> whole;
    for (const Stage& stage : stages_) {
      ForEachAccess(stage, [&](BufferId buffer, const Index& index) {
        for (size_t d = 0; d < index.size(); ++d) {
          auto var = VariableOf(kernel_, index[d]);
          bool follows = var && loops_.count(*var);
          if (!follows && dimensions_.count({buffer, d})) whole.insert({buffer, d});
        }
      });
    }
    for (const Dimension& dimension : whole) dimensions_.erase(dimension);
  }

  // A stage stores at variables, so what it stores to must have been split with its loops.
  bool StoresFollow() const {
    for (const Stage& stage : stages_) {
      for (size_t d = 0; d < stage.place.size(); ++d) {
        auto var = VariableOf(kernel_, stage.place[d]);
        bool split_loop = var && loops_.count(*var);
        for (const Part& part : stage.parts) {
          if (split_loop != (dimensions_.count({part.buffer, d}) > 0)) return false;
        }
      }
    }
    return true;
  }

  void RewriteStage(Stage& stage) {
    std::unordered_map<VarId, ExprId> whole;
    std::map<VarId, std::pair<VarId, VarId>> parts;
    std::vector<StageLoop> loops;
    for (const StageLoop& loop : stage.loops) {
      if (!loops_.count(loop.var)) {
        loops.push_back(loop);
        continue;
      }
      VarId group = kernel_.vars.Add({"g"}),
            inside = kernel_.vars.Add({kernel_.vars[loop.var].name});
      parts[loop.var] = {group, inside};
      whole[loop.var] =
          build_.Add(build_.Mul(build_.Var(group), build_.Int(division_.size)), build_.Var(inside));
      loops.push_back({group, division_.extent / division_.size});
      loops.push_back({inside, division_.size});
    }
    if (parts.empty()) return;
    stage.loops = std::move(loops);
    Simplifier simplify(kernel_);
    for (const StageLoop& loop : stage.loops) simplify.Bind(loop.var, loop.extent);
    Substitution put(kernel_, whole);
    // Indices of split dimensions are still variables here.
    auto split = [&](BufferId buffer, const Index& index) {
      Index out;
      for (size_t d = 0; d < index.size(); ++d) {
        if (dimensions_.count({buffer, d})) {
          auto [group, inside] = parts.at(*VariableOf(kernel_, index[d]));
          out.push_back(build_.Var(group));
          out.push_back(build_.Var(inside));
        } else {
          out.push_back(put(index[d]));
        }
      }
      return out;
    };
    ExprRewriter rewrite(kernel_, [&](ExprId id, ExprId) {
      Expr expr = kernel_.exprs[id];
      auto* load = std::get_if<Load>(&expr.node);
      if (!load) return id;
      load->index = split(load->buffer, load->index);
      return kernel_.exprs.Add(std::move(expr));
    });
    stage.place = split(stage.buffer(), stage.place);
    for (Part& part : stage.parts) {
      part.term = simplify(put(rewrite(part.term)));
      if (part.start.valid()) part.start = simplify(put(rewrite(part.start)));
    }
  }

  Kernel& kernel_;
  Builder build_;
  std::vector<Stage>& stages_;
  Division division_;
  std::set<VarId> loops_;
  std::set<Dimension> dimensions_;
};

// A loop of a reduction that one of its terms divides by a divisor of its extent. Of two divisors
// of one loop that which divides the other: larger groups are groups of the smaller ones.
std::optional<Division> FindDivision(const Kernel& kernel, const std::vector<Stage>& stages) {
  for (const Stage& stage : stages) {
    if (!IsReduction(stage)) continue;
    std::optional<Division> found;
    auto look = [&](ExprId id) {
      auto* quotient = std::get_if<Binary>(&kernel.exprs[id].node);
      bool divides =
          quotient && (quotient->op == BinaryOp::kDiv || quotient->op == BinaryOp::kFloorDiv);
      if (!divides) return;
      auto* variable = std::get_if<Variable>(&kernel.exprs[quotient->a].node);
      auto* constant = std::get_if<Constant>(&kernel.exprs[quotient->b].node);
      if (!variable || !constant) return;
      int64_t size = constant->value.integer;
      for (const StageLoop& loop : stage.loops) {
        bool fits = loop.var == variable->var && loop.extent.IsConstant() && size > 1 &&
                    loop.extent.value() > size && loop.extent.value() % size == 0;
        bool nearer = !found || (found->var == loop.var && found->size % size == 0);
        if (fits && nearer) found = Division{loop.var, loop.extent.value(), size};
      }
    };
    for (const Part& part : stage.parts) ForEachExpr(kernel, part.term, look);
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace

void SplitGroups(Kernel& kernel) {
  std::vector<Stage> stages = StagesOf(kernel);
  if (IsOrdered(stages)) return;
  while (auto division = FindDivision(kernel, stages)) {
    if (!Splitter(kernel, stages, *division).Run()) break;
  }
  SetStages(kernel, std::move(stages));
}

}  // namespace webnnc::loop
