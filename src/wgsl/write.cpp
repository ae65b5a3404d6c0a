#include "wgsl/write.h"

#include "base/overloaded.h"
#include "wgsl/names.h"

namespace webnnc::wgsl {

namespace {

// How tightly an expression binds. WGSL's grammar is stricter than C's: shifts and the bitwise
// operators take only what stands alone, and comparisons and the bitwise operators do not mix.
enum class Binding { kLoose, kComparison, kShift, kSum, kProduct, kPrefix, kAlone };

struct Infixes {
  Binding own, left, right;
};

Infixes BindingOf(const std::string& op) {
  if (op == "+" || op == "-") return {Binding::kSum, Binding::kSum, Binding::kProduct};
  if (op == "*" || op == "/" || op == "%") {
    return {Binding::kProduct, Binding::kProduct, Binding::kPrefix};
  }
  if (op == "<<" || op == ">>") return {Binding::kShift, Binding::kPrefix, Binding::kPrefix};
  if (op == "&" || op == "|" || op == "^") {
    return {Binding::kLoose, Binding::kPrefix, Binding::kPrefix};
  }
  // "a < b >> 2" would be read as the template a<b>, so not even shifts.
  return {Binding::kComparison, Binding::kSum, Binding::kSum};
}

bool Chains(const std::string& op) { return op == "&" || op == "|" || op == "^"; }

class Writer {
 public:
  explicit Writer(const Module& module) : module_(module), names_(module) {}

  Result<std::string> Run() {
    for (const std::string& enable : module_.enables) Line("enable " + enable + ";");
    if (!module_.enables.empty()) out_ += "\n";
    // Functions first, since the host asks for the entry point by its name.
    for (const Function& function : module_.functions) names_.Declare(function.symbol);
    for (const Global& global : module_.globals) names_.Declare(global.symbol);
    for (const Global& global : module_.globals) WriteGlobal(global);
    for (const Function& function : module_.functions) WriteFunction(function);
    if (!error_.empty()) return Error{error_};
    return out_;
  }

 private:
  // ---- Declarations

  void WriteGlobal(const Global& global) {
    std::string text = global.attributes + (global.attributes.empty() ? "" : " ");
    text += "var<" + global.space + "> " + NameOf(global.symbol) + ": " + global.type;
    if (!global.value.empty()) text += " = " + global.value;
    Line(text + ";");
  }

  void WriteFunction(const Function& function) {
    out_ += "\n";
    names_.EnterScope();
    std::string parameters;
    for (const Parameter& parameter : function.parameters) {
      if (!parameters.empty()) parameters += ", ";
      if (!parameter.attribute.empty()) parameters += parameter.attribute + " ";
      parameters += names_.Declare(parameter.symbol) + ": " + parameter.type;
    }
    std::string head = "fn " + NameOf(function.symbol) + "(" + parameters + ")";
    if (!function.result.empty()) head += " -> " + function.result;
    if (!function.attributes.empty()) Line(function.attributes);
    Nested(head, function.body);
    Line("}");
    names_.LeaveScope();
  }

  // ---- Statements

  void Line(const std::string& text) {
    out_.append(static_cast<size_t>(2 * depth_), ' ');
    out_ += text + "\n";
  }

  // Everything but the closing brace.
  void Nested(const std::string& head, const Block& block) {
    Line(head + " {");
    ++depth_;
    names_.EnterScope();
    for (const Statement& statement : block) WriteStatement(statement);
    names_.LeaveScope();
    --depth_;
  }

  void WriteStatement(const Statement& statement) {
    std::visit(Overloaded{
                   [&](const Let& let) {
                     std::string value = Text(let.value);
                     Line("let " + names_.Declare(let.symbol) + " = " + value + ";");
                   },
                   [&](const Var& var) { WriteVar(var); },
                   [&](const Assign& assign) { Line(Text(assign) + ";"); },
                   [&](const Do& node) { Line(Text(node.call) + ";"); },
                   [&](const If& node) { WriteIf(node); },
                   [&](const Loop& loop) { WriteLoop(loop); },
                   [&](const For& loop) { WriteFor(loop); },
                   [&](const Break&) { Line("break;"); },
                   [&](const Continue&) { Line("continue;"); },
                   [&](const Return& node) {
                     Line(node.value ? "return " + Text(*node.value) + ";" : "return;");
                   },
               },
               static_cast<const Statement::variant&>(statement));
  }

  void WriteVar(const Var& var) {
    if (!var.value) return Line("var " + names_.Declare(var.symbol) + ": " + var.type + ";");
    std::string value = Text(*var.value);
    Line("var " + names_.Declare(var.symbol) + " = " + value + ";");
  }

  std::string Text(const Assign& assign) {
    return Text(assign.target) + " " + assign.op + "= " + Text(assign.value);
  }

  void WriteIf(const If& node) {
    Nested("if (" + Text(node.condition) + ")", node.yes);
    if (!node.no.empty()) Nested("} else", node.no);
    Line("}");
  }

  void WriteLoop(const Loop& loop) {
    if (loop.condition && loop.next.empty()) {
      Nested("while (" + Text(*loop.condition) + ")", loop.body);
      return Line("}");
    }
    Line("loop {");
    ++depth_;
    names_.EnterScope();
    if (loop.condition) Line("if (!" + Text(*loop.condition, Binding::kAlone) + ") { break; }");
    for (const Statement& statement : loop.body) WriteStatement(statement);
    if (!loop.next.empty()) {
      Nested("continuing", loop.next);
      Line("}");
    }
    names_.LeaveScope();
    --depth_;
    Line("}");
  }

  void WriteFor(const For& loop) {
    std::string first = Text(loop.first);
    names_.EnterScope();
    std::string head = "for (var " + names_.Declare(loop.symbol) + " = " + first + "; ";
    Nested(head + Text(loop.condition) + "; " + Text(loop.next) + ")", loop.body);
    Line("}");
    names_.LeaveScope();
  }

  // ---- Expressions

  const std::string& NameOf(SymbolId symbol) {
    const std::string* name = names_.Find(symbol);
    if (name) return *name;
    // Named here only so that writing can go on.
    if (error_.empty()) error_ = "a value is used outside the block that computes it";
    return names_.Declare(symbol);
  }

  // In parentheses if it binds less tightly than `needed`.
  std::string Text(ExprId id, Binding needed = Binding::kLoose) {
    auto [text, own] = TextAndBinding(id);
    return own < needed ? "(" + text + ")" : text;
  }

  struct Bound {
    std::string text;
    Binding binding = Binding::kAlone;
  };

  Bound TextAndBinding(ExprId id) {
    return std::visit(
        Overloaded{
            [&](const Literal& node) { return Bound{node.text}; },
            [&](const Name& node) { return Bound{NameOf(node.symbol)}; },
            [&](const Prefix& node) {
              return Bound{node.op + Text(node.a, Binding::kAlone), Binding::kPrefix};
            },
            [&](const Infix& node) { return InfixText(node); },
            [&](const Call& node) { return Bound{CallText(node)}; },
            [&](const Index& node) {
              return Bound{Text(node.base, Binding::kAlone) + "[" + Text(node.index) + "]"};
            },
            [&](const Member& node) {
              return Bound{Text(node.base, Binding::kAlone) + "." + node.name};
            },
        },
        module_.exprs[id]);
  }

  Bound InfixText(const Infix& infix) {
    Infixes binding = BindingOf(infix.op);
    auto* left = std::get_if<Infix>(&module_.exprs[infix.a]);
    bool chains = left && left->op == infix.op && Chains(infix.op);
    std::string text = Text(infix.a, chains ? Binding::kLoose : binding.left);
    return {text + " " + infix.op + " " + Text(infix.b, binding.right), binding.own};
  }

  std::string CallText(const Call& call) {
    auto* built_in = std::get_if<std::string>(&call.function);
    std::string text = built_in ? *built_in : NameOf(std::get<SymbolId>(call.function));
    text += "(";
    for (size_t i = 0; i < call.arguments.size(); ++i) {
      if (i) text += ", ";
      // "f(a < b, c > d)" would be read as the template a<b, c>.
      auto* infix = std::get_if<Infix>(&module_.exprs[call.arguments[i]]);
      bool is_last = i + 1 == call.arguments.size(), may_open = infix && infix->op == "<";
      text += Text(call.arguments[i], may_open && !is_last ? Binding::kAlone : Binding::kLoose);
    }
    return text + ")";
  }

  const Module& module_;
  Names names_;
  std::string out_, error_;
  int depth_ = 0;
};

}  // namespace

Result<std::string> Write(const Module& module) { return Writer(module).Run(); }

}  // namespace webnnc::wgsl
