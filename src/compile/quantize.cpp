#include "compile/quantize.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <mutex>

#include "base/parallel.h"
#include "compile/calibration.h"
#include "graph/passes/lower_precision.h"
#include "graph/passes/merge_common.h"
#include "graph/passes/quantize_weights.h"

namespace webnnc {

namespace {

using graph::Graph;

graph::WeightFormat FormatOf(const WeightStorage& storage) {
  switch (storage.type) {
    case WeightStorage::Type::kFloat16: return {DType::kF16};
    case WeightStorage::Type::kInt8: return {DType::kI8};
    case WeightStorage::Type::kInt4: return {DType::kI4, storage.block};
  }
  return {};
}

std::string NameOf(const WeightStorage& storage) {
  switch (storage.type) {
    case WeightStorage::Type::kFloat16: return "f16";
    case WeightStorage::Type::kInt8: return "int8";
    case WeightStorage::Type::kInt4: return "int4:" + std::to_string(storage.block);
  }
  return "";
}

int64_t ConstantBytes(const Graph& whole) {
  int64_t bytes = 0;
  graph::ForEachGraph(whole, [&](const Graph& graph) {
    for (const graph::Node& node : graph.nodes) {
      auto* constant = std::get_if<graph::Constant>(&node.op);
      if (constant) bytes += ByteSize(constant->value.type).value();
    }
  });
  return bytes;
}

// Elements that are the same differ by nothing, infinite ones too.
double ErrorOfFloats(const Tensor& before, const Tensor& after) {
  double differences = 0, squares = 0;
  for (int64_t i = 0; i < ElementCount(before.type.shape).value(); ++i) {
    const double x = before.data.At(before.type.dtype, i).real,
                 y = after.data.At(after.type.dtype, i).real;
    if (std::isfinite(x)) squares += x * x;
    if (x != y && !(std::isnan(x) && std::isnan(y))) differences += (x - y) * (x - y);
  }
  if (differences == 0) return 0;
  const double error = std::sqrt(differences / squares);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

double ErrorOf(const Tensor& before, const Tensor& after) {
  if (before.type != after.type) return std::numeric_limits<double>::infinity();
  if (IsFloat(before.type.dtype)) return ErrorOfFloats(before, after);
  const int64_t count = ElementCount(before.type.shape).value();
  int64_t other = 0;
  for (int64_t i = 0; i < count; ++i)
    other += before.data.At(before.type.dtype, i) != after.data.At(before.type.dtype, i);
  return other == 0 ? 0 : static_cast<double>(other) / static_cast<double>(count);
}

// To three digits: the last bits may be other ones on other machines.
double Rounded(double error) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", error);
  return std::strtod(text, nullptr);
}

// The graphs on all samples, on all cores. Results are of the first sample by each graph, then of
// the second, and so on.
Result<std::vector<std::vector<Tensor>>> RunAll(
    const std::vector<const Graph*>& graphs, const std::vector<Sample>& samples, const Part& part,
    const std::function<void(const Graph&, graph::ValueId, const Tensor&)>& watch = {}) {
  size_t nodes = 0, done = 0;
  for (const Graph* graph : graphs) nodes += samples.size() * graph->nodes.size();
  std::mutex one_at_a_time;
  auto each = [&] {
    std::lock_guard lock(one_at_a_time);
    part(static_cast<double>(++done) / static_cast<double>(nodes));
  };
  std::vector<Result<std::vector<Tensor>>> results(graphs.size() * samples.size(),
                                                   std::vector<Tensor>());
  InParallel(results.size(), [&](size_t run) {
    results[run] =
        graph::Evaluate(*graphs[run % graphs.size()], samples[run / graphs.size()], {each, watch});
  });
  std::vector<std::vector<Tensor>> outputs;
  for (auto& result : results) {
    if (!result) return result.error();
    outputs.push_back(std::move(result.value()));
  }
  return outputs;
}

Status Measure(const Model& model, const Graph& before, const std::vector<Sample>& samples,
               const Part& part, std::map<std::string, double>& errors) {
  TRY_ASSIGN(auto outputs, RunAll({&before, &model.graph}, samples, part));
  for (size_t s = 0; s < samples.size(); ++s) {
    for (size_t o = 0; o < before.outputs.size(); ++o) {
      if (before.outputs[o].hidden) continue;
      double& worst = errors[before.outputs[o].name];
      worst = std::max(worst, Rounded(ErrorOf(outputs[2 * s][o], outputs[2 * s + 1][o])));
    }
  }
  return kSuccess;
}

// What the values of the graph and its bodies are on the samples.
Result<std::map<const Graph*, graph::SeenValues>> SeenOf(const Graph& graph,
                                                         const std::vector<Sample>& samples,
                                                         const Part& part) {
  std::map<const Graph*, graph::SeenValues> seen;
  std::mutex one_at_a_time;
  auto watch = [&](const Graph& where, graph::ValueId id, const Tensor& tensor) {
    if (tensor.type.dtype != DType::kF32) return;
    graph::SeenValue value;
    value.Add(tensor);
    std::lock_guard lock(one_at_a_time);
    seen[&where][id].Add(value);
  };
  TRY(RunAll({&graph}, samples, part, watch));
  return seen;
}

// Computes in f16 what is safe by the samples, and says in `made` what that is.
Status LowerPrecision(Graph& whole, const std::vector<Sample>& samples, const Part& part,
                      bundle::Quantization& made) {
  auto seen = SeenOf(whole, samples, part);
  if (!seen) {
    Error error = seen.error();
    error.message = "--precision f16: what values there are is not known: " + error.message;
    if (made.made_up) error.notes.push_back("the inputs were made up: give some by --calibrate");
    return error;
  }
  graph::ForEachGraph(whole, [&](Graph& graph) {
    graph::LoweredValues values = graph::LowerPrecision(graph, seen.value()[&graph]);
    graph::MergeCommon(graph);
    made.lowered += values.lowered;
    for (auto& [reason, names] : values.kept) {
      std::vector<std::string>& all = made.kept[reason];
      all.insert(all.end(), names.begin(), names.end());
    }
  });
  return kSuccess;
}

void StoreWeights(Graph& whole, const WeightStorage& storage, bundle::Quantization& made) {
  graph::ForEachGraph(whole, [&](Graph& graph) {
    graph::QuantizeWeights(graph, FormatOf(storage));
    graph::MergeCommon(graph);
  });
  if (ConstantBytes(whole) < made.bytes_before) made.storage = NameOf(storage);
}

// Why no value of any model is computed in f16.
Error NothingLowered(const std::vector<Model>& models) {
  bool has_half = false, has_float = false;
  std::string reasons;
  for (const Model& model : models) {
    graph::ForEachGraph(model.graph, [&](const Graph& graph) {
      for (const graph::Value& value : graph.values) {
        has_half |= value.type.dtype == DType::kF16;
        has_float |= value.type.dtype == DType::kF32;
      }
    });
    if (!model.quantization) continue;
    for (const auto& [reason, names] : model.quantization->kept)
      reasons += (reasons.empty() ? "" : ", ") + std::to_string(names.size()) + " " + reason;
  }
  const std::string why =
      !has_float ? has_half ? "the model is in float16 as it is, and computed so without the flag"
                            : "the model has no values of float32"
                 : "all stay float32: " + (reasons.empty() ? "they are inputs" : reasons);
  return Error{"--precision f16: there is nothing that would be computed in f16", {}, {why}};
}

}  // namespace

Status QuantizeModel(Model& model, const plan::Warn& warn, const Part& part) {
  const CompileOptions& options = model.options;
  const Graph before = model.graph;
  bundle::Quantization made;
  made.bytes_before = ConstantBytes(before);
  if (options.quantize) StoreWeights(model.graph, *options.quantize, made);
  TRY_ASSIGN(auto samples, SamplesOf(model));
  made.made_up = samples.empty();
  if (made.made_up) samples.push_back(MadeUpSample(model));
  made.inputs = samples.size();
  if (options.half_precision) {
    auto first = [&](double done) { part(done / 3); };
    TRY(LowerPrecision(model.graph, samples, first, made));
  }
  made.bytes_after = ConstantBytes(model.graph);
  const bool is_changed = !made.storage.empty() || made.lowered > 0;
  if (is_changed && options.emit.empty()) {
    const double from = options.half_precision ? 1.0 / 3 : 0;
    auto rest = [&](double done) { part(from + done * (1 - from)); };
    Status measured = Measure(model, before, samples, rest, made.errors);
    if (!measured && !made.made_up) return measured;
    if (!measured)
      warn("what fewer bits cost is not known: on made-up inputs " + measured.error().message +
           "; give some by --calibrate");
  }
  if (is_changed || options.half_precision) model.quantization = std::move(made);
  return kSuccess;
}

Status CheckQuantized(const std::vector<Model>& models, const CompileOptions& options) {
  auto any = [&](auto is) {
    return std::any_of(models.begin(), models.end(), [&](const Model& model) {
      return model.quantization && is(*model.quantization);
    });
  };
  using bundle::Quantization;
  if (options.quantize && !any([](const Quantization& made) { return !made.storage.empty(); })) {
    return Error{"--quantize " + NameOf(*options.quantize) +
                     ": there is no weight that would become smaller by it",
                 {},
                 {"what becomes smaller are weights of float32 of some kilobytes, of products, "
                  "filters and "
                  "tables of rows"}};
  }
  if (options.half_precision && !any([](const Quantization& made) { return made.lowered > 0; }))
    return NothingLowered(models);
  return kSuccess;
}

}  // namespace webnnc
