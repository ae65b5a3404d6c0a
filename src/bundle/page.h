#pragma once

#include <string_view>

namespace webnnc::bundle {

// A file of runtime-js, as it was when the compiler was built: "model.js", "model.d.ts" or
// "index.html".
std::string_view PageFile(std::string_view name);

}  // namespace webnnc::bundle
