#include "loop/tally.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "loop/thread_rows.h"
#include "target/machine.h"

namespace webnnc::loop {

namespace {

class Counter {
 public:
  Counter(const Kernel& kernel, const LikelySizes& sizes) : kernel_(kernel), sizes_(sizes) {}

  Tally Run() {
    Walk(kernel_.body, 1);
    std::set<BufferId> rows = ThreadRows(kernel_);
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      const Buffer& buffer = kernel_.buffers[BufferId{b}];
      double bytes = sizes_.Typical(ElementCount(buffer.type.shape)) *
                     static_cast<double>(BitSize(buffer.type.dtype)) / 8;
      if (buffer.space == Space::kWorkgroup) tally_.shared_bytes += bytes;
      if (buffer.space == Space::kRegister)
        tally_.register_bytes += rows.count(BufferId{b}) ? bytes / tally_.threads : bytes;
    }
    return tally_;
  }

 private:
  void Walk(const Block& block, double times) {
    for (const Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) {
        Walk(loop->body, times * TimesOf(*loop));
      } else if (auto* let = std::get_if<Let>(&stmt)) {
        Count(let->value, times);
      } else if (auto* test = std::get_if<If>(&stmt)) {
        Count(test->condition, times);
        Walk(test->body, times);
      } else if (auto* store = std::get_if<Store>(&stmt)) {
        Count(store->value, times);
        for (ExprId index : store->index) Count(index, times);
        const Expr& value = kernel_.exprs[store->value];
        Access(store->buffer, value, times);
        if (store->update != Update::kSet) Operate(value, times);
      } else if (std::holds_alternative<Barrier>(stmt)) {
        tally_.barriers += times;
      }
    }
  }

  // How often a thread runs the body. Those that share the work are counted by themselves.
  double TimesOf(const For& loop) {
    double extent = std::max(1.0, sizes_.Typical(loop.extent));
    if (IsWorkgroup(loop.kind)) {
      tally_.workgroups *= extent;
      return 1;
    }
    if (!IsRegion(loop.kind)) return extent;
    double threads = loop.kind == LoopKind::kSubgroup ? Machine::kFragmentThreads : 1;
    tally_.threads = std::max(tally_.threads, extent * threads);
    return 1;
  }

  void Access(BufferId id, const Expr& element, double times) {
    const Buffer& buffer = kernel_.buffers[id];
    if (buffer.space == Space::kRegister) return;
    Tally::Accesses& to = buffer.space == Space::kWorkgroup ? tally_.shared : tally_.global;
    to.count += times;
    to.bytes += times * element.lanes * static_cast<double>(BitSize(buffer.type.dtype)) / 8;
  }

  void Operate(const Expr& result, double times) {
    tally_.instructions += times;
    tally_.operations += times * result.lanes;
  }

  // A value that several need is computed once in a statement.
  void Count(ExprId root, double times) {
    std::unordered_set<ExprId> seen;
    std::vector<ExprId> left{root};
    while (!left.empty()) {
      ExprId id = left.back();
      left.pop_back();
      if (!seen.insert(id).second) continue;
      const Expr& expr = kernel_.exprs[id];
      if (auto* load = std::get_if<Load>(&expr.node)) Access(load->buffer, expr, times);
      bool computes =
          std::holds_alternative<Unary>(expr.node) || std::holds_alternative<Binary>(expr.node);
      if (computes) Operate(expr, times);
      for (ExprId operand : Operands(expr)) left.push_back(operand);
    }
  }

  const Kernel& kernel_;
  const LikelySizes& sizes_;
  Tally tally_;
};

}  // namespace

Tally TallyOf(const Kernel& flat, const LikelySizes& sizes) { return Counter(flat, sizes).Run(); }

}  // namespace webnnc::loop
