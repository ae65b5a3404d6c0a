#include "tensor/scalar.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/result.h"
#include "tensor/f16.h"

namespace webnnc {

static int64_t Wrap(DType dtype, int64_t value) {
  switch (dtype) {
    case DType::kBool: return value != 0;
    case DType::kI8: return static_cast<int8_t>(value);
    case DType::kU8: return static_cast<uint8_t>(value);
    case DType::kI16: return static_cast<int16_t>(value);
    case DType::kU16: return static_cast<uint16_t>(value);
    case DType::kI32: return static_cast<int32_t>(value);
    case DType::kU32: return static_cast<uint32_t>(value);
    case DType::kU4:
    case DType::kU2: return value & ((1 << BitSize(dtype)) - 1);
    case DType::kI4:
    case DType::kI2: {
      int64_t unused = 64 - BitSize(dtype);
      return static_cast<int64_t>(static_cast<uint64_t>(value) << unused) >> unused;
    }
    default: return value;
  }
}

static double Round(DType dtype, double value) {
  if (dtype == DType::kF32) return static_cast<float>(value);
  if (dtype == DType::kF16) return HalfToFloat(FloatToHalf(static_cast<float>(value)));
  return value;
}

Scalar Scalar::Integer(DType dtype, int64_t value) {
  CHECK(!IsFloat(dtype));
  return {dtype, Wrap(dtype, value), 0};
}

Scalar Scalar::Real(DType dtype, double value) {
  CHECK(IsFloat(dtype));
  return {dtype, 0, Round(dtype, value)};
}

Scalar Scalar::Of(DType dtype, double value) { return Convert(Real(DType::kF64, value), dtype); }

double Scalar::AsReal() const {
  if (IsFloat(dtype)) return real;
  return dtype == DType::kU64 ? static_cast<double>(static_cast<uint64_t>(integer))
                              : static_cast<double>(integer);
}

bool operator==(const Scalar& a, const Scalar& b) {
  return a.dtype == b.dtype && a.integer == b.integer &&
         std::bit_cast<uint64_t>(a.real) == std::bit_cast<uint64_t>(b.real);
}

static int64_t Saturate(DType to, double value) {
  if (std::isnan(value)) return 0;
  double low = Lowest(to).AsReal(), high = Highest(to).AsReal();
  if (value <= low) return Lowest(to).integer;
  if (value >= high) return Highest(to).integer;
  return to == DType::kU64 ? static_cast<int64_t>(static_cast<uint64_t>(value))
                           : static_cast<int64_t>(value);
}

Scalar Convert(const Scalar& value, DType to) {
  if (value.dtype == to) return value;
  if (IsFloat(to)) return Scalar::Real(to, value.AsReal());
  if (to == DType::kBool) return Scalar::Bool(!value.IsZero());
  if (IsFloat(value.dtype)) return Scalar::Integer(to, Saturate(to, value.real));
  return Scalar::Integer(to, value.integer);
}

Scalar Lowest(DType dtype, bool infinite) {
  switch (dtype) {
    case DType::kI8: return {dtype, std::numeric_limits<int8_t>::min()};
    case DType::kI16: return {dtype, std::numeric_limits<int16_t>::min()};
    case DType::kI32: return {dtype, std::numeric_limits<int32_t>::min()};
    case DType::kI64: return {dtype, std::numeric_limits<int64_t>::min()};
    case DType::kI4:
    case DType::kI2: return {dtype, -(1 << (BitSize(dtype) - 1))};
    case DType::kF16:
    case DType::kF32:
    case DType::kF64: return {dtype, 0, -Highest(dtype, infinite).real};
    default: return {dtype, 0};
  }
}

Scalar Highest(DType dtype, bool infinite) {
  if (IsFloat(dtype) && infinite) return {dtype, 0, std::numeric_limits<double>::infinity()};
  switch (dtype) {
    case DType::kBool: return {dtype, 1};
    case DType::kI8: return {dtype, std::numeric_limits<int8_t>::max()};
    case DType::kU8: return {dtype, std::numeric_limits<uint8_t>::max()};
    case DType::kI16: return {dtype, std::numeric_limits<int16_t>::max()};
    case DType::kU16: return {dtype, std::numeric_limits<uint16_t>::max()};
    case DType::kI32: return {dtype, std::numeric_limits<int32_t>::max()};
    case DType::kU32: return {dtype, std::numeric_limits<uint32_t>::max()};
    case DType::kI64: return {dtype, std::numeric_limits<int64_t>::max()};
    case DType::kU64: return {dtype, -1};
    case DType::kI4:
    case DType::kI2: return {dtype, (1 << (BitSize(dtype) - 1)) - 1};
    case DType::kU4:
    case DType::kU2: return {dtype, (1 << BitSize(dtype)) - 1};
    case DType::kF16: return {dtype, 0, 65504};
    case DType::kF32: return {dtype, 0, std::numeric_limits<float>::max()};
    case DType::kF64: return {dtype, 0, std::numeric_limits<double>::max()};
  }
  CHECK(false);
  return {};
}

template <typename T>
static T ReadAs(const uint8_t* bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
static void WriteAs(uint8_t* bytes, int64_t index, T value) {
  std::memcpy(bytes + index * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

// Where in memory an element of a type with several in a byte is.
struct BitPlace {
  BitPlace(DType dtype, int64_t index)
      : byte(index * BitSize(dtype) / 8), shift(static_cast<int>(index * BitSize(dtype) % 8)) {}

  int64_t byte;
  int shift;
};

Scalar ReadScalar(const uint8_t* bytes, DType dtype, int64_t index) {
  if (IsPacked(dtype)) {
    const BitPlace at(dtype, index);
    return {dtype, Wrap(dtype, bytes[at.byte] >> at.shift)};
  }
  switch (dtype) {
    case DType::kBool: return {dtype, bytes[index] != 0};
    case DType::kI8: return {dtype, ReadAs<int8_t>(bytes, index)};
    case DType::kU8: return {dtype, bytes[index]};
    case DType::kI16: return {dtype, ReadAs<int16_t>(bytes, index)};
    case DType::kU16: return {dtype, ReadAs<uint16_t>(bytes, index)};
    case DType::kI32: return {dtype, ReadAs<int32_t>(bytes, index)};
    case DType::kU32: return {dtype, ReadAs<uint32_t>(bytes, index)};
    case DType::kI64:
    case DType::kU64: return {dtype, ReadAs<int64_t>(bytes, index)};
    case DType::kF16: return {dtype, 0, HalfToFloat(ReadAs<uint16_t>(bytes, index))};
    case DType::kF32: return {dtype, 0, ReadAs<float>(bytes, index)};
    case DType::kF64: return {dtype, 0, ReadAs<double>(bytes, index)};
    default: break;
  }
  CHECK(false);
  return {};
}

void WriteScalar(uint8_t* bytes, int64_t index, const Scalar& value) {
  if (IsPacked(value.dtype)) {
    const BitPlace at(value.dtype, index);
    int mask = (1 << BitSize(value.dtype)) - 1;
    int others = bytes[at.byte] & ~(mask << at.shift);
    bytes[at.byte] =
        static_cast<uint8_t>(others | (static_cast<int>(value.integer) & mask) << at.shift);
    return;
  }
  switch (value.dtype) {
    case DType::kF16: return WriteAs(bytes, index, FloatToHalf(static_cast<float>(value.real)));
    case DType::kF32: return WriteAs(bytes, index, static_cast<float>(value.real));
    case DType::kF64: return WriteAs(bytes, index, value.real);
    default: break;
  }
  switch (ByteSize(value.dtype)) {
    case 1: return WriteAs(bytes, index, static_cast<uint8_t>(value.integer));
    case 2: return WriteAs(bytes, index, static_cast<uint16_t>(value.integer));
    case 4: return WriteAs(bytes, index, static_cast<uint32_t>(value.integer));
    default: return WriteAs(bytes, index, value.integer);
  }
}

}  // namespace webnnc
