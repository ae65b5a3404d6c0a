// docs/onnx-node-tests.md: which of ONNX's test cases pass where, and why the others do not. It is
// written from a run and compared with every later one, so that no case changes its status unseen.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace webnnc {

// "passed", "unsupported: ...", "failed: ..." or, for KnownDifferences, "differs: ...", by backend.
// A case that cannot be imported has the same on each.
using Verdicts = std::map<std::string, std::string>;

// Cases whose expected data is wrong, by name or by name and opset, with the reason.
const std::map<std::string, std::string>& KnownDifferences();
bool HasKnownDifference(const std::string& id);

// The page for these verdicts, by case.
std::string WriteStatusPage(const std::map<std::string, Verdicts>& cases);

// What speaks against `page`, one sentence a case: a case that it lists as unsupported is not, or
// one is that it does not list; a case fails, or one of KnownDifferences does not. Cases that were
// not run are not judged, and neither are backends.
std::vector<std::string> CompareWithPage(const std::string& page,
                                         const std::map<std::string, Verdicts>& cases);

}  // namespace webnnc
