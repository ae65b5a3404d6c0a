#include "schedule/localize.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"
#include "target/machine.h"

namespace webnnc::schedule {

using loop::BufferId;
using loop::ExprId;
using loop::VarId;

namespace {

// What all banks of workgroup memory have side by side: on GPUs 32 words, or 64 that are read in
// two turns.
constexpr int64_t kBanksBytes = 128;

class Localizer {
 public:
  Localizer(loop::Kernel& kernel, const std::vector<VarId>& shared,
            const std::set<BufferId>& carried, const std::set<BufferId>& replicated,
            const std::map<BufferId, HostedPlace>& hosted)
      : kernel_(kernel),
        build_(kernel),
        simplify_(kernel),
        shared_(shared.begin(), shared.end()),
        carried_(carried),
        replicated_(replicated),
        hosted_(hosted) {}

  Status Run() {
    bool any = !shared_.empty() || !carried_.empty();
    for (const loop::Buffer& buffer : kernel_.buffers) any |= IsTemporary(buffer);
    if (!any) return kSuccess;
    Bind(kernel_.body, -1);
    FindOwned();
    for (const auto& [id, regions] : regions_) whole_is_region_ &= !regions.count(-1);
    whole_is_region_ &= next_region_ == 1;
    for (BufferId id : carried_) {
      bool meets = has_regions_ && !IsTemporary(kernel_.buffers[id]) && regions_[id].size() > 1;
      if (meets)
        return Error{"threads would have to wait for each other's stores to %" +
                     kernel_.buffers[id].name + ", which is in no memory that they share"};
    }
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      BufferId id{b};
      if (!IsTemporary(kernel_.buffers[id])) continue;
      if (owned_.count(id)) continue;
      loaded_[id].resize(kernel_.buffers[id].type.shape.size(), 1);
      stored_[id] = loaded_[id];
    }
    loop::ExprRewriter rewrite(kernel_, [this](ExprId id, ExprId) {
      loop::Expr expr = kernel_.exprs[id];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (load && IsResult(load->buffer)) {
        CheckFlow(load->buffer, load->index);
        flows_.insert(load->buffer);
      }
      if (load && owned_.count(load->buffer)) {
        load->index = OwnPlace(load->buffer, load->index);
        return kernel_.exprs.Add(std::move(expr));
      }
      if (!load || !loaded_.count(load->buffer)) return id;
      load->index = Local(load->buffer, load->index, loaded_);
      return kernel_.exprs.Add(std::move(expr));
    });
    RewriteBlock(kernel_.body, rewrite);
    for (const auto& [id, sizes] : loaded_) {
      for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] > stored_[id][d]) Fail(id);
      }
    }
    for (const auto& [id, differs] : differs_) {
      if (differs && flows_.count(id)) Fail(id);
    }
    if (!error_.empty()) return Error{error_};
    for (const auto& [id, share] : owned_) {
      loop::Buffer& buffer = kernel_.buffers[id];
      buffer.type.shape = {threads_};
      for (const auto& [coefficient, extent] : share.own) buffer.type.shape.push_back(extent);
      buffer.space = loop::Space::kRegister;
    }
    for (const auto& [id, sizes] : stored_) {
      loop::Buffer& buffer = kernel_.buffers[id];
      buffer.type.shape.assign(sizes.begin(), sizes.end());
      // Inside one region that all share, a thread carries its own.
      bool carried = carried_.count(id) && !whole_is_region_;
      bool across = regions_[id].size() > 1 || carried || regions_[id].count(-1);
      buffer.space = across && has_regions_ ? loop::Space::kWorkgroup : loop::Space::kRegister;
      // Threads would race to store it.
      if (buffer.space == loop::Space::kWorkgroup && again_.count(id))
        return Error{"the last tile is shifted, and stores elements of %" + buffer.name +
                     " again, which threads share"};
      if (buffer.space == loop::Space::kWorkgroup && replicated_.count(id))
        return Error{"threads that compute the same would race to store %" + buffer.name +
                     ", which others use than its own"};
      PadRows(buffer);
    }
    return kSuccess;
  }

 private:
  // So that rows that threads read side by side begin in different banks.
  static void PadRows(loop::Buffer& buffer) {
    Shape& shape = buffer.type.shape;
    if (buffer.space != loop::Space::kWorkgroup || shape.empty()) return;
    int64_t row = shape.back().value(),
            rows = ElementCount(shape).value() / std::max<int64_t>(row, 1);
    if (rows > 1) shape.back() = PaddedRow(row, ByteSize(buffer.type.dtype));
  }

  // Whether all that uses the buffer is inside of the variable's loop.
  bool IsShared(BufferId id, VarId var) const {
    auto hosted = hosted_.find(id);
    return shared_.count(var) > 0 || (hosted != hosted_.end() && hosted->second.around.count(var));
  }

  int64_t LowOf(BufferId id, size_t dimension) const {
    auto hosted = hosted_.find(id);
    return hosted == hosted_.end() ? 0 : hosted->second.lows[dimension];
  }

  static bool IsTemporary(const loop::Buffer& buffer) {
    return buffer.space == loop::Space::kTemporary;
  }

  // Tells the simplifier the loops' extents and notes which thread regions use which temporary.
  void Bind(const loop::Block& block, int region) {
    for (const loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        simplify_.Bind(loop->var, loop->extent);
        bool copied =
            loop->kind == loop::LoopKind::kUnrolled || loop->kind == loop::LoopKind::kVector;
        if (copied || loop->extent.Is(1)) extents_[loop->var] = loop->extent.value();
        bool thread = loop::IsRegion(loop->kind);
        has_regions_ |= thread;
        if (thread) {
          thread_vars_.insert(loop->var);
          threads_ = std::max(threads_, loop->extent.value());
        }
        Bind(loop->body, thread ? next_region_++ : region);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        Note(test->condition, region);
        Bind(test->body, region);
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        regions_[store->buffer].insert(region);
        accesses_[store->buffer].push_back(store->index);
        Note(store->value, region);
        for (ExprId index : store->index) Note(index, region);
      }
    }
  }

  void Note(ExprId id, int region) {
    loop::ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node);
      if (!load) return;
      regions_[load->buffer].insert(region);
      accesses_[load->buffer].push_back(load->index);
    });
  }

  // What a thread's number and the loops inside of its region contribute to an index.
  struct Share {
    std::vector<loop::Polynomial> thread;  // by dimension, in terms of one variable for all regions
    // By coefficient, those of the first dimension first: how far each loop runs.
    std::vector<std::pair<int64_t, int64_t>> own;
    friend bool operator==(const Share&, const Share&) = default;
  };

  // Finds the temporaries of which each thread uses what it stored itself, in all of its regions:
  // if indices are the same function of its number everywhere, and a stage stores no element twice.
  void FindOwned() {
    number_ = kernel_.vars.Add({"t"});
    for (const auto& [id, accesses] : accesses_) {
      if (!IsTemporary(kernel_.buffers[id]) || regions_[id].size() < 2 || regions_[id].count(-1))
        continue;
      auto share = ShareOf(id, accesses[0]);
      bool same = share && std::all_of(accesses.begin(), accesses.end(), [&](const auto& index) {
                    return !StoresAgain(index) && ShareOf(id, index) == share;
                  });
      if (same) owned_[id] = *share;
    }
  }

  std::optional<Share> ShareOf(BufferId id, const loop::Index& index) {
    Share share;
    bool depends = false;
    for (ExprId at : index) {
      loop::Polynomial thread, p = simplify_.ToPolynomial(at);
      std::map<int64_t, int64_t, std::greater<>> own;
      thread.constant = p.constant;
      for (const auto& [monomial, coefficient] : p.terms) {
        std::set<VarId> vars = VariablesOf(monomial);
        bool is_thread = vars.size() == 1 && thread_vars_.count(*vars.begin());
        bool is_shared =
            std::all_of(vars.begin(), vars.end(), [&](VarId var) { return IsShared(id, var); });
        if (is_thread) {
          loop::Monomial renamed;
          for (ExprId factor : monomial)
            renamed.push_back(
                loop::Substitution(kernel_, {{*vars.begin(), build_.Var(number_)}})(factor));
          thread.AddTerm(renamed, coefficient);
          depends = true;
          continue;
        }
        if (is_shared) continue;
        auto extent = ExtentOf(monomial);
        if (!extent) return std::nullopt;
        if (*extent > 1 && !own.emplace(coefficient, *extent).second) return std::nullopt;
      }
      share.thread.push_back(thread);
      share.own.insert(share.own.end(), own.begin(), own.end());
    }
    if (!depends) return std::nullopt;
    return share;
  }

  std::set<VarId> VariablesOf(const loop::Monomial& monomial) const {
    std::set<VarId> vars;
    for (ExprId factor : monomial) {
      loop::ForEachExpr(kernel_, factor, [&](ExprId e) {
        auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[e].node);
        if (variable) vars.insert(variable->var);
      });
    }
    return vars;
  }

  // Of a loop of which there is a copy or a lane for each iteration, if that is all that the
  // product is: only such indices are constants, as those of registers must be.
  std::optional<int64_t> ExtentOf(const loop::Monomial& monomial) const {
    auto* variable = monomial.size() == 1
                         ? std::get_if<loop::Variable>(&kernel_.exprs[monomial[0]].node)
                         : nullptr;
    if (!variable || !extents_.count(variable->var)) return std::nullopt;
    return extents_.at(variable->var);
  }

  // The thread, and the loops of its region in the order of Share::own.
  loop::Index OwnPlace(BufferId id, const loop::Index& index) {
    loop::Index place{ExprId()};
    for (ExprId at : index) {
      std::map<int64_t, ExprId, std::greater<>> own;
      for (const auto& [monomial, coefficient] : simplify_.ToPolynomial(at).terms) {
        for (VarId var : VariablesOf(monomial)) {
          if (thread_vars_.count(var)) place[0] = build_.Var(var);
        }
        auto extent = ExtentOf(monomial);
        auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[monomial[0]].node);
        bool is_own = extent && *extent > 1 && !IsShared(id, variable->var) &&
                      !thread_vars_.count(variable->var);
        if (is_own) own[coefficient] = monomial[0];
      }
      for (const auto& [coefficient, variable] : own) place.push_back(variable);
    }
    return place;
  }

  void RewriteBlock(loop::Block& block, loop::ExprRewriter& rewrite) {
    for (loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        RewriteBlock(loop->body, rewrite);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        test->condition = rewrite(test->condition);
        RewriteBlock(test->body, rewrite);
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        store->value = rewrite(store->value);
        for (ExprId& index : store->index) index = rewrite(index);
        if (IsResult(store->buffer)) CheckFlow(store->buffer, store->index);
        if (StoresAgain(store->index)) again_.insert(store->buffer);
        if (owned_.count(store->buffer)) store->index = OwnPlace(store->buffer, store->index);
        if (stored_.count(store->buffer))
          store->index = Local(store->buffer, store->index, stored_);
      }
    }
  }

  bool IsResult(BufferId id) const { return kernel_.buffers[id].space == loop::Space::kOut; }

  // Results that stages load stay where they are; what flows through them is held to the same.
  void CheckFlow(BufferId id, const loop::Index& index) {
    for (size_t d = 0; d < index.size(); ++d) {
      loop::Polynomial shared, p = simplify_.ToPolynomial(index[d]);
      for (const auto& [monomial, coefficient] : p.terms) {
        bool has = std::any_of(monomial.begin(), monomial.end(), [&](ExprId factor) {
          return loop::Mentions(kernel_, factor, [&](VarId var) { return shared_.count(var) > 0; });
        });
        if (has) shared.AddTerm(monomial, coefficient);
      }
      auto [first, is_new] = shared_part_.try_emplace({id, d}, shared);
      differs_[id] |= !is_new && first->second != shared;
    }
  }

  // Whether this is a place in a tile that was moved back to end with its loop.
  bool StoresAgain(const loop::Index& index) const {
    bool again = false;
    for (ExprId i : index) {
      loop::ForEachExpr(kernel_, i, [&](ExprId e) {
        auto* binary = std::get_if<loop::Binary>(&kernel_.exprs[e].node);
        again |= binary && binary->op == loop::BinaryOp::kMin;
      });
    }
    return again;
  }

  using Sizes = std::map<BufferId, std::vector<int64_t>>;

  // The index without what the shared loops contribute, which must be the same wherever the buffer
  // is used: an iteration of these loops finds only what it stored itself. `sizes` is told how far
  // the index goes.
  loop::Index Local(BufferId id, const loop::Index& index, Sizes& sizes) {
    loop::Index local;
    for (size_t d = 0; d < index.size(); ++d) {
      loop::Polynomial own, p = simplify_.ToPolynomial(index[d]);
      own.constant = p.constant;
      for (const auto& [monomial, coefficient] : p.terms) {
        bool shared = false, other = false;
        for (ExprId factor : monomial) {
          loop::ForEachExpr(kernel_, factor, [&](ExprId e) {
            auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[e].node);
            if (!variable) return;
            (IsShared(id, variable->var) ? shared : other) = true;
          });
        }
        if (shared && other) Fail(id);
        if (!shared) own.AddTerm(monomial, coefficient);
      }
      shared_part_.try_emplace({id, d}, p - own);
      if (shared_part_.at({id, d}) != p - own) Fail(id);
      own.constant -= LowOf(id, d);
      auto high = simplify_.ConstantAbove(own);
      const Dim& whole = kernel_.buffers[id].type.shape[d];
      bool bounded = high && simplify_.ProvablyNonNegative(own);
      // An index that is looked up may be any, of all that the dimension has.
      bool all_own = own.terms.size() == p.terms.size() && whole.IsConstant();
      if (!bounded && !all_own) {
        Fail(id);
        continue;
      }
      int64_t& size = sizes[id][d];
      size = std::max(size, bounded ? *high + 1 : whole.value());
      local.push_back(bounded ? simplify_.FromPolynomial(own) : index[d]);
    }
    return local;
  }

  void Fail(BufferId id) {
    error_ = "the stages that %" + kernel_.buffers[id].name + " flows between are not merged";
  }

  loop::Kernel& kernel_;
  loop::Builder build_;
  loop::Simplifier simplify_;
  std::set<VarId> shared_;
  // How far loads and stores go in each dimension.
  Sizes loaded_, stored_;
  std::map<std::pair<BufferId, size_t>, loop::Polynomial> shared_part_;
  std::map<BufferId, std::set<int>> regions_;
  std::map<BufferId, std::vector<loop::Index>> accesses_;
  std::map<VarId, int64_t> extents_;  // of loops that are copied, or run once
  std::set<VarId> thread_vars_;
  int64_t threads_ = 1;
  VarId number_;
  std::map<BufferId, Share> owned_;
  const std::set<BufferId>&carried_, &replicated_;
  const std::map<BufferId, HostedPlace>& hosted_;
  std::set<BufferId> again_;
  // Results that are loaded, and those whose places do not have the same of the shared loops.
  std::set<BufferId> flows_;
  std::map<BufferId, bool> differs_;
  bool has_regions_ = false;
  // Whether all stages are inside of one loop over threads.
  bool whole_is_region_ = true;
  int next_region_ = 0;
  std::string error_;
};

}  // namespace

int64_t PaddedRow(int64_t elements, int64_t bytes) {
  return elements * bytes % kBanksBytes == 0 ? elements + Machine::kLanes : elements;
}

Status LocalizeTemporaries(loop::Kernel& kernel, const std::vector<VarId>& shared,
                           const std::set<BufferId>& carried, const std::set<BufferId>& replicated,
                           const std::map<BufferId, HostedPlace>& hosted) {
  return Localizer(kernel, shared, carried, replicated, hosted).Run();
}

}  // namespace webnnc::schedule
