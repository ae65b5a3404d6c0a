#include "spirv/prepare.h"

#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include "loop/builder.h"
#include "loop/rewrite.h"
#include "loop/thread_rows.h"
#include "loop/verify.h"

namespace webnnc::spirv {

using loop::BinaryOp;
using loop::BufferId;
using loop::ExprId;
using loop::Space;
using loop::UnaryOp;

namespace {

Error Refuse(const loop::Kernel& kernel, const std::string& what) {
  return Error{"@" + kernel.name + ": " + what + ", which GPU kernels cannot have"};
}

// ---- Registers --------------------------------------------------------------------------------

void DropThreadRows(loop::Kernel& kernel) {
  std::set<BufferId> rows = loop::ThreadRows(kernel);
  if (rows.empty()) return;
  loop::Builder build(kernel);
  auto drop = [&](loop::Index& index) {
    index.erase(index.begin());
    if (index.empty()) index.push_back(build.Int(0));
  };
  loop::ExprRewriter rewrite(kernel, [&](ExprId id, ExprId) {
    loop::Expr expr = kernel.exprs[id];
    auto* load = std::get_if<loop::Load>(&expr.node);
    if (!load || !rows.count(load->buffer)) return id;
    drop(load->index);
    return kernel.exprs.Add(std::move(expr));
  });
  loop::RewriteExprs(kernel.body, [&](ExprId id) { return rewrite(id); });
  loop::ForEachStore(kernel.body, [&](loop::Store& store) {
    if (rows.count(store.buffer)) drop(store.index);
  });
  for (BufferId id : rows) {
    Shape& shape = kernel.buffers[id].type.shape;
    shape.erase(shape.begin());
    if (shape.empty()) shape.push_back(1);
  }
}

// ---- Variables --------------------------------------------------------------------------------

// All regions of equally many threads get one variable, so that what they have in common is the
// same expression.
void ShareThreadVariables(loop::Kernel& kernel) {
  loop::Builder build(kernel);
  std::map<int64_t, loop::VarId> by_extent;
  std::unordered_map<loop::VarId, ExprId> values;
  std::function<void(loop::Block&)> visit = [&](loop::Block& block) {
    for (loop::Stmt& stmt : block) {
      if (auto* test = std::get_if<loop::If>(&stmt)) visit(test->body);
      auto* loop = std::get_if<loop::For>(&stmt);
      if (!loop) continue;
      visit(loop->body);
      if (!loop::IsRegion(loop->kind)) continue;
      loop::VarId shared = by_extent.try_emplace(loop->extent.value(), loop->var).first->second;
      if (loop->var != shared) values[loop->var] = build.Var(shared);
      loop->var = shared;
    }
  };
  visit(kernel.body);
  if (values.empty()) return;
  loop::Substitution substitute(kernel, std::move(values));
  loop::RewriteExprs(kernel.body, [&](ExprId id) { return substitute(id); });
}

bool SharesVariables(const loop::Kernel& kernel) {
  std::set<loop::VarId> seen;
  bool shares = false;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    if (auto* loop = std::get_if<loop::For>(&stmt)) shares |= !seen.insert(loop->var).second;
    if (auto* let = std::get_if<loop::Let>(&stmt)) shares |= !seen.insert(let->var).second;
  });
  return shares;
}

// ---- Types and operations ---------------------------------------------------------------------

bool IsStored(DType dtype) {
  return dtype == DType::kI32 || dtype == DType::kU32 || dtype == DType::kF32 ||
         dtype == DType::kF16;
}

bool Takes(UnaryOp op, DType dtype) {
  switch (op) {
    case UnaryOp::kNegate:
    case UnaryOp::kAbs:
    case UnaryOp::kSign: return dtype != DType::kBool;
    case UnaryOp::kNot: return dtype == DType::kBool;
    case UnaryOp::kBitNot: return IsInteger(dtype);
    case UnaryOp::kBits: return dtype == DType::kF32;
    case UnaryOp::kFromBits: return dtype == DType::kI32;
    default: return IsFloat(dtype);
  }
}

bool Takes(BinaryOp op, DType dtype) {
  switch (op) {
    case BinaryOp::kAnd:
    case BinaryOp::kOr:
    case BinaryOp::kXor: return !IsFloat(dtype);
    case BinaryOp::kFloorDiv:
    case BinaryOp::kFloorMod:
    case BinaryOp::kShiftLeft:
    case BinaryOp::kShiftRight: return IsInteger(dtype);
    case BinaryOp::kDot4: return dtype == DType::kI32;
    case BinaryOp::kEqual:
    case BinaryOp::kNotEqual: return true;
    default: return dtype != DType::kBool;
  }
}

class Checker {
 public:
  Checker(const loop::Kernel& kernel, FeatureSet features)
      : kernel_(kernel), has_half_(features.Has(Feature::kF16)) {}

  Status Run() {
    for (const loop::Buffer& buffer : kernel_.buffers) {
      const TensorType& type = buffer.type;
      bool is_half = type.dtype == DType::kF16 && !has_half_;
      if (!IsStored(type.dtype) || (is_half && buffer.space != Space::kIn)) {
        return Refuse("%" + buffer.name + ": " + Print(type));
      }
      bool local = buffer.space == Space::kWorkgroup || buffer.space == Space::kRegister;
      if (local && !type.shape[0].IsConstant()) {
        return Refuse("%" + buffer.name + " has a size that is not constant");
      }
    }
    loop::ForEachStmt(kernel_.body, [&](const loop::Stmt& stmt) {
      has_threads_ |=
          std::holds_alternative<loop::For>(stmt) && loop::IsRegion(std::get<loop::For>(stmt).kind);
    });
    return CheckBlock(kernel_.body, false);
  }

 private:
  Error Refuse(const std::string& what) { return spirv::Refuse(kernel_, what); }

  Status CheckBlock(const loop::Block& block, bool in_thread) {
    for (const loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        TRY(CheckBlock(loop->body, in_thread || loop::IsRegion(loop->kind)));
      } else if (auto* let = std::get_if<loop::Let>(&stmt)) {
        TRY(CheckExpr(let->value));
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        TRY(CheckExpr(test->condition));
        TRY(CheckBlock(test->body, in_thread));
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        TRY(CheckExpr(store->index[0]));
        TRY(CheckExpr(store->value));
        if (has_threads_ && !in_thread) {
          return Refuse("stores to %" + kernel_.buffers[store->buffer].name +
                        " outside the thread loops");
        }
      }
    }
    return kSuccess;
  }

  Status CheckExpr(ExprId root) {
    std::optional<Error> error;
    loop::ForEachExpr(kernel_, root, [&](ExprId id) {
      if (error || !checked_.insert(id).second) return;
      Status status = CheckNode(kernel_.exprs[id]);
      if (!status) error = status.error();
    });
    if (error) return *error;
    return kSuccess;
  }

  Status CheckNode(const loop::Expr& expr) {
    std::string type(Name(expr.dtype));
    if (!IsStored(expr.dtype) && expr.dtype != DType::kBool) return Refuse("computes " + type);
    if (!has_half_ && !std::holds_alternative<loop::Convert>(expr.node)) TRY(CheckHasNoHalf(expr));
    // Which the words that hold them are moved as.
    bool are_words = expr.dtype == DType::kF16 && expr.lanes == 8;
    if (expr.lanes > 4 && !are_words)
      return Refuse("has vectors of " + std::to_string(expr.lanes) + " lanes");
    if (auto* unary = std::get_if<loop::Unary>(&expr.node)) {
      DType dtype = kernel_.exprs[unary->a].dtype;
      if (!Takes(unary->op, dtype)) {
        return Refuse("'" + std::string(loop::Name(unary->op)) + "' of " +
                      std::string(Name(dtype)));
      }
    }
    if (auto* binary = std::get_if<loop::Binary>(&expr.node)) {
      DType dtype = kernel_.exprs[binary->a].dtype;
      if (!Takes(binary->op, dtype)) {
        return Refuse("'" + std::string(loop::Name(binary->op)) + "' of " +
                      std::string(Name(dtype)));
      }
    }
    return kSuccess;
  }

  // Of f16 there are but loads, and conversions of these.
  Status CheckHasNoHalf(const loop::Expr& expr) {
    bool is_load = std::holds_alternative<loop::Load>(expr.node);
    bool computes = expr.dtype == DType::kF16 && !is_load;
    for (ExprId operand : loop::Operands(expr)) {
      computes |= kernel_.exprs[operand].dtype == DType::kF16;
    }
    if (computes) return Refuse("computes f16 without the device having it");
    return kSuccess;
  }

  const loop::Kernel& kernel_;
  bool has_half_;
  std::set<ExprId> checked_;
  bool has_threads_ = false;
};

}  // namespace

Result<loop::Kernel> Prepare(loop::Kernel kernel, FeatureSet features) {
  DropThreadRows(kernel);
  TRY(loop::VerifyFlat(kernel));
  if (SharesVariables(kernel)) kernel.body = loop::CloneBlock(kernel, kernel.body);
  ShareThreadVariables(kernel);
  TRY(Checker(kernel, features).Run());
  return kernel;
}

}  // namespace webnnc::spirv
