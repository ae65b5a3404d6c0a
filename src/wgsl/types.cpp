#include "wgsl/types.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace webnnc::wgsl {

// ---- Types ------------------------------------------------------------------------------------

bool IsArray(const SPIRType& type) { return !type.array.empty(); }
bool IsStruct(const SPIRType& type) {
  return type.array.empty() && type.basetype == SPIRType::Struct;
}
bool IsInteger(const SPIRType& type) {
  return type.basetype == SPIRType::Int || type.basetype == SPIRType::UInt;
}

// Its id, since SPIRV-Cross gives an array its element's.
static SpirvId InsideId(const SPIRType& type) {
  return IsStruct(type) ? SpirvId(type.member_types[0]) : SpirvId(type.parent_type);
}

const SPIRType& Inside(const Source& source, const SPIRType& type) {
  return source.Type(InsideId(type));
}

SPIRType WithComponents(const SPIRType& type, SPIRType::BaseType components) {
  SPIRType other = type;
  other.basetype = components;
  return other;
}

std::string MatrixText(const Source& source, const SPIRType& type) {
  auto [rows, columns] = *source.Matrix(type);
  return TypeText(source, Inside(source, type)) + ", " + std::to_string(columns) + ", " +
         std::to_string(rows);
}

std::string TypeText(const Source& source, const SPIRType& type) {
  // What a variable holds; of a value only its load says which side it is.
  if (source.Matrix(type)) return "subgroup_matrix_result<" + MatrixText(source, type) + ">";
  if (IsStruct(type)) return TypeText(source, Inside(source, type));
  if (IsArray(type)) {
    std::string element = TypeText(source, Inside(source, type));
    uint32_t size = type.array.back();
    return "array<" + element + (size ? ", " + std::to_string(size) : "") + ">";
  }
  bool is_vector = type.vecsize > 1;
  std::string vector = "vec" + std::to_string(type.vecsize);
  switch (type.basetype) {
    case SPIRType::Boolean: return is_vector ? vector + "<bool>" : "bool";
    case SPIRType::Int: return is_vector ? vector + "i" : "i32";
    case SPIRType::UInt: return is_vector ? vector + "u" : "u32";
    case SPIRType::Half: return is_vector ? vector + "h" : "f16";
    default: return is_vector ? vector + "f" : "f32";
  }
}

// ---- Layouts ----------------------------------------------------------------------------------

static uint32_t RoundUp(uint32_t value, uint32_t unit) { return (value + unit - 1) / unit * unit; }

namespace {
struct Layout {
  uint32_t size = 0, alignment = 1;
};
}  // namespace

static Layout LayoutOf(const Source& source, const SPIRType& type) {
  if (IsStruct(type) || IsArray(type)) return LayoutOf(source, Inside(source, type));
  uint32_t component = type.basetype == SPIRType::Half ? 2 : 4;
  return {component * type.vecsize, component * (type.vecsize == 3 ? 4 : type.vecsize)};
}

Status CheckLayout(const Source& source, const SPIRVariable& variable) {
  SpirvId id = source.TypeIdOfVariable(variable);
  while (IsStruct(source.Type(id))) id = InsideId(source.Type(id));
  const SPIRType* type = &source.Type(id);
  if (!IsArray(*type)) return kSuccess;
  const SPIRType& element = Inside(source, *type);
  std::string name = "'" + source.NameOf(variable.self) + "'";
  if (IsArray(element) || IsStruct(element)) {
    return Error{"the SPIR-V has an array inside an array in buffer " + name};
  }
  auto [size, alignment] = LayoutOf(source, element);
  uint32_t stride = source.Decoration(id, spv::DecorationArrayStride);
  bool is_uniform = variable.storage == spv::StorageClassUniform;
  if (stride != RoundUp(size, alignment) || (is_uniform && stride % 16 != 0)) {
    return Error{"the SPIR-V has an array stride of " + std::to_string(stride) + " in buffer " +
                 name + ", which WGSL cannot have for " + TypeText(source, element)};
  }
  return kSuccess;
}

// ---- Constants --------------------------------------------------------------------------------

std::string FloatText(float magnitude, bool is_half) {
  char buffer[48];
  // The shortest text that reads back as the same number.
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof(buffer), magnitude).ptr);
  // Without a suffix it is read as f64 first, which must not be above the largest f32.
  if (std::strtod(text.c_str(), nullptr) > std::numeric_limits<float>::max()) {
    std::snprintf(buffer, sizeof(buffer), "%.17g", static_cast<double>(magnitude));
    text = buffer;
  }
  // 1e-05 and 1e+10 become 1e-5 and 1e10.
  size_t exponent = text.find('e');
  if (exponent != std::string::npos) {
    text = text.substr(0, exponent) + "e" + std::to_string(std::stoi(text.substr(exponent + 1)));
  } else if (text.find('.') == std::string::npos) {
    text += ".0";
  }
  return is_half ? text + "h" : text;
}

std::string IntegerText(uint32_t magnitude, bool is_unsigned) {
  if (!is_unsigned) return std::to_string(magnitude);
  // Large ones are bit patterns.
  char hexadecimal[16];
  std::snprintf(hexadecimal, sizeof(hexadecimal), "0x%xu", magnitude);
  return magnitude > 0xffff ? hexadecimal : std::to_string(magnitude) + "u";
}

}  // namespace webnnc::wgsl
