#include "wgsl/syntax.h"

#include "base/overloaded.h"

namespace webnnc::wgsl {

void ForEachName(const Module& module, ExprId id, const std::function<void(SymbolId)>& visit) {
  std::visit(Overloaded{
                 [](const Literal&) {},
                 [&](const Name& name) { visit(name.symbol); },
                 [&](const Prefix& prefix) { ForEachName(module, prefix.a, visit); },
                 [&](const Infix& infix) {
                   ForEachName(module, infix.a, visit);
                   ForEachName(module, infix.b, visit);
                 },
                 [&](const Call& call) {
                   if (auto* symbol = std::get_if<SymbolId>(&call.function)) visit(*symbol);
                   for (ExprId argument : call.arguments) ForEachName(module, argument, visit);
                 },
                 [&](const Index& index) {
                   ForEachName(module, index.base, visit);
                   ForEachName(module, index.index, visit);
                 },
                 [&](const Member& member) { ForEachName(module, member.base, visit); },
             },
             module.exprs[id]);
}

static void ForEachName(const Module& module, const Block& block,
                        const std::function<void(SymbolId)>& visit) {
  for (const Statement& statement : block) ForEachName(module, statement, visit);
}

void ForEachName(const Module& module, const Statement& statement,
                 const std::function<void(SymbolId)>& visit) {
  auto expr = [&](ExprId id) { ForEachName(module, id, visit); };
  auto assign = [&](const Assign& assign) { expr(assign.target), expr(assign.value); };
  std::visit(Overloaded{
                 [&](const Let& let) { visit(let.symbol), expr(let.value); },
                 [&](const Var& var) {
                   visit(var.symbol);
                   if (var.value) expr(*var.value);
                 },
                 [&](const Assign& node) { assign(node); },
                 [&](const Do& node) { expr(node.call); },
                 [&](const If& node) {
                   expr(node.condition);
                   ForEachName(module, node.yes, visit);
                   ForEachName(module, node.no, visit);
                 },
                 [&](const Loop& loop) {
                   if (loop.condition) expr(*loop.condition);
                   ForEachName(module, loop.body, visit);
                   ForEachName(module, loop.next, visit);
                 },
                 [&](const For& loop) {
                   visit(loop.symbol), expr(loop.first), expr(loop.condition);
                   assign(loop.next);
                   ForEachName(module, loop.body, visit);
                 },
                 [](const Break&) {},
                 [](const Continue&) {},
                 [&](const Return& node) {
                   if (node.value) expr(*node.value);
                 },
             },
             static_cast<const Statement::variant&>(statement));
}

SymbolId NameOf(const Module& module, ExprId id) {
  auto* name = std::get_if<Name>(&module.exprs[id]);
  return name ? name->symbol : SymbolId();
}

bool Same(const Module& module, ExprId a, ExprId b) {
  const Expr &x = module.exprs[a], &y = module.exprs[b];
  if (x.index() != y.index()) return false;
  return std::visit(Overloaded{
                        [&](const Literal& node) { return node.text == std::get<Literal>(y).text; },
                        [&](const Name& node) { return node.symbol == std::get<Name>(y).symbol; },
                        [&](const Prefix& node) {
                          auto& other = std::get<Prefix>(y);
                          return node.op == other.op && Same(module, node.a, other.a);
                        },
                        [&](const Infix& node) {
                          auto& other = std::get<Infix>(y);
                          return node.op == other.op && Same(module, node.a, other.a) &&
                                 Same(module, node.b, other.b);
                        },
                        [&](const Call& node) {
                          auto& other = std::get<Call>(y);
                          bool same = node.function == other.function &&
                                      node.arguments.size() == other.arguments.size();
                          for (size_t i = 0; same && i < node.arguments.size(); ++i) {
                            same = Same(module, node.arguments[i], other.arguments[i]);
                          }
                          return same;
                        },
                        [&](const Index& node) {
                          auto& other = std::get<Index>(y);
                          return Same(module, node.base, other.base) &&
                                 Same(module, node.index, other.index);
                        },
                        [&](const Member& node) {
                          auto& other = std::get<Member>(y);
                          return node.name == other.name && Same(module, node.base, other.base);
                        },
                    },
                    x);
}

}  // namespace webnnc::wgsl
