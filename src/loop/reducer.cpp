#include "loop/reducer.h"

#include "loop/builder.h"

namespace webnnc::loop {

static bool IsOfTuples(Update reducer) {
  return reducer == Update::kArgMax || reducer == Update::kArgMin;
}

bool HasParts(Update reducer, size_t count) {
  return IsOfTuples(reducer) ? count == 2 : count == 1 || reducer != Update::kSet;
}

// Whether b replaces a.
static ExprId IsBetter(Builder& build, Update reducer, const Tuple& a, const Tuple& b) {
  bool is_max = reducer == Update::kArgMax;
  ExprId wins = is_max ? build.Less(a[0], b[0]) : build.Less(b[0], a[0]);
  return build.Or(wins, build.And(build.Equal(a[0], b[0]), build.Less(b[1], a[1])));
}

Tuple Combine(Kernel& kernel, Update reducer, const Tuple& a, const Tuple& b) {
  if (!IsOfTuples(reducer)) {
    Tuple combined;
    for (size_t p = 0; p < a.size(); ++p) combined.push_back(Combine(kernel, reducer, a[p], b[p]));
    return combined;
  }
  Builder build(kernel);
  ExprId better = IsBetter(build, reducer, a, b);
  return {build.Select(better, b[0], a[0]), build.Select(better, b[1], a[1])};
}

Tuple NeutralTuple(Kernel& kernel, Update reducer, const std::vector<DType>& dtypes) {
  Builder build(kernel);
  if (!IsOfTuples(reducer)) {
    Tuple neutral;
    for (DType dtype : dtypes) neutral.push_back(build.Constant(Neutral(reducer, dtype)));
    return neutral;
  }
  Update value = reducer == Update::kArgMax ? Update::kMax : Update::kMin;
  // Behind whatever has the same value.
  return {build.Constant(Neutral(value, dtypes[0])),
          build.Constant(Neutral(Update::kMin, dtypes[1]))};
}

Block CombineInto(Kernel& kernel, Update reducer, const std::vector<BufferId>& buffers,
                  const Index& index, const Tuple& terms) {
  Block block;
  if (!IsOfTuples(reducer)) {
    for (size_t p = 0; p < buffers.size(); ++p)
      block.push_back(Store{buffers[p], index, terms[p], reducer});
    return block;
  }
  Builder build(kernel);
  Tuple old;
  for (BufferId buffer : buffers) old.push_back(build.Load(buffer, index));
  Tuple combined = Combine(kernel, reducer, old, terms);
  // The last first: what the others read is still there.
  for (size_t part = buffers.size(); part-- > 0;)
    block.push_back(Store{buffers[part], index, combined[part]});
  return block;
}

}  // namespace webnnc::loop
