// Windows, and the mel scale's.
#include <cmath>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/signal.h"

namespace webnnc::onnx {

// ---- Windows

namespace {

// mean + first * cos(a) + second * cos(2a) at angles a = 2 pi i / period.
struct CosineWindow {
  double mean, first, second;
};

// Windows of a size that is known up to this one are data of the model; others are computed in it.
constexpr int64_t kLargestWindow = 1 << 16;

Result<Values> ImportWindow(NodeContext& c, const CosineWindow& window) {
  TRY_ASSIGN(auto sizes, c.Sizes(0));
  if (sizes.size() != 1) return Error{"the size is not a scalar"};
  const Dim size = sizes[0];
  if (size.IsConstant() && size.value() < 0) return Error{"the size is " + Print(size)};
  TRY_ASSIGN(auto dtype, ElementType(static_cast<int32_t>(c.Int("output_datatype", 1))));
  bool periodic = c.Int("periodic", 1) != 0;
  if (size.IsConstant() && size.value() <= kLargestWindow) {
    auto period = static_cast<double>(size.value() - (periodic ? 0 : 1));
    std::vector<double> values;
    for (int64_t i = 0; i < size.value(); ++i) {
      // A symmetric window of one element is 0 / 0, as ONNX defines it.
      double angle = 2 * M_PI * static_cast<double>(i) / period;
      values.push_back(window.mean + window.first * std::cos(angle) +
                       window.second * std::cos(2 * angle));
    }
    TRY_ASSIGN(auto result, c.AddConstant(RealTensor({dtype, {size}}, values)));
    return Values{result};
  }
  Formula f(c);
  Term period = f.Size(periodic ? size : size - 1, DType::kF32);
  Term angle = f.Iota(size, DType::kF32) / period * (2 * M_PI);
  Term sum = Cos(angle) * window.first + window.mean;
  if (window.second != 0) sum = sum + Cos(angle * 2) * window.second;
  TRY_ASSIGN(auto result, f.Result(Cast(sum, dtype)));
  return Values{result};
}

}  // namespace

static Result<Values> ImportHannWindow(NodeContext& c) { return ImportWindow(c, {0.5, -0.5, 0}); }

static Result<Values> ImportHammingWindow(NodeContext& c) {
  return ImportWindow(c, {25.0 / 46, -21.0 / 46, 0});
}

static Result<Values> ImportBlackmanWindow(NodeContext& c) {
  return ImportWindow(c, {0.42, -0.5, 0.08});
}

// ---- Mel scale

namespace {

double HertzToMel(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double MelToHertz(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

}  // namespace

namespace {

// The same as below, of bands and frequencies that only a run knows.
Result<Values> MelFromData(NodeContext& c, DType dtype) {
  TRY_ASSIGN(auto bands, c.Sizes(0));
  TRY_ASSIGN(auto length, c.Sizes(1));
  const Dim columns = bands[0], rows = FloorDiv(length[0], 2) + 1;
  Formula f(c);
  auto real = [&](size_t i) { return Cast(Reshape(f(c[i]), {}), DType::kF64); };
  auto to_mel = [](Term hertz) { return Log(hertz / 700 + 1) * (2595 / std::log(10)); };
  Term low = to_mel(real(3)), step = (to_mel(real(4)) - low) / (real(0) + 2);
  Term mel = f.Iota(columns + 2, DType::kF64) * step + low;
  Term hertz = (Unary(graph::Function::kExp, mel * (std::log(10) / 2595)) - 1) * 700;
  Term corners = Cast(Floor((real(1) + 1) * hertz / real(2)), DType::kI64);
  auto corner = [&](int64_t i) { return Slice(corners, 0, i, columns); };
  Term first = corner(0), top = corner(1), last = corner(2);
  Term bin = Reshape(f.Iota(rows, DType::kI64), {rows, 1});
  auto ratio = [&](Term a, Term b) { return Cast(a, DType::kF64) / Cast(Max(b, 1), DType::kF64); };
  Term zero = f.Number(0, DType::kF64), one = f.Number(1, DType::kF64);
  Term rising = Where(top - first == 0, Where(bin == top, one, zero),
                      Where((first <= bin) & (bin <= top), ratio(bin - first, top - first), zero));
  Term falls = (top <= bin) & (bin < last) & (top < last);
  TRY_ASSIGN(auto result,
             f.Result(Cast(Where(falls, ratio(last - bin, last - top), rising), dtype)));
  return Values{result};
}

}  // namespace

// Triangles over the bins of a spectrum, whose corners are at equal distances on the mel scale.
static Result<Values> ImportMelWeightMatrix(NodeContext& c) {
  double operands[5];
  bool are_known = true;
  for (size_t i = 0; i < 5; ++i) {
    if (!ElementCount(c.Type(i).shape).Is(1))
      return Error{"operand " + std::to_string(i) + " is not a scalar"};
    TRY_ASSIGN(auto values, c.FindReals(i));
    are_known &= values.has_value();
    operands[i] = values ? (*values)[0] : 0;
  }
  auto [bands, length, rate, lowest, highest] = operands;
  TRY_ASSIGN(auto dtype, ElementType(static_cast<int32_t>(c.Int("output_datatype", 1))));
  if (!are_known) return MelFromData(c, dtype);
  constexpr double kMostElements = 1 << 24;
  double bins = std::floor(length / 2) + 1;
  bool fits = bands >= 0 && length >= 0 && rate > 0 && lowest > -700 && highest > -700 &&
              bands * bins <= kMostElements;
  if (!fits)
    return Error{"a matrix for " + std::to_string(bands) + " bands of " + std::to_string(bins) +
                 " bins is not supported"};
  auto columns = static_cast<int64_t>(bands), rows = static_cast<int64_t>(bins);
  double low = HertzToMel(lowest), step = (HertzToMel(highest) - low) / (bands + 2);
  std::vector<int64_t> corners;
  for (int64_t i = 0; i < columns + 2; ++i) {
    double hertz = MelToHertz(static_cast<double>(i) * step + low);
    corners.push_back(static_cast<int64_t>(std::floor((length + 1) * hertz / rate)));
    if (corners.back() < 0 || corners.back() >= rows)
      return Error{"band " + std::to_string(i) + " is outside the spectrum"};
  }
  std::vector<double> weights(static_cast<size_t>(rows * columns));
  auto at = [&](int64_t row, int64_t column) -> double& {
    return weights[static_cast<size_t>(row * columns + column)];
  };
  for (int64_t i = 0; i < columns; ++i) {
    auto corner = corners.begin() + i;
    int64_t rise = corner[1] - corner[0], fall = corner[2] - corner[1];
    if (rise == 0) at(corner[1], i) = 1;
    for (int64_t j = corner[0]; rise > 0 && j <= corner[1]; ++j)
      at(j, i) = static_cast<double>(j - corner[0]) / static_cast<double>(rise);
    for (int64_t j = corner[1]; fall > 0 && j < corner[2]; ++j)
      at(j, i) = static_cast<double>(corner[2] - j) / static_cast<double>(fall);
  }
  TRY_ASSIGN(auto result, c.AddConstant(RealTensor({dtype, {rows, columns}}, weights)));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "BlackmanWindow", 1, ImportBlackmanWindow},
    {"", "HammingWindow", 1, ImportHammingWindow},
    {"", "HannWindow", 1, ImportHannWindow},
    {"", "MelWeightMatrix", 5, ImportMelWeightMatrix},
};

std::span<const Operator> SignalWindowOperators() { return kOperators; }

}  // namespace webnnc::onnx
