#pragma once

#include <string>

#include "bundle/contents.h"

namespace webnnc::bundle {

// What each step of each program does, as JavaScript (docs/bundle.md): functions of the symbols'
// values, that give operations and bytes.
std::string WorkScript(const Contents& contents);

// model.profile.js, with this and with the record of the build in their places.
std::string ProfileScript(const Contents& contents, const std::string& record);

}  // namespace webnnc::bundle
