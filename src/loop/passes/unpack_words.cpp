#include "loop/passes/unpack_words.h"

#include <algorithm>
#include <unordered_map>

#include "loop/builder.h"
#include "loop/parameters.h"
#include "loop/passes/packed_words.h"
#include "loop/passes/simplify.h"

namespace webnnc::loop {

namespace {

class Unpacker {
 public:
  Unpacker(Kernel& kernel, const Target& target)
      : kernel_(kernel), build_(kernel), simplify_(kernel), target_(target) {}

  void ChangeBuffers(const std::vector<Storage>& parameters) {
    size_t next = 0;
    for (Buffer& buffer : kernel_.buffers) {
      Storage storage = Storage::kActivation;
      if (IsParameter(buffer) && next < parameters.size()) storage = parameters[next++];
      DType dtype = buffer.type.dtype;
      types_.push_back(dtype);
      if (IsPacked(dtype) && storage == Storage::kWeight) {
        buffer.type = {WordType(dtype), {WordCount(dtype, buffer.type.shape[0])}};
      } else {
        buffer.type.dtype = Unpacked(dtype);
      }
    }
  }

  void Run(Block& block) {
    for (Stmt& stmt : block) {
      if (auto* loop = std::get_if<For>(&stmt)) {
        simplify_.Bind(loop->var, loop->extent);
        Run(loop->body);
      }
      if (auto* test = std::get_if<If>(&stmt)) {
        test->condition = Unpack(test->condition);
        Run(test->body);
      }
      if (auto* let = std::get_if<Let>(&stmt)) {
        let->value = Unpack(let->value);
        kernel_.vars[let->var].dtype = build_.dtype(let->value);
      }
      if (auto* store = std::get_if<Store>(&stmt)) {
        for (ExprId& index : store->index) index = Unpack(index);
        store->value = Unpack(store->value);
      }
    }
  }

 private:
  DType Unpacked(DType dtype) const {
    return IsPacked(dtype) ? StoredType(target_, dtype, Storage::kActivation) : dtype;
  }

  ExprId Unpack(ExprId id) {
    auto found = done_.find(id);
    if (found != done_.end()) return found->second;
    Expr expr = kernel_.exprs[id];
    std::vector<ExprId> operands = Operands(expr);
    for (ExprId& operand : operands) operand = Unpack(operand);
    const DType before = expr.dtype;
    expr.dtype = Unpacked(before);
    ExprId result;
    if (auto* constant = std::get_if<Constant>(&expr.node); constant && IsPacked(before)) {
      Scalar value = webnnc::Convert(constant->value, expr.dtype);
      result = build_.Splat(build_.Constant(value), expr.lanes);
    } else if (auto* load = std::get_if<Load>(&expr.node); load && IsWords(load->buffer)) {
      result = build_.Convert(
          LoadFromWords(kernel_, simplify_, load->buffer, before, operands[0], expr.lanes),
          expr.dtype);
    } else if (std::holds_alternative<Convert>(expr.node) && operands != Operands(expr)) {
      result = build_.Convert(operands[0], expr.dtype);
    } else {
      result = kernel_.exprs.Add(WithOperands(std::move(expr), operands));
    }
    return done_[id] = result;
  }

  bool IsWords(BufferId buffer) const {
    DType before = types_[static_cast<size_t>(buffer.index)];
    return IsPacked(before) && kernel_.buffers[buffer].type.dtype == WordType(before);
  }

  Kernel& kernel_;
  Builder build_;
  Simplifier simplify_;
  const Target target_;
  std::vector<DType> types_;  // of buffers before
  std::unordered_map<ExprId, ExprId> done_;
};

}  // namespace

void UnpackWords(Kernel& kernel, const std::vector<Storage>& parameters, const Target& target) {
  bool any = std::any_of(kernel.buffers.begin(), kernel.buffers.end(),
                         [](const Buffer& buffer) { return IsPacked(buffer.type.dtype); });
  if (!any) return;
  Unpacker unpacker(kernel, target);
  unpacker.ChangeBuffers(parameters);
  unpacker.Run(kernel.body);
}

}  // namespace webnnc::loop
