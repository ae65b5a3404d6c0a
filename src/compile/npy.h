#pragma once

#include <string>

#include "base/result.h"
#include "tensor/data.h"

namespace webnnc {

// Reads a tensor from a file of NumPy's format, of any version: bools, integers and floats in C
// order, little-endian. Errors name the file, and say how NumPy writes one that can be read.
Result<Tensor> ReadNpy(const std::string& path);

}  // namespace webnnc
