#include "bundle/report.h"

#include <nlohmann/json.hpp>

#include "bundle/page.h"

namespace webnnc::bundle {

using Json = nlohmann::ordered_json;

namespace {

// Where the data is in runtime-js/report/report.html, and in what it becomes.
constexpr std::string_view kPlaceholder = "@DATA@";
constexpr std::string_view kBegin = "<script type=\"application/json\" id=\"build\">";
constexpr std::string_view kEnd = "</script>";

Json ProgramsSummary(const Json& list) {
  Json programs = Json::array();
  for (const Json& program : list) {
    Json kernels = Json::object();
    for (const Json& kernel : program["kernels"])
      kernels[kernel["name"].get<std::string>()] = kernel["codeBytes"];
    programs.push_back({{"kind", program["kind"]},
                        {"half", program.value("half", false)},
                        {"dispatches", program["dispatches"]},
                        {"memory", program["memory"]["bytes"]},
                        {"multiplyAdds", program["multiplyAdds"]},
                        {"kernels", std::move(kernels)}});
  }
  return programs;
}

// What a later build is compared with. report.js makes the same of a report that is opened there.
Json Summary(const Json& build) {
  Json summary;
  for (const char* key : {"webnnc", "build"}) summary[key] = build.value(key, "");
  if (build.contains("models")) {
    summary["files"] = build["files"];
    for (const Json& model : build["models"]) {
      summary["models"].push_back({{"name", model["name"]},
                                   {"parameters", model["model"]["parameters"]},
                                   {"programs", ProgramsSummary(model["programs"])}});
    }
    return summary;
  }
  summary["parameters"] = build["model"]["parameters"];
  summary["files"] = build["files"];
  summary["programs"] = ProgramsSummary(build["programs"]);
  return summary;
}

// The data in a report. Nothing if it is not one that this compiler could have written.
std::optional<Json> DataOf(const std::string& report) {
  size_t begin = report.find(kBegin);
  if (begin == std::string::npos) return std::nullopt;
  begin += kBegin.size();
  Json data = Json::parse(report.substr(begin, report.find(kEnd, begin) - begin), nullptr, false);
  if (!data.is_object()) return std::nullopt;
  return data;
}

// What `build` is to be compared with, or null.
Json PreviousOf(const Json& build, const std::string& report) {
  std::optional<Json> data = DataOf(report);
  if (!data) return nullptr;
  try {
    // The same build again: it says what it said.
    if (data->value("build", "") == build["build"].get<std::string>())
      return data->value("previous", Json());
    return Summary(*data);
  } catch (const Json::exception&) {
    // One of another version, whose data are others: there is nothing to compare with.
    return nullptr;
  }
}

Status AddProfile(Json& build, const std::string& text) {
  Json profile = Json::parse(text, nullptr, false);
  bool is_profile = profile.is_object() && profile.contains("clock") && profile.contains("total") &&
                    profile.contains("steps") && profile["steps"].is_array();
  for (const Json& step : is_profile ? profile["steps"] : Json::array())
    is_profile &= step.is_object() && step.contains("kernel") && step.contains("ms");
  if (!is_profile) {
    return Error{"--profile: the file is no profile",
                 {},
                 {"it is the JSON of what model.profile(inputs) gives, as the model's own page "
                  "saves it"}};
  }
  build["profile"] = std::move(profile);
  return kSuccess;
}

// JSON that does not end the element it is in.
std::string InScript(const Json& json) {
  std::string out;
  for (char c : json.dump(-1, ' ', false, Json::error_handler_t::replace))
    out += c == '<' ? "\\u003c" : std::string(1, c);
  return out;
}

}  // namespace

Result<std::string> Report(const std::string& description,
                           const std::optional<std::string>& previous, const std::string& profile) {
  Json build = Json::parse(description);
  if (previous) {
    Json before = PreviousOf(build, *previous);
    if (!before.is_null()) build["previous"] = std::move(before);
  }
  if (!profile.empty()) TRY(AddProfile(build, profile));
  std::string page(PageFile("report.html"));
  size_t at = page.find(kPlaceholder);
  CHECK(at != std::string::npos);
  return page.replace(at, kPlaceholder.size(), InScript(build));
}

}  // namespace webnnc::bundle
