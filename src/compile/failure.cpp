#include "compile/failure.h"

#include <nlohmann/json.hpp>

#include "base/diagnostics.h"
#include "base/printable.h"

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
  // Names come from models, and may be anything.
  const Error printable = Printable(error);
  Json json = ErrorJson(printable);
  json["file"] = subject;
  return {Printable(subject) + ": " + Describe(printable, ""),
          Json{{"error", json}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace webnnc
