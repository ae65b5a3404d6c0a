#include "compile/explain.h"

#include <algorithm>

#include "base/diagnostics.h"
#include "base/size_text.h"
#include "loop/text.h"
#include "lower/lower_kernel.h"
#include "plan/memory.h"
#include "schedule/classify.h"

namespace webnnc {

namespace {

size_t NodeCount(const plan::Program& program) {
  std::vector<std::string> nodes;
  for (const plan::Launch* launch : LaunchesOf(program))
    nodes.insert(nodes.end(), launch->origins.begin(), launch->origins.end());
  std::sort(nodes.begin(), nodes.end());
  return static_cast<size_t>(std::unique(nodes.begin(), nodes.end()) - nodes.begin());
}

// Why a kernel is one kernel: what kind of work its rule schedules, and what came along for free.
std::string ExplainKernel(const plan::Program& program, plan::KernelId id) {
  const plan::Kernel& kernel = program.kernels[id];
  std::vector<std::string> origins = plan::OriginsOf(program, id);
  const loop::Kernel& plain = kernel.plain;
  std::string out = "  kernel @" + QuoteName(plain.name) + ": " +
                    std::string(schedule::Name(schedule::Classify(plain))) + ", computes " +
                    std::to_string(origins.size()) + (origins.size() == 1 ? " node\n" : " nodes\n");
  for (const std::string& origin : origins) out += "    node " + QuoteName(origin) + "\n";
  for (const plan::Kernel& part : kernel.parts) {
    out += "    beside each other: @" + QuoteName(part.plain.name) + ", " +
           std::string(schedule::Name(schedule::Classify(part.plain))) + "\n";
    for (const schedule::Directive& directive : part.schedule)
      out += "      " + schedule::Print(directive) + "\n";
  }
  if (!kernel.parts.empty()) return out;
  if (kernel.schedule.empty()) return out + "    schedule: loops as they are written\n";
  for (const schedule::Directive& directive : kernel.schedule)
    out += "    " + schedule::Print(directive) + "\n";
  return out;
}

std::string ExplainMemory(const plan::Program& program, const LikelySizes& sizes) {
  plan::MemoryPlan plan = plan::PlanMemory(program, sizes.typical());
  std::string out = "  memory: " + SizeText(plan.bytes) + " for activations, at least " +
                    SizeText(plan.lower_bound) + " are alive together";
  return out + (sizes.empty() ? "\n" : " (for " + sizes.Print() + ")\n");
}

// A pass that changes nothing is named only.
std::string PrintPasses(const plan::Program& program, plan::KernelId id) {
  const plan::Kernel& kernel = program.kernels[id];
  if (!kernel.parts.empty()) return "; run-beside\n" + loop::Print(kernel.flat);
  std::string out, last = loop::Print(kernel.plain);
  lower::Options options{program.target, plan::ParametersOf(program, id)};
  options.spills = true;  // whether it may, has been decided
  options.log = [&](std::string_view pass, const loop::Kernel& after) {
    std::string text = loop::Print(after);
    bool same = text == last;
    out += "; " + std::string(pass) + (same ? ": the same\n" : "\n" + text);
    last = std::move(text);
  };
  auto lowered = lower::LowerKernel(kernel.plain, kernel.schedule, options);
  CHECK(lowered);
  return out;
}

}  // namespace

std::string PrintLowering(const Model& model) {
  std::string out;
  for (const plan::Program* program : model.programs()) {
    for (int32_t k = 0; k < program->kernels.size(); ++k) {
      const plan::Kernel& kernel = program->kernels[plan::KernelId{k}];
      out += (out.empty() ? "" : "\n") + ("; ---- @" + QuoteName(kernel.plain.name)) + " on " +
             Name(program->target) + "\n" + loop::Print(kernel.plain) +
             schedule::Print(kernel.schedule) + PrintPasses(*program, plan::KernelId{k});
    }
  }
  return out;
}

namespace {

// Whether nothing is left to run: what is read back are sizes that callers are told.
bool IsAtTheEnd(const plan::Program& program, size_t transfer) {
  auto first = program.steps.begin() + static_cast<ptrdiff_t>(transfer) + 1;
  return std::any_of(first, program.steps.end(),
                     [](const plan::Step& step) {
                       return std::holds_alternative<plan::Recompute>(step);
                     }) &&
         std::none_of(first, program.steps.end(), [](const plan::Step& step) {
           return std::holds_alternative<plan::Launch>(step);
         });
}

// What becomes of a value that is read back.
std::string WhyWaited(const plan::Program& program, size_t transfer) {
  plan::BufferId id = std::get<plan::Transfer>(program.steps[transfer]).to;
  if (IsAtTheEnd(program, transfer)) return "it is the size of an output";
  for (size_t s = transfer + 1; s < program.steps.size(); ++s) {
    const plan::Step& step = program.steps[s];
    std::vector<plan::BufferId> used = plan::BuffersOf(step);
    if (std::find(used.begin(), used.end(), id) == used.end()) continue;
    if (auto* define = std::get_if<plan::Define>(&step))
      return "it is the size " + Quote(define->symbol) +
             ": give it as an input, or fix it where the model is exported";
    if (std::holds_alternative<plan::If>(step))
      return "it decides which branch runs: compute it from inputs alone, or choose by Where";
    if (std::holds_alternative<plan::Swap>(step) || std::holds_alternative<plan::Loop>(step))
      return "it decides whether the loop goes on: count iterations, or compute it from inputs "
             "alone";
    if (auto* launch = std::get_if<plan::Launch>(&step)) {
      const plan::Kernel& kernel = program.KernelsAt(launch->place)[launch->kernel];
      return "@" + QuoteName(kernel.plain.name) +
             " runs on the host, since it has float64, integers of more than 32 bits, or decides "
             "something: use float32 and int32 there";
    }
  }
  return "it is an output that is made on the host";
}

// Where a run waits for the GPU, and how to be rid of it.
std::string ExplainWaits(const plan::Program& program) {
  std::string out;
  int loops = 0;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const plan::Step& step = program.steps[s];
    loops += std::holds_alternative<plan::Loop>(step);
    loops -= std::holds_alternative<plan::EndLoop>(step);
    auto* transfer = std::get_if<plan::Transfer>(&step);
    if (!transfer || program.buffers[transfer->to].place != plan::Place::kHost) continue;
    const plan::Buffer& buffer = program.buffers[transfer->to];
    out += "  waits for %" + QuoteName(buffer.name) + ", " + std::string(Name(buffer.dtype)) + "[" +
           Print(buffer.elements) + "]" + (loops > 0 ? ", in each iteration" : "") +
           (IsAtTheEnd(program, s) ? " at the end of the run" : "");
    if (!transfer->reason.empty()) out += ", in node " + Quote(transfer->reason);
    out += ": " + WhyWaited(program, s) + "\n";
  }
  return out;
}

// How each state is kept, and why not in place.
std::string ExplainStates(const plan::Program& program) {
  std::string out;
  for (const graph::State& state : program.states) {
    const plan::Port &input = program.inputs[state.input], &output = program.outputs[state.output];
    out += "  state " + Quote(input.name) + " = " + Quote(output.name) + ": ";
    if (state.kept == graph::State::Kept::kAppended) {
      out += "in place, along axis " + std::to_string(state.axis);
      if (state.capacity > 0) {
        out += ", with room for " + std::to_string(state.capacity) +
               (state.is_limited ? " and no more" : "");
      }
      out += "\n";
    } else if (state.kept == graph::State::Kept::kUpdated) {
      out += "in place, of which a run sets some\n";
    } else {
      out += "replaced" + (state.reason.empty() ? "" : ", since " + state.reason) + "\n";
    }
  }
  return out;
}

std::string ExplainPrecision(const bundle::Quantization& made) {
  if (made.lowered == 0) return "";
  std::string out = "precision: " + std::to_string(made.lowered) + " values in f16\n";
  for (const auto& [reason, names] : made.kept) {
    out += "  " + std::to_string(names.size()) + " in f32, " + reason + ":";
    for (const std::string& name : names) out += " %" + QuoteName(name);
    out += "\n";
  }
  return out;
}

}  // namespace

std::string Explain(const Model& model) {
  std::string out = model.quantization ? ExplainPrecision(*model.quantization) : "";
  for (const plan::Program* program : model.programs()) {
    out += "program for " + std::string(Name(program->target.kind)) + ": " +
           std::to_string(LaunchesOf(*program).size()) + " dispatches of " +
           std::to_string(program->kernels.size()) + " kernels for " +
           std::to_string(NodeCount(*program)) + " nodes\n";
    for (int32_t k = 0; k < program->kernels.size(); ++k)
      out += ExplainKernel(*program, plan::KernelId{k});
    out += ExplainWaits(*program);
    out += ExplainStates(*program);
    out += ExplainMemory(*program, model.likely);
  }
  return out;
}

std::string ExplainWeights(const Code& code) {
  std::string out;
  for (const plan::Weight& weight : code.weights) {
    if (weight.offset < 0 || !weight.packed_from.valid()) continue;
    out += "weight " + QuoteName(weight.name) + ": " + Print(weight.type) + ", packed from " +
           Print(code.weights[weight.packed_from].type) + "\n";
  }
  return out;
}

std::string PrintMemory(const Model& model) {
  std::string out;
  const LikelySizes& sizes = model.likely;
  for (const plan::Program* program : model.programs()) {
    plan::MemoryPlan plan = plan::PlanMemory(*program, sizes.typical());
    std::vector<plan::Lifetime> lifetimes = plan::Lifetimes(*program);
    out +=
        "memory of @" + QuoteName(program->name) + " on " + std::string(Name(program->target.kind));
    if (!sizes.empty()) out += " for " + sizes.Print();
    out += "\n  arena " + std::to_string(plan.bytes) + " bytes, at least " +
           std::to_string(plan.lower_bound) + "\n";
    for (int32_t b = 0; b < program->buffers.size(); ++b) {
      auto i = static_cast<size_t>(b);
      if (plan.offsets[i] < 0) continue;
      const plan::Buffer& buffer = program->buffers[plan::BufferId{b}];
      out += "  %" + QuoteName(buffer.name) + ": " +
             std::to_string(ByteSize(*program, buffer).Evaluate(sizes.typical())) + " bytes at " +
             std::to_string(plan.offsets[i]) + ", steps " +
             std::to_string(lifetimes[i].first_step) + " to " +
             std::to_string(lifetimes[i].last_step) + "\n";
    }
  }
  return out;
}

Summary SummaryOf(const Code& code, int64_t wasm_bytes) {
  Summary summary;
  for (const Model& model : code.models) {
    for (const auto& [output, error] :
         model.quantization ? model.quantization->errors : std::map<std::string, double>()) {
      summary.error = std::max(summary.error.value_or(0), error);
      summary.made_up_inputs |= model.quantization->made_up;
    }
    plan::ModuleVariants module = model.Module();
    if (const plan::Program* cpu = module.cpu())
      summary.wasm_kernels = summary.wasm_kernels.value_or(0) + LaunchesOf(*cpu).size();
    if (module.gpu().empty()) continue;
    const plan::Program& gpu = module.gpu()[0]->program;
    summary.gpu_kernels =
        summary.gpu_kernels.value_or(0) + LaunchesOf(gpu, plan::Place::kDevice).size();
  }
  summary.wasm_bytes = wasm_bytes;
  for (const plan::Weight& weight : code.weights) {
    if (weight.offset >= 0)
      summary.weight_bytes =
          std::max(summary.weight_bytes, weight.offset + ByteSize(weight.type).value());
  }
  return summary;
}

}  // namespace webnnc
