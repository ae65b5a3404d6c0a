#include "compile/calibration.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/diagnostics.h"
#include "compile/npy.h"
#include "compile/port_flags.h"
#include "graph/run_work.h"

namespace webnnc {

namespace {

// Whether a tensor of this shape is one of those that the other, which may be open, stands for.
bool Fits(const Shape& shape, const Shape& open) {
  return std::equal(
      shape.begin(), shape.end(), open.begin(), open.end(),
      [](const Dim& size, const Dim& wanted) { return !wanted.IsConstant() || size == wanted; });
}

// The elements as those that the model takes: floats are rounded, integers must fit.
Result<Tensor> As(const Tensor& tensor, const TensorType& wanted) {
  const DType from = tensor.type.dtype, dtype = wanted.dtype;
  const int64_t count = ElementCount(tensor.type.shape).value();
  const TensorType type{dtype, tensor.type.shape};
  if (IsFloat(from) != IsFloat(dtype) || (from == DType::kBool) != (dtype == DType::kBool) ||
      !Fits(type.shape, wanted.shape))
    return Error{"it is " + Print(tensor.type) + ", but the model takes " + Print(wanted)};
  std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
  for (int64_t i = 0; i < count; ++i) {
    const Scalar value = tensor.data.At(from, i), converted = Convert(value, dtype);
    if (IsFloat(dtype) ? !std::isfinite(converted.real) : converted.integer != value.integer) {
      return Error{
          "element " + std::to_string(i) + " is " + PrintReal(value.AsReal()) +
          (IsFloat(dtype) ? ", which is not finite" : ", and no " + std::string(Name(dtype)))};
    }
    WriteScalar(bytes.data(), i, converted);
  }
  return Tensor{type, TensorData::Own(std::move(bytes))};
}

Result<Tensor> ReadSample(const std::string& path, const graph::Port& port,
                          const TensorType& wanted) {
  TRY_ASSIGN(auto tensor, ReadNpy(path));
  auto converted = As(tensor, wanted);
  if (!converted) {
    return Error{"--calibrate " + path + " for input " + Quote(port.name) + ": " +
                 converted.error().message};
  }
  return converted;
}

// The same numbers everywhere, by xorshift: std's distributions are each library's own.
class Numbers {
 public:
  double Even() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }
  // A sum of twelve, which has a variance of 1.
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Even();
    return sum;
  }
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Even() * static_cast<double>(high - low + 1));
  }

 private:
  uint64_t state_ = 0x9E3779B97F4A7C15;
};

std::set<std::string> SymbolsOf(const Assumption& rule) {
  std::set<std::string> symbols;
  rule.left.CollectSymbols(symbols);
  rule.right.CollectSymbols(symbols);
  return symbols;
}

// How many of the rules do not hold for these sizes.
ptrdiff_t Broken(const std::vector<const Assumption*>& rules, const SymbolValues& sizes) {
  return std::count_if(rules.begin(), rules.end(),
                       [&](const Assumption* rule) { return !Holds(*rule, sizes); });
}

// Tries each size that a broken rule speaks of with the values of what else is in it; what it
// breaks of other rules must be less than what it mends.
void Mend(const std::vector<const Assumption*>& rules, SymbolValues& sizes) {
  for (const Assumption* rule : rules) {
    if (Holds(*rule, sizes)) continue;
    std::vector<int64_t> values;
    for (const Dim& side : {rule->left, rule->right}) {
      for (const Dim& part : BroadcastParts(side)) values.push_back(part.Evaluate(sizes));
    }
    const ptrdiff_t before = Broken(rules, sizes);
    for (const std::string& symbol : SymbolsOf(*rule)) {
      const int64_t size = sizes[symbol];
      for (int64_t value : values) {
        sizes[symbol] = std::max<int64_t>(1, value);
        if (Broken(rules, sizes) < before) break;
        sizes[symbol] = size;
      }
      if (Broken(rules, sizes) < before) break;
    }
  }
}

// Sizes like these that fit each other: a model assumes, say, that a mask has as many columns as
// there are tokens of before and of now, and of these no more than a table has rows. Where nothing
// fits, smaller ones may, and where a run would take long: the largest whose work is within bounds,
// or else the smallest, as long as no more tensors are empty. Sizes that data decides are not
// known; what speaks of them is left to the run.
SymbolValues SizesThatFit(const graph::Graph& graph, const SymbolValues& likely) {
  std::vector<const Assumption*> rules;
  for (const Assumption& rule : graph.assumptions) {
    const std::set<std::string> symbols = SymbolsOf(rule);
    if (std::all_of(symbols.begin(), symbols.end(),
                    [&](const std::string& symbol) { return likely.count(symbol) > 0; }))
      rules.push_back(&rule);
  }
  constexpr int64_t kSmallest = 64;
  // Some seconds a run, of which there are up to three.
  constexpr double kMostSteps = 8e9;
  const graph::RunWork work(graph);
  std::optional<SymbolValues> found;
  for (int64_t part = 1; part <= kSmallest; part *= 2) {
    SymbolValues sizes = likely;
    for (auto& [symbol, size] : sizes) size = std::max<int64_t>(1, size / part);
    Mend(rules, sizes);
    if (Broken(rules, sizes) > 0) continue;
    if (found && work.Empty(sizes) > work.Empty(*found)) break;
    found = sizes;
    if (work.Steps(sizes) <= kMostSteps) break;
  }
  return found.value_or(likely);
}

}  // namespace

std::optional<CalibrationFile> CalibrationFileOf(const std::string& text,
                                                 const graph::Graph& graph) {
  std::optional<CalibrationFile> found;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const std::string& name = graph.inputs[i].name;
    const bool fits = text.starts_with(name + "=");
    if (fits && (!found || name.size() > graph.inputs[found->input].name.size()))
      found = {i, text.substr(name.size() + 1)};
  }
  if (!found && graph.inputs.size() == 1) found = {0, text};
  return found;
}

Result<std::vector<Sample>> SamplesOf(const Model& model) {
  const graph::Graph& graph = model.graph;
  std::vector<std::vector<Tensor>> files(graph.inputs.size());
  for (const std::string& text : model.options.calibrate) {
    auto file = CalibrationFileOf(text, graph);
    if (!file) {
      return Error{"--calibrate " + text + " does not say which input it is for",
                   {},
                   {"write NAME=FILE, where NAME is one of " + Listed(NamesOf(graph.inputs))}};
    }
    const graph::Port& port = graph.inputs[file->input];
    TRY_ASSIGN(auto tensor, ReadSample(file->path, port, graph.values[port.value].type));
    files[file->input].push_back(std::move(tensor));
  }
  size_t count = 0;
  for (const auto& tensors : files) count = std::max(count, tensors.size());
  for (size_t i = 0; i < files.size() && count > 0; ++i) {
    if (files[i].size() == count || files[i].size() == 1) continue;
    return Error{"--calibrate gives " + std::to_string(files[i].size()) + " files for input " +
                     Quote(graph.inputs[i].name) + ", and " + std::to_string(count) +
                     " for another",
                 {},
                 {"each input needs as many, or one"}};
  }
  std::vector<Sample> samples(count);
  for (size_t s = 0; s < count; ++s) {
    for (const auto& tensors : files) samples[s].push_back(tensors[tensors.size() == 1 ? 0 : s]);
  }
  return samples;
}

Sample MadeUpSample(const Model& model) {
  Numbers numbers;
  Sample sample;
  const SymbolValues sizes = SizesThatFit(model.graph, model.likely.typical());
  for (const graph::Port& port : model.graph.inputs) {
    TensorType type = model.graph.values[port.value].type;
    type.shape = Substitute(type.shape, sizes);
    const graph::InputRange* range = nullptr;
    for (const graph::InputRange& each : model.indices.ranges) {
      if (each.input == port.name) range = &each;
    }
    auto element = [&] {
      if (IsFloat(type.dtype)) return numbers.Normal();
      if (range)
        return static_cast<double>(numbers.Between(std::max<int64_t>(0, range->low), range->high));
      return type.dtype == DType::kU8 ? static_cast<double>(numbers.Between(0, UINT8_MAX)) : 1.0;
    };
    std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
    for (int64_t i = 0; i < ElementCount(type.shape).value(); ++i)
      WriteScalar(bytes.data(), i, Scalar::Of(type.dtype, element()));
    sample.push_back({std::move(type), TensorData::Own(std::move(bytes))});
  }
  return sample;
}

}  // namespace webnnc
