#include "wasm/dim_table.h"

#include <algorithm>
#include <set>

namespace webnnc::wasm {

DimTable::DimTable(const plan::Program& program)
    : symbols_(SymbolsOf(program)),
      input_symbols_(InputSymbols(program).size()),
      waiting_(1),
      later_(1) {
  for (const std::string& symbol : symbols_) {
    index_.emplace(Dim::Symbol(symbol), ~static_cast<abi::Size>(dims_.size()));
    dims_.push_back(Dim::Symbol(symbol));
  }
  for (const plan::Plan* plan : PlansOf(program)) {
    auto number = static_cast<size_t>(plan->number);
    waiting_.resize(std::max(waiting_.size(), number + 1));
    for (const std::string& symbol : plan->symbols) plan_of_[symbol] = plan->number;
  }
}

// The last of those that its symbols are known from.
int DimTable::PlanOf(const Dim& dim) const {
  int plan = 0;
  std::set<std::string> symbols;
  if (!plan_of_.empty()) dim.CollectSymbols(symbols);
  for (const std::string& symbol : symbols) {
    auto found = plan_of_.find(symbol);
    if (found != plan_of_.end()) plan = std::max(plan, found->second);
  }
  return plan;
}

void DimTable::Add(const Dim& dim, const std::set<int>& loops) {
  if (dim.IsConstant()) return;
  if (int plan = PlanOf(dim); plan > 0) {
    bool in_loop = loops.count(plan) > 0;
    waiting_[static_cast<size_t>(plan)].push_back({dim, !terms_ && in_loop, !terms_ && !in_loop});
    return;
  }
  auto [found, is_new] = index_.emplace(dim, ~static_cast<abi::Size>(dims_.size()));
  if (is_new) dims_.push_back(dim);
}

void DimTable::AddChecks(const plan::Program& program) {
  for (const plan::Plan* plan : PlansOf(program)) {
    for (const Dim& dim : plan->not_negative) {
      if (dim.IsConstant() && dim.value() >= 0) continue;
      int known = std::max(plan->number, PlanOf(dim));
      waiting_[static_cast<size_t>(known)].push_back({dim, false, true});
    }
  }
}

void DimTable::BeginTerms() {
  sizes_ = dims_.size();
  terms_ = true;
}

void DimTable::Finish() {
  later_.resize(waiting_.size());
  for (size_t plan = 0; plan < waiting_.size(); ++plan) {
    std::map<Dim, size_t> places;
    for (const auto& [dim, in_loop, behind] : waiting_[plan]) {
      auto [found, is_new] = index_.emplace(dim, ~static_cast<abi::Size>(dims_.size()));
      if (is_new) {
        places[dim] = later_[plan].size();
        later_[plan].push_back({dims_.size(), in_loop, behind});
        dims_.push_back(dim);
      } else if (auto place = places.find(dim); place != places.end()) {
        DimTable::Later& later = later_[plan][place->second];
        later.in_loop |= in_loop;
        later.behind |= behind;
      }
    }
  }
}

abi::Size DimTable::Find(const Dim& dim) const {
  if (dim.IsConstant()) return static_cast<abi::Size>(dim.value());
  auto found = index_.find(dim);
  CHECK(found != index_.end());
  return found->second;
}

}  // namespace webnnc::wasm
