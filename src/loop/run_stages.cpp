// A stage's iterations are independent or combine in order, so a strip of them is computed
// expression by expression: the choice what to do is made once for a strip, not for each element.
//
// Both sides of a Select are computed. Loads that a condition guards may then lie outside their
// buffer; such lanes read 0, which nobody chooses. A store must lie inside.
#include "loop/run_stages.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/overloaded.h"
#include "loop/fold.h"
#include "loop/interpret.h"
#include "loop/rewrite.h"
#include "loop/stage.h"
#include "tensor/f16.h"

namespace webnnc::loop {

namespace {

// Few enough that the values of a dozen expressions stay in the first cache.
constexpr size_t kStrip = 256;

// The values of one expression in a strip's iterations: floats as reals, all else as integers.
struct Lanes {
  std::vector<double> real;
  std::vector<int64_t> integer;
};

int64_t SaturatingProduct(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

int64_t SaturatingSum(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t Iterations(const Stage& stage) {
  int64_t iterations = 1;
  std::vector<StageLoop> loops = stage.loops;
  if (stage.ordered) loops.push_back(*stage.ordered);
  // A loop that never runs makes nothing of those around it.
  for (const StageLoop& loop : loops)
    if (loop.extent.Is(0)) return 0;
  for (const StageLoop& loop : loops)
    iterations = SaturatingProduct(iterations, loop.extent.value());
  return iterations;
}

// The expressions of a stage, operands first.
std::vector<ExprId> ExprsOf(const Kernel& kernel, const Stage& stage) {
  std::vector<ExprId> order;
  std::vector<bool> seen(static_cast<size_t>(kernel.exprs.size()));
  auto add = [&](ExprId root) {
    ForEachExpr(kernel, root, [&](ExprId id) {
      auto at = static_cast<size_t>(id.index);
      if (!seen[at]) order.push_back(id);
      seen[at] = true;
    });
  };
  for (ExprId index : stage.place) add(index);
  for (const Part& part : stage.parts) {
    if (part.start.valid()) add(part.start);
    add(part.term);
  }
  return order;
}

template <typename T>
T ReadAt(const uint8_t* bytes, int64_t at) {
  T value;
  std::memcpy(&value, bytes + at * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void WriteAt(uint8_t* bytes, int64_t at, T value) {
  std::memcpy(bytes + at * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

class StripMachine {
 public:
  StripMachine(const Kernel& kernel, const std::vector<std::span<const uint8_t>>& operands)
      : kernel_(kernel), lanes_(static_cast<size_t>(kernel.exprs.size())) {
    auto count = static_cast<size_t>(kernel.buffers.size());
    read_.resize(count);
    own_.resize(count);
    sizes_.resize(count);
    size_t next = 0;
    for (size_t b = 0; b < count; ++b) {
      const Buffer& buffer = kernel.buffers[BufferId{static_cast<int32_t>(b)}];
      sizes_[b] = StaticShape(buffer.type.shape);
      if (buffer.space == Space::kIn) {
        read_[b] = operands[next++];
      } else {
        own_[b].assign(static_cast<size_t>(webnnc::ByteSize(buffer.type).value()), 0);
        read_[b] = own_[b];
      }
    }
  }

  Result<std::vector<std::vector<uint8_t>>> Run() {
    for (const Stage& stage : StagesOf(kernel_)) {
      if (IsReduction(stage)) RunStage(StartOf(kernel_, stage, 0));
      RunStage(stage);
      if (outside_) {
        return Error{"@" + kernel_.name + ": an index is outside %" +
                     kernel_.buffers[stage.buffer()].name};
      }
    }
    std::vector<std::vector<uint8_t>> results;
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      if (kernel_.buffers[BufferId{b}].space == Space::kOut)
        results.push_back(std::move(own_[static_cast<size_t>(b)]));
    }
    return results;
  }

 private:
  // ---- Strips

  void RunStage(const Stage& stage) {
    int64_t left = Iterations(stage);
    std::vector<ExprId> varying;
    count_ = kStrip;
    PrepareExprs(stage, varying);
    at_.assign(stage.loops.size(), 0);
    for (; left > 0 && !outside_; left -= static_cast<int64_t>(count_)) {
      count_ = static_cast<size_t>(std::min<int64_t>(left, kStrip));
      Advance(stage);
      for (ExprId id : varying) Compute(id);
      RunStore({stage.buffer(), stage.place, stage.value(), stage.update});
    }
  }

  // Makes room for every expression, and computes those that are the same in all iterations.
  void PrepareExprs(const Stage& stage, std::vector<ExprId>& varying) {
    varies_.assign(static_cast<size_t>(kernel_.exprs.size()), false);
    variables_.assign(stage.loops.size(), nullptr);
    for (ExprId id : ExprsOf(kernel_, stage)) {
      const Expr& expr = kernel_.exprs[id];
      Lanes& lanes = At(id);
      if (IsFloat(expr.dtype)) {
        lanes.real.resize(kStrip);
      } else {
        lanes.integer.resize(kStrip);
      }
      auto* variable = std::get_if<Variable>(&expr.node);
      for (size_t d = 0; variable && d < stage.loops.size(); ++d) {
        if (stage.loops[d].var == variable->var) variables_[d] = &lanes;
      }
      bool varies = variable || std::holds_alternative<Load>(expr.node);
      for (ExprId operand : Operands(expr)) varies |= varies_[static_cast<size_t>(operand.index)];
      varies_[static_cast<size_t>(id.index)] = varies;
      if (!varies) Compute(id);
      if (varies && !variable) varying.push_back(id);
    }
  }

  // Gives loops' variables their values in the next strip.
  void Advance(const Stage& stage) {
    size_t depth = stage.loops.size();
    if (depth == 0) return;
    int64_t inner = stage.loops[depth - 1].extent.value();
    for (size_t lane = 0; lane < count_;) {
      size_t run = std::min(count_ - lane, static_cast<size_t>(inner - at_[depth - 1]));
      for (size_t d = 0; d < depth; ++d) {
        if (!variables_[d]) continue;
        int64_t* values = variables_[d]->integer.data() + lane;
        for (size_t i = 0; i < run; ++i)
          values[i] = at_[d] + (d + 1 == depth ? static_cast<int64_t>(i) : 0);
      }
      lane += run;
      at_[depth - 1] += static_cast<int64_t>(run);
      for (size_t d = depth; d-- > 0 && at_[d] == stage.loops[d].extent.value();) {
        at_[d] = 0;
        if (d > 0) ++at_[d - 1];
      }
    }
  }

  Lanes& At(ExprId id) { return lanes_[static_cast<size_t>(id.index)]; }
  double* Reals(ExprId id) { return At(id).real.data(); }
  int64_t* Integers(ExprId id) { return At(id).integer.data(); }

  Scalar ScalarAt(ExprId id, size_t lane) {
    DType dtype = kernel_.exprs[id].dtype;
    return IsFloat(dtype) ? Scalar{dtype, 0, At(id).real[lane]}
                          : Scalar{dtype, At(id).integer[lane], 0};
  }
  void Put(ExprId id, size_t lane, const Scalar& value) {
    if (IsFloat(value.dtype)) {
      At(id).real[lane] = value.real;
    } else {
      At(id).integer[lane] = value.integer;
    }
  }

  // ---- Expressions

  void Compute(ExprId id) {
    const Expr& expr = kernel_.exprs[id];
    std::visit(Overloaded{
                   [&](const Constant& node) {
                     for (size_t i = 0; i < count_; ++i) Put(id, i, node.value);
                   },
                   [&](const Size& node) {
                     Scalar size = Scalar::Integer(DType::kI32, node.dim.value());
                     for (size_t i = 0; i < count_; ++i) Put(id, i, size);
                   },
                   [&](const Load& node) { ComputeLoad(id, node); },
                   [&](const Unary& node) {
                     for (size_t i = 0; i < count_; ++i)
                       Put(id, i, Evaluate(node.op, ScalarAt(node.a, i)));
                   },
                   [&](const Binary& node) { ComputeBinary(id, node); },
                   [&](const Select& node) {
                     const int64_t* chooses = Integers(node.condition);
                     if (IsFloat(expr.dtype)) {
                       Choose(chooses, Reals(node.yes), Reals(node.no), Reals(id));
                     } else {
                       Choose(chooses, Integers(node.yes), Integers(node.no), Integers(id));
                     }
                   },
                   [&](const Convert& node) { ComputeConvert(id, node); },
                   // Variables have their values already, and plain kernels have no vectors.
                   [](const auto&) {},
               },
               expr.node);
  }

  template <typename T>
  void Choose(const int64_t* chooses, const T* yes, const T* no, T* out) {
    for (size_t i = 0; i < count_; ++i) out[i] = chooses[i] ? yes[i] : no[i];
  }

  void ComputeConvert(ExprId id, const Convert& node) {
    DType from = kernel_.exprs[node.a].dtype, to = kernel_.exprs[id].dtype;
    bool exact = IsFloat(from) && (to == DType::kF64 || (to == DType::kF32 && from == DType::kF16));
    if (exact) {
      std::copy_n(Reals(node.a), count_, Reals(id));
      return;
    }
    if (from != DType::kU64 && !IsFloat(from) && to == DType::kF32) {
      const int64_t* a = Integers(node.a);
      double* out = Reals(id);
      // By way of double, as Scalar::Real does.
      for (size_t i = 0; i < count_; ++i) out[i] = static_cast<float>(static_cast<double>(a[i]));
      return;
    }
    for (size_t i = 0; i < count_; ++i) Put(id, i, webnnc::Convert(ScalarAt(node.a, i), to));
  }

  void ComputeBinary(ExprId id, const Binary& node) {
    DType dtype = kernel_.exprs[node.a].dtype;
    bool done = false;
    if (dtype == DType::kF32) done = FastReal<float>(id, node);
    if (dtype == DType::kF64) done = FastReal<double>(id, node);
    if (dtype == DType::kI32) done = FastInteger<int32_t>(id, node);
    if (dtype == DType::kI64) done = FastInteger<int64_t>(id, node);
    if (done) return;
    for (size_t i = 0; i < count_; ++i)
      Put(id, i, Evaluate(node.op, ScalarAt(node.a, i), ScalarAt(node.b, i)));
  }

  template <typename T, typename F>
  void ForLanes(const T* a, const T* b, T* out, F f) {
    for (size_t i = 0; i < count_; ++i) out[i] = f(a[i], b[i]);
  }

  // Of the commonest operations; the same results as Evaluate.
  template <typename Rounded>
  bool FastReal(ExprId id, const Binary& node) {
    const double *a = Reals(node.a), *b = Reals(node.b);
    double* out = Reals(id);
    switch (node.op) {
      case BinaryOp::kAdd:
        ForLanes(a, b, out, [](double x, double y) { return static_cast<Rounded>(x + y); });
        return true;
      case BinaryOp::kSub:
        ForLanes(a, b, out, [](double x, double y) { return static_cast<Rounded>(x - y); });
        return true;
      case BinaryOp::kMul:
        ForLanes(a, b, out, [](double x, double y) { return static_cast<Rounded>(x * y); });
        return true;
      case BinaryOp::kDiv:
        ForLanes(a, b, out, [](double x, double y) { return static_cast<Rounded>(x / y); });
        return true;
      default: return false;
    }
  }

  template <typename Wrapped>
  bool FastInteger(ExprId id, const Binary& node) {
    const int64_t *a = Integers(node.a), *b = Integers(node.b);
    int64_t* out = Integers(id);
    auto wrap = [&](auto f) {
      ForLanes(a, b, out, [f](int64_t x, int64_t y) {
        return static_cast<int64_t>(
            static_cast<Wrapped>(f(static_cast<uint64_t>(x), static_cast<uint64_t>(y))));
      });
      return true;
    };
    auto plain = [&](auto f) {
      ForLanes(a, b, out, f);
      return true;
    };
    switch (node.op) {
      case BinaryOp::kAdd: return wrap([](uint64_t x, uint64_t y) { return x + y; });
      case BinaryOp::kSub: return wrap([](uint64_t x, uint64_t y) { return x - y; });
      case BinaryOp::kMul: return wrap([](uint64_t x, uint64_t y) { return x * y; });
      case BinaryOp::kMin: return plain([](int64_t x, int64_t y) { return std::min(x, y); });
      case BinaryOp::kMax: return plain([](int64_t x, int64_t y) { return std::max(x, y); });
      case BinaryOp::kLess: return plain([](int64_t x, int64_t y) -> int64_t { return x < y; });
      case BinaryOp::kLessEqual:
        return plain([](int64_t x, int64_t y) -> int64_t { return x <= y; });
      case BinaryOp::kEqual: return plain([](int64_t x, int64_t y) -> int64_t { return x == y; });
      default: return false;
    }
  }

  // ---- Memory

  // Positions in `buffer`; -1 outside.
  void ComputeOffsets(BufferId buffer, const Index& index) {
    const auto& sizes = sizes_[static_cast<size_t>(buffer.index)];
    offsets_.resize(kStrip);
    std::fill_n(offsets_.begin(), count_, 0);
    for (size_t d = 0; d < sizes.size(); ++d) {
      const int64_t* at = Integers(index[d]);
      int64_t size = sizes[d];
      for (size_t i = 0; i < count_; ++i) {
        bool inside = static_cast<uint64_t>(at[i]) < static_cast<uint64_t>(size);
        offsets_[i] = inside && offsets_[i] >= 0 ? offsets_[i] * size + at[i] : -1;
      }
    }
  }

  template <typename T, typename F, typename Out>
  void Gather(const uint8_t* bytes, Out* out, F f) {
    for (size_t i = 0; i < count_; ++i)
      out[i] = offsets_[i] < 0 ? Out(0) : f(ReadAt<T>(bytes, offsets_[i]));
  }

  void GatherBits(const uint8_t* bytes, DType dtype, int64_t* out) {
    for (size_t i = 0; i < count_; ++i)
      out[i] = offsets_[i] < 0 ? 0 : ReadScalar(bytes, dtype, offsets_[i]).integer;
  }

  void ComputeLoad(ExprId id, const Load& load) {
    ComputeOffsets(load.buffer, load.index);
    const uint8_t* bytes = read_[static_cast<size_t>(load.buffer.index)].data();
    auto integer = [](auto value) { return static_cast<int64_t>(value); };
    auto real = [](auto value) { return static_cast<double>(value); };
    switch (kernel_.exprs[id].dtype) {
      case DType::kBool:
        return Gather<uint8_t>(bytes, Integers(id), [](uint8_t value) { return value != 0; });
      case DType::kI8: return Gather<int8_t>(bytes, Integers(id), integer);
      case DType::kU8: return Gather<uint8_t>(bytes, Integers(id), integer);
      case DType::kI16: return Gather<int16_t>(bytes, Integers(id), integer);
      case DType::kU16: return Gather<uint16_t>(bytes, Integers(id), integer);
      case DType::kI32: return Gather<int32_t>(bytes, Integers(id), integer);
      case DType::kU32: return Gather<uint32_t>(bytes, Integers(id), integer);
      case DType::kI64:
      case DType::kU64: return Gather<int64_t>(bytes, Integers(id), integer);
      case DType::kF16: return Gather<uint16_t>(bytes, Reals(id), HalfToFloat);
      case DType::kF32: return Gather<float>(bytes, Reals(id), real);
      case DType::kF64: return Gather<double>(bytes, Reals(id), real);
      case DType::kI4:
      case DType::kU4:
      case DType::kI2:
      case DType::kU2: return GatherBits(bytes, kernel_.exprs[id].dtype, Integers(id));
    }
  }

  void RunStore(const Store& store) {
    ComputeOffsets(store.buffer, store.index);
    if (std::any_of(offsets_.begin(), offsets_.begin() + static_cast<int64_t>(count_),
                    [](int64_t offset) { return offset < 0; })) {
      outside_ = true;
      return;
    }
    uint8_t* bytes = own_[static_cast<size_t>(store.buffer.index)].data();
    DType dtype = kernel_.exprs[store.value].dtype;
    if (dtype == DType::kF32 && store.update == Update::kSet) {
      const double* values = Reals(store.value);
      for (size_t i = 0; i < count_; ++i)
        WriteAt(bytes, offsets_[i], static_cast<float>(values[i]));
    } else if (dtype == DType::kF32 && store.update == Update::kAdd) {
      AddTo<float>(bytes, Reals(store.value));
    } else if (dtype == DType::kF64 && store.update == Update::kAdd) {
      AddTo<double>(bytes, Reals(store.value));
    } else {
      for (size_t i = 0; i < count_; ++i) {
        Scalar value = ScalarAt(store.value, i);
        if (store.update != Update::kSet)
          value = Updated(store.update, ReadScalar(bytes, dtype, offsets_[i]), value);
        WriteScalar(bytes, offsets_[i], value);
      }
    }
  }

  // Sums mostly go to one element for a while, which stays in a register. Sums of floats in double
  // are rounded to what the sum in float is.
  template <typename T>
  void AddTo(uint8_t* bytes, const double* values) {
    for (size_t i = 0; i < count_;) {
      int64_t at = offsets_[i];
      T sum = ReadAt<T>(bytes, at);
      for (; i < count_ && offsets_[i] == at; ++i) sum += static_cast<T>(values[i]);
      WriteAt(bytes, at, sum);
    }
  }

  const Kernel& kernel_;
  std::vector<Lanes> lanes_;                    // by expression
  std::vector<bool> varies_;                    // by expression
  std::vector<Lanes*> variables_;               // by loop; null if nothing reads the variable
  std::vector<int64_t> at_;                     // by loop
  std::vector<std::span<const uint8_t>> read_;  // by buffer
  std::vector<std::vector<uint8_t>> own_;       // by buffer; empty for operands
  std::vector<std::vector<int64_t>> sizes_;     // by buffer
  std::vector<int64_t> offsets_;
  size_t count_ = 0;  // iterations in this strip
  bool outside_ = false;
};

}  // namespace

size_t ExpressionsOf(const Kernel& plain, const Stage& stage) {
  return ExprsOf(plain, stage).size();
}

StagesCost CostOfStages(const Kernel& plain) {
  StagesCost cost;
  for (const Stage& stage : StagesOf(plain)) {
    auto exprs = static_cast<int64_t>(ExprsOf(plain, stage).size());
    cost.steps = SaturatingSum(cost.steps, SaturatingProduct(Iterations(stage), exprs + 1));
  }
  for (const Buffer& buffer : plain.buffers) {
    if (buffer.space == Space::kIn) continue;
    cost.bytes = SaturatingSum(cost.bytes, webnnc::ByteSize(buffer.type).value());
  }
  return cost;
}

// Strips are for iterations in any order, each of which stores one value.
static bool FitsStrips(const std::vector<Stage>& stages) {
  return !IsOrdered(stages) && std::all_of(stages.begin(), stages.end(), [](const Stage& stage) {
    return stage.parts.size() == 1;
  });
}

static Result<std::vector<std::vector<uint8_t>>> RunOneByOne(
    const Kernel& plain, const std::vector<std::span<const uint8_t>>& operands) {
  Memory memory(static_cast<size_t>(plain.buffers.size()));
  size_t next = 0;
  for (int32_t b = 0; b < plain.buffers.size(); ++b) {
    if (plain.buffers[BufferId{b}].space != Space::kIn) continue;
    memory[static_cast<size_t>(b)].assign(operands[next].begin(), operands[next].end());
    ++next;
  }
  TRY(Interpret(plain, memory, {}));
  std::vector<std::vector<uint8_t>> results;
  for (int32_t b = 0; b < plain.buffers.size(); ++b) {
    if (plain.buffers[BufferId{b}].space == Space::kOut)
      results.push_back(std::move(memory[static_cast<size_t>(b)]));
  }
  return results;
}

Result<std::vector<std::vector<uint8_t>>> RunStages(
    const Kernel& plain, const std::vector<std::span<const uint8_t>>& operands) {
  if (!FitsStrips(StagesOf(plain))) return RunOneByOne(plain, operands);
  return StripMachine(plain, operands).Run();
}

}  // namespace webnnc::loop
