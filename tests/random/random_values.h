// Axes, tensors and values of random kernels, with what is known of their numbers: what
// random_kernel.cpp makes stages of.
#pragma once

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/random/random_kernel.h"

namespace webnnc::tests {

inline constexpr double kUnit = 0x1p-24, kHalfUnit = 0x1p-11;

// A loop that stages may have, and a size that tensors may have.
struct Axis {
  std::string name;
  std::string extent;
  int64_t size = 0;  // what the extent is in the run
  bool open = false;
};

// An expression, and what is known of its numbers.
struct Value {
  std::string text;
  double magnitude = 0;
  double error = 0;
  bool integral = true;
};

struct Tensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int> axes;  // kOne for a dimension of 1
  Value numbers;
  bool is_loaded = false;
};
inline constexpr int kOne = -1;

class ValueWriter {
 public:
  ValueWriter(Choices& choices, bool narrowed) : choices_(choices), narrowed_(narrowed) {}

 protected:
  // ---- Sizes

  void MakeAxes() {
    static const std::vector<int64_t> kSizes{2, 3, 1, 4, 5, 8, 7, 16, 13, 17, 32, 33, 0, 64, 100};
    int count = 1 + choices_.Below(4);
    int64_t all = 1, most = choices_.Chance(16) ? 5000 : 500;
    for (int i = 0; i < count; ++i) {
      Axis axis{std::string(1, static_cast<char>('i' + i)), "", choices_.Pick(kSizes)};
      if (all * axis.size > most) axis.size = 2;
      if (choices_.Chance(4)) {
        std::string symbol(1, static_cast<char>('n' + i));
        kernel_.symbols[symbol] = axis.size;
        axis.extent = symbol;
        axis.open = true;
        if (choices_.Chance(4)) {
          axis.extent = "2*" + symbol;
          axis.size *= 2;
        }
      } else {
        axis.extent = std::to_string(axis.size);
      }
      all *= std::max<int64_t>(1, axis.size);
      axes_.push_back(axis);
    }
  }

  const Axis& AxisOf(int a) const { return axes_[static_cast<size_t>(a)]; }
  std::string SizeOf(int a) const { return "size(" + AxisOf(a).extent + ")"; }

  // Some of these, in some order.
  std::vector<int> Some(const std::vector<int>& from, size_t least) {
    std::vector<int> left = from, out;
    for (size_t i = 0; i < from.size(); ++i) {
      auto at = choices_.Below(static_cast<int>(left.size()));
      bool takes = !choices_.Chance(3) || left.size() + out.size() <= least;
      if (takes) out.push_back(left[static_cast<size_t>(at)]);
      left.erase(left.begin() + at);
    }
    return out;
  }

  // ---- Numbers

  bool IsReal() const { return IsFloat(dtype_); }
  double Unit() const { return dtype_ == DType::kF16 || narrowed_ ? kHalfUnit : kUnit; }
  // Up to here integers are exact.
  double Limit() const {
    return dtype_ == DType::kF16 || narrowed_ ? 2048 : IsReal() ? 0x1p24 : 0x1p30;
  }

  std::string Number(int value) const {
    std::string text = std::to_string(value) + (IsReal() ? ".0" : "");
    bool is_plain = dtype_ == DType::kF32 || dtype_ == DType::kI32;
    return is_plain ? text : text + ":" + std::string(Name(dtype_));
  }
  Value Constant(int value) const { return {Number(value), std::fabs(value), 0, true}; }

  // A number that was computed: rounded, unless it is an integer that the type holds.
  Value Computed(Value value) const {
    if (!IsReal()) value.error = 0;
    bool exact = value.integral && value.error == 0 && value.magnitude <= Limit();
    if (IsReal() && !exact) {
      value.error += Unit() * value.magnitude;
      value.integral = false;
    }
    return value;
  }

  // As it is, or brought back to where arithmetic on it stays in the type's range.
  Value Small(Value value, int most) const {
    if (value.magnitude <= most) return value;
    value.text = "max(min(" + value.text + ", " + Number(most) + "), " + Number(-most) + ")";
    value.magnitude = most;
    return value;
  }

  // ---- Loads

  std::string Index(int a) const { return AxisOf(a).name; }

  // An index of a dimension of its own, the size of that dimension, and where it is inside.
  struct Place {
    std::string index, size, inside;
  };

  Place MakePlace(const std::vector<int>& axes, int a) {
    const Axis& axis = AxisOf(a);
    int b = choices_.Pick(axes);
    std::string i = Index(a), j = Index(b);
    switch (choices_.Below(10)) {
      case 1: return {"0", "1", ""};
      case 2: return {SizeOf(a) + " - 1 - " + i, axis.extent, ""};
      case 3: return {i + " * 2 + " + j, "2*" + axis.extent + "+" + AxisOf(b).extent, ""};
      case 4: return Guarded(i + " + " + j + " - 1", axis.extent);
      case 5: {
        std::string from = i + " + 1 - " + j;
        Place place = Guarded("floordiv(" + from + ", 2)", axis.extent);
        place.inside = "and(floormod(" + from + ", 2) == 0, " + place.inside + ")";
        return place;
      }
      case 6: return {"floormod(" + i + ", 3)", "3", ""};
      case 7: return {"floordiv(" + i + ", 3)", "floordiv(" + axis.extent + "+2,3)", ""};
      case 8: return {"1", "3", ""};
      default: return {i, axis.extent, ""};
    }
  }

  static Place Guarded(const std::string& index, const std::string& size) {
    return {index, size, "and(0 <= " + index + ", " + index + " < size(" + size + "))"};
  }

  // What a new weight holds that lies in panels, the columns of an axis eight by eight.
  Value LoadPanels(const std::vector<int>& axes) {
    static const int64_t kWidth = 8;
    std::vector<int> known;
    std::copy_if(axes.begin(), axes.end(), std::back_inserter(known),
                 [&](int a) { return !AxisOf(a).open && AxisOf(a).size > 0; });
    if (known.empty()) return Constant(1);
    std::vector<int> used = Some(known, 1);
    const size_t cut = static_cast<size_t>(choices_.Below(static_cast<int>(used.size())));
    std::string shape, index, column = Index(used[cut]);
    for (size_t d = 0; d < used.size(); ++d) {
      const Axis& axis = AxisOf(used[d]);
      const int64_t panels = (axis.size + kWidth - 1) / kWidth;
      shape += (d == cut ? std::to_string(panels) : axis.extent) + ",";
      index += (d == cut ? "floordiv(" + column + ", 8)" : axis.name) + ", ";
    }
    std::string name = "x" + std::to_string(kernel_.inputs.size());
    kernel_.inputs.push_back({name, true});
    parameters_.push_back("in %" + name + ": " + std::string(Name(dtype_)) + "[" + shape +
                          "8] panels");
    return {"%" + name + "[" + index + "floormod(" + column + ", 8)]", 3.0, 0, true};
  }

  // What a new input holds at a place that these axes tell.
  Value LoadInput(const std::vector<int>& axes) {
    if (choices_.Chance(8)) return LoadPanels(axes);
    std::vector<int> used = Some(axes, 0);
    std::string shape, index, inside;
    for (int a : used) {
      Place place = MakePlace(axes, a);
      shape += (shape.empty() ? "" : ",") + place.size;
      index += (index.empty() ? "" : ", ") + place.index;
      if (place.inside.empty()) continue;
      inside = inside.empty() ? place.inside : "and(" + inside + ", " + place.inside + ")";
    }
    std::string name = "x" + std::to_string(kernel_.inputs.size());
    bool widened = dtype_ == DType::kF32 && choices_.Chance(4);
    bool integral = !IsReal() || !choices_.Chance(4);
    kernel_.inputs.push_back({name, integral});
    std::string type(Name(widened ? DType::kF16 : dtype_));
    parameters_.push_back("in %" + name + ": " + type + "[" + shape + "]");
    std::string load = "%" + name + "[" + index + "]";
    if (!inside.empty()) {
      std::string zero = widened ? "0.0:f16" : Number(0);
      load = "select(" + inside + ", " + load + ", " + zero + ")";
    }
    return {widened ? "f32(" + load + ")" : load, integral ? 3.0 : 2.0, 0, integral};
  }

  // What an earlier stage stored, if these axes tell where; by the axes it was stored by, or by
  // others of the same size.
  bool LoadTensor(const std::vector<int>& axes, Value& value) {
    std::vector<size_t> fits;
    for (size_t t = 0; t < tensors_.size(); ++t) {
      bool all = std::all_of(tensors_[t].axes.begin(), tensors_[t].axes.end(), [&](int a) {
        return a == kOne || std::count(axes.begin(), axes.end(), a) > 0;
      });
      if (all) fits.push_back(t);
    }
    if (fits.empty()) return false;
    Tensor& tensor = tensors_[choices_.Pick(fits)];
    std::string index;
    for (int a : tensor.axes) {
      std::string at = a == kOne ? "0" : Index(a);
      if (a != kOne && choices_.Chance(8)) {
        int b = choices_.Pick(axes);
        if (AxisOf(b).extent == AxisOf(a).extent) at = Index(b);
      }
      index += (index.empty() ? "" : ", ") + at;
    }
    tensor.is_loaded = true;
    value = tensor.numbers;
    value.text = "%" + tensor.name + "[" + index + "]";
    return true;
  }

  // ---- Expressions

  Value Leaf(const std::vector<int>& axes) {
    Value value;
    int kind = choices_.Below(6);
    if (kind < 3 && LoadTensor(axes, value)) return value;
    if (kind == 5) return Constant(choices_.Below(7) - 3);
    return LoadInput(axes);
  }

  // A condition that no rounding changes.
  std::string Condition(const std::vector<int>& axes) {
    if (axes.empty()) return "size(3) < 2";
    int a = choices_.Pick(axes), b = choices_.Pick(axes);
    switch (choices_.Below(3)) {
      case 0: return Index(a) + " < 3";
      case 1: return "floormod(" + Index(a) + " + " + Index(b) + ", 3) == 1";
      default: return Index(a) + " <= " + Index(b);
    }
  }

  Value Expression(const std::vector<int>& axes, int depth) {
    if (depth == 0 || choices_.Chance(4)) return Leaf(axes);
    int kind = choices_.Below(9);
    Value a = Expression(axes, depth - 1);
    if (kind == 6) return {"abs(" + a.text + ")", a.magnitude, a.error, a.integral};
    if (kind == 7 && IsReal()) {
      a = Small(a, 2);
      // exp is 8 times as steep at 2 as at 0, and targets are not exact in it.
      return {"exp(" + a.text + ")", 8, 8 * a.error + 16 * Unit(), false};
    }
    Value b = Expression(axes, depth - 1);
    Value both{"", 0, std::max(a.error, b.error), a.integral && b.integral};
    both.magnitude = std::max(a.magnitude, b.magnitude);
    switch (kind) {
      case 0:
      case 1: return Sum(a, b, kind == 0 ? " + " : " - ");
      case 2:
      case 3: return Product(a, b);
      case 4: both.text = "min(" + a.text + ", " + b.text + ")"; break;
      case 5: both.text = "max(" + a.text + ", " + b.text + ")"; break;
      default: both.text = "select(" + Condition(axes) + ", " + a.text + ", " + b.text + ")";
    }
    return both;
  }

  Value Sum(const Value& a, const Value& b, const std::string& sign) const {
    return Computed({"(" + a.text + sign + b.text + ")", a.magnitude + b.magnitude,
                     a.error + b.error, a.integral && b.integral});
  }

  Value Product(Value a, Value b) const {
    a = Small(a, 16);
    b = Small(b, 16);
    return Computed({a.text + " * " + b.text, a.magnitude * b.magnitude,
                     a.magnitude * b.error + b.magnitude * a.error, a.integral && b.integral});
  }

  Choices& choices_;
  const bool narrowed_;
  DType dtype_ = DType::kF32;
  std::vector<Axis> axes_;
  std::vector<Tensor> tensors_;
  std::vector<std::string> parameters_;
  std::string body_;
  size_t depth_ = 1;  // of loops around the stages that are written
  RandomKernel kernel_;
};

}  // namespace webnnc::tests
