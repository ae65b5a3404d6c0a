// TensorData: the elements of a constant tensor, shared and immutable. They are owned, or a range
// of a mapped file that stays mapped while any copy lives.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tensor/scalar.h"
#include "tensor/type.h"

namespace webnnc {

class TensorData {
 public:
  TensorData() = default;
  static TensorData Own(std::vector<uint8_t> bytes);
  static TensorData View(std::span<const uint8_t> bytes, std::shared_ptr<const void> keep_alive);

  std::span<const uint8_t> bytes() const { return bytes_; }
  Scalar At(DType dtype, int64_t index) const { return ReadScalar(bytes_.data(), dtype, index); }

  friend bool operator==(const TensorData& a, const TensorData& b);

 private:
  std::span<const uint8_t> bytes_;
  std::shared_ptr<const void> keep_alive_;
};

// A tensor with static shape and its elements in row-major order, packed, little-endian.
struct Tensor {
  TensorType type;
  TensorData data;
};

Tensor ScalarTensor(const Scalar& value);
Tensor IntegerTensor(DType dtype, const std::vector<int64_t>& values);
// The elements of an integer or bool tensor.
std::vector<int64_t> Integers(const Tensor& tensor);

}  // namespace webnnc
