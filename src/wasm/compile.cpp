#include "wasm/compile.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <llvm/Linker/Linker.h>
#include <llvm/Support/raw_ostream.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "wasm/codegen.h"
#include "wasm/kernel_emitter.h"
#include "wasm/link.h"
#include "wasm/model_emitter.h"

namespace webnnc::wasm {

namespace {

// What becomes one object: the host's part of a build, or some of its kernels.
//
// Kernels are what takes long. They are compiled side by side, several at a time, since to set LLVM
// up takes as long as a small kernel. Which are together depends on their order alone, not on how
// many threads there are, so that the same bytes come out everywhere.
struct Part {
  const Build* build = nullptr;
  size_t first_kernel = 0, end_kernel = 0;  // none: the host
  std::string object;
};
constexpr size_t kKernelsInPart = 8;

void Emit(const Part& part, llvm::Module& module) {
  const ModelInput& input = part.build->input;
  if (part.first_kernel == part.end_kernel) EmitModel(module, input, CollectDims(input));
  const plan::Program* cpu = input.variants.cpu();
  auto own = static_cast<size_t>(cpu ? cpu->kernels.size() : 0);
  for (size_t k = part.first_kernel; k < part.end_kernel; ++k) {
    if (k < own) {
      EmitKernel(module, cpu->kernels[plan::KernelId{static_cast<int32_t>(k)}].flat,
                 part.build->features);
    } else {
      EmitKernel(module, input.HostKernels()[k - own]->flat, {});
    }
  }
}

std::unique_ptr<llvm::Module> MakePart(llvm::LLVMContext& context, const Part& part) {
  return MakeModule(context, "model", [&](llvm::Module& module) { Emit(part, module); });
}

void Compile(Part& part) {
  llvm::LLVMContext context;
  part.object = ObjectOf(*MakePart(context, part));
}

// The host's part before it is compiled.
std::string HostText(const Build& build) {
  llvm::LLVMContext context;
  llvm::Module module("model", context);
  Emit({&build}, module);
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

std::vector<Part> KernelsOf(const Build& build) {
  std::vector<Part> parts;
  const plan::Program* cpu = build.input.variants.cpu();
  size_t count =
      static_cast<size_t>(cpu ? cpu->kernels.size() : 0) + build.input.HostKernels().size();
  for (size_t k = 0; k < count; k += kKernelsInPart)
    parts.push_back({&build, k, std::min(count, k + kKernelsInPart), {}});
  return parts;
}

// Objects of builds: parts of all, each once, and which of them each build is linked of.
struct Objects {
  std::vector<Part> parts;
  std::vector<std::vector<size_t>> of;

  void Add(Part part) {
    of.back().push_back(parts.size());
    parts.push_back(std::move(part));
  }
};

// Builds differ in kernels. Their hosts are the same, unless schedules have made other sizes or
// steps of a program.
Objects ObjectsOf(const std::vector<Build>& builds) {
  Objects objects;
  std::map<std::string, size_t> hosts;  // by text
  for (const Build& build : builds) {
    objects.of.emplace_back();
    std::string text = builds.size() > 1 ? HostText(build) : "";
    auto [known, is_new] = hosts.emplace(std::move(text), objects.parts.size());
    if (is_new) {
      objects.Add({&build});
    } else {
      objects.of.back().push_back(known->second);
    }
    for (Part& part : KernelsOf(build)) objects.Add(std::move(part));
  }
  return objects;
}

// By the names of kernels, which are functions of longer names.
std::map<std::string, int64_t> NamedBytes(const std::map<std::string, int64_t>& functions) {
  std::map<std::string, int64_t> named;
  for (const auto& [name, bytes] : functions) {
    bool is_kernel = name.rfind(kKernelPrefix, 0) == 0;
    named[is_kernel ? name.substr(std::size(kKernelPrefix) - 1) : name] = bytes;
  }
  return named;
}

}  // namespace

Result<std::vector<Module>> Compile(const std::vector<Build>& builds) {
  Objects objects = ObjectsOf(builds);
  InParallel(objects.parts.size(), [&](size_t i) { Compile(objects.parts[i]); });
  std::vector<LinkInput> inputs;
  std::vector<Module> modules(builds.size());
  for (size_t b = 0; b < builds.size(); ++b) {
    LinkInput input{{}, builds[b].features.empty(), builds[b].input.variants.HaveCommands()};
    for (size_t part : objects.of[b]) {
      const std::string& object = objects.parts[part].object;
      input.objects.push_back(&object);
      modules[b].function_bytes.merge(NamedBytes(FunctionBytes(object)));
    }
    inputs.push_back(std::move(input));
  }
  TRY_ASSIGN(auto linked, Link(inputs));
  for (size_t b = 0; b < builds.size(); ++b) modules[b].bytes = std::move(linked[b]);
  return modules;
}

std::string PrintLlvm(const Build& build) {
  llvm::LLVMContext context;
  auto module = MakePart(context, {&build});
  for (const Part& part : KernelsOf(build)) {
    bool fails = llvm::Linker::linkModules(*module, MakePart(context, part));
    CHECK(!fails);
  }
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
