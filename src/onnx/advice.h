#pragma once

#include <string>
#include <string_view>

namespace webnnc::onnx {

// What one can do about an operator that is not supported, as one sentence; empty if nothing is
// known to help.
std::string AdviceFor(std::string_view domain, std::string_view op_type);

}  // namespace webnnc::onnx
