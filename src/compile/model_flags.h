// Which of several models a flag speaks of. As it is written, it is for every model that has what
// it names: --dim batch=1, --labels labels.txt. With a model's key before it, it is for that model
// alone, and goes before what is said of all: --dim decoder:batch=4.
#pragma once

#include <vector>

#include "base/result.h"
#include "compile/code.h"
#include "webnnc/compiler.h"

namespace webnnc {

// Gives models their part of --dim and --input, which must be known before they are imported.
// Errors: one that is for no model.
Status GiveSizeFlags(const CompileOptions& options, std::vector<Model>& models);

// The same of what speaks of imported graphs: sizes that are likely, --state, --image, --labels,
// --boxes.
Status GivePortFlags(const CompileOptions& options, std::vector<Model>& models);

}  // namespace webnnc
