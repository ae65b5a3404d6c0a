#include "wasm/commands.h"

namespace webnnc::wasm {

namespace {

using plan::BufferId;

class CommandWriter {
 public:
  CommandWriter(const plan::Program& program, size_t first_wasm_step, const DimTable& dims,
                const std::function<size_t(const plan::Assign&)>& add_assign)
      : program_(program),
        dims_(dims),
        add_assign_(add_assign),
        next_wasm_step_(static_cast<int64_t>(first_wasm_step)) {}

  std::vector<Command> Run() {
    Add({abi::kPlan, 0, 0});
    for (size_t s = 0; s < program_.steps.size(); ++s) {
      position_ = static_cast<int64_t>(s);
      std::visit([&](const auto& step) { Write(step); }, program_.steps[s]);
    }
    return std::move(commands_);
  }

 private:
  void Add(Command command) { commands_.push_back(command); }
  int64_t Here() const { return static_cast<int64_t>(commands_.size()); }

  int64_t BytesOf(BufferId id) const {
    const plan::Buffer& buffer = program_.buffers[id];
    return ByteSize(program_, buffer, 1).value();
  }
  static int64_t OrNone(BufferId id) { return id.valid() ? id.index : -1; }

  // Launches that follow each other are one command.
  void Write(const plan::Launch& launch) {
    const bool on_host = launch.place == plan::Place::kHost;
    const bool is_wasm = on_host || !program_.target.IsGpu();
    const abi::CommandKind kind = on_host ? abi::kHostSteps : abi::kRun;
    int64_t step = is_wasm ? next_wasm_step_++ : next_dispatch_++;
    Command& last = commands_.back();
    // What a branch or loop comes to here must not begin in the middle.
    bool joins = last.kind == kind && last.b == step && label_ != Here();
    if (joins) {
      last.b = step + 1;
    } else {
      Add({kind, step, step + 1});
    }
  }
  void Write(const plan::Plan& plan) { Add({abi::kPlan, plan.number, position_}); }
  void Write(const plan::Define& define) {
    Add({abi::kDefine, ~dims_.Find(Dim::Symbol(define.symbol)), define.buffer.index, define.element,
         BytesOf(define.buffer)});
  }
  void Write(const plan::Assign& assign) {
    Add({abi::kAssign, static_cast<int64_t>(add_assign_(assign))});
  }
  void Write(const plan::Bound& bound) { Write(bound.most); }
  void Write(const plan::Recompute& recompute) { Add({abi::kRecompute, recompute.plan}); }
  void Write(const plan::Transfer& transfer) {
    const plan::Buffer& from = program_.buffers[transfer.from];
    bool up = from.place == plan::Place::kHost;
    Add({up ? abi::kUpload : abi::kReadBack, transfer.from.index, transfer.to.index, 0,
         static_cast<int64_t>(from.dtype)});
  }
  void Write(const plan::Stack& stack) {
    Dim bytes = ByteSize(program_, program_.buffers[stack.from], stack.elements);
    Add({abi::kStack, stack.from.index, stack.to.index, stack.index.index, dims_.Find(bytes)});
  }
  void Write(const plan::Swap& swap) { Add({abi::kSwap, swap.a.index, swap.b.index}); }
  void Write(const plan::Set& set) {
    Add({abi::kSet, set.buffer.index, set.value, 0, BytesOf(set.buffer)});
  }
  void Write(const plan::Increment& increment) { Add({abi::kIncrement, increment.buffer.index}); }
  void Write(const plan::If& branch) {
    open_.push_back(commands_.size());
    Add({abi::kBranch, branch.condition.index});
  }
  void Write(const plan::Else&) {
    size_t branch = open_.back();
    open_.back() = commands_.size();
    Add({abi::kJump});
    commands_[branch].b = label_ = Here();
  }
  void Write(const plan::EndIf&) {
    Command& jump = commands_[open_.back()];
    (jump.kind == abi::kJump ? jump.a : jump.b) = label_ = Here();
    open_.pop_back();
  }
  void Write(const plan::Loop& loop) {
    open_.push_back(commands_.size());
    if (loop.plan) Write(*loop.plan);
    Add({abi::kWhile, loop.iteration.index, OrNone(loop.trips), OrNone(loop.condition)});
  }
  void Write(const plan::EndLoop&) {
    auto head = static_cast<int64_t>(open_.back());
    open_.pop_back();
    Add({abi::kJump, head});
    Command* test = &commands_[static_cast<size_t>(head)];
    if (test->kind == abi::kPlan) ++test;
    test->d = label_ = Here();
  }

  const plan::Program& program_;
  const DimTable& dims_;
  const std::function<size_t(const plan::Assign&)>& add_assign_;
  std::vector<Command> commands_;
  // Commands whose targets are not known yet, and where the last one that is known is.
  std::vector<size_t> open_;
  int64_t label_ = 0;
  int64_t position_ = 0, next_wasm_step_, next_dispatch_ = 0;
};

}  // namespace

std::vector<Command> CommandsOf(const plan::Program& program, size_t first_wasm_step,
                                const DimTable& dims,
                                const std::function<size_t(const plan::Assign&)>& add_assign) {
  return CommandWriter(program, first_wasm_step, dims, add_assign).Run();
}

}  // namespace webnnc::wasm
