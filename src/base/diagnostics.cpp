#include "base/diagnostics.h"

#include <algorithm>

#include "base/lexer.h"

namespace webnnc {

// An error about a node has no line; the node is where the text defines it.
static Location Locate(Location where, std::string_view text) {
  if (where.line > 0 || where.node.empty()) return where;
  size_t at = text.find("%" + QuoteName(where.node) + ":");
  if (at == std::string_view::npos) return where;
  auto before = text.substr(0, at);
  where.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  where.column = static_cast<int>(at - (before.find_last_of('\n') + 1)) + 1;
  return where;
}

static std::string_view Line(std::string_view text, int number) {
  for (; number > 1; --number) {
    size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

static std::string DescribeCause(const Error& cause) {
  std::string out =
      "  " + (cause.where.node.empty() ? "" : cause.where.node + ": ") + cause.message + "\n";
  for (const std::string& note : cause.notes) out += "    note: " + note + "\n";
  return out;
}

std::string Describe(const Error& error, std::string_view text) {
  Location where = Locate(error.where, text);
  std::string out;
  if (where.line == 0) {
    out = "error: " + (where.node.empty() ? "" : "node " + Quote(where.node) + ": ") +
          error.message + "\n";
  } else {
    out = std::to_string(where.line) + ":" + std::to_string(where.column) +
          ": error: " + error.message + "\n";
    out += std::string(Line(text, where.line)) + "\n";
    out += std::string(static_cast<size_t>(std::max(where.column - 1, 0)), ' ') + "^\n";
  }
  for (const std::string& note : error.notes) out += "  note: " + note + "\n";
  for (const Error& cause : error.causes) out += DescribeCause(cause);
  return out;
}

}  // namespace webnnc
