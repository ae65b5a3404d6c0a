#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace webnnc::onnx {

// Files that are given by mistake, told by how they begin: an error that calls the file by its kind
// and says how to get an ONNX file, or nothing if it may be one.
std::optional<Error> RecognizeOther(std::span<const uint8_t> bytes, const std::string& path);

}  // namespace webnnc::onnx
