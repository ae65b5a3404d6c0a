#include "wasm/side_by_side.h"

#include <algorithm>
#include <set>

#include "loop/rewrite.h"
#include "wasm/functions.h"

namespace webnnc::wasm {

using loop::ExprId;

namespace {

class Finder {
 public:
  explicit Finder(const loop::Kernel& kernel) : kernel_(kernel) {}

  void Visit(const Calls& ids) {
    if (!visited_.insert(ids).second) return;
    const loop::Expr& first = Node(ids[0]);
    bool alike = std::all_of(ids.begin(), ids.end(), [&](ExprId id) {
      const loop::Expr& expr = Node(id);
      return expr.node.index() == first.node.index() && expr.dtype == first.dtype &&
             expr.lanes == first.lanes;
    });
    // What is loaded under a condition is not there without it.
    bool ends = std::holds_alternative<loop::Load>(first.node) ||
                std::holds_alternative<loop::Select>(first.node);
    if (!alike || ends) return;
    for (size_t o = 0; o < loop::Operands(first).size(); ++o) {
      Calls operands;
      for (ExprId id : ids) operands.push_back(loop::Operands(Node(id))[o]);
      Visit(operands);
    }
    if (IsFunction(ids)) found_.push_back(ids);
  }

  std::vector<Calls> found() && { return std::move(found_); }

 private:
  const loop::Expr& Node(ExprId id) const { return kernel_.exprs[id]; }

  // The same of all, and not of one vector for several.
  bool IsFunction(const Calls& ids) const {
    auto* first = std::get_if<loop::Unary>(&Node(ids[0]).node);
    return first && HasVectorFunction(first->op, Node(ids[0]).dtype) &&
           std::set<ExprId>(ids.begin(), ids.end()).size() == ids.size() &&
           std::all_of(ids.begin(), ids.end(), [&](ExprId id) {
             return std::get<loop::Unary>(Node(id).node).op == first->op;
           });
  }

  const loop::Kernel& kernel_;
  std::set<Calls> visited_;
  std::vector<Calls> found_;
};

bool Loads(const loop::Kernel& kernel, const loop::Store& store,
           const std::set<loop::BufferId>& buffers) {
  bool found = false;
  auto visit = [&](ExprId id) {
    auto* load = std::get_if<loop::Load>(&kernel.exprs[id].node);
    found |= load && buffers.count(load->buffer);
  };
  loop::ForEachExpr(kernel, store.value, visit);
  for (ExprId index : store.index) loop::ForEachExpr(kernel, index, visit);
  return found;
}

}  // namespace

std::vector<Calls> FunctionsSideBySide(const loop::Kernel& kernel, const Calls& values) {
  Finder finder(kernel);
  finder.Visit(values);
  return std::move(finder).found();
}

size_t StoresSideBySide(const loop::Kernel& kernel, const loop::Block& block, size_t at) {
  auto* first = std::get_if<loop::Store>(&block[at]);
  if (!first) return 1;
  constexpr size_t kLanes = 4;
  const auto lanes = static_cast<size_t>(kernel.exprs[first->value].lanes);
  const size_t most = lanes % kLanes == 0 ? kVectorsAtOnce * kLanes / lanes : 1;
  Calls values;
  std::set<loop::BufferId> stored;
  for (size_t i = at; i < block.size() && values.size() < most; ++i) {
    auto* store = std::get_if<loop::Store>(&block[i]);
    if (!store || Loads(kernel, *store, stored)) break;
    values.push_back(store->value);
    stored.insert(store->buffer);
  }
  for (; values.size() > 1; values.pop_back()) {
    if (!FunctionsSideBySide(kernel, values).empty()) return values.size();
  }
  return 1;
}

}  // namespace webnnc::wasm
