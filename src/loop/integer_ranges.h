// Which integers an expression may be, by interval arithmetic.
//
//   %x[i] * 2:i8                            -256 to 254, of which i8 holds not all
//   select(%x[i] < 0, %x[i] + n, %x[i])     the sum is taken for negative numbers only
//
// Ranges are of exact results: whether a type holds one is for the caller to ask.
#pragma once

#include <unordered_map>
#include <utility>

#include "loop/kernel.h"

namespace webnnc::loop {

struct IntegerRange {
  int64_t low = INT64_MIN, high = INT64_MAX;

  bool Holds(const IntegerRange& other) const { return low <= other.low && other.high <= high; }
};

// What a type holds. Of u64 the part that i64 has as well.
IntegerRange RangeOf(DType dtype);

class IntegerRanges {
 public:
  // Elements of memory and what wraps are taken to be anything that `holds` gives for their type.
  IntegerRanges(const Kernel& kernel, IntegerRange (*holds)(DType))
      : kernel_(kernel), holds_(holds) {}

  // Says that 0 <= var < extent.
  void Bind(VarId var, const Dim& extent);
  // Says that var always has this value.
  void Define(VarId var, ExprId value) { vars_[var] = Of(value); }

  // The exact result of an expression of integers or bools, before it wraps.
  IntegerRange Exact(ExprId id);
  // What it gives to those who use it.
  IntegerRange Of(ExprId id);

  // Calls `f` for the sides of a Select, each where what its condition says is known.
  template <typename F>
  void OnSides(const Select& select, F f) {
    auto outside = std::exchange(known_, {});
    Saved saved = Assume(select.condition, true);
    f(select.yes);
    Restore(saved);
    known_.clear();
    saved = Assume(select.condition, false);
    f(select.no);
    Restore(saved);
    known_ = std::move(outside);
  }
  // Whether OnSides would cost too much: Selects in Selects are looked at again for each around.
  bool IsDeep() const { return depth_ >= 3; }

 private:
  using Saved = std::unordered_map<ExprId, IntegerRange>;
  Saved Assume(ExprId condition, bool holds);
  void Restore(Saved& saved);
  void AssumeLess(ExprId a, ExprId b, int64_t gap);
  void Narrow(ExprId id, const IntegerRange& to);
  IntegerRange OfUnary(const Unary& unary);
  IntegerRange OfBinary(const Binary& binary, DType dtype);
  IntegerRange OfSelect(const Select& select);

  const Kernel& kernel_;
  IntegerRange (*holds_)(DType);
  std::unordered_map<VarId, IntegerRange> vars_;
  std::unordered_map<ExprId, IntegerRange> known_;
  // What the Selects around say.
  std::unordered_map<ExprId, IntegerRange> assumed_;
  int depth_ = 0;
};

}  // namespace webnnc::loop
