#include "loop/passes/inline_maps.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// The stage's loop variables in terms of an index of the element that it stores, if the index
// determines them.
std::optional<std::unordered_map<VarId, size_t>> Dimensions(const Kernel& kernel,
                                                            const Stage& stage) {
  std::unordered_map<VarId, size_t> dimension;
  for (size_t d = 0; d < stage.place.size(); ++d) {
    auto* variable = std::get_if<Variable>(&kernel.exprs[stage.place[d]].node);
    if (variable) dimension.emplace(variable->var, d);
  }
  if (dimension.size() != stage.loops.size()) return std::nullopt;
  return dimension;
}

// Whether an expression is more than kernels may have: as code, of which there is a copy for each
// condition under which it is needed, since what guards its loads differs, and one as an index; or
// as text, which has a copy at each use.
class ExprMeter {
 public:
  ExprMeter(const Kernel& kernel, const ExprLimits& limits) : kernel_(kernel), limits_(limits) {}

  bool Exceeds(ExprId id) {
    MeasureParts();
    if (parts_[static_cast<size_t>(id.index)] > limits_.text) return true;
    computed_.clear();
    conditions_ = 0;
    Visit(id, 0, false);
    return static_cast<int64_t>(computed_.size()) > limits_.code;
  }

 private:
  bool HasLoad(ExprId id) const { return has_load_[static_cast<size_t>(id.index)]; }

  // Of the expressions that are new; operands come before users.
  void MeasureParts() {
    while (static_cast<int32_t>(parts_.size()) < kernel_.exprs.size()) {
      const Expr& expr = kernel_.exprs[ExprId{static_cast<int32_t>(parts_.size())}];
      bool has = std::holds_alternative<Load>(expr.node);
      int64_t parts = 1;
      for (ExprId operand : Operands(expr)) {
        has |= HasLoad(operand);
        parts = std::min(limits_.text + 1, parts + parts_[static_cast<size_t>(operand.index)]);
      }
      has_load_.push_back(has);
      parts_.push_back(parts);
    }
  }

  void Visit(ExprId id, int condition, bool is_index) {
    if (static_cast<int64_t>(computed_.size()) > limits_.code) return;
    if (!computed_.emplace(id, condition, is_index).second) return;
    const Expr& expr = kernel_.exprs[id];
    if (auto* select = std::get_if<Select>(&expr.node)) {
      Visit(select->condition, condition, is_index);
      for (ExprId side : {select->yes, select->no})
        Visit(side, HasLoad(side) ? ++conditions_ : condition, is_index);
      return;
    }
    bool indexes = is_index || std::holds_alternative<Load>(expr.node);
    for (ExprId operand : Operands(expr)) Visit(operand, condition, indexes);
  }

  const Kernel& kernel_;
  const ExprLimits& limits_;
  std::vector<bool> has_load_;  // by expression
  std::vector<int64_t> parts_;  // by expression, written out
  std::set<std::tuple<ExprId, int, bool>> computed_;
  int conditions_ = 0;
};

}  // namespace

static bool Inline(Kernel& kernel, const ExprLimits* limits) {
  std::vector<Stage> stages = StagesOf(kernel);
  std::map<BufferId, int> writers;
  // What ordered loops store changes from one iteration to the next.
  std::set<BufferId> changing;
  for (const Stage& stage : stages) {
    for (const Part& part : stage.parts) {
      ++writers[part.buffer];
      if (stage.ordered) changing.insert(part.buffer);
    }
  }

  struct Map {
    std::unordered_map<VarId, size_t> dimension;
    ExprId value;
  };
  std::map<BufferId, Map> maps;
  ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
    auto* load = std::get_if<Load>(&kernel.exprs[id].node);
    if (!load) return id;
    auto map = maps.find(load->buffer);
    if (map == maps.end()) return id;
    std::unordered_map<VarId, ExprId> values;
    for (auto [var, d] : map->second.dimension) values[var] = load->index[d];
    return Substitution(kernel, std::move(values))(map->second.value);
  });

  std::optional<ExprMeter> meter;
  if (limits) meter.emplace(kernel, *limits);
  std::vector<Stage> kept;
  for (Stage& stage : stages) {
    bool exceeds = false;
    RewriteRoots(stage, [&](ExprId id) {
      id = rewrite(id);
      exceeds = exceeds || (meter && meter->Exceeds(id));
      return id;
    });
    if (exceeds) return false;
    BufferId buffer = stage.buffer();
    bool candidate = kernel.buffers[buffer].space == Space::kTemporary &&
                     stage.kind == StageKind::kMap && writers[buffer] == 1 && !stage.ordered;
    ForEachLoad(kernel, stage,
                [&](const Load& load) { candidate = candidate && !changing.count(load.buffer); });
    auto dimension = candidate ? Dimensions(kernel, stage) : std::nullopt;
    if (dimension) {
      maps[buffer] = {std::move(*dimension), stage.value()};
    } else {
      kept.push_back(std::move(stage));
    }
  }
  SetStages(kernel, std::move(kept));
  return true;
}

void InlineMaps(Kernel& kernel) { Inline(kernel, nullptr); }

bool InlineMapsUpTo(Kernel& kernel, const ExprLimits& limits) { return Inline(kernel, &limits); }

}  // namespace webnnc::loop
