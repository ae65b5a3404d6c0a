// The program: flags become options, options go to Compile, what comes back is shown.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <thread>

#include "base/output_folder.h"
#include "base/size_text.h"
#include "cli/arguments.h"
#include "cli/progress_line.h"

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

std::string Describe(const Summary& summary) {
  std::string out;
  auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (summary.gpu_kernels) add(std::to_string(*summary.gpu_kernels) + " dispatches on webgpu");
  if (summary.wasm_kernels) add(std::to_string(*summary.wasm_kernels) + " kernels on wasm");
  add("model.wasm " + SizeText(summary.wasm_bytes));
  add("weights " + SizeText(summary.weight_bytes));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  cli::Stopwatch watch;
  cli::ProgressLine line(watch);
  int exit_code = cli::kFine;
  auto arguments = cli::Parse(argc, argv, exit_code);
  if (!arguments) return exit_code;
  CleanUpWhenStopped();
  CompileOptions& options = arguments->options;
  options.print = [&](const std::string& text) {
    line.Clear();
    std::cout << text << std::flush;
  };
  if (!arguments->quiet) {
    options.progress = [&](std::string_view step, double done) { line.Show(step, done); };
    options.warn = [&](const std::string& warning) {
      line.Clear();
      if (!arguments->json) std::cerr << options.model << ": warning: " << warning << "\n";
    };
  }
  options.done = [&](const Summary& summary) {
    line.Clear();
    if (arguments->json) {
      std::cout << summary.description << "\n";
    } else if (!arguments->quiet) {
      std::printf("%s: %s, %.1f s\n", options.output.c_str(), Describe(summary).c_str(),
                  watch.Seconds());
    }
  };
  if (auto failure = Compile(options)) {
    line.Clear();
    if (arguments->json) {
      std::cout << failure->json << "\n";
    } else {
      std::cerr << failure->text;
    }
    return cli::kFailed;
  }
  return cli::kFine;
}
