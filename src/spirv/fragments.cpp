#include "spirv/fragments.h"

#include <algorithm>
#include <optional>

#include "loop/rewrite.h"
#include "target/machine.h"

namespace webnnc::spirv {

using loop::ExprId;
using loop::LoopKind;
using loop::VarId;

namespace {

constexpr int64_t kSide = Machine::kFragment;

class Reader {
 public:
  Reader(const loop::Kernel& kernel, loop::Simplifier& simplify)
      : kernel_(kernel), simplify_(simplify) {}

  Result<FragmentStore> Run(const loop::For& outermost) {
    const loop::For* loop = &outermost;
    const loop::Store* store = nullptr;
    while (loop) {
      bool fits =
          loop->kind == LoopKind::kMatrix && loop->extent.Is(kSide) && loop->body.size() == 1;
      if (!fits) return Refused();
      vars_.push_back(loop->var);
      store = std::get_if<loop::Store>(&loop->body[0]);
      loop = std::get_if<loop::For>(&loop->body[0]);
    }
    bool known = store && (vars_.size() == 2 ? ReadMove(*store) : ReadProduct(*store));
    if (!known) return Refused();
    return std::move(result_);
  }

 private:
  Error Refused() const {
    return Error{"@" + kernel_.name + ": the loops over a fragment do something else with it"};
  }

  bool ReadMove(const loop::Store& store) {
    if (store.update != loop::Update::kSet) return false;
    const loop::Expr& value = kernel_.exprs[store.value];
    if (auto* constant = std::get_if<loop::Constant>(&value.node)) {
      return constant->value.AsReal() == 0 && ReadRegister(store.buffer, store.index[0]);
    }
    auto* load = std::get_if<loop::Load>(&value.node);
    result_.kind = FragmentStore::Kind::kMove;
    return load && ReadRegister(load->buffer, load->index[0]) &&
           ReadPlace(store.buffer, store.index[0], vars_[0], vars_[1], result_.to);
  }

  bool ReadProduct(const loop::Store& store) {
    result_.kind = FragmentStore::Kind::kMultiply;
    auto* product = std::get_if<loop::Binary>(&kernel_.exprs[store.value].node);
    bool sums = vars_.size() == 3 && store.update == loop::Update::kAdd && product &&
                product->op == loop::BinaryOp::kMul;
    if (!sums || !ReadRegister(store.buffer, store.index[0])) return false;
    const loop::Load *a = Widened(product->a), *b = Widened(product->b);
    if (!a || !b) return false;
    auto read = [&](const loop::Load& left, const loop::Load& right) {
      return ReadPlace(left.buffer, left.index[0], vars_[0], vars_[2], result_.left) &&
             ReadPlace(right.buffer, right.index[0], vars_[2], vars_[1], result_.right);
    };
    return read(*a, *b) || read(*b, *a);
  }

  // The load of f16 that `id` is in f32.
  const loop::Load* Widened(ExprId id) const {
    auto* convert = std::get_if<loop::Convert>(&kernel_.exprs[id].node);
    bool widens = convert && kernel_.exprs[id].dtype == DType::kF32 &&
                  kernel_.exprs[convert->a].dtype == DType::kF16;
    return widens ? std::get_if<loop::Load>(&kernel_.exprs[convert->a].node) : nullptr;
  }

  bool ReadRegister(loop::BufferId buffer, ExprId index) {
    FragmentPlace place;
    bool fits = kernel_.buffers[buffer].space == loop::Space::kRegister &&
                kernel_.buffers[buffer].type.dtype == DType::kF32 &&
                ReadPlace(buffer, index, vars_[0], vars_[1], place) && place.stride == kSide &&
                !place.by_columns && place.first.IsConstant() &&
                place.first.constant % (kSide * kSide) == 0;
    result_.buffer = buffer;
    result_.number = place.first.constant / (kSide * kSide);
    return fits;
  }

  bool ReadPlace(loop::BufferId buffer, ExprId index, VarId row, VarId column,
                 FragmentPlace& place) {
    place.buffer = buffer;
    place.first = simplify_.ToPolynomial(index);
    int64_t rows = Take(place.first, row), columns = Take(place.first, column);
    place.by_columns = columns != 1;
    place.stride = place.by_columns ? columns : rows;
    for (const auto& [monomial, coefficient] : place.first.terms) {
      for (ExprId factor : monomial) {
        bool varies = loop::Mentions(kernel_, factor, [&](VarId var) {
          return std::find(vars_.begin(), vars_.end(), var) != vars_.end();
        });
        if (varies) return false;
      }
    }
    return (place.by_columns ? rows : columns) == 1 && place.stride >= kSide;
  }

  // The coefficient of the variable, whose term is taken away.
  int64_t Take(loop::Polynomial& p, VarId var) const {
    for (auto term = p.terms.begin(); term != p.terms.end(); ++term) {
      bool is_own = term->first.size() == 1 && loop::VariableOf(kernel_, term->first[0]) == var;
      if (!is_own) continue;
      int64_t coefficient = term->second;
      p.terms.erase(term);
      return coefficient;
    }
    return 0;
  }

  const loop::Kernel& kernel_;
  loop::Simplifier& simplify_;
  std::vector<VarId> vars_;
  FragmentStore result_;
};

}  // namespace

Result<FragmentStore> FragmentStoreOf(const loop::Kernel& kernel, loop::Simplifier& simplify,
                                      const loop::For& loop) {
  return Reader(kernel, simplify).Run(loop);
}

int32_t LanesOf(loop::Simplifier& simplify, const FragmentPlace& place) {
  int64_t divisor = simplify.KnownDivisor(place.first);
  for (int32_t lanes : {8, 4, 2}) {
    if (divisor % lanes == 0 && place.stride % lanes == 0) return lanes;
  }
  return 1;
}

}  // namespace webnnc::spirv
