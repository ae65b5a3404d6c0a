#include "bundle/sample_sizes.h"

namespace webnnc::bundle {

SampleSizes::SampleSizes(const plan::Program& program) {
  for (const plan::Port& port : program.inputs) {
    for (size_t d = 0; d < port.type.shape.size(); ++d) {
      std::set<std::string> symbols;
      port.type.shape[d].CollectSymbols(symbols);
      for (const std::string& symbol : symbols) values_.emplace(symbol, d == 0 ? 1 : 128);
    }
  }
}

std::string SampleSizes::Print() const {
  std::string out;
  for (const auto& [symbol, value] : values_)
    out += (out.empty() ? "" : ", ") + symbol + " = " + std::to_string(value);
  return out;
}

}  // namespace webnnc::bundle
