// The models that the flags name, before anything is known of them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "compile/code.h"
#include "webnnc/compiler.h"

namespace webnnc {

// The files that are compiled, as an error of all of them says: "encoder.onnx, decoder.onnx".
std::string FilesOf(const CompileOptions& options);

Result<std::vector<Model>> ModelsOf(const CompileOptions& options);

}  // namespace webnnc
