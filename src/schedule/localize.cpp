#include "schedule/localize.h"

#include <algorithm>
#include <map>
#include <set>

#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/rewrite.h"

namespace webnnc::schedule {

using loop::BufferId;
using loop::ExprId;
using loop::VarId;

namespace {

class Localizer {
 public:
  Localizer(loop::Kernel& kernel, const std::vector<VarId>& shared,
            const std::set<BufferId>& carried)
      : kernel_(kernel),
        build_(kernel),
        simplify_(kernel),
        shared_(shared.begin(), shared.end()),
        carried_(carried) {}

  Status Run() {
    bool any = false;
    for (const loop::Buffer& buffer : kernel_.buffers) any |= IsTemporary(buffer);
    if (!any) return kSuccess;
    Bind(kernel_.body, -1);
    for (const auto& [id, regions] : regions_) whole_is_region_ &= !regions.count(-1);
    whole_is_region_ &= next_region_ == 1;
    for (int32_t b = 0; b < kernel_.buffers.size(); ++b) {
      BufferId id{b};
      if (!IsTemporary(kernel_.buffers[id])) continue;
      sizes_[id].resize(kernel_.buffers[id].type.shape.size(), 1);
    }
    loop::ExprRewriter rewrite(kernel_, [this](ExprId id, ExprId) {
      loop::Expr expr = kernel_.exprs[id];
      auto* load = std::get_if<loop::Load>(&expr.node);
      if (!load || !sizes_.count(load->buffer)) return id;
      load->index = Local(load->buffer, load->index);
      return kernel_.exprs.Add(std::move(expr));
    });
    RewriteBlock(kernel_.body, rewrite);
    if (!error_.empty()) return Error{error_};
    for (const auto& [id, sizes] : sizes_) {
      loop::Buffer& buffer = kernel_.buffers[id];
      buffer.type.shape.assign(sizes.begin(), sizes.end());
      // Inside one region that all share, a thread carries its own.
      bool carried = carried_.count(id) && !whole_is_region_;
      bool across = regions_[id].size() > 1 || carried || regions_[id].count(-1);
      buffer.space = across && has_regions_ ? loop::Space::kWorkgroup : loop::Space::kRegister;
    }
    return kSuccess;
  }

 private:
  static bool IsTemporary(const loop::Buffer& buffer) {
    return buffer.space == loop::Space::kTemporary;
  }

  // Tells the simplifier the loops' extents and notes which thread regions use which temporary.
  void Bind(const loop::Block& block, int region) {
    for (const loop::Stmt& stmt : block) {
      if (auto* loop = std::get_if<loop::For>(&stmt)) {
        simplify_.Bind(loop->var, loop->extent);
        bool thread = loop->kind == loop::LoopKind::kThread;
        has_regions_ |= thread;
        Bind(loop->body, thread ? next_region_++ : region);
      } else if (auto* test = std::get_if<loop::If>(&stmt)) {
        Note(test->condition, region);
        Bind(test->body, region);
      } else if (auto* store = std::get_if<loop::Store>(&stmt)) {
        regions_[store->buffer].insert(region);
        Note(store->value, region);
        for (ExprId index : store->index) Note(index, region);
      }
    }
  }

  void Note(ExprId id, int region) {
    loop::ForEachExpr(kernel_, id, [&](ExprId e) {
      auto* load = std::get_if<loop::Load>(&kernel_.exprs[e].node);
      if (load) regions_[load->buffer].insert(region);
    });
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
        if (sizes_.count(store->buffer)) store->index = Local(store->buffer, store->index);
      }
    }
  }

  // The index without what the shared loops contribute.
  loop::Index Local(BufferId id, const loop::Index& index) {
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
            (shared_.count(variable->var) ? shared : other) = true;
          });
        }
        if (shared && other) Fail(id);
        if (!shared) own.AddTerm(monomial, coefficient);
      }
      auto high = simplify_.ConstantAbove(own);
      const Dim& whole = kernel_.buffers[id].type.shape[d];
      bool bounded = high && simplify_.ProvablyNonNegative(own);
      // An index that is looked up may be any, of all that the dimension has.
      bool all_own = own.terms.size() == p.terms.size() && whole.IsConstant();
      if (!bounded && !all_own) {
        Fail(id);
        continue;
      }
      int64_t& size = sizes_[id][d];
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
  std::map<BufferId, std::vector<int64_t>> sizes_;
  std::map<BufferId, std::set<int>> regions_;
  const std::set<BufferId>& carried_;
  bool has_regions_ = false;
  // Whether all stages are inside of one loop over threads.
  bool whole_is_region_ = true;
  int next_region_ = 0;
  std::string error_;
};

}  // namespace

Status LocalizeTemporaries(loop::Kernel& kernel, const std::vector<VarId>& shared,
                           const std::set<BufferId>& carried) {
  return Localizer(kernel, shared, carried).Run();
}

}  // namespace webnnc::schedule
