#include "plan/work.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "loop/parameters.h"
#include "loop/rewrite.h"
#include "loop/stage.h"

namespace webnnc::plan {

namespace {

// Whether the value reads memory.
bool Reads(const loop::Kernel& kernel, loop::ExprId id) {
  const loop::Expr& expr = kernel.exprs[id];
  if (std::holds_alternative<loop::Load>(expr.node)) return true;
  for (loop::ExprId operand : loop::Operands(expr)) {
    if (Reads(kernel, operand)) return true;
  }
  return false;
}

// A product of two things that are read, perhaps converted, or 0 beyond a border.
bool IsProduct(const loop::Kernel& kernel, loop::ExprId id) {
  const loop::Expr& expr = kernel.exprs[id];
  if (auto* convert = std::get_if<loop::Convert>(&expr.node)) return IsProduct(kernel, convert->a);
  if (auto* select = std::get_if<loop::Select>(&expr.node))
    return IsProduct(kernel, select->yes) || IsProduct(kernel, select->no);
  auto* binary = std::get_if<loop::Binary>(&expr.node);
  return binary && binary->op == loop::BinaryOp::kMul && Reads(kernel, binary->a) &&
         Reads(kernel, binary->b);
}

// What a stage does, seen from its expressions: how often each has another value.
class StageView {
 public:
  StageView(const loop::Kernel& kernel, const loop::Stage& stage)
      : kernel_(kernel), stage_(stage), loops_(stage.loops) {
    if (stage.ordered) loops_.push_back(*stage.ordered);
    CHECK(loops_.size() <= 64);
  }

  // Operations on elements, and those that combine terms.
  Dim Operations() {
    std::unordered_set<loop::ExprId> seen;
    Dim count = 0;
    for (const loop::Part& part : stage_.parts) {
      count = count + OperationsOf(part.term, seen);
      if (part.start.valid()) count = count + OperationsOf(part.start, seen);
      if (stage_.update != loop::Update::kSet) count = count + IterationsOf(stage_);
    }
    return count;
  }

  // Calls `visit` for each access to a buffer, with the number of elements that there can be.
  void ForEachAccess(const std::function<void(loop::BufferId, const Dim&)>& visit) {
    std::unordered_set<loop::ExprId> seen;
    loop::ForEachRoot(stage_, [&](loop::ExprId root) {
      loop::ForEachExpr(kernel_, root, [&](loop::ExprId id) {
        auto* load = std::get_if<loop::Load>(&kernel_.exprs[id].node);
        if (load && seen.insert(id).second) visit(load->buffer, ValuesOf(load->index));
      });
    });
    for (const loop::Part& part : stage_.parts) visit(part.buffer, ValuesOf(stage_.place));
  }

 private:
  struct Dependence {
    bool on_elements = false;
    uint64_t on_loops = 0;  // a bit for each of loops_
  };

  const Dependence& DependenceOf(loop::ExprId id) {
    auto known = dependences_.find(id);
    if (known != dependences_.end()) return known->second;
    const loop::Expr& expr = kernel_.exprs[id];
    Dependence own;
    own.on_elements = std::holds_alternative<loop::Load>(expr.node);
    if (auto* variable = std::get_if<loop::Variable>(&expr.node)) {
      for (size_t i = 0; i < loops_.size(); ++i)
        own.on_loops |= uint64_t{loops_[i].var == variable->var} << i;
    }
    for (loop::ExprId operand : loop::Operands(expr)) {
      Dependence of = DependenceOf(operand);
      own.on_elements |= of.on_elements;
      own.on_loops |= of.on_loops;
    }
    return dependences_[id] = own;
  }

  // The iterations of the loops that the expressions depend on.
  Dim ValuesOf(const loop::Index& exprs) {
    uint64_t depends = 0;
    for (loop::ExprId id : exprs) depends |= DependenceOf(id).on_loops;
    Dim count = 1;
    for (size_t i = 0; i < loops_.size(); ++i) {
      if (depends >> i & 1) count = count * loops_[i].extent;
    }
    return count;
  }

  Dim OperationsOf(loop::ExprId id, std::unordered_set<loop::ExprId>& seen) {
    const loop::Expr& expr = kernel_.exprs[id];
    // What is inside of a load finds the element.
    if (std::holds_alternative<loop::Load>(expr.node) || !seen.insert(id).second) return 0;
    bool is_arithmetic = std::holds_alternative<loop::Unary>(expr.node) ||
                         std::holds_alternative<loop::Binary>(expr.node);
    Dim count = is_arithmetic && DependenceOf(id).on_elements ? ValuesOf({id}) : 0;
    for (loop::ExprId operand : loop::Operands(expr)) count = count + OperationsOf(operand, seen);
    return count;
  }

  const loop::Kernel& kernel_;
  const loop::Stage& stage_;
  std::vector<loop::StageLoop> loops_;
  std::unordered_map<loop::ExprId, Dependence> dependences_;
};

}  // namespace

Dim MultiplyAdds(const loop::Kernel& plain) {
  Dim count = 0;
  for (const loop::Stage& stage : loop::StagesOf(plain)) {
    bool adds = stage.update == loop::Update::kAdd && IsProduct(plain, stage.value());
    if (adds) count = count + IterationsOf(stage);
  }
  return count;
}

Dim Operations(const loop::Kernel& plain) {
  Dim count = 0;
  for (const loop::Stage& stage : loop::StagesOf(plain))
    count = count + StageView(plain, stage).Operations();
  return count;
}

std::vector<Dim> ElementsTouched(const loop::Kernel& plain) {
  std::map<loop::BufferId, Dim> touched;
  for (const loop::Stage& stage : loop::StagesOf(plain)) {
    StageView(plain, stage).ForEachAccess([&](loop::BufferId buffer, const Dim& elements) {
      touched[buffer] = touched[buffer] + elements;
    });
  }
  std::vector<Dim> elements;
  for (loop::BufferId buffer : loop::ParametersOf(plain))
    elements.push_back(Min(touched[buffer], ElementCount(plain.buffers[buffer].type.shape)));
  return elements;
}

Dim BytesMoved(const Program& program, const Launch& launch, const std::vector<Dim>& touched) {
  CHECK(touched.size() == launch.arguments.size());
  Dim bytes = 0;
  for (size_t i = 0; i < touched.size(); ++i)
    bytes = bytes + ByteSize(program, program.buffers[launch.arguments[i]], touched[i]);
  return bytes;
}

double LeastSeconds(double operations, double bytes, const Machine& machine) {
  // A multiply-add is two, in an instruction of each lane.
  const double a_second =
      static_cast<double>(machine.cores) * machine.clock * machine.products.warp * 2;
  return std::max(operations / a_second, bytes / machine.bandwidth);
}

}  // namespace webnnc::plan
