// The sizes that a model computes when it runs: the symbols first, then every size that kernels,
// buffers and outputs need and that is not a constant. Sizes that mention symbols which a run
// defines itself come last, by the plan from which on they are known.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "wasm/model_input.h"
#include "webnnc/abi.h"

namespace webnnc::wasm {

class DimTable {
 public:
  // The symbols of the inputs' shapes, in the order they appear, and behind them those of the
  // program's plans.
  explicit DimTable(const plan::Program& program);

  // Adds the size if it is not there yet. A run in which it is negative is refused.
  void Add(const Dim& dim);
  // Adds those that a plan checks. They are not looked up.
  void AddChecks(const plan::Program& program);
  // What is added from now on may be negative: terms of indices.
  void BeginTerms();
  // Nothing more is added.
  void Finish();
  // How many of `dims`, the first, are sizes that are known from the start, or symbols.
  size_t sizes() const { return sizes_; }
  // The size, which has been added.
  abi::Size Find(const Dim& dim) const;

  // How many symbols inputs have, and all.
  size_t input_symbols() const { return input_symbols_; }
  const std::vector<std::string>& symbols() const { return symbols_; }
  const std::vector<Dim>& dims() const { return dims_; }

  // A size that a plan computes: where in `dims` it is, and whether it must not be negative.
  struct Later {
    size_t at;
    bool is_size;
  };
  // By the numbers of plans; of plan 0 there are none.
  const std::vector<std::vector<Later>>& later() const { return later_; }

 private:
  int PlanOf(const Dim& dim) const;

  std::vector<std::string> symbols_;
  size_t input_symbols_ = 0;
  std::map<std::string, int> plan_of_;
  std::vector<Dim> dims_;
  size_t sizes_ = 0;
  bool terms_ = false;
  std::map<Dim, abi::Size> index_;
  // By plans, as they were added; and whether they are sizes.
  std::vector<std::vector<std::pair<Dim, bool>>> waiting_;
  std::vector<std::vector<Later>> later_;
};

// The sizes of everything in `input`.
DimTable CollectDims(const ModelInput& input);

}  // namespace webnnc::wasm
