#include "loop/import.h"

#include "base/overloaded.h"

namespace webnnc::loop {

Import::Import(Kernel& to, const Kernel& from, std::map<BufferId, BufferId> buffers,
               const std::string& suffix)
    : from_(from), buffers_(std::move(buffers)) {
  for (int32_t b = 0; b < from.buffers.size(); ++b) {
    auto [found, is_new] = buffers_.emplace(BufferId{b}, BufferId());
    if (!is_new) continue;
    Buffer buffer = from.buffers[BufferId{b}];
    buffer.name += suffix;
    found->second = to.buffers.Add(std::move(buffer));
  }
  for (const Var& var : from.vars) vars_.push_back(to.vars.Add(var));
  // Operands come before users.
  for (int32_t e = 0; e < from.exprs.size(); ++e)
    exprs_.push_back(to.exprs.Add(Renamed(from.exprs[ExprId{e}])));
}

Expr Import::Renamed(Expr expr) const {
  std::vector<ExprId> operands = Operands(expr);
  for (ExprId& operand : operands) operand = Of(operand);
  expr = WithOperands(std::move(expr), operands);
  if (auto* load = std::get_if<Load>(&expr.node)) load->buffer = Of(load->buffer);
  if (auto* variable = std::get_if<Variable>(&expr.node)) variable->var = Of(variable->var);
  return expr;
}

Block Import::Statements(const Block& block) const {
  auto index_of = [&](Index index) {
    for (ExprId& id : index) id = Of(id);
    return index;
  };
  Block copy;
  for (const Stmt& stmt : block) {
    copy.push_back(std::visit(
        Overloaded{
            [&](const For& loop) -> Stmt {
              return For{Of(loop.var), loop.extent, loop.kind, Statements(loop.body)};
            },
            [&](const Let& let) -> Stmt { return Let{Of(let.var), Of(let.value)}; },
            [&](const Store& store) -> Stmt {
              return Store{Of(store.buffer), index_of(store.index), Of(store.value), store.update};
            },
            [&](const Reduce& reduce) -> Stmt {
              Reduce own{reduce.update, index_of(reduce.place), {}};
              for (const Part& part : reduce.parts)
                own.parts.push_back({Of(part.buffer), Of(part.term), Of(part.start)});
              return own;
            },
            [&](const If& test) -> Stmt { return If{Of(test.condition), Statements(test.body)}; },
            [](const Barrier& barrier) -> Stmt { return barrier; },
        },
        static_cast<const Stmt::variant&>(stmt)));
  }
  return copy;
}

}  // namespace webnnc::loop
