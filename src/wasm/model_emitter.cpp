#include "wasm/model_emitter.h"

#include <map>

#include "loop/rewrite.h"
#include "plan/memory.h"
#include "wasm/commands.h"
#include "wasm/kernel_emitter.h"
#include "wasm/records.h"

namespace webnnc::wasm {

using llvm::Constant;
using llvm::GlobalVariable;
using plan::Grid;
using plan::Program;
using plan::Variant;

static void AddExtents(DimTable& dims, const loop::Kernel& kernel, const std::set<int>& loops) {
  loop::ForEachStmt(kernel.body, [&](const loop::Stmt& stmt) {
    if (auto* loop = std::get_if<loop::For>(&stmt)) dims.Add(loop->extent, loops);
  });
}

// Where buffers and kernels are needed: inside of which loops alone, by their plans.
class Surroundings {
 public:
  explicit Surroundings(const Program& program) {
    std::vector<int> open;
    for (const plan::Step& step : program.steps) {
      auto* loop = std::get_if<plan::Loop>(&step);
      std::set<int> around(open.begin(), open.end());
      around_.push_back(around);
      for (plan::BufferId id : plan::BuffersOf(step)) Need(buffers_[id], around);
      if (auto* launch = std::get_if<plan::Launch>(&step))
        Need(kernels_[{launch->place, launch->kernel}], around);
      if (loop) open.push_back(loop->plan ? loop->plan->number : 0);
      if (std::holds_alternative<plan::EndLoop>(step)) open.pop_back();
    }
    for (const auto* ports : {&program.inputs, &program.outputs}) {
      for (const plan::Port& port : *ports) Need(buffers_[port.buffer], {});
    }
  }

  const std::set<int>& OfStep(size_t step) const { return around_[step]; }
  std::set<int> OfBuffer(plan::BufferId id) const { return Find(buffers_, id); }
  std::set<int> OfKernel(plan::Place place, plan::KernelId id) const {
    return Find(kernels_, std::pair(place, id));
  }

 private:
  using Loops = std::optional<std::set<int>>;
  static void Need(Loops& known, const std::set<int>& around) {
    if (!known) {
      known = around;
    } else {
      std::erase_if(*known, [&](int plan) { return around.count(plan) == 0; });
    }
  }
  template <typename Key>
  static std::set<int> Find(const std::map<Key, Loops>& map, const Key& key) {
    auto found = map.find(key);
    return found == map.end() ? std::set<int>() : *found->second;
  }

  std::vector<std::set<int>> around_;
  std::map<plan::BufferId, Loops> buffers_;
  std::map<std::pair<plan::Place, plan::KernelId>, Loops> kernels_;
};

// The kernels of a program that are wasm.
static const plan::Kernels& WasmKernels(const Program& program) {
  return program.target.IsGpu() ? program.host_kernels : program.kernels;
}

// Of buffers, loops, and what decides.
static void AddSizes(DimTable& dims, const Program& program, const Surroundings& around) {
  for (int32_t b = 0; b < program.buffers.size(); ++b) {
    plan::BufferId id{b};
    dims.Add(ByteSize(program, program.buffers[id]), around.OfBuffer(id));
  }
  for (plan::Place place : {plan::Place::kDevice, plan::Place::kHost}) {
    const plan::Kernels& kernels = program.KernelsAt(place);
    for (int32_t k = 0; k < kernels.size(); ++k) {
      plan::KernelId id{k};
      AddExtents(dims, kernels[id].flat, around.OfKernel(place, id));
    }
  }
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const plan::Step& step = program.steps[s];
    if (auto* launch = std::get_if<plan::Launch>(&step)) {
      for (size_t i = 0; i < launch->begins.size() && !program.target.IsGpu(); ++i)
        dims.Add(ByteSize(program, program.buffers[launch->arguments[i]], launch->begins[i]),
                 around.OfStep(s));
    }
    if (auto* stack = std::get_if<plan::Stack>(&step))
      dims.Add(ByteSize(program, program.buffers[stack->from], stack->elements), around.OfStep(s));
    auto* assign = std::get_if<plan::Assign>(&step);
    if (auto* bound = std::get_if<plan::Bound>(&step)) assign = &bound->most;
    if (!assign) continue;
    for (const auto& [symbol, size] : assign->sizes) dims.Add(size, around.OfStep(s));
  }
}

DimTable CollectDims(const ModelInput& input) {
  const plan::Program* cpu = input.variants.cpu();
  const plan::Program& any = input.variants.any();
  DimTable dims(any);
  for (const auto* ports : {&any.inputs, &any.outputs}) {
    for (const plan::Port& port : *ports) {
      for (const Dim& size : port.type.shape) dims.Add(size);
    }
  }
  for (const Dim& size : input.not_negative) dims.Add(size);
  dims.AddChecks(any);
  if (cpu) AddSizes(dims, *cpu, Surroundings(*cpu));
  for (const Variant* gpu : input.variants.gpu()) {
    Surroundings around(gpu->program);
    AddSizes(dims, gpu->program, around);
    for (size_t k = 0; k < gpu->shaders.size(); ++k) {
      const Grid& grid = gpu->shaders[k].grid;
      plan::KernelId id{static_cast<int32_t>(k)};
      for (const Dim* size : {&grid.x, &grid.y, &grid.z})
        dims.Add(*size, around.OfKernel(plan::Place::kDevice, id));
    }
  }
  dims.BeginTerms();
  if (cpu) {
    for (const plan::Kernel& kernel : cpu->kernels) {
      for (const Dim& size : SizesOf(kernel.flat)) dims.Add(size);
    }
  }
  for (const Variant* gpu : input.variants.gpu()) {
    for (const plan::Shader& shader : gpu->shaders) {
      for (const Dim& size : shader.grid.sizes) dims.Add(size);
    }
    for (const plan::Kernel& kernel : gpu->program.host_kernels) {
      for (const Dim& size : SizesOf(kernel.flat)) dims.Add(size);
    }
  }
  dims.Finish();
  return dims;
}

namespace {

class ModelEmitter {
 public:
  ModelEmitter(llvm::Module& module, const ModelInput& input, const DimTable& dims)
      : module_(module),
        input_(input),
        cpu_(input.variants.cpu()),
        dims_(dims),
        context_(module.getContext()),
        b_(context_) {}

  void Run() {
    dim_values_ = Global("dims",
                         llvm::ConstantAggregateZero::get(
                             llvm::ArrayType::get(I32(), std::max<size_t>(1, dims_.dims().size()))),
                         false);
    EmitRoot();
    EmitDims();
    EmitSteps();
    EmitEncode();
    if (input_.variants.HaveCommands()) {
      EmitPlans();
      EmitAssigns();
    }
  }

 private:
  struct GpuTables {
    GlobalVariable *dispatches = nullptr, *parameters = nullptr;
  };
  // What webnnc_model_step runs: launches that are wasm, of all programs.
  struct WasmStep {
    const plan::Launch* launch;
    const Program* program;
    GlobalVariable* buffers;
  };

  // ---- Constants

  llvm::Type* I32() { return b_.getInt32Ty(); }
  Constant* Int(int64_t value) { return b_.getInt32(static_cast<uint32_t>(value)); }
  Constant* Null() { return llvm::ConstantPointerNull::get(b_.getPtrTy()); }

  GlobalVariable* Global(const std::string& name, Constant* value, bool constant,
                         bool external = false) {
    auto linkage =
        external ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::InternalLinkage;
    return new GlobalVariable(module_, value->getType(), constant, linkage, value, name);
  }

  template <typename Values>
  Constant* Record(const Values& values) {
    return records::ConstantOf(context_, values);
  }

  // A pointer to an array of these, or null for none.
  Constant* Array(const std::string& name, const std::vector<Constant*>& items,
                  bool constant = true) {
    if (items.empty()) return Null();
    auto* type = llvm::ArrayType::get(items[0]->getType(), items.size());
    return Global(name, llvm::ConstantArray::get(type, items), constant);
  }

  Constant* Text(const std::string& text) {
    return Global("text", llvm::ConstantDataArray::getString(context_, text), true);
  }

  // ---- Tables

  std::vector<Constant*> BufferRecords(const Program& program) {
    std::vector<plan::Lifetime> lifetimes = plan::Lifetimes(program);
    // Another program may read a weight that this one has another layout of.
    std::vector<bool> is_read(lifetimes.size());
    for (const plan::Launch* launch : LaunchesOf(program)) {
      for (plan::BufferId argument : launch->arguments)
        is_read[static_cast<size_t>(argument.index)] = true;
    }
    std::vector<Constant*> records;
    for (int32_t b = 0; b < program.buffers.size(); ++b) {
      const plan::Buffer& buffer = program.buffers[plan::BufferId{b}];
      const plan::Lifetime& life = lifetimes[static_cast<size_t>(b)];
      abi::BufferKind kind = KindOf(buffer);
      Constant* offset = Int(0);
      if (kind == abi::kWeights) {
        offset = Int(is_read[static_cast<size_t>(b)] ? (*input_.weights)[buffer.weight].offset
                                                     : abi::kNoOffset);
      }
      if (kind == abi::kData) offset = DataAddress((*input_.weights)[buffer.weight]);
      records.push_back(Record(records::Buffer{
          .kind = Int(kind),
          .bytes = Int(dims_.Find(ByteSize(program, buffer))),
          .offset = offset,
          .first_step = Int(life.first_step),
          .last_step = Int(life.last_step),
      }));
    }
    return records;
  }

  static abi::BufferKind KindOf(const plan::Buffer& buffer) {
    const bool on_host = buffer.place == plan::Place::kHost;
    if (buffer.kind == plan::BufferKind::kWeight) return on_host ? abi::kData : abi::kWeights;
    if (buffer.kind == plan::BufferKind::kState) return abi::kState;
    if (buffer.kind == plan::BufferKind::kTold) return abi::kTold;
    if (buffer.grows) return on_host ? abi::kHostGrown : abi::kGrown;
    return on_host ? abi::kHost : abi::kArena;
  }

  // Weights that a GPU's program reads on the host are not downloaded to there: they are in the
  // module.
  Constant* DataAddress(const plan::Weight& weight) {
    auto bytes = weight.data.bytes();
    Constant* data =
        llvm::ConstantDataArray::get(context_, llvm::ArrayRef<uint8_t>(bytes.data(), bytes.size()));
    GlobalVariable* global = Global("data", data, true);
    global->setAlignment(llvm::Align(16));
    return llvm::ConstantExpr::getPtrToInt(global, I32());
  }

  // One a buffer: the plan that places it.
  Constant* PlanNumbers(const Program& program) {
    std::vector<Constant*> numbers;
    for (int plan : plan::PlansOf(program, plan::Lifetimes(program)))
      numbers.push_back(Int(plan < 0 ? static_cast<int64_t>(abi::kNoPlan) : plan));
    return Array("plans", numbers);
  }

  GlobalVariable* EmitBuffers(const Program& program) {
    return llvm::dyn_cast<GlobalVariable>(Array("buffers", BufferRecords(program), false));
  }

  // Where the program's inputs or outputs are.
  Constant* PortBuffers(const std::vector<plan::Port>& ports) {
    std::vector<Constant*> buffers;
    for (const plan::Port& port : ports) buffers.push_back(Int(port.buffer.index));
    return Array("port_buffers", buffers);
  }

  static Constant* OrNull(GlobalVariable* global, Constant* null) {
    return global ? static_cast<Constant*>(global) : null;
  }

  Constant* ProgramRecord(abi::ProgramKind kind, const Program& program, GlobalVariable* buffers,
                          GlobalVariable* dispatches, GlobalVariable* parameters,
                          int64_t parameter_bytes) {
    std::vector<Constant*> commands;
    if (!IsStraight(program)) commands = CommandRecords(program);
    return Record(records::Program{
        .kind = Int(kind),
        .buffer_count = Int(program.buffers.size()),
        .buffers = OrNull(buffers, Null()),
        .input_buffers = PortBuffers(program.inputs),
        .output_buffers = PortBuffers(program.outputs),
        .step_count = Int(static_cast<int64_t>(LaunchesOf(program, plan::Place::kDevice).size())),
        .arena_bytes = Int(0),
        .dispatches = OrNull(dispatches, Null()),
        .parameter_bytes = Int(parameter_bytes),
        .parameters = OrNull(parameters, Null()),
        .command_count = Int(static_cast<int64_t>(commands.size())),
        .commands = Array("commands", commands),
        .plans = commands.empty() ? Null() : PlanNumbers(program),
    });
  }

  static int64_t RoundUp(int64_t bytes) {
    return (bytes + abi::kBindingAlignment - 1) / abi::kBindingAlignment * abi::kBindingAlignment;
  }

  static const plan::Shader& ShaderOf(const Variant& gpu, const plan::Launch& launch) {
    return gpu.shaders.at(static_cast<size_t>(launch.kernel.index));
  }

  Constant* GpuRecord(const Variant& gpu) {
    std::vector<Constant*> records;
    int64_t parameter_bytes = 0;
    for (const plan::Launch* launch : LaunchesOf(gpu.program, plan::Place::kDevice)) {
      const plan::Shader& shader = ShaderOf(gpu, *launch);
      const Grid& grid = shader.grid;
      std::vector<Constant*> arguments;
      for (plan::BufferId argument : launch->arguments) arguments.push_back(Int(argument.index));
      // A uniform buffer is bound in whole vectors of four.
      int64_t bytes = grid.uniform_bytes();
      int64_t parameters = bytes > 0 ? parameter_bytes : static_cast<int64_t>(abi::kNoParameters);
      if (shader.told_at >= 0) {
        parameters = shader.told_at + int64_t{abi::kToldOnDevice};
      } else {
        parameter_bytes += RoundUp(bytes);
      }
      auto fixed = [](const Dim& size) { return size.IsConstant() ? size.value() : 0; };
      records.push_back(Record(records::Dispatch{
          .kernel = Int(launch->kernel.index),
          .x = Int(fixed(grid.x)),
          .y = Int(fixed(grid.y)),
          .z = Int(fixed(grid.z)),
          .parameters = Int(parameters),
          .parameter_bytes = Int(bytes),
          .argument_count = Int(static_cast<int64_t>(arguments.size())),
          .arguments = Array("arguments", arguments),
      }));
    }
    GpuTables tables;
    tables.dispatches = llvm::dyn_cast<GlobalVariable>(Array("dispatches", records, false));
    if (parameter_bytes > 0) {
      auto* type = llvm::ArrayType::get(b_.getInt8Ty(), static_cast<uint64_t>(parameter_bytes));
      tables.parameters = Global("parameters", llvm::ConstantAggregateZero::get(type), false);
      tables.parameters->setAlignment(llvm::Align(16));
    }
    gpu_.push_back(tables);
    GlobalVariable* buffers = EmitBuffers(gpu.program);
    CountSteps(gpu.program);
    SetBuffers(gpu.program, buffers);
    return ProgramRecord(abi::kGpu, gpu.program, buffers, tables.dispatches, tables.parameters,
                         parameter_bytes);
  }

  // ---- Commands

  void CountSteps(const Program& program) {
    first_step_[&program] = wasm_steps_.size();
    const plan::Place place = program.target.IsGpu() ? plan::Place::kHost : plan::Place::kDevice;
    for (const plan::Launch* launch : LaunchesOf(program, place))
      wasm_steps_.push_back({launch, &program, nullptr});
  }
  void SetBuffers(const Program& program, GlobalVariable* buffers) {
    for (WasmStep& step : wasm_steps_) {
      if (step.program == &program) step.buffers = buffers;
    }
  }

  std::vector<Constant*> CommandRecords(const Program& program) {
    std::vector<Constant*> records;
    auto assign = [&](const plan::Assign& list) {
      assigns_.push_back(&list);
      return assigns_.size() - 1;
    };
    for (const Command& c : CommandsOf(program, first_step_.at(&program), dims_, assign)) {
      records.push_back(Record(records::Command{
          .kind = Int(c.kind), .a = Int(c.a), .b = Int(c.b), .c = Int(c.c), .d = Int(c.d)}));
    }
    return records;
  }

  Constant* PortRecords(const std::string& name, const std::vector<plan::Port>& ports) {
    std::vector<Constant*> records;
    for (const plan::Port& port : ports) {
      std::vector<Constant*> shape;
      for (const Dim& size : port.type.shape) shape.push_back(Int(dims_.Find(size)));
      auto [low, high] = RangeOf(name == "inputs" ? port.name : "");
      records.push_back(Record(records::Port{
          .name = Text(port.name),
          .dtype = Int(static_cast<int64_t>(port.type.dtype)),
          .rank = Int(port.type.rank()),
          .shape = Array("shape", shape),
          .low = Int(low),
          .high = Int(high),
      }));
    }
    return Array(name, records);
  }

  // What an input's elements may be, in 32 bits.
  std::pair<int64_t, int64_t> RangeOf(const std::string& input) const {
    auto clamp = [](int64_t value) { return std::clamp<int64_t>(value, INT32_MIN, INT32_MAX); };
    for (const graph::InputRange& range : input_.ranges) {
      if (range.input == input) return {clamp(range.low), clamp(range.high)};
    }
    return {INT32_MIN, INT32_MAX};
  }

  void EmitRoot() {
    std::vector<Constant*> names, programs;
    for (const std::string& symbol : dims_.symbols()) names.push_back(Text(symbol));
    // The steps of the CPU's program come first.
    if (cpu_) CountSteps(*cpu_);
    for (const Variant* gpu : input_.variants.gpu()) programs.push_back(GpuRecord(*gpu));
    if (cpu_) {
      GlobalVariable* buffers = EmitBuffers(*cpu_);
      SetBuffers(*cpu_, buffers);
      programs.push_back(ProgramRecord(abi::kCpu, *cpu_, buffers, nullptr, nullptr, 0));
    }
    const auto& inputs = input_.variants.any().inputs;
    const auto& outputs = input_.variants.any().outputs;
    Constant* root = Record(records::Model{
        .abi_version = Int(abi::kAbiVersion),
        .symbol_count = Int(static_cast<int64_t>(dims_.input_symbols())),
        .symbol_names = Array("symbol_names", names),
        .dim_count = Int(static_cast<int64_t>(dims_.sizes())),
        .dims = dim_values_,
        .input_count = Int(static_cast<int64_t>(inputs.size())),
        .inputs = PortRecords("inputs", inputs),
        .output_count = Int(static_cast<int64_t>(outputs.size())),
        .outputs = PortRecords("outputs", outputs),
        .program_count = Int(static_cast<int64_t>(programs.size())),
        .programs = Array("programs", programs, false),
        .weights_bytes = Int(input_.weights_bytes),
        .weights = Int(0),
        .weights_id_low = Int(static_cast<int64_t>(input_.weights_id & 0xffffffff)),
        .weights_id_high = Int(static_cast<int64_t>(input_.weights_id >> 32)),
    });
    Global("webnnc_model" + input_.suffix, root, false, true);
  }

  // ---- Host functions

  llvm::Function* StartFunction(const std::string& name, std::vector<llvm::Type*> parameters,
                                llvm::Type* result = nullptr) {
    auto* type = llvm::FunctionType::get(result ? result : b_.getVoidTy(), parameters, false);
    auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                            name + input_.suffix, module_);
    SetTarget(*function, {});
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_, "entry", function));
    return function;
  }

  llvm::Value* DimAddress(abi::Size size) {
    return b_.CreateConstInBoundsGEP1_32(I32(), dim_values_, static_cast<unsigned>(~size));
  }

  llvm::Value* SizeValue(const Dim& dim) {
    abi::Size size = dims_.Find(dim);
    if (size >= 0) return Int(size);
    return b_.CreateLoad(I32(), DimAddress(size));
  }

  // In 64 bits, where products of sizes that fit in 32 do not overflow soon.
  llvm::Value* ComputeAtom(const DimAtom& atom) {
    if (atom.kind == DimAtom::Kind::kSymbol) {
      llvm::Value* value = b_.CreateLoad(I32(), DimAddress(dims_.Find(Dim::Symbol(atom.symbol))));
      return b_.CreateSExt(value, b_.getInt64Ty());
    }
    if (atom.kind == DimAtom::Kind::kBroadcast) return ComputeBroadcast(atom);
    llvm::Value *x = ComputeDim(atom.arguments->first), *y = ComputeDim(atom.arguments->second);
    if (atom.kind == DimAtom::Kind::kMin)
      return b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, x, y);
    if (atom.kind == DimAtom::Kind::kMax)
      return b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, x, y);
    // Rounded toward minus infinity; a divisor of 0, which only absurd sizes give, counts as 1.
    llvm::Value *zero = b_.getInt64(0), *one = b_.getInt64(1);
    llvm::Value* d = b_.CreateSelect(b_.CreateICmpEQ(y, zero), one, y);
    llvm::Value* rest = b_.CreateSRem(x, d);
    llvm::Value* differs = b_.CreateICmpSLT(b_.CreateXor(rest, d), zero);
    llvm::Value* adjust = b_.CreateAnd(b_.CreateICmpNE(rest, zero), differs);
    if (atom.kind == DimAtom::Kind::kMod)
      return b_.CreateSelect(adjust, b_.CreateAdd(rest, d), rest);
    return b_.CreateSub(b_.CreateSDiv(x, d), b_.CreateZExt(adjust, b_.getInt64Ty()));
  }

  // Once: what many sizes broadcast to nests, and each of its parts is a size as well.
  llvm::Value* ComputeBroadcast(const DimAtom& atom) {
    llvm::Value*& value = broadcasts_[atom];
    if (value) return value;
    llvm::Value *x = ComputeDim(atom.arguments->first), *y = ComputeDim(atom.arguments->second);
    // The larger of the two, but 0 where they are 0 and 1.
    llvm::Value* larger = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, x, y);
    return value = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, b_.CreateMul(x, y), larger);
  }

  llvm::Value* ComputeDim(const Dim& dim) {
    llvm::Value* sum = b_.getInt64(static_cast<uint64_t>(dim.constant()));
    for (const DimTerm& term : dim.terms()) {
      llvm::Value* product = b_.getInt64(static_cast<uint64_t>(term.coefficient));
      for (const DimAtom& atom : term.factors) product = b_.CreateMul(product, ComputeAtom(atom));
      sum = b_.CreateAdd(sum, product);
    }
    return sum;
  }

  void EmitDims() {
    StartFunction("webnnc_model_dims", {});
    size_t end = dims_.dims().size();
    for (const auto& later : dims_.later()) end -= later.size();
    for (size_t d = dims_.symbols().size(); d < end; ++d) StoreDim(d, d < dims_.sizes());
    b_.CreateRetVoid();
  }

  // Computes entry `d` of dims. Gives it, -1 for what is no size; if that is told later, it is
  // stored as 0.
  llvm::Value* StoreDim(size_t d, bool is_size, bool is_told_later = false) {
    llvm::Value* value = ComputeDim(dims_.dims()[d]);
    llvm::Value* low = b_.CreateTrunc(value, I32());
    // Terms of indices are as small as the tensors whose sizes have been checked.
    if (is_size) {
      llvm::Value* fits = b_.CreateICmpULT(value, b_.getInt64(uint64_t{1} << 31));
      low = b_.CreateSelect(fits, low, Int(-1));
    }
    llvm::Value* stored = low;
    if (is_size && is_told_later)
      stored = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, low, Int(0));
    b_.CreateStore(stored, DimAddress(~static_cast<abi::Size>(d)));
    return low;
  }

  void EmitPlans() {
    auto* function = StartFunction("webnnc_model_plan", {I32()}, I32());
    auto* other = llvm::BasicBlock::Create(context_, "other", function);
    auto* choose =
        b_.CreateSwitch(function->getArg(0), other, static_cast<unsigned>(dims_.later().size()));
    for (size_t p = 0; p < dims_.later().size(); ++p) {
      auto* block = llvm::BasicBlock::Create(context_, "plan", function);
      choose->addCase(b_.getInt32(static_cast<uint32_t>(p)), block);
      b_.SetInsertPoint(block);
      broadcasts_.clear();
      llvm::Value *in_loop = Int(0), *behind = Int(0);
      for (const DimTable::Later& later : dims_.later()[p]) {
        llvm::Value* value = StoreDim(later.at, later.is_size(), true);
        if (later.in_loop) in_loop = b_.CreateOr(in_loop, value);
        if (later.behind) behind = b_.CreateOr(behind, value);
      }
      auto flag = [&](llvm::Value* signs, abi::Fit fit) {
        return b_.CreateSelect(b_.CreateICmpSGE(signs, Int(0)), Int(fit), Int(0));
      };
      b_.CreateRet(b_.CreateOr(flag(in_loop, abi::kFitsIteration), flag(behind, abi::kFitsEnd)));
    }
    b_.SetInsertPoint(other);
    b_.CreateRet(Int(abi::kFitsIteration | abi::kFitsEnd));
  }

  void EmitAssigns() {
    auto* function = StartFunction("webnnc_model_assign", {I32()});
    auto* end = llvm::BasicBlock::Create(context_, "end", function);
    auto* choose =
        b_.CreateSwitch(function->getArg(0), end, static_cast<unsigned>(assigns_.size()));
    for (size_t i = 0; i < assigns_.size(); ++i) {
      auto* block = llvm::BasicBlock::Create(context_, "assign", function);
      choose->addCase(b_.getInt32(static_cast<uint32_t>(i)), block);
      b_.SetInsertPoint(block);
      std::vector<std::pair<abi::Size, llvm::Value*>> values;
      for (const auto& [symbol, size] : assigns_[i]->sizes)
        values.push_back({dims_.Find(Dim::Symbol(symbol)), SizeValue(size)});
      for (const auto& [entry, value] : values) b_.CreateStore(value, DimAddress(entry));
      b_.CreateBr(end);
    }
    b_.SetInsertPoint(end);
    b_.CreateRetVoid();
  }

  void EmitSteps() {
    auto* function = StartFunction("webnnc_model_step", {I32()});
    auto* end = llvm::BasicBlock::Create(context_, "end", function);
    size_t count = wasm_steps_.size();
    auto* dispatch = b_.CreateSwitch(function->getArg(0), end, static_cast<unsigned>(count));
    std::map<const plan::Kernel*, llvm::Function*> kernels = DeclareKernels();
    for (size_t s = 0; s < count; ++s) {
      const auto& [launch, program, buffers] = wasm_steps_[s];
      auto* block = llvm::BasicBlock::Create(context_, "step", function);
      dispatch->addCase(b_.getInt32(static_cast<uint32_t>(s)), block);
      b_.SetInsertPoint(block);
      std::vector<llvm::Value*> arguments;
      for (size_t i = 0; i < launch->arguments.size(); ++i)
        arguments.push_back(ArgumentOf(*launch, i, *program, buffers));
      const plan::Kernel& kernel = program->KernelsAt(launch->place)[launch->kernel];
      for (const Dim& size : SizesOf(kernel.flat)) arguments.push_back(SizeValue(size));
      b_.CreateCall(kernels.at(&kernel), arguments);
      b_.CreateBr(end);
    }
    b_.SetInsertPoint(end);
    b_.CreateRetVoid();
  }

  // A pointer to where an argument begins. Prepare makes the buffer's offset an address.
  llvm::Value* ArgumentOf(const plan::Launch& launch, size_t i, const Program& program,
                          GlobalVariable* buffers) {
    const plan::BufferId id = launch.arguments[i];
    llvm::Value* field =
        FieldAddress(buffers, static_cast<size_t>(id.index), records::BufferField::offset);
    llvm::Value* address = b_.CreateLoad(I32(), field);
    if (!launch.begins.empty() && launch.begins[i] != 0) {
      const Dim begin = ByteSize(program, program.buffers[id], launch.begins[i]);
      address = b_.CreateAdd(address, SizeValue(begin));
    }
    return b_.CreateIntToPtr(address, b_.getPtrTy());
  }

  std::map<const plan::Kernel*, llvm::Function*> DeclareKernels() {
    std::map<const plan::Kernel*, llvm::Function*> functions;
    auto declare = [&](const Program& program) {
      for (const plan::Kernel& kernel : WasmKernels(program))
        functions[&kernel] = DeclareKernel(module_, kernel.flat);
    };
    if (cpu_) declare(*cpu_);
    for (const Variant* gpu : input_.variants.gpu()) declare(gpu->program);
    return functions;
  }

  void EmitEncode() {
    StartFunction("webnnc_model_encode", {});
    auto gpu = input_.variants.gpu();
    for (size_t g = 0; g < gpu.size(); ++g) EncodeProgram(*gpu[g], gpu_[g]);
    b_.CreateRetVoid();
  }

  void EncodeProgram(const Variant& gpu, const GpuTables& tables) {
    int64_t parameters = 0;
    std::vector<const plan::Launch*> launches = LaunchesOf(gpu.program, plan::Place::kDevice);
    for (size_t s = 0; s < launches.size(); ++s) {
      const plan::Shader& shader = ShaderOf(gpu, *launches[s]);
      const Grid& launch = shader.grid;
      auto store = [&](const Dim& size, unsigned field) {
        if (!size.IsConstant())
          b_.CreateStore(SizeValue(size), FieldAddress(tables.dispatches, s, field));
      };
      store(launch.x, records::DispatchField::x);
      store(launch.y, records::DispatchField::y);
      store(launch.z, records::DispatchField::z);
      if (shader.told_at >= 0) continue;
      for (size_t i = 0; i < launch.sizes.size(); ++i) {
        auto at = static_cast<unsigned>(parameters + static_cast<int64_t>(i) * 4);
        b_.CreateStore(SizeValue(launch.sizes[i]),
                       b_.CreateConstInBoundsGEP1_32(b_.getInt8Ty(), tables.parameters, at));
      }
      parameters += RoundUp(launch.uniform_bytes());
    }
  }

  // A field of a record in a global array of them.
  llvm::Value* FieldAddress(GlobalVariable* array, size_t item, unsigned field) {
    llvm::Type* record = array->getValueType()->getArrayElementType();
    return b_.CreateInBoundsGEP(record, array,
                                {b_.getInt32(static_cast<uint32_t>(item)), b_.getInt32(field)});
  }

  llvm::Module& module_;
  const ModelInput& input_;
  const Program* cpu_;
  const DimTable& dims_;
  llvm::LLVMContext& context_;
  llvm::IRBuilder<> b_;
  GlobalVariable* dim_values_ = nullptr;
  std::map<DimAtom, llvm::Value*> broadcasts_;  // of the function that computes sizes
  std::vector<GpuTables> gpu_;
  std::vector<WasmStep> wasm_steps_;
  std::map<const Program*, size_t> first_step_;
  std::vector<const plan::Assign*> assigns_;
};

}  // namespace

// What the command knows of states (webnnc_model_states).
static void EmitStates(llvm::Module& module, const std::vector<const ModelInput*>& models) {
  llvm::LLVMContext& context = module.getContext();
  auto* pointer = llvm::PointerType::get(context, 0);
  auto number = [&](uint64_t value) -> Constant* {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), value);
  };
  auto row = [&](Constant* model, size_t input, size_t output, int64_t axis) {
    return llvm::ConstantStruct::getAnon(
        context, {model, number(input), number(output), number(static_cast<uint64_t>(axis))});
  };
  std::vector<Constant*> rows;
  for (const ModelInput* model : models) {
    if (!model->variants.KeepStates()) continue;
    Constant* record = module.getOrInsertGlobal("webnnc_model" + model->suffix, pointer);
    for (const graph::State& state : model->variants.cpu()->states) {
      if (state.kept == graph::State::Kept::kAppended)
        rows.push_back(row(record, state.input, state.output, state.axis));
    }
  }
  rows.push_back(row(llvm::ConstantPointerNull::get(pointer), 0, 0, 0));
  auto* type = llvm::ArrayType::get(rows[0]->getType(), rows.size());
  new GlobalVariable(module, type, true, llvm::GlobalValue::ExternalLinkage,
                     llvm::ConstantArray::get(type, rows), "webnnc_model_states");
}

void EmitModel(llvm::Module& module, const ModelInput& input, const DimTable& dims) {
  ModelEmitter(module, input, dims).Run();
  if (input.suffix.empty() && input.variants.KeepStates()) EmitStates(module, {&input});
}

void EmitTable(llvm::Module& module, const std::vector<ModelInput>& models) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type *nothing = llvm::Type::getVoidTy(context), *i32 = llvm::Type::getInt32Ty(context);
  auto* pointer = llvm::PointerType::get(context, 0);
  auto function = [&](const std::string& name, llvm::Type* result,
                      std::vector<llvm::Type*> parameters) -> Constant* {
    auto* type = llvm::FunctionType::get(result, parameters, false);
    return llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module);
  };
  std::vector<Constant*> entries;
  for (const ModelInput& model : models) {
    Constant* null = llvm::ConstantPointerNull::get(pointer);
    const bool has_commands = model.variants.HaveCommands();
    auto* record = new GlobalVariable(module, pointer, false, llvm::GlobalValue::ExternalLinkage,
                                      nullptr, "webnnc_model" + model.suffix);
    Constant* text = llvm::ConstantDataArray::getString(context, model.key);
    auto* key = new GlobalVariable(module, text->getType(), true,
                                   llvm::GlobalValue::InternalLinkage, text, "key");
    entries.push_back(llvm::ConstantStruct::getAnon(
        context,
        {record, key, function("webnnc_model_dims" + model.suffix, nothing, {}),
         function("webnnc_model_step" + model.suffix, nothing, {i32}),
         function("webnnc_model_encode" + model.suffix, nothing, {}),
         has_commands ? function("webnnc_model_plan" + model.suffix, i32, {i32}) : null,
         has_commands ? function("webnnc_model_assign" + model.suffix, nothing, {i32}) : null,
         llvm::ConstantInt::get(i32, 0)}));
  }
  auto* type = llvm::ArrayType::get(entries[0]->getType(), entries.size());
  auto* table = llvm::ConstantArray::get(type, entries);
  new GlobalVariable(module, type, false, llvm::GlobalValue::ExternalLinkage, table,
                     "webnnc_models");
  new GlobalVariable(module, i32, true, llvm::GlobalValue::ExternalLinkage,
                     llvm::ConstantInt::get(i32, entries.size()), "webnnc_model_count");
  std::vector<const ModelInput*> keeping;
  for (const ModelInput& model : models) {
    if (model.variants.KeepStates()) keeping.push_back(&model);
  }
  if (!keeping.empty()) EmitStates(module, keeping);
}

}  // namespace webnnc::wasm
