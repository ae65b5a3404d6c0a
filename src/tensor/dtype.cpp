#include "tensor/dtype.h"

#include <iterator>

namespace webnnc {

static constexpr struct {
  std::string_view name, web_name;
  int64_t bits;
} kDTypes[] = {
    {"bool", "bool", 8},   {"i8", "int8", 8},      {"u8", "uint8", 8},     {"i16", "int16", 16},
    {"u16", "uint16", 16}, {"i32", "int32", 32},   {"u32", "uint32", 32},  {"i64", "int64", 64},
    {"u64", "uint64", 64}, {"f16", "float16", 16}, {"f32", "float32", 32}, {"f64", "float64", 64},
    {"i4", "int4", 4},     {"u4", "uint4", 4},     {"i2", "int2", 2},      {"u2", "uint2", 2},
};
static_assert(std::size(kDTypes) == kDTypeCount);

std::string_view Name(DType dtype) { return kDTypes[static_cast<int>(dtype)].name; }

std::string_view WebName(DType dtype) { return kDTypes[static_cast<int>(dtype)].web_name; }

std::optional<DType> DTypeNamed(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int64_t BitSize(DType dtype) { return kDTypes[static_cast<int>(dtype)].bits; }

int64_t ByteSize(DType dtype) { return IsPacked(dtype) ? 1 : BitSize(dtype) / 8; }

bool IsFloat(DType dtype) { return dtype >= DType::kF16 && dtype <= DType::kF64; }

bool IsInteger(DType dtype) { return dtype != DType::kBool && !IsFloat(dtype); }

bool IsSigned(DType dtype) {
  switch (dtype) {
    case DType::kI8:
    case DType::kI16:
    case DType::kI32:
    case DType::kI64:
    case DType::kI4:
    case DType::kI2:
    case DType::kF16:
    case DType::kF32:
    case DType::kF64: return true;
    default: return false;
  }
}

}  // namespace webnnc
