// Resizing whose scales or region of interest only a run knows, or whose weights depend on sizes
// that are open. It is computed along one dimension after the other: which elements count for each
// of the result, and how much, are tensors.
#pragma once

#include "onnx/formula.h"

namespace webnnc::onnx {

struct ResizeByData {
  // Modes and attributes; its sizes and scales are not looked at.
  graph::Resize attributes;
  // Which dimensions are resized, to what sizes, and by what scales: f32[axes].
  std::vector<size_t> axes;
  graph::Sizes1D sizes;
  Term scales;
  // Where each axis' region begins and ends, as fractions of x: f32[2*axes]. Of kTfCropAndResize.
  std::optional<Term> roi;
  bool antialias = false;
  // Opset 10 rounds coordinates up where it shrinks, and down elsewhere.
  bool rounds_by_scale = false;
};

Term Resized(const ResizeByData& resize, Term x);

}  // namespace webnnc::onnx
