#include "tensor/data.h"

#include <algorithm>

namespace webnnc {

TensorData TensorData::Own(std::vector<uint8_t> bytes) {
  auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  TensorData data;
  data.bytes_ = *owner;
  data.keep_alive_ = owner;
  return data;
}

TensorData TensorData::View(std::span<const uint8_t> bytes,
                            std::shared_ptr<const void> keep_alive) {
  TensorData data;
  data.bytes_ = bytes;
  data.keep_alive_ = std::move(keep_alive);
  return data;
}

bool operator==(const TensorData& a, const TensorData& b) {
  return a.bytes_.data() == b.bytes_.data() ? a.bytes_.size() == b.bytes_.size()
                                            : std::ranges::equal(a.bytes_, b.bytes_);
}

Tensor ScalarTensor(const Scalar& value) {
  std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(value.dtype)));
  WriteScalar(bytes.data(), 0, value);
  return {{value.dtype, {}}, TensorData::Own(std::move(bytes))};
}

Tensor IntegerTensor(DType dtype, const std::vector<int64_t>& values) {
  const TensorType type{dtype, {static_cast<int64_t>(values.size())}};
  std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
  for (size_t i = 0; i < values.size(); ++i) {
    WriteScalar(bytes.data(), static_cast<int64_t>(i), Scalar::Integer(dtype, values[i]));
  }
  return {type, TensorData::Own(std::move(bytes))};
}

std::vector<int64_t> Integers(const Tensor& tensor) {
  std::vector<int64_t> values(static_cast<size_t>(ElementCount(tensor.type.shape).value()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = tensor.data.At(tensor.type.dtype, static_cast<int64_t>(i)).integer;
  }
  return values;
}

}  // namespace webnnc
