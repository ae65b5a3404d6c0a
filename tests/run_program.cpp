#include "tests/run_program.h"

#include <algorithm>
#include <optional>
#include <span>

#include "loop/interpret.h"
#include "loop/parameters.h"

namespace webnnc {

namespace {

using plan::BufferId;
using Bytes = std::vector<uint8_t>;

class Runner {
 public:
  Runner(const plan::Program& program, SymbolValues symbols)
      : program_(program),
        symbols_(std::move(symbols)),
        memory_(static_cast<size_t>(program.buffers.size())) {}

  Bytes& At(BufferId id) { return memory_[static_cast<size_t>(id.index)]; }
  const SymbolValues& symbols() const { return symbols_; }

  // Inputs and outputs, which have other types on a GPU than callers see.
  void Give(BufferId id, std::span<const uint8_t> bytes) {
    Bytes given(bytes.begin(), bytes.end());
    At(id) = Converted(given, program_.buffers[id].dtype, DTypeOf(id));
  }
  Bytes ForCaller(BufferId id) {
    return Converted(At(id), DTypeOf(id), program_.buffers[id].dtype);
  }

  // Runs from step `first` to the end of its region; gives the step behind it.
  Result<size_t> Run(size_t first) {
    size_t s = first;
    while (s < program_.steps.size() && !EndsRegion(program_.steps[s])) {
      TRY_ASSIGN(s, RunStep(s));
    }
    return s;
  }

 private:
  static bool EndsRegion(const plan::Step& step) {
    return std::holds_alternative<plan::Else>(step) || std::holds_alternative<plan::EndIf>(step) ||
           std::holds_alternative<plan::EndLoop>(step);
  }

  // The step that ends the region which begins at `s`.
  size_t EndOf(size_t s) const {
    for (int depth = 0;; ++s) {
      const plan::Step& step = program_.steps[s];
      if (depth == 0 && EndsRegion(step)) return s;
      bool begins =
          std::holds_alternative<plan::If>(step) || std::holds_alternative<plan::Loop>(step);
      bool ends =
          std::holds_alternative<plan::EndIf>(step) || std::holds_alternative<plan::EndLoop>(step);
      depth += begins - ends;
    }
  }

  // Kernels that are scheduled for a GPU have elements there as it has them.
  DType DTypeOf(BufferId id) const {
    const plan::Buffer& buffer = program_.buffers[id];
    const bool is_on_gpu = program_.target.IsGpu() && buffer.place == plan::Place::kDevice;
    const bool is_scheduled =
        std::any_of(program_.kernels.begin(), program_.kernels.end(),
                    [](const plan::Kernel& kernel) { return !kernel.flat.body.empty(); });
    if (!is_on_gpu || !is_scheduled) return buffer.dtype;
    return StoredType(program_.target, buffer.dtype, plan::StorageOf(buffer));
  }

  int64_t Element(BufferId id, int64_t i = 0) {
    return Convert(ReadScalar(At(id).data(), DTypeOf(id), i), DType::kI64).integer;
  }
  void SetElement(BufferId id, int64_t value) {
    DType dtype = program_.buffers[id].dtype;
    At(id).resize(static_cast<size_t>(ByteSize(dtype)));
    WriteScalar(At(id).data(), 0, Scalar::Integer(dtype, value));
  }

  Result<size_t> RunStep(size_t s) {
    const plan::Step& step = program_.steps[s];
    if (auto* branch = std::get_if<plan::If>(&step)) return RunIf(s, *branch);
    if (auto* loop = std::get_if<plan::Loop>(&step)) return RunLoop(s, *loop);
    if (auto* launch = std::get_if<plan::Launch>(&step)) TRY(RunLaunch(*launch));
    if (auto* define = std::get_if<plan::Define>(&step)) {
      int64_t value = Element(define->buffer, define->element);
      if (value < 0 || value > INT32_MAX)
        return Error{"the size " + define->symbol + " is " + std::to_string(value)};
      symbols_[define->symbol] = value;
    }
    // What is reserved is of no account here.
    if (auto* bound = std::get_if<plan::Bound>(&step))
      symbols_[bound->symbol] = Element(bound->buffer, bound->element);
    if (auto* assign = std::get_if<plan::Assign>(&step)) {
      SymbolValues values;
      for (const auto& [symbol, size] : assign->sizes) values[symbol] = size.Evaluate(symbols_);
      for (const auto& [symbol, value] : values) symbols_[symbol] = value;
    }
    if (auto* transfer = std::get_if<plan::Transfer>(&step)) RunTransfer(*transfer);
    if (auto* stack = std::get_if<plan::Stack>(&step)) {
      const Bytes& slice = At(stack->from);
      Bytes& all = At(stack->to);
      auto at = static_cast<size_t>(Element(stack->index)) * slice.size();
      all.resize(std::max(all.size(), at + slice.size()));
      std::copy(slice.begin(), slice.end(), all.begin() + static_cast<ptrdiff_t>(at));
    }
    if (auto* swap = std::get_if<plan::Swap>(&step)) std::swap(At(swap->a), At(swap->b));
    if (auto* set = std::get_if<plan::Set>(&step)) SetElement(set->buffer, set->value);
    if (auto* increment = std::get_if<plan::Increment>(&step))
      SetElement(increment->buffer, Element(increment->buffer) + 1);
    return s + 1;
  }

  void RunTransfer(const plan::Transfer& transfer) {
    At(transfer.to) = Converted(At(transfer.from), DTypeOf(transfer.from), DTypeOf(transfer.to));
  }

  static Bytes Converted(const Bytes& given, DType from, DType to) {
    if (from == to) return given;
    const auto count = static_cast<int64_t>(given.size()) / ByteSize(from);
    Bytes taken(static_cast<size_t>(count * ByteSize(to)));
    for (int64_t i = 0; i < count; ++i)
      WriteScalar(taken.data(), i, Convert(ReadScalar(given.data(), from, i), to));
    return taken;
  }

  Result<size_t> RunIf(size_t s, const plan::If& branch) {
    size_t middle = EndOf(s + 1);
    bool has_else = std::holds_alternative<plan::Else>(program_.steps[middle]);
    size_t end = has_else ? EndOf(middle + 1) : middle;
    if (Element(branch.condition) != 0) {
      TRY(Run(s + 1));
    } else if (has_else) {
      TRY(Run(middle + 1));
    }
    return end + 1;
  }

  Result<size_t> RunLoop(size_t s, const plan::Loop& loop) {
    size_t end = EndOf(s + 1);
    auto goes_on = [&] {
      bool counts = !loop.trips.valid() || Element(loop.iteration) < Element(loop.trips);
      return counts && (!loop.condition.valid() || Element(loop.condition) != 0);
    };
    while (goes_on()) TRY(Run(s + 1));
    return end + 1;
  }

  Status RunLaunch(const plan::Launch& launch) {
    const plan::Kernel& of_launch = program_.KernelsAt(launch.place)[launch.kernel];
    const bool is_flat = !of_launch.flat.body.empty();
    const loop::Kernel& kernel = is_flat ? of_launch.flat : of_launch.plain;
    // A GPU's flat kernel knows itself where its arguments begin, and is given all of them.
    const bool begins = !launch.begins.empty() && !(is_flat && program_.target.IsGpu());
    loop::Memory memory(static_cast<size_t>(kernel.buffers.size()));
    std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel);
    auto bytes_of = [&](size_t p) {
      const TensorType& type = kernel.buffers[parameters[p]].type;
      return static_cast<size_t>(ByteSize(type).Evaluate(symbols_));
    };
    for (size_t p = 0; p < parameters.size(); ++p) {
      Bytes& given = memory[static_cast<size_t>(parameters[p].index)];
      bool is_read = kernel.buffers[parameters[p]].space == loop::Space::kIn;
      bool is_kept = program_.buffers[launch.arguments[p]].kind == plan::BufferKind::kState;
      if (!is_read && (!is_kept || begins)) continue;
      given = At(launch.arguments[p]);
      // What is read may be the beginning of what is there, and what is added to less.
      if (is_kept) given.resize(bytes_of(p));
    }
    // What is updated was written by the run before.
    bool updates = false;
    for (size_t p = 0; p < parameters.size(); ++p) {
      bool is_kept = program_.buffers[launch.arguments[p]].kind == plan::BufferKind::kState;
      updates |= is_kept && launch.begins.empty() &&
                 kernel.buffers[parameters[p]].space == loop::Space::kOut;
    }
    TRY(loop::Interpret(kernel, memory, {symbols_, !updates}));
    for (size_t p = 0; p < parameters.size(); ++p) {
      if (kernel.buffers[parameters[p]].space == loop::Space::kIn) continue;
      Bytes& made = memory[static_cast<size_t>(parameters[p].index)];
      Bytes& at = At(launch.arguments[p]);
      if (!begins) {
        at = std::move(made);
        continue;
      }
      const int64_t element = ByteSize(kernel.buffers[parameters[p]].type.dtype);
      at.resize(static_cast<size_t>(launch.begins[p].Evaluate(symbols_) * element));
      at.insert(at.end(), made.begin(), made.end());
    }
    return kSuccess;
  }

  const plan::Program& program_;
  SymbolValues symbols_;
  std::vector<Bytes> memory_;
};

// A tensor with one of its axes at another place: its elements in that order.
Tensor WithAxis(const Tensor& tensor, int64_t from, int64_t to) {
  const Shape& shape = tensor.type.shape;
  std::vector<size_t> order;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (static_cast<int64_t>(d) != from) order.push_back(d);
  }
  order.insert(order.begin() + to, static_cast<size_t>(from));
  TensorType type{tensor.type.dtype, {}};
  for (size_t d : order) type.shape.push_back(shape[d]);
  const auto size = static_cast<size_t>(ByteSize(type.dtype));
  auto bytes = tensor.data.bytes();
  Bytes moved;
  for (int64_t i = 0; i < ElementCount(type.shape).value(); ++i) {
    int64_t rest = i, at = 0;
    std::vector<int64_t> index(shape.size());
    for (size_t d = order.size(); d-- > 0; rest /= type.shape[d].value())
      index[order[d]] = rest % type.shape[d].value();
    for (size_t d = 0; d < shape.size(); ++d) at = at * shape[d].value() + index[d];
    auto first = bytes.begin() + static_cast<ptrdiff_t>(at) * static_cast<ptrdiff_t>(size);
    moved.insert(moved.end(), first, first + static_cast<ptrdiff_t>(size));
  }
  return {type, TensorData::Own(std::move(moved))};
}

std::optional<int64_t> AxisOf(const plan::Program& program, size_t graph::State::* port, size_t i) {
  for (const graph::State& state : program.states) {
    if (state.*port == i && state.kept == graph::State::Kept::kAppended) return state.axis;
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<Tensor>> RunProgram(const plan::Program& program,
                                       const IdVector<plan::WeightTag, plan::Weight>& weights,
                                       const std::vector<Tensor>& inputs, SymbolValues symbols) {
  Runner runner(program, std::move(symbols));
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const plan::Buffer& buffer = program.buffers[BufferId{b}];
    if (buffer.kind != plan::BufferKind::kWeight) continue;
    auto bytes = weights[buffer.weight].data.bytes();
    runner.At(BufferId{b}).assign(bytes.begin(), bytes.end());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto axis = AxisOf(program, &graph::State::input, i);
    const Tensor input = axis ? WithAxis(inputs[i], *axis, 0) : inputs[i];
    runner.Give(program.inputs[i].buffer, input.data.bytes());
  }
  TRY(runner.Run(0));
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const plan::Port& port = program.outputs[i];
    TensorType type{port.type.dtype, Substitute(port.type.shape, runner.symbols())};
    auto axis = AxisOf(program, &graph::State::output, i);
    if (axis)
      std::rotate(type.shape.begin(), type.shape.begin() + *axis, type.shape.begin() + *axis + 1);
    Tensor output{type, TensorData::Own(runner.ForCaller(port.buffer))};
    outputs.push_back(axis ? WithAxis(output, 0, *axis) : std::move(output));
  }
  return outputs;
}

}  // namespace webnnc
