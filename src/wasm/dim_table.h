// The sizes that a model computes when it runs: the symbols first, then every size that kernels,
// buffers and outputs need and that is not a constant.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "wasm/model_input.h"
#include "webnnc/abi.h"

namespace webnnc::wasm {

class DimTable {
 public:
  // The symbols of the inputs' shapes, in the order they appear.
  explicit DimTable(const std::vector<plan::Port>& inputs);

  // Adds the size if it is not there yet. A run in which it is negative is refused.
  abi::Size Add(const Dim& dim);
  // What is added from now on may be negative: terms of indices.
  void BeginTerms() { sizes_ = dims_.size(); }
  // How many of `dims`, the first, are sizes.
  size_t sizes() const { return sizes_; }
  // The size, which has been added.
  abi::Size Find(const Dim& dim) const;

  const std::vector<std::string>& symbols() const { return symbols_; }
  const std::vector<Dim>& dims() const { return dims_; }

 private:
  std::vector<std::string> symbols_;
  std::vector<Dim> dims_;
  size_t sizes_ = 0;
  std::map<Dim, abi::Size> index_;
};

// The sizes of everything in `input`.
DimTable CollectDims(const ModelInput& input);

}  // namespace webnnc::wasm
