// The sizes that a model computes when it runs: the symbols first, then every size that kernels,
// buffers and outputs need and that is not a constant. Sizes that mention symbols which a run
// defines itself come last, by the plan from which on they are known.
#pragma once

#include <map>
#include <set>
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

  // Adds the size if it is not there yet. A run in which it is negative is refused. `loops` are the
  // plans of loops that it is needed in: of one that is known by such a plan this is asked only if
  // the loop goes on, since what it uses up may be too short for one more iteration. Of others that
  // such a plan knows it is asked when the loop has ended.
  void Add(const Dim& dim, const std::set<int>& loops = {});
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

  // A size that a plan computes: where in `dims` it is, and when it must not be negative: if the
  // plan's loop goes on, and behind it.
  struct Later {
    size_t at;
    bool in_loop, behind;
    bool is_size() const { return in_loop || behind; }
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
  // By plans, as they were added.
  struct Waiting {
    Dim dim;
    bool in_loop, behind;
  };
  std::vector<std::vector<Waiting>> waiting_;
  std::vector<std::vector<Later>> later_;
};

// The sizes of everything in `input`.
DimTable CollectDims(const ModelInput& input);

}  // namespace webnnc::wasm
