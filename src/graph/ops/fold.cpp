// fold: overlapping windows added up.
#include "graph/ops/window.h"

namespace webnnc::graph {

namespace {

Result<Window> WindowOf(const Fold& fold, const TensorType& x) {
  size_t spatial = fold.sizes.size();
  Window window{{}, fold.strides, fold.dilations, fold.pads_begin, fold.pads_end, false};
  if (x.shape.size() != 2 + 2 * spatial || spatial == 0)
    return Error{"fold of " + Print(x) + " into " + std::to_string(spatial) + " dimensions"};
  for (size_t d = 0; d < spatial; ++d) {
    const Dim& size = x.shape[2 + d];
    if (!size.IsConstant()) return Error{"fold: the window's size must be known: " + Print(x)};
    window.kernel.push_back(size.value());
  }
  TRY(CheckWindow(Fold::kName, window, spatial));
  return window;
}

}  // namespace

Result<Types> Fold::Infer(std::span<const TensorType> operands) const {
  const TensorType& x = operands[0];
  TRY_ASSIGN(auto window, WindowOf(*this, x));
  if (x.dtype == DType::kBool) return Error{"fold: bool has no sums"};
  TensorType result{x.dtype, {x.shape[0], x.shape[1]}};
  for (size_t d = 0; d < sizes.size(); ++d) {
    TRY(CheckPlaces(kName, window, d, sizes[d]));
    const Dim places = OutputSize(window, d, sizes[d]), &given = x.shape[2 + sizes.size() + d];
    if (places != given)
      return Error{Describe(kName, operands) + ": there are " + Print(places) + " places in " +
                   Print(sizes[d]) + " elements"};
    result.shape.push_back(sizes[d]);
  }
  return Types{result};
}

// Each element of the result gathers what reaches it, so that no two iterations add to one place.
void Fold::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  const TensorType x = to.Operand(0);
  Window window = WindowOf(*this, x).value();
  size_t spatial = sizes.size(), rank = 2 + spatial;
  loop::BufferId sum = AccumulatorFor(to);
  DType dtype = AccumulatorType(x.dtype);
  std::vector<std::string> names{"n", "c"};
  for (const std::string& name : Numbered("p", spatial)) names.push_back(name);
  Shape domain = to.Result().shape;
  for (const std::string& name : Numbered("k", spatial)) names.push_back(name);
  for (int64_t size : window.kernel) domain.push_back(size);
  b.ForEach(
      domain,
      [&](const loop::Index& at) {
        loop::Index result(at.begin(), at.begin() + static_cast<int64_t>(rank));
        loop::Index source{at[0], at[1]};
        source.insert(source.end(), at.begin() + static_cast<int64_t>(rank), at.end());
        loop::ExprId inside = b.Constant(Scalar::Bool(true));
        for (size_t d = 0; d < spatial; ++d) {
          loop::ExprId stride = b.Int(strides[d]);
          // The window's place, times the stride.
          loop::ExprId scaled = b.Sub(b.Add(at[2 + d], b.Int(pads_begin[d])),
                                      b.Mul(at[rank + d], b.Int(dilations[d])));
          loop::ExprId place = b.FloorDiv(scaled, stride);
          loop::ExprId hits = b.Equal(b.FloorMod(scaled, stride), b.Int(0));
          loop::ExprId within = b.Within(place, b.Int(0), b.Size(x.shape[rank + d]));
          inside = b.And(inside, b.And(hits, within));
          source.push_back(place);
        }
        loop::ExprId value = b.Convert(b.Load(to.operands[0], source), dtype);
        value = b.Select(inside, value, b.Constant(Scalar::Of(dtype, 0)));
        b.Reduce(sum, result, value, loop::Update::kAdd);
      },
      names);
  Finish(to, sum);
}

}  // namespace webnnc::graph
