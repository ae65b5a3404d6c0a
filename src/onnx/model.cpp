#include "onnx/model.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "onnx/file_kinds.h"
#include "onnx/narrow.h"

namespace webnnc::onnx {

namespace fs = std::filesystem;

Result<DType> ElementType(int32_t onnx_type) {
  switch (onnx_type) {
    case pb::TensorProto::BOOL: return DType::kBool;
    case pb::TensorProto::INT8: return DType::kI8;
    case pb::TensorProto::UINT8: return DType::kU8;
    case pb::TensorProto::INT16: return DType::kI16;
    case pb::TensorProto::UINT16: return DType::kU16;
    case pb::TensorProto::INT32: return DType::kI32;
    case pb::TensorProto::UINT32: return DType::kU32;
    case pb::TensorProto::INT64: return DType::kI64;
    case pb::TensorProto::UINT64: return DType::kU64;
    case pb::TensorProto::FLOAT16: return DType::kF16;
    case pb::TensorProto::FLOAT: return DType::kF32;
    case pb::TensorProto::DOUBLE: return DType::kF64;
    default: break;
  }
  if (const Narrow* narrow = NarrowType(onnx_type)) return narrow->carried;
  // Types newer than the description of ONNX that this is built with have numbers only.
  static const std::map<int32_t, const char*> kNames = {
      {0, "undefined"}, {8, "string"}, {14, "complex64"}, {15, "complex128"}, {24, "float8e8m0"}};
  auto found = kNames.find(onnx_type);
  std::string name = found == kNames.end() ? "number " + std::to_string(onnx_type) : found->second;
  return Error{"the element type " + name + " is not supported"};
}

// The path with all links followed.
static Result<fs::path> RealPath(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::canonical(path.empty() ? "." : path, error);
  if (error) return Error{"cannot read " + path.string() + ": " + error.message()};
  return real;
}

// Whether `path` is one of `roots`, or a file somewhere below one.
static bool IsWithin(const fs::path& path, const std::vector<std::string>& roots) {
  return std::any_of(roots.begin(), roots.end(), [&](const fs::path& root) {
    return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
  });
}

Result<Model> Model::Load(const std::string& path, const std::vector<std::string>& allow_external) {
  TRY_ASSIGN(auto file, path == "-" ? ReadStandardInput() : MapFile(path));
  // Protobuf counts bytes in an int.
  if (file.bytes.size() > INT32_MAX) {
    return Error{path + " has over 2 GiB in one file, more than protobuf reads",
                 {},
                 {"save the weights as external data"}};
  }
  if (file.bytes.empty()) return Error{path + " is empty"};
  if (auto other = RecognizeOther(file.bytes, path)) return std::move(*other);
  auto proto = std::make_shared<pb::ModelProto>();
  ::google::protobuf::io::ArrayInputStream stream(file.bytes.data(),
                                                  static_cast<int>(file.bytes.size()));
  bool parsed = proto->ParseFromZeroCopyStream(&stream);
  if (!parsed || !proto->has_graph()) {
    return Error{path + " is not an ONNX model, or is cut short"};
  }
  // Many files that are not ONNX parse as protobuf with nothing in it that is known.
  if (proto->graph().node_size() == 0 && proto->graph().output_size() == 0) {
    return Error{path + " is not an ONNX model: its graph is empty"};
  }
  Model model;
  model.proto_ = std::move(proto);
  model.file_ = file;
  model.path_ = path;
  model.folder_ = fs::path(path).parent_path().string();
  TRY_ASSIGN(auto folder, RealPath(model.folder_));
  model.own_folders_.push_back(folder.string());
  if (path != "-") {
    TRY_ASSIGN(auto real, RealPath(path));
    model.own_folders_.push_back(real.parent_path().string());
  }
  for (const std::string& allowed : allow_external) {
    auto real = RealPath(allowed);
    if (!real) return Error{"--allow-external: " + real.error().message};
    model.allowed_.push_back(real.value().string());
  }
  model.files_ = std::make_shared<std::map<std::string, MappedFile>>();
  return model;
}

// The path of external data with all links followed.
Result<std::string> Model::ExternalPath(const std::string& location) const {
  fs::path named = fs::path(location).lexically_normal();
  bool is_path = !location.empty() && location.find('\0') == std::string::npos;
  bool inside = is_path && named.is_relative() && *named.begin() != "..";
  const Error outside{"its external data is at " + Quote(location) +
                      ", which is not a path inside the model's folder"};
  if (!is_path) return outside;
  auto real = RealPath(fs::path(folder_) / location);
  if (!real) return inside ? Error{"its external data: " + real.error().message} : outside;
  if (IsWithin(real.value(), allowed_)) return real.value().string();
  if (!inside) return outside;
  if (IsWithin(real.value(), own_folders_)) return real.value().string();
  return Error{
      "its external data " + Quote(location) + " is a link to " + Quote(real.value().string()) +
          ", outside the model's folder",
      {},
      {"if it shall be read from there: --allow-external " + real.value().parent_path().string()}};
}

Result<TensorData> Model::ReadExternal(const pb::TensorProto& tensor, int64_t bytes) const {
  std::string location;
  int64_t offset = 0, length = bytes;
  auto number = [](const std::string& text, int64_t* value) {
    char* end = nullptr;
    errno = 0;
    *value = std::strtoll(text.c_str(), &end, 10);
    return !text.empty() && *end == '\0' && errno == 0 && *value >= 0;
  };
  for (const auto& entry : tensor.external_data()) {
    bool fine = true;
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") fine = number(entry.value(), &offset);
    if (entry.key() == "length") fine = number(entry.value(), &length);
    if (!fine)
      return Error{"its external data has a bad " + entry.key() + ": " + Quote(entry.value())};
  }
  if (length != bytes) {
    return Error{"its external data has " + std::to_string(length) + " bytes, but its type needs " +
                 std::to_string(bytes)};
  }
  auto found = files_->find(location);
  if (found == files_->end()) {
    TRY_ASSIGN(auto path, ExternalPath(location));
    auto file = MapFile(path);
    if (!file) return Error{"its external data: " + file.error().message};
    found = files_->emplace(location, file.value()).first;
  }
  const MappedFile& file = found->second;
  auto size = static_cast<int64_t>(file.bytes.size());
  if (offset > size || bytes > size - offset) {
    return Error{"its external data ends at byte " + Print(Dim(offset) + bytes) + " of " +
                 Quote(location) + ", which has " + std::to_string(size)};
  }
  return TensorData::View(
      file.bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(bytes)), file.keep_alive);
}

// The elements of one of a tensor's typed fields.
template <typename Field>
static Result<TensorData> FromField(const Field& field, DType dtype, int64_t count,
                                    bool half_bits) {
  if (field.size() != count) {
    return Error{"it has " + std::to_string(field.size()) + " elements, but its shape has " +
                 std::to_string(count)};
  }
  std::vector<uint8_t> bytes(static_cast<size_t>(count * ByteSize(dtype)));
  for (int64_t i = 0; i < count; ++i) {
    auto value = field.Get(static_cast<int>(i));
    if (half_bits) {
      auto bits = static_cast<uint16_t>(value);
      std::memcpy(bytes.data() + i * 2, &bits, 2);
    } else if constexpr (std::is_floating_point_v<decltype(value)>) {
      WriteScalar(bytes.data(), i, Scalar::Real(dtype, value));
    } else {
      WriteScalar(bytes.data(), i, Scalar::Integer(dtype, static_cast<int64_t>(value)));
    }
  }
  return TensorData::Own(std::move(bytes));
}

static Result<TensorData> ReadTyped(const pb::TensorProto& tensor, const TensorType& type) {
  DType dtype = type.dtype;
  // What is less than a byte is given byte by byte.
  if (IsPacked(dtype))
    return FromField(tensor.int32_data(), DType::kU8, ByteSize(type).value(), false);
  int64_t count = ElementCount(type.shape).value();
  switch (dtype) {
    case DType::kF32: return FromField(tensor.float_data(), dtype, count, false);
    case DType::kF64: return FromField(tensor.double_data(), dtype, count, false);
    case DType::kI64: return FromField(tensor.int64_data(), dtype, count, false);
    case DType::kU32:
    case DType::kU64: return FromField(tensor.uint64_data(), dtype, count, false);
    case DType::kF16: return FromField(tensor.int32_data(), dtype, count, true);
    default: return FromField(tensor.int32_data(), dtype, count, false);
  }
}

Result<Tensor> Model::ReadTensor(const pb::TensorProto& tensor) const {
  TRY_ASSIGN(auto stored, ReadStored(tensor));
  const Narrow* narrow = NarrowType(tensor.data_type());
  return narrow ? Decoded(stored, *narrow) : stored;
}

Result<Tensor> Model::ReadStored(const pb::TensorProto& tensor) const {
  Tensor result;
  TRY_ASSIGN(result.type.dtype, ElementType(tensor.data_type()));
  if (const Narrow* narrow = NarrowType(tensor.data_type())) result.type.dtype = narrow->stored;
  for (int64_t size : tensor.dims()) {
    if (size < 0) return Error{"it has a negative size"};
    result.type.shape.push_back(size);
  }
  Dim total = ByteSize(result.type);
  if (IsAbsurd(total)) return Error{"its size is absurd: " + Print(result.type)};
  int64_t bytes = total.value();
  if (tensor.has_segment()) return Error{"it is stored in segments, which is not supported"};
  if (tensor.data_location() == pb::TensorProto::EXTERNAL) {
    TRY_ASSIGN(result.data, ReadExternal(tensor, bytes));
  } else if (tensor.has_raw_data()) {
    const std::string& raw = tensor.raw_data();
    if (static_cast<int64_t>(raw.size()) != bytes) {
      return Error{"it has " + std::to_string(raw.size()) + " bytes, but " + Print(result.type) +
                   " needs " + std::to_string(bytes)};
    }
    result.data =
        TensorData::View({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}, proto_);
  } else {
    TRY_ASSIGN(result.data, ReadTyped(tensor, result.type));
  }
  return result;
}

Tensor Owned(const Tensor& tensor) {
  auto bytes = tensor.data.bytes();
  return {tensor.type, TensorData::Own({bytes.begin(), bytes.end()})};
}

// Where the elements are: indices into the tensor in row-major order, i64[n], or one index a
// dimension, i64[n,rank].
static Result<std::vector<int64_t>> Positions(const Tensor& indices, int64_t count,
                                              const std::vector<int64_t>& shape, int64_t elements) {
  const Shape &type = indices.type.shape, linear{count},
              by_dimension{count, static_cast<int64_t>(shape.size())};
  if (indices.type.dtype != DType::kI64 || (type != linear && type != by_dimension)) {
    return Error{"its indices are " + Print(indices.type)};
  }
  std::vector<int64_t> given = Integers(indices), sizes = shape, positions;
  if (type == linear) sizes = {elements};
  for (size_t i = 0; i < given.size(); ++i) {
    size_t d = i % sizes.size();
    if (given[i] < 0 || given[i] >= sizes[d]) return Error{"it has an index outside its shape"};
    if (d == 0) positions.push_back(0);
    positions.back() = positions.back() * sizes[d] + given[i];
  }
  return positions;
}

Result<Tensor> Model::ReadTensor(const pb::SparseTensorProto& tensor) const {
  constexpr int64_t kMostSparseBytes = int64_t{1} << 30;
  TRY_ASSIGN(auto values, ReadTensor(tensor.values()));
  TRY_ASSIGN(auto indices, ReadTensor(tensor.indices()));
  Tensor result;
  result.type.dtype = values.type.dtype;
  for (int64_t size : tensor.dims()) {
    if (size < 0) return Error{"it has a negative size"};
    result.type.shape.push_back(size);
  }
  // Few stored elements may ask for any amount of memory.
  Dim bytes = ByteSize(result.type);
  if (IsAbsurd(bytes)) return Error{"its size is absurd: " + Print(result.type)};
  if (bytes.value() > kMostSparseBytes - *sparse_bytes_) {
    return Error{Print(result.type) +
                 " takes more memory than is left of the 1 GiB that a model's "
                 "sparse weights may have when they are written out"};
  }
  if (values.type.rank() != 1) return Error{"its values are " + Print(values.type)};
  TRY_ASSIGN(auto positions,
             Positions(indices, values.type.shape[0].value(), StaticShape(result.type.shape),
                       ElementCount(result.type.shape).value()));
  *sparse_bytes_ += bytes.value();
  std::vector<uint8_t> elements(static_cast<size_t>(bytes.value()));
  for (size_t i = 0; i < positions.size(); ++i) {
    WriteScalar(elements.data(), positions[i],
                values.data.At(values.type.dtype, static_cast<int64_t>(i)));
  }
  result.data = TensorData::Own(std::move(elements));
  return result;
}

const pb::TypeProto* TensorTypeIn(const pb::TypeProto& type) {
  const pb::TypeProto* inner = &type;
  if (inner->has_optional_type()) inner = &inner->optional_type().elem_type();
  if (inner->has_sequence_type()) inner = &inner->sequence_type().elem_type();
  return inner->has_tensor_type() ? inner : nullptr;
}

}  // namespace webnnc::onnx
