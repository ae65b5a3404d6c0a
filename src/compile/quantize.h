// --quantize, and what it does to a model's results.
#pragma once

#include <functional>

#include "base/result.h"
#include "compile/code.h"
#include "plan/schedule_kernels.h"

namespace webnnc {

// How much is done, from 0 to 1.
using Part = std::function<void(double)>;

// Stores the model's weights as `storage` says, and computes the model before and after on the
// inputs that --calibrate gives, or else on made-up ones, to tell what its outputs differ by.
// Errors: files that are no inputs of the model.
Status QuantizeModel(Model& model, const WeightStorage& storage, const plan::Warn& warn,
                     const Part& part);

// After all: an error if no weight of any became smaller.
Status CheckQuantized(const std::vector<Model>& models, const WeightStorage& storage);

}  // namespace webnnc
