// Sums of products of integers of 16 bits by the instruction that multiplies pairs of them:
//
//   acc[j] += i32(a[2k]) * i32(b[2k, j]) + i32(a[2k + 1]) * i32(b[2k + 1, j])
//
// is i32x4.dot_i16x8_s of a[2k], a[2k + 1] four times and of b[2k, j], b[2k + 1, j] for each j.
#pragma once

#include "wasm/emission.h"

namespace webnnc::wasm {

class Pairs {
 public:
  explicit Pairs(const Emission& of) : of_(of), kernel_(of.kernel), b_(of.b) {}

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

  const Emission& of_;
  const loop::Kernel& kernel_;
  llvm::IRBuilder<>& b_;
};

}  // namespace webnnc::wasm
