// Sums of products of integers of 16 bits by the instruction that multiplies pairs of them:
//
//   acc[j] += i32(a[2k]) * i32(b[2k, j]) + i32(a[2k + 1]) * i32(b[2k + 1, j])
//
// is i32x4.dot_i16x8_s of a[2k], a[2k + 1] four times and of b[2k, j], b[2k + 1, j] for each j.
#pragma once

#include <functional>

#include "loop/kernel.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

// How many elements behind what x loads that is what y loads, if that is known.
std::optional<int64_t> DistanceOf(const loop::Kernel& kernel, loop::ExprId x, loop::ExprId y);

// So many lanes of `vector` from `at` on.
llvm::Value* LanesFrom(llvm::IRBuilder<>& b, llvm::Value* vector, unsigned at, unsigned lanes);
// Of vectors of the same length, a power of two of them.
llvm::Value* Joined(llvm::IRBuilder<>& b, std::vector<llvm::Value*> parts);

class Pairs {
 public:
  // Emits an expression.
  using Emit = std::function<llvm::Value*(loop::ExprId)>;
  // Emits a load with so many lanes, from the element on that `id` loads: under a condition
  // perhaps, zeros elsewhere. Null if it is no such load.
  using Load = std::function<llvm::Value*(loop::ExprId id, int32_t lanes)>;

  Pairs(const loop::Kernel& kernel, llvm::IRBuilder<>& b, Emit emit, Load load)
      : kernel_(kernel), b_(b), emit_(std::move(emit)), load_(std::move(load)) {}

  // The value of a vector of i32, if it is a sum of two products of integers of 16 bits, or one.
  llvm::Value* Sum(loop::ExprId value);

 private:
  llvm::Value* One(const loop::Binary& product);
  // The lanes of one and of the other by turns, as integers of 16 bits or less; null if they are
  // wider.
  llvm::Value* Interleaved(loop::ExprId x, loop::ExprId y);
  // Of numbers that are the halves of words, x the lower ones: the words.
  llvm::Value* Words(loop::ExprId x, loop::ExprId y);
  llvm::Value* InterleavedLeaves(loop::ExprId x, loop::ExprId y);
  llvm::Value* Repeated(llvm::Value* pair, int32_t times);
  bool IsNarrow(loop::ExprId id) const;
  // The same of what is made of loads in the same way.
  std::optional<int64_t> Apart(loop::ExprId x, loop::ExprId y) const;
  llvm::Value* Dot(llvm::Value* x, llvm::Value* y);

  const loop::Kernel& kernel_;
  llvm::IRBuilder<>& b_;
  Emit emit_;
  Load load_;
};

}  // namespace webnnc::wasm
