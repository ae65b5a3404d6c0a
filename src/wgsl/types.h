#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "wgsl/source.h"

namespace webnnc::wgsl {

// "vec4f", "array<u32, 64>". A struct, which has one member, is written as that member: a buffer of
// struct { float data[]; } is simply an array<f32>.
std::string TypeText(const Source& source, const SPIRType& type);
// Of a matrix: its elements' type, columns and rows.
std::string MatrixText(const Source& source, const SPIRType& type);
// The type of what is inside: a struct's member, an array's element, a vector's component.
const SPIRType& Inside(const Source& source, const SPIRType& type);

bool IsArray(const SPIRType& type);
bool IsStruct(const SPIRType& type);
bool IsInteger(const SPIRType& type);
// The same type with other components.
SPIRType WithComponents(const SPIRType& type, SPIRType::BaseType components);

// Checks that the host's memory is laid out as WGSL does it.
Status CheckLayout(const Source& source, const SPIRVariable& variable);

// ---- Constants

// A number as a literal of its type, without a sign: 1.5, 1.5h, 7, 7u, 0x7f800000u. Floats must be
// finite.
std::string FloatText(float magnitude, bool is_half);
std::string IntegerText(uint32_t magnitude, bool is_unsigned);

}  // namespace webnnc::wgsl
