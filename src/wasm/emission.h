// What instructions of several numbers at once (pairs.h, quads.h) are emitted of.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "loop/kernel.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

struct Emission {
  const loop::Kernel& kernel;
  llvm::IRBuilder<>& b;
  // Emits an expression.
  std::function<llvm::Value*(loop::ExprId)> emit;
  // Emits a load with so many lanes, from the element on that `id` loads: under a condition
  // perhaps, zeros elsewhere. Null if it is no such load.
  std::function<llvm::Value*(loop::ExprId id, int32_t lanes)> load;
};

// Null if it is no such operation.
const loop::Unary* UnaryOf(const loop::Kernel& kernel, loop::ExprId id, loop::UnaryOp op);
const loop::Binary* BinaryOf(const loop::Kernel& kernel, loop::ExprId id, loop::BinaryOp op);

// An index as another one and a constant that is added to it.
std::pair<loop::ExprId, int64_t> WithoutConstant(const loop::Kernel& kernel, loop::ExprId index);

// How many elements behind what x loads that is what y loads, if that is known.
std::optional<int64_t> DistanceOf(const loop::Kernel& kernel, loop::ExprId x, loop::ExprId y);

}  // namespace webnnc::wasm
