#include "bundle/package.h"

#include <nlohmann/json.hpp>

namespace webnnc::bundle {

// What npm takes for a name: lower case, digits and some signs, of which none comes first.
static std::string PackageName(const std::string& name) {
  constexpr size_t kLongest = 100;
  std::string out;
  for (char c : name) {
    bool is_upper = c >= 'A' && c <= 'Z', is_lower = c >= 'a' && c <= 'z';
    bool is_plain = is_lower || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    char letter = is_upper ? static_cast<char>(c - 'A' + 'a') : is_plain ? c : '-';
    bool may_stand = !out.empty() || is_upper || is_lower || (c >= '0' && c <= '9');
    if (may_stand && out.size() < kLongest) out += letter;
  }
  return out.empty() ? "model" : out;
}

std::string PackageJson(const Contents& contents) {
  nlohmann::ordered_json json;
  json["name"] = PackageName(contents.name);
  // The hyphen keeps an id of digits alone from being a number, which must not begin with 0.
  json["version"] = "0.0.0-build-" + contents.build;
  json["description"] = "A neural network, compiled by webnnc for web pages";
  json["type"] = "module";
  json["main"] = "./model.js";
  json["exports"] = {{".", {{"types", "./model.d.ts"}, {"default", "./model.js"}}}, {"./*", "./*"}};
  json["types"] = "./model.d.ts";
  json["sideEffects"] = {"./page.js", "./page.worker.js", "./model.worker.js"};
  json["webnnc"] = {{"version", contents.version}, {"build", contents.build}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

bool IsOurPackage(const std::string& text) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() && json.contains("webnnc") && json["webnnc"].is_object() &&
         json["webnnc"].contains("build");
}

}  // namespace webnnc::bundle
