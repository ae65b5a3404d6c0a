#include "graph/ops/window.h"

namespace webnnc::graph {

static Window WindowOf(const Pool& pool) {
  return {pool.kernel, pool.strides, pool.dilations, pool.pads_begin, pool.pads_end, pool.ceil};
}

Result<Types> Pool::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY(CheckWindow(kName, WindowOf(*this), kernel.size()));
  auto spatial = static_cast<int64_t>(kernel.size());
  if (first < 0 || first + spatial > x.rank()) {
    return Error{Describe(kName, operands) + ": a window of " + std::to_string(spatial) +
                 " dimensions from " + std::to_string(first) + " on does not fit"};
  }
  if (x.dtype == DType::kBool || (kind == PoolKind::kAverage && !IsFloat(x.dtype))) {
    return Error{"pool does not take " + std::string(Name(x.dtype))};
  }
  TensorType result = x;
  if (kind == PoolKind::kMaxIndex) result.dtype = DType::kI64;
  for (size_t d = 0; d < kernel.size(); ++d) {
    Dim& size = result.shape[static_cast<size_t>(first) + d];
    TRY(CheckPlaces(kName, WindowOf(*this), d, size));
    size = OutputSize(WindowOf(*this), d, size);
    if (size.IsConstant() && size.value() < 0) {
      return Error{Describe(kName, operands) + ": the window is larger than the padded x"};
    }
  }
  return Types{result};
}

namespace {

class PoolLowering {
 public:
  PoolLowering(const Pool& pool, loop::Lowering& to)
      : pool_(pool), to_(to), b_(to.build), window_(WindowOf(pool)), x_(to.Operand(0)) {
    for (size_t d = 0; d < x_.shape.size(); ++d) names_.push_back("i" + std::to_string(d));
    places_ = to.Result().shape;
    for (size_t d = 0; d < pool.kernel.size(); ++d) {
      names_[First() + d] = "p" + std::to_string(d);
      names_.push_back("k" + std::to_string(d));
    }
    taps_ = places_;
    for (int64_t size : pool.kernel) taps_.push_back(size);
  }

  void Run() {
    switch (pool_.kind) {
      case PoolKind::kMax: {
        loop::BufferId max = AccumulatorFor(to_);
        Accumulate(max, loop::Update::kMax);
        return Finish(to_, max);
      }
      case PoolKind::kMaxIndex: return MaxIndex();
      case PoolKind::kSum:
      case PoolKind::kAverage: break;
    }
    DType dtype = AccumulatorType(x_.dtype);
    bool direct = pool_.kind == PoolKind::kSum && dtype == x_.dtype;
    loop::BufferId sum = direct ? to_.results[0] : to_.Temporary("sum", {dtype, places_});
    Accumulate(sum, loop::Update::kAdd);
    if (direct) return;
    b_.ForEach(
        places_,
        [&](const loop::Index& at) {
          loop::ExprId value = b_.Load(sum, at);
          if (pool_.kind == PoolKind::kAverage) value = b_.Div(value, Count(at, dtype));
          b_.Store(to_.results[0], at, b_.Convert(value, x_.dtype));
        },
        names_);
  }

 private:
  size_t First() const { return static_cast<size_t>(pool_.first); }

  // The element of x under the window, or the update's neutral element outside.
  struct Element {
    loop::Index index;
    loop::ExprId inside, value;
  };
  Element ElementAt(const loop::Index& at, DType dtype, loop::Update update) {
    size_t rank = x_.shape.size();
    Element element{loop::Index(at.begin(), at.begin() + static_cast<int64_t>(rank)), {}, {}};
    element.inside = b_.Constant(Scalar::Bool(true));
    for (size_t d = 0; d < pool_.kernel.size(); ++d) {
      size_t axis = First() + d;
      Touch touch = TouchAt(b_, window_, d, x_.shape[axis], at[axis], at[rank + d]);
      element.index[axis] = touch.position;
      element.inside = b_.And(element.inside, touch.inside);
    }
    loop::ExprId load = b_.Convert(b_.Load(to_.operands[0], element.index), dtype);
    element.value = b_.Select(element.inside, load, b_.Constant(loop::Neutral(update, dtype)));
    return element;
  }

  void Accumulate(loop::BufferId into, loop::Update update) {
    DType dtype = to_.kernel.buffers[into].type.dtype;
    b_.ForEach(
        taps_,
        [&](const loop::Index& at) {
          loop::Index place(at.begin(), at.begin() + static_cast<int64_t>(places_.size()));
          b_.Reduce(into, place, ElementAt(at, dtype, update).value, update);
        },
        names_);
  }

  // How many elements the window at `at` counts along all its dimensions.
  loop::ExprId Count(const loop::Index& at, DType dtype) {
    loop::ExprId count = b_.Int(1);
    for (size_t d = 0; d < pool_.kernel.size(); ++d) {
      int64_t begin = pool_.pads_begin[d], end = pool_.pads_end[d], step = pool_.dilations[d];
      Dim low = pool_.count_pads ? -begin : 0;
      Dim high = x_.shape[First() + d] + (pool_.count_pads ? end : 0);
      bool always = pool_.count_pads ? !pool_.ceil : begin <= 0 && end <= 0 && !pool_.ceil;
      loop::ExprId taps = b_.Int(pool_.kernel[d]);
      if (!always) {
        // Taps k with low <= start + k*step < high.
        loop::ExprId start =
            b_.Sub(b_.Mul(at[First() + d], b_.Int(pool_.strides[d])), b_.Int(begin));
        auto ceil_div = [&](const Dim& bound) {
          loop::ExprId distance = b_.Sub(b_.Size(bound + (step - 1)), start);
          return b_.FloorDiv(distance, b_.Int(step));
        };
        loop::ExprId from = b_.Max(ceil_div(low), b_.Int(0));
        taps = b_.Sub(b_.Min(ceil_div(high), taps), from);
      }
      count = b_.Mul(count, taps);
    }
    return b_.Convert(count, dtype);
  }

  // Of the few elements of a window two plain reductions take less time than one of pairs.
  void MaxIndex() {
    DType wide = AccumulatorType(x_.dtype);
    loop::BufferId largest = to_.Temporary("largest", {wide, places_});
    Accumulate(largest, loop::Update::kMax);
    constexpr loop::Update kMin = loop::Update::kMin;
    Scalar start = loop::Neutral(kMin, DType::kI64);
    b_.ForEach(
        taps_,
        [&](const loop::Index& at) {
          loop::Index place(at.begin(), at.begin() + static_cast<int64_t>(places_.size()));
          Element element = ElementAt(at, wide, loop::Update::kMax);
          loop::ExprId is_largest = EqualOrNan(b_, element.value, b_.Load(largest, place));
          is_largest = b_.And(element.inside, is_largest);
          loop::ExprId index = b_.Convert(RowMajor(element.index), DType::kI64);
          b_.Reduce(to_.results[0], place, b_.Select(is_largest, index, b_.Constant(start)), kMin);
        },
        names_);
  }

  loop::ExprId RowMajor(loop::Index index) {
    Shape shape = x_.shape;
    if (pool_.column_major && pool_.kernel.size() >= 2) {
      size_t last = First() + pool_.kernel.size() - 1;
      std::swap(index[last], index[last - 1]);
      std::swap(shape[last], shape[last - 1]);
    }
    loop::ExprId offset = b_.Int(0);
    for (size_t d = 0; d < shape.size(); ++d) {
      offset = b_.Add(b_.Mul(offset, b_.Size(shape[d])), index[d]);
    }
    return offset;
  }

  const Pool& pool_;
  loop::Lowering& to_;
  loop::Builder& b_;
  Window window_;
  TensorType x_;
  Shape places_, taps_;
  std::vector<std::string> names_;
};

}  // namespace

void Pool::Lower(loop::Lowering& to) const { PoolLowering(*this, to).Run(); }

}  // namespace webnnc::graph
