// WGSL as a tree: what can be said, without names for what the text may name as it likes.
//
// Expressions are in a pool and may be shared; a Symbol is something that the text gives a name.
// write.h turns a tree into text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"

namespace webnnc::wgsl {

using ExprId = Id<struct ExprTag>;
using SymbolId = Id<struct SymbolTag>;

// What the text should name it, as far as that is free.
struct Symbol {
  std::string name;
  // Without a name, a letter and a number. Numbers of each letter are its own: shaders that are
  // alike then have lines that are the same, which makes them smaller when they are compressed.
  char letter = 'v';
};

// ---- Expressions

// A number, or a keyword such as true.
struct Literal {
  std::string text;
};

struct Name {
  SymbolId symbol;
};

// !a  ~a  -a
struct Prefix {
  char op;
  ExprId a;
};

// + - * / %  << >>  < <= > >= == !=  & | ^  && ||
struct Infix {
  std::string op;
  ExprId a, b;
};

// A built-in function or a type's constructor, by its text, or a function of the module.
struct Call {
  std::variant<std::string, SymbolId> function;
  std::vector<ExprId> arguments;
};

struct Index {
  ExprId base, index;
};

// base.xyz
struct Member {
  ExprId base;
  std::string name;
};

using Expr = std::variant<Literal, Name, Prefix, Infix, Call, Index, Member>;

// ---- Statements

struct Statement;
using Block = std::vector<Statement>;

struct Let {
  SymbolId symbol;
  ExprId value;
};

// var symbol: type; or var symbol = value;
struct Var {
  SymbolId symbol;
  std::string type;
  std::optional<ExprId> value;
};

// target = value; or with an operator, target += value;
struct Assign {
  ExprId target;
  std::string op;
  ExprId value;
};

// A call for its effect.
struct Do {
  ExprId call;
};

struct If {
  ExprId condition;
  Block yes, no;
};

// Runs body, then next, as long as the condition holds; a Continue goes to next.
struct Loop {
  std::optional<ExprId> condition;
  Block body, next;
};

// for (var symbol = first; condition; next) { body }
struct For {
  SymbolId symbol;
  ExprId first, condition;
  Assign next;
  Block body;
};

struct Break {};
struct Continue {};
struct Return {
  std::optional<ExprId> value;
};

struct Statement : std::variant<Let, Var, Assign, Do, If, Loop, For, Break, Continue, Return> {
  using variant::variant;
};

// ---- Modules

struct Parameter {
  SymbolId symbol;
  std::string type;
  std::string attribute;  // "@builtin(workgroup_id)", or nothing
};

struct Function {
  SymbolId symbol;
  std::string attributes;  // "@compute @workgroup_size(64)", or nothing
  std::vector<Parameter> parameters;
  std::string result;  // its type, or nothing
  Block body;
};

// attributes var<space> symbol: type = value;
struct Global {
  std::string attributes;  // "@group(0) @binding(1)", or nothing
  std::string space;
  SymbolId symbol;
  std::string type;
  std::string value;  // or nothing
};

struct Module {
  std::vector<std::string> enables;
  std::vector<Global> globals;
  std::vector<Function> functions;
  IdVector<ExprTag, Expr> exprs;
  IdVector<SymbolTag, Symbol> symbols;

  ExprId Add(Expr expr) { return exprs.Add(std::move(expr)); }
  SymbolId NewSymbol(std::string name) { return symbols.Add({std::move(name)}); }
};

// ---- Walking

// Calls `visit` for every name in `id`, as often as it is there.
void ForEachName(const Module& module, ExprId id, const std::function<void(SymbolId)>& visit);
// The same for what a statement says, the blocks inside it included.
void ForEachName(const Module& module, const Statement& statement,
                 const std::function<void(SymbolId)>& visit);
// The symbol that `id` consists of, or an invalid one.
SymbolId NameOf(const Module& module, ExprId id);
// Whether two expressions say the same.
bool Same(const Module& module, ExprId a, ExprId b);

}  // namespace webnnc::wgsl
