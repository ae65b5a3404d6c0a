#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <set>
#include <vector>

#include "base/printable.h"

namespace webnnc::cli {

namespace {

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

// A name has one value; said twice, it must be the same one.
template <typename Value>
void Add(const std::string& flag, const std::string& name, Value value,
         std::map<std::string, Value>& values) {
  auto [place, is_new] = values.emplace(name, value);
  if (!is_new && place->second != value)
    throw CLI::ValidationError(flag, "gives two values for " + name);
}

// "4" or "1..8"
std::optional<LikelyRange> RangeOf(const std::string& text) {
  size_t dots = text.find("..");
  std::string low = text.substr(0, dots);
  std::string high = dots == std::string::npos ? low : text.substr(dots + 2);
  LikelyRange range;
  bool read =
      CLI::detail::lexical_cast(low, range.low) && CLI::detail::lexical_cast(high, range.high);
  return read ? std::optional(range) : std::nullopt;
}

// "batch=1" or "batch=?1..8"
void AddDim(const std::string& text, CompileOptions& options) {
  size_t at = text.rfind('=');
  bool has_name = at != std::string::npos && at > 0;
  std::string name = text.substr(0, at), value = has_name ? text.substr(at + 1) : "";
  int64_t size = 0;
  if (has_name && value.starts_with('?')) {
    auto range = RangeOf(value.substr(1));
    if (!range) Misused("--dim", text, "NAME=?LOW..HIGH");
    Add("--dim", name, *range, options.likely_dims);
  } else if (has_name && CLI::detail::lexical_cast(value, size)) {
    Add("--dim", name, size, options.dims);
  } else {
    Misused("--dim", text, "NAME=N");
  }
}

// "image:1,3,h,w". Names may have colons, shapes have none.
void AddInput(const std::string& text, CompileOptions& options) {
  size_t at = text.rfind(':');
  if (at == std::string::npos || at == 0)
    Misused("--input", text, "NAME:SHAPE, such as image:1,3,height,width");
  std::string shape = text.substr(at + 1);
  Add("--input", text.substr(0, at),
      shape.empty() ? std::vector<std::string>{} : SplitAt(shape, ','), options.input_shapes);
}

// "encoder=models/encoder.onnx" or "models/encoder.onnx". A path may have the sign, too.
ModelFile ModelOf(const std::string& text) {
  size_t at = text.find('=');
  bool has_key = at != std::string::npos && at > 0 && text.find('/') >= at;
  std::error_code error;
  if (!has_key || std::filesystem::exists(text, error)) return {text};
  if (at + 1 == text.size()) Misused("MODEL", text, "NAME=FILE");
  return {text.substr(at + 1), text.substr(0, at)};
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

// "subgroups,dots"
void SetGpuFeatures(const std::string& text, CompileOptions& options) {
  for (const std::string& feature : SplitAt(text, ',')) {
    if (feature == "subgroups") {
      options.subgroups = true;
    } else if (feature == "matrices") {
      options.matrices = true;
    } else if (feature == "dots") {
      options.dots = true;
    } else {
      throw CLI::ValidationError("--gpu-features", "names \"" + feature +
                                                       "\", which is not a feature (there are "
                                                       "subgroups, matrices and dots)");
    }
  }
}

// "f16", "int8", "int4" or "int4:64"
WeightStorage StorageOf(const std::string& text) {
  using Type = WeightStorage::Type;
  static const std::map<std::string, Type> kTypes = {
      {"f16", Type::kFloat16}, {"int8", Type::kInt8}, {"int4", Type::kInt4}};
  const size_t colon = text.find(':');
  auto type = kTypes.find(text.substr(0, colon));
  if (type == kTypes.end()) Misused("--quantize", text, "f16, int8, int4 or int4:BLOCK");
  WeightStorage storage{type->second};
  if (colon == std::string::npos) return storage;
  bool is_block = CLI::detail::lexical_cast(text.substr(colon + 1), storage.block) &&
                  storage.block >= 16 && storage.block <= 1024 && storage.block % 16 == 0;
  if (type->second != Type::kInt4 || !is_block)
    Misused("--quantize", text, "int4:BLOCK, where BLOCK is a multiple of 16 up to 1024");
  return storage;
}

// "60kB", "1.5 MB", "2MiB" or a number of bytes.
int64_t SizeOf(const std::string& flag, const std::string& text) {
  static const std::map<std::string, double> kUnits = {
      {"", 1},     {"B", 1},         {"kB", 1e3},      {"KB", 1e3},      {"MB", 1e6},
      {"GB", 1e9}, {"kiB", 1 << 10}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  size_t end = 0;
  double number = 0;
  try {
    number = std::stod(text, &end);
  } catch (const std::exception&) {
    Misused(flag, text, "SIZE, such as 60kB or 1.5MB");
  }
  while (end < text.size() && text[end] == ' ') ++end;
  auto unit = kUnits.find(text.substr(end));
  if (unit == kUnits.end() || !(number >= 0) || number * unit->second > 1e15)
    Misused(flag, text, "SIZE, such as 60kB or 1.5MB");
  return std::llround(number * unit->second);
}

// "0.02" or "2%"
double PartOf(const std::string& flag, const std::string& text) {
  const bool percent = text.ends_with('%');
  double number = 0;
  bool read = CLI::detail::lexical_cast(text.substr(0, text.size() - percent), number);
  if (!read || !(number >= 0)) Misused(flag, text, "X, such as 0.02 or 2%");
  return percent ? number / 100 : number;
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

std::string WithoutFolders(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string WithoutFolders(const ModelFile& model) {
  return (model.key.empty() ? "" : model.key + "=") + WithoutFolders(model.path);
}

// The flags that the result depends on, in a fixed order. Folders are left out: the same model
// gives the same bytes wherever it lies.
std::string CommandLine(const CLI::App& app) {
  static const std::set<std::string> kWithoutEffect = {
      "--output",  "--force",      "--allow-external", "--emit",      "--dump",
      "--explain", "--candidates", "--kernels",        "--quiet",     "--json",
      "--version", "--help",       "--help-steps",     "--help-image"};
  std::string out = "webnnc", models;
  for (const CLI::Option* option : app.get_options()) {
    std::string name = option->get_name();
    if (option->count() == 0 || kWithoutEffect.count(name)) continue;
    if (name == "MODEL") {
      for (const std::string& model : option->results())
        models += " " + Quoted(WithoutFolders(ModelOf(model)));
    } else if (option->get_items_expected_max() == 0) {
      out += " " + name;
    } else {
      for (const std::string& value : option->results())
        out += " " + name + " " + Quoted(WithoutFolders(value));
    }
  }
  return out + models;
}

std::string Steps() {
  std::string out = "Steps, for --emit and as the files of --dump:\n";
  const std::vector<StepInfo> steps = webnnc::Steps();
  size_t width = 0;
  for (const StepInfo& step : steps) width = std::max(width, step.name.size());
  for (const StepInfo& step : steps)
    out += "  " + std::string(step.name) + std::string(width + 2 - step.name.size(), ' ') +
           std::string(step.makes) + "\n";
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
  std::cerr << "webnnc: error: " << Printable(message) << "\n";
  // It takes all files behind it, the model's too.
  if (dynamic_cast<const CLI::RequiredError*>(&error) && app.count("--calibrate") > 0)
    std::cerr << "  note: what follows --calibrate are its files: write MODEL before it\n";
  std::cerr << "  note: webnnc --help lists all flags\n";
  return kMisused;
}

// Texts that become more than text.
struct Raw {
  std::vector<std::string> models, dims, inputs;
  std::string targets = "webgpu,wasm", gpu_features, quantize, precision, error;
  std::string code_size, weights, memory, require;
  std::optional<int64_t> dispatches;
};

void AddFlags(CLI::App& app, Arguments& arguments, Raw& raw) {
  CompileOptions& options = arguments.options;
  app.add_option("MODEL", raw.models,
                 "the .onnx file; - reads it from standard input. Several become one bundle, each "
                 "named as its file or by NAME=FILE")
      ->type_name("")
      ->required();
  app.add_option("-o,--output", options.output, "the folder to make, or to make anew")
      ->type_name("FOLDER");
  app.add_option("--name", options.name, "what the model is called (else as its file or folder)")
      ->type_name("NAME");
  app.add_option("--dim", raw.dims,
                 "fix a size that is open, such as batch=1, or say what it is likely to be, such "
                 "as batch=?1..8; repeatable")
      ->type_name("NAME=N")
      ->allow_extra_args(false);
  app.add_option("--input", raw.inputs, "give an input's shape: image:1,3,height,width; repeatable")
      ->type_name("NAME:SHAPE")
      ->allow_extra_args(false);
  app.add_option("--state", options.states,
                 "an input that is an output of the run before, such as past_0=present_0, or none; "
                 "repeatable (else as exporters' names tell)")
      ->type_name("INPUT=OUTPUT")
      ->allow_extra_args(false);
  app.add_option("--image", options.images,
                 "take pictures: \"imagenet\", \"resize=cover mean=0.5 std=0.5\"; repeatable")
      ->type_name("[INPUT:]KEYS")
      ->allow_extra_args(false);
  app.add_option("--labels", options.labels, "names, a line each, for an output; repeatable")
      ->type_name("[OUTPUT:]FILE")
      ->allow_extra_args(false);
  app.add_option("--boxes", options.boxes,
                 "how a detector's boxes are read: \"form=pair corners=xyxy\"; repeatable")
      ->type_name("[OUTPUT:]KEYS")
      ->allow_extra_args(false);
  app.add_option("--quantize", raw.quantize,
                 "store weights of float32 in fewer bits: f16, int8, int4, or int4:BLOCK with a "
                 "scale for so many "
                 "(32)")
      ->type_name("TYPE");
  app.add_option("--precision", raw.precision,
                 "compute a float32 model in float16 where that is safe")
      ->check(CLI::IsMember({"f16"}))
      ->option_text("f16");
  app.add_option(
         "--calibrate", options.calibrate,
         "inputs to tell what these two cost on, as .npy files or INPUT=FILE (else some are "
         "made up); repeatable")
      ->type_name("FILE");
  app.add_option("--target", raw.targets, "what to compile for (webgpu,wasm)")->type_name("LIST");
  std::string devices;
  for (std::string_view device : Devices())
    devices += (devices.empty() ? "" : ", ") + std::string(device);
  app.add_option("--device", options.device, "the kind of GPU: " + devices + " (generic)")
      ->type_name("PROFILE");
  app.add_option("--gpu-features", raw.gpu_features,
                 "also shaders for GPUs that have these: subgroups, matrices, dots")
      ->type_name("LIST");
  app.add_flag("--tunable", options.tunable, "let pages measure shaders: load({ tune: true })");
  app.add_option("--allow-external", options.allow_external,
                 "read weights from there, too: a folder or file outside the model's; repeatable")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_flag("--force", options.force, "replace files in FOLDER that webnnc did not write");
  app.add_flag("--json", arguments.json, "print what was built, or the error, as JSON");
  app.add_flag_callback("--no-report", [&] { options.report = false; }, "make no report.html");
  app.add_option("--profile", options.profile, "show the times in this file in report.html")
      ->type_name("FILE");
  app.add_flag("--quiet", arguments.quiet, "print errors only");

  CLI::Option_group* budgets =
      app.add_option_group("Budgets: what the build fails for, with the reason");
  budgets->add_option("--max-code-size", raw.code_size, "of model.js and a module, gzipped")
      ->type_name("SIZE");
  budgets->add_option("--max-weights", raw.weights, "of the weights file")->type_name("SIZE");
  budgets->add_option("--max-memory", raw.memory, "of a run, besides weights")->type_name("SIZE");
  budgets->add_option("--max-dispatches", raw.dispatches, "of a run")->type_name("N");
  budgets
      ->add_option("--max-error", raw.error,
                   "of what --quantize and --precision make of an output: the root of the mean "
                   "square of the difference, by that of the original, as 0.02 or 2%")
      ->type_name("X");
  budgets->add_option("--require", raw.require, "every WebGPU device can run it")
      ->check(CLI::IsMember({"baseline"}))
      ->option_text("baseline");

  app.add_flag_callback(
      "--help-image",
      [] {
        std::cout << PictureHelp();
        throw CLI::Success();
      },
      "list what --image may say");

  CLI::Option_group* inside = app.add_option_group("Looking inside");
  inside->add_option("--schedules", options.schedules, "measured schedules to use")
      ->type_name("FILE");
  // For webnnc tune.
  inside->add_option("--candidates", options.candidates)->check(CLI::Range(1, 4096))->group("");
  inside->add_option("--kernels", options.kernels)->check(CLI::Range(1, 1000000))->group("");
  inside->add_option("--emit", options.emit, "print what a step makes, and stop there")
      ->type_name("STEP");
  inside->add_option("--dump", options.dump, "write what every step makes to a folder")
      ->type_name("FOLDER");
  inside->add_flag("--explain", options.explain, "say what was decided, and why");
  inside->add_flag_callback(
      "--help-steps",
      [] {
        std::cout << Steps();
        throw CLI::Success();
      },
      "list the compiler's steps");
  app.set_version_flag("--version", "webnnc " + std::string(Version()));
}

// No flag means anything by an empty text, which comes from a variable that is not set; but
// --image, whose keys all have defaults.
void CheckValues(const CLI::App& app) {
  for (const CLI::App* group : app.get_subcommands([](const CLI::App*) { return true; }))
    CheckValues(*group);
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() == 0 || option->get_name() == "--image") continue;
    for (const std::string& value : option->results()) {
      if (value.empty()) throw CLI::ValidationError(option->get_name(), "is given an empty value");
    }
  }
}

void Convert(const CLI::App& app, const Raw& raw, CompileOptions& options) {
  for (const std::string& model : raw.models) options.models.push_back(ModelOf(model));
  for (const std::string& dim : raw.dims) AddDim(dim, options);
  for (const std::string& input : raw.inputs) AddInput(input, options);
  for (const std::string& image : options.images) {
    if (auto problem = PictureProblem(image)) throw CLI::ValidationError("--image", *problem);
  }
  SetTargets(raw.targets, options);
  if (!raw.quantize.empty()) options.quantize = StorageOf(raw.quantize);
  options.half_precision = !raw.precision.empty();
  if (!raw.gpu_features.empty()) SetGpuFeatures(raw.gpu_features, options);
  Budgets& budgets = options.budgets;
  if (!raw.code_size.empty()) budgets.code_bytes = SizeOf("--max-code-size", raw.code_size);
  if (!raw.weights.empty()) budgets.weight_bytes = SizeOf("--max-weights", raw.weights);
  if (!raw.memory.empty()) budgets.memory_bytes = SizeOf("--max-memory", raw.memory);
  if (!raw.error.empty()) budgets.error = PartOf("--max-error", raw.error);
  budgets.dispatches = raw.dispatches;
  for (auto [flag, given] : {std::pair("--calibrate", !options.calibrate.empty()),
                             std::pair("--max-error", budgets.error.has_value())}) {
    if (given && !options.quantize && !options.half_precision)
      throw CLI::ValidationError(
          flag, "is about what --quantize and --precision make of results, and neither is given");
  }
  budgets.baseline = !raw.require.empty();
  if (options.output.empty() && options.emit.empty())
    throw CLI::ValidationError("-o", "there is no folder to write to: name one with -o FOLDER");
  options.command = CommandLine(app);
}

}  // namespace

std::optional<Arguments> Parse(int count, char** values, int& exit_code) {
  Arguments arguments;
  Raw raw;
  CLI::App app{
      "Compiles an ONNX model to a folder that a web page imports.\n\n"
      "  webnnc model.onnx -o out/\n"
      "  webnnc model.onnx -o out/ --dim batch=1 --target wasm --max-code-size 60kB\n"
      "  webnnc tune model.onnx --on browser    measures schedules: webnnc tune --help\n",
      "webnnc"};
  AddFlags(app, arguments, raw);
  try {
    app.parse(count, values);
    CheckValues(app);
    Convert(app, raw, arguments.options);
  } catch (const CLI::ParseError& error) {
    exit_code = error.get_exit_code() == 0 ? app.exit(error) : Refuse(app, error);
    return std::nullopt;
  }
  return arguments;
}

}  // namespace webnnc::cli
