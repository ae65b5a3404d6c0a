#include "tests/onnx/trial.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "onnx/import.h"
#include "onnx/model.h"

namespace webnnc {

namespace pb = onnx::pb;

static Error Reason(const Error& error) {
  if (error.causes.empty()) return Error{error.message};
  return Error{error.causes[0].where.node + ": " + error.causes[0].message};
}

// Whether the expected values are one draw of many. ONNX's own cases are, since ONNX states no
// generator; ours state what this one gives.
static bool Draws(const pb::ModelProto& model) {
  if (model.producer_name() != "backend-test") return false;
  static const std::set<std::string> kRandom{"Bernoulli",     "Multinomial",
                                             "RandomNormal",  "RandomNormalLike",
                                             "RandomUniform", "RandomUniformLike"};
  const auto& nodes = model.graph().node();
  return std::any_of(nodes.begin(), nodes.end(), [](const pb::NodeProto& node) {
    bool trains = node.op_type() == "Dropout" && node.input_size() == 3;
    return trains || kRandom.count(node.op_type()) > 0;
  });
}

Result<Trial> PrepareTrial(const TestCase& test) {
  TRY_ASSIGN(auto model, onnx::Model::Load(test.model()));
  Trial trial{test.model(), {}, {}};
  trial.draws = Draws(model.proto());
  auto graph = onnx::Import(trial.model);
  if (!graph) return Reason(graph.error());
  trial.graph = std::move(graph.value());
  TRY_ASSIGN(trial.sets, ReadDataSets(test, trial.graph));
  if (trial.sets.empty()) return Error{"there is no data"};
  for (const DataSet& set : trial.sets) {
    if (set.inputs.size() != trial.graph.inputs.size())
      return Error{"there is no data for an input"};
  }
  return trial;
}

// What ONNX's cases draw are zeros and ones, or which elements stay and which are 0.
static std::string RandomDifference(const Tensor& expected, const Tensor& actual) {
  if (expected.type != actual.type) return Difference(expected, actual);
  int64_t count = ElementCount(expected.type.shape).value();
  for (int64_t i = 0; i < count; ++i) {
    double value = actual.data.At(actual.type.dtype, i).AsReal();
    double wanted = expected.data.At(expected.type.dtype, i).AsReal();
    bool drawn = value == 0 || value == 1 || wanted == 0;
    bool same = std::fabs(value - wanted) <= 1e-3 * std::fabs(wanted);
    if (!drawn && !same) return "element " + std::to_string(i) + " is " + PrintReal(value);
  }
  return "";
}

std::string Judge(const Trial& trial, size_t set, const std::vector<Tensor>& outputs,
                  const Tolerance& tolerance) {
  const std::vector<Tensor>& expected = trial.sets[set].outputs;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (i >= outputs.size()) return "there is no output " + std::to_string(i);
    const std::vector<Tensor>& allowed = trial.sets[set].allowed;
    std::string difference = trial.draws          ? RandomDifference(expected[i], outputs[i])
                             : i < allowed.size() ? Difference(expected[i], outputs[i], allowed[i])
                                                  : Difference(expected[i], outputs[i], tolerance);
    if (!difference.empty()) return "output " + std::to_string(i) + " " + difference;
  }
  return "";
}

}  // namespace webnnc
