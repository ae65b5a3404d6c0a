// Control flow, as far as what it decides is known when the model is compiled.
#include "onnx/advice.h"
#include "onnx/operators.h"

namespace webnnc::onnx {

// Exporters write it where a size might be 1, which is known as a rule.
static Result<Values> ImportIf(NodeContext& c) {
  TRY_ASSIGN(auto condition, c.KnownConstant(0));
  if (!condition)
    return Error{"which branch it takes is decided in a run", {}, {AdviceFor("", c.op_type())}};
  if (!ElementCount(condition->type.shape).Is(1))
    return Error{"the condition is " + Print(condition->type)};
  bool taken = condition->data.At(condition->type.dtype, 0).integer != 0;
  return c.Body(taken ? "then_branch" : "else_branch", {});
}

static constexpr Operator kOperators[] = {
    {"", "If", 1, ImportIf},
};

std::span<const Operator> ControlOperators() { return kOperators; }

}  // namespace webnnc::onnx
