#include "loop/passes/join_reductions.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/passes/collapse.h"
#include "loop/passes/inline_maps.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

class Joiner {
 public:
  explicit Joiner(const Kernel& plain)
      : kernel_(plain), build_(kernel_), stages_(StagesOf(kernel_)) {}

  std::optional<Kernel> Run() {
    if (IsOrdered(stages_) || !FindReductions()) return std::nullopt;
    for (size_t r : reductions_) {
      if (!AddPart(stages_[r])) return std::nullopt;
    }
    std::vector<Stage> joined{std::move(joint_)};
    for (Stage& stage : stages_) {
      if (IsReduction(stage)) {
        auto behind = behind_.find(stage.buffer());
        if (behind == behind_.end()) continue;
        stage = std::move(behind->second);
      }
      if (!ReadJoint(stage)) return std::nullopt;
      joined.push_back(std::move(stage));
    }
    SetStages(kernel_, std::move(joined));
    InlineMaps(kernel_);
    DropUnused(kernel_);
    return std::move(kernel_);
  }

 private:
  // Those of sums, and the one with most results, which the joint one is like.
  bool FindReductions() {
    const Stage* main = nullptr;
    for (size_t s = 0; s < stages_.size(); ++s) {
      const Stage& stage = stages_[s];
      if (!IsReduction(stage)) continue;
      reductions_.push_back(s);
      const Part& part = stage.parts[0];
      const Scalar* start = build_.ConstantValue(part.start);
      bool fits = stage.update == Update::kAdd && stage.parts.size() == 1 && start &&
                  start->IsZero() && build_.dtype(part.term) == DType::kF32 &&
                  kernel_.buffers[part.buffer].type.dtype == DType::kF32;
      if (!fits) return false;
      sums_.insert(part.buffer);
      if (!main || stage.loops.size() > main->loops.size()) main = &stage;
    }
    if (reductions_.size() < 2) return false;
    joint_ = *main;
    joint_.parts.clear();
    shape_ = kernel_.buffers[main->buffer()].type.shape;
    return true;
  }

  static std::vector<StageLoop> ReducedLoops(const Kernel& kernel, const Stage& stage) {
    std::vector<StageLoop> loops = stage.loops;
    std::erase_if(loops, [&](const StageLoop& loop) { return Names(kernel, stage, loop.var); });
    return loops;
  }

  // The loops of the joint reduction in the place of those of `stage`, if it runs over the same.
  std::optional<std::unordered_map<VarId, ExprId>> LoopsFor(const Stage& stage) {
    std::vector<StageLoop> own = ReducedLoops(kernel_, stage), all = ReducedLoops(kernel_, joint_);
    if (own.size() != all.size()) return std::nullopt;
    std::unordered_map<VarId, ExprId> values;
    for (size_t l = 0; l < own.size(); ++l) {
      if (own[l].extent != all[l].extent) return std::nullopt;
      values[own[l].var] = build_.Var(all[l].var);
    }
    const bool alike = kernel_.buffers[stage.buffer()].type.shape == shape_;
    for (size_t d = 0; d < stage.place.size(); ++d) {
      auto var = VariableOf(kernel_, stage.place[d]);
      // Of one result that all others share.
      if (!var && !alike) continue;
      if (!alike || var.has_value() != VariableOf(kernel_, joint_.place[d]).has_value())
        return std::nullopt;
      if (var) values[*var] = joint_.place[d];
    }
    return values;
  }

  bool AddPart(const Stage& stage) {
    auto loops = LoopsFor(stage);
    if (!loops) return false;
    std::vector<ExprId> behind;
    std::optional<ExprId> term = WithoutSums(stage, stage.value(), behind);
    if (!term || !LoadsParametersOnly(*term)) return false;
    const BufferId result = stage.buffer();
    const bool alike = kernel_.buffers[result].type.shape == shape_;
    if (!alike && kernel_.buffers[result].space != Space::kTemporary) return false;
    BufferId sum = result;
    if (!alike || !behind.empty())
      sum = kernel_.buffers.Add({"sum", {DType::kF32, shape_}, Space::kTemporary});
    Substitution put(kernel_, std::move(*loops));
    joint_.parts.push_back({sum, put(*term), stage.parts[0].start});
    if (behind.empty()) {
      parts_[result] = sum;
      return true;
    }
    // Nobody else has terms with a result that is a sum times something.
    sums_.erase(result);
    if (!alike) return false;
    ExprId value = build_.Load(sum, stage.place);
    for (ExprId factor : behind) value = build_.Mul(value, factor);
    behind_[result] = MapStage(PlaceLoops(kernel_, stage), {result, stage.place, value});
    return true;
  }

  // The term without those factors that know a sum; these are added to `behind`.
  std::optional<ExprId> WithoutSums(const Stage& stage, ExprId id, std::vector<ExprId>& behind) {
    if (!LoadsSum(id)) return id;
    const Expr expr = kernel_.exprs[id];
    auto* binary = std::get_if<Binary>(&expr.node);
    if (!binary || (binary->op != BinaryOp::kMul && binary->op != BinaryOp::kDiv))
      return std::nullopt;
    const bool divides = binary->op == BinaryOp::kDiv;
    auto goes_behind = [&](ExprId side) {
      return LoadsSum(side) &&
             !Mentions(kernel_, side, [&](VarId var) { return !Names(kernel_, stage, var); });
    };
    if (goes_behind(binary->b)) {
      behind.push_back(divides ? build_.Div(build_.Real(DType::kF32, 1), binary->b) : binary->b);
      return WithoutSums(stage, binary->a, behind);
    }
    if (!divides && goes_behind(binary->a)) {
      behind.push_back(binary->a);
      return WithoutSums(stage, binary->b, behind);
    }
    auto a = WithoutSums(stage, binary->a, behind), b = WithoutSums(stage, binary->b, behind);
    if (!a || !b) return std::nullopt;
    return build_.Apply(binary->op, *a, *b);
  }

  bool LoadsSum(ExprId id) const {
    bool loads = false;
    ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<Load>(&kernel_.exprs[e].node);
      loads |= load && sums_.count(load->buffer) > 0;
    });
    return loads;
  }

  bool LoadsParametersOnly(ExprId id) const {
    bool only = true;
    ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<Load>(&kernel_.exprs[e].node);
      only &= !load || kernel_.buffers[load->buffer].space == Space::kIn;
    });
    return only;
  }

  // A sum that has one result for all is there once for each of the stage's elements.
  bool ReadJoint(Stage& stage) {
    bool reads = false;
    ForEachLoad(kernel_, stage, [&](const Load& load) {
      auto part = parts_.find(load.buffer);
      reads |= part != parts_.end() && part->second != load.buffer;
    });
    if (!reads) return true;
    if (stage.place.size() != shape_.size() || IsReduction(stage)) return false;
    for (size_t d = 0; d < shape_.size(); ++d) {
      if (kernel_.buffers[stage.buffer()].type.shape[d] != shape_[d]) return false;
    }
    ExprRewriter rewrite(kernel_, [&](ExprId id, ExprId) {
      Expr expr = kernel_.exprs[id];
      auto* load = std::get_if<Load>(&expr.node);
      auto part = load ? parts_.find(load->buffer) : parts_.end();
      if (part == parts_.end() || part->second == load->buffer) return id;
      return build_.Load(part->second, stage.place);
    });
    RewriteRoots(stage, rewrite);
    return true;
  }

  Kernel kernel_;
  Builder build_;
  std::vector<Stage> stages_;
  std::vector<size_t> reductions_;
  // Results of reductions that are plain sums.
  std::set<BufferId> sums_;
  Stage joint_;
  Shape shape_;
  // What results are in the joint reduction, by what they were; and of the others the maps that
  // make them of its parts.
  std::map<BufferId, BufferId> parts_;
  std::map<BufferId, Stage> behind_;
};

}  // namespace

std::optional<Kernel> JoinReductions(const Kernel& plain) { return Joiner(plain).Run(); }

}  // namespace webnnc::loop
