// The compiler as a library: one function.
//
//   webnnc::CompileOptions options;
//   options.model = "model.onnx";
//   options.output = "out";
//   if (auto error = webnnc::Compile(options)) std::cerr << *error;
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
  // Of the program that runs on the CPU, and of the first that runs on a GPU.
  std::optional<size_t> wasm_kernels, gpu_kernels;
  int64_t wasm_bytes = 0, weight_bytes = 0;
};

struct CompileOptions {
  std::string model;   // path of the .onnx file
  std::string output;  // folder to make; replaced if it holds an earlier result

  // Sizes that are fixed: symbol -> size.
  std::map<std::string, int64_t> dims;
  // Shapes that replace the model's for inputs: name -> sizes, integers or symbols.
  std::map<std::string, std::vector<std::string>> input_shapes;

  bool webgpu = true, wasm = true;
  // The GPU that shaders are made for, one of Devices(). Every profile's result is correct on every
  // GPU that meets its limits.
  std::string device = "generic";
  // A file of measured schedules, which override the compiler's own choice.
  std::string schedules;

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
  // Called with what a user should know although the compilation succeeds.
  std::function<void(const std::string& warning)> warn;
  // Called when the folder is there.
  std::function<void(const Summary&)> done;
};

// Compiles a model. Gives nothing on success, and otherwise the error as it is to be shown: the
// model's or flag's name, what is wrong, and what would help. Nothing is left in the file system
// then, except for what `dump` asked for.
std::optional<std::string> Compile(const CompileOptions& options);

// A step of the compiler, as `emit`, the files in `dump` and `progress` name it.
struct StepInfo {
  std::string_view name, makes;
};
std::vector<StepInfo> Steps();

// The names that `device` may have.
std::vector<std::string_view> Devices();

// "0.2.0"
std::string_view Version();

}  // namespace webnnc
