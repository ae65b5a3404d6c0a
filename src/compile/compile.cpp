#include "webnnc/compiler.h"

#include "base/diagnostics.h"
#include "bundle/bundle.h"
#include "graph/passes/choose_layouts.h"
#include "graph/passes/fold_constants.h"
#include "graph/passes/fold_scales.h"
#include "graph/passes/merge_common.h"
#include "graph/passes/simplify.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "onnx/import.h"
#include "plan/form_kernels.h"
#include "plan/pack_weights.h"
#include "plan/schedule_kernels.h"
#include "wasm/compile.h"

namespace webnnc {

namespace {

Status Run(const CompileOptions& options) {
  TRY_ASSIGN(auto graph, onnx::Import(options.model, {options.dims, {}, {}}));
  TRY(graph::Verify(graph));
  TRY(graph::FoldConstants(graph));
  graph::Simplify(graph);
  graph::MergeCommon(graph);
  graph::FoldScales(graph);
  TRY(graph::Verify(graph));
  graph::ChooseLayouts(graph);
  TRY(graph::Verify(graph));
  graph::Simplify(graph);
  graph::Simplify(graph);
  TRY(graph::FoldConstants(graph));
  graph::MergeCommon(graph);
  TRY(graph::Verify(graph));
  if (options.emit == "graph") {
    options.print(graph::Print(graph));
    return kSuccess;
  }
  IdVector<plan::WeightTag, plan::Weight> weights;
  plan::Program cpu = plan::FormKernels(graph, {plan::Target::kWasm}, weights);
  plan::PackWeights(cpu, weights);
  TRY(plan::ScheduleKernels(cpu, {}));
  if (options.emit == "program") {
    options.print(plan::Print(cpu));
    return kSuccess;
  }
  if (options.emit == "kernels") {
    options.print(plan::PrintKernels(cpu));
    return kSuccess;
  }
  bundle::PlaceWeights({&cpu}, weights);
  wasm::ModelInput input{&cpu, {}, &weights};
  wasm::DimTable dims = wasm::CollectDims(input);
  if (options.emit == "llvm") {
    options.print(wasm::PrintLlvm(input, dims, {}));
    return kSuccess;
  }
  TRY_ASSIGN(auto folder, OutputFolder::Create(options.output, bundle::FileNames()));
  TRY_ASSIGN(auto simd, wasm::Compile(input, dims, {false}));
  TRY(folder.Write("model.wasm", simd));
  TRY(bundle::WriteWeights(weights, folder.PathOf("model.weights.bin")));
  return folder.Commit();
}

}  // namespace

std::optional<std::string> Compile(const CompileOptions& options) {
  Status status = Run(options);
  if (status) return std::nullopt;
  return Describe(status.error(), "");
}

}  // namespace webnnc
