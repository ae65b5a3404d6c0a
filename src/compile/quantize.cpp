#include "compile/quantize.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <mutex>

#include "base/parallel.h"
#include "compile/calibration.h"
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

// Both graphs on all samples, on all cores. Results are as samples, of each graph.
Result<std::vector<std::vector<Tensor>>> RunBoth(const Graph& before, const Graph& after,
                                                 const std::vector<Sample>& samples,
                                                 const Part& part) {
  const size_t runs = 2 * samples.size();
  const auto nodes =
      static_cast<double>(samples.size() * (before.nodes.size() + after.nodes.size()));
  size_t done = 0;
  std::mutex one_at_a_time;
  auto each = [&] {
    std::lock_guard lock(one_at_a_time);
    part(static_cast<double>(++done) / nodes);
  };
  std::vector<Result<std::vector<Tensor>>> results(runs, std::vector<Tensor>());
  InParallel(runs, [&](size_t run) {
    results[run] = graph::Evaluate(run % 2 ? after : before, samples[run / 2], each);
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
  TRY_ASSIGN(auto outputs, RunBoth(before, model.graph, samples, part));
  for (size_t s = 0; s < samples.size(); ++s) {
    for (size_t o = 0; o < before.outputs.size(); ++o) {
      if (before.outputs[o].hidden) continue;
      double& worst = errors[before.outputs[o].name];
      worst = std::max(worst, Rounded(ErrorOf(outputs[2 * s][o], outputs[2 * s + 1][o])));
    }
  }
  return kSuccess;
}

}  // namespace

Status QuantizeModel(Model& model, const WeightStorage& storage, const plan::Warn& warn,
                     const Part& part) {
  const Graph before = model.graph;
  graph::ForEachGraph(model.graph, [&](Graph& graph) {
    graph::QuantizeWeights(graph, FormatOf(storage));
    graph::MergeCommon(graph);
  });
  const int64_t bytes_before = ConstantBytes(before), bytes_after = ConstantBytes(model.graph);
  if (bytes_after >= bytes_before) return kSuccess;
  bundle::Quantization& made = model.quantization.emplace();
  made.storage = NameOf(storage);
  made.bytes_before = bytes_before;
  made.bytes_after = bytes_after;
  if (!model.options.emit.empty()) return kSuccess;
  TRY_ASSIGN(auto samples, SamplesOf(model));
  made.made_up = samples.empty();
  if (!made.made_up) {
    made.inputs = samples.size();
    return Measure(model, before, samples, part, made.errors);
  }
  Status measured = Measure(model, before, {MadeUpSample(model)}, part, made.errors);
  if (!measured)
    warn("what quantising costs is not known: on made-up inputs " + measured.error().message +
         "; give some by --calibrate");
  return kSuccess;
}

Status CheckQuantized(const std::vector<Model>& models, const WeightStorage& storage) {
  for (const Model& model : models) {
    if (model.quantization) return kSuccess;
  }
  return Error{
      "--quantize " + NameOf(storage) + ": there is no weight that would become smaller by it",
      {},
      {"what becomes smaller are weights of float32 of some kilobytes, of products, filters and "
       "tables of rows"}};
}

}  // namespace webnnc
