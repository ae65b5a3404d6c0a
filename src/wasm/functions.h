// Functions of numbers as LLVM values: what loop::UnaryOp, BinaryOp and Convert mean on wasm.
#pragma once

#include "loop/kernel.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

// The type of a value of `lanes` elements; bool is i1.
llvm::Type* ValueType(llvm::LLVMContext& context, DType dtype, int32_t lanes);
// The type in memory: bool is a byte, f16 its bits.
llvm::Type* MemoryType(llvm::LLVMContext& context, DType dtype, int32_t lanes);

// A vector's parts of so many lanes each, and the vector that they are the parts of.
std::vector<llvm::Value*> PartsOf(llvm::IRBuilder<>& b, llvm::Value* vector, int32_t lanes);
llvm::Value* Joined(llvm::IRBuilder<>& b, const std::vector<llvm::Value*>& parts);

// Whether it is a function that several vectors of four have at once, and how many.
constexpr size_t kVectorsAtOnce = 4;
bool HasVectorFunction(loop::UnaryOp op, DType dtype);
std::vector<llvm::Value*> EmitFunction(llvm::IRBuilder<>& b, loop::UnaryOp op,
                                       const std::vector<llvm::Value*>& values);

llvm::Value* EmitUnary(llvm::IRBuilder<>& b, loop::UnaryOp op, DType dtype, llvm::Value* a);
llvm::Value* EmitBinary(llvm::IRBuilder<>& b, loop::BinaryOp op, DType dtype, llvm::Value* x,
                        llvm::Value* y);
llvm::Value* EmitConvert(llvm::IRBuilder<>& b, DType from, DType to, llvm::Value* a);

}  // namespace webnnc::wasm
