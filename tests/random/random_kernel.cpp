#include "tests/random/random_kernel.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace webnnc::tests {

namespace {

constexpr double kUnit = 0x1p-24, kHalfUnit = 0x1p-11;

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
constexpr int kOne = -1;

class Writer {
 public:
  Writer(Choices& choices, bool narrowed) : choices_(choices), narrowed_(narrowed) {}

  RandomKernel Run() {
    dtype_ = choices_.Pick(
        std::vector{DType::kF32, DType::kF32, DType::kI32, DType::kF16, DType::kF32, DType::kI64});
    MakeAxes();
    int stages = 1 + choices_.Below(4);
    for (int i = 0; i < stages; ++i) {
      bool ordered = choices_.Chance(6) && axes_.size() > 1;
      if (!ordered && choices_.Chance(8)) {
        WriteArgReduction();
      } else if (!ordered) {
        WriteStage();
      } else if (choices_.Chance(3)) {
        WriteScatter();
      } else {
        WriteRecurrence();
      }
    }
    return Finish();
  }

 private:
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

  // ---- Stages

  std::vector<int> AllAxes() const {
    std::vector<int> all;
    for (size_t a = 0; a < axes_.size(); ++a) all.push_back(static_cast<int>(a));
    return all;
  }

  void WriteStage() {
    std::vector<int> loops = AllAxes(), stored = Some(loops, 0);
    bool reduces = !choices_.Chance(3);
    if (!reduces) loops = stored;
    Tensor tensor{"t" + std::to_string(tensors_.size()), dtype_, stored, {}};
    if (choices_.Chance(6)) tensor.axes.insert(tensor.axes.begin(), kOne);
    if (reduces) {
      tensor.numbers = WriteReduction(tensor, loops);
    } else {
      tensor.numbers = Expression(stored, choices_.Below(4));
      Write(tensor, stored, " = " + tensor.numbers.text);
    }
    tensors_.push_back(std::move(tensor));
  }

  // The place of the largest or smallest integer of some, which no rounding changes.
  void WriteArgReduction() {
    std::vector<int> loops = AllAxes(), stored = Some(loops, 0), order = Some(loops, loops.size());
    Tensor best = MakeTensor(stored);
    std::string element = IntegerInput(order), where;
    for (int a : order) {
      std::string along = Number(1 + choices_.Below(3)) + " * " + AsNumber(Index(a));
      where += (where.empty() ? "" : " + ") + along;
    }
    bool largest = choices_.Chance(2);
    tensors_.back().numbers = Constant(4);
    Tensor place = MakeTensor(stored);
    tensors_.back().numbers = Constant(static_cast<int>(Limit()) / 2);
    std::string starts = Number(largest ? -4 : 4) + ", " + Number(1000);
    Write(best, order,
          ", " + At(place) + (largest ? " argmax= " : " argmin= ") + element + ", " +
              (where.empty() ? Number(1) : where) + " from " + starts);
  }

  // An index as an element.
  std::string AsNumber(const std::string& index) const {
    return dtype_ == DType::kI32 ? index : std::string(Name(dtype_)) + "(" + index + ")";
  }

  Value WriteReduction(const Tensor& tensor, std::vector<int> loops) {
    std::vector<int> order = Some(loops, loops.size());
    int64_t terms = 1;
    for (int a : loops) {
      bool is_stored = std::count(tensor.axes.begin(), tensor.axes.end(), a) > 0;
      if (!is_stored) terms *= AxisOf(a).size;
    }
    auto count = static_cast<double>(terms);
    int update = choices_.Below(5);
    if (update == 3) return WriteSigns(tensor, order);
    std::vector<int> stored;
    std::copy_if(tensor.axes.begin(), tensor.axes.end(), std::back_inserter(stored),
                 [](int a) { return a != kOne; });
    Value start = choices_.Chance(4) ? Small(Expression(stored, 1), 100) : Constant(0);
    if (update > 3) {
      bool largest = choices_.Chance(2);
      Value value = Expression(order, choices_.Below(3));
      Write(tensor, order, (largest ? " max= " : " min= ") + value.text + " from " + start.text);
      value.magnitude = std::max(value.magnitude, start.magnitude);
      value.error = std::max(value.error, start.error);
      value.integral &= start.integral;
      return value;
    }
    Value value =
        update == 0 ? Expression(order, choices_.Below(3)) : Product(Leaf(order), Leaf(order));
    value = Small(value, 256);
    Write(tensor, order, " += " + value.text + " from " + start.text);
    return SumOf(start, value, count);
  }

  // `start` and so many terms, in any order.
  Value SumOf(const Value& start, const Value& term, double count) const {
    Value sum{"", start.magnitude + count * term.magnitude, start.error + count * term.error,
              start.integral && term.integral};
    bool exact = sum.integral && sum.error == 0 && sum.magnitude <= Limit();
    if (IsReal() && !exact) sum.error += (count + 1) * Unit() * sum.magnitude;
    if (!IsReal()) sum.error = 0;
    sum.integral &= exact || !IsReal();
    return sum;
  }

  // A product of signs: large ones would leave what the type holds.
  Value WriteSigns(const Tensor& tensor, const std::vector<int>& loops) {
    Value input = LoadInput(loops);
    std::string negative = input.text + " < " + (input.text[0] == 'f' ? "0.0" : Number(0));
    Write(tensor, loops,
          " *= select(" + negative + ", " + Number(-1) + ", " + Number(1) + ") from " + Number(1));
    return Constant(1);
  }

  // ---- Ordered loops

  void OpenOrdered(int time) {
    body_ += "  for " + Index(time) + " in " + AxisOf(time).extent + " ordered {\n";
    depth_ = 2;
  }
  void CloseOrdered() {
    body_ += "  }\n";
    depth_ = 1;
  }

  Tensor MakeTensor(std::vector<int> axes) {
    Tensor tensor{"t" + std::to_string(tensors_.size()), dtype_, std::move(axes), {}};
    tensors_.push_back(tensor);
    return tensor;
  }

  // An axis for the time, and others in some order.
  std::pair<int, std::vector<int>> TimeAndOthers() {
    std::vector<int> all = AllAxes(), others;
    int time = choices_.Pick(all);
    std::copy_if(all.begin(), all.end(), std::back_inserter(others),
                 [&](int a) { return a != time; });
    return {time, Some(others, 1)};
  }

  // A state that each iteration makes of what the one before left, and what is seen of it.
  void WriteRecurrence() {
    auto [time, axes] = TimeAndOthers();
    std::vector<int> both = axes;
    both.push_back(time);
    Value start = Small(Expression(axes, 1), 100);
    auto steps = static_cast<double>(AxisOf(time).size);
    size_t at = tensors_.size();
    // Without steps a sum would stay without a value.
    bool multiplies = choices_.Chance(2) && axes_.size() < 4 && steps > 0;
    Tensor state = MakeTensor(axes);
    if (multiplies) {
      tensors_[at].numbers = WriteSteps(state, time);
    } else {
      Write(state, axes, " = " + start.text);
      // What is drawn must not see the state, which is half made.
      tensors_.pop_back();
      Value term = Small(Expression(both, choices_.Below(3)), 256);
      tensors_.push_back(state);
      OpenOrdered(time);
      tensors_[at].numbers = WriteStep(state, start, term, steps);
    }
    tensors_[at].is_loaded = true;
    Tensor seen = MakeTensor(both);
    seen.numbers = tensors_.back().numbers = tensors_[at].numbers;
    Write(seen, axes, " = " + At(state));
    CloseOrdered();
  }

  // One iteration: more of a sum, of an extreme, or the latest of some.
  Value WriteStep(const Tensor& state, const Value& start, const Value& term, double steps) {
    const std::string before = At(state);
    Value after{"", std::max(start.magnitude, term.magnitude), std::max(start.error, term.error),
                start.integral && term.integral};
    switch (choices_.Below(3)) {
      case 0:
        after = SumOf(start, term, steps);
        after.text = before + " + " + term.text;
        break;
      case 1: after.text = "max(" + before + ", " + term.text + ")"; break;
      default:
        after.text = "select(" + Condition(state.axes) + ", " + term.text + ", " + before + ")";
    }
    Write(state, state.axes, " = " + after.text);
    return after;
  }

  // A matrix times the state, and the state of that: of small integers, so that nothing is lost.
  Value WriteSteps(const Tensor& state, int time) {
    Write(state, state.axes, " = " + Number(1));
    Axis inner{"q", AxisOf(state.axes[0]).extent, AxisOf(state.axes[0]).size,
               AxisOf(state.axes[0]).open};
    axes_.push_back(inner);
    int q = static_cast<int>(axes_.size()) - 1;
    std::vector<int> loops = state.axes, from = state.axes;
    loops.push_back(q);
    from[0] = q;
    Tensor sum = MakeTensor(state.axes);
    tensors_.back().numbers = Constant(0);
    tensors_.back().is_loaded = true;
    std::string matrix = IntegerInput({q, state.axes[0]}), input = IntegerInput({time});
    OpenOrdered(time);
    Tensor earlier = state;
    earlier.axes = from;
    Write(sum, loops, " += " + At(earlier) + " * " + matrix + " from " + input);
    std::string clamped = "max(min(" + At(sum) + ", " + Number(2) + "), " + Number(-2) + ")";
    Write(state, state.axes, " = " + clamped);
    axes_.pop_back();
    tensors_.back().numbers = {"", 6.0 * static_cast<double>(inner.size) + 3, 0, true};
    return {"", 2, 0, true};
  }

  // What a new input of integers holds where these axes tell.
  std::string IntegerInput(const std::vector<int>& axes) {
    Tensor input{"x" + std::to_string(kernel_.inputs.size()), dtype_, axes, {}};
    kernel_.inputs.push_back({input.name, true});
    parameters_.push_back("in %" + input.name + ": " + TypeOf(input));
    return At(input);
  }

  // Stores whose places an input tells, so that iterations meet.
  void WriteScatter() {
    auto [time, axes] = TimeAndOthers();
    int found = axes[0];
    std::vector<int> loops(axes.begin() + 1, axes.end()), both = loops;
    both.push_back(time);
    // A size of 0 has no place.
    bool has_place = AxisOf(found).size > 0;
    if (!has_place) return WriteStage();
    Value start = Small(Expression(axes, 1), 100);
    Value term = Small(Expression(both, choices_.Below(3)), 256);
    std::string places = "x" + std::to_string(kernel_.inputs.size());
    kernel_.inputs.push_back({places, true});
    parameters_.push_back("in %" + places + ": i32[" + AxisOf(time).extent + "]");
    std::string place =
        "max(min(%" + places + "[" + Index(time) + "], " + SizeOf(found) + " - 1), 0)";
    Tensor tensor = MakeTensor(axes);
    Write(tensor, axes, " = " + start.text);
    OpenOrdered(time);
    auto steps = static_cast<double>(AxisOf(time).size);
    Value after{"", std::max(start.magnitude, term.magnitude), std::max(start.error, term.error),
                start.integral && term.integral};
    std::string update = choices_.Pick(std::vector<std::string>{" = ", " += ", " max= ", " min= "});
    if (update == " += ") after = SumOf(start, term, steps);
    Write(tensor, loops, update + term.text, place);
    CloseOrdered();
    tensors_.back().numbers = after;
  }

  // `tensor` at its axes.
  std::string At(const Tensor& tensor, const std::string& first = "") const {
    std::string index;
    for (size_t d = 0; d < tensor.axes.size(); ++d) {
      int a = tensor.axes[d];
      std::string at = a == kOne ? "0" : d == 0 && !first.empty() ? first : Index(a);
      index += (index.empty() ? "" : ", ") + at;
    }
    return "%" + tensor.name + "[" + index + "]";
  }

  // Loops around a store to `tensor` at its axes; `first` is its first index if it is none of them.
  void Write(const Tensor& tensor, const std::vector<int>& loops, const std::string& rest,
             const std::string& first = "") {
    const size_t outside = 2 * depth_;
    std::string indent(outside, ' ');
    for (int a : loops) {
      body_ += indent + "for " + Index(a) + " in " + AxisOf(a).extent + " {\n";
      indent += "  ";
    }
    body_ += indent + At(tensor, first) + rest + "\n";
    while (indent.size() > outside) {
      indent.resize(indent.size() - 2);
      body_ += indent + "}\n";
    }
  }

  std::string TypeOf(const Tensor& tensor) const {
    std::string shape;
    for (int a : tensor.axes)
      shape += (shape.empty() ? "" : ",") + (a == kOne ? "1" : AxisOf(a).extent);
    return std::string(Name(tensor.dtype)) + "[" + shape + "]";
  }

  // What no stage loads is a result; of the others some are.
  RandomKernel Finish() {
    std::string temporaries, parameters;
    for (const Tensor& tensor : tensors_) {
      std::string declared = "%" + tensor.name + ": " + TypeOf(tensor);
      if (tensor.is_loaded && !choices_.Chance(4)) {
        temporaries += "  temporary " + declared + "\n";
        continue;
      }
      parameters_.push_back("out " + declared);
      kernel_.results.push_back({tensor.name, tensor.numbers.error});
    }
    for (const std::string& parameter : parameters_)
      parameters += (parameters.empty() ? "" : ", ") + parameter;
    kernel_.text = "kernel @random(" + parameters + ") {\n" + temporaries + body_ + "}\n";
    return std::move(kernel_);
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

}  // namespace

RandomKernel MakeRandomKernel(Choices& choices, bool narrowed) {
  return Writer(choices, narrowed).Run();
}

}  // namespace webnnc::tests
