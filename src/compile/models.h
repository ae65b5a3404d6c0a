// The models that the flags name, and what they are called.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "compile/code.h"
#include "webnnc/compiler.h"

namespace webnnc {

// The files that are compiled, as an error of all of them says: "encoder.onnx, decoder.onnx".
std::string FilesOf(const CompileOptions& options);

// Before anything is known of them but their keys. Errors: two with one key, and keys that cannot
// be names in an object of models.
Result<std::vector<Model>> ModelsOf(const CompileOptions& options);

// What a model is called: "digits" of "models/digits.onnx" and of "digits/model.onnx", or else what
// the file calls it.
std::string NameOf(const Model& model);
// And the bundle: as its model, or by the keys of several.
std::string NameOf(const CompileOptions& options, const Code& code);

}  // namespace webnnc
