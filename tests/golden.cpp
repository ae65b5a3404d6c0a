// Runs the golden tests: text in, text out, both in one file.
//
//   ; What this test is about.
//   ; RUN: step
//   <input>
//   ; EXPECT
//   <output, or the error>
//
//   golden FILE...            compares; prints what differs
//   golden --update FILE...   rewrites everything below "; EXPECT"
//
// A file named fail_* must give an error, and no other file may. A step that changes a kernel also
// runs it before and after on made-up data: a golden file can be wrong, the numbers cannot.
#include "tests/golden.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "base/diagnostics.h"
#include "graph/lower.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "loop/interpret.h"
#include "loop/parameters.h"
#include "loop/passes/align_rows.h"
#include "loop/passes/collapse.h"
#include "loop/passes/factor_reduction.h"
#include "loop/passes/flatten.h"
#include "loop/passes/guard_stores.h"
#include "loop/passes/guard_sums.h"
#include "loop/passes/inline_maps.h"
#include "loop/passes/join_reductions.h"
#include "loop/passes/keep_functions.h"
#include "loop/passes/promote_half.h"
#include "loop/passes/share_memory.h"
#include "loop/passes/simplify.h"
#include "loop/passes/single_terms.h"
#include "loop/passes/split_groups.h"
#include "loop/passes/stream_rows.h"
#include "loop/passes/transform_windows.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/text.h"
#include "loop/verify.h"
#include "lower/lower_kernel.h"
#include "schedule/choose.h"
#include "schedule/classify.h"
#include "schedule/pack.h"
#include "schedule/schedule.h"

namespace webnnc {

Outcome Failure(const Error& error, const std::string& about) {
  return {Describe(error, about), true};
}

Scalar MadeUp(DType dtype, int64_t i, int64_t tensor) {
  return Scalar::Of(dtype, static_cast<double>((i * 7 + tensor * 3) % 11) - 5);
}

// Sums in another order differ by rounding, and so does f16 that is computed in f32.
bool Close(const Scalar& a, const Scalar& b) {
  if (!IsFloat(a.dtype)) return a == b;
  if (std::isnan(a.real) || std::isnan(b.real)) return std::isnan(a.real) && std::isnan(b.real);
  double tolerance = a.dtype == DType::kF16 ? 0x1p-10 : 1e-5;
  return a.real == b.real || std::fabs(a.real - b.real) <= tolerance * (1 + std::fabs(a.real));
}

namespace {

// ---- Kernels on made-up data ------------------------------------------------------------------

SymbolValues Symbols(const loop::Kernel& kernel) {
  std::set<std::string> names;
  for (const loop::Buffer& buffer : kernel.buffers) {
    for (const Dim& size : buffer.type.shape) size.CollectSymbols(names);
  }
  SymbolValues values;
  for (const std::string& name : names) values[name] = kSymbolSize;
  return values;
}

// The bytes of the results, in order. `packed`: how weights lie that were in other panels.
Result<std::vector<std::vector<uint8_t>>> Run(const loop::Kernel& kernel, bool check_races,
                                              const std::vector<schedule::Packed>& packed = {}) {
  SymbolValues symbols = Symbols(kernel);
  loop::Memory memory(static_cast<size_t>(kernel.buffers.size()));
  int64_t inputs = 0;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const loop::Buffer& buffer = kernel.buffers[loop::BufferId{b}];
    if (buffer.space != loop::Space::kIn) continue;
    TensorType type = buffer.type;
    for (size_t p = packed.size(); p-- > 0;) {
      if (packed[p].buffer == loop::BufferId{b}) type = packed[p].from;
    }
    int64_t count = ElementCount(type.shape).Evaluate(symbols);
    auto& bytes = memory[static_cast<size_t>(b)];
    bytes.resize(static_cast<size_t>(count * ByteSize(type.dtype)));
    for (int64_t i = 0; i < count; ++i) WriteScalar(bytes.data(), i, MadeUp(type.dtype, i, inputs));
    for (const schedule::Packed& each : packed) {
      if (each.buffer == loop::BufferId{b}) bytes = schedule::Repack(bytes, each);
    }
    ++inputs;
  }
  TRY(loop::Interpret(kernel, memory, {symbols, check_races}));
  std::vector<std::vector<uint8_t>> results;
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    bool result = kernel.buffers[loop::BufferId{b}].space == loop::Space::kOut;
    if (result) results.push_back(std::move(memory[static_cast<size_t>(b)]));
  }
  return results;
}

// Whether two kernels with the same parameters compute the same, if weights of the second are
// packed as its schedule says.
Status Compare(const loop::Kernel& before, const loop::Kernel& after,
               const schedule::Schedule& schedule = {}) {
  TRY_ASSIGN(auto expected, Run(before, false));
  TRY_ASSIGN(auto actual, Run(after, true, schedule::PackedBy(before, schedule)));
  std::vector<DType> stored;
  for (const loop::Buffer& buffer : after.buffers) {
    if (buffer.space == loop::Space::kOut) stored.push_back(buffer.type.dtype);
  }
  size_t next = 0;
  for (const loop::Buffer& buffer : before.buffers) {
    if (buffer.space != loop::Space::kOut) continue;
    const auto &x = expected[next], &y = actual[next];
    // Between kernels elements may be stored in another type.
    DType from = buffer.type.dtype, to = stored[next];
    ++next;
    auto count = static_cast<int64_t>(x.size()) / ByteSize(from);
    if (count != static_cast<int64_t>(y.size()) / ByteSize(to))
      return Error{"the sizes of %" + buffer.name + " differ"};
    for (int64_t i = 0; i < count; ++i) {
      Scalar want = ReadScalar(x.data(), from, i);
      Scalar got = Convert(ReadScalar(y.data(), to, i), from);
      if (Close(want, got)) continue;
      return Error{"%" + buffer.name + "[" + std::to_string(i) + "] is " + PrintReal(got.AsReal()) +
                   ", not " + PrintReal(want.AsReal())};
    }
  }
  return kSuccess;
}

// ---- Steps ------------------------------------------------------------------------------------

// A kernel, or a graph whose last node is lowered to one.
Result<loop::Kernel> ParseKernel(Lexer& lexer) {
  if (lexer.Sees("kernel")) return loop::Parse(lexer);
  TRY_ASSIGN(auto graph, graph::Parse(lexer));
  TRY(graph::Verify(graph));
  return graph::LowerNode(graph, graph.nodes.back());
}

Outcome Checked(const loop::Kernel& before, const loop::Kernel& after,
                const schedule::Schedule& schedule = {}) {
  std::string text = loop::Print(after);
  if (Status status = loop::Verify(after); !status) return Failure(status.error(), text);
  // What is printed is read back.
  auto again = loop::Parse(text);
  if (!again) return Failure(again.error(), text);
  if (loop::Print(again.value()) != text)
    return {"the text form is read back as\n" + loop::Print(again.value()), true};
  if (Status status = Compare(before, after, schedule); !status) {
    return {Describe(status.error(), text) + text, true};
  }
  return {text, false};
}

// `schedule` is what the step has applied, if it has chosen one.
Outcome OnKernel(const std::string& input, const std::function<Status(loop::Kernel&, Lexer&)>& step,
                 const std::optional<schedule::Schedule>& schedule = {}) {
  Lexer lexer(input);
  auto parsed = ParseKernel(lexer);
  if (!parsed) return Failure(parsed.error(), input);
  loop::Kernel before = parsed.value(), after = before;
  if (Status status = loop::Verify(before); !status) return Failure(status.error(), input);
  if (Status status = step(after, lexer); !status) return Failure(status.error(), input);
  return Checked(before, after, schedule.value_or(schedule::Schedule{}));
}

Outcome ApplySchedule(const std::string& input) {
  Lexer lexer(input);
  auto kernel = ParseKernel(lexer);
  if (!kernel) return Failure(kernel.error(), input);
  if (Status status = loop::VerifyPlain(kernel.value()); !status)
    return Failure(status.error(), input);
  auto schedule = schedule::ParseSchedule(lexer);
  if (!schedule) return Failure(schedule.error(), input);
  auto after = schedule::Apply(kernel.value(), schedule.value());
  if (!after) return Failure(after.error(), input);
  return Checked(kernel.value(), after.value(), schedule.value());
}

// Of a kernel all of whose parameters are inputs and outputs, or all between kernels.
void PromoteHalf(loop::Kernel& kernel, Storage storage) {
  std::vector<Storage> parameters(loop::ParametersOf(kernel).size(), storage);
  loop::PromoteHalf(kernel, parameters, {});
}

Status MakeFlat(loop::Kernel& kernel) {
  TRY_ASSIGN(auto lowered, lower::LowerScheduled(std::move(kernel), {}));
  kernel = std::move(lowered.flat);
  return kSuccess;
}

// What is read in panels is a weight, as in programs.
Status LowerForCpu(loop::Kernel& kernel, const schedule::Schedule& schedule, const Target& target) {
  lower::Options options{target};
  for (loop::BufferId parameter : loop::ParametersOf(kernel)) {
    options.parameters.push_back(kernel.buffers[parameter].panels ? Storage::kWeight
                                                                  : Storage::kActivation);
  }
  TRY_ASSIGN(auto lowered, lower::LowerKernel(kernel, schedule, options));
  kernel = std::move(lowered.flat);
  return kSuccess;
}

// A GPU's flat kernel has other types than the plain one, and vectors of a thread's registers,
// which the interpreter does not know: what is run is what the schedule left.
Status LowerForGpu(loop::Kernel& kernel, const schedule::Schedule& schedule) {
  loop::Kernel scheduled;
  lower::Options options{WebGpu()};
  options.log = [&](std::string_view pass, const loop::Kernel& after) {
    if (pass == "schedule") scheduled = after;
  };
  TRY(lower::LowerKernel(kernel, schedule, options));
  kernel = std::move(scheduled);
  return kSuccess;
}

// What is behind the kernel: "likely batch 1 2 8".
Result<LikelySizes> ParseLikely(Lexer& lexer) {
  LikelySizes sizes;
  while (lexer.Eat("likely")) {
    TRY_ASSIGN(auto symbol, lexer.Word());
    TRY_ASSIGN(int64_t low, lexer.Integer());
    TRY_ASSIGN(int64_t typical, lexer.Integer());
    TRY_ASSIGN(int64_t high, lexer.Integer());
    sizes.Set(symbol, {low, typical, high});
  }
  return sizes;
}

// The schedule that a rule chooses, if there is one.
using Choose =
    std::function<std::optional<schedule::Schedule>(const loop::Kernel&, const LikelySizes&)>;

// Prints it, and runs what `lower` makes of it.
Outcome RunChosen(const std::string& input, const Choose& choose,
                  const std::function<Status(loop::Kernel&, const schedule::Schedule&)>& lower) {
  std::optional<schedule::Schedule> chosen;
  auto step = [&](loop::Kernel& kernel, Lexer& lexer) -> Status {
    TRY(loop::VerifyPlain(kernel));
    TRY_ASSIGN(auto sizes, ParseLikely(lexer));
    schedule::AlignLoops(kernel);
    chosen = choose(kernel, sizes);
    return chosen ? lower(kernel, *chosen) : kSuccess;
  };
  Outcome outcome = OnKernel(input, step, chosen);
  if (!outcome.failed)
    outcome.text = chosen ? schedule::Print(*chosen) : "none: a dispatch a stage\n";
  return outcome;
}

Outcome ChooseForCpu(const std::string& input, const FeatureSet& features) {
  Target target = Wasm(features);
  auto choose = [&](const loop::Kernel& kernel, const LikelySizes& sizes) {
    return schedule::Choose(kernel, target, sizes);
  };
  return RunChosen(input, choose, [&](loop::Kernel& kernel, const schedule::Schedule& schedule) {
    return LowerForCpu(kernel, schedule, target);
  });
}

// What is tried first for a GPU of moderate size.
Outcome ChooseForGpu(const std::string& input, const FeatureSet& features) {
  auto choose = [&](const loop::Kernel& kernel, const LikelySizes& sizes) {
    auto candidates = schedule::Candidates(kernel, WebGpu(features), sizes);
    return candidates.empty() ? std::nullopt : std::optional(candidates.front().schedule);
  };
  return RunChosen(input, choose, LowerForGpu);
}

template <typename Pass>
std::function<Outcome(const std::string&)> KernelPass(Pass pass) {
  return [pass](const std::string& input) {
    return OnKernel(input, [pass](loop::Kernel& kernel, Lexer& lexer) -> Status {
      if constexpr (std::is_invocable_v<Pass, loop::Kernel&, Lexer&>) {
        return pass(kernel, lexer);
      } else if constexpr (std::is_same_v<std::invoke_result_t<Pass, loop::Kernel&>, Status>) {
        return pass(kernel);
      } else {
        pass(kernel);
        return kSuccess;
      }
    });
  };
}

std::function<Outcome(const std::string&)> StreamRows(int64_t parts) {
  return KernelPass([parts](loop::Kernel& kernel) -> Status {
    auto streamed = loop::StreamRows(kernel, 4, parts);
    if (!streamed) return Error{"its stages cannot run in one pass over the columns"};
    kernel = streamed->kernel;
    return loop::VerifyPlain(kernel);
  });
}

// The kernel after each directive, as far as those so far are a schedule: some need a later one, a
// part of a sum that threads share its `combine`. Each kernel is run as well.
Outcome PrintScheduleSteps(const std::string& input) {
  Lexer lexer(input);
  auto plain = ParseKernel(lexer);
  if (!plain) return Failure(plain.error(), input);
  if (Status status = loop::VerifyPlain(plain.value()); !status)
    return Failure(status.error(), input);
  auto whole = schedule::ParseSchedule(lexer);
  if (!whole) return Failure(whole.error(), input);
  std::string text;
  schedule::Schedule so_far;
  for (const schedule::Directive& directive : whole.value()) {
    so_far.push_back(directive);
    text += "; " + schedule::Print(directive) + "\n";
    auto kernel = schedule::Apply(plain.value(), so_far);
    if (!kernel && so_far.size() == whole.value().size()) return Failure(kernel.error(), text);
    if (!kernel) {
      text += "not yet: " + kernel.error().message + "\n";
      continue;
    }
    Outcome outcome = Checked(plain.value(), kernel.value(), so_far);
    if (outcome.failed) return {text + outcome.text, true};
    text += outcome.text;
  }
  return {text, false};
}

// The schedule by itself: read, printed, read back.
Outcome ReadSchedule(const std::string& input) {
  Lexer lexer(input);
  auto schedule = schedule::ParseSchedule(lexer);
  if (!schedule) return Failure(schedule.error(), input);
  std::string text = schedule::Print(schedule.value());
  Lexer again_lexer(text);
  auto again = schedule::ParseSchedule(again_lexer);
  if (!again) return Failure(again.error(), text);
  if (schedule::Print(again.value()) != text)
    return {"the text form is read back as\n" + schedule::Print(again.value()), true};
  return {text, false};
}

Outcome RunStep(const std::string& step, const std::string& input) {
  static const Steps kSteps = {
      {"kernel", KernelPass([](loop::Kernel&) {})},
      {"plain", KernelPass(loop::VerifyPlain)},
      {"verify-flat", KernelPass(loop::VerifyFlat)},
      {"simplify", KernelPass(loop::Simplify)},
      {"flatten", KernelPass(loop::Flatten)},
      {"vectorize", KernelPass([](loop::Kernel& kernel) {
         loop::Flatten(kernel);
         loop::Vectorize(kernel);
         loop::Simplify(kernel);
       })},
      {"unroll", KernelPass(loop::Unroll)},
      {"share-memory", KernelPass(loop::ShareMemory)},
      {"guard-stores", KernelPass(loop::GuardStores)},
      {"guard-sums", KernelPass(loop::GuardSums)},
      {"promote-half",
       KernelPass([](loop::Kernel& kernel) { PromoteHalf(kernel, Storage::kPort); })},
      {"promote-half-between",
       KernelPass([](loop::Kernel& kernel) { PromoteHalf(kernel, Storage::kActivation); })},
      {"inline-maps", KernelPass(loop::InlineMaps)},
      {"single-terms", KernelPass(loop::StoreSingleTerms)},
      {"collapse", KernelPass(loop::Collapse)},
      {"factor-reduction",
       KernelPass([](loop::Kernel& kernel) { loop::FactorReduction(kernel, 4); })},
      {"transform-windows", KernelPass([](loop::Kernel& kernel) -> Status {
         auto transformed = loop::TransformWindows(kernel, 2);
         if (!transformed) return Error{"it is no convolution that takes fewer products in tiles"};
         kernel = std::move(*transformed);
         return kSuccess;
       })},
      {"join-reductions", KernelPass([](loop::Kernel& kernel) -> Status {
         auto joined = loop::JoinReductions(kernel);
         if (!joined) return Error{"its reductions are not one"};
         kernel = std::move(*joined);
         return loop::VerifyPlain(kernel);
       })},
      {"stream-rows", StreamRows(1)},
      {"stream-rows-in-parts", StreamRows(3)},
      {"align-rows", KernelPass([](loop::Kernel& kernel) -> Status {
         return loop::AlignRows(kernel) ? Status(kSuccess)
                                        : Status(Error{"the stages share no rows"});
       })},
      {"keep-functions", KernelPass([](loop::Kernel& kernel) -> Status {
         schedule::AlignLoops(kernel);
         loop::KeepFunctions(kernel);
         return loop::VerifyPlain(kernel);
       })},
      {"flat", KernelPass(MakeFlat)},
      {"groups", KernelPass(loop::SplitGroups)},
      {"cpu", [](const std::string& in) { return ChooseForCpu(in, {}); }},
      {"cpu-relaxed",
       [](const std::string& in) { return ChooseForCpu(in, {Feature::kRelaxedSimd}); }},
      {"cpu-dots",
       [](const std::string& in) {
         return ChooseForCpu(in, {Feature::kRelaxedSimd, Feature::kDots});
       }},
      {"gpu", [](const std::string& in) { return ChooseForGpu(in, {}); }},
      {"gpu-dots", [](const std::string& in) { return ChooseForGpu(in, {Feature::kDots}); }},
      {"schedule-text", ReadSchedule},
      {"schedule", ApplySchedule},
      {"schedule-steps", PrintScheduleSteps},
      {"schedule-flat", KernelPass([](loop::Kernel& kernel, Lexer& lexer) -> Status {
         TRY_ASSIGN(auto schedule, schedule::ParseSchedule(lexer));
         TRY(loop::VerifyPlain(kernel));
         return LowerForCpu(kernel, schedule, {});
       })},
  };
  for (const Steps* steps : {&kSteps, &GraphSteps()}) {
    auto found = steps->find(step);
    if (found != steps->end()) return found->second(input);
  }
  return {"no step named '" + step + "'\n", true};
}

// ---- Files ------------------------------------------------------------------------------------

bool Test(const std::string& path, bool update) {
  std::stringstream whole;
  whole << std::ifstream(path).rdbuf();
  std::string text = whole.str(), run = "; RUN: ", expect = "; EXPECT\n";
  size_t run_at = text.find(run), expect_at = text.find(expect);
  if (run_at == std::string::npos || expect_at == std::string::npos) {
    std::cout << path << ": needs '; RUN: <step>' and '; EXPECT'\n";
    return false;
  }
  size_t step_at = run_at + run.size(), step_end = text.find('\n', step_at);
  Outcome outcome = RunStep(text.substr(step_at, step_end - step_at), text.substr(0, expect_at));
  bool must_fail = std::filesystem::path(path).filename().string().starts_with("fail_");
  if (must_fail != outcome.failed) {
    std::cout << path << (must_fail ? ": must fail, and did not\n" : ": FAILED\n") << outcome.text;
    return false;
  }
  size_t body = expect_at + expect.size();
  if (outcome.text == text.substr(body)) return true;
  if (update) {
    std::ofstream(path) << text.substr(0, body) << outcome.text;
    return true;
  }
  std::cout << path << ": FAILED\n---- expected\n"
            << text.substr(body) << "---- actual\n"
            << outcome.text;
  return false;
}

}  // namespace
}  // namespace webnnc

int main(int argc, char** argv) {
  bool update = argc > 1 && !std::strcmp(argv[1], "--update");
  int failed = 0;
  for (int i = 1 + update; i < argc; ++i) failed += !webnnc::Test(argv[i], update);
  std::cout << argc - 1 - update - failed << " passed, " << failed << " failed\n";
  return failed != 0;
}
