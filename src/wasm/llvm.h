// LLVM's headers, which only this folder includes, without the warnings they cause.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <llvm/Analysis/VectorUtils.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsWebAssembly.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>
#pragma GCC diagnostic pop
