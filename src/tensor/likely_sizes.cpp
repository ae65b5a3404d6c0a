#include "tensor/likely_sizes.h"

#include <set>

namespace webnnc {

namespace {

double Evaluate(const Dim& dim, const SymbolValues& known, int64_t otherwise) {
  if (dim.IsConstant()) return static_cast<double>(dim.value());
  SymbolValues values = known;
  std::set<std::string> symbols;
  dim.CollectSymbols(symbols);
  for (const std::string& symbol : symbols) values.emplace(symbol, otherwise);
  return static_cast<double>(dim.Evaluate(values));
}

}  // namespace

void LikelySizes::Set(const std::string& symbol, const LikelySize& size) {
  low_[symbol] = size.low;
  typical_[symbol] = size.typical;
  high_[symbol] = size.high;
}

double LikelySizes::Typical(const Dim& dim) const {
  return Evaluate(dim, typical_, LikelySize{}.typical);
}
double LikelySizes::Low(const Dim& dim) const { return Evaluate(dim, low_, LikelySize{}.low); }
double LikelySizes::High(const Dim& dim) const { return Evaluate(dim, high_, LikelySize{}.high); }

std::string LikelySizes::Print() const {
  std::string out;
  for (const auto& [symbol, value] : typical_)
    out += (out.empty() ? "" : ", ") + symbol + " = " + std::to_string(value);
  return out;
}

}  // namespace webnnc
