#include "bundle/profile_script.h"

#include "bundle/alternatives_script.h"
#include "bundle/identity.h"
#include "bundle/page.h"
#include "bundle/size_script.h"
#include "plan/work.h"

namespace webnnc::bundle {

namespace {

// What stands in runtime-js/work.js where the work belongs, and in tune/alternatives.js.
constexpr std::string_view kWork = "globalThis.__webnnc_work__";
constexpr std::string_view kAlternatives = "globalThis.__webnnc_alternatives__";

// One a step.
std::string ProgramScript(const plan::Program& program, const SizePrinter& sizes) {
  std::vector<Dim> operations;
  std::vector<std::vector<Dim>> touched;
  for (const plan::Kernel& kernel : program.kernels) {
    operations.push_back(plan::Operations(kernel.plain));
    touched.push_back(plan::ElementsTouched(kernel.plain));
  }
  std::vector<std::string> steps;
  for (const plan::Launch* launch : LaunchesOf(program, plan::Place::kDevice)) {
    auto kernel = static_cast<size_t>(launch->kernel.index);
    Dim bytes = plan::BytesMoved(program, *launch, touched[kernel]);
    steps.push_back("s=>[" + sizes.Print(operations[kernel]) + "," + sizes.Print(bytes) + "]");
  }
  return ListOf(steps);
}

}  // namespace

std::string WorkScript(const Contents& contents) {
  return ScriptOfPrograms(
      contents, [](const plan::Variant& variant, const ModelContents&, const SizePrinter& sizes) {
        return ProgramScript(variant.program, sizes);
      });
}

std::string ProfileScript(const Contents& contents, const std::string& record) {
  std::string script = WithBuildRecord(PageFile("model.profile.js"), record);
  auto fill = [&](std::string_view placeholder, const std::string& text) {
    size_t at = script.find(placeholder);
    CHECK(at != std::string::npos);
    script.replace(at, placeholder.size(), text);
  };
  fill(kWork, WorkScript(contents));
  fill(kAlternatives, AlternativesScript(contents));
  return script;
}

}  // namespace webnnc::bundle
