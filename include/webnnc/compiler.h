// The compiler as a library: one function.
//
//   webnnc::CompileOptions options;
//   options.models = {{"model.onnx"}};
//   options.output = "out";
//   if (auto failure = webnnc::Compile(options)) std::cerr << failure->text;
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webnnc {

// What was made, for a line of summary.
struct Summary {
  // Of the program that runs on the CPU, and of the first that runs on a GPU; of all models.
  std::optional<size_t> wasm_kernels, gpu_kernels;
  int64_t wasm_bytes = 0, weight_bytes = 0;
  // What fewer bits make of an output, at most, and whether that was told on made-up inputs.
  std::optional<double> error;
  bool made_up_inputs = false;
  // All that was built, as JSON (docs/json.md).
  std::string description;
};

// What a build may not exceed.
struct Budgets {
  // Of model.js and the larger module, gzipped.
  std::optional<int64_t> code_bytes;
  std::optional<int64_t> weight_bytes;
  // Of a run besides weights, in the program that needs most; sizes that are open have sample
  // values.
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> dispatches;
  // Of what fewer bits make of an output: the root of the mean square of the difference by that of
  // the original, the worst over all inputs.
  std::optional<double> error;
  // Every WebGPU device can run the model: it needs no feature, and no limit beyond the guaranteed.
  bool baseline = false;
};

struct Failure {
  // As people read it: the model's or flag's name, what is wrong, and what would help.
  std::string text;
  // The same for programs (docs/json.md).
  std::string json;
};

// What an open size is likely to be in a run.
struct LikelyRange {
  int64_t low = 1, high = 1;

  friend bool operator==(const LikelyRange&, const LikelyRange&) = default;
};

// How weights of float32 are stored: in fewer bits, those of int4 with a scale for each block of a
// sum.
struct WeightStorage {
  enum class Type : uint8_t { kFloat16, kInt8, kInt4 };
  Type type = Type::kInt8;
  int64_t block = 32;
};

// A model that is compiled.
struct ModelFile {
  std::string path;  // of the .onnx file, or "-" for standard input
  // What a page knows it by where there are several; if empty, as its file without ".onnx".
  std::string key = {};
};

struct CompileOptions {
  // What becomes one bundle. What of the following speaks of an input, an output or a size is for
  // every model that has it; with "KEY:" before the name for that model alone.
  std::vector<ModelFile> models;
  std::string output;  // folder to make; other files that it holds stay
  // Replace files there that are no earlier result.
  bool force = false;
  // What the bundle is called; if empty, as its file, or as its folder where the file is "model".
  std::string name;
  Budgets budgets;

  // Sizes that are fixed: symbol -> size.
  std::map<std::string, int64_t> dims;
  // Folders that external data may be in, or its files, besides the model's own folder.
  std::vector<std::string> allow_external;

  // What sizes that stay open are likely to be: symbol -> range. The model is made fast for these.
  std::map<std::string, LikelyRange> likely_dims;
  // Shapes that replace the model's for inputs: name -> sizes, integers or symbols.
  std::map<std::string, std::vector<std::string>> input_shapes;

  // What a model keeps from run to run: "past_0=present_0", an input and the output that it comes
  // from. If there is none, exporters' names tell; "none" is none.
  std::vector<std::string> states;

  // What makes images of pictures: "resize=cover mean=0.5", with "INPUT:" before it where several
  // inputs take pictures.
  std::vector<std::string> images;
  // Files with the names of an output's last dimension, a line each: "labels.txt", with "OUTPUT:"
  // before it where there are several.
  std::vector<std::string> labels;
  // How a detector's boxes are read: "form=pair corners=xyxy", with "OUTPUT:" before it where
  // several outputs may hold them.
  std::vector<std::string> boxes;

  // Weights of float32 become smaller, if it is asked for.
  std::optional<WeightStorage> quantize;
  // What is computed in float32 is computed in float16 where that is safe.
  bool half_precision = false;
  // Inputs to tell on what these two cost, and what is safe, as .npy files: "image=x.npy", or
  // "x.npy" where there is one input. If there are none, some are made up.
  std::vector<std::string> calibrate;

  bool webgpu = true, wasm = true;
  // The GPU that shaders are made for, one of Devices(). Every profile's result is correct on every
  // GPU that meets its limits.
  std::string device = "generic";
  // Also programs for GPUs with subgroups, and with products of fragments of matrices by these
  // where the model is in f16; and with products of four bytes at once where it multiplies bytes.
  // Pages take the best that the GPU has the features for.
  bool subgroups = false, matrices = false, dots = false;
  // A file of measured schedules, which override the compiler's own choice.
  std::string schedules;

  // Whether pages are given other shaders of the most expensive kernels, to measure which is the
  // fastest: load({ tune: true }).
  bool tunable = false;
  // How many schedules of each kernel the step "candidates" prints at most, and of how many kernels
  // of each target, the most expensive ones.
  size_t candidates = 32, kernels = 64;

  // Whether report.html is made.
  bool report = true;
  // A file with times that model.profile measured, for the report.
  std::string profile;
  // What the report says of how it was made: the flags as one would type them.
  std::string command;

  // Print what one step makes to `print`, and stop there. One of Steps().
  std::string emit;
  std::function<void(const std::string&)> print;
  // A folder for what every step makes.
  std::string dump;
  // Say what was decided and why, through `print`.
  bool explain = false;

  // Called with the step's name and the part of the work done, from 0 to 1.
  std::function<void(std::string_view step, double done)> progress;
  // Called with what a user should know of a file although the compilation succeeds.
  std::function<void(const std::string& file, const std::string& warning)> warn;
  // Called when the folder is there.
  std::function<void(const Summary&)> done;
};

// Compiles a model. Gives nothing on success. On failure the file system is as it was, except for
// what `dump` asked for.
std::optional<Failure> Compile(const CompileOptions& options);

// A step of the compiler, as `emit`, the files in `dump` and `progress` name it.
struct StepInfo {
  std::string_view name, makes;
};
std::vector<StepInfo> Steps();

// What `images` may say: keys, values and presets, for --help.
std::string PictureHelp();
// What is wrong with one of `images`, as far as it can be said without the model.
std::optional<std::string> PictureProblem(const std::string& text);

// The names that `device` may have.
std::vector<std::string_view> Devices();

// "0.2.0"
std::string_view Version();

}  // namespace webnnc
