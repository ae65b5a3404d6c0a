#include <algorithm>
#include <set>

#include "base/diagnostics.h"
#include "graph/evaluate.h"
#include "graph/passes/append_states.h"
#include "graph/passes/block_cumulations.h"
#include "graph/passes/choose_layouts.h"
#include "graph/passes/choose_sorts.h"
#include "graph/passes/expand_attention.h"
#include "graph/passes/find_attention.h"
#include "graph/passes/fold_constants.h"
#include "graph/passes/fold_scales.h"
#include "graph/passes/keep_integers.h"
#include "graph/passes/lower_precision.h"
#include "graph/passes/merge_common.h"
#include "graph/passes/merge_siblings.h"
#include "graph/passes/move_rows.h"
#include "graph/passes/narrow_factors.h"
#include "graph/passes/part_scatters.h"
#include "graph/passes/prepare_image.h"
#include "graph/passes/quantize_weights.h"
#include "graph/passes/separate_windows.h"
#include "graph/passes/simplify.h"
#include "graph/passes/split_concats.h"
#include "graph/passes/subpixel_convolutions.h"
#include "graph/passes/sum_in_floats.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "loop/text.h"
#include "plan/factor_reductions.h"
#include "plan/form_kernels.h"
#include "plan/fuse_launches.h"
#include "plan/join_launches.h"
#include "plan/memory.h"
#include "plan/merge_kernels.h"
#include "plan/pack_activations.h"
#include "plan/pack_weights.h"
#include "plan/schedule_for_gpu.h"
#include "plan/schedule_kernels.h"
#include "plan/share_constants.h"
#include "plan/transform_windows.h"
#include "tests/golden.h"
#include "tests/golden_programs.h"
#include "tests/run_program.h"

namespace webnnc {
namespace {

using graph::Graph;

// ---- Steps ------------------------------------------------------------------------------------

Result<Graph> ParseVerified(const std::string& input) {
  TRY_ASSIGN(auto graph, graph::Parse(input));
  TRY(graph::Verify(graph));
  return graph;
}

// What is printed is read back, unless elements are left out.
Status CheckRoundTrip(const std::string& text) {
  if (text.find("elided=") != std::string::npos) return kSuccess;
  TRY_ASSIGN(auto again, graph::Parse(text));
  if (graph::Print(again) != text)
    return Error{"the text form is read back as\n" + graph::Print(again)};
  return kSuccess;
}

// Runs a pass, and the graph before and after it.
Outcome OnGraph(const std::string& input, const std::function<Status(Graph&)>& step) {
  auto parsed = ParseVerified(input);
  if (!parsed) return Failure(parsed.error(), input);
  Graph before = parsed.value(), after = before;
  if (Status status = step(after); !status) return Failure(status.error(), input);
  std::string text = graph::Print(after);
  auto check = [&]() -> Status {
    TRY(graph::Verify(after));
    TRY(CheckRoundTrip(text));
    std::vector<Tensor> inputs = MadeUpInputs(before, Symbols(before));
    TRY_ASSIGN(auto expected, graph::Evaluate(before, inputs));
    TRY_ASSIGN(auto actual, graph::Evaluate(after, inputs));
    return CompareOutputs(before, expected, actual);
  };
  if (Status status = check(); !status) return {Describe(status.error(), text) + text, true};
  return {text, false};
}

template <typename Pass>
std::function<Outcome(const std::string&)> GraphPass(Pass pass) {
  return [pass](const std::string& input) {
    return OnGraph(input, [pass](Graph& graph) -> Status {
      if constexpr (std::is_same_v<decltype(pass(graph)), Status>) {
        return pass(graph);
      } else {
        pass(graph);
        return kSuccess;
      }
    });
  };
}

template <typename Pass>
auto WithBudget(Pass pass) {
  return [pass](Graph& graph) {
    graph::EvaluationBudget budget;
    pass(graph, budget);
  };
}

auto NarrowStep(graph::ByteFactors factors) {
  return GraphPass(WithBudget([factors](Graph& graph, graph::EvaluationBudget& budget) {
    graph::NarrowFactors(graph, budget, factors);
  }));
}

using PrintProgram = std::function<std::string(
    plan::Program&, IdVector<plan::WeightTag, plan::Weight>&, const SymbolValues& symbols)>;

// Forms kernels, compares what they compute with what the graph does, and prints.
Outcome OnProgram(const std::string& input, const Target& target, const PrintProgram& print) {
  auto graph = ParseVerified(input);
  if (!graph) return Failure(graph.error(), input);
  // As in a model: kernels are named after operations that somebody wrote.
  graph::ForEachGraph(graph.value(), [](graph::Graph& each) {
    for (graph::Node& node : each.nodes) node.origins = {each.values[node.results[0]].name};
  });
  IdVector<plan::WeightTag, plan::Weight> weights;
  plan::Program program = plan::FormKernels(graph.value(), target, weights);
  SymbolValues symbols = Symbols(graph.value());
  std::string text = print(program, weights, symbols);
  auto check = [&]() -> Status {
    for (const SymbolValues& run : RunsOf(graph.value())) {
      std::vector<Tensor> inputs = MadeUpInputs(graph.value(), run);
      TRY_ASSIGN(auto expected, graph::Evaluate(graph.value(), inputs));
      TRY_ASSIGN(auto actual, RunProgram(program, weights, inputs, run));
      TRY(CompareOutputs(graph.value(), expected, actual));
    }
    return kSuccess;
  };
  if (Status status = check(); !status) return {Describe(status.error(), text) + text, true};
  return {text, false};
}

std::function<Outcome(const std::string&)> ProgramStep(const Target& target, PrintProgram print) {
  return [target, print = std::move(print)](const std::string& input) {
    return OnProgram(input, target, print);
  };
}

// Each input is the output of its number in the run before. Prints the graph that appends them, and
// compares what its program computes with what the graph did.
std::function<Outcome(const std::string&)> AppendStep(const Target& target) {
  return [target](const std::string& input) -> Outcome {
    auto parsed = ParseVerified(input);
    if (!parsed) return Failure(parsed.error(), input);
    Graph before = parsed.value(), after = before;
    std::vector<graph::State> states;
    for (size_t i = 0; i < std::min(before.inputs.size(), before.outputs.size()); ++i)
      states.push_back({i, i});
    graph::AppendStates(after, states);
    std::string text = graph::Print(after);
    for (const graph::State& state : states) {
      if (!state.reason.empty())
        text += "; " + before.inputs[state.input].name + ": " + state.reason + "\n";
    }
    graph::ForEachGraph(after, [](Graph& each) {
      graph::Simplify(each);
      for (graph::Node& node : each.nodes) node.origins = {each.values[node.results[0]].name};
    });
    IdVector<plan::WeightTag, plan::Weight> weights;
    plan::Program program = plan::FormKernels(after, target, weights, states);
    if (target.IsGpu()) {
      std::set<std::string> narrowed;
      plan::MergeKernels(program);
      Status scheduled = plan::ScheduleForGpu(program, {}, {}, narrowed, {});
      if (!scheduled) return Failure(scheduled.error(), text);
      plan::JoinLaunches(program, {});
      text += "\n" + plan::Print(program);
    } else {
      text += "\n" + PrintKernels(program);
    }
    auto check = [&]() -> Status {
      TRY(graph::Verify(after));
      SymbolValues run = Symbols(before);
      std::vector<Tensor> inputs = MadeUpInputs(before, run);
      TRY_ASSIGN(auto expected, graph::Evaluate(before, inputs));
      TRY_ASSIGN(auto actual, RunProgram(program, weights, inputs, run));
      return CompareOutputs(before, expected, actual);
    };
    if (Status status = check(); !status) return {Describe(status.error(), text) + text, true};
    return {text, false};
  };
}

// Puts what makes an image of a picture before the first input. The result has other inputs, so
// it is not compared with what was there.
std::function<Outcome(const std::string&)> PictureStep(const graph::Preparation& preparation) {
  return [preparation](const std::string& input) -> Outcome {
    auto graph = graph::Parse(input);
    if (!graph) return {Describe(graph.error(), input), true};
    const TensorType type = graph.value().values[graph.value().inputs[0].value].type;
    if (Status fits = graph::CheckPreparation(type, preparation); !fits)
      return {Describe(fits.error(), ""), true};
    graph::PictureSizes sizes = graph::SizesFor(graph.value(), *graph::ImageOf(type));
    graph::PrepareImage(graph.value(), 0, preparation, sizes);
    std::string text = graph::Print(graph.value());
    if (Status status = graph::Verify(graph.value()); !status)
      return {Describe(status.error(), text) + text, true};
    return {text, false};
  };
}

// Of passes that round: results are not compared with what was there (tests of graph_test do).
std::function<Outcome(const std::string&)> RoundingStep(const std::function<void(Graph&)>& pass) {
  return [pass](const std::string& input) -> Outcome {
    auto graph = ParseVerified(input);
    if (!graph) return Failure(graph.error(), input);
    pass(graph.value());
    graph::MergeCommon(graph.value());
    std::string text = graph::Print(graph.value());
    if (Status status = graph::Verify(graph.value()); !status)
      return {Describe(status.error(), text) + text, true};
    return {text, false};
  };
}

std::function<Outcome(const std::string&)> QuantizeStep(const graph::WeightFormat& format) {
  return RoundingStep([format](Graph& graph) { graph::QuantizeWeights(graph, format); });
}

// By what values are on made-up inputs, which are small integers.
void LowerPrecision(Graph& graph) {
  graph::SeenValues seen;
  auto watch = [&](const Graph&, graph::ValueId id, const Tensor& tensor) {
    if (tensor.type.dtype == DType::kF32) seen[id].Add(tensor);
  };
  CHECK(graph::Evaluate(graph, MadeUpInputs(graph, Symbols(graph)), {.value = watch}));
  graph::LowerPrecision(graph, seen);
}

// For a machine that few tiles keep busy.
void MergeSiblings(Graph& graph) {
  Machine machine = WasmMachine();
  machine.cores = 2;
  machine.siblings = {.open_size = 4, .tile = 4, .tiles_per_core = 4};
  std::vector<Graph*> graphs;
  graph::ForEachGraph(graph, [&](Graph& each) { graphs.push_back(&each); });
  graph::MergeSiblings(graphs, machine);
}

}  // namespace

const Steps& GraphSteps() {
  auto kernels = [](plan::Program& program, auto&, auto&) { return PrintKernels(program); };
  auto memory = [](plan::Program& program, auto&, auto& symbols) {
    return PrintArena(program, symbols);
  };
  auto pack = [](plan::Program& program, auto& weights, auto&) {
    plan::PackWeights(program, weights);
    return PrintKernels(program);
  };
  // Adding parts up costs nothing there, so that small sums are worth it.
  static const Machine kPatient = [] {
    Machine machine = *FindGpuMachine("large");
    machine.launch = 0;
    machine.bandwidth = 1e18;
    machine.products.shortest_part = 16;
    machine.products.start = 0;
    return machine;
  }();
  auto factor = [](plan::Program& program, auto&, auto&) {
    plan::FactorReductions(program, {});
    return PrintKernels(program);
  };
  auto share = [](plan::Program& program, auto& weights, auto&) {
    plan::ShareConstants(program, weights);
    plan::MergeKernels(program);
    std::string text = PrintKernels(program);
    for (int32_t w = 0; w < weights.size(); ++w) {
      const plan::Weight& weight = weights[plan::WeightId{w}];
      if (!weight.name.starts_with("constants")) continue;
      text += "\n; " + weight.name;
      for (int64_t i = 0; i < weight.type.shape[0].value(); ++i)
        text += " " + std::to_string(weight.data.At(DType::kF32, i).real);
    }
    return text + "\n";
  };
  auto transform = [](plan::Program& program, auto& weights, auto&) {
    plan::PackWeights(program, weights);
    plan::TransformWindows(program, {});
    return PrintKernels(program);
  };
  auto fuse = [](plan::Program& program, auto&, auto&) {
    plan::FactorReductions(program, {});
    plan::FuseLaunches(program, {});
    return PrintKernels(program);
  };
  auto schedule = [](plan::Program& program, auto&, auto&) {
    Status scheduled = plan::ScheduleKernels(program, plan::Place::kDevice, {}, {}, {});
    return scheduled ? PrintKernels(program) : Describe(scheduled.error(), "");
  };
  auto keep_sizes = [](plan::Program& program, auto&, auto&) {
    if (Status kept = KeepSizes(program); !kept) return Describe(kept.error(), "");
    return plan::Print(program) + PrintAdded(program);
  };
  auto pack_activations = [](plan::Program& program, auto&, auto&) {
    std::set<std::string> narrowed;
    plan::MergeKernels(program);
    if (Status scheduled = plan::ScheduleForGpu(program, {}, {}, narrowed, {}); !scheduled)
      return Describe(scheduled.error(), "");
    plan::PackActivations(program);
    return plan::Print(program);
  };
  auto join = [](plan::Program& program, auto&, auto&) {
    std::set<std::string> narrowed;
    plan::MergeKernels(program);
    if (Status scheduled = plan::ScheduleForGpu(program, {}, {}, narrowed, {}); !scheduled)
      return Describe(scheduled.error(), "");
    plan::JoinLaunches(program, {});
    std::string text = plan::Print(program);
    for (const plan::Kernel& kernel : program.kernels) {
      if (!kernel.parts.empty())
        text += "\n; plain\n" + loop::Print(kernel.plain) + "; flat\n" + loop::Print(kernel.flat);
    }
    return text;
  };
  static const Steps kSteps = {
      {"graph", GraphPass([](Graph&) {})},
      {"fold-constants", GraphPass(WithBudget(graph::FoldConstants))},
      {"simplify-graph", GraphPass(graph::Simplify)},
      {"merge-common", GraphPass(graph::MergeCommon)},
      {"keep-integers", GraphPass(WithBudget(graph::KeepIntegers))},
      {"narrow-factors", NarrowStep(graph::ByteFactors::kSigned)},
      {"narrow-factors-either", NarrowStep(graph::ByteFactors::kEither)},
      {"sum-in-floats", GraphPass(WithBudget(graph::SumInFloats))},
      {"fold-scales", GraphPass(WithBudget(graph::FoldScales))},
      {"layouts", GraphPass([](Graph& graph) { graph::ChooseLayouts(graph, WasmMachine()); })},
      {"find-attention", GraphPass(graph::FindAttention)},
      {"expand-attention", GraphPass(graph::ExpandAttention)},
      {"merge-siblings", GraphPass(MergeSiblings)},
      {"quantize-f16", QuantizeStep({DType::kF16})},
      {"quantize-int8", QuantizeStep({DType::kI8})},
      {"quantize-int4", QuantizeStep({DType::kI4})},
      {"lower-precision", RoundingStep(LowerPrecision)},
      {"block-cumulations",
       GraphPass([](Graph& graph) { graph::BlockCumulations(graph, {.shortest = 10}); })},
      {"part-scatters", GraphPass([](Graph& graph) { graph::PartScatters(graph, {10, 8}); })},
      {"choose-sorts", GraphPass(graph::ChooseSortsForCpu)},
      {"choose-sorts-gpu",
       GraphPass([](Graph& graph) { graph::ChooseSortsForGpu(graph, {8, 16}); })},
      {"move-rows", GraphPass(graph::MoveRows)},
      {"subpixel-convolutions", GraphPass(graph::SubpixelConvolutions)},
      {"separate-windows", GraphPass(graph::SeparateWindows)},
      {"split-concats", GraphPass([](Graph& graph) { graph::SplitConcats(graph, 3); })},
      {"prepare-image", PictureStep({.mean = {0.5}, .std = {0.25}})},
      {"prepare-image-contain",
       PictureStep({.resize = graph::ImageResize::kContain, .fill = {10, 20, 30}, .bgr = true})},
      {"prepare-image-bicubic", PictureStep({.filter = graph::ImageFilter::kBicubic})},
      {"append-states", AppendStep(Wasm())},
      {"append-states-gpu", AppendStep(WebGpu())},
      {"form-kernels", ProgramStep(Wasm(), kernels)},
      {"form-kernels-gpu", ProgramStep(WebGpu(), kernels)},
      {"pack-weights", ProgramStep(Wasm(), pack)},
      {"pack-weights-gpu", ProgramStep(WebGpu(), pack)},
      {"share-constants", ProgramStep(Wasm(), share)},
      {"share-constants-gpu", ProgramStep(WebGpu(), share)},
      {"factor-reductions", ProgramStep(WebGpu({}, kPatient), factor)},
      {"fewer-products", ProgramStep(Wasm(), transform)},
      {"fuse-launches", ProgramStep(WebGpu(), fuse)},
      {"schedule-kernels", ProgramStep(Wasm(), schedule)},
      {"pack-activations", ProgramStep(WebGpu(), pack_activations)},
      {"join-launches", ProgramStep(WebGpu(), join)},
      {"keep-sizes", ProgramStep(WebGpu(), keep_sizes)},
      {"memory", ProgramStep(Wasm(), memory)},
      {"memory-gpu", ProgramStep(WebGpu(), memory)},
  };
  return kSteps;
}

}  // namespace webnnc
