// The command line: flags become options, options go to Compile, what comes back is shown.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <set>
#include <sstream>

#include "webnnc/compiler.h"

namespace {

using webnnc::CompileOptions;

// Time since the program started.
class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// One line on the terminal that says what is being done. It appears when the work takes longer than
// people like to wait without a word, and goes when something else is printed.
class ProgressLine {
 public:
  explicit ProgressLine(const Stopwatch& watch) : watch_(watch), terminal_(isatty(STDERR_FILENO)) {}
  ~ProgressLine() { Clear(); }

  void Show(std::string_view step, double done) {
    constexpr double kPatience = 2;
    if (!terminal_ || watch_.Seconds() < kPatience) return;
    constexpr int kWidth = 24;
    std::string bar(static_cast<size_t>(done * kWidth), '#');
    bar.resize(kWidth, '.');
    std::fprintf(stderr, "\r\x1b[K[%s] %3.0f %%  %s", bar.c_str(), done * 100,
                 std::string(step).c_str());
    shown_ = true;
  }

  void Clear() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
    shown_ = false;
  }

 private:
  const Stopwatch& watch_;
  bool terminal_, shown_ = false;
};

std::vector<std::string> SplitAt(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  for (char c : text) {
    if (c == separator) {
      parts.push_back("");
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

[[noreturn]] void Misused(const std::string& flag, const std::string& text,
                          const std::string& form) {
  throw CLI::ValidationError(flag, text + " is not of the form " + form);
}

// "batch=1"
void AddDim(const std::string& text, CompileOptions& options) {
  size_t at = text.rfind('=');
  int64_t size = 0;
  if (at == std::string::npos || at == 0 || !CLI::detail::lexical_cast(text.substr(at + 1), size))
    Misused("--dim", text, "NAME=N");
  options.dims[text.substr(0, at)] = size;
}

// "image:1,3,h,w". Names may have colons, shapes have none.
void AddInput(const std::string& text, CompileOptions& options) {
  size_t at = text.rfind(':');
  if (at == std::string::npos || at == 0)
    Misused("--input", text, "NAME:SHAPE, such as image:1,3,height,width");
  std::string shape = text.substr(at + 1);
  options.input_shapes[text.substr(0, at)] =
      shape.empty() ? std::vector<std::string>{} : SplitAt(shape, ',');
}

// "webgpu,wasm"
void SetTargets(const std::string& text, CompileOptions& options) {
  options.webgpu = options.wasm = false;
  for (const std::string& target : SplitAt(text, ',')) {
    if (target == "webgpu") {
      options.webgpu = true;
    } else if (target == "wasm") {
      options.wasm = true;
    } else {
      throw CLI::ValidationError(
          "--target",
          "names \"" + target + "\", which is not a target (there are webgpu and wasm)");
    }
  }
}

// A word as a shell takes it.
std::string Quoted(const std::string& word) {
  bool plain = !word.empty() && word.find_first_not_of(
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-_=.,:/@%+") == std::string::npos;
  if (plain) return word;
  std::string out = "'";
  for (char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

// The flags that the result depends on, in a fixed order. Folders are left out: the same model
// gives the same bytes wherever it lies.
std::string CommandLine(const CLI::App& app) {
  static const std::set<std::string> kWithoutEffect = {
      "--output", "--emit", "--dump", "--explain", "--quiet", "--version", "--help"};
  std::string out = "webnnc", model;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0) continue;
    std::string name = option->get_name();
    if (name == "MODEL") model = option->results()[0];
    if (name == "MODEL" || kWithoutEffect.count(name)) continue;
    if (option->get_items_expected_max() == 0) out += " " + name;
    for (const std::string& value :
         option->get_items_expected_max() == 0 ? std::vector<std::string>{} : option->results())
      out += " " + name + " " + Quoted(value);
  }
  size_t slash = model.rfind('/');
  return out + " " + Quoted(slash == std::string::npos ? model : model.substr(slash + 1));
}

std::string Footer() {
  std::ostringstream out;
  out << "Steps, for --emit and as the files of --dump:\n";
  for (const webnnc::StepInfo& step : webnnc::Steps()) {
    out << "  " << step.name << std::string(16 - step.name.size(), ' ') << step.makes << "\n";
  }
  out << "\nDevices:";
  for (std::string_view device : webnnc::Devices()) out << " " << device;
  return out.str();
}

// "13.9 MB"
std::string Size(int64_t bytes) {
  char text[32];
  bool mega = bytes >= 1000000;
  std::snprintf(text, sizeof(text), mega ? "%.1f MB" : "%.1f kB",
                static_cast<double>(bytes) / (mega ? 1e6 : 1e3));
  return text;
}

std::string Describe(const webnnc::Summary& summary) {
  std::string out;
  auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (summary.gpu_kernels) add(std::to_string(*summary.gpu_kernels) + " dispatches on webgpu");
  if (summary.wasm_kernels) add(std::to_string(*summary.wasm_kernels) + " kernels on wasm");
  add("model.wasm " + Size(summary.wasm_bytes));
  add("weights " + Size(summary.weight_bytes));
  return out;
}

// What is wrong with the arguments, as every other error is shown.
int Refuse(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    message.clear();
    for (const std::string& extra : app.remaining())
      message += (message.empty() ? "unknown argument " : ", ") + extra;
  }
  std::cerr << "webnnc: error: " << message << "\n  note: webnnc --help lists all flags\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Stopwatch watch;
  ProgressLine line(watch);
  CompileOptions options;
  std::vector<std::string> dims, inputs;
  std::string targets = "webgpu,wasm";
  bool quiet = false;
  CLI::App app{
      "Compiles an ONNX model to a folder that a web page imports: wasm, WebGPU shaders, weights\n"
      "and a JavaScript module."};
  app.footer(Footer);
  app.add_option("MODEL", options.model, "the .onnx file")->required();
  app.add_option("-o,--output", options.output,
                 "the folder to make; replaced if it holds an earlier result")
      ->type_name("FOLDER");
  app.add_option("--dim", dims, "fix a symbolic size, such as batch=1 (may be repeated)")
      ->type_name("NAME=N")
      ->allow_extra_args(false);
  app.add_option("--input", inputs,
                 "give an input's shape, such as image:1,3,height,width (may be repeated)")
      ->type_name("NAME:SHAPE")
      ->allow_extra_args(false);
  app.add_option("--target", targets, "what to compile for: webgpu,wasm (both if not given)")
      ->type_name("LIST");
  app.add_option(
         "--device", options.device,
         "the kind of GPU to choose schedules for; a GPU without what large needs is not used")
      ->type_name("PROFILE");
  app.add_option("--schedules", options.schedules,
                 "measured schedules, which override the compiler's choice")
      ->type_name("FILE");
  app.add_option("--emit", options.emit, "print what a step makes, and stop there")
      ->type_name("STEP");
  app.add_option("--dump", options.dump, "write what every step makes to a folder")
      ->type_name("FOLDER");
  app.add_flag("!--no-report", options.report, "make no report.html");
  app.add_option("--profile", options.profile,
                 "times that model.profile measured, as JSON, to be shown in report.html")
      ->type_name("FILE");
  app.add_flag("--explain", options.explain, "say what was decided, and why");
  app.add_flag("--quiet", quiet, "print errors only");
  app.set_version_flag("--version", "webnnc " + std::string(webnnc::Version()));
  try {
    app.parse(argc, argv);
    for (const std::string& dim : dims) AddDim(dim, options);
    for (const std::string& input : inputs) AddInput(input, options);
    SetTargets(targets, options);
    options.command = CommandLine(app);
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app.exit(error) : Refuse(app, error);
  }

  options.print = [&](const std::string& text) {
    line.Clear();
    std::cout << text << std::flush;
  };
  if (!quiet) {
    options.progress = [&](std::string_view step, double done) { line.Show(step, done); };
    options.warn = [&](const std::string& warning) {
      line.Clear();
      std::cerr << options.model << ": warning: " << warning << "\n";
    };
    options.done = [&](const webnnc::Summary& summary) {
      line.Clear();
      std::printf("%s: %s, %.1f s\n", options.output.c_str(), Describe(summary).c_str(),
                  watch.Seconds());
    };
  }
  if (auto error = webnnc::Compile(options)) {
    line.Clear();
    std::cerr << *error;
    return 1;
  }
  return 0;
}
