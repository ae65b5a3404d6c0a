// Prepares kernels to be run on WebGPU: emits their WGSL, runs them on the interpreter, and writes
// both where tests/web/run_wgsl.mjs finds them.
//
//   run_cases FOLDER KERNEL...      @PATH stands for all files in a folder
//
//   FOLDER/cases.json        [{ name, shader, workgroups, sizes, features, tolerance, buffers }]
//   FOLDER/NAME.wgsl
//   FOLDER/NAME.bin          of each buffer: what it holds before, and of outputs what after
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/lexer.h"
#include "loop/verify.h"
#include "spirv/emit.h"
#include "tests/wgsl/kernel_file.h"
#include "wgsl/print.h"

namespace webnnc::tests {
namespace {

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

std::string Workgroups(const KernelFile& file, const spirv::Module& module) {
  std::string text;
  for (const Dim& count : module.workgroups) {
    text += (text.empty() ? "[" : ", ") + std::to_string(count.Evaluate(file.symbols));
  }
  return text + "]";
}

// By WebGPU's names.
std::string Features(const spirv::Module& module) {
  std::string text;
  auto add = [&](bool used, const std::string& name) {
    if (used) text += (text.empty() ? "" : ", ") + Quoted(name);
  };
  add(module.uses_f16, "shader-f16");
  add(module.uses_subgroups, "subgroups");
  add(module.uses_fragments, "chromium-experimental-subgroup-matrix");
  return "[" + text + "]";
}

std::string Sizes(const KernelFile& file, const spirv::Module& module) {
  std::string text;
  for (const Dim& dim : module.sizes) {
    text += (text.empty() ? "" : ", ") + std::to_string(dim.Evaluate(file.symbols));
  }
  return "[" + text + "]";
}

// The buffers' description; their contents are appended to `data`.
std::string Buffers(const KernelFile& file, const loop::Memory& before, const loop::Memory& after,
                    std::string& data) {
  std::string text;
  for (int32_t b = 0; b < file.written.buffers.size(); ++b) {
    loop::BufferId id{b};
    const loop::Buffer& buffer = file.written.buffers[id];
    bool is_output = buffer.space == loop::Space::kOut;
    if (!is_output && buffer.space != loop::Space::kIn) continue;
    auto append = [&](const std::vector<uint8_t>& bytes) {
      size_t at = data.size();
      data.append(bytes.begin(), bytes.end());
      data.resize((data.size() + 7) / 8 * 8);
      return std::to_string(at);
    };
    std::vector<uint8_t> initial = Carry(file, id, before[static_cast<size_t>(b)]);
    DType dtype = file.flat.buffers[id].type.dtype;
    text += text.empty() ? "" : ", ";
    text += "{\"name\": " + Quoted(std::filesystem::path(buffer.name).filename().string()) +
            ", \"type\": " + Quoted(std::string(Name(dtype))) +
            ", \"bytes\": " + std::to_string(initial.size()) + ", \"before\": " + append(initial);
    if (is_output) {
      text += ", \"after\": " + append(Carry(file, id, after[static_cast<size_t>(b)]));
    }
    text += "}";
  }
  return "[" + text + "]";
}

// Which parameters are only read.
std::vector<bool> Inputs(const loop::Kernel& kernel) {
  std::vector<bool> inputs;
  for (const loop::Buffer& buffer : kernel.buffers) {
    bool is_input = buffer.space == loop::Space::kIn;
    if (is_input || buffer.space == loop::Space::kOut) inputs.push_back(is_input);
  }
  return inputs;
}

// Integers that the flat kernel computes must be those of the written one.
Status CompareIntegers(const KernelFile& file, const loop::Memory& written,
                       const loop::Memory& flat) {
  for (int32_t b = 0; b < file.written.buffers.size(); ++b) {
    loop::BufferId id{b};
    const loop::Buffer& buffer = file.flat.buffers[id];
    if (buffer.space != loop::Space::kOut || IsFloat(buffer.type.dtype)) continue;
    const auto& got = flat[static_cast<size_t>(b)];
    std::vector<uint8_t> want = Carry(file, id, written[static_cast<size_t>(b)]);
    for (int64_t i = 0; i < static_cast<int64_t>(want.size()) / 4; ++i) {
      Scalar x = ReadScalar(want.data(), buffer.type.dtype, i);
      Scalar y = ReadScalar(got.data(), buffer.type.dtype, i);
      if (!(x == y)) {
        return Error{"the flat kernel gives %" + buffer.name + "[" + std::to_string(i) + "] " +
                     std::to_string(y.integer) + ", not " + std::to_string(x.integer)};
      }
    }
  }
  return kSuccess;
}

Result<std::string> MakeCase(const std::string& path, const std::filesystem::path& folder) {
  TRY_ASSIGN(auto file, ReadKernelFile(path));
  std::string name = std::filesystem::path(path).stem().string();
  // Shaders must not depend on whether buffers can be written; take turns.
  spirv::Options options;
  options.features = file.features;
  if (name.size() % 2 == 0) options.read_only = Inputs(file.flat);
  TRY_ASSIGN(auto module, spirv::Emit(file.flat, options));
  TRY_ASSIGN(auto shader, wgsl::Print(module.words));
  loop::Memory before = MakeMemory(file), after = before, scheduled;
  for (int32_t b = 0; b < file.written.buffers.size(); ++b) {
    bool has_memory = !before[static_cast<size_t>(b)].empty();
    scheduled.push_back(has_memory ? Carry(file, loop::BufferId{b}, before[static_cast<size_t>(b)])
                                   : std::vector<uint8_t>());
  }
  TRY(loop::Interpret(file.written, after, {file.symbols, false}));
  // The kernel that is emitted must be right for its shader to be.
  scheduled.resize(static_cast<size_t>(file.flat.buffers.size()));
  TRY(loop::Verify(file.flat));
  TRY(loop::Interpret(file.flat, scheduled, {file.symbols, true}));
  TRY(CompareIntegers(file, after, scheduled));

  std::string data;
  std::string json = "{\"name\": " + Quoted(name) +
                     ", \"workgroups\": " + Workgroups(file, module) +
                     ", \"sizes\": " + Sizes(file, module) + ", \"features\": " + Features(module) +
                     ", \"tolerance\": " + PrintReal(file.tolerance) +
                     ", \"buffers\": " + Buffers(file, before, after, data) + "}";
  std::ofstream(folder / (name + ".wgsl")) << shader;
  std::ofstream(folder / (name + ".bin"), std::ios::binary) << data;
  return json;
}

}  // namespace
}  // namespace webnnc::tests

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: run_cases FOLDER KERNEL...\n";
    return 2;
  }
  std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  std::vector<std::string> paths;
  for (int i = 2; i < argc; ++i) {
    std::string path = argv[i];
    if (path[0] != '@') paths.push_back(path);
    if (path[0] != '@') continue;
    for (const auto& file : std::filesystem::directory_iterator(path.substr(1))) {
      paths.push_back(file.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::string cases;
  size_t failed = 0;
  for (const std::string& path : paths) {
    auto made = webnnc::tests::MakeCase(path, folder);
    if (made) {
      cases += (cases.empty() ? "" : ",\n") + made.value();
    } else {
      std::cerr << path << ": " << made.error().message << "\n";
      ++failed;
    }
  }
  std::ofstream(folder / "cases.json") << "[\n" << cases << "\n]\n";
  std::cout << paths.size() - failed << " kernels prepared, " << failed << " failed\n";
  return failed != 0;
}
