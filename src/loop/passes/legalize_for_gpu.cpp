#include "loop/passes/legalize_for_gpu.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/overloaded.h"
#include "loop/builder.h"
#include "loop/integer_ranges.h"
#include "loop/parameters.h"
#include "loop/passes/packed_words.h"
#include "loop/passes/round_half.h"
#include "loop/passes/simplify.h"
#include "loop/passes/words_in_memory.h"
#include "loop/rewrite.h"

namespace webnnc::loop {

// Integers that are in memory, with 64 bits as 32 carry them.
static IntegerRange CarriedRange(DType dtype) {
  if (dtype == DType::kI64) return RangeOf(DType::kI32);
  if (dtype == DType::kU64) return RangeOf(DType::kU32);
  return RangeOf(dtype);
}

static bool Is64Bits(DType dtype) { return dtype == DType::kI64 || dtype == DType::kU64; }

namespace {

// ---- Numbers of 64 bits -----------------------------------------------------------------------

// Whether 32 bits may not hold what a kernel computes in 64.
class Narrowing {
 public:
  Narrowing(const Kernel& kernel, IntegerRanges& ranges) : kernel_(kernel), ranges_(ranges) {}

  bool Found() const { return found_; }

  void VisitStore(const Store& store) {
    for (ExprId index : store.index) Visit(index);
    Visit(store.value);
    DType dtype = kernel_.exprs[store.value].dtype;
    bool grows = store.update == Update::kAdd || store.update == Update::kMul;
    if (Is64Bits(dtype)) found_ |= grows || !Fits(store.value);
  }

  void Visit(ExprId id) {
    if (found_ || (!inside_select_ && !visited_.insert(id).second)) return;
    const Expr& expr = kernel_.exprs[id];
    bool computes = std::holds_alternative<Unary>(expr.node) ||
                    std::holds_alternative<Binary>(expr.node) ||
                    std::holds_alternative<Convert>(expr.node);
    if (computes && Is64Bits(expr.dtype)) found_ |= !Fits(id);
    auto* convert = std::get_if<Convert>(&expr.node);
    if (convert && Is64Bits(kernel_.exprs[convert->a].dtype)) found_ |= !Fits(convert->a);
    auto* select = std::get_if<Select>(&expr.node);
    if (select && Is64Bits(expr.dtype) && !ranges_.IsDeep()) {
      Visit(select->condition);
      ++inside_select_;
      ranges_.OnSides(*select, [&](ExprId side) { Visit(side); });
      --inside_select_;
    } else {
      for (ExprId operand : Operands(expr)) Visit(operand);
    }
  }

 private:
  bool Fits(ExprId id) { return CarriedRange(kernel_.exprs[id].dtype).Holds(ranges_.Exact(id)); }

  const Kernel& kernel_;
  IntegerRanges& ranges_;
  std::set<ExprId> visited_;
  int inside_select_ = 0;
  bool found_ = false;
};

// ---- Kernels ----------------------------------------------------------------------------------

class Legalizer {
 public:
  Legalizer(Kernel& kernel, const Target& target)
      : kernel_(kernel),
        build_(kernel),
        simplify_(kernel),
        ranges_(kernel_, CarriedRange),
        narrowing_(kernel_, ranges_),
        target_(target) {}

  Result<GpuLegalization> Run(const std::vector<Storage>& parameters) {
    TRY(CheckTypes());
    ChangeBuffers(parameters);
    RunBlock(kernel_.body);
    if (!error_.empty()) return Error{"@" + kernel_.name + ": " + error_};
    return GpuLegalization{narrowing_.Found()};
  }

 private:
  Status CheckTypes() {
    std::string refused;
    for (const Buffer& buffer : kernel_.buffers) {
      if (buffer.type.dtype == DType::kF64) refused = "%" + buffer.name + ": " + Print(buffer.type);
    }
    RewriteExprs(kernel_.body, [&](ExprId root) {
      ForEachExpr(kernel_, root, [&](ExprId id) {
        bool is_double = kernel_.exprs[id].dtype == DType::kF64;
        if (is_double && refused.empty()) refused = "computes f64";
      });
      return root;
    });
    if (refused.empty()) return kSuccess;
    return Error{"@" + kernel_.name + ": " + refused + ", which GPU kernels cannot have"};
  }

  // ---- Buffers

  DType Carried(DType dtype) const { return StoredType(target_, dtype, Storage::kActivation); }

  void ChangeBuffers(const std::vector<Storage>& parameters) {
    size_t parameter = 0;
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      Buffer& buffer = kernel_.buffers[BufferId{b}];
      DType dtype = buffer.type.dtype;
      types_.push_back(dtype);
      bool is_parameter = IsParameter(buffer);
      Storage storage = Storage::kActivation;
      if (is_parameter && parameter < parameters.size()) storage = parameters[parameter];
      parameter += is_parameter;
      bool is_weight = storage == Storage::kWeight,
           keeps_bytes = is_weight || storage == Storage::kPacked;
      is_packed_.push_back(keeps_bytes && !IsFloat(dtype) && ByteSize(dtype) != 4);
      if (is_packed_.back()) {
        buffer.type = {WordType(dtype), {WordCount(dtype, buffer.type.shape[0])}};
      } else if (!is_weight || !IsFloat(dtype)) {
        buffer.type.dtype = Carried(dtype);
      }
    }
  }

  DType TypeBefore(BufferId buffer) const { return types_[static_cast<size_t>(buffer.index)]; }
  DType TypeNow(BufferId buffer) const { return kernel_.buffers[buffer].type.dtype; }

  // ---- Statements

  void RunBlock(Block& block) {
    Block legal;
    for (Stmt& stmt : block) {
      std::visit(Overloaded{
                     [&](For& loop) { RunFor(loop); },
                     [&](Let& let) { RunLet(let); },
                     [&](Store& store) { RunStore(store, legal); },
                     [&](If& test) {
                       narrowing_.Visit(test.condition);
                       test.condition = Legal(test.condition);
                       RunBlock(test.body);
                     },
                     [](Reduce&) { CHECK(false); },
                     [](Barrier&) {},
                 },
                 static_cast<Stmt::variant&>(stmt));
      legal.push_back(std::move(stmt));
    }
    block = std::move(legal);
  }

  void RunFor(For& loop) {
    simplify_.Bind(loop.var, loop.extent);
    ranges_.Bind(loop.var, loop.extent);
    RunBlock(loop.body);
  }

  void RunLet(Let& let) {
    narrowing_.Visit(let.value);
    DType dtype = kernel_.exprs[let.value].dtype;
    if (!IsFloat(dtype)) ranges_.Define(let.var, let.value);
    let.value = Legal(let.value);
    kernel_.vars[let.var].dtype = build_.dtype(let.value);
    const Expr& value = kernel_.exprs[let.value];
    // An index is the same wherever it is used, if memory has no part in it.
    bool is_index = value.dtype == DType::kI32 && value.lanes == 1 && !LoadsAnything(let.value);
    if (is_index) simplify_.Define(let.var, let.value);
  }

  // What comes before it is appended to `before_it`.
  void RunStore(Store& store, Block& before_it) {
    narrowing_.VisitStore(store);
    DType before = TypeBefore(store.buffer);
    bool adds = store.update == Update::kAdd || store.update == Update::kMul;
    for (ExprId& index : store.index) index = Legal(index);
    ExprId value = Legal(store.value);
    if (is_packed_[static_cast<size_t>(store.buffer.index)])
      return StoreWords(store, value, before_it);
    // A narrow sum is read, wrapped and written.
    bool wraps = adds && IsInteger(before) && ByteSize(before) < 4;
    if (wraps) {
      ExprId old = kernel_.exprs.Add(
          {Load{store.buffer, store.index}, TypeNow(store.buffer), kernel_.exprs[value].lanes});
      value = Wrapped(Combine(kernel_, store.update, old, value), before);
      store.update = Update::kSet;
    }
    // Of 0 and 1 the sum is the larger, and the product the smaller.
    if (adds && before == DType::kBool) {
      store.update = store.update == Update::kAdd ? Update::kMax : Update::kMin;
    }
    store.value = build_.Convert(value, TypeNow(store.buffer));
  }

  // Threads would race to store parts of a word.
  void StoreWords(Store& store, ExprId value, Block& before_it) {
    const DType dtype = TypeBefore(store.buffer), word_type = TypeNow(store.buffer);
    const int32_t lanes = kernel_.exprs[value].lanes;
    const int64_t per_word = kWordBits / BitSize(dtype),
                  divisor = simplify_.KnownDivisor(simplify_.ToPolynomial(store.index[0]));
    bool whole = store.update == Update::kSet && dtype != DType::kBool && lanes % per_word == 0 &&
                 divisor % per_word == 0;
    if (!whole) error_ = "%" + kernel_.buffers[store.buffer].name + " is not stored by whole words";
    if (!error_.empty()) return;
    // A register, whose elements are the vector's.
    auto [parts, is_new] = parts_.try_emplace({word_type, lanes});
    if (is_new)
      parts->second = kernel_.buffers.Add({"parts", {word_type, {lanes}}, Space::kRegister});
    before_it.push_back(Store{parts->second, {build_.Int(0)}, build_.Convert(value, word_type)});
    store.value = WordsOf(kernel_, parts->second, dtype);
    store.index = {simplify_(build_.FloorDiv(store.index[0], build_.Int(per_word)))};
  }

  bool LoadsAnything(ExprId root) {
    bool loads = false;
    ForEachExpr(kernel_, root,
                [&](ExprId id) { loads |= std::holds_alternative<Load>(kernel_.exprs[id].node); });
    return loads;
  }

  // ---- Expressions

  // The type that values of `dtype` are computed in.
  DType Computed(DType dtype) const { return dtype == DType::kBool ? dtype : Carried(dtype); }

  ExprId Legal(ExprId id) {
    auto found = done_.find(id);
    if (found != done_.end()) return found->second;
    ExprId result = Convert(Compute(id), Computed(kernel_.exprs[id].dtype));
    return done_[id] = result;
  }

  ExprId Convert(ExprId id, DType to) { return build_.Convert(id, to); }

  ExprId Compute(ExprId id) {
    // A copy, since the pool grows.
    Expr expr = kernel_.exprs[id];
    DType dtype = expr.dtype;
    if (auto* constant = std::get_if<Constant>(&expr.node)) {
      Scalar value = Carried(constant->value, Computed(dtype));
      return build_.Splat(build_.Constant(value), expr.lanes);
    }
    if (auto* variable = std::get_if<Variable>(&expr.node)) {
      return kernel_.exprs.Add({*variable, kernel_.vars[variable->var].dtype, expr.lanes});
    }
    if (auto* load = std::get_if<Load>(&expr.node)) return ComputeLoad(*load, expr.lanes);
    if (auto* unary = std::get_if<Unary>(&expr.node)) return ComputeUnary(id, *unary);
    if (auto* binary = std::get_if<Binary>(&expr.node)) {
      if (ExprId word = StoredWord(id); word.valid()) return word;
      ExprId result = ComputeBinary(id, *binary);
      bool rounds = dtype == DType::kF16 && IsMeantToRound(kernel_, expr);
      return rounds ? RoundedAsHalf(result) : result;
    }
    if (auto* convert = std::get_if<loop::Convert>(&expr.node)) {
      ExprId converted = ComputeConvert(id, convert->a);
      return convert->rounded ? RoundedAsHalf(converted) : converted;
    }
    std::vector<ExprId> operands = Operands(expr);
    for (ExprId& operand : operands) operand = Legal(operand);
    expr.dtype = Computed(dtype);
    return kernel_.exprs.Add(WithOperands(std::move(expr), operands));
  }

  // What is rounded also where f32 carries f16. A device that has f16 rounds by itself.
  ExprId RoundedAsHalf(ExprId value) {
    return target_.Has(Feature::kF16) ? value : RoundedToHalf(kernel_, value);
  }

  static Scalar Carried(const Scalar& value, DType to) {
    if (IsFloat(to) || !Is64Bits(value.dtype)) return webnnc::Convert(value, to);
    // Of u64, those that i64 has as negative numbers are the largest.
    bool is_large = value.dtype == DType::kU64 && value.integer < 0;
    if (is_large || value.integer > Highest(to).integer) return Highest(to);
    return Scalar::Integer(to, std::max(value.integer, Lowest(to).integer));
  }

  ExprId ComputeLoad(Load load, int32_t lanes) {
    for (ExprId& index : load.index) index = Legal(index);
    if (is_packed_[static_cast<size_t>(load.buffer.index)]) {
      return LoadFromWords(kernel_, simplify_, load.buffer, TypeBefore(load.buffer), load.index[0],
                           lanes);
    }
    return kernel_.exprs.Add({load, TypeNow(load.buffer), lanes});
  }

  // What is put together, and is a word in memory already. Invalid if this is not so.
  ExprId StoredWord(ExprId id) {
    auto words = FindWords(kernel_, simplify_, id);
    if (!words || !is_packed_[static_cast<size_t>(words->buffer.index)]) return {};
    const auto lanes = static_cast<int32_t>(words->first.size());
    std::vector<ExprId> loads;
    bool neighbours = true;
    for (int32_t lane = 0; lane < lanes; ++lane) {
      const ExprId at = simplify_(build_.FloorDiv(Legal(words->first[static_cast<size_t>(lane)]),
                                                  build_.Int(kBytesInWord)));
      loads.push_back(build_.Load(words->buffer, {at}));
      Polynomial next = simplify_.ToPolynomial(IndexOf(loads[0]));
      next.constant += lane;
      neighbours &= simplify_.ToPolynomial(at) == next;
    }
    ExprId word = build_.Pack(loads);
    if (lanes == 1) word = loads[0];
    if (lanes > 1 && neighbours)
      word = kernel_.exprs.Add({Load{words->buffer, {IndexOf(loads[0])}}, DType::kI32, lanes});
    const ExprId none = build_.Splat(build_.Int(0), lanes);
    for (ExprId condition : words->conditions)
      word = build_.Select(build_.Splat(Legal(condition), lanes), word, none);
    return word;
  }

  ExprId IndexOf(ExprId load) const { return std::get<Load>(kernel_.exprs[load].node).index[0]; }

  ExprId ComputeUnary(ExprId id, const Unary& unary) {
    DType dtype = build_.dtype(unary.a);
    if (!IsFloat(dtype) && (unary.op == UnaryOp::kIsNan || unary.op == UnaryOp::kIsInf)) {
      return build_.Splat(build_.Constant(Scalar::Bool(false)), kernel_.exprs[id].lanes);
    }
    ExprId a = Legal(unary.a);
    if (dtype == DType::kBool && unary.op != UnaryOp::kNot) a = Convert(a, DType::kI32);
    return Wrapped(id, build_.Apply(unary.op, a));
  }

  ExprId ComputeBinary(ExprId id, const Binary& binary) {
    ExprId a = Legal(binary.a), b = Legal(binary.b);
    DType dtype = build_.dtype(binary.a);
    bool shifts = binary.op == BinaryOp::kShiftLeft || binary.op == BinaryOp::kShiftRight;
    if (shifts && Is64Bits(dtype)) return Shift64(binary.op, a, b);
    if (dtype == DType::kBool && !IsOfBools(binary.op)) {
      a = Convert(a, DType::kI32);
      b = Convert(b, DType::kI32);
    }
    ExprId result = build_.Apply(binary.op, a, b);
    return IsComparison(binary.op) ? result : Wrapped(id, result);
  }

  static bool IsOfBools(BinaryOp op) {
    return op == BinaryOp::kAnd || op == BinaryOp::kOr || op == BinaryOp::kXor ||
           op == BinaryOp::kEqual || op == BinaryOp::kNotEqual;
  }

  // By up to 63 bits, where the operands have 32.
  ExprId Shift64(BinaryOp op, ExprId a, ExprId b) {
    DType dtype = build_.dtype(a);
    int32_t lanes = kernel_.exprs[a].lanes;
    auto number = [&](int64_t value) {
      return build_.Splat(build_.Constant(Scalar::Integer(dtype, value)), lanes);
    };
    ExprId shifted = build_.Apply(op, a, build_.Min(b, number(31)));
    // Arithmetic shifts by more than 31 give what shifts by 31 do: the sign.
    if (op == BinaryOp::kShiftRight && IsSigned(dtype)) return shifted;
    return build_.Select(build_.Less(b, number(32)), shifted, number(0));
  }

  ExprId ComputeConvert(ExprId id, ExprId from) {
    DType before = build_.dtype(from), to = build_.dtype(id);
    if (!IsFloat(before)) {
      ExprId a = Legal(from);
      ExprId converted = Convert(a, Computed(to));
      return to == DType::kBool || IsFloat(to) ? converted : Wrapped(id, converted);
    }
    ExprId a = Legal(from);
    ExprId converted = Convert(a, Computed(to));
    if (IsFloat(to) || to == DType::kBool || ByteSize(to) >= 4) return converted;
    // Saturates to the narrow type.
    DType carried = build_.dtype(converted);
    auto number = [&](const Scalar& value) {
      Scalar end = Scalar::Integer(carried, value.integer);
      return build_.Splat(build_.Constant(end), kernel_.exprs[converted].lanes);
    };
    ExprId clamped = build_.Min(converted, number(Highest(to)));
    return IsSigned(to) ? build_.Max(clamped, number(Lowest(to))) : clamped;
  }

  // ---- Wrapping

  // `result` stands for `id`, a result of narrow integers that may have to wrap.
  ExprId Wrapped(ExprId id, ExprId result) {
    DType dtype = kernel_.exprs[id].dtype;
    if (!IsInteger(dtype) || RangeOf(dtype).Holds(ranges_.Exact(id))) return result;
    return Wrapped(result, dtype);
  }

  ExprId Wrapped(ExprId result, DType dtype) {
    int64_t bits = BitSize(dtype);
    if (bits >= 32) return result;
    auto number = [&](int64_t value) {
      Scalar scalar = Scalar::Integer(build_.dtype(result), value);
      return build_.Splat(build_.Constant(scalar), kernel_.exprs[result].lanes);
    };
    if (!IsSigned(dtype)) return build_.And(result, number((int64_t{1} << bits) - 1));
    ExprId top = build_.Apply(BinaryOp::kShiftLeft, result, number(32 - bits));
    return build_.Apply(BinaryOp::kShiftRight, top, number(32 - bits));
  }

  static constexpr int64_t kWordBits = 32, kBytesInWord = 4;

  Kernel& kernel_;
  Builder build_;
  Simplifier simplify_;
  IntegerRanges ranges_;
  Narrowing narrowing_;
  const Target target_;
  // By buffer: the type before, and whether it is read out of words.
  std::vector<DType> types_;
  std::vector<bool> is_packed_;
  // Vectors that words are made of, by type and lanes.
  std::map<std::pair<DType, int32_t>, BufferId> parts_;
  std::string error_;
  std::unordered_map<ExprId, ExprId> done_;
};

}  // namespace

Result<GpuLegalization> LegalizeForGpu(Kernel& kernel, const std::vector<Storage>& parameters,
                                       const Target& target) {
  return Legalizer(kernel, target).Run(parameters);
}

}  // namespace webnnc::loop
