// Test cases as compiled bundles, run in Node.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "tests/onnx/trial.h"
#include "webnnc/compiler.h"

namespace webnnc {

// Compiles the trial's model to `work`/bundle and writes beside it what run_bundles.mjs reads: the
// inputs, and case.json, which says how ports and files belong together. Nothing of an earlier run
// is left in `work`, except model.onnx.
Status MakeBundle(const Trial& trial, const std::string& work, CompileOptions options = {});

// Runs the bundles in these folders on a backend of run_bundles.mjs, all in one process as long as
// it lives. Gives "", or what went wrong, for each.
std::vector<std::string> RunBundles(const std::string& backend,
                                    const std::vector<std::string>& works,
                                    const std::string& scratch);

// What the bundle in `work` computed for data set `set`.
Result<std::vector<Tensor>> ReadOutputs(const Trial& trial, const std::string& backend,
                                        const std::string& work, size_t set);

}  // namespace webnnc
