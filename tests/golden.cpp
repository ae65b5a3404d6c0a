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
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include "base/diagnostics.h"
#include "graph/lower.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "loop/interpret.h"
#include "loop/passes/flatten.h"
#include "loop/passes/simplify.h"
#include "loop/passes/split_groups.h"
#include "loop/passes/unroll.h"
#include "loop/passes/vectorize.h"
#include "loop/text.h"
#include "loop/verify.h"
#include "schedule/choose.h"
#include "schedule/classify.h"
#include "schedule/schedule.h"

namespace webnnc {
namespace {

// What a step printed, or its error and the text that the error speaks of.
struct Outcome {
  std::string text;
  bool failed = false;
};

Outcome Failure(const Error& error, const std::string& about) {
  return {Describe(error, about), true};
}

// ---- Kernels on made-up data ------------------------------------------------------------------

// Every symbol is 7: no power of two, so that tails are there to be wrong about.
SymbolValues Symbols(const loop::Kernel& kernel) {
  std::set<std::string> names;
  for (const loop::Buffer& buffer : kernel.buffers) {
    for (const Dim& size : buffer.type.shape) size.CollectSymbols(names);
  }
  SymbolValues values;
  for (const std::string& name : names) values[name] = 7;
  return values;
}

Result<loop::Memory> Run(const loop::Kernel& kernel, bool check_races) {
  SymbolValues symbols = Symbols(kernel);
  loop::Memory memory(static_cast<size_t>(kernel.buffers.size()));
  for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
    const loop::Buffer& buffer = kernel.buffers[loop::BufferId{b}];
    if (buffer.space != loop::Space::kIn) continue;
    int64_t count = ElementCount(buffer.type.shape).Evaluate(symbols);
    auto& bytes = memory[static_cast<size_t>(b)];
    bytes.resize(static_cast<size_t>(count * ByteSize(buffer.type.dtype)));
    for (int64_t i = 0; i < count; ++i) {
      double value = static_cast<double>((i * 7 + b * 3) % 11) - 5;
      WriteScalar(bytes.data(), i, Scalar::Of(buffer.type.dtype, value));
    }
  }
  TRY(loop::Interpret(kernel, memory, {symbols, check_races}));
  return memory;
}

// Sums in another order differ by rounding; the data above keeps most of them exact.
bool Close(const Scalar& a, const Scalar& b) {
  if (!IsFloat(a.dtype)) return a == b;
  if (std::isnan(a.real) || std::isnan(b.real)) return std::isnan(a.real) && std::isnan(b.real);
  return std::fabs(a.real - b.real) <= 1e-5 * (1 + std::fabs(a.real));
}

// Whether two kernels with the same parameters compute the same.
Status Compare(const loop::Kernel& before, const loop::Kernel& after) {
  TRY_ASSIGN(auto expected, Run(before, false));
  TRY_ASSIGN(auto actual, Run(after, true));
  for (int32_t b = 0; b < before.buffers.size(); ++b) {
    const loop::Buffer& buffer = before.buffers[loop::BufferId{b}];
    if (buffer.space != loop::Space::kOut) continue;
    const auto &x = expected[static_cast<size_t>(b)], &y = actual[static_cast<size_t>(b)];
    if (x.size() != y.size()) return Error{"the sizes of %" + buffer.name + " differ"};
    auto count = static_cast<int64_t>(x.size()) / ByteSize(buffer.type.dtype);
    for (int64_t i = 0; i < count; ++i) {
      Scalar want = ReadScalar(x.data(), buffer.type.dtype, i);
      Scalar got = ReadScalar(y.data(), buffer.type.dtype, i);
      if (Close(want, got)) continue;
      return Error{"%" + buffer.name + "[" + std::to_string(i) + "] is " +
                   PrintReal(got.AsReal()) + ", not " + PrintReal(want.AsReal())};
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

Outcome Checked(const loop::Kernel& before, const loop::Kernel& after) {
  std::string text = loop::Print(after);
  if (Status status = loop::Verify(after); !status) return Failure(status.error(), text);
  if (Status status = Compare(before, after); !status) {
    return {Describe(status.error(), text) + text, true};
  }
  return {text, false};
}

Outcome OnGraph(const std::string& input, const std::function<Status(graph::Graph&)>& step) {
  auto graph = graph::Parse(input);
  if (!graph) return Failure(graph.error(), input);
  if (Status status = graph::Verify(graph.value()); !status) return Failure(status.error(), input);
  if (Status status = step(graph.value()); !status) return Failure(status.error(), input);
  std::string text = graph::Print(graph.value());
  if (Status status = graph::Verify(graph.value()); !status) return Failure(status.error(), text);
  return {text, false};
}

Outcome OnKernel(const std::string& input, const std::function<Status(loop::Kernel&, Lexer&)>& step) {
  Lexer lexer(input);
  auto parsed = ParseKernel(lexer);
  if (!parsed) return Failure(parsed.error(), input);
  loop::Kernel before = parsed.value(), after = before;
  if (Status status = loop::Verify(before); !status) return Failure(status.error(), input);
  if (Status status = step(after, lexer); !status) return Failure(status.error(), input);
  return Checked(before, after);
}

Status ApplySchedule(loop::Kernel& kernel, Lexer& lexer) {
  TRY_ASSIGN(auto schedule, schedule::ParseSchedule(lexer));
  TRY(loop::VerifyPlain(kernel));
  TRY_ASSIGN(kernel, schedule::Apply(kernel, schedule));
  return kSuccess;
}

Status MakeFlat(loop::Kernel& kernel) {
  loop::Flatten(kernel);
  loop::Vectorize(kernel);
  loop::Unroll(kernel);
  loop::Simplify(kernel);
  return kSuccess;
}

// Prints the schedule that a rule chose, and runs what comes of it.
Outcome ChooseForCpu(const std::string& input, const schedule::CpuTarget& target) {
  schedule::Schedule chosen;
  Outcome outcome = OnKernel(input, [&](loop::Kernel& kernel, Lexer&) -> Status {
    TRY(loop::VerifyPlain(kernel));
    schedule::Classify(kernel);
    chosen = schedule::ChooseForCpu(kernel, target);
    TRY_ASSIGN(kernel, schedule::Apply(kernel, chosen));
    TRY(MakeFlat(kernel));
    return loop::VerifyFlat(kernel);
  });
  if (!outcome.failed) outcome.text = schedule::Print(chosen);
  return outcome;
}

Outcome RunStep(const std::string& step, const std::string& input) {
  static const std::map<std::string, std::function<Outcome(const std::string&)>> kSteps = {
      {"graph", [](const std::string& in) {
         return OnGraph(in, [](graph::Graph&) -> Status { return kSuccess; });
       }},
      {"kernel", [](const std::string& in) {
         return OnKernel(in, [](loop::Kernel&, Lexer&) -> Status { return kSuccess; });
       }},
      {"plain", [](const std::string& in) {
         return OnKernel(in, [](loop::Kernel& kernel, Lexer&) { return loop::VerifyPlain(kernel); });
       }},
      {"simplify", [](const std::string& in) {
         return OnKernel(in, [](loop::Kernel& kernel, Lexer&) -> Status {
           loop::Simplify(kernel);
           return kSuccess;
         });
       }},
      {"flat", [](const std::string& in) {
         return OnKernel(in, [](loop::Kernel& kernel, Lexer&) { return MakeFlat(kernel); });
       }},
      {"groups", [](const std::string& in) {
         return OnKernel(in, [](loop::Kernel& kernel, Lexer&) -> Status {
           loop::SplitGroups(kernel);
           return kSuccess;
         });
       }},
      {"cpu", [](const std::string& in) { return ChooseForCpu(in, {false}); }},
      {"cpu-relaxed", [](const std::string& in) { return ChooseForCpu(in, {true}); }},
      {"schedule", [](const std::string& in) { return OnKernel(in, ApplySchedule); }},
      {"schedule-flat", [](const std::string& in) {
         return OnKernel(in, [](loop::Kernel& kernel, Lexer& lexer) -> Status {
           TRY(ApplySchedule(kernel, lexer));
           return MakeFlat(kernel);
         });
       }},
  };
  auto found = kSteps.find(step);
  if (found == kSteps.end()) return {"no step named '" + step + "'\n", true};
  return found->second(input);
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
            << text.substr(body) << "---- actual\n" << outcome.text;
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
