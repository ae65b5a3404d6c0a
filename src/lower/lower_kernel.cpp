#include "lower/lower_kernel.h"

#include <algorithm>
#include <set>

#include "loop/parallel.h"
#include "loop/parameters.h"
#include "loop/passes/flatten.h"
#include "loop/passes/guard_stores.h"
#include "loop/passes/guard_sums.h"
#include "loop/passes/legalize_for_gpu.h"
#include "loop/passes/promote_half.h"
#include "loop/passes/share_memory.h"
#include "loop/passes/simplify.h"
#include "loop/passes/unpack_words.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/rewrite.h"
#include "loop/thread_rows.h"
#include "loop/verify.h"
#include "schedule/bound_sums.h"
#include "schedule/pack.h"

namespace webnnc::lower {

namespace {

// The registers that fragments are in, which a subgroup's threads share.
std::set<loop::BufferId> FragmentsOf(const loop::Kernel& kernel) {
  std::set<loop::BufferId> fragments;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    if (!loop || loop->kind != loop::LoopKind::kMatrix) return;
    loop::ForEachStmt(loop->body, [&](const loop::Stmt& inner) {
      auto* store = std::get_if<loop::Store>(&inner);
      if (store) fragments.insert(store->buffer);
    });
  });
  return fragments;
}

// Of a workgroup, or of one thread where threads have rows.
int64_t BytesOf(const loop::Kernel& kernel, loop::Space space, const Target& target) {
  int64_t bytes = 0;
  std::set<loop::BufferId> rows = loop::ThreadRows(kernel), fragments = FragmentsOf(kernel);
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const loop::Buffer& buffer = kernel.buffers[loop::BufferId{b}];
    if (buffer.space != space) continue;
    DType dtype = StoredType(target, buffer.type.dtype, Storage::kActivation);
    int64_t own = ElementCount(buffer.type.shape).value() * ByteSize(dtype);
    if (rows.count(loop::BufferId{b})) own /= buffer.type.shape[0].value();
    bool is_shared = space == loop::Space::kRegister && fragments.count(loop::BufferId{b});
    bytes += is_shared ? own / Machine::kFragmentThreads : own;
  }
  return bytes;
}

Status CheckShared(const loop::Kernel& kernel, const Options& options) {
  if (BytesOf(kernel, loop::Space::kWorkgroup, options.target) <=
      options.target.machine->workgroup_bytes)
    return kSuccess;
  return Error{"too much workgroup memory"};
}

// What is in registers must be small, or it is not in registers.
Status CheckFits(const loop::Kernel& kernel, const Options& options) {
  const Machine& machine = *options.target.machine;
  int64_t most = options.spills ? machine.spilled_bytes : machine.register_bytes;
  if (BytesOf(kernel, loop::Space::kRegister, options.target) > most)
    return Error{"too many registers"};
  bool too_many = false;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    if (!loop || !loop::IsRegion(loop->kind)) return;
    int64_t each = loop->kind == loop::LoopKind::kSubgroup ? Machine::kFragmentThreads : 1;
    too_many |= loop->extent.value() * each > machine.max_threads;
  });
  if (options.target.IsGpu() && too_many) return Error{"too many threads"};
  return kSuccess;
}

// GPUs move vectors of eight halves as the words that these are in: they are loaded, chosen and
// stored, and nothing else is in the buffers where they are but fragments of matrices.
class EightHalves {
 public:
  explicit EightHalves(const loop::Kernel& kernel) : kernel_(kernel) {}

  Status Check() {
    Visit(kernel_.body);
    bool mixed = std::any_of(eight_.begin(), eight_.end(),
                             [&](loop::BufferId id) { return others_.count(id) > 0; });
    if (!mixed && !computed_) return kSuccess;
    return Error{"vectors of eight halves are more than moved"};
  }

 private:
  static constexpr int32_t kEight = 8;

  void Visit(const loop::Block& block) {
    for (const loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        if (loop->kind != loop::LoopKind::kMatrix) Visit(loop->body);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        VisitExpr(test->condition);
        Visit(test->body);
      } else if (auto* let = std::get_if<loop::Let>(&stmt)) {
        VisitExpr(let->value);
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        Note(store->buffer, kernel_.exprs[store->value]);
        computed_ |= IsEight(kernel_.exprs[store->value]) && store->update != loop::Update::kSet;
        VisitExpr(store->index[0]);
        VisitExpr(store->value);
      }
    }
  }

  void VisitExpr(loop::ExprId root) {
    loop::ForEachExpr(kernel_, root, [&](loop::ExprId id) {
      const loop::Expr& expr = kernel_.exprs[id];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (load) Note(load->buffer, expr);
      bool moves = load || std::holds_alternative<loop::Select>(expr.node) ||
                   std::holds_alternative<loop::Splat>(expr.node) ||
                   std::holds_alternative<loop::Constant>(expr.node);
      computed_ |= expr.lanes > 4 && !(IsEight(expr) && moves);
      for (loop::ExprId operand : loop::Operands(expr))
        computed_ |= IsEight(kernel_.exprs[operand]) && !IsEight(expr);
    });
  }

  static bool IsEight(const loop::Expr& expr) {
    return expr.dtype == DType::kF16 && expr.lanes == kEight;
  }

  void Note(loop::BufferId buffer, const loop::Expr& accessed) {
    (IsEight(accessed) ? eight_ : others_).insert(buffer);
  }

  const loop::Kernel& kernel_;
  std::set<loop::BufferId> eight_, others_;
  bool computed_ = false;
};

// A kernel of one element has no loop to bind: one thread does it, within workgroups if there are.
void GiveThread(loop::Kernel& kernel) {
  bool has_thread = false;
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    auto* loop = std::get_if<loop::For>(&stmt);
    has_thread |= loop && loop::IsRegion(loop->kind);
  });
  if (has_thread) return;
  loop::Block* block = &kernel.body;
  while (block->size() == 1) {
    auto* loop = std::get_if<loop::For>(&block->front());
    if (!loop || !loop::IsWorkgroup(loop->kind)) break;
    block = &loop->body;
  }
  loop::For thread{kernel.vars.Add({"t"}), 1, loop::LoopKind::kThread, std::move(*block)};
  block->clear();
  block->push_back(std::move(thread));
  loop::KeepPromises(kernel);
}

// What others write lies as they write it.
Status CheckPacked(const loop::Kernel& plain, const schedule::Schedule& schedule,
                   const std::vector<Storage>& storage) {
  const std::vector<loop::BufferId> parameters = loop::ParametersOf(plain);
  for (const schedule::Packed& packed : schedule::PackedBy(plain, schedule)) {
    const auto at = static_cast<size_t>(
        std::find(parameters.begin(), parameters.end(), packed.buffer) - parameters.begin());
    if (at >= storage.size() || storage[at] != Storage::kWeight)
      return Error{"pack: %" + plain.buffers[packed.buffer].name + " is no weight"};
  }
  return kSuccess;
}

}  // namespace

Result<Lowered> LowerKernel(const loop::Kernel& plain, schedule::Schedule schedule,
                            const Options& options) {
  TRY(CheckPacked(plain, schedule, options.parameters));
  schedule::BoundSums(plain, schedule);
  TRY_ASSIGN(auto kernel, schedule::Apply(plain, schedule));
  if (options.log) options.log("schedule", kernel);
  // Beyond this point loops have their kinds, and nothing is reordered.
  TRY_ASSIGN(auto lowered, LowerScheduled(std::move(kernel), options));
  lowered.schedule = std::move(schedule);
  return lowered;
}

Result<Lowered> LowerScheduled(loop::Kernel scheduled, const Options& options) {
  auto log = [&](std::string_view pass, const loop::Kernel& kernel) {
    if (options.log) options.log(pass, kernel);
  };
  bool gpu = options.target.IsGpu();
  Lowered lowered{{}, std::move(scheduled)};
  loop::Kernel& kernel = lowered.flat;

  TRY(CheckFits(kernel, options));
  if (gpu) {
    GiveThread(kernel);
    log("give-thread", kernel);
  }
  // Buffers get one dimension first: only then can neighbours be seen that vectors are made of, and
  // what is unrolled is vectors already.
  loop::Flatten(kernel);
  log("flatten", kernel);
  loop::Vectorize(kernel);
  log("vectorize", kernel);
  loop::Unroll(kernel);
  log("unroll", kernel);

  // The CPU has no arithmetic on f16, and reads no less than a byte. On GPUs types come last, where
  // words can be seen of which packed weights are read.
  if (!gpu) {
    loop::UnpackWords(kernel, options.parameters, options.target);
    log("unpack-words", kernel);
    loop::PromoteHalf(kernel, options.parameters, options.target);
    log("promote-half", kernel);
  }
  // It numbers expressions anew, and simplified ones are in order.
  if (gpu) {
    loop::ShareMemory(kernel);
    log("share-memory", kernel);
  }
  TRY(CheckShared(kernel, options));
  loop::Simplify(kernel);
  log("simplify", kernel);
  if (gpu) {
    loop::GuardStores(kernel);
    log("guard-stores", kernel);
    TRY_ASSIGN(auto legalization, loop::LegalizeForGpu(kernel, options.parameters, options.target));
    lowered.narrows_64_bits = legalization.narrows_64_bits;
    log("legalize", kernel);
    if (options.target.Has(Feature::kMatrices)) TRY(EightHalves(kernel).Check());
  } else {
    loop::GuardSums(kernel);
    log("guard-sums", kernel);
  }
  TRY(loop::VerifyFlat(kernel));
  return lowered;
}

}  // namespace webnnc::lower
