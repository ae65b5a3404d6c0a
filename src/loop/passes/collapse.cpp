#include "loop/passes/collapse.h"

#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// An access of a stage: what is indexed, and how.
struct Access {
  BufferId buffer;
  Index index;
};

std::vector<Access> AccessesOf(const Kernel& kernel, const Stage& stage) {
  std::vector<Access> accesses;
  for (const Part& part : stage.parts) accesses.push_back({part.buffer, stage.place});
  ForEachLoad(kernel, stage,
              [&](const Load& load) { accesses.push_back({load.buffer, load.index}); });
  return accesses;
}

// Rewrites the indices of all accesses: f(buffer, index) gives the new one.
template <typename F>
void RewriteAccesses(Kernel& kernel, std::vector<Stage>& stages, F f) {
  for (Stage& stage : stages) {
    ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
      Expr expr = kernel.exprs[id];
      auto* load = std::get_if<Load>(&expr.node);
      if (!load) return id;
      load->index = f(load->buffer, load->index);
      return kernel.exprs.Add(std::move(expr));
    });
    RewriteRoots(stage, [&](ExprId id) { return rewrite(id); });
    stage.place = f(stage.buffer(), stage.place);
  }
}

void DropUnits(Kernel& kernel, std::vector<Stage>& stages) {
  for (Stage& stage : stages) DropUnitLoops(kernel, stage);
  // An index into a dimension of size 1 can only be 0.
  std::map<BufferId, std::vector<bool>> drops;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    Shape kept;
    for (const Dim& size : kernel.buffers[BufferId{b}].type.shape) {
      drops[BufferId{b}].push_back(size.Is(1));
      if (!size.Is(1)) kept.push_back(size);
    }
    kernel.buffers[BufferId{b}].type.shape = kept;
  }
  RewriteAccesses(kernel, stages, [&](BufferId buffer, const Index& index) {
    Index kept;
    for (size_t d = 0; d < index.size(); ++d) {
      if (!drops[buffer][d]) kept.push_back(index[d]);
    }
    return kept;
  });
}

// Finds out whether two loops can become one, and what else must then.
class Collapser {
 public:
  Collapser(Kernel& kernel, std::vector<Stage>& stages) : kernel_(kernel), stages_(stages) {
    for (const Stage& stage : stages) accesses_.push_back(AccessesOf(kernel, stage));
  }

  // Collapses some pair, if there is one.
  bool Step() {
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (const Access& access : accesses_[s]) {
        for (size_t d = 0; d + 1 < access.index.size(); ++d) {
          auto a = VariableOf(kernel_, access.index[d]),
               b = VariableOf(kernel_, access.index[d + 1]);
          if (!a || !b) continue;
          loops_.clear();
          dimensions_.clear();
          if (RequireLoops(s, *a, *b)) {
            Apply();
            return true;
          }
        }
      }
    }
    return false;
  }

 private:
  using LoopPair = std::pair<VarId, VarId>;

  const StageLoop* LoopOf(size_t stage, VarId var) const {
    for (const StageLoop& loop : stages_[stage].loops) {
      if (loop.var == var) return &loop;
    }
    return nullptr;
  }

  // Asks that loops a and b of a stage become one. Everything the stage accesses must then see them
  // as a neighbouring pair, or not at all.
  bool RequireLoops(size_t s, VarId a, VarId b) {
    auto known = loops_.find(s);
    if (known != loops_.end()) return known->second == LoopPair{a, b};
    const StageLoop *outer = LoopOf(s, a), *inner = LoopOf(s, b);
    if (!outer || !inner || a == b) return false;
    if (Names(kernel_, stages_[s], a) != Names(kernel_, stages_[s], b)) return false;
    loops_[s] = {a, b};
    if (!OnlyInIndices(s, a, b)) return false;
    for (const Access& access : accesses_[s]) {
      for (size_t d = 0; d < access.index.size(); ++d) {
        auto var = VariableOf(kernel_, access.index[d]);
        bool mentions =
            Mentions(kernel_, access.index[d], [&](VarId v) { return v == a || v == b; });
        if (!mentions) continue;
        if (!var) return false;
        if (*var == b) {
          if (d == 0 || VariableOf(kernel_, access.index[d - 1]) != a) return false;
          continue;
        }
        bool pair = d + 1 < access.index.size() && VariableOf(kernel_, access.index[d + 1]) == b;
        if (!pair) return false;
        const Shape& shape = kernel_.buffers[access.buffer].type.shape;
        // The outer dimension may be longer than its loop, the inner one must be run through.
        if (shape[d + 1] != inner->extent) return false;
        if (!RequireDimensions(access.buffer, d)) return false;
      }
    }
    return true;
  }

  // Whether a and b occur as whole indices only, nowhere in values or conditions.
  bool OnlyInIndices(size_t s, VarId a, VarId b) {
    bool fine = true;
    std::set<ExprId> seen;
    std::vector<ExprId> stack;
    for (const Part& part : stages_[s].parts) {
      stack.push_back(part.term);
      if (part.start.valid()) stack.push_back(part.start);
    }
    for (ExprId index : stages_[s].place) {
      if (!VariableOf(kernel_, index)) stack.push_back(index);
    }
    while (!stack.empty()) {
      ExprId id = stack.back();
      stack.pop_back();
      if (!seen.insert(id).second) continue;
      auto var = VariableOf(kernel_, id);
      fine &= !(var && (*var == a || *var == b));
      const Expr& expr = kernel_.exprs[id];
      bool is_load = std::holds_alternative<Load>(expr.node);
      for (ExprId operand : Operands(expr)) {
        bool whole_index = is_load && VariableOf(kernel_, operand);
        if (!whole_index) stack.push_back(operand);
      }
    }
    return fine;
  }

  // Asks that dimensions d and d + 1 of a buffer become one, in every access of every stage.
  bool RequireDimensions(BufferId buffer, size_t d) {
    auto known = dimensions_.find(buffer);
    if (known != dimensions_.end()) return known->second == d;
    dimensions_[buffer] = d;
    for (size_t s = 0; s < stages_.size(); ++s) {
      for (const Access& access : accesses_[s]) {
        if (access.buffer != buffer) continue;
        auto a = VariableOf(kernel_, access.index[d]), b = VariableOf(kernel_, access.index[d + 1]);
        if (!a || !b || !RequireLoops(s, *a, *b)) return false;
      }
    }
    return true;
  }

  void Apply() {
    std::map<VarId, VarId> merged;  // a -> the new loop
    for (const auto& [s, pair] : loops_) {
      auto& loops = stages_[s].loops;
      Dim inner = LoopOf(s, pair.second)->extent;
      VarId var = kernel_.vars.Add({kernel_.vars[pair.first].name});
      std::erase_if(loops, [&](const StageLoop& loop) { return loop.var == pair.second; });
      for (StageLoop& loop : loops) {
        if (loop.var == pair.first) loop = {var, loop.extent * inner};
      }
      merged[pair.first] = var;
    }
    for (const auto& [buffer, d] : dimensions_) {
      Shape& shape = kernel_.buffers[buffer].type.shape;
      shape[d] = shape[d] * shape[d + 1];
      shape.erase(shape.begin() + static_cast<int64_t>(d) + 1);
    }
    Builder build(kernel_);
    RewriteAccesses(kernel_, stages_, [&](BufferId buffer, Index index) {
      auto found = dimensions_.find(buffer);
      if (found == dimensions_.end()) return index;
      auto d = static_cast<int64_t>(found->second);
      VarId a = *VariableOf(kernel_, index[found->second]);
      index[found->second] = build.Var(merged.at(a));
      index.erase(index.begin() + d + 1);
      return index;
    });
  }

  Kernel& kernel_;
  std::vector<Stage>& stages_;
  std::vector<std::vector<Access>> accesses_;
  std::map<size_t, LoopPair> loops_;       // by stage
  std::map<BufferId, size_t> dimensions_;  // the first of the two
};

}  // namespace

void Collapse(Kernel& kernel) {
  // Indices must look like what they are: a variable that Reshape wrote as (4*i + j)/4 too.
  Simplify(kernel);
  std::vector<Stage> stages = StagesOf(kernel);
  DropUnits(kernel, stages);
  while (Collapser(kernel, stages).Step()) {
  }
  SetStages(kernel, std::move(stages));
  Simplify(kernel);
  DropUnused(kernel);
}

// Of a temporary without elements nothing is ever loaded, though a choice that never falls on it
// may say so: what lies behind the elements of an empty part of a Concat.
static void DropEmptyLoads(Kernel& kernel, std::vector<Stage>& stages) {
  ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
    const Expr expr = kernel.exprs[id];
    auto* load = std::get_if<Load>(&expr.node);
    if (!load) return id;
    const Buffer& buffer = kernel.buffers[load->buffer];
    bool is_empty = buffer.space == Space::kTemporary && ElementCount(buffer.type.shape).Is(0);
    return is_empty ? Builder(kernel).Constant(Scalar::Of(expr.dtype, 0)) : id;
  });
  for (Stage& stage : stages) RewriteRoots(stage, rewrite);
}

void DropUnusedStages(Kernel& kernel) {
  std::vector<Stage> stages;
  for (Stage& stage : StagesOf(kernel)) {
    for (Stage& left : WithoutEmptyLoops(kernel, std::move(stage)))
      stages.push_back(std::move(left));
  }
  DropEmptyLoads(kernel, stages);
  for (bool dropped = true; dropped;) {
    std::set<BufferId> loaded;
    for (const Stage& stage : stages)
      ForEachLoad(kernel, stage, [&](const Load& load) { loaded.insert(load.buffer); });
    dropped = std::erase_if(stages, [&](const Stage& stage) {
                return std::all_of(stage.parts.begin(), stage.parts.end(), [&](const Part& part) {
                  return kernel.buffers[part.buffer].space == Space::kTemporary &&
                         !loaded.count(part.buffer);
                });
              }) > 0;
  }
  SetStages(kernel, std::move(stages));
}

void DropUnused(Kernel& kernel) {
  Kernel out;
  out.name = kernel.name;
  std::set<BufferId> used_buffers;
  std::set<VarId> used_vars;
  auto note = [&](ExprId root) {
    ForEachExpr(kernel, root, [&](ExprId id) {
      const Expr& expr = kernel.exprs[id];
      if (auto* load = std::get_if<Load>(&expr.node)) used_buffers.insert(load->buffer);
      if (auto* variable = std::get_if<Variable>(&expr.node)) used_vars.insert(variable->var);
    });
  };
  ForEachStmt(kernel.body, [&](const Stmt& stmt) {
    if (auto* loop = std::get_if<For>(&stmt)) used_vars.insert(loop->var);
    if (auto* let = std::get_if<Let>(&stmt)) {
      used_vars.insert(let->var);
      note(let->value);
    }
    if (auto* test = std::get_if<If>(&stmt)) note(test->condition);
    if (auto* store = std::get_if<Store>(&stmt)) {
      used_buffers.insert(store->buffer);
      for (ExprId index : store->index) note(index);
      note(store->value);
    }
    if (auto* reduce = std::get_if<Reduce>(&stmt)) {
      for (ExprId index : reduce->place) note(index);
      for (const Part& part : reduce->parts) {
        used_buffers.insert(part.buffer);
        note(part.term);
        note(part.start);
      }
    }
  });
  std::map<BufferId, BufferId> buffers;
  std::map<VarId, VarId> vars;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const Buffer& buffer = kernel.buffers[BufferId{b}];
    bool parameter = IsParameter(buffer);
    if (parameter || used_buffers.count(BufferId{b}))
      buffers[BufferId{b}] = out.buffers.Add(buffer);
  }
  for (int32_t v = 0; v < kernel.vars.size(); ++v) {
    if (used_vars.count(VarId{v})) vars[VarId{v}] = out.vars.Add(kernel.vars[VarId{v}]);
  }
  std::unordered_map<ExprId, ExprId> done;
  std::function<ExprId(ExprId)> move = [&](ExprId id) {
    auto found = done.find(id);
    if (found != done.end()) return found->second;
    Expr expr = kernel.exprs[id];
    std::vector<ExprId> operands = Operands(expr);
    for (ExprId& operand : operands) operand = move(operand);
    expr = WithOperands(std::move(expr), operands);
    if (auto* load = std::get_if<Load>(&expr.node)) load->buffer = buffers.at(load->buffer);
    if (auto* variable = std::get_if<Variable>(&expr.node)) variable->var = vars.at(variable->var);
    return done[id] = out.exprs.Add(std::move(expr));
  };
  std::function<Block(const Block&)> move_block = [&](const Block& block) {
    Block moved;
    for (const Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) {
        moved.push_back(For{vars.at(loop->var), loop->extent, loop->kind, move_block(loop->body)});
      } else if (auto* let = std::get_if<Let>(&stmt)) {
        moved.push_back(Let{vars.at(let->var), move(let->value)});
      } else if (auto* test = std::get_if<If>(&stmt)) {
        moved.push_back(If{move(test->condition), move_block(test->body)});
      } else if (auto* store = std::get_if<Store>(&stmt)) {
        Index index;
        for (ExprId i : store->index) index.push_back(move(i));
        moved.push_back(
            Store{buffers.at(store->buffer), std::move(index), move(store->value), store->update});
      } else if (auto* reduce = std::get_if<Reduce>(&stmt)) {
        Reduce copy = *reduce;
        RewriteExprs(copy, move);
        for (Part& part : copy.parts) part.buffer = buffers.at(part.buffer);
        moved.push_back(std::move(copy));
      } else {
        moved.push_back(Barrier{});
      }
    }
    return moved;
  };
  out.body = move_block(kernel.body);
  kernel = std::move(out);
}

}  // namespace webnnc::loop
