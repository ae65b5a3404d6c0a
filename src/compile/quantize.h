// --quantize and --precision, and what they do to a model's results.
#pragma once

#include <functional>

#include "base/result.h"
#include "compile/code.h"
#include "plan/schedule_kernels.h"

namespace webnnc {

// How much is done, from 0 to 1.
using Part = std::function<void(double)>;

// Stores the model's weights and computes its values in fewer bits, as its options say, and runs it
// before and after on the inputs that --calibrate gives, or else on made-up ones, to tell what its
// outputs differ by. Errors: files that are no inputs of the model; that what it computes cannot be
// seen.
Status QuantizeModel(Model& model, const plan::Warn& warn, const Part& part);

// After all: an error if a flag changed none of them.
Status CheckQuantized(const std::vector<Model>& models, const CompileOptions& options);

}  // namespace webnnc
