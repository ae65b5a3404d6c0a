#include "tests/onnx/status_page.h"

#include <array>
#include <set>
#include <sstream>

namespace webnnc {

namespace {

constexpr std::string_view kUnsupported = "unsupported: ";

// Every backend refuses what cannot be imported, and says so in the same words.
bool RefusedByAll(const Verdicts& verdicts) {
  for (const auto& [backend, verdict] : verdicts) {
    if (!verdict.starts_with(kUnsupported) || verdict != verdicts.begin()->second) return false;
  }
  return !verdicts.empty();
}

// node "Y" (Unique, opset 11): the operator is not supported  ->  Unique: the operator is not
// supported
std::string WithoutNames(const std::string& reason) {
  if (!reason.starts_with("node \"")) return reason;
  size_t open = reason.find("\" ("), comma = reason.find(',', open),
         colon = reason.find("): ", comma);
  if (open == std::string::npos || comma == std::string::npos || colon == std::string::npos)
    return reason;
  return reason.substr(open + 3, comma - open - 3) + reason.substr(colon + 1);
}

using CasesByReason = std::map<std::string, std::set<std::string>>;

void AppendSection(std::ostream& out, const std::string& title, const CasesByReason& cases) {
  if (cases.empty()) return;
  out << "\n## " << title << "\n";
  for (const auto& [reason, ids] : cases) {
    out << "\n### " << reason << "\n\n";
    std::string separator;
    for (const std::string& id : ids) {
      out << separator << "`" << id << "`";
      separator = "\n";
    }
    out << "\n";
  }
}

std::string SectionFor(const std::string& backend) {
  return backend.empty() ? "Not supported" : "Not supported on " + backend;
}

// Of each case and backend the reason that the page gives; backend "" is all.
std::map<std::string, std::map<std::string, std::string>> ReadReasons(const std::string& page) {
  std::map<std::string, std::map<std::string, std::string>> reasons;
  std::istringstream lines(page);
  std::string backend, reason;
  bool listing = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) {
      std::string title = SectionFor("");
      listing = line.substr(3).starts_with(title);
      size_t on = line.find(" on ");
      backend = listing && on != std::string::npos ? line.substr(on + 4) : "";
    } else if (line.starts_with("### ")) {
      reason = line.substr(4);
    } else if (listing && line.starts_with("`")) {
      reasons[line.substr(1, line.size() - 2)][backend] = reason;
    }
  }
  return reasons;
}

std::string NameOf(const std::string& id) { return id.substr(0, id.find('@')); }

}  // namespace

const std::map<std::string, std::string>& KnownDifferences() {
  static const std::map<std::string, std::string> kDifferences = {
      {"test_resize_downsample_scales_cubic_align_corners",
       "its data maps corners to corners of a result that is 2.4 elements wide; ONNX's text and "
       "ONNX "
       "Runtime use the result's whole width of 2"},
      {"test_resize_downsample_scales_linear_align_corners",
       "as test_resize_downsample_scales_cubic_align_corners"},
      {"test_cast_BFLOAT16_to_FLOAT@13", "bfloat16 is uint16 in its data"},
      {"test_cast_FLOAT_to_BFLOAT16@13", "as test_cast_BFLOAT16_to_FLOAT@13"},
      {"test_castlike_BFLOAT16_to_FLOAT@15", "as test_cast_BFLOAT16_to_FLOAT@13"},
      {"test_castlike_BFLOAT16_to_FLOAT_expanded@15", "as test_cast_BFLOAT16_to_FLOAT@13"},
      {"test_castlike_FLOAT_to_BFLOAT16@15", "as test_cast_BFLOAT16_to_FLOAT@13"},
      {"test_castlike_FLOAT_to_BFLOAT16_expanded@15", "as test_cast_BFLOAT16_to_FLOAT@13"},
  };
  return kDifferences;
}

bool HasKnownDifference(const std::string& id) {
  return KnownDifferences().count(id) || KnownDifferences().count(NameOf(id));
}

std::string WriteStatusPage(const std::map<std::string, Verdicts>& cases) {
  // Of each backend how many passed, failed and are unsupported.
  std::map<std::string, std::array<int, 3>> counts;
  std::map<std::string, CasesByReason> reasons;
  for (const auto& [id, verdicts] : cases) {
    bool everywhere = RefusedByAll(verdicts);
    for (const auto& [backend, verdict] : verdicts) {
      bool unsupported = verdict.starts_with(kUnsupported);
      counts[backend][unsupported ? 2 : verdict == "passed" ? 0 : 1] += 1;
      if (!unsupported) continue;
      reasons[everywhere ? "" : backend][WithoutNames(verdict.substr(kUnsupported.size()))].insert(
          id);
    }
  }
  std::ostringstream out;
  out << "# ONNX's test cases\n\n"
         "Written by `tests/onnx/run --update`; `tests/onnx/run` fails when a case no longer has "
         "the status it\n"
         "has here. The cases are those of Debian's `libonnx-testdata` (up to opset 17) and of "
         "ONNX's own\n"
         "repository (up to the newest opset), each named with its opset. They are compiled as "
         "they "
         "are written: also\n"
         "shapes, axes and counts that their models take as inputs are data.\n\n"
         "| backend | passed | wrong data | not supported |\n|---|---|---|---|\n";
  for (const auto& [backend, count] : counts) {
    out << "| " << backend << " | " << count[0] << " | " << count[1] << " | " << count[2] << " |\n";
  }
  out << "\n## Wrong data\n\nWhat these cases expect contradicts ONNX's definition of the "
         "operator:\n\n";
  for (const auto& [name, reason] : KnownDifferences())
    out << "- `" << name << "`: " << reason << ".\n";
  for (const auto& [backend, by_reason] : reasons)
    AppendSection(out, SectionFor(backend), by_reason);
  return out.str();
}

std::vector<std::string> CompareWithPage(const std::string& page,
                                         const std::map<std::string, Verdicts>& cases) {
  auto reasons = ReadReasons(page);
  std::vector<std::string> problems;
  for (const auto& [id, verdicts] : cases) {
    bool differs = HasKnownDifference(id);
    for (const auto& [backend, verdict] : verdicts) {
      bool listed = reasons[id].count("") || reasons[id].count(backend);
      bool unsupported = verdict.starts_with(kUnsupported);
      std::string where = id + " on " + backend;
      if (verdict.starts_with("failed")) problems.push_back(where + " " + verdict);
      if (verdict == "passed" && differs)
        problems.push_back(where + " passes, and its data is said to be wrong");
      if (unsupported && !listed)
        problems.push_back(where + " is " + verdict + ", and the page does not list it");
      if (!unsupported && listed)
        problems.push_back(where + " is listed as not supported, and is " + verdict);
    }
  }
  return problems;
}

}  // namespace webnnc
