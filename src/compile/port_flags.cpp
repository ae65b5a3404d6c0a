#include "compile/port_flags.h"

#include "base/lexer.h"

namespace webnnc {

std::vector<std::string> NamesOf(const std::vector<graph::Port>& ports) {
  std::vector<std::string> names;
  for (const graph::Port& port : ports) names.push_back(port.name);
  return names;
}

std::pair<std::string, std::string> SplitName(const std::string& text,
                                              const std::vector<std::string>& names) {
  std::pair<std::string, std::string> longest{"", text};
  for (const std::string& name : names) {
    bool fits = text.compare(0, name.size() + 1, name + ":") == 0;
    if (fits && name.size() >= longest.first.size()) longest = {name, text.substr(name.size() + 1)};
  }
  return longest;
}

std::string Listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + Quote(name);
  return out;
}

Result<std::string> PortOf(const std::string& flag, const std::string& named,
                           const std::vector<std::string>& candidates, const std::string& what,
                           const std::string& form) {
  if (!named.empty()) return named;
  if (candidates.size() == 1) return candidates[0];
  if (candidates.empty()) return Error{flag + ": the model has no " + what};
  return Error{flag + ": the model has several of what it may mean: " + Listed(candidates),
               {},
               {"say which: " + flag + " " + form}};
}

Error InFlag(const std::string& flag, Error error) {
  error.message = flag + ": " + error.message;
  return error;
}

}  // namespace webnnc
