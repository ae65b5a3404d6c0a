#include "compile/trace.h"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/diagnostics.h"
#include "base/file.h"
#include "compile/steps.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "loop/parameters.h"
#include "loop/text.h"
#include "loop/verify.h"

namespace webnnc {

namespace {

// A verifier's error is a bug of the step before it.
[[noreturn]] void Abort(std::string_view step, const Error& error, const std::string& text) {
  std::fprintf(stderr, "internal error: step %s made something wrong\n%s",
               std::string(step).c_str(), Describe(error, text).c_str());
  std::abort();
}

bool IsScheduled(const plan::Kernel& kernel) { return kernel.flat.buffers.size() > 0; }

void VerifyKernel(std::string_view step, const plan::Kernel& kernel) {
  if (Status status = loop::VerifyPlain(kernel.plain); !status) {
    Abort(step, status.error(), loop::Print(kernel.plain));
  }
  if (!IsScheduled(kernel)) return;
  if (Status status = loop::VerifyFlat(kernel.flat); !status) {
    Abort(step, status.error(), loop::Print(kernel.flat));
  }
}

void VerifySteps(std::string_view step, const plan::Program& program) {
  for (const plan::Launch* run : LaunchesOf(program)) {
    const plan::Kernel& kernel = program.KernelsAt(run->place)[run->kernel];
    if (loop::ParametersOf(kernel.plain).size() != run->arguments.size()) {
      Abort(step, Error{"a step gives a kernel another number of buffers than it takes"}, "");
    }
  }
}

std::string PrintKernel(const plan::Program& program, plan::KernelId id) {
  const plan::Kernel& kernel = program.kernels[id];
  std::string out = "\n; computes";
  for (const std::string& origin : plan::OriginsOf(program, id)) out += " " + QuoteName(origin);
  out += "\n" + loop::Print(kernel.plain);
  if (!IsScheduled(kernel)) return out;
  for (const plan::Kernel& part : kernel.parts)
    out += "; @" + QuoteName(part.plain.name) + "\n" + schedule::Print(part.schedule);
  if (kernel.parts.empty()) out += schedule::Print(kernel.schedule);
  return out + "; flat\n" + loop::Print(kernel.flat);
}

std::string PrintPrograms(const Model& model) {
  std::string out;
  for (const plan::Program* program : model.programs()) {
    out += (out.empty() ? "" : "\n") + plan::Print(*program);
    for (int32_t k = 0; k < program->kernels.size(); ++k)
      out += PrintKernel(*program, plan::KernelId{k});
  }
  return out;
}

std::string Listing() {
  std::string out = "the steps are";
  for (const Step& step : kSteps) out += " " + std::string(step.name);
  return out;
}

}  // namespace

Trace::Trace(const CompileOptions& options)
    : options_(options), last_(std::chrono::steady_clock::now()) {}

Status Trace::Start() {
  if (!options_.emit.empty() && !FindStep(options_.emit)) {
    return Error{"--emit names " + Quote(options_.emit) + ", which is not a step", {}, {Listing()}};
  }
  if (!options_.dump.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options_.dump, error);
    if (error)
      return Error{"--dump: cannot make the folder " + options_.dump + ": " + error.message()};
  }
  if (options_.progress) options_.progress(kSteps[0].name, 0);
  return kSuccess;
}

Status Trace::Graphs(std::string_view step, const Code& code) {
  size_t number = FindStep(step).value();
  Record(number);
  auto print = [](const Model& model) { return graph::Print(model.last_graph()); };
  for (const Model& model : code.models) {
    if (Status status = graph::Verify(model.last_graph()); !status)
      Abort(step, status.error(), print(model));
  }
  return Show(number, [&] { return PrintEach(code, "; ", print); });
}

Status Trace::Programs(std::string_view step, const Code& code) {
  size_t number = FindStep(step).value();
  Record(number);
  for (const Model& model : code.models) {
    for (const plan::Variant& variant : model.variants) {
      for (const plan::Kernel& kernel : variant.program.kernels) VerifyKernel(step, kernel);
      VerifySteps(step, variant.program);
    }
  }
  return Show(number, [&] { return PrintEach(code, "; ", PrintPrograms); });
}

Status Trace::operator()(std::string_view step, const std::function<std::string()>& print) {
  size_t number = FindStep(step).value();
  Record(number);
  return Show(number, print);
}

// The part of all work that is done when so many steps are.
static double DoneBefore(size_t steps) {
  int done = 0, total = 0;
  for (size_t i = 0; i < kStepCount; ++i) {
    if (i < steps) done += kSteps[i].share;
    total += kSteps[i].share;
  }
  return static_cast<double>(done) / total;
}

void Trace::Part(std::string_view step, double part) const {
  if (!options_.progress) return;
  const std::string text =
      std::string(step) + ", " + std::to_string(static_cast<int>(part * 100)) + " % of it";
  options_.progress(text, DoneBefore(FindStep(step).value()));
}

void Trace::Record(size_t step) {
  auto now = std::chrono::steady_clock::now();
  seconds_.push_back({step, std::chrono::duration<double>(now - last_).count()});
  last_ = now;
  if (!options_.progress || step + 1 == kStepCount) return;
  options_.progress(kSteps[step + 1].name, DoneBefore(step + 1));
}

Status Trace::Show(size_t step, const std::function<std::string()>& print) {
  bool emits = options_.emit == kSteps[step].name;
  if (!emits && options_.dump.empty()) return kSuccess;
  std::string text = print();
  if (!options_.dump.empty()) {
    std::string number = std::to_string(step + 1);
    std::string name = (number.size() < 2 ? "0" : "") + number + "-" +
                       std::string(kSteps[step].name) + "." + std::string(kSteps[step].ending);
    TRY(WriteFile((std::filesystem::path(options_.dump) / name).string(), text));
  }
  if (!emits) {
    // Printing is no part of the next step.
    last_ = std::chrono::steady_clock::now();
    return kSuccess;
  }
  options_.print(text);
  ended_ = true;
  return Error{"nothing more was asked for"};
}

void Trace::Explain(const std::function<std::string()>& print) {
  if (options_.explain) options_.print(print());
}

std::string Trace::Times() const {
  std::string out = "times\n";
  for (auto [step, seconds] : seconds_) {
    char line[64];
    std::snprintf(line, sizeof(line), "  %-16s %8.1f ms\n", std::string(kSteps[step].name).c_str(),
                  seconds * 1e3);
    out += line;
  }
  return out;
}

}  // namespace webnnc
