#include "loop/sizes.h"

#include <algorithm>

#include "loop/rewrite.h"

namespace webnnc::loop {

std::vector<Dim> SizesOf(const Kernel& kernel) {
  std::vector<Dim> sizes;
  auto note = [&](const Dim& dim) {
    if (!dim.IsConstant() && std::find(sizes.begin(), sizes.end(), dim) == sizes.end())
      sizes.push_back(dim);
  };
  auto note_expr = [&](ExprId root) {
    ForEachExpr(kernel, root, [&](ExprId id) {
      if (auto* size = std::get_if<Size>(&kernel.exprs[id].node)) note(size->dim);
    });
  };
  ForEachStmt(kernel.body, [&](const Stmt& stmt) {
    if (auto* loop = std::get_if<For>(&stmt)) note(loop->extent);
    if (auto* let = std::get_if<Let>(&stmt)) note_expr(let->value);
    if (auto* test = std::get_if<If>(&stmt)) note_expr(test->condition);
    if (auto* store = std::get_if<Store>(&stmt)) {
      for (ExprId index : store->index) note_expr(index);
      note_expr(store->value);
    }
  });
  return sizes;
}

}  // namespace webnnc::loop
