// The parser of the text form; text.cpp prints it.
#include <map>

#include "loop/builder.h"
#include "loop/reducer.h"
#include "loop/text.h"

namespace webnnc::loop {

namespace {

class Parser {
 public:
  explicit Parser(Lexer& lexer) : lexer_(lexer), build_(kernel_) {}

  Result<Kernel> Run() {
    TRY(lexer_.Expect("kernel"));
    TRY(lexer_.Expect("@"));
    TRY_ASSIGN(kernel_.name, lexer_.Name());
    TRY(lexer_.Expect("("));
    while (!lexer_.Eat(")")) {
      bool out = lexer_.Eat("out");
      if (!out) TRY(lexer_.Expect("in"));
      TRY(ParseBuffer(out ? Space::kOut : Space::kIn));
      if (!lexer_.Sees(")")) TRY(lexer_.Expect(","));
    }
    TRY(lexer_.Expect("{"));
    for (;;) {
      Space space;
      if (lexer_.Eat("temporary")) {
        space = Space::kTemporary;
      } else if (lexer_.Eat("workgroup")) {
        space = Space::kWorkgroup;
      } else if (lexer_.Eat("register")) {
        space = Space::kRegister;
      } else {
        break;
      }
      TRY(ParseBuffer(space));
    }
    TRY_ASSIGN(kernel_.body, ParseBlock());
    return std::move(kernel_);
  }

 private:
  Status ParseBuffer(Space space) {
    TRY(lexer_.Expect("%"));
    TRY_ASSIGN(auto name, lexer_.Name());
    TRY(lexer_.Expect(":"));
    TRY_ASSIGN(auto type, ParseTensorType(lexer_));
    if (buffers_.count(name)) return lexer_.Fail("%" + name + " is already defined");
    bool panels = lexer_.Eat("panels");
    buffers_[name] = kernel_.buffers.Add({name, std::move(type), space, panels});
    return kSuccess;
  }

  // Statements up to and including the closing brace.
  Result<Block> ParseBlock() {
    if (++lexer_.depth > Lexer::kMaxDepth) return lexer_.Fail("nests too deeply");
    auto outside = vars_;
    Block block;
    while (!lexer_.Eat("}")) {
      TRY_ASSIGN(auto stmt, ParseStmt());
      block.push_back(std::move(stmt));
    }
    vars_ = outside;
    --lexer_.depth;
    return block;
  }

  Result<Stmt> ParseStmt() {
    if (lexer_.Eat("barrier")) return Stmt(Barrier{});
    if (lexer_.Eat("for")) return ParseFor();
    if (lexer_.Eat("let")) {
      TRY_ASSIGN(auto name, lexer_.Word());
      TRY(lexer_.Expect("="));
      TRY_ASSIGN(auto value, ParseExpr());
      const Expr& expr = kernel_.exprs[value];
      VarId var = vars_[name] = kernel_.vars.Add({name, expr.dtype, expr.lanes});
      return Stmt(Let{var, value});
    }
    if (lexer_.Eat("if")) {
      TRY_ASSIGN(auto condition, ParseExpr());
      if (build_.dtype(condition) != DType::kBool) return lexer_.Fail("a condition must be bool");
      TRY(lexer_.Expect("{"));
      TRY_ASSIGN(auto body, ParseBlock());
      return Stmt(If{condition, std::move(body)});
    }
    return ParseStore();
  }

  Result<Stmt> ParseFor() {
    TRY_ASSIGN(auto name, lexer_.Word());
    TRY(lexer_.Expect("in"));
    TRY_ASSIGN(auto extent, ParseDim(lexer_));
    LoopKind kind = LoopKind::kSerial;
    for (int k = 1; k < kLoopKindCount; ++k) {
      if (lexer_.Eat(Name(static_cast<LoopKind>(k)))) kind = static_cast<LoopKind>(k);
    }
    auto outside = vars_;
    VarId var = vars_[name] = kernel_.vars.Add({name});
    TRY(lexer_.Expect("{"));
    TRY_ASSIGN(auto body, ParseBlock());
    vars_ = outside;
    return Stmt(For{var, extent, kind, std::move(body)});
  }

  struct AccessText {
    BufferId buffer;
    Index index;
    int32_t lanes = 1;
  };

  Result<AccessText> ParseAccess() {
    TRY(lexer_.Expect("%"));
    TRY_ASSIGN(auto name, lexer_.Name());
    auto found = buffers_.find(name);
    if (found == buffers_.end()) return lexer_.Fail("%" + name + " is not defined here");
    AccessText access{found->second, {}, 1};
    TRY(lexer_.Expect("["));
    while (!lexer_.Eat("]")) {
      TRY_ASSIGN(auto index, ParseExpr());
      if (kernel_.exprs[index].dtype != DType::kI32 || kernel_.exprs[index].lanes != 1) {
        return lexer_.Fail("an index must be i32");
      }
      access.index.push_back(index);
      if (lexer_.Eat(":")) {
        TRY_ASSIGN(access.lanes, ParseLanes());
        TRY(lexer_.Expect("]"));
        break;
      }
      if (!lexer_.Sees("]")) TRY(lexer_.Expect(","));
    }
    const TensorType& type = kernel_.buffers[access.buffer].type;
    if (access.index.size() != type.shape.size()) {
      return lexer_.Fail("%" + name + " has " + std::to_string(type.shape.size()) + " dimensions");
    }
    if (access.lanes > 1 && access.index.size() != 1) {
      return lexer_.Fail("only a one-dimensional buffer is accessed by lanes");
    }
    return access;
  }

  Result<int32_t> ParseLanes() {
    TRY_ASSIGN(auto lanes, lexer_.Integer());
    if (lanes < 2 || lanes > 64) return lexer_.Fail("a vector has 2 to 64 lanes");
    return static_cast<int32_t>(lanes);
  }

  Result<Stmt> ParseStore() {
    TRY_ASSIGN(auto access, ParseAccess());
    Reduce reduce{Update::kSet, access.index, {{access.buffer, {}, {}}}};
    while (lexer_.Eat(",")) {
      TRY_ASSIGN(auto other, ParseAccess());
      if (other.index != access.index) return lexer_.Fail("the parts are stored at other places");
      reduce.parts.push_back({other.buffer, {}, {}});
    }
    TRY_ASSIGN(reduce.update, ParseUpdate());
    if (!HasParts(reduce.update, reduce.parts.size()))
      return lexer_.Fail(std::string(Name(reduce.update)) + " does not have " +
                         std::to_string(reduce.parts.size()) + " parts");
    for (Part& part : reduce.parts) {
      if (&part != &reduce.parts[0]) TRY(lexer_.Expect(","));
      TRY_ASSIGN(part.term, ParseStored(part.buffer, access.lanes));
    }
    bool reduces = reduce.update != Update::kSet && access.lanes == 1 && lexer_.Eat("from");
    if (!reduces) {
      if (reduce.parts.size() > 1) return lexer_.Fail("expected 'from'");
      return Stmt(
          Store{access.buffer, std::move(access.index), reduce.parts[0].term, reduce.update});
    }
    for (Part& part : reduce.parts) {
      if (&part != &reduce.parts[0]) TRY(lexer_.Expect(","));
      TRY_ASSIGN(part.start, ParseStored(part.buffer, 1));
    }
    return Stmt(std::move(reduce));
  }

  Result<Update> ParseUpdate() {
    for (int u = 0; u < kUpdateCount; ++u) {
      auto update = static_cast<Update>(u);
      if (lexer_.Eat(Name(update))) return update;
    }
    return lexer_.Fail("expected '='");
  }

  // A value of the type that the buffer holds.
  Result<ExprId> ParseStored(BufferId buffer, int32_t lanes) {
    TRY_ASSIGN(auto value, ParseExpr());
    const Expr& expr = kernel_.exprs[value];
    if (expr.dtype != kernel_.buffers[buffer].type.dtype || expr.lanes != lanes) {
      return lexer_.Fail("stores " + std::string(Name(expr.dtype)) + " x " +
                         std::to_string(expr.lanes) + ", which is not what the buffer holds");
    }
    return value;
  }

  // ---- Expressions, weakest operator first

  Result<ExprId> ParseExpr() {
    if (++lexer_.depth > Lexer::kMaxDepth) return lexer_.Fail("nests too deeply");
    TRY_ASSIGN(auto left, ParseSum());
    for (BinaryOp op :
         {BinaryOp::kEqual, BinaryOp::kNotEqual, BinaryOp::kLessEqual, BinaryOp::kLess}) {
      if (!lexer_.Eat(Name(op))) continue;
      TRY_ASSIGN(auto right, ParseSum());
      TRY_ASSIGN(left, Apply(op, left, right));
      break;
    }
    --lexer_.depth;
    return left;
  }

  Result<ExprId> ParseSum() {
    TRY_ASSIGN(auto left, ParseProduct());
    for (;;) {
      BinaryOp op;
      if (lexer_.Eat("+")) {
        op = BinaryOp::kAdd;
      } else if (lexer_.Eat("-")) {
        op = BinaryOp::kSub;
      } else {
        return left;
      }
      TRY_ASSIGN(auto right, ParseProduct());
      TRY_ASSIGN(left, Apply(op, left, right));
    }
  }

  Result<ExprId> ParseProduct() {
    TRY_ASSIGN(auto left, ParsePrimary());
    for (;;) {
      BinaryOp op;
      if (lexer_.Eat("*")) {
        op = BinaryOp::kMul;
      } else if (lexer_.Eat("/")) {
        op = BinaryOp::kDiv;
      } else if (lexer_.Eat("% ")) {
        // Without the space it is the next statement's %buffer.
        op = BinaryOp::kMod;
      } else {
        return left;
      }
      TRY_ASSIGN(auto right, ParsePrimary());
      TRY_ASSIGN(left, Apply(op, left, right));
    }
  }

  // The text form keeps what was written: no folding.
  Result<ExprId> Apply(BinaryOp op, ExprId a, ExprId b) {
    const Expr &x = kernel_.exprs[a], &y = kernel_.exprs[b];
    if (x.dtype != y.dtype || x.lanes != y.lanes) {
      return lexer_.Fail("'" + std::string(Name(op)) + "' of " + std::string(Name(x.dtype)) +
                         " and " + std::string(Name(y.dtype)));
    }
    bool bits = op == BinaryOp::kAnd || op == BinaryOp::kOr || op == BinaryOp::kXor;
    bool equality = op == BinaryOp::kEqual || op == BinaryOp::kNotEqual;
    bool shift = op == BinaryOp::kShiftLeft || op == BinaryOp::kShiftRight;
    bool floors = op == BinaryOp::kFloorDiv || op == BinaryOp::kFloorMod;
    bool fits = op == BinaryOp::kDot4     ? x.dtype == DType::kI32
                : x.dtype == DType::kBool ? bits || equality
                : IsFloat(x.dtype)        ? !bits && !shift && !floors
                                          : true;
    if (!fits) {
      return lexer_.Fail("'" + std::string(Name(op)) + "' does not take " +
                         std::string(Name(x.dtype)));
    }
    return kernel_.exprs.Add(
        {Binary{op, a, b}, IsComparison(op) ? DType::kBool : x.dtype, x.lanes});
  }

  Result<ExprId> ParsePrimary() {
    if (lexer_.Sees("%")) {
      TRY_ASSIGN(auto access, ParseAccess());
      DType dtype = kernel_.buffers[access.buffer].type.dtype;
      return kernel_.exprs.Add({Load{access.buffer, std::move(access.index)}, dtype, access.lanes});
    }
    if (lexer_.Eat("(")) {
      TRY_ASSIGN(auto inner, ParseExpr());
      TRY(lexer_.Expect(")"));
      return inner;
    }
    if (lexer_.Eat("true")) return build_.Constant(Scalar::Bool(true));
    if (lexer_.Eat("false")) return build_.Constant(Scalar::Bool(false));
    if (lexer_.SeesNumber()) return ParseLiteral();
    TRY_ASSIGN(auto name, lexer_.Word());
    if (lexer_.Eat("(")) return ParseCall(name);
    auto found = vars_.find(name);
    if (found == vars_.end()) return lexer_.Fail("'" + name + "' is not defined here");
    return build_.Var(found->second);
  }

  Result<ExprId> ParseLiteral() {
    TRY_ASSIGN(auto number, lexer_.ParseNumber());
    DType dtype = number.is_integer ? DType::kI32 : DType::kF32;
    // In %x[0 : 4] the colon is the access's.
    Lexer ahead = lexer_;
    bool typed = ahead.Eat(":") && !ahead.SeesNumber();
    if (typed) {
      lexer_ = ahead;
      TRY_ASSIGN(dtype, ParseDType(lexer_));
    }
    if (IsFloat(dtype)) return build_.Constant(Scalar::Real(dtype, number.real));
    if (!number.is_integer) return lexer_.Fail("expected an integer");
    return build_.Constant(Scalar::Integer(dtype, number.integer));
  }

  Result<std::vector<ExprId>> ParseArguments() {
    std::vector<ExprId> arguments;
    while (!lexer_.Eat(")")) {
      TRY_ASSIGN(auto argument, ParseExpr());
      arguments.push_back(argument);
      if (!lexer_.Sees(")")) TRY(lexer_.Expect(","));
    }
    return arguments;
  }

  Result<ExprId> ParseCall(const std::string& name) {
    if (name == "size") {
      TRY_ASSIGN(auto dim, ParseDim(lexer_));
      TRY(lexer_.Expect(")"));
      return kernel_.exprs.Add({loop::Size{dim}, DType::kI32});
    }
    if (name == "splat" || name == "ramp") {
      TRY_ASSIGN(auto a, ParseExpr());
      TRY(lexer_.Expect(","));
      TRY_ASSIGN(auto lanes, ParseLanes());
      TRY(lexer_.Expect(")"));
      if (kernel_.exprs[a].lanes != 1) return lexer_.Fail(name + " takes a scalar");
      DType dtype = build_.dtype(a);
      if (name == "splat") return kernel_.exprs.Add({Splat{a}, dtype, lanes});
      if (!IsInteger(dtype)) return lexer_.Fail("ramp takes an integer");
      return kernel_.exprs.Add({Ramp{a}, dtype, lanes});
    }
    TRY_ASSIGN(auto arguments, ParseArguments());
    return MakeCall(name, arguments);
  }

  Result<ExprId> MakeCall(const std::string& name, const std::vector<ExprId>& arguments) {
    size_t count = arguments.size();
    auto expr = [&](size_t i) -> const Expr& { return kernel_.exprs[arguments[i]]; };
    if (auto dtype = DTypeNamed(name); dtype && count == 1) {
      return kernel_.exprs.Add({Convert{arguments[0]}, *dtype, expr(0).lanes});
    }
    if (name == "round_f16" && count == 1) {
      return kernel_.exprs.Add({Convert{arguments[0], true}, DType::kF16, expr(0).lanes});
    }
    if (name == "select" && count == 3) {
      bool fits = expr(0).dtype == DType::kBool && expr(1).dtype == expr(2).dtype &&
                  expr(1).lanes == expr(2).lanes &&
                  (expr(0).lanes == expr(1).lanes || expr(0).lanes == 1);
      if (!fits) return lexer_.Fail("select takes a bool and two values of one type");
      return kernel_.exprs.Add(
          {Select{arguments[0], arguments[1], arguments[2]}, expr(1).dtype, expr(1).lanes});
    }
    if (name == "pack" && count >= 2 && count <= 64) {
      for (size_t i = 0; i < count; ++i) {
        if (expr(i).lanes != 1 || expr(i).dtype != expr(0).dtype) {
          return lexer_.Fail("pack takes scalars of one type");
        }
      }
      return kernel_.exprs.Add({Pack{arguments}, expr(0).dtype, static_cast<int32_t>(count)});
    }
    for (int i = 0; i < kUnaryOpCount && count == 1; ++i) {
      auto op = static_cast<UnaryOp>(i);
      if (Name(op) == name) return MakeUnary(op, arguments[0]);
    }
    for (int i = 0; i < kBinaryOpCount && count == 2; ++i) {
      auto op = static_cast<BinaryOp>(i);
      if (Name(op) == name && Precedence(op) == 0) return Apply(op, arguments[0], arguments[1]);
    }
    return lexer_.Fail("unknown function '" + name + "' of " + std::to_string(count));
  }

  Result<ExprId> MakeUnary(UnaryOp op, ExprId a) {
    DType dtype = build_.dtype(a);
    bool any_number = op == UnaryOp::kNegate || op == UnaryOp::kAbs || op == UnaryOp::kSign;
    bool fits = op == UnaryOp::kNot        ? dtype == DType::kBool
                : op == UnaryOp::kBitNot   ? IsInteger(dtype)
                : any_number               ? dtype != DType::kBool
                : op == UnaryOp::kBits     ? dtype == DType::kF32 || dtype == DType::kF64
                : op == UnaryOp::kFromBits ? dtype == DType::kI32 || dtype == DType::kI64
                : op >= UnaryOp::kDotByte  ? dtype == DType::kI32
                                           : IsFloat(dtype);
    if (!fits) {
      return lexer_.Fail(std::string(Name(op)) + " does not take " + std::string(Name(dtype)));
    }
    return kernel_.exprs.Add({Unary{op, a}, ResultType(op, dtype), kernel_.exprs[a].lanes});
  }

  static int Precedence(BinaryOp op) {
    bool infix = op <= BinaryOp::kMod || IsComparison(op);
    return infix ? 1 : 0;
  }

  Lexer& lexer_;
  Kernel kernel_;
  Builder build_;
  std::map<std::string, BufferId> buffers_;
  std::map<std::string, VarId> vars_;
};

}  // namespace

Result<Kernel> Parse(Lexer& lexer) { return Parser(lexer).Run(); }

Result<Kernel> Parse(std::string_view text) {
  Lexer lexer(text);
  TRY_ASSIGN(auto kernel, Parse(lexer));
  if (!lexer.AtEnd()) return lexer.Fail("expected the end of the text");
  return kernel;
}

}  // namespace webnnc::loop
