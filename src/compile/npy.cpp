#include "compile/npy.h"

#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "base/diagnostics.h"
#include "base/file.h"
#include "graph/graph.h"

namespace webnnc {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

Error NoNpy(const std::string& path) {
  return Error{path + " is not a .npy file", {}, {"numpy.save makes one"}};
}

// What stands behind 'key': in the header, which is a dictionary as Python writes it.
std::optional<std::string_view> ValueOf(std::string_view header, std::string_view key) {
  const std::string quoted = "'" + std::string(key) + "':";
  size_t at = header.find(quoted);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view value = header.substr(at + quoted.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

// "'<f4'", with the byte order before it: "|" of what has none.
std::optional<DType> DTypeOf(std::string_view described) {
  static const std::map<std::string_view, DType> kTypes = {
      {"b1", DType::kBool}, {"i1", DType::kI8},  {"u1", DType::kU8},  {"i2", DType::kI16},
      {"u2", DType::kU16},  {"i4", DType::kI32}, {"u4", DType::kU32}, {"i8", DType::kI64},
      {"u8", DType::kU64},  {"f2", DType::kF16}, {"f4", DType::kF32}, {"f8", DType::kF64}};
  const bool is_quoted = described.size() > 4 && described[0] == '\'' && described[4] == '\'';
  if (!is_quoted || (described[1] != '<' && described[1] != '|')) return std::nullopt;
  auto type = kTypes.find(described.substr(2, 2));
  return type == kTypes.end() ? std::nullopt : std::optional(type->second);
}

// "(1, 224, 3)", "(3,)" or "()".
std::optional<Shape> ShapeOf(std::string_view text) {
  if (text.empty() || text[0] != '(') return std::nullopt;
  Shape shape;
  for (text.remove_prefix(1); !text.empty() && text[0] != ')';) {
    if (text[0] == ' ' || text[0] == ',') {
      text.remove_prefix(1);
      continue;
    }
    int64_t size = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc() || size < 0) return std::nullopt;
    shape.push_back(size);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
  }
  return text.empty() ? std::nullopt : std::optional(shape);
}

}  // namespace

Result<Tensor> ReadNpy(const std::string& path) {
  TRY_ASSIGN(auto file, MapFile(path));
  const std::string_view bytes(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  // The magic, two bytes of version, and the header's length of two bytes or, since version 2,
  // four.
  constexpr size_t kLengthAt = 8;
  if (!bytes.starts_with(kMagic) || bytes.size() < kLengthAt + 4) return NoNpy(path);
  const size_t length_bytes = file.bytes[kMagic.size()] == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i)
    length |= static_cast<size_t>(file.bytes[kLengthAt + i]) << 8 * i;
  const size_t begin = kLengthAt + length_bytes + length;
  if (begin > bytes.size()) return NoNpy(path);
  const std::string_view header = bytes.substr(kLengthAt + length_bytes, length);
  auto described = ValueOf(header, "descr"), order = ValueOf(header, "fortran_order"),
       shape_text = ValueOf(header, "shape");
  auto shape = shape_text ? ShapeOf(*shape_text) : std::nullopt;
  if (!described || !order || !shape) return NoNpy(path);
  auto dtype = DTypeOf(*described);
  if (!dtype) {
    return Error{
        path + " holds elements of type " + std::string(described->substr(0, described->find(','))),
        {},
        {"what can be read are bools, integers and floats of little-endian machines"}};
  }
  if (!order->starts_with("False"))
    return Error{path + " is in Fortran order", {}, {"save numpy.ascontiguousarray(x)"}};
  const TensorType type{*dtype, *shape};
  TRY(graph::CheckType(type));
  const auto elements = file.bytes.subspan(begin);
  if (static_cast<int64_t>(elements.size()) != ByteSize(type).value()) {
    return Error{path + " holds " + std::to_string(elements.size()) + " bytes, but " + Print(type) +
                 " has " + std::to_string(ByteSize(type).value())};
  }
  return Tensor{type, TensorData::View(elements, file.keep_alive)};
}

}  // namespace webnnc
