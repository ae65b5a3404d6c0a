#include "tests/random/random_kernel.h"

#include "tests/random/random_values.h"

namespace webnnc::tests {

namespace {

class Writer : public ValueWriter {
 public:
  using ValueWriter::ValueWriter;

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
};

}  // namespace

RandomKernel MakeRandomKernel(Choices& choices, bool narrowed) {
  return Writer(choices, narrowed).Run();
}

}  // namespace webnnc::tests
