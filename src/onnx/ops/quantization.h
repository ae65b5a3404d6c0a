// What operators on quantised numbers share. Such a number stands for (x - zero) * scale.
#pragma once

#include <optional>

#include "onnx/formula.h"
#include "onnx/narrow.h"

namespace webnnc::onnx {

// One element for each block of an axis, as `size` elements along it.
Term Repeated(Term blocks, size_t axis, int64_t block, const Dim& size);

// A scale and a zero point, which broadcast to what they belong to; without a zero point it is 0.
struct Quantization {
  Term scale;
  std::optional<Term> zero;
};

// The node's operands `scale` and `zero`, if that is there, as scalars: of operators that quantise
// whole tensors.
Result<Quantization> WholeQuantization(Formula& f, size_t scale, size_t zero);

// The node's operands `scale` and `zero`, if that is there, for operand `x`: of all of it, one for
// each index of an axis, or one for each block of so many of them.
Result<Quantization> QuantizationOf(Formula& f, size_t x, size_t scale, size_t zero, int64_t axis,
                                    int64_t block);

// x - zero as i32, which is exact for integers of up to 16 bits.
Term Centered(Term x, const std::optional<Term>& zero);
// (x - zero) * scale as f32.
Term Dequantized(Term x, const Quantization& by);
// round(x / scale) + zero as the nearest number of the type; halves round to even.
Term Quantized(Term x, const Quantization& by, DType to);
Term Quantized(Term x, const Quantization& by, const Narrow& to, bool saturate);
// The same of x * scale / by.scale, as kernels for sums of integers compute it.
Term Requantized(Term x, Term scale, const Quantization& by, DType to);

// ONNX Runtime's dynamic quantisation to u8: the range of x, with 0 in it, by 255.
struct Dynamic {
  Term quantized;
  Quantization by;
};
Dynamic QuantizedByRange(Term x);

}  // namespace webnnc::onnx
