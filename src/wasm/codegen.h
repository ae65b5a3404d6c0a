// LLVM: from IR to objects. What is here may be called by several threads, each with a context of
// its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "wasm/llvm.h"

namespace webnnc::wasm {

// What all code may use, as LLVM says it; with relaxed SIMD where an engine has it. The runtime is
// compiled for the same (CMakeLists.txt).
std::string FeaturesOf(bool relaxed);

// Writes a module by `emit`, with the bodies of mathematical functions that it calls, and optimises
// it.
std::unique_ptr<llvm::Module> MakeModule(llvm::LLVMContext& context, const std::string& name,
                                         const std::function<void(llvm::Module&)>& emit);

// The object file of a module that MakeModule made.
std::string ObjectOf(llvm::Module& module);

// The bytes of code of each function in an object, by name.
std::map<std::string, int64_t> FunctionBytes(const std::string& object);

}  // namespace webnnc::wasm
