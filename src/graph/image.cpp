#include "graph/image.h"

namespace webnnc::graph {

std::optional<Image> ImageOf(const TensorType& type) {
  // Fewer are a table of numbers rather than a picture.
  constexpr int64_t kFewestPixels = 8;
  bool pixels = type.dtype == DType::kF32 || type.dtype == DType::kF16 || type.dtype == DType::kU8;
  if (type.rank() != 4 || !pixels) return std::nullopt;
  auto is_channels = [](const Dim& size) { return size.Is(1) || size.Is(3); };
  auto is_side = [](const Dim& size) {
    return !size.IsConstant() || size.value() >= kFewestPixels;
  };
  const Shape& shape = type.shape;
  if (is_channels(shape[1]) && is_side(shape[2]) && is_side(shape[3])) {
    return Image{false, shape[1].value(), shape[2], shape[3]};
  }
  if (is_channels(shape[3]) && is_side(shape[1]) && is_side(shape[2])) {
    return Image{true, shape[3].value(), shape[1], shape[2]};
  }
  return std::nullopt;
}

Status CheckPreparation(const TensorType& type, const Preparation& preparation) {
  auto image = ImageOf(type);
  if (!image) {
    return Error{"it is " + Print(type) + ", and takes no pictures",
                 {},
                 {"pictures have 4 dimensions, 1 or 3 channels of f32, f16 or u8, and sides of 8 "
                  "or more"}};
  }
  auto channels = static_cast<size_t>(image->channels);
  for (auto [key, values] : {std::pair{"mean", &preparation.mean},
                             {"std", &preparation.std},
                             {"fill", &preparation.fill}}) {
    if (values->size() != 1 && values->size() != channels) {
      return Error{std::string(key) + " has " + std::to_string(values->size()) +
                   " values, and the input has " + std::to_string(channels) +
                   (channels == 1 ? " channel" : " channels")};
    }
  }
  bool scales = preparation.mean != std::vector<double>{0} ||
                preparation.std != std::vector<double>{1} ||
                preparation.range.value_or(ImageRange::kBytes) != ImageRange::kBytes;
  if (type.dtype == DType::kU8 && scales)
    return Error{"the input takes bytes, which mean, std and range would not leave as they are"};
  bool open_height = !image->height.IsConstant(), open_width = !image->width.IsConstant();
  if (!open_height && !open_width) return kSuccess;
  if (!SymbolOf(image->height) || !SymbolOf(image->width) || image->height == image->width) {
    return Error{"its sides are " + Print(image->height) + " and " + Print(image->width) +
                     ": both must be fixed, or both open and independent",
                 {},
                 {"fix them with --dim or --input"}};
  }
  if (preparation.says_size) {
    return Error{
        "its sides are open, so that pictures keep their size: resize, crop, align, filter, "
        "antialias and fill have no effect",
        {},
        {"leave them out, or fix the sides with --dim or --input"}};
  }
  return kSuccess;
}

}  // namespace webnnc::graph
