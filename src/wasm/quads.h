// Sums of products of four bytes by the instruction of relaxed SIMD that multiplies sixteen,
// i32x4.relaxed_dot_i8x16_i7x16_add_s. Its second factor has 7 bits; of 8 engines take it with a
// sign or without. A module that multiplies bytes runs where one of the two is exact
// (runtime-js/relaxed_simd.js), and asks which one:
//
//   dotbyte(x)          x - shift        shift = 0 or 128
//   dotbytes(word)      word ^ shift * 0x01010101
//   acc + dot4(dotbytes(word), y)        the instruction, of y and the former
#pragma once

#include "wasm/emission.h"

namespace webnnc::wasm {

// kDotByte and kDotBytes.
llvm::Value* EmitDotByte(llvm::IRBuilder<>& b, llvm::Value* x);
llvm::Value* EmitDotBytes(llvm::IRBuilder<>& b, llvm::Value* words);

class Quads {
 public:
  explicit Quads(const Emission& of) : of_(of), kernel_(of.kernel), b_(of.b) {}

  // `old` and a vector of i32, if that is kDot4 of what kDotBytes gives.
  llvm::Value* Sum(loop::ExprId value, llvm::Value* old);

  // A word that is put together of four bytes, each widened and those but the highest masked: one
  // load, if they are neighbours in memory; of vectors, the bytes by turns. Null if it is none.
  llvm::Value* Word(loop::ExprId value);

 private:
  // Null if it is not made by kDotBytes.
  const loop::Unary* SecondOf(loop::ExprId id) const;

  const Emission& of_;
  const loop::Kernel& kernel_;
  llvm::IRBuilder<>& b_;
};

}  // namespace webnnc::wasm
