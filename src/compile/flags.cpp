#include "compile/flags.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/diagnostics.h"
#include "base/file.h"
#include "base/output_folder.h"
#include "bundle/bundle.h"
#include "target/machine.h"

namespace webnnc {

std::vector<std::string_view> Devices() {
  std::vector<std::string_view> names;
  for (const Machine& machine : GpuMachines()) names.push_back(machine.name);
  return names;
}

static std::string Joined(const std::vector<std::string_view>& names) {
  std::string out;
  for (std::string_view name : names) out += " " + std::string(name);
  return out;
}

Status CheckFlags(const CompileOptions& options) {
  if (!options.webgpu && !options.wasm)
    return Error{"--target names no target", {}, {"the targets are webgpu and wasm"}};
  std::vector<std::string_view> devices = Devices();
  if (std::find(devices.begin(), devices.end(), options.device) == devices.end()) {
    return Error{"--device names " + Quote(options.device) + ", which is not a device",
                 {},
                 {"the devices are" + Joined(devices)}};
  }
  if (!options.emit.empty()) return kSuccess;
  if (options.output.empty())
    return Error{"there is no folder to write to", {}, {"name one with -o FOLDER"}};
  // Made and removed again: better to fail now than after the work.
  if (auto folder = bundle::CreateFolder(options.output, options.force); !folder)
    return folder.error();
  return kSuccess;
}

// A size on the command line: "3" or "height".
static Result<Dim> SizeOf(const std::string& text, const std::string& input) {
  std::string flag = "--input " + input + ": ";
  if (text.empty())
    return Error{flag + "a size is missing", {}, {"write sizes as 1,3,height,width"}};
  bool number = text.find_first_not_of("-+0123456789") == std::string::npos;
  if (!number) {
    Lexer lexer(text);
    auto name = lexer.Word();
    if (name && lexer.AtEnd()) return Dim::Symbol(name.value());
    return Error{flag + Quote(text) + " is neither a size nor a name"};
  }
  char* end = nullptr;
  errno = 0;
  int64_t size = std::strtoll(text.c_str(), &end, 10);
  if (*end != '\0' || errno != 0 || size < 1 || size > INT32_MAX) {
    return Error{flag + text + " is not a size from 1 to " + std::to_string(INT32_MAX)};
  }
  return Dim(size);
}

Result<onnx::ImportOptions> ImportOptionsOf(const CompileOptions& options) {
  onnx::ImportOptions result;
  for (const auto& [name, size] : options.dims) {
    if (size < 1 || size > INT32_MAX) {
      return Error{"--dim " + name + ": " + std::to_string(size) + " is not a size from 1 to " +
                   std::to_string(INT32_MAX)};
    }
  }
  result.dims = options.dims;
  for (const auto& [name, sizes] : options.input_shapes) {
    Shape& shape = result.input_shapes[name];
    for (const std::string& size : sizes) {
      TRY_ASSIGN(Dim dim, SizeOf(size, name));
      shape.push_back(dim);
    }
  }
  return result;
}

Result<schedule::Database> ReadSchedules(const CompileOptions& options) {
  if (options.schedules.empty()) return schedule::Database();
  TRY_ASSIGN(auto text, ReadFile(options.schedules));
  auto database = schedule::Database::Parse(text);
  if (database) return database;
  std::string described = Describe(database.error(), text);
  described.pop_back();
  return Error{"--schedules " + options.schedules + ":" + described};
}

Result<bundle::ReportOptions> ReportOptionsOf(const CompileOptions& options) {
  bundle::ReportOptions report{options.report, {}, {}};
  if (!report.wanted) return report;
  auto previous = ReadFile((std::filesystem::path(options.output) / "report.html").string());
  if (previous) report.previous = std::move(previous.value());
  if (options.profile.empty()) return report;
  auto profile = ReadFile(options.profile);
  if (!profile) return Error{"--profile: " + profile.error().message};
  report.profile = std::move(profile.value());
  return report;
}

}  // namespace webnnc
