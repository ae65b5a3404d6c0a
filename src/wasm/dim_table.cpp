#include "wasm/dim_table.h"

#include <algorithm>
#include <set>

namespace webnnc::wasm {

DimTable::DimTable(const std::vector<plan::Port>& inputs) {
  for (const plan::Port& port : inputs) {
    for (const Dim& size : port.type.shape) {
      std::set<std::string> symbols;
      size.CollectSymbols(symbols);
      for (const std::string& symbol : symbols) {
        if (std::find(symbols_.begin(), symbols_.end(), symbol) != symbols_.end()) continue;
        symbols_.push_back(symbol);
        Add(Dim::Symbol(symbol));
      }
    }
  }
}

abi::Size DimTable::Add(const Dim& dim) {
  if (dim.IsConstant()) return static_cast<abi::Size>(dim.value());
  auto [found, is_new] = index_.emplace(dim, ~static_cast<abi::Size>(dims_.size()));
  if (is_new) dims_.push_back(dim);
  return found->second;
}

abi::Size DimTable::Find(const Dim& dim) const {
  if (dim.IsConstant()) return static_cast<abi::Size>(dim.value());
  auto found = index_.find(dim);
  CHECK(found != index_.end());
  return found->second;
}

}  // namespace webnnc::wasm
