#pragma once

#include <string>

#include "bundle/contents.h"

namespace webnnc::bundle {

// The shaders that a page may choose from, as JavaScript (docs/bundle.md).
std::string AlternativesScript(const Contents& contents);

}  // namespace webnnc::bundle
