#include "graph/text.h"

#include <array>
#include <map>
#include <optional>

namespace webnnc::graph {

// ---- Names ------------------------------------------------------------------------------------

template <typename E>
struct EnumNames;
#define WEBNNC_ENUM_NAMES(type, ...)                                                     \
  template <>                                                                            \
  struct EnumNames<type> {                                                               \
    static constexpr std::array kNames = std::to_array<std::string_view>({__VA_ARGS__}); \
  }
WEBNNC_ENUM_NAMES(NoKeys, "nan", "zero", "nan_is_zero");
WEBNNC_ENUM_NAMES(Layout, "channels_first", "channels_last");
WEBNNC_ENUM_NAMES(PoolKind, "max", "max_index", "average", "sum");
WEBNNC_ENUM_NAMES(ReduceKind, "sum", "prod", "max", "min");
WEBNNC_ENUM_NAMES(loop::Update, "set", "add", "mul", "max", "min");
WEBNNC_ENUM_NAMES(SortMethod, "digits", "network", "ranks");
WEBNNC_ENUM_NAMES(Cell, "rnn", "gru", "lstm");
WEBNNC_ENUM_NAMES(Activation, "relu", "tanh", "sigmoid", "affine", "leaky_relu", "thresholded_relu",
                  "scaled_tanh", "hard_sigmoid", "elu", "softsign", "softplus");
WEBNNC_ENUM_NAMES(PadMode, "constant", "reflect", "edge", "wrap");
WEBNNC_ENUM_NAMES(ResizeMode, "nearest", "linear", "cubic");
WEBNNC_ENUM_NAMES(CoordinateMode, "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                  "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize");
WEBNNC_ENUM_NAMES(SampleMode, "nearest", "linear", "cubic");
WEBNNC_ENUM_NAMES(SamplePadding, "zeros", "border", "reflection");
WEBNNC_ENUM_NAMES(NearestMode, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil");

std::string_view Name(Function function) {
  static constexpr std::string_view kOwn[] = {"relu", "sigmoid", "softplus", "reciprocal"};
  static_assert(loop::kUnaryOpCount + std::size(kOwn) == kFunctionCount);
  int index = static_cast<int>(function);
  if (index < loop::kUnaryOpCount) return Name(static_cast<loop::UnaryOp>(index));
  return kOwn[index - loop::kUnaryOpCount];
}

std::string_view OperationName(loop::BinaryOp op) {
  static constexpr std::string_view kNames[] = {
      "add", "sub", "mul", "div", "mod", "floordiv", "floormod", "pow",      "min",  "max",
      "and", "or",  "xor", "shl", "shr", "dot4",     "equal",    "notequal", "less", "lessequal"};
  static_assert(std::size(kNames) == loop::kBinaryOpCount);
  return kNames[static_cast<int>(op)];
}

// ---- Printing ---------------------------------------------------------------------------------

static constexpr int64_t kPrintedElements = 16;

static std::string PrintAttribute(int64_t value) { return std::to_string(value); }
static std::string PrintAttribute(bool value) { return value ? "true" : "false"; }
static std::string PrintAttribute(double value) { return PrintReal(value); }
static std::string PrintAttribute(const std::string& value) { return Quote(value); }
static std::string PrintAttribute(const Dim& value) { return webnnc::Print(value); }
static std::string PrintAttribute(DType value) { return std::string(webnnc::Name(value)); }
template <typename T>
static std::string PrintAttribute(const std::vector<T>& values) {
  std::string out = "[";
  for (size_t i = 0; i < values.size(); ++i) out += (i ? "," : "") + PrintAttribute(values[i]);
  return out + "]";
}
template <typename E>
  requires std::is_enum_v<E> && (!std::is_same_v<E, DType>)
static std::string PrintAttribute(E value) {
  return std::string(EnumNames<E>::kNames[static_cast<size_t>(value)]);
}

static std::string PrintElement(const Scalar& value) {
  return IsFloat(value.dtype) ? PrintReal(value.real) : std::to_string(value.integer);
}

static std::string PrintConstant(const Constant& constant) {
  const Tensor& tensor = constant.value;
  int64_t count = ElementCount(tensor.type.shape).value();
  if (count > kPrintedElements) return "elided=" + Quote(constant.name);
  std::string out = "values=[";
  for (int64_t i = 0; i < count; ++i) {
    out += (i ? "," : "") + PrintElement(tensor.data.At(tensor.type.dtype, i));
  }
  return out + "]";
}

static std::string PrintName(const Graph& graph, ValueId id) {
  return "%" + QuoteName(graph.values[id].name);
}

static std::string PrintNode(const Graph& graph, const Node& node) {
  std::string out;
  for (ValueId result : node.results) {
    out += (out.empty() ? "" : ", ") + PrintName(graph, result) + ": " +
           webnnc::Print(graph.values[result].type);
  }
  out += " = " + std::string(Name(node.op)) + "(";

  std::string_view separator = "";
  auto append = [&](const std::string& argument) {
    out += separator;
    out += argument;
    separator = ", ";
  };
  for (ValueId operand : node.operands) append(PrintName(graph, operand));
  if (auto* constant = std::get_if<Constant>(&node.op)) append(PrintConstant(*constant));
  std::visit(
      [&](const auto& op) {
        const std::remove_cvref_t<decltype(op)> defaults{};
        std::apply(
            [&](auto... field) {
              ((op.*field.member == defaults.*field.member
                    ? void()
                    : append(std::string(field.name) + "=" + PrintAttribute(op.*field.member))),
               ...);
            },
            op.kFields);
      },
      node.op);
  return out + ")";
}

static std::string Print(const Graph& graph, const std::string& indent);

// What follows a node's line: its bodies.
static std::string PrintBodies(const Node& node, const std::string& indent) {
  std::string out;
  for (const Graph& body : node.bodies) out += " with " + Print(body, indent);
  return out;
}

static std::string PrintPort(const Graph& graph, const Port& port) {
  std::string name = port.name == graph.values[port.value].name ? "" : QuoteName(port.name) + "=";
  return name + PrintName(graph, port.value);
}

static std::string Print(const Graph& graph, const std::string& indent) {
  std::string out = "graph @" + QuoteName(graph.name) + "(";
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Port& port = graph.inputs[i];
    out += (i ? ", " : "") + PrintPort(graph, port) + ": " +
           webnnc::Print(graph.values[port.value].type);
  }
  out += ") {\n";
  for (const Assumption& assumption : graph.assumptions)
    out += indent + "  assume " + webnnc::Print(assumption) + "\n";
  for (const Node& node : graph.nodes)
    out += indent + "  " + PrintNode(graph, node) + PrintBodies(node, indent + "  ") + "\n";
  out += indent + "  return";
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    out += (i ? ", " : " ") + PrintPort(graph, graph.outputs[i]);
  }
  return out + "\n" + indent + "}";
}

std::string Print(const Graph& graph) { return Print(graph, "") + "\n"; }

// ---- Parsing ----------------------------------------------------------------------------------

namespace {

constexpr int64_t kMostElements = 1 << 24;
constexpr int kDeepest = 32;

class Parser {
 public:
  explicit Parser(Lexer& lexer, int depth = 0) : lexer_(lexer), depth_(depth) {}

  Result<Graph> Run() {
    if (depth_ > kDeepest) return lexer_.Fail("bodies are nested too deep");
    TRY(lexer_.Expect("graph"));
    TRY(lexer_.Expect("@"));
    TRY_ASSIGN(graph_.name, lexer_.Name());
    TRY(lexer_.Expect("("));
    while (!lexer_.Eat(")")) {
      TRY_ASSIGN(auto name, PortName());
      TRY_ASSIGN(auto value, Definition());
      graph_.inputs.push_back({name.value_or(graph_.values[value].name), value});
      if (!lexer_.Sees(")")) TRY(lexer_.Expect(","));
    }
    TRY(lexer_.Expect("{"));
    while (lexer_.Eat("assume")) {
      TRY_ASSIGN(auto assumption, ParseAssumption(lexer_));
      graph_.assumptions.push_back(std::move(assumption));
    }
    while (!lexer_.Eat("return")) {
      TRY_ASSIGN(auto node, ParseNode());
      graph_.nodes.push_back(std::move(node));
    }
    while (!lexer_.Eat("}")) {
      TRY_ASSIGN(auto name, PortName());
      TRY_ASSIGN(auto value, Use());
      graph_.outputs.push_back({name.value_or(graph_.values[value].name), value});
      if (!lexer_.Sees("}")) TRY(lexer_.Expect(","));
    }
    return std::move(graph_);
  }

 private:
  Result<std::optional<std::string>> PortName() {
    if (lexer_.Sees("%")) return std::optional<std::string>();
    TRY_ASSIGN(auto name, lexer_.Name());
    TRY(lexer_.Expect("="));
    return std::optional(name);
  }

  // %name: type
  Result<ValueId> Definition() {
    TRY(lexer_.Expect("%"));
    TRY_ASSIGN(auto name, lexer_.Name());
    TRY(lexer_.Expect(":"));
    TRY_ASSIGN(auto type, ParseTensorType(lexer_));
    if (by_name_.count(name)) return lexer_.Fail("%" + name + " is already defined");
    return by_name_[name] = graph_.values.Add({name, std::move(type)});
  }

  // %name
  Result<ValueId> Use() {
    TRY(lexer_.Expect("%"));
    TRY_ASSIGN(auto name, lexer_.Name());
    auto found = by_name_.find(name);
    if (found == by_name_.end()) return lexer_.Fail("%" + name + " is not defined here");
    return found->second;
  }

  // %result: type, ... = op(%operand, ..., attribute=value, ...)
  Result<Node> ParseNode() {
    Node node;
    do {
      TRY_ASSIGN(auto result, Definition());
      node.results.push_back(result);
    } while (lexer_.Eat(","));
    TRY(lexer_.Expect("="));
    TRY_ASSIGN(auto name, lexer_.Word());
    TRY_ASSIGN(node.op, MakeOp(name));
    TRY(lexer_.Expect("("));
    while (!lexer_.Eat(")")) {
      if (lexer_.Sees("%")) {
        TRY_ASSIGN(auto operand, Use());
        node.operands.push_back(operand);
      } else {
        TRY_ASSIGN(auto attribute, lexer_.Word());
        TRY(lexer_.Expect("="));
        auto* constant = std::get_if<Constant>(&node.op);
        if (constant) {
          TRY(ParseElements(*constant, attribute, graph_.values[node.results[0]]));
        } else {
          TRY(ParseAttribute(node.op, attribute));
        }
      }
      if (!lexer_.Sees(")")) TRY(lexer_.Expect(","));
    }
    while (lexer_.Eat("with")) {
      TRY_ASSIGN(auto body, Parser(lexer_, depth_ + 1).Run());
      node.bodies.push_back(std::move(body));
    }
    return node;
  }

  Result<Op> MakeOp(const std::string& name) {
    for (int f = 0; f < kFunctionCount; ++f) {
      auto function = static_cast<Function>(f);
      if (name == Name(function)) return Op(Unary{function});
    }
    for (int b = 0; b < loop::kBinaryOpCount; ++b) {
      auto op = static_cast<loop::BinaryOp>(b);
      if (name == OperationName(op)) return Op(Binary{op});
    }
    return MakeNamed<0>(name);
  }

  template <size_t I>
  Result<Op> MakeNamed(const std::string& name) {
    if constexpr (I == std::variant_size_v<Op::variant>) {
      return lexer_.Fail("unknown operation '" + name + "'");
    } else {
      using T = std::variant_alternative_t<I, Op::variant>;
      constexpr bool has_other_names = std::is_same_v<T, Unary> || std::is_same_v<T, Binary>;
      if (T::kName == name && !has_other_names) return Op(T());
      return MakeNamed<I + 1>(name);
    }
  }

  Status ParseElements(Constant& constant, const std::string& attribute, const Value& value) {
    if (attribute == "elided") return lexer_.Fail("the elements of this constant were not printed");
    if (!IsStatic(value.type.shape)) return lexer_.Fail("a constant needs a static shape");
    Dim count = ElementCount(value.type.shape);
    if (count.value() < 0 || count.value() > kMostElements) return lexer_.Fail("too many elements");
    auto elements = static_cast<size_t>(count.value());
    std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(value.type).value()));
    auto set = [&](size_t i, const Scalar& element) {
      WriteScalar(bytes.data(), static_cast<int64_t>(i), element);
    };
    DType dtype = value.type.dtype;
    if (attribute == "random") {
      TRY_ASSIGN(auto seed, lexer_.Integer());
      auto state = static_cast<uint32_t>(seed);
      for (size_t i = 0; i < elements; ++i) {
        state = state * 1664525u + 1013904223u;
        double unit = static_cast<double>(state >> 8) / 8388608.0 - 1;
        set(i, Scalar::Of(dtype, IsFloat(dtype) ? unit : static_cast<double>(state >> 29)));
      }
    } else if (attribute == "values") {
      TRY(lexer_.Expect("["));
      for (size_t i = 0; i < elements; ++i) {
        if (i > 0) TRY(lexer_.Expect(","));
        TRY_ASSIGN(auto number, lexer_.ParseNumber());
        set(i, IsFloat(dtype) ? Scalar::Real(dtype, number.real)
                              : Scalar::Integer(dtype, number.integer));
      }
      TRY(lexer_.Expect("]"));
    } else {
      return lexer_.Fail("no attribute '" + attribute + "'");
    }
    constant.value = {value.type, TensorData::Own(std::move(bytes))};
    constant.name = value.name;
    return kSuccess;
  }

  Status ParseAttribute(Op& op, const std::string& name) {
    std::optional<Status> status;
    std::visit(
        [&](auto& op) {
          ForEachField(op, [&](std::string_view field, auto& value) {
            if (field == name) status = ParseValue(value);
          });
        },
        op);
    return status ? *status : lexer_.Fail("no attribute '" + name + "'");
  }

  Status ParseValue(int64_t& value) {
    TRY_ASSIGN(value, lexer_.Integer());
    return kSuccess;
  }
  Status ParseValue(double& value) {
    TRY_ASSIGN(auto number, lexer_.ParseNumber());
    value = number.real;
    return kSuccess;
  }
  Status ParseValue(bool& value) {
    value = lexer_.Eat("true");
    return value || lexer_.Eat("false") ? Status(kSuccess) : lexer_.Fail("expected true or false");
  }
  Status ParseValue(std::string& value) {
    if (!lexer_.Sees("\"")) return lexer_.Fail("expected '\"'");
    TRY_ASSIGN(value, lexer_.Name());
    return kSuccess;
  }
  Status ParseValue(Dim& value) {
    TRY_ASSIGN(value, ParseDim(lexer_));
    return kSuccess;
  }
  Status ParseValue(DType& value) {
    TRY_ASSIGN(value, ParseDType(lexer_));
    return kSuccess;
  }
  template <typename T>
  Status ParseValue(std::vector<T>& values) {
    TRY(lexer_.Expect("["));
    while (!lexer_.Eat("]")) {
      T value{};
      TRY(ParseValue(value));
      values.push_back(value);
      if (!lexer_.Sees("]")) TRY(lexer_.Expect(","));
    }
    return kSuccess;
  }
  template <typename E>
    requires std::is_enum_v<E>
  Status ParseValue(E& value) {
    TRY_ASSIGN(auto name, lexer_.Word());
    for (size_t i = 0; i < EnumNames<E>::kNames.size(); ++i) {
      if (EnumNames<E>::kNames[i] != name) continue;
      value = static_cast<E>(i);
      return kSuccess;
    }
    return lexer_.Fail("'" + name + "' is not one of its values");
  }

  Lexer& lexer_;
  int depth_;
  Graph graph_;
  std::map<std::string, ValueId> by_name_;
};

}  // namespace

Result<Graph> Parse(Lexer& lexer) { return Parser(lexer).Run(); }

Result<Graph> Parse(std::string_view text) {
  Lexer lexer(text);
  TRY_ASSIGN(auto graph, Parse(lexer));
  if (!lexer.AtEnd()) return lexer.Fail("expected the end of the text");
  return graph;
}

}  // namespace webnnc::graph
