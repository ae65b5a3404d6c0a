#include "wgsl/write.h"

#include <gtest/gtest.h>

namespace webnnc::wgsl {
namespace {

// Builds one expression over a, b and c, and says how it is written.
class Expressions {
 public:
  Expressions() {
    function_.symbol = module_.NewSymbol("f");
    for (const char* name : {"a", "b", "c"}) {
      SymbolId symbol = module_.NewSymbol(name);
      function_.parameters.push_back({symbol, "i32", ""});
      names_.push_back(module_.Add(Name{symbol}));
    }
  }

  ExprId a() { return names_[0]; }
  ExprId b() { return names_[1]; }
  ExprId c() { return names_[2]; }
  ExprId Infix(const std::string& op, ExprId x, ExprId y) {
    return module_.Add(wgsl::Infix{op, x, y});
  }
  ExprId Prefix(char op, ExprId x) { return module_.Add(wgsl::Prefix{op, x}); }
  ExprId Call(const std::string& name, std::vector<ExprId> arguments) {
    return module_.Add(wgsl::Call{name, std::move(arguments)});
  }
  Module& module() { return module_; }

  std::string Text(ExprId id) {
    Module module = module_;
    Function function = function_;
    function.body.push_back(Return{id});
    module.functions.push_back(function);
    auto text = Write(module);
    EXPECT_TRUE(text);
    size_t begin = text.value().find("return ") + 7;
    return text.value().substr(begin, text.value().find(';', begin) - begin);
  }

 private:
  Module module_;
  Function function_;
  std::vector<ExprId> names_;
};

TEST(Write, PutsParenthesesWhereWgslNeedsThem) {
  Expressions e;
  EXPECT_EQ(e.Text(e.Infix("+", e.Infix("*", e.a(), e.b()), e.c())), "a * b + c");
  EXPECT_EQ(e.Text(e.Infix("*", e.Infix("+", e.a(), e.b()), e.c())), "(a + b) * c");
  EXPECT_EQ(e.Text(e.Infix("-", e.a(), e.Infix("-", e.b(), e.c()))), "a - (b - c)");
  EXPECT_EQ(e.Text(e.Infix("+", e.Infix("<<", e.a(), e.b()), e.c())), "(a << b) + c");
  EXPECT_EQ(e.Text(e.Infix("<<", e.Infix("+", e.a(), e.b()), e.c())), "(a + b) << c");
  EXPECT_EQ(e.Text(e.Infix("&", e.Infix("+", e.a(), e.b()), e.c())), "(a + b) & c");
  EXPECT_EQ(e.Text(e.Infix("&", e.Infix("&", e.a(), e.b()), e.c())), "a & b & c");
  EXPECT_EQ(e.Text(e.Infix("|", e.Infix("&", e.a(), e.b()), e.c())), "(a & b) | c");
  EXPECT_EQ(e.Text(e.Infix("==", e.Infix("&", e.a(), e.b()), e.c())), "(a & b) == c");
  EXPECT_EQ(e.Text(e.Infix("|", e.Infix("&", e.a(), e.b()), e.c())), "(a & b) | c");
  EXPECT_EQ(e.Text(e.Infix("&", e.Infix("<", e.a(), e.b()), e.c())), "(a < b) & c");
  EXPECT_EQ(e.Text(e.Infix("==", e.Infix("<", e.a(), e.b()), e.c())), "(a < b) == c");
  EXPECT_EQ(e.Text(e.Prefix('-', e.Prefix('-', e.a()))), "-(-a)");
  EXPECT_EQ(e.Text(e.Prefix('!', e.Infix("<", e.a(), e.b()))), "!(a < b)");
  EXPECT_EQ(e.Text(e.Infix("*", e.a(), e.Prefix('-', e.b()))), "a * -b");
}

TEST(Write, OpensNoTemplates) {
  Expressions e;
  ExprId less = e.Infix("<", e.a(), e.b()), more = e.Infix(">", e.b(), e.c());
  EXPECT_EQ(e.Text(e.Call("select", {less, more})), "select((a < b), b > c)");
  EXPECT_EQ(e.Text(e.Infix("<", e.a(), e.Infix(">>", e.b(), e.c()))), "a < (b >> c)");
}

TEST(Write, NamesWithoutShadowing) {
  Module module;
  SymbolId main = module.NewSymbol("main"), buffer = module.NewSymbol("main"),
           reserved = module.NewSymbol("struct"), odd = module.NewSymbol("9 lives__"),
           outer = module.NewSymbol("i"), inner = module.NewSymbol("i"),
           beside = module.NewSymbol("i"), unnamed = module.NewSymbol("");
  auto name = [&](SymbolId symbol) { return module.Add(Name{symbol}); };
  auto one = [&] { return module.Add(Literal{"1"}); };
  module.globals.push_back({"", "private", buffer, "i32", ""});
  auto count = [&](SymbolId symbol, Block body) {
    ExprId less = module.Add(Infix{"<", name(symbol), one()});
    return For{symbol, one(), less, {name(symbol), "+", one()}, std::move(body)};
  };
  Block body = {Let{reserved, one()}, Let{odd, one()}, Let{unnamed, one()},
                count(outer, {count(inner, {Assign{name(buffer), "", name(outer)}})}),
                count(beside, {})};
  module.functions.push_back({main, "", {}, "", std::move(body)});
  auto text = Write(module);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(text.value(), R"(var<private> main_1: i32;

fn main() {
  let struct_1 = 1;
  let lives_ = 1;
  let v1 = 1;
  for (var i = 1; i < 1; i += 1) {
    for (var i_1 = 1; i_1 < 1; i_1 += 1) {
      main_1 = i;
    }
  }
  for (var i = 1; i < 1; i += 1) {
  }
}
)");
}

TEST(Write, RefusesWhatIsNotInScope) {
  Module module;
  SymbolId main = module.NewSymbol("main"), inside = module.NewSymbol("x"),
           target = module.NewSymbol("y");
  ExprId yes = module.Add(Literal{"true"}), x = module.Add(Name{inside});
  Block body = {If{yes, {Let{inside, yes}}, {}}, Let{target, x}};
  module.functions.push_back({main, "", {}, "", std::move(body)});
  EXPECT_FALSE(Write(module));
}

}  // namespace
}  // namespace webnnc::wgsl
