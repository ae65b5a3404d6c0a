#include "plan/program.h"

#include <algorithm>
#include <set>

namespace webnnc::plan {

Target Program::TargetAt(Place place) const {
  if (place == Place::kDevice) return target;
  return {Target::Kind::kWasm, {}, &WasmMachine()};
}

std::vector<const Launch*> LaunchesOf(const Program& program) {
  std::vector<const Launch*> launches;
  for (const Step& step : program.steps) {
    if (auto* launch = std::get_if<Launch>(&step)) launches.push_back(launch);
  }
  return launches;
}

std::vector<Launch*> LaunchesOf(Program& program) {
  std::vector<Launch*> launches;
  for (Step& step : program.steps) {
    if (auto* launch = std::get_if<Launch>(&step)) launches.push_back(launch);
  }
  return launches;
}

std::vector<const Launch*> LaunchesOf(const Program& program, Place place) {
  std::vector<const Launch*> launches = LaunchesOf(program);
  std::erase_if(launches, [&](const Launch* launch) { return launch->place != place; });
  return launches;
}

bool IsStraight(const Program& program) {
  return std::all_of(program.steps.begin(), program.steps.end(), [](const Step& step) {
    auto* launch = std::get_if<Launch>(&step);
    return launch && launch->place == Place::kDevice;
  });
}

namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

using BufferIds = std::vector<BufferId>;

BufferIds Valid(BufferIds ids) {
  std::erase_if(ids, [](BufferId id) { return !id.valid(); });
  return ids;
}

}  // namespace

BufferIds BuffersOf(const Step& step) {
  return std::visit(
      Overloaded{
          [](const Launch& launch) { return launch.arguments; },
          [](const Define& define) { return BufferIds{define.buffer}; },
          [](const Bound& bound) { return BufferIds{bound.buffer}; },
          [](const Transfer& transfer) { return BufferIds{transfer.from, transfer.to}; },
          [](const Stack& stack) { return BufferIds{stack.from, stack.to, stack.index}; },
          [](const Swap& swap) { return BufferIds{swap.a, swap.b}; },
          [](const Set& set) { return BufferIds{set.buffer}; },
          [](const Increment& increment) { return BufferIds{increment.buffer}; },
          [](const If& branch) { return BufferIds{branch.condition}; },
          [](const Loop& loop) { return Valid({loop.iteration, loop.trips, loop.condition}); },
          [](const auto&) { return BufferIds(); },
      },
      step);
}

std::vector<std::string> OriginsOf(const Program& program, KernelId kernel, Place place) {
  std::vector<std::string> origins;
  for (const Launch* launch : LaunchesOf(program, place)) {
    if (launch->kernel == kernel)
      origins.insert(origins.end(), launch->origins.begin(), launch->origins.end());
  }
  return origins;
}

static void AddIfNew(const std::string& symbol, std::vector<std::string>& symbols) {
  if (std::find(symbols.begin(), symbols.end(), symbol) == symbols.end()) symbols.push_back(symbol);
}

std::vector<std::string> InputSymbols(const Program& program) {
  std::vector<std::string> symbols;
  for (const Port& port : program.inputs) {
    for (const Dim& size : port.type.shape) {
      std::set<std::string> own;
      size.CollectSymbols(own);
      for (const std::string& symbol : own) AddIfNew(symbol, symbols);
    }
  }
  return symbols;
}

std::vector<std::string> SymbolsOf(const Program& program) {
  std::vector<std::string> symbols = InputSymbols(program);
  for (const Plan* plan : PlansOf(program)) {
    for (const std::string& symbol : plan->symbols) AddIfNew(symbol, symbols);
  }
  return symbols;
}

std::vector<const Plan*> PlansOf(const Program& program) {
  std::vector<const Plan*> plans;
  for (const Step& step : program.steps) {
    if (auto* own = std::get_if<Plan>(&step)) plans.push_back(own);
    auto* loop = std::get_if<Loop>(&step);
    if (loop && loop->plan) plans.push_back(&*loop->plan);
  }
  return plans;
}

Storage StorageOf(const Buffer& buffer) {
  switch (buffer.kind) {
    case BufferKind::kWeight: return Storage::kWeight;
    case BufferKind::kActivation: return buffer.packed ? Storage::kPacked : Storage::kActivation;
    default: return Storage::kPort;
  }
}

std::vector<Storage> ParametersOf(const Program& program, KernelId kernel, Place place) {
  std::vector<Storage> parameters;
  for (const Launch* launch : LaunchesOf(program, place)) {
    if (launch->kernel != kernel) continue;
    for (BufferId argument : launch->arguments)
      parameters.push_back(StorageOf(program.buffers[argument]));
    break;
  }
  return parameters;
}

static constexpr int64_t kWordBytes = 4;

Dim ByteSize(const Program& program, const Buffer& buffer) {
  return ByteSize(program, buffer, buffer.elements);
}

Dim ByteSize(const Program& program, const Buffer& buffer, const Dim& elements) {
  DType stored = StoredType(program.TargetAt(buffer.place), buffer.dtype, StorageOf(buffer));
  // Whole words.
  if (buffer.packed) return CeilDiv(elements * ByteSize(stored), kWordBytes) * kWordBytes;
  return webnnc::ByteSize(TensorType{stored, {elements}});
}

namespace {

class Printer {
 public:
  explicit Printer(const Program& program) : program_(program) {}

  std::string Run() {
    out_ = "program @" + QuoteName(program_.name) + " on " +
           std::string(Name(program_.target.kind)) + " {\n";
    for (const Buffer& buffer : program_.buffers) PrintBuffer(buffer);
    for (const Step& step : program_.steps) {
      bool ends = std::holds_alternative<Else>(step) || std::holds_alternative<EndIf>(step) ||
                  std::holds_alternative<EndLoop>(step);
      if (ends) indent_.resize(indent_.size() - 2);
      out_ += indent_ + std::visit([&](const auto& s) { return Line(s); }, step) + "\n";
      bool begins = std::holds_alternative<If>(step) || std::holds_alternative<Else>(step) ||
                    std::holds_alternative<Loop>(step);
      if (begins) indent_ += "  ";
    }
    return out_ + "}\n";
  }

 private:
  void PrintBuffer(const Buffer& buffer) {
    static constexpr std::string_view kKinds[] = {"input",    "output", "weight", "activation",
                                                  "exchange", "state",  "told"};
    out_ += "  " + std::string(kKinds[static_cast<int>(buffer.kind)]) + " %" +
            QuoteName(buffer.name) + ": " + std::string(webnnc::Name(buffer.dtype)) + "[" +
            webnnc::Print(buffer.elements) + "]" +
            (buffer.place == Place::kHost ? " on host" : "") + (buffer.packed ? " packed" : "") +
            (buffer.grows ? " grows" : "") + (buffer.takes_places ? " takes places" : "") + "\n";
  }

  std::string NameOf(BufferId id) const { return "%" + QuoteName(program_.buffers[id].name); }

  std::string Line(const Launch& launch) const {
    std::string out = launch.place == Place::kHost ? "run on host @" : "run @";
    out += QuoteName(program_.KernelsAt(launch.place)[launch.kernel].plain.name) + "(";
    for (size_t i = 0; i < launch.arguments.size(); ++i) {
      out += (i ? ", " : "") + NameOf(launch.arguments[i]);
      if (!launch.begins.empty() && launch.begins[i] != 0)
        out += " from " + webnnc::Print(launch.begins[i]);
    }
    return out + ")";
  }
  std::string Line(const Plan& plan) const {
    std::string out = "plan " + std::to_string(plan.number) + " for";
    for (const std::string& symbol : plan.symbols) out += " " + QuoteName(symbol);
    for (const Dim& size : plan.not_negative) out += " " + webnnc::Print(size) + " >= 0";
    return out;
  }
  std::string Line(const Define& define) const {
    return "define " + QuoteName(define.symbol) + " = " + NameOf(define.buffer) + "[" +
           std::to_string(define.element) + "]";
  }
  std::string Line(const Assign& assign) const {
    std::string out = "assign";
    for (const auto& [symbol, size] : assign.sizes)
      out += " " + QuoteName(symbol) + " = " + webnnc::Print(size);
    return out;
  }
  std::string Line(const Bound& bound) const {
    return "bound " + QuoteName(bound.symbol) + " = " + NameOf(bound.buffer) + "[" +
           std::to_string(bound.element) + "], at most " +
           webnnc::Print(bound.most.sizes.begin()->second);
  }
  std::string Line(const Recompute& recompute) const {
    return "recompute sizes of plan " + std::to_string(recompute.plan);
  }
  std::string Line(const Transfer& transfer) const {
    bool up = program_.buffers[transfer.from].place == Place::kHost;
    return (up ? "upload " : "read back ") + NameOf(transfer.from) + " to " + NameOf(transfer.to);
  }
  std::string Line(const Stack& stack) const {
    return "stack " + NameOf(stack.from) + " to " + NameOf(stack.to) + "[" + NameOf(stack.index) +
           "]";
  }
  std::string Line(const Swap& swap) const {
    return "swap " + NameOf(swap.a) + ", " + NameOf(swap.b);
  }
  std::string Line(const Set& set) const {
    return "set " + NameOf(set.buffer) + " = " + std::to_string(set.value);
  }
  std::string Line(const Increment& increment) const {
    return "increment " + NameOf(increment.buffer);
  }
  std::string Line(const If& branch) const { return "if " + NameOf(branch.condition) + " {"; }
  std::string Line(const Else&) const { return "} else {"; }
  std::string Line(const EndIf&) const { return "}"; }
  std::string Line(const Loop& loop) const {
    std::string out = "loop " + NameOf(loop.iteration);
    if (loop.trips.valid()) out += " < " + NameOf(loop.trips);
    if (loop.condition.valid()) out += " while " + NameOf(loop.condition);
    return out + (loop.plan ? " with " + Line(*loop.plan) : "") + " {";
  }
  std::string Line(const EndLoop&) const { return "}"; }

  const Program& program_;
  std::string out_, indent_ = "  ";
};

}  // namespace

std::string Print(const Program& program) { return Printer(program).Run(); }

BufferId WeightBuffer(Program& program, const IdVector<WeightTag, Weight>& weights, WeightId id) {
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    const Buffer& known = program.buffers[BufferId{b}];
    if (known.kind == BufferKind::kWeight && known.weight == id) return BufferId{b};
  }
  const Weight& weight = weights[id];
  return program.buffers.Add(
      {weight.name, weight.type.dtype, ElementCount(weight.type.shape), BufferKind::kWeight, id});
}

}  // namespace webnnc::plan
