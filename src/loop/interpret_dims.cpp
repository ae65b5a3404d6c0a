#include "loop/interpret_dims.h"

#include <cmath>

#include "base/overloaded.h"
#include "loop/stage.h"
#include "tensor/overflow.h"

namespace webnnc::loop {

namespace {

using Element = std::optional<Dim>;

// Kernels wrap where sizes overflow, so what overflows is not known.
Element Known(Dim value) { return HasOverflowed(value) ? Element() : Element(std::move(value)); }

class Interpreter {
 public:
  Interpreter(const Kernel& kernel, std::vector<DimElements>& memory, const std::set<Dim>& sizes)
      : kernel_(kernel),
        memory_(memory),
        sizes_(sizes),
        vars_(static_cast<size_t>(kernel.vars.size())) {}

  bool Run() {
    memory_.resize(static_cast<size_t>(kernel_.buffers.size()));
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      const Buffer& buffer = kernel_.buffers[BufferId{b}];
      if (buffer.space == Space::kIn) continue;
      if (!IsStatic(buffer.type.shape)) return false;
      int64_t count = ElementCount(buffer.type.shape).value();
      if (count > kMostElements) return false;
      memory_[static_cast<size_t>(b)].assign(static_cast<size_t>(count), std::nullopt);
    }
    RunBlock(kernel_.body);
    return ok_;
  }

 private:
  static constexpr int64_t kMostElements = 4096;
  // Iterations of all loops: what takes more is not arithmetic on sizes.
  static constexpr int64_t kMostSteps = 1 << 16;

  void RunBlock(const Block& block) {
    for (const Stmt& stmt : block) {
      if (!ok_) return;
      std::visit(
          Overloaded{
              [&](const For& loop) {
                if (!loop.extent.IsConstant()) {
                  ok_ = false;
                  return;
                }
                for (int64_t i = 0; i < loop.extent.value() && ok_; ++i) {
                  ok_ = ++steps_ <= kMostSteps;
                  vars_[static_cast<size_t>(loop.var.index)] = Dim(i);
                  RunBlock(loop.body);
                }
              },
              [&](const Let& let) { vars_[static_cast<size_t>(let.var.index)] = Eval(let.value); },
              [&](const Store& store) { RunStore(store); },
              [](const Reduce&) { CHECK(false); },
              [&](const If& test) {
                Element condition = Eval(test.condition);
                if (!condition || !condition->IsConstant()) {
                  ok_ = false;
                } else if (condition->value()) {
                  RunBlock(test.body);
                }
              },
              [](const Barrier&) {},
          },
          static_cast<const Stmt::variant&>(stmt));
    }
  }

  // Whether it is what a least or largest element is looked for from: more, or less, than any size.
  bool IsNeutral(const Element& element, const Store& store) const {
    const bool is_narrow = kernel_.buffers[store.buffer].type.dtype == DType::kI32;
    if (store.update == Update::kMin)
      return element && element->Is(is_narrow ? INT32_MAX : INT64_MAX);
    return store.update == Update::kMax && element &&
           element->Is(is_narrow ? INT32_MIN : INT64_MIN);
  }

  void RunStore(const Store& store) {
    Element* slot = Slot(store.buffer, store.index);
    if (!slot) return;
    Element value = Eval(store.value);
    if (IsNeutral(*slot, store)) {
      *slot = value;
      return;
    }
    switch (store.update) {
      case Update::kSet: *slot = value; break;
      case Update::kAdd:
        *slot = Both(*slot, value, [](const Dim& a, const Dim& b) { return a + b; });
        break;
      case Update::kMul:
        *slot = Both(*slot, value, [](const Dim& a, const Dim& b) { return a * b; });
        break;
      case Update::kMax:
        *slot = Both(*slot, value, [](const Dim& a, const Dim& b) { return Max(a, b); });
        break;
      case Update::kMin:
        *slot = Both(*slot, value, [](const Dim& a, const Dim& b) { return Min(a, b); });
        break;
      case Update::kArgMax:
      case Update::kArgMin: CHECK(false);
    }
  }

  template <typename F>
  static Element Both(const Element& a, const Element& b, F f) {
    if (!a || !b) return std::nullopt;
    return Known(f(*a, *b));
  }

  // The element, or null (and the run has failed) if its place is not known.
  Element* Slot(BufferId buffer, const Index& index) {
    const Shape& shape = kernel_.buffers[buffer].type.shape;
    int64_t offset = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
      Element i = Eval(index[d]);
      bool inside = i && i->IsConstant() && shape[d].IsConstant() && i->value() >= 0 &&
                    i->value() < shape[d].value();
      if (!inside) {
        ok_ = false;
        return nullptr;
      }
      offset = offset * shape[d].value() + i->value();
    }
    auto& elements = memory_[static_cast<size_t>(buffer.index)];
    if (offset >= static_cast<int64_t>(elements.size())) {
      ok_ = false;
      return nullptr;
    }
    return &elements[static_cast<size_t>(offset)];
  }

  Element Eval(ExprId id) {
    const Expr& expr = kernel_.exprs[id];
    return std::visit(
        Overloaded{
            [](const Constant& node) { return EvalConstant(node.value); },
            [&](const Variable& node) { return vars_[static_cast<size_t>(node.var.index)]; },
            [](const Size& node) { return Element(node.dim); },
            [&](const Load& node) {
              Element* slot = Slot(node.buffer, node.index);
              return slot ? *slot : std::nullopt;
            },
            [&](const Unary& node) { return EvalUnary(node); },
            [&](const Binary& node) { return EvalBinary(node); },
            [&](const Select& node) {
              Element condition = Eval(node.condition);
              if (!condition || !condition->IsConstant()) return Element();
              return Eval(condition->value() ? node.yes : node.no);
            },
            [&](const Convert& node) {
              // Sizes fit every integer type that could hold them; bool asks for "not zero".
              Element a = Eval(node.a);
              if (expr.dtype != DType::kBool || kernel_.exprs[node.a].dtype == DType::kBool)
                return a;
              return a ? Decide(Equals(*a, Dim(0)), true) : Element();
            },
            [](const auto&) { return Element(); },
        },
        expr.node);
  }

  // Some exporters multiply sizes as floats and round the product. Reals that are integers are
  // sizes too, and what keeps them integers is allowed.
  static Element EvalConstant(const Scalar& value) {
    if (!IsFloat(value.dtype)) return Dim(value.integer);
    constexpr double kExact = 1 << 24;
    bool integral = value.real == std::floor(value.real) && std::fabs(value.real) <= kExact;
    return integral ? Element(Dim(static_cast<int64_t>(value.real))) : std::nullopt;
  }

  Element EvalUnary(const Unary& unary) {
    Element a = Eval(unary.a);
    if (!a) return std::nullopt;
    switch (unary.op) {
      case UnaryOp::kFloor:
      case UnaryOp::kCeil:
      case UnaryOp::kRound:
      case UnaryOp::kTrunc: return a;
      case UnaryOp::kNegate: return Known(Dim(0) - *a);
      case UnaryOp::kAbs: return Known(Max(*a, Dim(0) - *a));
      case UnaryOp::kNot: return a->IsConstant() ? Element(Dim(a->value() == 0)) : std::nullopt;
      default: return std::nullopt;
    }
  }

  bool IsNotNegative(const Dim& a) const { return ProvablyLessEqual(0, a) || sizes_.count(a); }

  std::optional<bool> Less(const Dim& a, const Dim& b) const {
    if (ProvablyLess(a, b) || (ProvablyLess(a, 0) && IsNotNegative(b))) return true;
    if (ProvablyLessEqual(b, a) || (ProvablyLessEqual(b, 0) && IsNotNegative(a))) return false;
    return std::nullopt;
  }

  std::optional<bool> Equals(const Dim& a, const Dim& b) const {
    if (a == b) return true;
    if (Less(a, b) == true || Less(b, a) == true) return false;
    return std::nullopt;
  }

  static Element Decide(std::optional<bool> answer, bool negate) {
    if (!answer) return std::nullopt;
    return Dim(*answer != negate);
  }

  // Toward zero, whatever the sign of a turns out to be: one of the terms is 0. By 0 all give 0.
  static Element TruncatedDiv(const Dim& a, const Dim& b) {
    if (a.IsConstant() && b.IsConstant())
      return b.Is(0) ? Element() : Known(TruncatingDiv(a.value(), b.value()));
    if (!ProvablyLessEqual(0, b)) return std::nullopt;
    return Max(FloorDiv(a, b), 0) + Min(CeilDiv(a, b), 0);
  }

  Element EvalBinary(const Binary& binary) {
    Element a = Eval(binary.a), b = Eval(binary.b);
    if (!a || !b) return std::nullopt;
    Element result = Apply(binary, a, b);
    return result ? Known(*result) : std::nullopt;
  }

  Element Apply(const Binary& binary, const Element& a, const Element& b) {
    bool real = IsFloat(kernel_.exprs[binary.a].dtype);
    if (real && (binary.op == BinaryOp::kDiv || binary.op == BinaryOp::kMod)) {
      auto exact = ExactDiv(*a, *b);
      return exact && binary.op == BinaryOp::kDiv ? Element(*exact) : std::nullopt;
    }
    bool positive = IsNotNegative(*a) && IsNotNegative(*b);
    bool constants = a->IsConstant() && b->IsConstant();
    switch (binary.op) {
      case BinaryOp::kAdd: return *a + *b;
      case BinaryOp::kSub: return *a - *b;
      case BinaryOp::kMul: return *a * *b;
      // Toward zero, which is toward minus infinity where nothing is negative; an exact quotient
      // needs no rounding.
      case BinaryOp::kDiv:
        if (auto exact = ExactDiv(*a, *b)) return *exact;
        return positive ? Element(FloorDiv(*a, *b)) : TruncatedDiv(*a, *b);
      case BinaryOp::kMod:
        if (positive) return Mod(*a, *b);
        if (auto quotient = TruncatedDiv(*a, *b)) return *a - *b * *quotient;
        return std::nullopt;
      case BinaryOp::kFloorDiv: return b->Is(0) ? Element() : FloorDiv(*a, *b);
      case BinaryOp::kFloorMod: return b->Is(0) ? Element() : Mod(*a, *b);
      case BinaryOp::kMin: return Min(*a, *b);
      case BinaryOp::kMax: return Max(*a, *b);
      case BinaryOp::kAnd: return constants ? Element(Dim(a->value() & b->value())) : std::nullopt;
      case BinaryOp::kOr: return constants ? Element(Dim(a->value() | b->value())) : std::nullopt;
      case BinaryOp::kEqual: return Decide(Equals(*a, *b), false);
      case BinaryOp::kNotEqual: return Decide(Equals(*a, *b), true);
      case BinaryOp::kLess: return Decide(Less(*a, *b), false);
      case BinaryOp::kLessEqual: return Decide(Less(*b, *a), true);
      default: return std::nullopt;
    }
  }

  const Kernel& kernel_;
  std::vector<DimElements>& memory_;
  const std::set<Dim>& sizes_;
  std::vector<Element> vars_;
  int64_t steps_ = 0;
  bool ok_ = true;
};

}  // namespace

bool InterpretDims(const Kernel& kernel, std::vector<DimElements>& memory,
                   const std::set<Dim>& sizes) {
  return Interpreter(WithoutReductions(kernel), memory, sizes).Run();
}

}  // namespace webnnc::loop
