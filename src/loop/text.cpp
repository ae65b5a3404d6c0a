#include "loop/text.h"

#include <charconv>
#include <set>

#include "base/overloaded.h"
#include "loop/parameters.h"

namespace webnnc::loop {

static std::string PrintFloat(double value, DType dtype) {
  std::string out;
  if (dtype == DType::kF64) {
    out = PrintReal(value);
  } else {
    char buffer[32];
    auto narrow = static_cast<float>(value);
    out.assign(buffer, std::to_chars(buffer, buffer + sizeof(buffer), narrow).ptr);
    if (value != value) out = "nan";
  }
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

static std::string PrintConstant(const Scalar& value) {
  std::string suffix = ":" + std::string(Name(value.dtype));
  switch (value.dtype) {
    case DType::kBool: return value.integer ? "true" : "false";
    case DType::kI32: return std::to_string(value.integer);
    case DType::kU64: return std::to_string(static_cast<uint64_t>(value.integer)) + suffix;
    case DType::kF32: return PrintFloat(value.real, value.dtype);
    case DType::kF16:
    case DType::kF64: return PrintFloat(value.real, value.dtype) + suffix;
    default: return std::to_string(value.integer) + suffix;
  }
}

// How tightly an operator binds; 0 for those printed as functions.
static int Precedence(BinaryOp op) {
  switch (op) {
    case BinaryOp::kMul:
    case BinaryOp::kDiv:
    case BinaryOp::kMod: return 3;
    case BinaryOp::kAdd:
    case BinaryOp::kSub: return 2;
    default: return IsComparison(op) ? 1 : 0;
  }
}

namespace {

class Printer {
 public:
  explicit Printer(const Kernel& kernel)
      : kernel_(kernel), var_names_(static_cast<size_t>(kernel.vars.size())) {
    for (const Buffer& buffer : kernel.buffers) {
      std::string name = buffer.name;
      for (int n = 2; !taken_.insert(name).second; ++n)
        name = buffer.name + "_" + std::to_string(n);
      buffer_names_.push_back("%" + QuoteName(name));
    }
    taken_.clear();
  }

  std::string Run() {
    std::string parameters, locals;
    for (int32_t i = 0; i < kernel_.buffers.size(); ++i) {
      const Buffer& buffer = kernel_.buffers[BufferId{i}];
      std::string text = std::string(Name(buffer.space)) + " " + buffer_names_[i] + ": " +
                         webnnc::Print(buffer.type) + (buffer.panels ? " panels" : "");
      if (IsParameter(buffer)) {
        parameters += (parameters.empty() ? "" : ", ") + text;
      } else {
        locals += "  " + text + "\n";
      }
    }
    out_ = "kernel @" + QuoteName(kernel_.name) + "(" + parameters + ") {\n" + locals;
    PrintBlock(kernel_.body, 1);
    return out_ + "}\n";
  }

 private:
  // Gives `var` a name that no variable in scope has.
  const std::string& Define(VarId var) {
    std::string base = kernel_.vars[var].name.empty() ? "v" : kernel_.vars[var].name;
    std::string name = base;
    for (int n = 2; !taken_.insert(name).second; ++n) name = base + "_" + std::to_string(n);
    return var_names_[static_cast<size_t>(var.index)] = name;
  }

  void PrintBlock(const Block& block, int depth) {
    std::set<std::string> outside = taken_;
    for (const Stmt& stmt : block) {
      out_.append(static_cast<size_t>(2 * depth), ' ');
      std::visit(Overloaded{
                     [&](const For& loop) {
                       std::string extent = webnnc::Print(loop.extent);
                       std::set<std::string> before = taken_;
                       out_ += "for " + Define(loop.var) + " in " + extent;
                       if (loop.kind != LoopKind::kSerial)
                         out_ += " " + std::string(Name(loop.kind));
                       Nested(loop.body, depth);
                       taken_ = before;
                     },
                     [&](const Let& let) {
                       std::string value = PrintExpr(let.value, 0);
                       out_ += "let " + Define(let.var) + " = " + value + "\n";
                     },
                     [&](const Store& store) {
                       out_ += Access(store.buffer, store.index, kernel_.exprs[store.value].lanes) +
                               " " + std::string(Name(store.update)) + " " +
                               PrintExpr(store.value, 0) + "\n";
                     },
                     [&](const Reduce& reduce) { PrintReduce(reduce); },
                     [&](const If& test) {
                       out_ += "if " + PrintExpr(test.condition, 0);
                       Nested(test.body, depth);
                     },
                     [&](const Barrier&) { out_ += "barrier\n"; },
                 },
                 static_cast<const Stmt::variant&>(stmt));
    }
    taken_ = outside;
  }

  void Nested(const Block& body, int depth) {
    out_ += " {\n";
    PrintBlock(body, depth + 1);
    out_.append(static_cast<size_t>(2 * depth), ' ');
    out_ += "}\n";
  }

  void PrintReduce(const Reduce& reduce) {
    std::vector<ExprId> terms, starts;
    for (const Part& part : reduce.parts) {
      out_ += (terms.empty() ? "" : ", ") + Access(part.buffer, reduce.place, 1);
      terms.push_back(part.term);
      starts.push_back(part.start);
    }
    out_ +=
        " " + std::string(Name(reduce.update)) + " " + List(terms) + " from " + List(starts) + "\n";
  }

  std::string Access(BufferId buffer, const Index& index, int lanes) {
    std::string out = buffer_names_[static_cast<size_t>(buffer.index)] + "[" + List(index);
    if (lanes > 1) out += " : " + std::to_string(lanes);
    return out + "]";
  }

  std::string List(const std::vector<ExprId>& exprs) {
    std::string out;
    for (size_t i = 0; i < exprs.size(); ++i) out += (i ? ", " : "") + PrintExpr(exprs[i], 0);
    return out;
  }

  // `outer` is the precedence of the surrounding operator; a weaker one inside needs parentheses.
  std::string PrintExpr(ExprId id, int outer) {
    const Expr& expr = kernel_.exprs[id];
    std::string lanes = ", " + std::to_string(expr.lanes) + ")";
    return std::visit(
        Overloaded{
            [&](const Constant& node) { return PrintConstant(node.value); },
            [&](const Variable& node) { return var_names_[static_cast<size_t>(node.var.index)]; },
            [&](const Size& node) { return "size(" + webnnc::Print(node.dim) + ")"; },
            [&](const Load& node) { return Access(node.buffer, node.index, expr.lanes); },
            [&](const Unary& node) {
              return std::string(Name(node.op)) + "(" + PrintExpr(node.a, 0) + ")";
            },
            [&](const Binary& node) { return PrintBinary(node, outer); },
            [&](const Select& node) {
              return "select(" + List({node.condition, node.yes, node.no}) + ")";
            },
            [&](const Convert& node) {
              std::string name = node.rounded ? "round_" : "";
              return name + std::string(Name(expr.dtype)) + "(" + PrintExpr(node.a, 0) + ")";
            },
            [&](const Splat& node) { return "splat(" + PrintExpr(node.a, 0) + lanes; },
            [&](const Ramp& node) { return "ramp(" + PrintExpr(node.base, 0) + lanes; },
            [&](const Pack& node) { return "pack(" + List(node.lanes) + ")"; },
        },
        expr.node);
  }

  std::string PrintBinary(const Binary& binary, int outer) {
    int own = Precedence(binary.op);
    std::string symbol(Name(binary.op));
    if (own == 0) return symbol + "(" + List({binary.a, binary.b}) + ")";
    // Comparisons do not chain, so both sides bind tighter.
    std::string out =
        PrintExpr(binary.a, own == 1 ? 2 : own) + " " + symbol + " " + PrintExpr(binary.b, own + 1);
    return own < outer ? "(" + out + ")" : out;
  }

  const Kernel& kernel_;
  std::string out_;
  std::vector<std::string> buffer_names_;
  std::vector<std::string> var_names_;
  std::set<std::string> taken_;
};

}  // namespace

std::string Print(const Kernel& kernel) { return Printer(kernel).Run(); }

}  // namespace webnnc::loop
