#include "tests/onnx/npy.h"

#include "base/file.h"

namespace webnnc {

// NumPy's names for element types, in the order of DType.
static constexpr const char* kDescriptions[kDTypeCount] = {
    "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"};
static constexpr std::string_view kMagic = "\x93NUMPY";
static constexpr size_t kHeaderAt = 10;

Status WriteNpy(const std::string& path, const Tensor& tensor) {
  std::string header = "{'descr': '" +
                       std::string(kDescriptions[static_cast<int>(tensor.type.dtype)]) +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t size : StaticShape(tensor.type.shape)) header += std::to_string(size) + ", ";
  header += "), }";
  // The elements start at a multiple of 64 bytes.
  while ((kHeaderAt + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string bytes(kMagic);
  bytes += '\1';
  bytes += '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  auto elements = tensor.data.bytes();
  bytes.append(elements.begin(), elements.end());
  return WriteFile(path, bytes);
}

static Result<DType> ParseDescription(const std::string& header) {
  for (int i = 0; i < kDTypeCount; ++i) {
    std::string wanted = std::string("'descr': '") + kDescriptions[i] + "'";
    if (header.find(wanted) != std::string::npos) return static_cast<DType>(i);
  }
  return Error{"unknown element type in " + header};
}

static Result<Shape> ParseShape(const std::string& header) {
  size_t open = header.find("'shape': ("), close = header.find(')', open);
  if (open == std::string::npos || close == std::string::npos)
    return Error{"no shape in " + header};
  Shape shape;
  const char* at = header.c_str() + open + 10;
  const char* end = header.c_str() + close;
  while (at < end) {
    char* next = nullptr;
    int64_t size = std::strtoll(at, &next, 10);
    if (next == at) break;
    shape.push_back(size);
    at = next;
    while (at < end && (*at == ',' || *at == ' ')) ++at;
  }
  return shape;
}

Result<Tensor> ReadNpy(const std::string& path) {
  TRY_ASSIGN(auto bytes, ReadFile(path));
  if (bytes.size() < kHeaderAt || !bytes.starts_with(kMagic) || bytes[6] != 1) {
    return Error{path + " is not a .npy file"};
  }
  size_t length =
      static_cast<uint8_t>(bytes[8]) | static_cast<size_t>(static_cast<uint8_t>(bytes[9])) << 8;
  std::string header = bytes.substr(kHeaderAt, length);
  if (header.find("'fortran_order': False") == std::string::npos)
    return Error{path + " is not in C order"};
  Tensor tensor;
  TRY_ASSIGN(tensor.type.dtype, ParseDescription(header));
  TRY_ASSIGN(tensor.type.shape, ParseShape(header));
  std::vector<uint8_t> elements(
      bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), kHeaderAt + length)),
      bytes.end());
  if (!ByteSize(tensor.type).Is(static_cast<int64_t>(elements.size()))) {
    return Error{path + " has " + std::to_string(elements.size()) + " bytes of elements, but is " +
                 Print(tensor.type)};
  }
  tensor.data = TensorData::Own(std::move(elements));
  return tensor;
}

}  // namespace webnnc
