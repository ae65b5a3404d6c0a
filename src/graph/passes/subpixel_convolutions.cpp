#include "graph/passes/subpixel_convolutions.h"

#include <set>

namespace webnnc::graph {

namespace {

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

class Subpixels {
 public:
  Subpixels(Builder& build, const Node& node, const ConvTranspose& conv, std::string name)
      : build_(build),
        conv_(conv),
        x_(node.operands[0]),
        filter_(node.operands[1]),
        name_(std::move(name)),
        spatial_(conv.strides.size()) {
    const Shape& filter = build.type(filter_).shape;
    bool first = conv.layout == Layout::kChannelsFirst;
    size_t kernel = first ? 2 : 0;
    for (size_t d = 0; d < spatial_; ++d) kernel_.push_back(filter[kernel + d].value());
    inputs_ = filter[first ? 0 : spatial_];
    outputs_ = filter[first ? 1 : spatial_ + 1];
    for (size_t d = 0; d < spatial_; ++d)
      taps_.push_back((kernel_[d] + conv.strides[d] - 1) / conv.strides[d]);
  }

  bool IsWorthIt() const {
    int64_t own = 1, padded = 1;
    for (size_t d = 0; d < spatial_; ++d) {
      if (conv_.strides[d] > 1 && conv_.dilations[d] > 1 && kernel_[d] > 1) return false;
      own *= kernel_[d];
      padded *= taps_[d] * conv_.strides[d];
    }
    return padded <= 2 * own && ExactDiv(inputs_, conv_.groups);
  }

  ValueId Run() {
    Conv conv{Integers(spatial_, 1), conv_.dilations, {}, {}, conv_.groups, conv_.layout};
    // The first element that counts of those that its stride has.
    Integers skipped;
    for (size_t d = 0; d < spatial_; ++d) {
      int64_t stride = conv_.strides[d], begin = conv_.pads_begin[d];
      int64_t reach = (kernel_[d] - 1) * conv_.dilations[d] + 1;
      int64_t before = stride == 1 ? reach - 1 : taps_[d] - 1, whole = FloorDivide(begin, stride);
      conv.pads_begin.push_back(before - whole);
      conv.pads_end.push_back(FloorDivide(reach + conv_.extra[d] - conv_.pads_end[d] - 1, stride));
      skipped.push_back(begin - whole * stride);
    }
    ValueId all = build_.Add(conv, {x_, Filters()}, name_);
    return Cut(BetweenEachOther(all), skipped);
  }

 private:
  bool ChannelsFirst() const { return conv_.layout == Layout::kChannelsFirst; }

  // The filter of each place within a stride, as so many outputs more of each group.
  ValueId Filters() {
    const size_t kernel = ChannelsFirst() ? 2 : 0, channel = ChannelsFirst() ? 0 : spatial_;
    ValueId filter = filter_;
    Shape shape = build_.type(filter).shape;
    Pad pad{Sizes1D(shape.size(), 0), Sizes1D(shape.size(), 0), PadMode::kConstant};
    bool is_padded = false;
    for (size_t d = 0; d < spatial_; ++d) {
      int64_t missing = taps_[d] * conv_.strides[d] - kernel_[d];
      pad.end[kernel + d] = missing;
      is_padded |= missing > 0;
    }
    if (is_padded)
      filter = build_.Add(pad, {filter, build_.AddScalar(build_.type(filter).dtype, 0)}, name_);

    // The dimensions of `shape` by what they are.
    Shape split;
    Integers taps(spatial_), places(spatial_);
    int64_t groups = 0, inputs = 0, outputs = 0;
    auto add = [&](const Dim& size) {
      split.push_back(size);
      return static_cast<int64_t>(split.size()) - 1;
    };
    auto add_channels = [&] {
      groups = add(conv_.groups);
      inputs = add(*ExactDiv(inputs_, conv_.groups));
      outputs = add(outputs_);
    };
    if (channel == 0) add_channels();
    for (size_t d = 0; d < spatial_; ++d) {
      taps[d] = add(taps_[d]);
      places[d] = add(conv_.strides[d]);
    }
    if (channel != 0) add_channels();
    ValueId apart = build_.Add(Reshape{split}, {filter}, name_);

    // What x adds to later elements of the result is what earlier ones of x add to an element.
    Slice back{Sizes1D(split.size(), 0), split, Integers(split.size(), 1)};
    for (int64_t tap : taps) {
      back.starts[static_cast<size_t>(tap)] = split[static_cast<size_t>(tap)] - 1;
      back.steps[static_cast<size_t>(tap)] = -1;
    }
    ValueId turned = build_.Add(back, {apart}, name_);

    Integers of_outputs{groups};
    of_outputs.insert(of_outputs.end(), places.begin(), places.end());
    of_outputs.push_back(outputs);
    Integers order = taps;
    order.push_back(inputs);
    if (ChannelsFirst()) {
      order.insert(order.begin(), inputs);
      order.pop_back();
      order.insert(order.begin(), of_outputs.begin(), of_outputs.end());
    } else {
      order.insert(order.end(), of_outputs.begin(), of_outputs.end());
    }
    ValueId sorted = build_.Add(Transpose{order}, {turned}, name_);
    Shape merged;
    for (size_t d = 0; d < spatial_; ++d) merged.push_back(taps_[d]);
    const Dim each = *ExactDiv(inputs_, conv_.groups), results = Outputs() * Places();
    if (ChannelsFirst()) {
      merged.insert(merged.begin(), {results, each});
    } else {
      merged.insert(merged.end(), {each, results});
    }
    return build_.Add(Reshape{merged}, {sorted}, name_);
  }

  Dim Outputs() const { return outputs_ * conv_.groups; }
  int64_t Places() const {
    int64_t places = 1;
    for (int64_t stride : conv_.strides) places *= stride;
    return places;
  }

  // Elements of each group's places, as outputs of their own, to where they are in the result.
  ValueId BetweenEachOther(ValueId all) {
    if (Places() == 1) return all;
    const Shape given = build_.type(all).shape;
    const size_t image = ChannelsFirst() ? 2 : 1;
    Shape split{given[0]}, merged{given[0]};
    Integers sizes(spatial_), places(spatial_);
    int64_t groups = 0, outputs = 0;
    auto add = [&](const Dim& size) {
      split.push_back(size);
      return static_cast<int64_t>(split.size()) - 1;
    };
    auto add_channels = [&] {
      groups = add(conv_.groups);
      for (size_t d = 0; d < spatial_; ++d) places[d] = add(conv_.strides[d]);
      outputs = add(outputs_);
    };
    if (ChannelsFirst()) add_channels();
    for (size_t d = 0; d < spatial_; ++d) sizes[d] = add(given[image + d]);
    if (!ChannelsFirst()) add_channels();

    Integers order{0};
    if (ChannelsFirst()) {
      order.insert(order.end(), {groups, outputs});
      merged.push_back(Outputs());
    }
    for (size_t d = 0; d < spatial_; ++d) {
      order.insert(order.end(), {sizes[d], places[d]});
      merged.push_back(given[image + d] * conv_.strides[d]);
    }
    if (!ChannelsFirst()) {
      order.insert(order.end(), {groups, outputs});
      merged.push_back(Outputs());
    }
    ValueId apart = build_.Add(Reshape{split}, {all}, name_);
    ValueId sorted = build_.Add(Transpose{order}, {apart}, name_);
    return build_.Add(Reshape{merged}, {sorted}, name_);
  }

  // The elements that the result has of `whole`.
  ValueId Cut(ValueId whole, const Integers& skipped) {
    const Shape given = build_.type(whole).shape;
    const Shape x = build_.type(x_).shape;
    const size_t image = ChannelsFirst() ? 2 : 1;
    Slice cut{Sizes1D(given.size(), 0), given, Integers(given.size(), 1)};
    for (size_t d = 0; d < spatial_; ++d) {
      int64_t reach = (kernel_[d] - 1) * conv_.dilations[d] + 1;
      cut.starts[image + d] = skipped[d];
      cut.sizes[image + d] = (x[image + d] - 1) * conv_.strides[d] +
                             (reach + conv_.extra[d] - conv_.pads_begin[d] - conv_.pads_end[d]);
    }
    return cut.sizes == given ? whole : build_.Add(cut, {whole}, name_);
  }

  Builder& build_;
  const ConvTranspose conv_;
  ValueId x_, filter_;
  std::string name_;
  size_t spatial_;
  Integers kernel_, taps_;  // a spatial dimension
  Dim inputs_, outputs_;    // of all groups, and of each
};

}  // namespace

void SubpixelConvolutions(Graph& graph) {
  std::set<ValueId> constants;
  for (const Node& node : graph.nodes) {
    if (std::holds_alternative<Constant>(node.op)) constants.insert(node.result());
  }
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    auto* conv = std::get_if<ConvTranspose>(&node.op);
    if (conv && constants.count(node.operands[1]) > 0) {
      Subpixels subpixels(rewrite.build, node, *conv, graph.values[node.result()].name);
      if (subpixels.IsWorthIt()) {
        rewrite.build.SetOrigins(node.origins);
        rewrite.Replace(node, subpixels.Run());
        continue;
      }
    }
    rewrite.Keep(std::move(node));
  }
}

}  // namespace webnnc::graph
