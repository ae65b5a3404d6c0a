#include "loop/interpret.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/overloaded.h"
#include "loop/fold.h"
#include "loop/parallel.h"
#include "loop/parameters.h"
#include "loop/stage.h"

namespace webnnc::loop {

namespace {

// What is known of one element of a buffer that threads share.
struct Shadow {
  bool written = false;
  int32_t write_phase = -1, write_thread = -1;
  int32_t read_phase = -1, read_thread = -1;  // read_thread is kMany after two different ones
};
constexpr int32_t kMany = -2;

class Machine {
 public:
  Machine(const Kernel& kernel, Memory& memory, const InterpretOptions& options)
      : kernel_(kernel),
        options_(options),
        vars_(static_cast<size_t>(kernel.vars.size())),
        values_(static_cast<size_t>(kernel.exprs.size())),
        stamps_(static_cast<size_t>(kernel.exprs.size())),
        sizes_(static_cast<size_t>(kernel.buffers.size())),
        shadows_(static_cast<size_t>(kernel.buffers.size())),
        memory_(memory) {}

  Status Run() {
    memory_.resize(static_cast<size_t>(kernel_.buffers.size()));
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      const Buffer& buffer = kernel_.buffers[BufferId{b}];
      auto at = static_cast<size_t>(b);
      int64_t count = 1;
      for (const Dim& dim : buffer.type.shape) {
        sizes_[at].push_back(dim.Evaluate(options_.symbols));
        count *= sizes_[at].back();
      }
      auto bytes = static_cast<size_t>(ByteSize({buffer.type.dtype, {count}}).value());
      bool parameter = IsParameter(buffer);
      if (!parameter || memory_[at].empty()) memory_[at].assign(bytes, 0);
      if (memory_[at].size() != bytes) {
        return Error{"%" + buffer.name + " has " + std::to_string(memory_[at].size()) +
                     " bytes, not " + std::to_string(bytes)};
      }
      if (options_.check_races && buffer.space != Space::kIn) {
        shadows_[at].resize(static_cast<size_t>(count));
      }
    }
    RunBlock(kernel_.body);
    if (!error_.empty()) return Error{"@" + kernel_.name + ": " + error_};
    return kSuccess;
  }

 private:
  void Fail(const std::string& message) {
    if (error_.empty()) error_ = message;
  }

  void RunBlock(const Block& block) {
    for (const Stmt& stmt : block) {
      if (!error_.empty()) return;
      std::visit(Overloaded{
                     [&](const For& loop) { RunFor(loop); },
                     [&](const Let& let) { RunLet(let); },
                     [&](const Store& store) { RunStore(store); },
                     [](const Reduce&) { CHECK(false); },
                     [&](const If& test) {
                       ++epoch_;
                       if (Eval(test.condition, 0).integer) RunBlock(test.body);
                     },
                     [&](const Barrier&) { ++phase_; },
                 },
                 static_cast<const Stmt::variant&>(stmt));
    }
  }

  void RunFor(const For& loop) {
    int64_t extent = loop.extent.Evaluate(options_.symbols);
    auto& slot = vars_[static_cast<size_t>(loop.var.index)];
    slot.resize(1, Scalar{DType::kI32});
    const bool is_parallel = loop.kind == LoopKind::kParallel;
    std::set<BufferId> own;
    if (is_parallel) own = RegistersStoredIn(kernel_, loop);
    for (int64_t i = 0; i < extent && error_.empty(); ++i) {
      Spoil(own);
      if (IsRegion(loop.kind)) thread_ = static_cast<int32_t>(i);
      combines_ = loop.kind == LoopKind::kCombined || (combines_ && !IsRegion(loop.kind));
      if (IsWorkgroup(loop.kind)) EnterWorkgroup();
      // What promises that any order is right is held to it.
      slot[0].integer = is_parallel ? extent - 1 - i : i;
      RunBlock(loop.body);
    }
    if (IsRegion(loop.kind)) thread_ = -1, combines_ = false;
  }

  // What an iteration of a parallel loop leaves in registers is not there for the next one.
  void Spoil(const std::set<BufferId>& registers) {
    constexpr uint8_t kNotANumber = 0xff;
    for (BufferId id : registers) {
      auto& bytes = memory_[static_cast<size_t>(id.index)];
      std::fill(bytes.begin(), bytes.end(), kNotANumber);
      for (Shadow& shadow : shadows_[static_cast<size_t>(id.index)]) shadow = Shadow();
    }
  }

  // What a workgroup leaves in its own memory is not there for the next one.
  void EnterWorkgroup() {
    ++phase_;
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      Space space = kernel_.buffers[BufferId{b}].space;
      if (space == Space::kWorkgroup || space == Space::kRegister) {
        for (Shadow& shadow : shadows_[static_cast<size_t>(b)]) shadow = Shadow();
      }
    }
  }

  void RunLet(const Let& let) {
    auto& slot = vars_[static_cast<size_t>(let.var.index)];
    int32_t lanes = kernel_.exprs[let.value].lanes;
    slot.resize(static_cast<size_t>(lanes));
    for (int32_t lane = 0; lane < lanes; ++lane) {
      ++epoch_;
      slot[static_cast<size_t>(lane)] = Eval(let.value, lane);
    }
  }

  void RunStore(const Store& store) {
    int32_t lanes = kernel_.exprs[store.value].lanes;
    DType dtype = kernel_.exprs[store.value].dtype;
    // All lanes are read before any is written, as one instruction does.
    constexpr int32_t kMostLanes = 64;
    CHECK(lanes <= kMostLanes);
    Scalar results[kMostLanes];
    int64_t at[kMostLanes];
    for (int32_t lane = 0; lane < lanes; ++lane) {
      ++epoch_;
      results[lane] = Eval(store.value, lane);
      at[lane] = Offset(store.buffer, store.index, lane);
      if (at[lane] < 0) return;
      if (store.update != Update::kSet) {
        Touch(store.buffer, at[lane], false);
        Scalar old = ReadScalar(Bytes(store.buffer), dtype, at[lane]);
        results[lane] = Updated(store.update, old, results[lane]);
      }
    }
    for (int32_t lane = 0; lane < lanes; ++lane) {
      Touch(store.buffer, at[lane], true);
      WriteScalar(Bytes(store.buffer), at[lane], results[lane]);
    }
  }

  uint8_t* Bytes(BufferId buffer) { return memory_[static_cast<size_t>(buffer.index)].data(); }

  // The element's position, or -1 after noting that it is outside.
  int64_t Offset(BufferId buffer, const Index& index, int32_t lane) {
    const auto& sizes = sizes_[static_cast<size_t>(buffer.index)];
    int64_t offset = 0;
    for (size_t d = 0; d < sizes.size(); ++d) {
      int64_t i = Eval(index[d], 0).integer + (d + 1 == index.size() ? lane : 0);
      if (i < 0 || i >= sizes[d]) {
        Fail("index " + std::to_string(i) + " of dimension " + std::to_string(d) + " of %" +
             kernel_.buffers[buffer].name + " is outside " + std::to_string(sizes[d]));
        return -1;
      }
      offset = offset * sizes[d] + i;
    }
    return offset;
  }

  // Notes a read or write of an element, and whether it can race with another thread's.
  void Touch(BufferId id, int64_t offset, bool write) {
    auto& shadows = shadows_[static_cast<size_t>(id.index)];
    if (shadows.empty()) return;
    Shadow& shadow = shadows[static_cast<size_t>(offset)];
    const Buffer& buffer = kernel_.buffers[id];
    if (!write && !shadow.written) Fail("reads %" + buffer.name + " before it is written");
    // Each thread has registers of its own, and finds there what it left itself.
    bool others = buffer.space == Space::kRegister && shadow.write_thread != thread_;
    if (!write && others) Fail("threads share %" + buffer.name + ", a register");
    // What threads combine they update together.
    int32_t thread = combines_ && buffer.space == Space::kWorkgroup ? kMany : thread_;
    if (buffer.space == Space::kWorkgroup) {
      bool wrote = shadow.write_phase == phase_ && shadow.write_thread != thread;
      bool read = write && shadow.read_phase == phase_ && shadow.read_thread != thread;
      if (wrote || read) Fail("threads race for %" + buffer.name);
    }
    if (write) {
      shadow.written = true;
      shadow.write_phase = phase_;
      shadow.write_thread = thread;
    } else {
      bool other = shadow.read_phase == phase_ && shadow.read_thread != thread;
      shadow.read_thread = other ? kMany : thread;
      shadow.read_phase = phase_;
    }
  }

  // The value of one lane. Within an epoch (one lane of one statement) nothing changes, so shared
  // expressions are computed once.
  Scalar Eval(ExprId id, int32_t lane) {
    auto at = static_cast<size_t>(id.index);
    if (stamps_[at] == epoch_) return values_[at];
    Scalar value = Compute(kernel_.exprs[id], lane);
    stamps_[at] = epoch_;
    values_[at] = value;
    return value;
  }

  Scalar Compute(const Expr& expr, int32_t lane) {
    switch (expr.node.index()) {
      case 0: return std::get<Constant>(expr.node).value;
      case 1: {
        const auto& lanes = vars_[static_cast<size_t>(std::get<Variable>(expr.node).var.index)];
        return lanes[expr.lanes == 1 ? 0 : static_cast<size_t>(lane)];
      }
      case 2:
        return Scalar::Integer(DType::kI32,
                               std::get<Size>(expr.node).dim.Evaluate(options_.symbols));
      case 3: {
        const Load& load = std::get<Load>(expr.node);
        int64_t offset = Offset(load.buffer, load.index, expr.lanes == 1 ? 0 : lane);
        if (offset < 0) return Scalar::Of(expr.dtype, 0);
        Touch(load.buffer, offset, false);
        return ReadScalar(Bytes(load.buffer), expr.dtype, offset);
      }
      case 4: {
        const Unary& unary = std::get<Unary>(expr.node);
        return Evaluate(unary.op, Eval(unary.a, lane));
      }
      case 5: {
        const Binary& binary = std::get<Binary>(expr.node);
        Scalar a = Eval(binary.a, lane);
        Scalar b = Eval(binary.b, lane);
        if (a.dtype == DType::kI32) return EvaluateIndex(binary.op, a, b);
        return Evaluate(binary.op, a, b);
      }
      case 6: {
        const Select& select = std::get<Select>(expr.node);
        return Eval(Eval(select.condition, lane).integer ? select.yes : select.no, lane);
      }
      case 7: return webnnc::Convert(Eval(std::get<Convert>(expr.node).a, lane), expr.dtype);
      case 8: return EvalScalar(std::get<Splat>(expr.node).a);
      case 9: {
        Scalar base = EvalScalar(std::get<Ramp>(expr.node).base);
        return Scalar::Integer(base.dtype, base.integer + lane);
      }
      default: return EvalScalar(std::get<Pack>(expr.node).lanes[static_cast<size_t>(lane)]);
    }
  }

  Scalar EvalScalar(ExprId id) { return Eval(id, 0); }

  // The common case of index arithmetic, inlined; the same results as Evaluate.
  static Scalar EvaluateIndex(BinaryOp op, const Scalar& a, const Scalar& b) {
    switch (op) {
      case BinaryOp::kAdd: return {DType::kI32, static_cast<int32_t>(a.integer + b.integer)};
      case BinaryOp::kMul: return {DType::kI32, static_cast<int32_t>(a.integer * b.integer)};
      case BinaryOp::kLess: return {DType::kBool, a.integer < b.integer};
      default: return Evaluate(op, a, b);
    }
  }

  const Kernel& kernel_;
  const InterpretOptions& options_;
  std::vector<std::vector<Scalar>> vars_;  // by lane
  std::vector<Scalar> values_;
  std::vector<uint64_t> stamps_;
  uint64_t epoch_ = 0;
  std::vector<std::vector<int64_t>> sizes_;
  std::vector<std::vector<Shadow>> shadows_;
  int32_t phase_ = 0, thread_ = -1;
  // Whether threads combine what they have.
  bool combines_ = false;
  std::string error_;
  Memory& memory_;
};

}  // namespace

Status Interpret(const Kernel& kernel, Memory& memory, const InterpretOptions& options) {
  return Machine(WithoutReductions(kernel), memory, options).Run();
}

}  // namespace webnnc::loop
