// Tensors that hold images, and how a picture becomes one.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "tensor/type.h"

namespace webnnc::graph {

// Where the pixels are in an input or output that holds images.
struct Image {
  bool channels_last = false;
  int64_t channels = 3;
  Dim height, width;
};
// A tensor of rank 4 holds images if it has 1 or 3 channels of f32, f16 or u8, and places enough
// that they can be a picture.
std::optional<Image> ImageOf(const TensorType& type);

enum class ImageResize : uint8_t { kCover, kContain, kFill };
enum class ImageFilter : uint8_t { kNearest, kBilinear, kBicubic, kLanczos };
enum class ImageRange : uint8_t { kUnit, kBytes, kSigned };  // 0..1, 0..255, -1..1

// What becomes of a picture before a model sees it. docs/pictures.md says what each means.
struct Preparation {
  ImageResize resize = ImageResize::kCover;
  // How much of each side of the resized picture stays.
  double crop = 1;
  bool align_start = false;
  ImageFilter filter = ImageFilter::kBilinear;
  bool antialias = true;
  // One for all channels or one each; `fill` in bytes of red, green and blue, the others in the
  // model's order.
  std::vector<double> fill = {0}, mean = {0}, std = {1};
  // Nothing: bytes as they are for a model of bytes, else kUnit.
  std::optional<ImageRange> range = {};
  bool bgr = false;
  // Whether something was said of the size, which a model that takes pictures of any size ignores.
  bool says_size = false;
};

// What is wrong with preparing an input of this type in this way.
Status CheckPreparation(const TensorType& type, const Preparation& preparation);

}  // namespace webnnc::graph
