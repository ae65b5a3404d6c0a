#include "loop/thread_rows.h"

#include "loop/rewrite.h"

namespace webnnc::loop {

namespace {

class Finder {
 public:
  explicit Finder(const Kernel& kernel) : kernel_(kernel) {
    for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
      const Buffer& buffer = kernel.buffers[BufferId{b}];
      if (buffer.space == Space::kRegister && buffer.type.rank() > 0) rows_.insert(BufferId{b});
    }
  }

  std::set<BufferId> Run() {
    ForEachStmt(kernel_.body, [&](const Stmt& stmt) {
      auto* loop = std::get_if<For>(&stmt);
      if (loop && IsRegion(loop->kind)) threads_.insert(loop->var);
    });
    ForEachStmt(kernel_.body, [&](const Stmt& stmt) {
      if (auto* let = std::get_if<Let>(&stmt)) Visit(let->value);
      if (auto* test = std::get_if<If>(&stmt)) Visit(test->condition);
      if (auto* store = std::get_if<Store>(&stmt)) {
        Check(store->buffer, store->index, kernel_.exprs[store->value].lanes);
        for (ExprId index : store->index) Visit(index);
        Visit(store->value);
      }
    });
    return std::move(rows_);
  }

 private:
  void Visit(ExprId root) {
    if (rows_.empty()) return;
    ForEachExpr(kernel_, root, [&](ExprId id) {
      const Expr& expr = kernel_.exprs[id];
      if (auto* load = std::get_if<Load>(&expr.node)) Check(load->buffer, load->index, expr.lanes);
    });
  }

  // Neighbours along the only dimension are of several threads.
  void Check(BufferId buffer, const Index& index, int32_t lanes) {
    if (!rows_.count(buffer)) return;
    auto variable = VariableOf(kernel_, index.at(0));
    bool is_row = variable && threads_.count(*variable) && (lanes == 1 || index.size() > 1);
    if (!is_row) rows_.erase(buffer);
  }

  const Kernel& kernel_;
  std::set<BufferId> rows_;
  std::set<VarId> threads_;
};

}  // namespace

std::set<BufferId> ThreadRows(const Kernel& kernel) { return Finder(kernel).Run(); }

}  // namespace webnnc::loop
