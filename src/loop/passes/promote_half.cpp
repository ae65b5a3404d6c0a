#include "loop/passes/promote_half.h"

#include <unordered_map>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/passes/round_half.h"

namespace webnnc::loop {

namespace {

class Promoter {
 public:
  explicit Promoter(Kernel& kernel) : kernel_(kernel), build_(kernel) {}

  void ChangeBuffers(const std::vector<Storage>& parameters, const Target& target) {
    size_t next = 0;
    for (Buffer& buffer : kernel_.buffers) {
      Storage storage = Storage::kActivation;
      if (IsParameter(buffer) && next < parameters.size()) storage = parameters[next++];
      if (buffer.type.dtype == DType::kF16)
        buffer.type.dtype = StoredType(target, DType::kF16, storage);
    }
  }

  void Run(Block& block) {
    for (Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) Run(loop->body);
      if (auto* test = std::get_if<If>(&stmt)) {
        test->condition = Promote(test->condition);
        Run(test->body);
      }
      if (auto* let = std::get_if<Let>(&stmt)) {
        let->value = Promote(let->value);
        kernel_.vars[let->var].dtype = kernel_.exprs[let->value].dtype;
      }
      if (auto* store = std::get_if<Store>(&stmt)) {
        for (ExprId& index : store->index) index = Promote(index);
        store->value = Promote(store->value);
        if (kernel_.buffers[store->buffer].type.dtype == DType::kF16) {
          store->value = build_.Convert(store->value, DType::kF16);
        }
      }
    }
  }

 private:
  // `id` with f32 in the place of f16.
  ExprId Promote(ExprId id) {
    auto found = done_.find(id);
    if (found != done_.end()) return found->second;
    Expr expr = kernel_.exprs[id];
    std::vector<ExprId> operands = Operands(expr);
    for (ExprId& operand : operands) operand = Promote(operand);
    ExprId result;
    bool half = expr.dtype == DType::kF16;
    auto* load = std::get_if<Load>(&expr.node);
    auto* convert = std::get_if<Convert>(&expr.node);
    if (auto* constant = std::get_if<Constant>(&expr.node)) {
      result = half ? build_.Splat(build_.Constant(webnnc::Convert(constant->value, DType::kF32)),
                                   expr.lanes)
                    : id;
    } else if (half && load) {
      expr.dtype = kernel_.buffers[load->buffer].type.dtype;
      result = build_.Convert(kernel_.exprs.Add(WithOperands(expr, operands)), DType::kF32);
    } else if (half && convert && convert->rounded) {
      result = build_.Convert(build_.Convert(operands[0], DType::kF16), DType::kF32);
    } else {
      if (half) expr.dtype = DType::kF32;
      // A conversion from f16 has become one from f32, perhaps to f32.
      result = convert ? build_.Convert(operands[0], expr.dtype)
                       : kernel_.exprs.Add(WithOperands(expr, operands));
    }
    if (half && IsMeantToRound(kernel_, expr)) {
      result = build_.Convert(build_.Convert(result, DType::kF16), DType::kF32);
    }
    return done_[id] = result;
  }

  Kernel& kernel_;
  Builder build_;
  std::unordered_map<ExprId, ExprId> done_;
};

}  // namespace

void PromoteHalf(Kernel& kernel, const std::vector<Storage>& parameters, const Target& target) {
  Promoter promoter(kernel);
  promoter.ChangeBuffers(parameters, target);
  promoter.Run(kernel.body);
}

}  // namespace webnnc::loop
