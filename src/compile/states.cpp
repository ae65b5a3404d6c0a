#include "compile/states.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>

#include "base/diagnostics.h"
#include "compile/port_flags.h"

namespace webnnc {

namespace {

// By their names.
struct State {
  std::string input, output;
};

const TensorType* TypeOf(const graph::Graph& graph, const std::vector<graph::Port>& ports,
                         const std::string& name) {
  if (graph.lists.count(name)) return nullptr;
  for (const graph::Port& port : ports) {
    if (port.name == name && !port.hidden) return &graph.values[port.value].type;
  }
  return nullptr;
}

// Whether an output can be what an input is next. Sizes may grow, numbers cannot.
bool Fits(const TensorType& input, const TensorType& output) {
  if (input.dtype != output.dtype || input.rank() != output.rank()) return false;
  for (size_t d = 0; d < input.shape.size(); ++d) {
    if (input.shape[d] != output.shape[d] && !SymbolOf(input.shape[d])) return false;
  }
  return true;
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  size_t at = text.find(what);
  return at == std::string::npos ? "" : text.replace(at, what.size(), by);
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return text;
}

// What an output would be called that an input of this name comes from.
std::vector<std::string> OutputNames(const std::string& input) {
  std::vector<std::string> names;
  for (const char* past : {"past_key_values", "past"})
    names.push_back(Replaced(input, past, "present"));
  // "h0", "state_in": the name without what says that it comes in.
  std::string stem = Lower(input);
  for (const char* ending : {"_in", ".in", "_input", "0"}) {
    if (stem.size() > std::string_view(ending).size() && stem.ends_with(ending)) {
      stem.resize(stem.size() - std::string_view(ending).size());
      break;
    }
  }
  static const std::set<std::string> kStems{"h",      "c",          "hidden", "hidden_state",
                                            "cell",   "cell_state", "state",  "states",
                                            "memory", "cache"};
  auto ends_so = [&](const std::string& word) { return stem.ends_with("_" + word); };
  bool is_state = kStems.count(stem) || std::any_of(kStems.begin(), kStems.end(), ends_so);
  if (!is_state) return names;
  std::string base = input.substr(0, stem.size());
  for (const char* ending : {"n", "N", "_n", "_out", ".out", "_output", "_new", "_next"})
    names.push_back(base + ending);
  for (const char* beginning : {"new_", "next_", "out_", "output_"})
    names.push_back(beginning + base);
  return names;
}

// Outputs that TensorScatter makes of inputs.
std::vector<State> Scattered(const onnx::Model& model) {
  std::vector<State> states;
  for (const auto& node : model.proto().graph().node()) {
    if (node.op_type() == "TensorScatter" && node.input_size() > 0 && node.output_size() > 0)
      states.push_back({node.input(0), node.output(0)});
  }
  return states;
}

std::vector<State> FoundByNames(const graph::Graph& graph) {
  std::vector<State> states;
  for (const graph::Port& input : graph.inputs) {
    for (const std::string& name : OutputNames(input.name)) {
      if (!name.empty() && name != input.name) states.push_back({input.name, name});
    }
  }
  return states;
}

// Those candidates that fit, each input and output once.
std::vector<State> Fitting(const graph::Graph& graph, const std::vector<State>& candidates) {
  std::vector<State> states;
  std::set<std::string> taken;
  for (const State& state : candidates) {
    const TensorType* input = TypeOf(graph, graph.inputs, state.input);
    const TensorType* output = TypeOf(graph, graph.outputs, state.output);
    bool fits = input && output && Fits(*input, *output);
    if (!fits || taken.count("i" + state.input) || taken.count("o" + state.output)) continue;
    taken.insert({"i" + state.input, "o" + state.output});
    states.push_back(state);
  }
  return states;
}

// Names may hold "=": the first place counts that makes two names of the model.
std::optional<State> SplitState(const std::string& text, const graph::Graph& graph) {
  for (size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    State state{text.substr(0, at), text.substr(at + 1)};
    if (TypeOf(graph, graph.inputs, state.input) && TypeOf(graph, graph.outputs, state.output))
      return state;
  }
  return std::nullopt;
}

Result<State> ParseState(const std::string& text, const graph::Graph& graph) {
  if (auto state = SplitState(text, graph)) {
    const TensorType& input = *TypeOf(graph, graph.inputs, state->input);
    const TensorType& output = *TypeOf(graph, graph.outputs, state->output);
    if (Fits(input, output)) return *state;
    return Error{
        "--state " + text + ": the input is " + Print(input) + ", the output " + Print(output),
        {},
        {"a state's types are the same, but for sizes that are open in the input"}};
  }
  return Error{"--state " + text + " does not name an input and an output",
               {},
               {"the form is --state INPUT=OUTPUT", "inputs: " + Listed(NamesOf(graph.inputs)),
                "outputs: " + Listed(NamesOf(graph.outputs))}};
}

Result<std::vector<State>> NamedStates(const CompileOptions& options, const onnx::Model& model,
                                       const graph::Graph& graph) {
  if (options.states == std::vector<std::string>{"none"}) return std::vector<State>();
  if (options.states.empty()) {
    std::vector<State> candidates = Scattered(model);
    for (State& state : FoundByNames(graph)) candidates.push_back(std::move(state));
    return Fitting(graph, candidates);
  }
  std::vector<State> states;
  for (const std::string& text : options.states) {
    TRY_ASSIGN(auto state, ParseState(text, graph));
    for (const State& other : states) {
      if (other.input != state.input && other.output != state.output) continue;
      return Error{"--state names " +
                   Quote(other.input == state.input ? state.input : state.output) + " twice"};
    }
    states.push_back(std::move(state));
  }
  return states;
}

size_t IndexOf(const std::vector<graph::Port>& ports, const std::string& name) {
  auto is_named = [&](const graph::Port& port) { return port.name == name && !port.hidden; };
  return static_cast<size_t>(std::find_if(ports.begin(), ports.end(), is_named) - ports.begin());
}

}  // namespace

bool IsState(const std::string& text, const graph::Graph& graph) {
  return SplitState(text, graph).has_value();
}

std::function<bool(const std::string&, const std::string&)> StateNames(
    const CompileOptions& options) {
  return [states = options.states](const std::string& input, const std::string& output) {
    if (states.empty()) {
      std::vector<std::string> names = OutputNames(input);
      return std::find(names.begin(), names.end(), output) != names.end();
    }
    const std::string pair = input + "=" + output;
    return std::any_of(states.begin(), states.end(), [&](const std::string& text) {
      return text == pair || text.ends_with(":" + pair);
    });
  };
}

Result<std::vector<graph::State>> StatesOf(const CompileOptions& options, const onnx::Model& model,
                                           const graph::Graph& graph) {
  TRY_ASSIGN(auto named, NamedStates(options, model, graph));
  std::vector<graph::State> states;
  for (const State& state : named)
    states.push_back({IndexOf(graph.inputs, state.input), IndexOf(graph.outputs, state.output)});
  return states;
}

namespace {

// What the file calls a size of an output.
std::string DeclaredSize(const onnx::Model& model, const std::string& output, int64_t axis) {
  for (const auto& value : model.proto().graph().output()) {
    const auto& shape = value.type().tensor_type().shape();
    if (value.name() == output && axis < shape.dim_size())
      return shape.dim(static_cast<int>(axis)).dim_param();
  }
  return "";
}

// The largest that a size is likely to be: others of its symbols that nothing is said of are one.
int64_t MostOf(const CompileOptions& options, const Dim& size) {
  std::set<std::string> symbols;
  size.CollectSymbols(symbols);
  SymbolValues values;
  for (const std::string& symbol : symbols) {
    auto likely = options.likely_dims.find(symbol);
    values[symbol] = likely == options.likely_dims.end() ? 1 : likely->second.high;
  }
  return size.Evaluate(values);
}

bool IsSizeOfInput(const onnx::Model& model, const CompileOptions& options,
                   const std::string& name) {
  for (const auto& value : model.proto().graph().input()) {
    const auto* type = onnx::TensorTypeIn(value.type());
    if (!type) continue;
    for (const auto& size : type->tensor_type().shape().dim()) {
      if (size.dim_param() == name) return true;
    }
  }
  return std::any_of(options.input_shapes.begin(), options.input_shapes.end(),
                     [&](const auto& input) {
                       return std::count(input.second.begin(), input.second.end(), name) > 0;
                     });
}

}  // namespace

Status SetCapacities(const CompileOptions& options, const onnx::Model& model,
                     const graph::Graph& graph, std::vector<graph::State>& states) {
  std::set<std::string> used;
  for (graph::State& state : states) {
    if (state.kept != graph::State::Kept::kAppended) continue;
    // The axis comes first by now.
    auto grown = SymbolOf(graph.values[graph.inputs[state.input].value].type.shape[0]);
    if (grown && options.likely_dims.count(*grown))
      state.capacity =
          MostOf(options, graph.values[graph.outputs[state.output].value].type.shape[0]);
    std::string name = DeclaredSize(model, graph.outputs[state.output].name, state.axis);
    auto fixed = options.dims.find(name);
    if (fixed == options.dims.end() || IsSizeOfInput(model, options, name)) continue;
    state.capacity = fixed->second;
    state.is_limited = true;
    used.insert(name);
  }
  for (const auto& [name, size] : options.dims) {
    if (used.count(name) || IsSizeOfInput(model, options, name)) continue;
    return Error{
        "--dim names " + Quote(name) + ", which is a size of outputs alone",
        {},
        {"sizes of inputs can be fixed; of an output, that to which a state grows in place"}};
  }
  return kSuccess;
}

}  // namespace webnnc
