#pragma once

#include <string_view>

namespace webnnc::bundle {

// A file of runtime-js, as it was when the compiler was built: "model.js", "report.css". Which
// there are is in CMakeLists.txt.
std::string_view PageFile(std::string_view name);

}  // namespace webnnc::bundle
