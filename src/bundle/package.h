#pragma once

#include <string>

#include "bundle/contents.h"

namespace webnnc::bundle {

// package.json: makes the folder a package of ES modules, for Node, bundlers and npm. Its version
// names the build: 0.0.0-build-7cebec989d9b7f32. Whoever publishes it gives it another.
std::string PackageJson(const Contents& contents);

// Whether the text of a package.json was written by PackageJson, and is not that of a project.
bool IsOurPackage(const std::string& text);

}  // namespace webnnc::bundle
