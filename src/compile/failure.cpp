#include "compile/failure.h"

#include <nlohmann/json.hpp>

#include "base/diagnostics.h"

namespace webnnc {

using Json = nlohmann::ordered_json;

static Json ErrorJson(const Error& error) {
  Json json = {{"message", error.message}};
  if (!error.where.node.empty()) json["node"] = error.where.node;
  if (!error.notes.empty()) json["notes"] = error.notes;
  for (const Error& cause : error.causes) json["causes"].push_back(ErrorJson(cause));
  return json;
}

Failure FailureOf(const std::string& subject, const Error& error) {
  Json json = ErrorJson(error);
  json["file"] = subject;
  // Names come from models, where they may be no UTF-8.
  return {subject + ": " + Describe(error, ""),
          Json{{"error", json}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace webnnc
