// The sections that make a model.wasm describe itself. Engines ignore them; model.js reads them
// with WebAssembly.Module.customSections.
//
//   webnnc.manifest   JSON: the model's inputs and outputs, and for each program what runs
//   webnnc.shaders    the WGSL texts, separated by zero bytes; one that several kernels have is
//   there
//                     once
//
// docs/bundle.md says what is in them.
#pragma once

#include <string>

#include "bundle/contents.h"

namespace webnnc::bundle {

std::string Manifest(const Contents& contents);
std::string Shaders(const Contents& contents);

// A shader without the spaces that people alone need: those between two words stay, and those
// between two operators. Lines stay, which errors speak of.
std::string Compact(const std::string& wgsl);

}  // namespace webnnc::bundle
