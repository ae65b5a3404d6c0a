#include "tests/onnx/trial.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "onnx/import.h"
#include "onnx/model.h"

namespace webnnc {

namespace pb = onnx::pb;

// The graph's inputs that data is fed to: older models list their weights as well.
static std::vector<std::string> FedInputs(const pb::GraphProto& graph) {
  std::vector<std::string> names;
  for (const auto& input : graph.input()) {
    bool weight = false;
    for (const auto& initializer : graph.initializer())
      weight |= initializer.name() == input.name();
    if (!weight) names.push_back(input.name());
  }
  return names;
}

// The same model with the inputs from the `first` on as constants, with the elements of the first
// data set.
static Result<pb::ModelProto> Freeze(const TestCase& test, pb::ModelProto model, size_t first) {
  pb::GraphProto& graph = *model.mutable_graph();
  std::vector<std::string> names = FedInputs(graph);
  for (size_t i = first; i < names.size(); ++i) {
    std::string path = test.folder + "/test_data_set_0/input_" + std::to_string(i) + ".pb";
    TRY_ASSIGN(auto bytes, ReadFile(path));
    pb::TensorProto& tensor = *graph.add_initializer();
    if (!tensor.ParseFromString(bytes)) return Error{path + " is not a tensor"};
    tensor.set_name(names[i]);
    for (int k = 0; k < graph.input_size(); ++k) {
      if (graph.input(k).name() != names[i]) continue;
      // Old data has bfloat16 as uint16.
      bool same = graph.input(k).type().tensor_type().elem_type() == tensor.data_type();
      if (!same) return Error{path + " has another type than the model's input"};
      graph.mutable_input()->DeleteSubrange(k--, 1);
    }
  }
  return model;
}

// Leaves of each set the inputs that the graph still has, in the graph's order.
static Status MatchInputs(const std::vector<std::string>& fed, const graph::Graph& graph,
                          std::vector<DataSet>& sets) {
  for (DataSet& set : sets) {
    std::vector<Tensor> inputs;
    std::vector<bool> used(fed.size());
    for (const graph::Port& port : graph.inputs) {
      for (size_t i = 0; i < fed.size() && i < set.inputs.size(); ++i) {
        if (fed[i] != port.name) continue;
        inputs.push_back(set.inputs[i]);
        used[i] = true;
      }
    }
    if (inputs.size() != graph.inputs.size()) return Error{"there is no data for an input"};
    for (size_t i = 0; i < fed.size() && i < set.inputs.size(); ++i) {
      bool same = set.inputs[i].data == sets[0].inputs[i].data;
      if (!used[i] && !same) return Error{"data sets differ in an input that became a constant"};
    }
    set.inputs = std::move(inputs);
  }
  return kSuccess;
}

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

// Whether the graph decides something while it runs, which only the interpreter can do.
static bool Decides(const graph::Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const graph::Node& node) {
    return std::holds_alternative<graph::Define>(node.op) || !node.bodies.empty();
  });
}

Result<Trial> PrepareTrial(const TestCase& test, const std::string& work, bool as_written) {
  auto model = onnx::Model::Load(test.model());
  if (!model) return model.error();
  const pb::ModelProto& proto = model.value().proto();
  std::vector<std::string> fed = FedInputs(proto.graph());
  Trial trial{test.model(), {}, {}};
  trial.draws = Draws(proto);
  auto graph = onnx::Import(trial.model);
  Error problem = graph ? Error{} : Reason(graph.error());
  for (size_t first : {size_t{1}, size_t{0}}) {
    if (as_written || (graph && !Decides(graph.value()))) break;
    auto frozen = Freeze(test, proto, first);
    if (!frozen) {
      if (graph) break;
      return problem;
    }
    trial.model = work + "/model.onnx";
    std::error_code ignored;
    std::filesystem::create_directories(work, ignored);
    TRY(WriteFile(trial.model, frozen.value().SerializeAsString()));
    graph = onnx::Import(trial.model);
    if (!graph) problem = Reason(graph.error());
  }
  if (!graph) return problem;
  trial.graph = std::move(graph.value());
  TRY_ASSIGN(trial.sets, ReadDataSets(test));
  if (trial.sets.empty()) return Error{"there is no data"};
  TRY(MatchInputs(fed, trial.graph, trial.sets));
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
