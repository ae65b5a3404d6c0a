// The whole compiler, from the file to the folder. Each step is one call; what it takes for granted
// and what holds from there on is said beside it. Steps are named in compile/steps.h.
#include "wasm/compile.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bundle/bundle.h"
#include "bundle/identity.h"
#include "compile/boxes.h"
#include "compile/budgets.h"
#include "compile/explain.h"
#include "compile/failure.h"
#include "compile/flags.h"
#include "compile/likely.h"
#include "compile/limits.h"
#include "compile/pictures.h"
#include "compile/shaders.h"
#include "compile/states.h"
#include "compile/steps.h"
#include "compile/trace.h"
#include "compile/variants.h"
#include "digest/sha256.h"
#include "graph/ops/regions.h"
#include "graph/passes/block_cumulations.h"
#include "graph/passes/choose_layouts.h"
#include "graph/passes/expand_attention.h"
#include "graph/passes/find_attention.h"
#include "graph/passes/fold_constants.h"
#include "graph/passes/fold_scales.h"
#include "graph/passes/merge_common.h"
#include "graph/passes/part_scatters.h"
#include "graph/passes/simplify.h"
#include "graph/passes/split_concats.h"
#include "onnx/import.h"
#include "onnx/outline.h"
#include "plan/merge_kernels.h"
#include "plan/pack_weights.h"
#include "webnnc/compiler.h"

namespace webnnc {

namespace {

using plan::Warn;

// What was built, and what a user should know of it.
std::string WithWarnings(const std::string& description, const std::vector<std::string>& warnings) {
  using Json = nlohmann::ordered_json;
  Json json = Json::parse(description);
  json["warnings"] = warnings;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void WarnOfAssumptions(const Warn& warn, const std::vector<Assumption>& assumptions) {
  if (assumptions.empty()) return;
  constexpr size_t kMostListed = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kMostListed, assumptions.size()); ++i)
    text += (i ? ", " : "") + Describe(assumptions[i]);
  if (assumptions.size() > kMostListed)
    text += " and " + std::to_string(assumptions.size() - kMostListed) +
            " more, which report.html lists";
  warn("a run will be refused unless " + text);
}

// What the bundle says of the file that was compiled.
Result<bundle::Source> SourceOf(const onnx::Model& model) {
  TRY_ASSIGN(auto outline, onnx::OutlineOf(model));
  std::span<const uint8_t> bytes = model.file().bytes;
  return bundle::Source{std::filesystem::path(model.path()).filename().string(),
                        static_cast<int64_t>(bytes.size()), digest::Sha256(bytes),
                        std::move(outline)};
}

// "wasm", "relaxed-wasm"
std::string StepOf(const std::string& module) {
  return module == "wasm" ? module : module + "-wasm";
}

Status Run(const CompileOptions& options, Trace& trace) {
  TRY(trace.Start());
  TRY(CheckFlags(options));
  TRY_ASSIGN(auto import_options, ImportOptionsOf(options));
  TRY_ASSIGN(auto measured, ReadSchedules(options));
  std::vector<std::string> warnings;
  Warn warn = [&](const std::string& text) {
    // A model that is imported again says the same again.
    if (std::find(warnings.begin(), warnings.end(), text) != warnings.end()) return;
    warnings.push_back(text);
    if (options.warn) options.warn(text);
  };
  import_options.warn = warn;

  // ---- What to compute ------------------------------------------------------------------------

  TRY_ASSIGN(auto model, onnx::Model::Load(options.model, options.allow_external));
  TRY_ASSIGN(auto graph, onnx::Import(model, import_options));
  // Operations clamp indices; what a model may not be given is told or checked.
  TRY_ASSIGN(auto indices, graph::CheckIndices(graph));
  TRY(trace("import", graph));
  // Beyond this point there is no ONNX: operations have one meaning whatever the opset, and shapes
  // that the model computes are sizes in types.

  // What --image asks for is a piece of graph before the inputs, so that all that follows has it
  // for nothing.
  TRY_ASSIGN(auto labels, ReadLabels(options, graph));
  TRY_ASSIGN(auto boxes, ReadBoxes(options, graph));
  TRY_ASSIGN(auto pictures, PreparePictures(options, graph));
  TRY(trace("pictures", graph));
  TRY_ASSIGN(auto states, StatesOf(options, model, graph));
  TRY_ASSIGN(auto likely, LikelySizesOf(options, graph));

  // Importers write what is easiest to read. What of it is constant goes first, so that later
  // passes see weights where they look for weights.
  graph::EvaluationBudget budget;
  // Bodies are graphs as the whole is.
  auto on_all = [](graph::Graph& whole, auto pass) { graph::ForEachGraph(whole, pass); };
  on_all(graph, [&](graph::Graph& g) { graph::FoldConstants(g, budget); });
  TRY(trace("fold-constants", graph));

  on_all(graph, graph::Simplify);
  on_all(graph, graph::MergeCommon);
  TRY(trace("simplify", graph));

  // Sums and products behind convolutions, after Simplify has made them canonical.
  on_all(graph, [&](graph::Graph& g) { graph::FoldScales(g, budget); });
  TRY(trace("fold-scales", graph));

  // Behind FoldScales, since a factor that weights take costs nothing.
  on_all(graph, graph::FindAttention);
  TRY(trace("find-attention", graph));

  // On the final set of convolutions, since it is they that have a preference.
  on_all(graph, [](graph::Graph& g) { graph::ChooseLayouts(g, WasmMachine()); });
  TRY(trace("layouts", graph));

  // Before transposes meet, since it adds some.
  on_all(graph, graph::ExpandAttention);
  TRY(trace("expand-attention", graph));

  // Layouts are written as transposes. The first round cancels those that meet; only then are
  // reshapes beside each other, which the second round merges. Transposed weights are constants.
  on_all(graph, graph::Simplify);
  on_all(graph, graph::Simplify);
  on_all(graph, [&](graph::Graph& g) { graph::FoldConstants(g, budget); });
  on_all(graph, graph::MergeCommon);
  TRY(trace("transposes", graph));
  // Choosing from which of very many tensors an element comes would be code without end.
  constexpr size_t kMostConcatenated = 256;
  on_all(graph, [](graph::Graph& g) { graph::SplitConcats(g, kMostConcatenated); });
  const Machine& gpu_machine = *FindGpuMachine(options.device);
  // Every kernel of a GPU binds its result and at most so many operands, and runs through a row in
  // one thread. The CPU has no such limit, and no use for the copies.
  std::optional<graph::Graph> gpu_graph;
  if (options.webgpu) {
    gpu_graph = graph;
    on_all(*gpu_graph, [&](graph::Graph& g) {
      graph::SplitConcats(g, static_cast<size_t>(gpu_machine.max_buffers) - 1);
      graph::BlockCumulations(g, gpu_machine.cumulations);
      graph::PartScatters(g, gpu_machine.scatters);
    });
  }
  TRY(trace("split-concats", gpu_graph ? *gpu_graph : graph));
  // Beyond this point the graphs do not change.

  // ---- How, where and when --------------------------------------------------------------------

  Code code;
  code.assumptions = graph::AssumedAlways(graph);
  WarnOfAssumptions(warn, code.assumptions);
  code.likely = std::move(likely);
  code.indices = std::move(indices);
  Graphs graphs{options.wasm ? &graph : nullptr, gpu_graph ? &*gpu_graph : nullptr};
  TRY(FormVariants(code, graphs, gpu_machine, warn));
  TRY(trace("program", code));
  TRY(CheckSizes(code));
  TRY_ASSIGN(auto slow, CheckWork(code));
  if (!slow.empty()) warn(slow);

  // Schedules are chosen for weights as they will be, so packing comes first.
  // Only then can be seen which kernels are the same.
  for (plan::Variant& variant : code.variants) {
    plan::PackWeights(variant.program, code.weights);
    plan::MergeKernels(variant.program);
  }
  TRY(trace("pack-weights", code));
  TRY(CheckKernels(code));

  TRY(ScheduleVariants(code, measured, warn));
  bundle::PlaceWeights(code.programs(), code.weights);
  TRY(trace("schedule", code));
  TRY(trace("schedules", [&] { return SchedulesOf(code).Print(); }));
  TRY(trace("lowering", [&] { return PrintLowering(code); }));
  // Beyond this point programs do not change: kernels are flat, weights have their places.

  TRY(trace("memory", [&] { return PrintMemory(code); }));
  trace.Explain([&] { return Explain(code); });

  // ---- Code -----------------------------------------------------------------------------------

  for (plan::Variant& variant : code.variants) {
    if (variant.target().IsGpu()) TRY(EmitShaders(variant));
  }
  TRY(trace("spirv", [&] { return PrintSpirv(code); }));
  TRY(trace("wgsl", [&] { return PrintWgsl(code); }));

  // Modules differ in the CPU's kernels alone.
  bundle::WeightsFile weights = bundle::DescribeWeights(code.programs(), code.weights);
  std::vector<wasm::Build> builds;
  for (FeatureSet features : plan::Modules())
    builds.push_back({WasmInput(code, features, weights), features});
  TRY(trace("llvm", [&] { return wasm::PrintLlvm(builds[0]); }));
  TRY_ASSIGN(auto linked, wasm::Compile(builds));
  std::vector<bundle::Module> modules;
  for (size_t m = 0; m < builds.size(); ++m) {
    modules.push_back({builds[m].features, std::move(linked[m].bytes)});
    TRY(trace(StepOf(modules[m].key()), [&] { return modules[m].bytes; }));
  }

  // ---- The folder -----------------------------------------------------------------------------

  bundle::Contents contents = BundleContents(code, NameOf(options, model.proto().graph().name()));
  contents.weights_file = std::move(weights);
  contents.pictures = std::move(pictures);
  contents.labels = std::move(labels);
  contents.states = std::move(states);
  contents.boxes = std::move(boxes);
  contents.version = Version();
  contents.command = options.command;
  TRY_ASSIGN(contents.source, SourceOf(model));
  contents.function_bytes = std::move(linked[0].function_bytes);
  contents.build = bundle::BuildId(contents, modules);
  // The sections make each module describe itself, its build included.
  std::string sections = wasm::CustomSection("webnnc.manifest", bundle::Manifest(contents)) +
                         wasm::CustomSection("webnnc.shaders", bundle::Shaders(contents));
  for (bundle::Module& module : modules) module.bytes += sections;

  TRY_ASSIGN(auto folder, bundle::CreateFolder(options.output, options.force));
  TRY_ASSIGN(auto report, ReportOptionsOf(options));
  TRY_ASSIGN(auto description, bundle::Write(contents, modules, report, folder));
  TRY(CheckBudgets(options.budgets, description));
  TRY(folder.Commit());
  TRY(trace("bundle", [&] { return bundle::Manifest(contents) + "\n"; }));
  trace.Explain([&] { return trace.Times(); });
  if (options.done) {
    Summary summary = SummaryOf(code, static_cast<int64_t>(modules[0].bytes.size()));
    summary.description = WithWarnings(description, warnings);
    options.done(summary);
  }
  return kSuccess;
}

}  // namespace

std::optional<Failure> Compile(const CompileOptions& options) {
  Trace trace(options);
  Status status = Run(options, trace);
  if (status || trace.ended()) return std::nullopt;
  return FailureOf(options.model, status.error());
}

std::vector<StepInfo> Steps() {
  std::vector<StepInfo> steps;
  for (const Step& step : kSteps) steps.push_back({step.name, step.makes});
  return steps;
}

std::string_view Version() { return WEBNNC_VERSION; }

}  // namespace webnnc
