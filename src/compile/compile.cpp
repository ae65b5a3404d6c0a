// The whole compiler, from the file to the folder. Each step is one call; what it takes for granted
// and what holds from there on is said beside it. Steps are named in compile/steps.h.
#include "wasm/compile.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "bundle/bundle.h"
#include "bundle/identity.h"
#include "compile/alternatives.h"
#include "compile/boxes.h"
#include "compile/budgets.h"
#include "compile/candidates.h"
#include "compile/dispatches.h"
#include "compile/explain.h"
#include "compile/failure.h"
#include "compile/flags.h"
#include "compile/likely.h"
#include "compile/limits.h"
#include "compile/model_flags.h"
#include "compile/models.h"
#include "compile/pictures.h"
#include "compile/quantize.h"
#include "compile/shaders.h"
#include "compile/states.h"
#include "compile/steps.h"
#include "compile/threads.h"
#include "compile/trace.h"
#include "compile/variants.h"
#include "digest/sha256.h"
#include "graph/ops/regions.h"
#include "graph/passes/append_states.h"
#include "graph/passes/block_cumulations.h"
#include "graph/passes/choose_layouts.h"
#include "graph/passes/choose_sorts.h"
#include "graph/passes/expand_attention.h"
#include "graph/passes/find_attention.h"
#include "graph/passes/fold_constants.h"
#include "graph/passes/fold_scales.h"
#include "graph/passes/keep_integers.h"
#include "graph/passes/merge_common.h"
#include "graph/passes/merge_siblings.h"
#include "graph/passes/move_rows.h"
#include "graph/passes/narrow_factors.h"
#include "graph/passes/part_scatters.h"
#include "graph/passes/separate_windows.h"
#include "graph/passes/simplify.h"
#include "graph/passes/split_concats.h"
#include "graph/passes/subpixel_convolutions.h"
#include "graph/passes/sum_in_floats.h"
#include "onnx/import.h"
#include "onnx/outline.h"
#include "plan/factor_reductions.h"
#include "plan/fuse_launches.h"
#include "plan/merge_kernels.h"
#include "plan/pack_weights.h"
#include "plan/repack_weights.h"
#include "plan/share_constants.h"
#include "plan/transform_windows.h"
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

// What is said of models; what is said again, of a model that is imported again, is left out.
class Warnings {
 public:
  explicit Warnings(const CompileOptions& options) : options_(options) {}

  Warn Of(const Model& model) {
    return [this, &model](const std::string& text) { Add(model, text); };
  }
  // In the order in which they were said; of several models each with its key.
  const std::vector<std::string>& all() const { return all_; }

 private:
  void Add(const Model& model, const std::string& text) {
    std::string said = (options_.models.size() > 1 ? model.key + ": " : "") + text;
    if (std::find(all_.begin(), all_.end(), said) != all_.end()) return;
    all_.push_back(said);
    if (options_.warn) options_.warn(model.path(), text);
  }

  const CompileOptions& options_;
  std::vector<std::string> all_;
};

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

// What the bundle says of a file that was compiled.
Result<bundle::Source> SourceOf(const Model& model) {
  TRY_ASSIGN(auto outline, onnx::OutlineOf(model.file));
  std::span<const uint8_t> bytes = model.file.file().bytes;
  return bundle::Source{std::filesystem::path(model.path()).filename().string(),
                        static_cast<int64_t>(bytes.size()), digest::Sha256(bytes),
                        std::move(outline)};
}

// "wasm", "relaxed-wasm", "relaxed-threads-wasm"
std::string StepOf(FeatureSet features) { return (Suffix(features, '-') + "-wasm").substr(1); }

// What CPUs compute that multiply bytes, if any model gains by it: a module has all models.
void NarrowForDots(const CompileOptions& options, Code& code) {
  bool any = false;
  for (Model& model : code.models) {
    if (!options.wasm) continue;
    model.dots_graph = model.graph;
    graph::ForEachGraph(*model.dots_graph, [&](graph::Graph& g) {
      graph::NarrowFactors(g, model.budget, graph::ByteFactors::kEither);
      any |= graph::HasEitherByte(g);
    });
  }
  if (any) return;
  for (Model& model : code.models) model.dots_graph.reset();
}

// `subject` becomes what an error is about: a model's file, or all of them.
Status Run(const CompileOptions& options, Trace& trace, std::string& subject) {
  TRY(trace.Start());
  TRY(CheckFlags(options));
  TRY_ASSIGN(auto measured, ReadSchedules(options));
  Code code;
  TRY_ASSIGN(code.models, ModelsOf(options));
  Warnings warnings(options);

  // What is done to each model: by itself, and to all graphs of it, since bodies are graphs as the
  // whole is.
  auto each = [&](auto step) -> Status {
    const std::string all = std::exchange(subject, "");
    for (Model& model : code.models) {
      subject = model.path();
      TRY(step(model));
    }
    subject = all;
    return kSuccess;
  };
  auto on_all = [&](auto pass) {
    for (Model& model : code.models) graph::ForEachGraph(model.graph, pass);
  };
  auto fold = [&](auto pass) {
    for (Model& model : code.models)
      graph::ForEachGraph(model.graph, [&](graph::Graph& graph) { pass(graph, model.budget); });
  };

  // ---- What to compute ------------------------------------------------------------------------

  TRY(each([&](Model& model) -> Status {
    TRY_ASSIGN(model.file, onnx::Model::Load(model.path(), options.allow_external));
    return kSuccess;
  }));
  TRY(GiveSizeFlags(options, code.models));
  TRY(each([&](Model& model) -> Status {
    TRY_ASSIGN(auto import_options, ImportOptionsOf(model.options));
    import_options.warn = warnings.Of(model);
    import_options.is_state = StateNames(options);
    TRY_ASSIGN(model.graph, onnx::Import(model.file, import_options));
    // Operations clamp indices; what a model may not be given is told or checked.
    TRY_ASSIGN(model.indices, graph::CheckIndices(model.graph));
    return kSuccess;
  }));
  TRY(trace.Graphs("import", code));
  // Beyond this point there is no ONNX: operations have one meaning whatever the opset, and shapes
  // that the model computes are sizes in types.

  TRY(GivePortFlags(options, code.models));
  // What --image asks for is a piece of graph before the inputs, so that all that follows has it
  // for nothing.
  TRY(each([&](Model& model) -> Status {
    TRY_ASSIGN(model.labels, ReadLabels(model.options, model.graph));
    TRY_ASSIGN(model.boxes, ReadBoxes(model.options, model.graph));
    TRY_ASSIGN(model.pictures, PreparePictures(model.options, model.graph));
    return kSuccess;
  }));
  TRY(trace.Graphs("pictures", code));
  TRY(each([&](Model& model) -> Status {
    TRY_ASSIGN(model.states, StatesOf(model.options, model.file, model.graph));
    TRY_ASSIGN(model.likely, LikelySizesOf(model.options, model.graph));
    return kSuccess;
  }));

  // Importers write what is easiest to read. What of it is constant goes first, so that later
  // passes see weights where they look for weights.
  fold(graph::FoldConstants);
  TRY(trace.Graphs("fold-constants", code));

  on_all(graph::Simplify);
  on_all(graph::MergeCommon);
  for (Model& model : code.models) {
    // The transposes that it adds meet others, now and later.
    if (graph::AppendStates(model.graph, model.states)) graph::Simplify(model.graph);
  }
  TRY(each([](Model& model) {
    return SetCapacities(model.options, model.file, model.graph, model.states);
  }));
  TRY(trace.Graphs("simplify", code));

  // What quantised networks are in integers, after Simplify has made it canonical; what it is in
  // constants are scales and weights.
  fold(graph::KeepIntegers);
  fold(graph::FoldConstants);
  on_all(graph::Simplify);
  on_all(graph::MergeCommon);
  TRY(trace.Graphs("keep-integers", code));

  // Sums and products behind convolutions, after Simplify has made them canonical.
  fold(graph::FoldScales);
  TRY(trace.Graphs("fold-scales", code));

  // Behind FoldScales, since a factor that weights take costs nothing.
  on_all(graph::FindAttention);
  TRY(trace.Graphs("find-attention", code));

  // On the final set of convolutions, since it is they that have a preference.
  on_all([](graph::Graph& g) { graph::ChooseLayouts(g, WasmMachine()); });
  TRY(trace.Graphs("layouts", code));

  // Before transposes meet, since it adds some.
  on_all(graph::ExpandAttention);
  TRY(trace.Graphs("expand-attention", code));

  // Layouts are written as transposes. The first round cancels those that meet; only then are
  // reshapes beside each other, which the second round merges. Transposed weights are constants.
  on_all(graph::Simplify);
  on_all(graph::Simplify);
  fold(graph::FoldConstants);
  // On filters that are constants under their layout; what it makes of them is folded in turn.
  on_all(graph::SubpixelConvolutions);
  on_all(graph::SeparateWindows);
  on_all(graph::Simplify);
  fold(graph::FoldConstants);
  on_all(graph::MergeCommon);
  TRY(trace.Graphs("transposes", code));

  // On moves as they are left. Those that go back meet others.
  on_all(graph::MoveRows);
  on_all(graph::Simplify);
  TRY(trace.Graphs("move-rows", code));

  // Where all that products share is one value, and all that weights are made of is in them. On the
  // graphs of both targets, which share the weights: a CPU has nothing to gain, and loses nothing.
  const Machine& gpu_machine = *FindGpuMachine(options.device);
  if (options.webgpu) {
    std::vector<graph::Graph*> all;
    on_all([&](graph::Graph& g) { all.push_back(&g); });
    graph::MergeSiblings(all, gpu_machine);
  }
  TRY(trace.Graphs("siblings", code));

  // On weights as they are read, which no pass makes other ones of from here on.
  if (options.quantize || options.half_precision) {
    auto part = [&](double done) { trace.Part("quantize", done); };
    TRY(each([&](Model& model) { return QuantizeModel(model, warnings.Of(model), part); }));
    TRY(CheckQuantized(code.models, options));
  }
  TRY(trace.Graphs("quantize", code));

  // Choosing from which of very many tensors an element comes would be code without end.
  constexpr size_t kMostConcatenated = 256;
  on_all([](graph::Graph& g) { graph::SplitConcats(g, kMostConcatenated); });
  // Every kernel of a GPU binds its result and at most so many operands, and runs through a row in
  // one thread. The CPU has no such limit, and no use for the copies.
  NarrowForDots(options, code);
  for (Model& model : code.models) {
    if (!options.webgpu) continue;
    model.gpu_graph = model.graph;
    if (graph::ChooseSortsForGpu(*model.gpu_graph)) {
      graph::ForEachGraph(*model.gpu_graph, graph::Simplify);
      graph::ForEachGraph(*model.gpu_graph, graph::MergeCommon);
    }
    graph::ForEachGraph(*model.gpu_graph, [&](graph::Graph& g) {
      if (options.dots) graph::NarrowFactors(g, model.budget, graph::ByteFactors::kSigned);
      graph::SumInFloats(g, model.budget);
      graph::SplitConcats(g, static_cast<size_t>(gpu_machine.max_buffers) - 1);
      graph::BlockCumulations(g, gpu_machine.cumulations);
      graph::PartScatters(g, gpu_machine.scatters);
    });
  }
  on_all(graph::ChooseSortsForCpu);
  TRY(trace.Graphs("split-concats", code));
  // Beyond this point the graphs do not change.

  // ---- How, where and when --------------------------------------------------------------------

  TRY(each([&](Model& model) -> Status {
    model.assumptions = graph::AssumedAlways(model.graph);
    WarnOfAssumptions(warnings.Of(model), model.assumptions);
    return FormVariants(model, code.weights, gpu_machine, warnings.Of(model));
  }));
  TRY(trace.Programs("program", code));
  TRY(each(CheckSizes));
  TRY(CheckMemory(code));
  TRY(each([&](Model& model) -> Status {
    TRY_ASSIGN(auto slow, CheckWork(model));
    if (!slow.empty()) warnings.Of(model)(slow);
    return kSuccess;
  }));

  // Schedules are chosen for weights as they will be, so packing comes first.
  // Only then can be seen which kernels are the same.
  for (plan::Program* program : code.all_programs()) plan::PackWeights(*program, code.weights);
  for (plan::Program* program : code.all_programs()) {
    plan::PackLikeOthers(*program, code.weights);
    plan::ShareConstants(*program, code.weights);
    plan::MergeKernels(*program);
  }
  TRY(trace.Programs("pack-weights", code));
  // Beyond this point weights have their layouts, which programs share.

  for (Model& model : code.models) {
    for (plan::Variant& variant : model.variants) {
      if (!variant.target().IsGpu()) {
        plan::TransformWindows(variant.program, model.likely);
        continue;
      }
      plan::FactorReductions(variant.program, model.likely);
      plan::FuseLaunches(variant.program, model.likely);
    }
  }
  TRY(trace.Programs("factor-reductions", code));
  TRY(each(CheckKernels));

  TRY(each([&](Model& model) { return ScheduleVariants(model, measured, warnings.Of(model)); }));
  TRY(AgreeOnPanels(code, measured));
  for (plan::Program* program : code.all_programs()) plan::RepackWeights(*program, code.weights);
  // What is measured is each by itself.
  if (options.emit != "candidates") JoinLaunches(code);
  ShareKernels(code);
  bundle::PlaceWeights(code.weight_readers(), code.weights);
  TRY(trace.Programs("schedule", code));
  TRY(trace("schedules", [&] { return SchedulesOf(code).Print(); }));
  TRY(trace("lowering", [&] { return PrintEach(code, "; ", PrintLowering); }));
  // Beyond this point programs do not change: kernels are flat, weights have their places.

  TRY(trace("memory", [&] { return PrintEach(code, "; ", PrintMemory); }));

  // ---- Code -----------------------------------------------------------------------------------

  const bool many_names = code.HasManyNames();
  TRY(each([&](Model& model) { return EmitShaders(model, many_names); }));
  if (options.tunable) AddAlternatives(code, measured);
  TRY(trace("spirv", [&] { return PrintEach(code, "; ", PrintSpirv); }));
  TRY(trace("wgsl", [&] { return PrintEach(code, "// ", PrintWgsl); }));
  TRY(trace("dispatches", [&] {
    return PrintEach(code, "; ",
                     [&](const Model& model) { return PrintDispatches(model, code.weights); });
  }));
  // It takes as long as many compilations, so that --dump does not write it.
  if (options.emit == "candidates") {
    TRY_ASSIGN(auto candidates, PrintCandidates(code, options.candidates, options.kernels));
    TRY(trace("candidates", [&] { return candidates; }));
  }
  trace.Explain([&] { return PrintEach(code, "", Explain) + ExplainWeights(code); });

  // Modules differ in the CPU's kernels alone.
  bundle::WeightsFile weights = bundle::DescribeWeights(code.weight_readers(), code.weights);
  std::vector<wasm::Build> builds;
  const bool has_threads = IsWorthThreads(code);
  for (FeatureSet features : code.Modules()) {
    if (has_threads || !features.Has(Feature::kThreads))
      builds.push_back(WasmBuild(code, features, weights));
  }
  TRY(trace("llvm", [&] { return wasm::PrintLlvm(builds[0]); }));
  TRY_ASSIGN(auto linked, wasm::Compile(builds));
  std::vector<bundle::Module> modules;
  for (size_t m = 0; m < builds.size(); ++m) {
    modules.push_back({builds[m].features, std::move(linked[m].bytes), linked[m].memory_pages});
    TRY(trace(StepOf(modules[m].features), [&] { return modules[m].bytes; }));
  }

  // ---- The folder -----------------------------------------------------------------------------

  bundle::Contents contents = BundleContents(code, NameOf(options, code));
  contents.weights_file = std::move(weights);
  contents.has_threads = has_threads;
  contents.has_dots = code.HasDots();
  contents.version = Version();
  contents.command = options.command;
  contents.function_bytes = std::move(linked[0].function_bytes);
  TRY(each([&, part = contents.models.begin()](Model& model) mutable -> Status {
    TRY_ASSIGN(part++->source, SourceOf(model));
    return kSuccess;
  }));
  contents.build = bundle::BuildId(contents, modules);
  // The section makes each module describe itself, its build included.
  for (bundle::Module& module : modules) {
    SetVariants(contents, code, module.features);
    module.bytes += wasm::CustomSection("webnnc.manifest", bundle::Manifest(contents));
  }
  SetVariants(contents, code, {});

  TRY_ASSIGN(auto folder, bundle::CreateFolder(options.output, options.force));
  TRY_ASSIGN(auto report, ReportOptionsOf(options));
  TRY_ASSIGN(auto description, bundle::Write(contents, modules, report, folder));
  TRY(CheckBudgets(options.budgets, description));
  TRY(folder.Commit());
  TRY(trace("bundle", [&] { return bundle::Manifest(contents) + "\n"; }));
  trace.Explain([&] { return trace.Times(); });
  if (options.done) {
    Summary summary = SummaryOf(code, static_cast<int64_t>(modules[0].bytes.size()));
    summary.description = WithWarnings(description, warnings.all());
    options.done(summary);
  }
  return kSuccess;
}

}  // namespace

std::optional<Failure> Compile(const CompileOptions& options) {
  Trace trace(options);
  std::string subject = FilesOf(options);
  Status status = Run(options, trace, subject);
  if (status || trace.ended()) return std::nullopt;
  return FailureOf(subject, status.error());
}

std::vector<StepInfo> Steps() {
  std::vector<StepInfo> steps;
  for (const Step& step : kSteps) steps.push_back({step.name, step.makes});
  return steps;
}

std::string_view Version() { return WEBNNC_VERSION; }

}  // namespace webnnc
