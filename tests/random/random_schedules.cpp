// "A schedule can make a kernel slow, never wrong": random plain kernels and random schedules of
// them, before against after in the interpreter, which also looks for races.
//
//   random_schedules [--count N] [--seed N] [--verbose]
//
// Of each kernel the rules' schedules for the CPU and for every GPU are run, and one that is drawn
// at random from all directives. The passes that come before schedules, and those of LowerKernel
// after them, are held to the same. LowerKernel may refuse a schedule that was drawn, with an
// error; what it takes must verify and compute the same. A failure is printed
// with its seed, and shrunk: the smallest kernel and the shortest schedule that were found to fail.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <iostream>
#include <set>

#include "base/diagnostics.h"
#include "loop/interpret.h"
#include "loop/parameters.h"
#include "loop/passes/collapse.h"
#include "loop/passes/factor_reduction.h"
#include "loop/passes/inline_maps.h"
#include "loop/passes/keep_functions.h"
#include "loop/passes/single_terms.h"
#include "loop/passes/split_groups.h"
#include "loop/run_stages.h"
#include "loop/text.h"
#include "loop/verify.h"
#include "lower/lower_kernel.h"
#include "schedule/choose.h"
#include "schedule/classify.h"
#include "schedule/pack.h"
#include "schedule/schedule.h"
#include "tests/random/random_kernel.h"
#include "tests/random/random_schedule.h"

namespace webnnc::tests {
namespace {

struct Counts {
  int64_t kernels = 0, factored = 0, drawn = 0, refused = 0, ruled = 0, directives = 0, packed = 0;
};

// ---- Data -------------------------------------------------------------------------------------

uint64_t Hash(uint64_t x) {
  x ^= x >> 31;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 29;
  x *= 0x94d049bb133111ebu;
  return x ^ x >> 32;
}

Scalar NumberAt(const RandomInput& input, DType dtype, int64_t buffer, int64_t i) {
  uint64_t hash = Hash(static_cast<uint64_t>(buffer * 0x9e3779b9 + i * 0x85ebca6b + 1));
  if (input.integral) return Scalar::Of(dtype, static_cast<double>(hash % 7) - 3);
  return Convert(Scalar::Of(DType::kF32, static_cast<double>(hash % 4001) / 1000 - 2), dtype);
}

std::vector<uint8_t> BytesOf(const loop::Buffer& buffer, const SymbolValues& symbols) {
  int64_t count = ElementCount(buffer.type.shape).Evaluate(symbols);
  return std::vector<uint8_t>(static_cast<size_t>(count * ByteSize(buffer.type.dtype)), 0x7b);
}

// Element types that a GPU carries others in, one by one.
std::vector<uint8_t> Carried(const std::vector<uint8_t>& bytes, DType from, DType to) {
  if (from == to) return bytes;
  auto count = static_cast<int64_t>(bytes.size()) / ByteSize(from);
  std::vector<uint8_t> out(static_cast<size_t>(count * ByteSize(to)));
  for (int64_t i = 0; i < count; ++i)
    WriteScalar(out.data(), i, Convert(ReadScalar(bytes.data(), from, i), to));
  return out;
}

using Contents = std::vector<std::vector<uint8_t>>;

std::vector<const loop::Buffer*> Buffers(const loop::Kernel& kernel, loop::Space space) {
  std::vector<const loop::Buffer*> out;
  for (const loop::Buffer& buffer : kernel.buffers) {
    if (buffer.space == space) out.push_back(&buffer);
  }
  return out;
}

// ---- One case ---------------------------------------------------------------------------------

class Case {
 public:
  Case(Choices& choices, Counts& counts) : choices_(choices), counts_(counts) {}

  // What is wrong, or "".
  std::string Run() {
    random_ = MakeRandomKernel(choices_);
    text_ = random_.text;
    ++counts_.kernels;
    Status status = RunAll();
    if (status) return "";
    std::string symbols;
    for (const auto& [name, value] : random_.symbols)
      symbols += " " + name + "=" + std::to_string(value);
    return status.error().message + "\n" + random_.text + (symbols.empty() ? "" : ";" + symbols) +
           "\n" + text_;
  }

 private:
  Status RunAll() {
    auto parsed = loop::Parse(random_.text);
    if (!parsed) return Error{Describe(parsed.error(), random_.text)};
    loop::Kernel plain = std::move(parsed.value());
    TRY(loop::VerifyPlain(plain));
    TRY(MakeData(plain));
    TRY(CheckStages(plain));
    TRY(CheckPasses(plain));
    TRY(CheckRules(plain));
    return CheckDrawn(plain);
  }

  Status MakeData(const loop::Kernel& plain) {
    auto inputs = Buffers(plain, loop::Space::kIn);
    for (size_t i = 0; i < inputs.size(); ++i) {
      DType dtype = inputs[i]->type.dtype;
      std::vector<uint8_t> bytes = BytesOf(*inputs[i], random_.symbols);
      auto count = static_cast<int64_t>(bytes.size()) / ByteSize(dtype);
      for (int64_t e = 0; e < count; ++e)
        WriteScalar(bytes.data(), e,
                    NumberAt(random_.inputs[i], dtype, static_cast<int64_t>(i), e));
      inputs_.push_back(std::move(bytes));
      input_types_.push_back(dtype);
    }
    for (const loop::Buffer* buffer : Buffers(plain, loop::Space::kOut))
      result_types_.push_back(buffer->type.dtype);
    TRY_ASSIGN(expected_, Interpret(plain));
    return kSuccess;
  }

  Result<Contents> Interpret(const loop::Kernel& kernel) const {
    loop::Memory memory(static_cast<size_t>(kernel.buffers.size()));
    size_t input = 0;
    for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
      const loop::Buffer& buffer = kernel.buffers[loop::BufferId{b}];
      auto at = static_cast<size_t>(b);
      if (buffer.space == loop::Space::kIn) {
        // Weights are as in their file, whatever a GPU reads them as.
        if (weights_.count(input)) {
          memory[at] = inputs_[input];
          memory[at].resize(BytesOf(buffer, random_.symbols).size());
        } else {
          memory[at] = Carried(inputs_[input], input_types_[input], buffer.type.dtype);
        }
        ++input;
      } else if (buffer.space == loop::Space::kOut) {
        memory[at] = BytesOf(buffer, random_.symbols);
      }
    }
    TRY(loop::Interpret(kernel, memory, {random_.symbols, true}));
    Contents results;
    for (int32_t b = 0; b < kernel.buffers.size(); ++b) {
      const loop::Buffer& buffer = kernel.buffers[loop::BufferId{b}];
      if (buffer.space != loop::Space::kOut) continue;
      DType type = result_types_[results.size()];
      results.push_back(Carried(memory[static_cast<size_t>(b)], buffer.type.dtype, type));
    }
    return results;
  }

  Status Compare(const Contents& actual, const RandomKernel& bounds) const {
    for (size_t r = 0; r < expected_.size(); ++r) {
      DType dtype = result_types_[r];
      if (expected_[r].size() != actual[r].size())
        return Error{"%" + bounds.results[r].name + " has another size"};
      auto count = static_cast<int64_t>(actual[r].size()) / ByteSize(dtype);
      for (int64_t i = 0; i < count; ++i) {
        Scalar want = ReadScalar(expected_[r].data(), dtype, i);
        Scalar got = ReadScalar(actual[r].data(), dtype, i);
        // Both may be off.
        if (IsSame(want, got, 2 * bounds.results[r].error)) continue;
        return Error{"%" + bounds.results[r].name + "[" + std::to_string(i) + "] is " +
                     PrintReal(got.AsReal()) + ", not " + PrintReal(want.AsReal()) + " within " +
                     PrintReal(2 * bounds.results[r].error)};
      }
    }
    return kSuccess;
  }

  static bool IsSame(const Scalar& a, const Scalar& b, double error) {
    if (!IsFloat(a.dtype)) return a == b;
    if (std::isnan(a.real) || std::isnan(b.real)) return std::isnan(a.real) == std::isnan(b.real);
    return a.real == b.real || std::fabs(a.real - b.real) <= error;
  }

  Status CheckKernel(const std::string& what, const loop::Kernel& kernel,
                     const RandomKernel& bounds) {
    Status status = loop::Verify(kernel);
    if (status) {
      auto results = Interpret(kernel);
      status = results ? Compare(results.value(), bounds) : Status(results.error());
    }
    if (status) return status;
    text_ += "; " + what + "\n" + loop::Print(kernel);
    return Error{what + ": " + status.error().message};
  }

  // Kernels of known sizes are run by another interpreter where constants are folded.
  Status CheckStages(const loop::Kernel& plain) {
    if (!random_.symbols.empty()) return kSuccess;
    std::vector<std::span<const uint8_t>> operands(inputs_.begin(), inputs_.end());
    TRY_ASSIGN(auto results, loop::RunStages(plain, operands));
    for (size_t r = 0; r < results.size(); ++r) {
      if (results[r] != expected_[r]) return Error{"RunStages gives other bytes"};
    }
    return kSuccess;
  }

  // In as few parts as the sum can be cut into, of which few are written out, and of every other
  // kernel in more.
  void FactorReduction(loop::Kernel& plain) {
    int64_t length = loop::FactorableLength(plain).value_or(0);
    for (int64_t parts = counts_.kernels % 2 ? 9 : 2; parts <= length; ++parts) {
      if (length % parts != 0) continue;
      loop::FactorReduction(plain, parts);
      ++counts_.factored;
      return;
    }
  }

  // What forms kernels, in its order; leaves the kernel as rules find it.
  Status CheckPasses(loop::Kernel& plain) {
    auto check = [&](const std::string& pass) -> Status {
      TRY(CheckKernel(pass, plain, random_));
      if (Status is_plain = loop::VerifyPlain(plain); !is_plain) {
        text_ += loop::Print(plain);
        return Error{pass + ": " + is_plain.error().message};
      }
      return kSuccess;
    };
    int chosen = choices_.Below(64);
    if (chosen & 1) {
      loop::StoreSingleTerms(plain);
      TRY(check("StoreSingleTerms"));
    }
    if (chosen & 2) {
      loop::InlineMaps(plain);
      TRY(check("InlineMaps"));
    }
    if (chosen & 4) {
      loop::SplitGroups(plain);
      TRY(check("SplitGroups"));
    }
    if (chosen & 8) {
      loop::Collapse(plain);
      TRY(check("Collapse"));
    }
    if (chosen & 32) {
      FactorReduction(plain);
      TRY(check("FactorReduction"));
    }
    if (chosen & 16) {
      schedule::AlignLoops(plain);
      TRY(check("Classify"));
      loop::KeepFunctions(plain);
      TRY(check("KeepFunctions"));
    }
    text_ = loop::Print(plain);
    return kSuccess;
  }

  // What LowerKernel makes of it, after each of its passes. It refuses schedules that do not fit
  // the kernel or the device, the last time for their memory, before it simplifies.
  Status CheckLowered(const std::string& what, const loop::Kernel& plain,
                      const schedule::Schedule& schedule, lower::Options options) {
    text_ = loop::Print(plain) + schedule::Print(schedule);
    const Contents lying = inputs_;
    PackInputs(plain, schedule, options);
    const RandomKernel& bounds = Narrows(schedule) ? NarrowBounds() : random_;
    Status wrong = kSuccess;
    bool fits = false;
    options.log = [&](std::string_view pass, const loop::Kernel& kernel) {
      fits |= pass == "simplify";
      if (wrong) wrong = CheckKernel(what + ", after " + std::string(pass), kernel, bounds);
    };
    auto lowered = lower::LowerKernel(plain, schedule, options);
    inputs_ = lying;
    weights_.clear();
    TRY(wrong);
    if (lowered) return loop::VerifyFlat(lowered.value().flat);
    ++counts_.refused;
    return fits ? Status(lowered.error()) : kSuccess;
  }

  // What the schedule packs is a weight, and lies as it says.
  void PackInputs(const loop::Kernel& plain, const schedule::Schedule& schedule,
                  lower::Options& options) {
    const std::vector<loop::BufferId> parameters = loop::ParametersOf(plain);
    options.parameters.resize(parameters.size(), Storage::kActivation);
    for (const schedule::Packed& packed : schedule::PackedBy(plain, schedule)) {
      size_t input = 0;
      for (size_t p = 0; parameters[p] != packed.buffer; ++p)
        input += plain.buffers[parameters[p]].space == loop::Space::kIn;
      const auto at = std::find(parameters.begin(), parameters.end(), packed.buffer);
      options.parameters[static_cast<size_t>(at - parameters.begin())] = Storage::kWeight;
      inputs_[input] = schedule::Repack(inputs_[input], packed);
      weights_.insert(input);
      ++counts_.packed;
    }
  }

  lower::Options ForCpu(const loop::Kernel& plain) {
    lower::Options options;
    for (size_t p = 0; p < loop::ParametersOf(plain).size(); ++p)
      options.parameters.push_back(choices_.Chance(2) ? Storage::kPort : Storage::kActivation);
    return options;
  }

  Target DrawGpu() {
    bool half = choices_.Chance(2);
    return WebGpu(half ? FeatureSet{Feature::kF16} : FeatureSet{}, choices_.Pick(GpuMachines()));
  }

  static bool Narrows(const schedule::Schedule& schedule) {
    for (const schedule::Directive& directive : schedule) {
      if (std::holds_alternative<schedule::Narrow>(directive)) return true;
    }
    return false;
  }

  // The same kernel, with bounds for sums in f16.
  const RandomKernel& NarrowBounds() {
    if (!narrow_) {
      Choices again(choices_.numbers());
      narrow_ = MakeRandomKernel(again, true);
    }
    return *narrow_;
  }

  // What a rule writes may not fit: then the next schedule is tried, or the stages are cut apart.
  Status CheckRules(const loop::Kernel& before) {
    loop::Kernel plain = before;
    schedule::AlignLoops(plain);
    for (FeatureSet features : {FeatureSet{}, FeatureSet{Feature::kRelaxedSimd}}) {
      auto schedule = schedule::Choose(plain, Wasm(features), {});
      ++counts_.ruled;
      TRY(CheckLowered("the rule for the CPU", plain, schedule, ForCpu(plain)));
    }
    Target gpu = DrawGpu();
    auto candidates = schedule::Candidates(plain, gpu, {}, {4, 4});
    for (const schedule::Candidate& candidate : candidates) {
      ++counts_.ruled;
      TRY(CheckLowered("the rule " + std::string(candidate.rule), plain, candidate.schedule,
                       {gpu}));
    }
    return kSuccess;
  }

  Status CheckDrawn(const loop::Kernel& plain) {
    for (int i = 0; i < 3; ++i) {
      schedule::Schedule schedule = DrawSchedule(plain, choices_);
      ++counts_.drawn;
      counts_.directives += static_cast<int64_t>(schedule.size());
      lower::Options options = choices_.Chance(2) ? lower::Options{DrawGpu()} : ForCpu(plain);
      TRY(CheckLowered("the drawn schedule", plain, schedule, std::move(options)));
    }
    return kSuccess;
  }

  Choices& choices_;
  Counts& counts_;
  RandomKernel random_;
  std::optional<RandomKernel> narrow_;
  std::string text_;
  Contents inputs_, expected_;
  std::set<size_t> weights_;  // of the inputs
  std::vector<DType> input_types_, result_types_;
};

// What CHECK and signals end is found by its seed.
volatile uint64_t current_seed = 0;
void PrintSeed(int signal) {
  std::cerr << "seed " << current_seed << " ends the program; --count 1 --seed " << current_seed
            << " runs it alone\n";
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::string RunCase(Choices& choices, Counts& counts) {
  try {
    return Case(choices, counts).Run();
  } catch (const std::exception& exception) {
    Choices again(choices.numbers());
    return std::string("throws ") + exception.what() + "\n" + MakeRandomKernel(again).text;
  }
}

void Report(uint64_t seed) {
  Counts ignored;
  Choices choices(seed);
  std::string problem = RunCase(choices, ignored);
  auto smallest = Shrink(choices.numbers(), [&](const std::vector<uint32_t>& numbers) {
    Choices smaller(numbers);
    return !RunCase(smaller, ignored).empty();
  });
  Choices shrunk(smallest);
  std::cout << "seed " << seed << ": " << problem.substr(0, problem.find('\n'))
            << "\nthe smallest that fails:\n"
            << RunCase(shrunk, ignored) << "\n";
}

}  // namespace
}  // namespace webnnc::tests

int main(int argc, char** argv) {
  uint64_t count = 1000, first = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--count")) count = std::stoull(argv[i + 1]);
    if (!std::strcmp(argv[i], "--seed")) first = std::stoull(argv[i + 1]);
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(signal, webnnc::tests::PrintSeed);
  webnnc::tests::Counts counts;
  bool verbose = argc > 1 && !std::strcmp(argv[argc - 1], "--verbose");
  int failed = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    webnnc::tests::current_seed = seed;
    if (verbose) {
      webnnc::tests::Choices shown(seed);
      std::cerr << webnnc::tests::MakeRandomKernel(shown).text;
    }
    webnnc::tests::Choices choices(seed);
    if (webnnc::tests::RunCase(choices, counts).empty()) continue;
    webnnc::tests::Report(seed);
    constexpr int kMostReports = 3;
    if (++failed == kMostReports) break;
  }
  std::cout << counts.kernels << " kernels (" << counts.factored << " factored), " << counts.ruled
            << " schedules of rules, " << counts.drawn << " drawn (" << counts.directives
            << " directives, " << counts.packed << " weights packed, " << counts.refused
            << " schedules refused), " << failed << " failed\n";
  return failed != 0;
}
