// The records of webnnc/abi.h as LLVM's constants, from the same table:
//
//   records::ConstantOf(context, {.kind = ..., .bytes = ..., ...})    a constant struct
//   records::BufferField::offset                                     a field's number in it
#pragma once

#include <type_traits>

#include "base/result.h"
#include "wasm/llvm.h"
#include "webnnc/abi.h"

namespace webnnc::wasm::records {

// clang-format off

// A record with a constant for each field, all of which must be given.
#define RECORD(record) struct record {
#define FIELD(record, type, field) llvm::Constant* field = nullptr;
#define END(record) };
#include "webnnc/abi.def"

#define RECORD(record) struct record##Field { enum Number : unsigned {
#define FIELD(record, type, field) field,
#define END(record) }; };
#include "webnnc/abi.def"

template <typename Type>
llvm::Constant* Checked(llvm::Constant* value) {
  CHECK(value);
  CHECK(value->getType()->isPointerTy() == std::is_pointer_v<Type>);
  CHECK(std::is_pointer_v<Type> || value->getType()->isIntegerTy(32));
  return value;
}

#define RECORD(record)                                                                  \
  inline llvm::Constant* ConstantOf(llvm::LLVMContext& context, const record& values) { \
    using namespace abi;                                                                \
    return llvm::ConstantStruct::getAnon(context, {
#define FIELD(record, type, field) Checked<type>(values.field),
#define END(record) }); }
#include "webnnc/abi.def"

// clang-format on

}  // namespace webnnc::wasm::records
