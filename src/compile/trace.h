// What is done after each step of the pipeline: the result is verified, its time recorded, and it
// is printed or written where --emit or --dump asked for it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "compile/code.h"
#include "webnnc/compiler.h"

namespace webnnc {

class Trace {
 public:
  explicit Trace(const CompileOptions& options);

  // The flags that name steps and folders are checked before any work begins.
  Status Start();

  // What `step` made. Steps come in the order of kSteps; some may be left out. Gives an error also
  // when there is nothing more to do because --emit asked for this step; `ended` tells.
  Status Graphs(std::string_view step, const Code& code);
  Status Programs(std::string_view step, const Code& code);
  Status operator()(std::string_view step, const std::function<std::string()>& print);
  // That so much of a step is done, which takes long.
  void Part(std::string_view step, double part) const;
  bool ended() const { return ended_; }

  // Text for --explain; `print` is called only if it was asked for.
  void Explain(const std::function<std::string()>& print);
  // The time of each step so far.
  std::string Times() const;

 private:
  void Record(size_t step);
  Status Show(size_t step, const std::function<std::string()>& print);

  const CompileOptions& options_;
  std::chrono::steady_clock::time_point last_;
  std::vector<std::pair<size_t, double>> seconds_;
  bool ended_ = false;
};

}  // namespace webnnc
