// .npy files (NumPy's format, version 1), which compiled models read and write under WASI.
#pragma once

#include <string>

#include "base/result.h"
#include "tensor/data.h"

namespace webnnc {

Status WriteNpy(const std::string& path, const Tensor& tensor);
// Errors: no such file, not in C order, an element type that is not one of ours.
Result<Tensor> ReadNpy(const std::string& path);

}  // namespace webnnc
