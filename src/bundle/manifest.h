// The section webnnc.manifest, which makes a model.wasm describe itself: JSON with the model's
// inputs and outputs, and for each program what runs. Engines ignore it; model.js reads it with
// WebAssembly.Module.customSections. docs/bundle.md says what is in it.
#pragma once

#include <string>

#include "bundle/contents.h"

namespace webnnc::bundle {

std::string Manifest(const Contents& contents);

}  // namespace webnnc::bundle
