// The compiler as a library: one function.
//
//   webnnc::CompileOptions options;
//   options.model = "model.onnx";
//   options.output = "out";
//   if (auto error = webnnc::Compile(options)) std::cerr << *error;
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace webnnc {

struct CompileOptions {
  std::string model;   // path of the .onnx file
  std::string output;  // folder to make; replaced if it holds an earlier result

  // Sizes that are fixed: symbol -> size.
  std::map<std::string, int64_t> dims;
  // Shapes that replace the model's for inputs: name -> sizes, integers or symbols.
  std::map<std::string, std::vector<std::string>> input_shapes;

  bool webgpu = true, wasm = true;
  // The GPU that shaders are made for: a name from `webnnc --help`. Every profile's result is
  // correct on every GPU that meets its limits.
  std::string device = "generic";
  // A file of measured schedules, which override the compiler's own choice.
  std::string schedules;

  // Print what one step makes to `print`, and stop there. A name from `webnnc --help`.
  std::string emit;
  std::function<void(const std::string&)> print;
  // A folder for what every step makes.
  std::string dump;
  // Say what was decided and why, through `print`.
  bool explain = false;

  // Called with the step's name and the part of the work done, from 0 to 1.
  std::function<void(const std::string& step, double done)> progress;
  // Called with what a user should know although the compilation succeeds.
  std::function<void(const std::string& warning)> warn;
};

// Compiles a model. Gives nothing on success, and otherwise the error as it is to be shown: the
// model's or flag's name, what is wrong, and what would help. Nothing is left in the file system
// then.
std::optional<std::string> Compile(const CompileOptions& options);

}  // namespace webnnc
