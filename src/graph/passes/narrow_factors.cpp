#include "graph/passes/narrow_factors.h"

#include <algorithm>

#include "graph/passes/definitions.h"
#include "graph/passes/known_integers.h"

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

// A number is a byte and a constant, less a zero point that the model computes.
struct Shifted {
  ValueId bytes;
  int64_t shift = 0;
  std::optional<ValueId> zero;
};

// Constant weights are bytes with a sign and a constant.
struct Weights {
  ValueId bytes;  // as i32
  Tensor value;   // of the bytes, i8
  int64_t shift = 0;
};

// The dimension of a product's weights that its result has, behind which that has so many more.
struct Columns {
  size_t at = 0, behind = 0;
};

class Narrower {
 public:
  Narrower(Graph& graph, EvaluationBudget& budget, ByteFactors factors)
      : budget_(budget),
        byte_(factors == ByteFactors::kSigned ? DType::kI8 : DType::kU8),
        is_signed_(factors == ByteFactors::kSigned),
        links_(graph),
        rewrite_(graph),
        definitions_(graph, rewrite_, links_) {}

  void Run() {
    definitions_.ReplaceEach(
        [&](const Node& node) { return IsFactor(node.result()) ? Narrow(node) : Product(node); });
  }

 private:
  const TensorType& TypeOf(ValueId id) const { return definitions_.TypeOf(id); }
  ValueId As(DType dtype, ValueId id) {
    return TypeOf(id).dtype == dtype ? id : definitions_.Add(Cast{dtype}, {id});
  }
  ValueId Of(BinaryOp op, ValueId a, ValueId b) { return definitions_.Add(Binary{op}, {a, b}); }
  const ValueId* CastFrom(ValueId id) const {
    const Node* node = definitions_.As<Cast>(id);
    return node ? node->operands.data() : nullptr;
  }

  // ---- What is multiplied

  // Whether products multiply the number by weights that are bytes: for others it stays as it is.
  bool IsFactor(ValueId id) const {
    if (TypeOf(id).dtype != DType::kI16) return false;
    bool multiplies = false;
    for (const Node* user : links_.UsersOf(id)) {
      if (!std::holds_alternative<Cast>(user->op) || TypeOf(user->result()).dtype != DType::kI32)
        continue;
      for (const Node* product : links_.UsersOf(user->result())) {
        bool narrows =
            ColumnsOf(*product) && product->operands[0] == user->result() && IsByBytes(*product);
        // Those that stay as they are would widen it again and again.
        if (!narrows && !is_signed_ && std::holds_alternative<Conv>(product->op)) return false;
        multiplies |= narrows;
      }
    }
    return multiplies;
  }

  // Of what is written already, and of what has gone from where the links say.
  const Node* DefinitionOf(ValueId id) const {
    const Node* known = definitions_.Of(id);
    return known ? known : links_.DefinitionOf(id);
  }

  // Whether the weights are bytes, or less a zero point that rows' sums can make up for.
  bool IsByBytes(const Node& product) const {
    const Node* cast = DefinitionOf(product.operands[1]);
    if (!cast || !std::holds_alternative<Cast>(cast->op)) return false;
    const ValueId narrow = cast->operands[0];
    if (TypeOf(narrow).dtype == DType::kI8) return true;
    bool may_be = !is_signed_ && TypeOf(narrow).dtype == DType::kI16 && SummedAxis(product);
    const Node* node = may_be ? DefinitionOf(narrow) : nullptr;
    if (!node) return false;
    if (auto* constant = std::get_if<Constant>(&node->op)) {
      const Range range = RangeOf(constant->value);
      return range.high - range.low <= UINT8_MAX;
    }
    auto* binary = std::get_if<Binary>(&node->op);
    const Node* widened =
        binary && binary->op == BinaryOp::kSub ? DefinitionOf(node->operands[0]) : nullptr;
    return widened && std::holds_alternative<Cast>(widened->op) &&
           ByteSize(TypeOf(widened->operands[0]).dtype) == 1;
  }

  // The number as one that is i8 where it is defined.
  std::optional<ValueId> Narrow(const Node& node) {
    definitions_.Remember(node);
    const Range range = RangeOf(definitions_, node.result()), byte = RangeOf(byte_);
    const int64_t shift = range.IsWithin(byte) ? 0 : range.low - byte.low;
    if (range.high - shift > byte.high) return std::nullopt;
    const ValueId number = definitions_.Add(node.op, node.operands);
    const ValueId by = definitions_.Scalar(DType::kI16, static_cast<double>(shift));
    Shifted shifted{As(byte_, shift ? Of(BinaryOp::kSub, number, by) : number), shift, {}};
    ValueId wide = As(DType::kI16, shifted.bytes);
    if (shift) wide = Of(BinaryOp::kAdd, wide, by);
    shifted_[wide] = shifted;
    return wide;
  }

  std::optional<Shifted> ShiftedOf(ValueId factor) {
    // What only moves elements may come behind.
    const Node* move = definitions_.Of(factor);
    if (move && (std::holds_alternative<Reshape>(move->op) ||
                 std::holds_alternative<Transpose>(move->op))) {
      auto shifted = ShiftedOf(move->operands[0]);
      if (shifted) shifted->bytes = definitions_.Add(move->op, {shifted->bytes});
      return shifted;
    }
    const ValueId* narrow = CastFrom(factor);
    if (!narrow || TypeOf(factor).dtype != DType::kI32) return std::nullopt;
    auto known = shifted_.find(*narrow);
    if (known != shifted_.end()) return known->second;
    if (auto shifted = OfByte(*narrow)) return shifted;
    // Less a zero point that is computed.
    const Node* difference = definitions_.As<Binary>(*narrow);
    if (!difference || std::get<Binary>(difference->op).op != BinaryOp::kSub) return std::nullopt;
    const ValueId *q = CastFrom(difference->operands[0]), zero = difference->operands[1];
    if (!q || !ElementCount(TypeOf(zero).shape).Is(1)) return std::nullopt;
    std::optional<Shifted> shifted = OfByte(*q);
    if (shifted) shifted->zero = zero;
    return shifted;
  }

  std::optional<Shifted> OfByte(ValueId q) {
    const DType dtype = TypeOf(q).dtype;
    if (dtype == byte_) return Shifted{q};
    if (dtype != DType::kI8 && dtype != DType::kU8) return std::nullopt;
    const int64_t shift = RangeOf(dtype).low - RangeOf(byte_).low;
    const ValueId by = definitions_.Scalar(DType::kI16, static_cast<double>(shift));
    return Shifted{As(byte_, Of(BinaryOp::kSub, As(DType::kI16, q), by)), shift, {}};
  }

  // ---- Products

  // Of products of i32 by weights that are one matrix, or whose channels all see each other.
  std::optional<Columns> ColumnsOf(const Node& node) const {
    if (node.operands.size() != 2 || TypeOf(node.result()).dtype != DType::kI32)
      return std::nullopt;
    const size_t rank = TypeOf(node.operands[1]).rank();
    if (auto* conv = std::get_if<Conv>(&node.op)) {
      if (conv->groups != 1 || conv->outside != 0) return std::nullopt;
      // What stands for 0 outside would have to be known.
      if (!is_signed_ && HasPads(*conv)) return std::nullopt;
      bool first = conv->layout == Layout::kChannelsFirst;
      return first ? Columns{0, rank - 2} : Columns{rank - 1, 0};
    }
    auto* matmul = std::get_if<MatMul>(&node.op);
    bool by_matrix = matmul && rank == 2 && TypeOf(node.operands[0]).rank() >= 2;
    return by_matrix ? std::optional(Columns{matmul->transpose_b ? size_t{0} : 1, 0})
                     : std::nullopt;
  }

  std::optional<ValueId> Product(const Node& node) {
    auto columns = ColumnsOf(node);
    auto weights = columns ? WeightsOf(node) : std::nullopt;
    if (!weights) return std::nullopt;
    auto x = ShiftedOf(node.operands[0]);
    auto conv = std::get_if<Conv>(&node.op);
    // What is outside is the zero point, which must be known.
    if (!x || (x->zero && conv && HasPads(*conv))) return std::nullopt;
    if (!is_signed_) return OfEither(node, *x, *weights, *columns);
    Op op = node.op;
    if (conv) std::get<Conv>(op).outside = -x->shift;
    ValueId sum = definitions_.Add(op, {As(DType::kI32, x->bytes), weights->bytes});
    if (x->shift) sum = Of(BinaryOp::kAdd, sum, Sums(weights->value, *columns, x->shift));
    if (!x->zero) return sum;
    return Of(BinaryOp::kSub, sum,
              Of(BinaryOp::kMul, Sums(weights->value, *columns, 1), ZeroOf(*x)));
  }

  ValueId ZeroOf(const Shifted& x) { return As(DType::kI32, definitions_.Reshaped(*x.zero, {})); }

  // Numbers are b + s, weights v + t:
  //
  //   sum((b + s) * (v + t)) = sum(b * v) + s * sum(v) + t * (sum(b) + s * count)
  ValueId OfEither(const Node& node, const Shifted& x, const Weights& weights,
                   const Columns& columns) {
    const ValueId bytes = DotByte(As(DType::kI32, x.bytes));
    ValueId s = Of(BinaryOp::kSub, Number(x.shift), DotByte(Number(0)));
    if (x.zero) s = Of(BinaryOp::kSub, s, ZeroOf(x));
    // Ahead of the product, which so is what joins the kernel of what comes behind.
    std::optional<ValueId> of_row;
    if (weights.shift != 0) {
      const size_t axis = *SummedAxis(node);
      const ValueId count = Number(TypeOf(x.bytes).shape[axis].value());
      const ValueId row =
          Of(BinaryOp::kAdd, RowSums(x.bytes, bytes, axis), Of(BinaryOp::kMul, s, count));
      of_row = Of(BinaryOp::kMul, row, Number(weights.shift));
    }
    const ValueId sums = As(DType::kI32, Sums(weights.value, columns, 1));
    ValueId sum = definitions_.Add(node.op, {bytes, weights.bytes});
    sum = Of(BinaryOp::kAdd, sum, Of(BinaryOp::kMul, sums, s));
    return of_row ? Of(BinaryOp::kAdd, sum, *of_row) : sum;
  }

  ValueId Number(int64_t number) {
    return definitions_.Scalar(DType::kI32, static_cast<double>(number));
  }
  ValueId DotByte(ValueId number) { return definitions_.Add(Unary{Function::kDotByte}, {number}); }

  // Of all bytes that a product sums up, once for all products.
  ValueId RowSums(ValueId stored, ValueId bytes, size_t axis) {
    auto [known, is_new] = row_sums_.try_emplace(std::pair(stored, axis));
    if (is_new) {
      known->second =
          definitions_.Add(Reduce{ReduceKind::kSum, {static_cast<int64_t>(axis)}, true}, {bytes});
    }
    return known->second;
  }

  // The dimension of the first factor that is summed over, of products that are of a row each.
  std::optional<size_t> SummedAxis(const Node& node) const {
    const size_t rank = TypeOf(node.operands[0]).rank();
    auto* conv = std::get_if<Conv>(&node.op);
    const size_t axis = conv && conv->layout == Layout::kChannelsFirst ? 1 : rank - 1;
    if (!TypeOf(node.operands[0]).shape[axis].IsConstant()) return std::nullopt;
    if (!conv) return axis;
    bool is_one = std::all_of(conv->strides.begin(), conv->strides.end(),
                              [](int64_t stride) { return stride == 1; });
    const Shape& window = TypeOf(node.operands[1]).shape;
    const size_t first = conv->layout == Layout::kChannelsFirst ? 2 : 0;
    for (size_t i = 0; i + 2 < rank; ++i) is_one &= window[first + i].Is(1);
    return is_one ? std::optional(axis) : std::nullopt;
  }

  // ---- Weights

  // As they are in the file, less what leaves no zero point in them.
  std::optional<Weights> WeightsOf(const Node& node) {
    const ValueId factor = node.operands[1];
    const ValueId* narrow = CastFrom(factor);
    if (!narrow || !IsMadeOfConstants(definitions_, *narrow)) return std::nullopt;
    if (TypeOf(*narrow).dtype == DType::kI8) {
      auto value = ComputedConstant(definitions_, *narrow, budget_);
      return value ? std::optional(Weights{factor, std::move(*value)}) : std::nullopt;
    }
    if (is_signed_ || TypeOf(*narrow).dtype != DType::kI16 || !SummedAxis(node))
      return std::nullopt;
    auto value = ComputedConstant(definitions_, *narrow, budget_);
    if (!value) return std::nullopt;
    const Range range = RangeOf(*value);
    const int64_t least = RangeOf(DType::kI8).low;
    const Node* less = definitions_.As<Binary>(*narrow);
    const ValueId* stored = less ? CastFrom(less->operands[0]) : nullptr;
    auto zero = less ? definitions_.Uniform(less->operands[1]) : std::nullopt;
    if (less && (std::get<Binary>(less->op).op != BinaryOp::kSub || !stored || !zero))
      return std::nullopt;
    int64_t shift = range.low - least;
    if (stored) shift = RangeOf(TypeOf(*stored).dtype).low - least - static_cast<int64_t>(*zero);
    if (range.low - shift < least || range.high - shift > RangeOf(DType::kI8).high)
      return std::nullopt;
    Weights weights{{}, {{DType::kI8, value->type.shape}, {}}, shift};
    std::vector<int64_t> bytes;
    for (int64_t i = 0; i < ElementCount(value->type.shape).value(); ++i)
      bytes.push_back(value->data.At(DType::kI16, i).integer - shift);
    weights.value.data = IntegerTensor(DType::kI8, bytes).data;
    // What is stored stays as it is, for other programs read it, too.
    const ValueId numbers =
        stored ? Of(BinaryOp::kSub, As(DType::kI16, *stored),
                    definitions_.Scalar(DType::kI16, *zero + static_cast<double>(shift)))
               : definitions_.Add(Constant{weights.value, definitions_.name}, {});
    weights.bytes = As(DType::kI32, numbers);
    return weights;
  }

  static bool HasPads(const Conv& conv) {
    auto some = [](const Integers& pads) {
      return std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; });
    };
    return some(conv.pads_begin) || some(conv.pads_end);
  }

  // Of all weights of each column, times a factor.
  ValueId Sums(const Tensor& weights, const Columns& columns, int64_t factor) {
    const Shape& shape = weights.type.shape;
    auto behind = Shape(shape.begin() + static_cast<std::ptrdiff_t>(columns.at) + 1, shape.end());
    const int64_t size = shape[columns.at].value(), inner = ElementCount(behind).value();
    std::vector<int64_t> sums(static_cast<size_t>(size));
    for (int64_t i = 0; i < ElementCount(shape).value(); ++i)
      sums[static_cast<size_t>(i / inner % size)] += weights.data.At(DType::kI8, i).integer;
    Shape upright(columns.behind + 1, 1);
    upright[0] = size;
    for (int64_t& sum : sums) sum *= factor;
    // Other programs of the same weights do not read them: they take few bytes.
    auto fits = [&](int64_t sum) { return RangeOf(DType::kI16).low <= sum && sum <= INT16_MAX; };
    bool is_narrow = !is_signed_ && std::all_of(sums.begin(), sums.end(), fits);
    const DType dtype = is_narrow ? DType::kI16 : DType::kI32;
    Tensor tensor{{dtype, upright}, IntegerTensor(dtype, sums).data};
    return definitions_.Add(Constant{std::move(tensor), definitions_.name}, {});
  }

  EvaluationBudget& budget_;
  const DType byte_;
  const bool is_signed_;
  Links links_;
  Rewriter rewrite_;
  Definitions definitions_;
  std::map<ValueId, Shifted> shifted_;
  std::map<std::pair<ValueId, size_t>, ValueId> row_sums_;
};

}  // namespace

void NarrowFactors(Graph& graph, EvaluationBudget& budget, ByteFactors factors) {
  Narrower(graph, budget, factors).Run();
}

bool HasByteProducts(const Graph& graph) {
  const Links links(graph);
  auto is_byte = [&](ValueId factor) {
    const Node* node = links.DefinitionOf(factor);
    return node && std::holds_alternative<Cast>(node->op) &&
           graph.values[node->operands[0]].type.dtype == DType::kI8;
  };
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    bool multiplies =
        std::holds_alternative<Conv>(node.op) || std::holds_alternative<MatMul>(node.op);
    return multiplies && std::all_of(node.operands.begin(), node.operands.end(), is_byte);
  });
}

bool HasEitherByte(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    auto* unary = std::get_if<Unary>(&node.op);
    return unary && unary->function == Function::kDotByte;
  });
}

}  // namespace webnnc::graph
