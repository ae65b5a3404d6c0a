#include "tests/run_program.h"

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

  int64_t Element(BufferId id, int64_t i = 0) {
    Scalar element = ReadScalar(At(id).data(), program_.buffers[id].dtype, i);
    return Convert(element, DType::kI64).integer;
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
    if (auto* assign = std::get_if<plan::Assign>(&step)) {
      SymbolValues values;
      for (const auto& [symbol, size] : assign->sizes) values[symbol] = size.Evaluate(symbols_);
      for (const auto& [symbol, value] : values) symbols_[symbol] = value;
    }
    if (auto* transfer = std::get_if<plan::Transfer>(&step)) At(transfer->to) = At(transfer->from);
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
    const loop::Kernel& kernel = of_launch.flat.body.empty() ? of_launch.plain : of_launch.flat;
    loop::Memory memory(static_cast<size_t>(kernel.buffers.size()));
    std::vector<loop::BufferId> parameters = loop::ParametersOf(kernel);
    for (size_t p = 0; p < parameters.size(); ++p) {
      if (kernel.buffers[parameters[p]].space == loop::Space::kIn)
        memory[static_cast<size_t>(parameters[p].index)] = At(launch.arguments[p]);
    }
    TRY(loop::Interpret(kernel, memory, {symbols_, true}));
    for (size_t p = 0; p < parameters.size(); ++p)
      At(launch.arguments[p]) = memory[static_cast<size_t>(parameters[p].index)];
    return kSuccess;
  }

  const plan::Program& program_;
  SymbolValues symbols_;
  std::vector<Bytes> memory_;
};

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
    auto bytes = inputs[i].data.bytes();
    runner.At(program.inputs[i].buffer).assign(bytes.begin(), bytes.end());
  }
  TRY(runner.Run(0));
  std::vector<Tensor> outputs;
  for (const plan::Port& port : program.outputs) {
    TensorType type{port.type.dtype, Substitute(port.type.shape, runner.symbols())};
    outputs.push_back({type, TensorData::Own(runner.At(port.buffer))});
  }
  return outputs;
}

}  // namespace webnnc
