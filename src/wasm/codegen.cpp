#include "wasm/codegen.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Linker/Linker.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/Wasm.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/result.h"
#include "wasm/kernel_emitter.h"
#include "wasm/near_addresses.h"
#include "wasm/vector_constants.h"

extern "C" {
extern const char webnnc_math_bitcode[];
extern const char webnnc_math_bitcode_end[];
}

namespace webnnc::wasm {

std::string FeaturesOf(FeatureSet features) {
  std::string names = "+simd128,+bulk-memory,+sign-ext,+nontrapping-fptoint,+mutable-globals";
  if (features.Has(Feature::kRelaxedSimd)) names += ",+relaxed-simd";
  if (features.Has(Feature::kThreads)) names += ",+atomics";
  return names;
}

namespace {

constexpr char kTriple[] = "wasm32-unknown-wasi";

// What has no setting of its own in LLVM's interface.
//
// Loop strength reduction makes addresses of which instruction selection no longer sees that they
// do not wrap, so that constant offsets become additions of their own instead of part of the loads.
// And the order of instructions within a block is the schedule's, which knows what fits into
// registers.
void SetCodegenOptions() {
  constexpr const char* kArguments[] = {"webnnc", "-disable-lsr", "-pre-RA-sched=source"};
  llvm::cl::ResetAllOptionOccurrences();
  llvm::cl::ParseCommandLineOptions(std::size(kArguments), kArguments);
}

std::unique_ptr<llvm::TargetMachine> MakeTargetMachine() {
  // Once, before other threads come by.
  static const bool initialized = [] {
    SetCodegenOptions();
    LLVMInitializeWebAssemblyTargetInfo();
    LLVMInitializeWebAssemblyTarget();
    LLVMInitializeWebAssemblyTargetMC();
    LLVMInitializeWebAssemblyAsmPrinter();
    // What LLVM takes by malloc ends as what it takes by new.
    llvm::install_bad_alloc_error_handler([](void*, const char*, bool) {
      if (std::new_handler handler = std::get_new_handler()) handler();
      std::abort();
    });
    return true;
  }();
  CHECK(initialized);
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(kTriple, error);
  CHECK(target);
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      kTriple, "generic", FeaturesOf({}), llvm::TargetOptions(), llvm::Reloc::Static, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
}

void Optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  // Schedules have vectorised and unrolled what is worth it. Engines unroll small loops themselves
  // and spill where it was done for them: unrolling the inner loop of a product by four costs a
  // quarter of its speed in V8.
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = false;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

// Puts the bodies of the mathematical functions that kernels call into the module. They are
// inlined: a call would have to save what a tile keeps in registers, and calls after each other do
// not overlap.
void LinkMath(llvm::Module& module) {
  auto is_open = [](const llvm::Function& function) {
    return function.isDeclaration() && !function.isIntrinsic() &&
           function.getName() != kParallelFunction;
  };
  // Kernels call nothing else, and most call nothing.
  if (std::none_of(module.begin(), module.end(), is_open)) return;
  llvm::StringRef bytes(webnnc_math_bitcode,
                        static_cast<size_t>(webnnc_math_bitcode_end - webnnc_math_bitcode));
  auto math = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bytes, "math"), module.getContext());
  CHECK(math);
  std::vector<std::string> names;
  for (llvm::Function& function : **math) {
    if (function.isDeclaration()) continue;
    names.push_back(function.getName().str());
    function.addFnAttr(llvm::Attribute::AlwaysInline);
  }
  bool fails = llvm::Linker::linkModules(module, std::move(*math), llvm::Linker::LinkOnlyNeeded);
  CHECK(!fails);
  for (const std::string& name : names) {
    if (auto* function = module.getFunction(name))
      function->setLinkage(llvm::GlobalValue::InternalLinkage);
  }
}

// Products and sums of mathematical functions, where the kernel that they are inlined into may use
// relaxed SIMD.
void FuseMultiplyAdds(llvm::Module& module) {
  for (llvm::Function& function : module) {
    if (!function.getFnAttribute("target-features").getValueAsString().contains("+relaxed-simd"))
      continue;
    for (llvm::BasicBlock& block : function) {
      for (llvm::Instruction& instruction : block) {
        auto* call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
        bool fuses = call && call->getIntrinsicID() == llvm::Intrinsic::fmuladd;
        if (!fuses || !call->getType()->isVectorTy()) continue;
        call->setCalledFunction(llvm::Intrinsic::getDeclaration(
            &module, llvm::Intrinsic::wasm_relaxed_madd, {call->getType()}));
      }
    }
  }
}

}  // namespace

std::unique_ptr<llvm::Module> MakeModule(llvm::LLVMContext& context, const std::string& name,
                                         const std::function<void(llvm::Module&)>& emit) {
  auto machine = MakeTargetMachine();
  auto module = std::make_unique<llvm::Module>(name, context);
  module->setTargetTriple(kTriple);
  module->setDataLayout(machine->createDataLayout());
  emit(*module);
  LinkMath(*module);
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(*module, &stream)) {
    std::fprintf(stderr, "internal error: %s\n", problem.c_str());
    CHECK(!"LLVM's verifier");
  }
  Optimize(*module, *machine);
  FuseMultiplyAdds(*module);
  LoadVectorConstants(*module);
  AddToLowest(*module);
  return module;
}

std::string ObjectOf(llvm::Module& module) {
  auto machine = MakeTargetMachine();
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  bool fails =
      machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile);
  CHECK(!fails);
  passes.run(module);
  return {object.begin(), object.end()};
}

uint64_t ImportedPages(const std::string& module) {
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(module, "module"));
  CHECK(file);
  for (const llvm::wasm::WasmImport& import :
       llvm::cast<llvm::object::WasmObjectFile>(**file).imports()) {
    if (import.Kind == llvm::wasm::WASM_EXTERNAL_MEMORY) return import.Memory.Minimum;
  }
  return 0;
}

std::map<std::string, int64_t> FunctionBytes(const std::string& object) {
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "model"));
  CHECK(file);
  const auto& wasm = llvm::cast<llvm::object::WasmObjectFile>(**file);
  std::map<std::string, int64_t> sizes;
  for (const llvm::object::SymbolRef& symbol : wasm.symbols()) {
    const llvm::object::WasmSymbol& info = wasm.getWasmSymbol(symbol);
    if (!info.isTypeFunction() || !info.isDefined()) continue;
    const auto& function =
        wasm.functions()[info.Info.ElementIndex - wasm.getNumImportedFunctions()];
    sizes[info.Info.Name.str()] = function.Size;
  }
  return sizes;
}

}  // namespace webnnc::wasm
