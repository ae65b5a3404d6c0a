#include "graph/passes/prepare_image.h"

#include <algorithm>
#include <set>

namespace webnnc::graph {

namespace {

using loop::BinaryOp;

// How many pixels a row of a frame has room for a multiple of.
constexpr int64_t kRowPixels = 64;

// What takes the place of an input. Where sizes are open, nothing is resampled.
struct PictureInputs {
  ValueId frame;
  Dim width;
  ValueId rows, columns;
};

class ImagePreparer {
 public:
  ImagePreparer(Builder& build, const Preparation& preparation, const std::string& name)
      : b_(build), preparation_(preparation), name_(name) {}

  ValueId Run(const PictureInputs& inputs, const TensorType& type) {
    image_ = *ImageOf(type);
    ValueId x = Unpack(inputs.frame, inputs.width);
    if (inputs.rows.valid()) {
      // What fills up beside the picture is where all weights are 0.
      std::vector<double> fill = Each(preparation_.fill);
      if (preparation_.bgr) std::reverse(fill.begin(), fill.end());
      bool fills = preparation_.resize == ImageResize::kContain;
      if (fills) x = Apply(BinaryOp::kSub, x, PerChannel(fill, "_fill"));
      // Either way neighbours in memory have the same taps: columns are summed with the picture on
      // its side.
      x = Resample(x, inputs.rows);
      x = b_.Add(Transpose{kTurned}, {x}, name_);
      x = Resample(x, inputs.columns);
      if (fills) x = Apply(BinaryOp::kAdd, x, PerChannel(fill, "_fill"));
      if (Overshoots(preparation_.filter)) x = Clamp(x);
    }
    x = Scale(x, type.dtype);
    bool turned = inputs.rows.valid();
    if (image_.channels_last) {
      x = b_.Add(Transpose{turned ? kTurnedToLast : kToLast}, {x}, name_);
    } else if (turned) {
      x = b_.Add(Transpose{kTurned}, {x}, name_);
    }
    if (type.dtype != DType::kF32) x = b_.Add(Cast{type.dtype}, {x}, name_);
    return x;
  }

 private:
  // Orders of dimensions, from f32[n, channels, height, width] or, for a turned picture, from
  // f32[n, channels, width, height].
  static inline const Integers kTurned{0, 1, 3, 2}, kToLast{0, 2, 3, 1}, kTurnedToLast{0, 3, 2, 1};

  ValueId Apply(BinaryOp op, ValueId a, ValueId b) { return b_.Add(Binary{op}, {a, b}, name_); }

  // ---- Bytes

  // f32[n, channels, height, width]
  ValueId Unpack(ValueId frame, const Dim& width) {
    const Dim batch = b_.type(frame).shape[0], height = b_.type(frame).shape[1];
    Slice without_room{{0, 0, 0, 0}, {batch, height, width, 1}, {1, 1, 1, 1}};
    ValueId x = b_.Add(without_room, {frame}, name_);
    x = b_.Add(Reshape{{batch, 1, height, width}}, {x}, name_);
    x = image_.channels == 1 ? Luma(x) : Colours(x);
    return b_.Add(Cast{DType::kF32}, {x}, name_);
  }

  ValueId Word(int64_t value) { return b_.AddScalar(DType::kU32, static_cast<double>(value)); }

  ValueId Byte(ValueId word, int64_t shift) {
    return Apply(BinaryOp::kAnd, Apply(BinaryOp::kShiftRight, word, Word(shift)), Word(255));
  }

  ValueId Colours(ValueId word) {
    std::vector<int64_t> shifts = {0, 8, 16};
    if (preparation_.bgr) std::reverse(shifts.begin(), shifts.end());
    Tensor constant = IntegerTensor(DType::kU32, shifts);
    constant.type.shape = {3, 1, 1};
    ValueId by = b_.AddConstant(std::move(constant), name_ + "_shifts");
    return Apply(BinaryOp::kAnd, Apply(BinaryOp::kShiftRight, word, by), Word(255));
  }

  // ITU-R 601-2's, as Pillow computes it.
  ValueId Luma(ValueId word) {
    ValueId sum = Word(1 << 15);
    for (auto [shift, weight] : {std::pair{0, 19595}, {8, 38470}, {16, 7471}})
      sum = Apply(BinaryOp::kAdd, sum, Apply(BinaryOp::kMul, Byte(word, shift), Word(weight)));
    return Apply(BinaryOp::kShiftRight, sum, Word(16));
  }

  // ---- Resampling

  ValueId Real(double value) { return b_.AddScalar(DType::kF32, value); }

  // Along the last dimension but one.
  ValueId Resample(ValueId x, ValueId taps) {
    return b_.Add(graph::Resample{2}, {x, taps}, name_ + "_resized");
  }

  // Negative weights leave the range of bytes.
  static bool Overshoots(ImageFilter filter) {
    return filter == ImageFilter::kBicubic || filter == ImageFilter::kLanczos;
  }

  ValueId Clamp(ValueId x) {
    return Apply(BinaryOp::kMin, Apply(BinaryOp::kMax, x, Real(0)), Real(255));
  }

  // ---- Values

  ValueId PerChannel(const std::vector<double>& values, const std::string& what) {
    if (std::count(values.begin(), values.end(), values[0]) == static_cast<int64_t>(values.size()))
      return Real(values[0]);
    std::vector<uint8_t> bytes(values.size() * sizeof(float));
    for (size_t i = 0; i < values.size(); ++i)
      WriteScalar(bytes.data(), static_cast<int64_t>(i), Scalar::Real(DType::kF32, values[i]));
    TensorType type{DType::kF32, {static_cast<int64_t>(values.size()), 1, 1}};
    return b_.AddConstant({type, TensorData::Own(std::move(bytes))}, name_ + what);
  }

  std::vector<double> Each(const std::vector<double>& values) const {
    bool is_one = values.size() == 1;
    return is_one ? std::vector<double>(static_cast<size_t>(image_.channels), values[0]) : values;
  }

  // Bytes as the model wants them.
  ValueId Scale(ValueId x, DType dtype) {
    using enum BinaryOp;
    std::vector<double> mean = Each(preparation_.mean), std = Each(preparation_.std);
    static constexpr std::pair<double, double> kRanges[] = {{0, 1}, {0, 255}, {-1, 1}};
    ImageRange as = dtype == DType::kU8 ? ImageRange::kBytes : ImageRange::kUnit;
    auto [low, high] = kRanges[static_cast<int>(preparation_.range.value_or(as))];
    std::vector<double> scales, offsets;
    for (size_t c = 0; c < mean.size(); ++c) {
      scales.push_back((high - low) / 255 / std[c]);
      offsets.push_back((low - mean[c]) / std[c]);
    }
    auto all = [&](const std::vector<double>& values, double value) {
      return std::count(values.begin(), values.end(), value) == static_cast<int64_t>(values.size());
    };
    if (!all(scales, 1)) x = Apply(kMul, x, PerChannel(scales, "_scale"));
    if (!all(offsets, 0)) x = Apply(kAdd, x, PerChannel(offsets, "_offset"));
    if (dtype != DType::kU8) return x;
    return b_.Add(Unary{Function::kFloor}, {Apply(kAdd, x, Real(0.5))}, name_);
  }

  Builder& b_;
  const Preparation& preparation_;
  std::string name_;
  Image image_;
};

}  // namespace

void PrepareImage(Graph& graph, size_t input, const Preparation& preparation,
                  const PictureSizes& sizes) {
  const std::string port = graph.inputs[input].name;
  const ValueId image = graph.inputs[input].value;
  const TensorType type = graph.values[image].type;
  const std::string name = graph.values[image].name;
  const Image described = *ImageOf(type);
  Rewriter rewrite(graph);
  auto add_input = [&](const std::string& what, TensorType of) {
    return rewrite.build.AddValue(name + what, std::move(of));
  };
  PictureInputs inputs{{}, sizes.width, {}, {}};
  Dim room = CeilDiv(sizes.width, kRowPixels) * kRowPixels;
  inputs.frame = add_input("_frame", {DType::kU32, {type.shape[0], sizes.height, room, 1}});
  graph.inputs[input].value = inputs.frame;
  if (described.height.IsConstant()) {
    inputs.rows = add_input("_rows", {DType::kF32, {described.height, sizes.row_entries}});
    inputs.columns = add_input("_columns", {DType::kF32, {described.width, sizes.column_entries}});
    graph.inputs.push_back({port + ":rows", inputs.rows});
    graph.inputs.push_back({port + ":columns", inputs.columns});
  }
  rewrite.build.SetOrigins({"--image"});
  rewrite.Replace(image, ImagePreparer(rewrite.build, preparation, name).Run(inputs, type));
  rewrite.build.SetOrigins({});
  for (Node& node : rewrite.nodes()) rewrite.Keep(std::move(node));
}

PictureSizes SizesFor(const Graph& graph, const Image& image) {
  std::set<std::string> taken;
  for (const Port& port : graph.inputs) {
    for (const Dim& size : graph.values[port.value].type.shape) size.CollectSymbols(taken);
  }
  auto free = [&](const std::string& name) {
    std::string unique = name;
    for (int n = 2; !taken.insert(unique).second; ++n) unique = name + std::to_string(n);
    return Dim::Symbol(unique);
  };
  if (!image.height.IsConstant()) return {image.height, image.width, 0, 0};
  return {free("height"), free("width"), free("row_entries"), free("column_entries")};
}

}  // namespace webnnc::graph
