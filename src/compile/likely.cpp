#include "compile/likely.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "base/diagnostics.h"
#include "graph/ops/regions.h"

namespace webnnc {

namespace {

constexpr LikelySize kBatch{1, 1, 8}, kOther{16, 128, 1024};

// "batch", "batch_size", "N"; exporters also make up names, which say nothing.
bool IsBatchName(const std::string& symbol) {
  std::string lower = symbol;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return lower.find("batch") != std::string::npos || lower == "n" || lower == "b" || lower == "bs";
}

LikelySizes ByHabit(const graph::Graph& graph) {
  LikelySizes sizes;
  std::set<std::string> known, defined;
  for (const graph::Port& port : graph.inputs) {
    const Shape& shape = graph.values[port.value].type.shape;
    for (size_t d = 0; d < shape.size(); ++d) {
      std::set<std::string> symbols;
      shape[d].CollectSymbols(symbols);
      for (const std::string& symbol : symbols) {
        if (known.insert(symbol).second)
          sizes.Set(symbol, d == 0 || IsBatchName(symbol) ? kBatch : kOther);
      }
    }
  }
  // What data defines is mostly less than what it may be.
  graph::CollectDefined(graph, defined);
  for (const std::string& symbol : defined) sizes.Set(symbol, kOther);
  return sizes;
}

std::string RangeText(const LikelyRange& range) {
  return std::to_string(range.low) + ".." + std::to_string(range.high);
}

}  // namespace

Result<LikelySizes> LikelySizesOf(const CompileOptions& options, const graph::Graph& graph) {
  LikelySizes sizes = ByHabit(graph);
  for (const auto& [symbol, range] : options.likely_dims) {
    if (!sizes.typical().count(symbol)) {
      Error error{"--dim names " + Quote(symbol) + ", which is not an open size of an input"};
      error.notes.push_back(sizes.empty() ? "the model has no open sizes"
                                          : "open sizes are typically " + sizes.Print());
      return error;
    }
    if (range.low < 1 || range.high < range.low || range.high > INT32_MAX) {
      return Error{"--dim " + symbol + ": " + RangeText(range) +
                   " is no range of sizes from 1 to " + std::to_string(INT32_MAX)};
    }
    auto middle = std::sqrt(static_cast<double>(range.low) * static_cast<double>(range.high));
    sizes.Set(symbol, {range.low, std::llround(middle), range.high});
  }
  return sizes;
}

}  // namespace webnnc
