// The program: flags become options, options go to Compile, what comes back is shown.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <thread>
#include <utility>

#include "base/output_folder.h"
#include "base/printable.h"
#include "base/size_text.h"
#include "cli/arguments.h"
#include "cli/progress_line.h"
#include "cli/tune.h"
#include "compile/failure.h"
#include "compile/models.h"

namespace {

using namespace webnnc;

// Whoever stops the program finds the folder as it was. Signals come to a thread of their own,
// which may do what a handler may not.
void CleanUpWhenStopped() {
  static sigset_t stops;
  sigemptyset(&stops);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&stops, signal);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  std::thread([] {
    int signal = 0;
    sigwait(&stops, &signal);
    RemoveUnfinished();
    _exit(128 + signal);
  }).detach();
}

void Show(const Failure& failure, bool json) {
  if (json) {
    std::cout << failure.json << "\n";
  } else {
    std::cerr << failure.text;
  }
}

// Where memory runs out, the program ends at once: neither threads nor LLVM's functions can be left
// by exceptions. It is an error like others, and leaves as little behind.
struct MemoryEnd {
  const cli::Arguments* arguments;
  pid_t process;
  // What the last words need.
  void* reserve;
};
MemoryEnd memory_end;

void EndWithoutMemory() {
  // A process that was forked to link ends alone, and a second time there is nothing left to say.
  if (getpid() != memory_end.process || !memory_end.reserve) _exit(cli::kFailed);
  std::free(std::exchange(memory_end.reserve, nullptr));
  RemoveUnfinished();
  Show(FailureOf(FilesOf(memory_end.arguments->options),
                 Error{"there is not enough memory to compile it",
                       {},
                       {"it needs more than this machine has, or may use"}}),
       memory_end.arguments->json);
  std::cout.flush();
  _exit(cli::kFailed);
}

void EndCleanlyWithoutMemory(const cli::Arguments& arguments) {
  constexpr size_t kReserve = 1 << 20;
  memory_end = {&arguments, getpid(), std::malloc(kReserve)};
  std::set_new_handler(EndWithoutMemory);
}

std::string Describe(const Summary& summary) {
  std::string out;
  auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (summary.gpu_kernels) add(std::to_string(*summary.gpu_kernels) + " dispatches on webgpu");
  if (summary.wasm_kernels) add(std::to_string(*summary.wasm_kernels) + " kernels on wasm");
  add("model.wasm " + SizeText(summary.wasm_bytes));
  add("weights " + SizeText(summary.weight_bytes));
  if (summary.error) {
    char percent[32];
    std::snprintf(percent, sizeof percent, "%.3g %%", *summary.error * 100);
    add(std::string("results differ by ") + percent +
        (summary.made_up_inputs ? " on made-up inputs" : ""));
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (cli::IsTune(argc, argv)) return cli::StartTuning(argc, argv);
  cli::Stopwatch watch;
  cli::ProgressLine line(watch);
  int exit_code = cli::kFine;
  auto arguments = cli::Parse(argc, argv, exit_code);
  if (!arguments) return exit_code;
  CleanUpWhenStopped();
  EndCleanlyWithoutMemory(*arguments);
  CompileOptions& options = arguments->options;
  options.print = [&](const std::string& text) {
    line.Clear();
    std::cout << text << std::flush;
  };
  if (!arguments->quiet) {
    options.progress = [&](std::string_view step, double done) { line.Show(step, done); };
    options.warn = [&](const std::string& file, const std::string& warning) {
      line.Clear();
      if (!arguments->json)
        std::cerr << Printable(file) << ": warning: " << Printable(warning) << "\n";
    };
  }
  options.done = [&](const Summary& summary) {
    line.Clear();
    if (arguments->json) {
      std::cout << summary.description << "\n";
    } else if (!arguments->quiet) {
      std::printf("%s: %s, %.1f s\n", Printable(options.output).c_str(), Describe(summary).c_str(),
                  watch.Seconds());
    }
  };
  if (auto failure = Compile(options)) {
    line.Clear();
    Show(*failure, arguments->json);
    return cli::kFailed;
  }
  return cli::kFine;
}
