#include "graph/ops/window.h"

#include <algorithm>

namespace webnnc::graph {

Status CheckWindow(std::string_view what, const Window& window, size_t rank) {
  for (const Integers* values : {&window.kernel, &window.strides, &window.dilations}) {
    if (values->size() != rank) {
      return Error{std::string(what) + ": an attribute has " + std::to_string(values->size()) +
                   " entries for " + std::to_string(rank) + " spatial dimensions"};
    }
    for (int64_t value : *values) {
      if (value < 1 || value > INT32_MAX) {
        return Error{std::string(what) + ": sizes, strides and dilations are from 1 to " +
                     std::to_string(INT32_MAX)};
      }
    }
  }
  for (const Integers* pads : {&window.pads_begin, &window.pads_end}) {
    if (pads->size() != rank) {
      return Error{std::string(what) + ": pads do not fit " + std::to_string(rank) +
                   " spatial dimensions"};
    }
    for (int64_t pad : *pads) {
      if (pad < -INT32_MAX || pad > INT32_MAX)
        return Error{std::string(what) + ": a pad is out of range: " + std::to_string(pad)};
    }
  }
  return kSuccess;
}

Status CheckPlaces(std::string_view what, const Window& window, size_t d, const Dim& along) {
  int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
  int64_t pads =
      std::max<int64_t>(window.pads_begin[d], 0) + std::max<int64_t>(window.pads_end[d], 0);
  int64_t size = along.IsConstant() ? along.value() : 0;
  if (reach <= INT32_MAX && pads + size <= INT32_MAX) return kSuccess;
  return Error{std::string(what) + ": a window that reaches " + std::to_string(reach) +
               " elements, over " + std::to_string(pads) + " of padding, is too large"};
}

Dim OutputSize(const Window& window, size_t d, const Dim& in) {
  int64_t reach = (window.kernel[d] - 1) * window.dilations[d] + 1;
  // Where the last window may start, from the input's end.
  int64_t last = window.pads_begin[d] + window.pads_end[d] - reach;
  // Rounded up, it may reach beyond the padding, but must not start in it.
  if (window.ceil) last = std::min(last + window.strides[d] - 1, window.pads_begin[d] - 1);
  return FloorDiv(in + last, window.strides[d]) + 1;
}

Touch TouchAt(loop::Builder& build, const Window& window, size_t d, const Dim& in,
              loop::ExprId place, loop::ExprId tap) {
  loop::ExprId position = build.Sub(build.Add(build.Mul(place, build.Int(window.strides[d])),
                                              build.Mul(tap, build.Int(window.dilations[d]))),
                                    build.Int(window.pads_begin[d]));
  // The output's size is such that without padding nothing lies outside. Saying so here saves a
  // condition that could not be seen to hold where sizes are symbolic.
  loop::ExprId inside = build.Constant(Scalar::Bool(true));
  if (window.pads_begin[d] > 0) inside = build.LessEqual(build.Int(0), position);
  if (window.pads_end[d] > 0 || window.ceil) {
    inside = build.And(inside, build.Less(position, build.Size(in)));
  }
  return {position, inside};
}

ImageDims DimsOf(Layout layout, size_t rank) {
  if (layout == Layout::kChannelsFirst) return {1, 2};
  return {rank - 1, 1};
}

std::vector<std::string> Numbered(const std::string& prefix, size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

}  // namespace webnnc::graph
