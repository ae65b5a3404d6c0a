#include "wasm/compile.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <lld/Common/Driver.h>
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Linker/Linker.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/Wasm.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#pragma GCC diagnostic pop

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>

#include "base/file.h"
#include "base/output_folder.h"
#include "wasm/model_emitter.h"

LLD_HAS_DRIVER(wasm)

// The runtime and wasi-libc, put together when the compiler was built (CMakeLists.txt).
extern "C" {
extern const char webnnc_runtime_archive[];
extern const char webnnc_runtime_archive_end[];
extern const char webnnc_math_bitcode[];
extern const char webnnc_math_bitcode_end[];
}

namespace webnnc::wasm {

namespace fs = std::filesystem;

namespace {

constexpr char kTriple[] = "wasm32-unknown-wasi";
constexpr char kFeatures[] =
    "+simd128,+bulk-memory,+sign-ext,+nontrapping-fptoint,+mutable-globals";
// For what registers do not hold; kernels keep no large arrays.
constexpr char kStackSize[] = "stack-size=131072";

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
  SetCodegenOptions();
  static const bool initialized = [] {
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
      kTriple, "generic", kFeatures, llvm::TargetOptions(), llvm::Reloc::Static, std::nullopt,
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

std::unique_ptr<llvm::Module> EmitModule(llvm::LLVMContext& context, llvm::TargetMachine& machine,
                                         const ModelInput& input, const DimTable& dims,
                                         const CompileOptions& options) {
  auto module = std::make_unique<llvm::Module>("model", context);
  module->setTargetTriple(kTriple);
  module->setDataLayout(machine.createDataLayout());
  EmitModel(*module, input, dims, {options.relaxed});
  LinkMath(*module);
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(*module, &stream)) {
    std::fprintf(stderr, "internal error: %s\n", problem.c_str());
    CHECK(!"LLVM's verifier");
  }
  return module;
}

// A folder for LLD, which works on files.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (fs::temp_directory_path() / "webnnc.XXXXXX").string();
    if (!mkdtemp(pattern.data())) return;
    path_ = pattern;
    NoteUnfinished(path_);
  }
  ~ScratchFolder() {
    std::error_code error;
    if (path_.empty()) return;
    fs::remove_all(path_, error);
    ForgetUnfinished(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  bool exists() const { return !path_.empty(); }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Runs LLD in a process of its own: from one link to the next it keeps pointers to symbols that are
// gone, which it follows if the second one has no entry.
Status RunLld(std::vector<const char*> arguments, const std::string& messages) {
  arguments.push_back("--threads=1");
  std::fflush(nullptr);
  pid_t child = fork();
  if (child < 0) return Error{std::string("cannot start the linker: ") + std::strerror(errno)};
  if (child == 0) {
    std::error_code error;
    llvm::raw_fd_ostream stream(messages, error);
    lld::Result result = lld::lldMain(arguments, stream, stream, {{lld::Wasm, &lld::wasm::link}});
    stream.flush();
    _exit(result.retCode == 0 ? 0 : 1);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return kSuccess;
  // What is linked is ours and fits: it is memory or room in the folder that is missing.
  auto text = ReadFile(messages);
  return Error{"linking failed: " +
               (text && !text.value().empty() ? text.value() : "the linker ended")};
}

// The module for engines with relaxed SIMD is only for pages: it is no command, which saves a page
// some kilobytes.
Result<std::string> Link(const llvm::SmallVectorImpl<char>& object, bool is_command) {
  ScratchFolder folder;
  if (!folder.exists()) return Error{"cannot make a folder for temporary files"};
  std::string model = folder.File("model.o"), runtime = folder.File("runtime.a"),
              out = folder.File("model.wasm");
  TRY(WriteFile(model, {object.data(), object.size()}));
  TRY(WriteFile(runtime, {webnnc_runtime_archive, static_cast<size_t>(webnnc_runtime_archive_end -
                                                                      webnnc_runtime_archive)}));
  std::vector<const char*> arguments = {"wasm-ld",   model.c_str(),   runtime.c_str(), "-o",
                                        out.c_str(), "--gc-sections", "--strip-all",   "-O2",
                                        "-z",        kStackSize};
  if (!is_command) {
    for (const char* argument : {"--no-entry", "-u", "webnnc_prepare", "-u", "webnnc_hash"})
      arguments.push_back(argument);
  }
  TRY(RunLld(arguments, folder.File("messages")));
  return ReadFile(out);
}

std::map<std::string, int64_t> FunctionBytes(const llvm::SmallVectorImpl<char>& object) {
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef({object.data(), object.size()}, "model"));
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

}  // namespace

Result<Module> Compile(const ModelInput& input, const DimTable& dims,
                       const CompileOptions& options) {
  auto machine = MakeTargetMachine();
  llvm::LLVMContext context;
  auto module = EmitModule(context, *machine, input, dims, options);
  Optimize(*module, *machine);
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  bool fails =
      machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile);
  CHECK(!fails);
  passes.run(*module);
  TRY_ASSIGN(auto bytes, Link(object, !options.relaxed));
  return Module{std::move(bytes), FunctionBytes(object)};
}

std::string PrintLlvm(const ModelInput& input, const DimTable& dims,
                      const CompileOptions& options) {
  auto machine = MakeTargetMachine();
  llvm::LLVMContext context;
  auto module = EmitModule(context, *machine, input, dims, options);
  Optimize(*module, *machine);
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, nullptr);
  return text;
}

static std::string Leb128(size_t value) {
  std::string out;
  do {
    auto byte = static_cast<char>(value & 0x7f);
    value >>= 7;
    out += value ? static_cast<char>(byte | 0x80) : byte;
  } while (value);
  return out;
}

std::string CustomSection(const std::string& name, const std::string& bytes) {
  std::string content = Leb128(name.size()) + name + bytes;
  return std::string(1, '\0') + Leb128(content.size()) + content;
}

}  // namespace webnnc::wasm
