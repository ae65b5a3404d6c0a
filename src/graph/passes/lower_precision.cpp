#include "graph/passes/lower_precision.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/f16.h"

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

constexpr double kLargestHalf = 65504;

// Operations by what computing in f16 means for them.
enum class Class : uint8_t {
  kMove,         // elements are taken as they are
  kElementwise,  // each result is rounded
  kProduct,      // sums of products, which f16 keeps in f32
  kWide,         // computed in f32 inside, whatever the type
  kFloat,        // in f32 alone
};

// In f32 are functions that overflow, or make more of what their operand is off.
Class ClassOf(const Unary& unary) {
  switch (unary.function) {
    case Function::kNegate:
    case Function::kAbs:
    case Function::kSign:
    case Function::kRelu:
    case Function::kSqrt:
    case Function::kReciprocal:
    case Function::kIsNan:
    case Function::kIsInf: return Class::kElementwise;
    default: return Class::kFloat;
  }
}

Class ClassOf(const Binary& binary) {
  const bool is_float = binary.op == BinaryOp::kPow || binary.op == BinaryOp::kMod;
  return is_float ? Class::kFloat : Class::kElementwise;
}

// What becomes an integer needs all bits; what is rounded by the model is.
Class ClassOf(const Cast& cast) {
  return cast.to == DType::kF32 ? Class::kElementwise : Class::kFloat;
}

Class ClassOf(const Reduce& reduce) {
  return reduce.kind == ReduceKind::kProd ? Class::kFloat : Class::kWide;
}

template <typename T, typename... Of>
constexpr bool kIsOneOf = (std::is_same_v<T, Of> || ...);

template <typename T>
Class ClassOf(const T&) {
  if (kIsOneOf<T, MatMul, Einsum, Conv, ConvTranspose>) return Class::kProduct;
  if (kIsOneOf<T, Softmax, Normalize, Pool, Fold>) return Class::kWide;
  if (kIsOneOf<T, Transpose, Reshape, Refine, Expand, Slice, Pad, Concat, Gather, GatherElements,
               GatherND, Tile>)
    return Class::kMove;
  return std::is_same_v<T, Where> ? Class::kElementwise : Class::kFloat;
}

Class ClassOf(const Node& node) {
  return std::visit([](const auto& op) { return ClassOf(op); }, node.op);
}

// Whether each result is one product: x[..., i, 0] * y[..., 0, j].
bool IsOuter(const Graph& graph, const Node& node) {
  auto* matmul = std::get_if<MatMul>(&node.op);
  if (!matmul) return false;
  const Shape& a = graph.values[node.operands[0]].type.shape;
  return a[a.size() - (matmul->transpose_a ? 2 : 1)].Is(1);
}

class PrecisionLowerer {
 public:
  PrecisionLowerer(Graph& graph, const SeenValues& seen)
      : graph_(graph), seen_(seen), links_(graph), facts_(links_.users.size()) {}

  LoweredValues Run() {
    for (const Node& node : graph_.nodes) Study(node);
    for (const Node& node : graph_.nodes) {
      if (MayBeHalf(node)) half_.insert(node.result());
    }
    while (DropSome()) {
    }
    const LoweredValues counts = Settle();
    Rewrite();
    return counts;
  }

 private:
  // What is known of a value before anything is decided.
  struct Facts {
    bool is_constant = false;       // made of constants alone
    bool is_of_integers = false;    // of integers, and constants
    bool may_be_too_large = false;  // as large as a constant that f16 does not have
  };
  Facts& At(ValueId id) { return facts_[static_cast<size_t>(id.index)]; }
  const Facts& At(ValueId id) const { return facts_[static_cast<size_t>(id.index)]; }
  bool IsFloat32(ValueId id) const { return graph_.values[id].type.dtype == DType::kF32; }
  // Those of f32 that are no constants.
  bool IsActivation(ValueId id) const { return IsFloat32(id) && !At(id).is_constant; }

  // ---- What is known

  void Study(const Node& node) {
    Facts facts;
    facts.is_constant = std::holds_alternative<Constant>(node.op) ||
                        (!node.operands.empty() &&
                         All(node, [&](ValueId operand) { return At(operand).is_constant; }));
    facts.is_of_integers = !facts.is_constant && IsOfIntegers(node);
    facts.may_be_too_large = MayBeTooLarge(node);
    for (ValueId result : node.results) At(result) = facts;
  }

  bool IsOfIntegers(const Node& node) const {
    const Class kind = ClassOf(node);
    // Sums of products are features like any other.
    if (kind == Class::kProduct && !IsOuter(graph_, node)) return false;
    bool is_of_integers = kind == Class::kElementwise;
    for (ValueId operand : node.operands) {
      if (!IsFloat(graph_.values[operand].type.dtype) || At(operand).is_constant) continue;
      if (!At(operand).is_of_integers) return false;
      is_of_integers = true;
    }
    return is_of_integers;
  }

  // What a run has not shown: that a mask is chosen, or its factor not 0.
  bool MayBeTooLarge(const Node& node) const {
    if (std::holds_alternative<Constant>(node.op)) return IsTooLarge(node.result(), 1);
    auto may_be = [&](ValueId operand) { return At(operand).may_be_too_large; };
    if (auto* binary = std::get_if<Binary>(&node.op)) {
      // Bounds are not reached.
      if (binary->op == BinaryOp::kMin || binary->op == BinaryOp::kMax) return false;
      if (binary->op == BinaryOp::kDiv) return may_be(node.operands[0]);
    }
    const Class kind = ClassOf(node);
    return (kind == Class::kMove || kind == Class::kElementwise) && Any(node, may_be);
  }

  bool IsTooLarge(ValueId id, double headroom) const {
    auto seen = seen_.find(id);
    return seen != seen_.end() &&
           (!seen->second.is_finite || seen->second.largest * headroom > kLargestHalf);
  }

  // Why a value of f32 has to stay that; null if it may be f16.
  const char* WhyNot(ValueId id) const {
    const Facts& facts = At(id);
    auto seen = seen_.find(id);
    if (facts.is_of_integers) return "made of integers alone";
    if (seen == seen_.end() || (!facts.is_constant && seen->second.largest == 0))
      return "not seen to be other than 0";
    if (facts.may_be_too_large || IsTooLarge(id, facts.is_constant ? 1 : kHeadroom))
      return "too large for f16";
    return seen->second.rounding > kMostRounding ? "too small for f16" : nullptr;
  }
  bool Fits(ValueId id) const { return !WhyNot(id); }

  // ---- What computes in f16

  // As far as its own operands and result say.
  bool MayBeHalf(const Node& node) const {
    if (node.results.size() != 1 || std::holds_alternative<Constant>(node.op) ||
        ClassOf(node) == Class::kFloat)
      return false;
    auto fits = [&](ValueId id) {
      return IsFloat32(id) ? Fits(id) : graph_.values[id].type.dtype != DType::kF64;
    };
    auto is_float = [&](ValueId id) { return IsFloat32(id); };
    return (is_float(node.result()) || Any(node, is_float)) && fits(node.result()) &&
           All(node, fits);
  }
  bool IsHalf(ValueId id) const { return half_.count(id) > 0; }
  bool IsHalf(const Node& node) const {
    return node.results.size() == 1 && IsHalf(node.results[0]);
  }

  // Whether the node reads this operand, of f32, in f16.
  bool TakesHalf(const Node& node, ValueId operand) const {
    if (IsHalf(node)) return true;
    const bool looks_up = std::holds_alternative<Gather>(node.op) && At(operand).is_constant;
    const bool multiplies = ClassOf(node) == Class::kProduct && IsFloat32(node.result()) &&
                            !At(node.result()).is_of_integers && !IsMovedInFloat(operand);
    return (looks_up || multiplies) && Fits(operand);
  }
  // Whether any node does.
  bool IsTakenAsHalf(ValueId id) const {
    const std::vector<const Node*>& users = links_.UsersOf(id);
    return std::any_of(users.begin(), users.end(),
                       [&](const Node* user) { return TakesHalf(*user, id); });
  }

  // Whether the node stays in f32 for the sake of its neighbours.
  bool IsBetterFloat(const Node& node) const {
    const Class kind = ClassOf(node);
    const bool is_float = IsFloat32(node.result());
    if (is_float && !IsTakenAsHalf(node.result())) return true;
    return Any(node, [&](ValueId operand) {
      if (!IsActivation(operand)) return false;
      if (!is_float) return !IsHalf(operand);
      if (kind == Class::kMove || kind == Class::kProduct) return IsMovedInFloat(operand);
      return kind == Class::kElementwise && IsStepInFloat(operand);
    });
  }
  // What comes in f32, and is there so: an input, a state and what is appended to it.
  bool IsMovedInFloat(ValueId id) const {
    if (At(id).is_constant) return false;
    const Node* node = links_.DefinitionOf(id);
    return !node || (ClassOf(*node) == Class::kMove && !IsHalf(id));
  }
  // What is computed in f32, or summed in it, for one node alone, which goes on with all bits.
  bool IsStepInFloat(ValueId id) const {
    const Node* node = links_.DefinitionOf(id);
    if (!node || links_.UsersOf(id).size() != 1) return false;
    const Class kind = ClassOf(*node);
    if (kind == Class::kProduct || kind == Class::kWide) return true;
    return !IsHalf(id) && (std::holds_alternative<Unary>(node->op) || kind == Class::kElementwise);
  }

  // From the end, since most stay f32 for those that read them. Each round only takes away, so that
  // there is a last one.
  bool DropSome() {
    bool dropped = false;
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      if (IsHalf(*node) && IsBetterFloat(*node)) dropped |= half_.erase(node->result()) > 0;
    }
    return dropped;
  }

  // Which values are stored as f16, whatever computes them.
  LoweredValues Settle() {
    LoweredValues counts;
    for (const Node& node : graph_.nodes) {
      for (ValueId result : node.results) {
        if (!IsFloat32(result)) continue;
        if (IsHalf(result) || IsTakenAsHalf(result)) {
          stored_.insert(result);
          ++counts.lowered;
        } else {
          const char* why = WhyNot(result);
          counts.kept[why ? why : "read in f32 alone"].push_back(NameOf(result));
        }
      }
    }
    return counts;
  }

  // ---- The graph

  void Rewrite() {
    Rewriter rewrite(graph_);
    rewrite_ = &rewrite;
    for (Node& node : rewrite.nodes()) {
      if (auto* constant = std::get_if<Constant>(&node.op))
        constants_.emplace(node.result(), *constant);
      IsHalf(node) ? Lower(node) : Keep(std::move(node));
    }
    for (const Port& port : graph_.outputs) {
      const bool is_f32 = IsFloat32(port.value) && !IsHalf(port.value);
      rewrite.Replace(port.value, is_f32 ? port.value : Read(port.value));
    }
  }

  void Lower(const Node& node) {
    std::vector<ValueId> operands;
    for (ValueId operand : node.operands)
      operands.push_back(IsFloat32(operand) ? Half(operand) : Read(operand));
    const bool is_float = IsFloat32(node.result());
    const bool is_cast = std::holds_alternative<Cast>(node.op);
    const ValueId result = rewrite_->build.Add(is_cast ? Op(Cast{DType::kF16}) : node.op,
                                               std::move(operands), NameOf(node.result()));
    (is_float ? halves_ : others_)[node.result()] = result;
  }

  void Keep(Node node) {
    for (ValueId& operand : node.operands) {
      const bool is_half = IsFloat32(operand) && stored_.count(operand) && TakesHalf(node, operand);
      operand = is_half ? Widened(operand) : Read(operand);
    }
    rewrite_->Keep(std::move(node));
  }

  ValueId Half(ValueId id) {
    auto found = halves_.find(id);
    if (found != halves_.end()) return found->second;
    auto constant = constants_.find(id);
    return halves_[id] = constant == constants_.end()
                             ? rewrite_->build.Add(Cast{DType::kF16}, {id}, NameOf(id))
                             : rewrite_->build.AddConstant(Rounded(constant->second.value),
                                                           constant->second.name);
  }
  // As f32, of what is stored as f16.
  ValueId Widened(ValueId id) {
    auto found = widened_.find(id);
    if (found != widened_.end()) return found->second;
    return widened_[id] = rewrite_->build.Add(Cast{DType::kF32}, {Half(id)}, NameOf(id));
  }
  // In its own type.
  ValueId Read(ValueId id) {
    auto other = others_.find(id);
    if (other != others_.end()) return other->second;
    return stored_.count(id) && !constants_.count(id) ? Widened(id) : id;
  }

  static Tensor Rounded(const Tensor& tensor) {
    const TensorType type{DType::kF16, tensor.type.shape};
    std::vector<uint8_t> bytes(static_cast<size_t>(ByteSize(type).value()));
    for (int64_t i = 0; i < ElementCount(type.shape).value(); ++i)
      WriteScalar(bytes.data(), i, Convert(tensor.data.At(DType::kF32, i), DType::kF16));
    return {type, TensorData::Own(std::move(bytes))};
  }

  // By value: building adds values.
  std::string NameOf(ValueId id) const { return graph_.values[id].name; }
  template <typename Is>
  static bool All(const Node& node, const Is& is) {
    return std::all_of(node.operands.begin(), node.operands.end(), is);
  }
  template <typename Is>
  static bool Any(const Node& node, const Is& is) {
    return std::any_of(node.operands.begin(), node.operands.end(), is);
  }

  Graph& graph_;
  const SeenValues& seen_;
  const Links links_;
  std::vector<Facts> facts_;
  // Results of nodes that compute in f16, and all values that are written as f16.
  std::set<ValueId> half_, stored_;

  Rewriter* rewrite_ = nullptr;
  std::map<ValueId, Constant> constants_;
  // What values are now: as f16, as f32 that is read of that, and of other types.
  std::map<ValueId, ValueId> halves_, widened_, others_;
};

}  // namespace

void SeenValue::Add(const Tensor& tensor) {
  double squares = 0, differences = 0;
  for (int64_t i = 0; i < ElementCount(tensor.type.shape).value(); ++i) {
    const double x = tensor.data.At(tensor.type.dtype, i).real;
    if (!std::isfinite(x)) {
      is_finite = false;
      continue;
    }
    largest = std::max(largest, std::fabs(x));
    const double half = HalfToFloat(FloatToHalf(static_cast<float>(x)));
    squares += x * x;
    differences += (x - half) * (x - half);
  }
  if (differences > 0) rounding = std::max(rounding, std::sqrt(differences / squares));
}

void SeenValue::Add(const SeenValue& other) {
  largest = std::max(largest, other.largest);
  is_finite &= other.is_finite;
  rounding = std::max(rounding, other.rounding);
}

LoweredValues LowerPrecision(Graph& graph, const SeenValues& seen) {
  return PrecisionLowerer(graph, seen).Run();
}

}  // namespace webnnc::graph
