// Compiles whole networks and compares what they compute with the references beside them; prints
// what compiling took and how large the result is.
//
//   model_tests [--compiled] [--backend NAME]... [--work FOLDER] FOLDER...
//
// A FOLDER holds model.onnx and test_data_set_K/, as cases of tests/onnx do; backends are those of
// run_bundles.mjs. --compiled: runs what an earlier call has compiled in the same --work. Where the
// leading size of all inputs and outputs is one symbol, a batch, each network also runs on two
// samples at once.
#include <sys/resource.h>
#include <zlib.h>

#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>

#include "base/file.h"
#include "tests/onnx/bundles.h"
#include "tests/onnx/processes.h"

namespace webnnc {
namespace {

namespace fs = std::filesystem;

// The most kernels that a network may take on the CPU and on a GPU, where a product that is summed
// in parts takes two, and on the CPU a convolution by fewer products three or four.
struct MostKernels {
  size_t wasm, gpu;
};
const std::map<std::string, MostKernels> kMostKernels = {{"mobilenet_v2_100_224", {60, 60}},
                                                         {"resnet18", {58, 36}}};
// model.js and model.wasm of MobileNetV2, compressed.
constexpr size_t kMostBytes = 100'000;

struct Options {
  std::vector<std::string> backends, folders;
  std::string work = "model-tests";
  bool compiled = false;
};

// ---- A batch of two

bool IsBatched(const graph::Graph& graph) {
  Dim batch;
  for (const auto* ports : {&graph.inputs, &graph.outputs}) {
    for (const graph::Port& port : *ports) {
      const Shape& shape = graph.values[port.value].type.shape;
      if (shape.empty() || shape[0].IsConstant()) return false;
      if (!batch.IsConstant() && shape[0] != batch) return false;
      batch = shape[0];
    }
  }
  return true;
}

Tensor Stack(const Tensor& a, const Tensor& b) {
  auto first = a.data.bytes(), second = b.data.bytes();
  std::vector<uint8_t> bytes(first.begin(), first.end());
  bytes.insert(bytes.end(), second.begin(), second.end());
  TensorType type = a.type;
  type.shape[0] = type.shape[0] + b.type.shape[0];
  return {type, TensorData::Own(std::move(bytes))};
}

// Whether the tensors of two sets differ in their batch alone.
bool HaveSameSizes(const DataSet& a, const DataSet& b) {
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    Shape x = a.inputs[i].type.shape, y = b.inputs[i].type.shape;
    x[0] = y[0];
    if (x != y) return false;
  }
  return true;
}

// Networks treat samples alike: the first and the last set behind each other give their outputs
// behind each other. Sets of other sizes do not go together: then it is the first one twice.
void AddBatch(Trial& trial) {
  if (!IsBatched(trial.graph)) return;
  const DataSet first = trial.sets.front();
  const DataSet last = HaveSameSizes(first, trial.sets.back()) ? trial.sets.back() : first;
  DataSet both;
  for (size_t i = 0; i < first.inputs.size(); ++i)
    both.inputs.push_back(Stack(first.inputs[i], last.inputs[i]));
  for (size_t i = 0; i < first.outputs.size(); ++i)
    both.outputs.push_back(Stack(first.outputs[i], last.outputs[i]));
  trial.sets.push_back(std::move(both));
}

Result<Trial> Prepare(const TestCase& test) {
  TRY_ASSIGN(auto trial, PrepareTrial(test));
  AddBatch(trial);
  return trial;
}

// ---- Compiling

size_t CompressedSize(const std::string& bytes) {
  z_stream stream{};
  // A window of 15 bits, with gzip's header.
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  size_t size = stream.total_out;
  deflateEnd(&stream);
  return size;
}

Result<std::map<std::string, std::string>> ReadFolder(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    TRY_ASSIGN(files[entry.path().filename().string()], ReadFile(entry.path().string()));
  }
  return files;
}

// Compiles twice, and fails if not every byte is the same. Gives a line of figures.
Result<std::string> CompileTwice(const TestCase& test, const std::string& work) {
  TRY_ASSIGN(auto trial, Prepare(test));
  Summary summary;
  CompileOptions options;
  options.done = [&](const Summary& made) { summary = made; };
  auto start = std::chrono::steady_clock::now();
  TRY(MakeBundle(trial, work, options));
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  TRY_ASSIGN(auto files, ReadFolder(work + "/bundle"));
  TRY(MakeBundle(trial, work, options));
  TRY_ASSIGN(auto again, ReadFolder(work + "/bundle"));
  for (const auto& [name, bytes] : files) {
    if (again[name] != bytes) return Error{name + " differs when the model is compiled again"};
  }
  size_t compressed = CompressedSize(files["model.wasm"]) + CompressedSize(files["model.js"]);
  if (test.name == "mobilenet_v2_100_224" && compressed > kMostBytes) {
    return Error{"model.wasm and model.js are " + std::to_string(compressed) +
                 " bytes, compressed"};
  }
  if (auto most = kMostKernels.find(test.name); most != kMostKernels.end()) {
    auto [wasm, gpu] = most->second;
    for (auto [kernels, limit] :
         {std::pair(summary.wasm_kernels, wasm), std::pair(summary.gpu_kernels, gpu)}) {
      if (kernels && *kernels > limit)
        return Error{"it takes " + std::to_string(*kernels) + " kernels"};
    }
  }
  auto count = [](const std::optional<size_t>& kernels) {
    return kernels ? std::to_string(*kernels) : "-";
  };
  std::ostringstream line;
  line << std::fixed << std::setprecision(1) << std::setw(7) << seconds << " s" << std::setw(6)
       << usage.ru_maxrss / 1024 << " MB" << std::setw(7) << count(summary.wasm_kernels)
       << std::setw(7) << count(summary.gpu_kernels) << std::setw(8)
       << static_cast<double>(compressed) / 1000 << " kB" << std::setw(9)
       << static_cast<double>(summary.weight_bytes) / 1e6 << " MB";
  return line.str();
}

// CompileTwice in a process of its own; prints what it gives.
bool Compiles(const TestCase& test, const std::string& work) {
  // What an earlier run left must not be taken for this one's.
  std::error_code ignored;
  fs::remove(work + "/case.json", ignored);
  auto lines = InProcesses(1, 1, [&](size_t) -> std::string {
    auto line = CompileTwice(test, work);
    return line ? line.value() : "failed: " + line.error().message;
  });
  std::cout << std::left << std::setw(28) << test.name << lines[0] << "\n" << std::flush;
  return !lines[0].starts_with("failed");
}

std::string JudgeBundle(const TestCase& test, const std::string& backend, const std::string& work) {
  auto trial = Prepare(test);
  if (!trial) return trial.error().message;
  for (size_t k = 0; k < trial.value().sets.size(); ++k) {
    auto outputs = ReadOutputs(trial.value(), backend, work, k);
    if (!outputs) return outputs.error().message;
    std::string problem = Judge(trial.value(), k, outputs.value(), kNetworkTolerance);
    if (!problem.empty()) return "data set " + std::to_string(k) + ": " + problem;
  }
  return "";
}

int Run(const Options& options) {
  std::vector<TestCase> cases;
  std::vector<std::string> works;
  for (const std::string& folder : options.folders) {
    std::string name = fs::path(folder).filename().string();
    cases.push_back({name, folder});
    works.push_back(fs::absolute(options.work).string() + "/" + name);
  }
  int failures = 0;
  std::vector<TestCase> compiled;
  std::vector<std::string> compiled_works;
  if (!options.compiled) {
    std::cout << std::left << std::setw(28) << "network"
              << "  compile   memory  wasm   webgpu  gzipped    weights\n";
  }
  // One by one, so that memory and time are each network's own.
  for (size_t i = 0; i < cases.size(); ++i) {
    bool failed =
        options.compiled ? !fs::exists(works[i] + "/case.json") : !Compiles(cases[i], works[i]);
    failures += failed;
    if (failed) continue;
    compiled.push_back(cases[i]);
    compiled_works.push_back(works[i]);
  }
  for (const std::string& backend : options.backends) {
    int passed = 0;
    std::vector<std::string> problems = RunBundles(backend, compiled_works, options.work);
    for (size_t i = 0; i < compiled.size(); ++i) {
      if (problems[i].empty()) problems[i] = JudgeBundle(compiled[i], backend, compiled_works[i]);
      passed += problems[i].empty();
      if (!problems[i].empty())
        std::cout << compiled[i].name << " on " << backend << ": " << problems[i] << "\n";
    }
    std::cout << backend << ": " << passed << " of " << cases.size()
              << " agree with their references\n"
              << std::flush;
    failures += static_cast<int>(cases.size()) - passed;
  }
  return failures != 0;
}

}  // namespace
}  // namespace webnnc

int main(int argc, char** argv) {
  webnnc::Options options;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    if (flag == "--compiled") {
      options.compiled = true;
    } else if (flag == "--backend" && i + 1 < argc) {
      options.backends.push_back(argv[++i]);
    } else if (flag == "--work" && i + 1 < argc) {
      options.work = argv[++i];
    } else {
      options.folders.push_back(flag);
    }
  }
  std::error_code ignored;
  std::filesystem::create_directories(options.work, ignored);
  return webnnc::Run(options);
}
