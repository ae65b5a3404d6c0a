#include "wasm/compile.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <llvm/Linker/Linker.h>
#include <llvm/Support/raw_ostream.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include "base/parallel.h"
#include "wasm/codegen.h"
#include "wasm/kernel_emitter.h"
#include "wasm/link.h"
#include "wasm/model_emitter.h"

namespace webnnc::wasm {

namespace {

// What becomes one object: the host's part of a model, or some kernels.
//
// Kernels are what takes long. They are compiled side by side, several at a time, since to set LLVM
// up takes as long as a small kernel. Which are together depends on their order alone, not on how
// many threads there are, so that the same bytes come out everywhere.
struct Part {
  std::function<void(llvm::Module&)> emit;
  std::string object = {};
};
constexpr size_t kKernelsInPart = 8;

std::unique_ptr<llvm::Module> MakePart(llvm::LLVMContext& context, const Part& part) {
  return MakeModule(context, "model", part.emit);
}

void Compile(Part& part) {
  llvm::LLVMContext context;
  part.object = ObjectOf(*MakePart(context, part));
}

// The part before it is compiled.
std::string TextOf(const Part& part) {
  llvm::LLVMContext context;
  llvm::Module module("model", context);
  part.emit(module);
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

// What is not kernels: each model's own, and where the runtime finds them if there are several.
std::vector<Part> HostsOf(const Build& build) {
  std::vector<Part> parts;
  for (const ModelInput& input : build.models) {
    parts.push_back({[&](llvm::Module& module) { EmitModel(module, input, CollectDims(input)); }});
  }
  if (build.models.size() > 1)
    parts.push_back({[&](llvm::Module& module) { EmitTable(module, build.models); }});
  return parts;
}

struct Kernel {
  const loop::Kernel* flat;
  FeatureSet features;
};

// Each name once.
std::vector<Kernel> KernelsOf(const Build& build) {
  std::vector<Kernel> kernels;
  std::set<std::string> names;
  auto add = [&](const plan::Kernel& kernel, FeatureSet features) {
    if (names.insert(kernel.flat.name).second) kernels.push_back({&kernel.flat, features});
  };
  for (const ModelInput& input : build.models) {
    if (const plan::Program* cpu = input.variants.cpu()) {
      for (const plan::Kernel& kernel : cpu->kernels) add(kernel, build.features);
    }
    for (const plan::Kernel* kernel : input.HostKernels()) add(*kernel, {});
  }
  return kernels;
}

std::vector<Part> KernelPartsOf(const Build& build) {
  std::vector<Part> parts;
  std::vector<Kernel> kernels = KernelsOf(build);
  for (size_t k = 0; k < kernels.size(); k += kKernelsInPart) {
    auto first = kernels.begin() + static_cast<std::ptrdiff_t>(k);
    size_t count = std::min(kKernelsInPart, kernels.size() - k);
    std::vector<Kernel> some(first, first + static_cast<std::ptrdiff_t>(count));
    parts.push_back({[some](llvm::Module& module) {
      for (const Kernel& kernel : some) EmitKernel(module, *kernel.flat, kernel.features);
    }});
  }
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
    for (Part& part : HostsOf(build)) {
      auto [known, is_new] = hosts.emplace(TextOf(part), objects.parts.size());
      if (is_new) {
        objects.Add(std::move(part));
      } else {
        objects.of.back().push_back(known->second);
      }
    }
    for (Part& part : KernelPartsOf(build)) objects.Add(std::move(part));
  }
  return objects;
}

bool HaveCommands(const Build& build) {
  return std::any_of(build.models.begin(), build.models.end(),
                     [](const ModelInput& input) { return input.variants.HaveCommands(); });
}

bool KeepStates(const Build& build) {
  return std::any_of(build.models.begin(), build.models.end(),
                     [](const ModelInput& input) { return input.variants.KeepStates(); });
}

// By the names of kernels, which are functions of longer names, or two.
std::map<std::string, int64_t> NamedBytes(const std::map<std::string, int64_t>& functions) {
  std::map<std::string, int64_t> named;
  for (const auto& [function, bytes] : functions) {
    std::string name = function;
    if (name.rfind(kKernelPrefix, 0) == 0) {
      name.erase(0, std::size(kKernelPrefix) - 1);
      const std::string_view suffix = kItemSuffix;
      if (name.size() > suffix.size() && name.rfind(suffix) == name.size() - suffix.size())
        name.erase(name.size() - suffix.size());
    }
    named[name] += bytes;
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
    LinkInput input{.is_command = builds[b].features.empty(),
                    .walks = HaveCommands(builds[b]),
                    .keeps_states = KeepStates(builds[b])};
    input.has_threads = builds[b].features.Has(Feature::kThreads);
    for (const Kernel& kernel : KernelsOf(builds[b]))
      input.stack_bytes = std::max(input.stack_bytes, StackBytes(*kernel.flat));
    for (size_t part : objects.of[b]) {
      const std::string& object = objects.parts[part].object;
      input.objects.push_back(&object);
      modules[b].function_bytes.merge(NamedBytes(FunctionBytes(object)));
    }
    inputs.push_back(std::move(input));
  }
  TRY_ASSIGN(auto linked, Link(inputs));
  for (size_t b = 0; b < builds.size(); ++b) {
    modules[b].memory_pages = ImportedPages(linked[b]);
    modules[b].bytes = std::move(linked[b]);
  }
  return modules;
}

Result<std::string> CompileKernels(const std::vector<loop::Kernel>& kernels, FeatureSet features) {
  std::vector<Part> parts;
  LinkInput input{.is_bare = true, .is_command = false};
  for (size_t k = 0; k < kernels.size(); ++k) {
    input.stack_bytes = std::max(input.stack_bytes, StackBytes(kernels[k]));
    parts.push_back({[&, k](llvm::Module& module) {
      loop::Kernel kernel = kernels[k];
      kernel.name = std::to_string(k);
      EmitKernel(module, kernel, features);
      DeclareKernel(module, kernel)->addFnAttr("wasm-export-name", kernel.name);
    }});
  }
  InParallel(parts.size(), [&](size_t p) { Compile(parts[p]); });
  for (const Part& part : parts) input.objects.push_back(&part.object);
  TRY_ASSIGN(auto modules, Link({input}));
  return std::move(modules[0]);
}

std::string PrintLlvm(const Build& build) {
  llvm::LLVMContext context;
  std::vector<Part> parts = HostsOf(build);
  for (Part& part : KernelPartsOf(build)) parts.push_back(std::move(part));
  auto module = MakePart(context, parts[0]);
  for (size_t p = 1; p < parts.size(); ++p) {
    bool fails = llvm::Linker::linkModules(*module, MakePart(context, parts[p]));
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
