// LLVM: from IR to objects. What is here may be called by several threads, each with a context of
// its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "target/target.h"
#include "wasm/llvm.h"

namespace webnnc::wasm {

// What code may use, as LLVM says it: what all engines have, for which the runtime is compiled
// (CMakeLists.txt), and `features`.
std::string FeaturesOf(FeatureSet features);

// Writes a module by `emit`, with the bodies of mathematical functions that it calls, and optimises
// it.
std::unique_ptr<llvm::Module> MakeModule(llvm::LLVMContext& context, const std::string& name,
                                         const std::function<void(llvm::Module&)>& emit);

// The object file of a module that MakeModule made.
std::string ObjectOf(llvm::Module& module);

// The bytes of code of each function in an object, by name.
std::map<std::string, int64_t> FunctionBytes(const std::string& object);

// What the memory that a module imports has at least, in pages; 0 if it imports none.
uint64_t ImportedPages(const std::string& module);

}  // namespace webnnc::wasm
