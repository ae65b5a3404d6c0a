#include "schedule/thread_places.h"

#include <algorithm>

#include "loop/builder.h"
#include "loop/rewrite.h"

namespace webnnc::schedule {

using loop::ExprId;
using loop::VarId;

namespace {

// t floordiv `by` floormod `below`; 0: the last is not there.
struct Digit {
  int64_t by = 1, below = 0;
  friend auto operator<=>(const Digit&, const Digit&) = default;

  // How many values it has.
  int64_t Count(int64_t threads) const {
    int64_t all = (threads + by - 1) / by;
    return below == 0 ? all : std::min(all, below);
  }
};

// What a factor is of the variable.
std::optional<Digit> DigitOf(const loop::Kernel& kernel, ExprId id, VarId var) {
  const loop::Expr& expr = kernel.exprs[id];
  if (auto* variable = std::get_if<loop::Variable>(&expr.node))
    return variable->var == var ? std::optional(Digit{}) : std::nullopt;
  auto* binary = std::get_if<loop::Binary>(&expr.node);
  if (!binary) return std::nullopt;
  auto* constant = std::get_if<loop::Constant>(&kernel.exprs[binary->b].node);
  auto inner = DigitOf(kernel, binary->a, var);
  if (!constant || constant->value.integer < 1 || !inner || inner->below != 0) return std::nullopt;
  int64_t by = constant->value.integer;
  switch (binary->op) {
    case loop::BinaryOp::kDiv:
    case loop::BinaryOp::kFloorDiv: return Digit{inner->by * by, 0};
    case loop::BinaryOp::kMod:
    case loop::BinaryOp::kFloorMod: return Digit{inner->by, by};
    default: break;
  }
  return std::nullopt;
}

// Whether the digits say which of the threads it is.
bool IsWhole(std::vector<Digit> digits, int64_t threads) {
  std::sort(digits.begin(), digits.end());
  int64_t known = 1;
  for (const Digit& digit : digits) {
    if (digit.by > known) return false;
    int64_t most = digit.below == 0 ? threads : digit.by * digit.below;
    // Digits that overlap do not say more than they do apart.
    if (digit.by == known || most <= known) known = std::max(known, most);
  }
  return known >= threads;
}

}  // namespace

ThreadPlaceFinder::ThreadPlaceFinder(loop::Kernel& kernel) : kernel_(kernel), simplify_(kernel) {
  number_ = kernel_.vars.Add({"t"});
}

std::optional<ThreadPlaces> ThreadPlaceFinder::Find(const loop::Index& index,
                                                    const Region& region) {
  simplify_.Bind(region.thread, region.threads);
  for (const auto& [var, extent] : region.loops) simplify_.Bind(var, extent);
  loop::Builder build(kernel_);
  loop::Substitution rename(kernel_, {{region.thread, build.Var(number_)}});
  ThreadPlaces places;
  for (ExprId at : index) {
    ThreadPlaces::Dimension& dimension = places.dimensions.emplace_back();
    loop::Polynomial p = simplify_.ToPolynomial(at);
    dimension.thread.constant = p.constant;
    for (const auto& [monomial, coefficient] : p.terms) {
      if (monomial.size() != 1) return std::nullopt;
      auto* variable = std::get_if<loop::Variable>(&kernel_.exprs[monomial[0]].node);
      auto loop = variable ? region.loops.find(variable->var) : region.loops.end();
      if (loop != region.loops.end()) {
        if (!dimension.loops.emplace(coefficient, loop->second).second) return std::nullopt;
      } else if (DigitOf(kernel_, monomial[0], region.thread)) {
        dimension.thread.AddTerm({rename(monomial[0])}, coefficient);
      } else {
        return std::nullopt;
      }
    }
  }
  places.are_own = AreOwn(places, region.threads);
  return places;
}

// Each index is read as a number whose digits are what its terms contribute, if none of these
// reaches the next; the digits that are the thread's must then say which it is.
bool ThreadPlaceFinder::AreOwn(const ThreadPlaces& places, int64_t threads) const {
  std::vector<Digit> digits;
  for (const ThreadPlaces::Dimension& dimension : places.dimensions) {
    std::vector<std::pair<int64_t, int64_t>> terms(dimension.loops.begin(), dimension.loops.end());
    for (const auto& [monomial, coefficient] : dimension.thread.terms) {
      digits.push_back(*DigitOf(kernel_, monomial[0], number_));
      terms.push_back({coefficient, digits.back().Count(threads)});
    }
    std::sort(terms.begin(), terms.end());
    int64_t reach = 0;
    for (const auto& [coefficient, count] : terms) {
      if (coefficient <= reach) return false;
      reach += coefficient * (count - 1);
    }
  }
  return IsWhole(std::move(digits), threads);
}

}  // namespace webnnc::schedule
