#include "bundle/html.h"

#include <cstdio>

namespace webnnc::bundle {

std::string Escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string SizeText(int64_t bytes) {
  static constexpr const char* kUnits[] = {"kB", "MB", "GB"};
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1000;
  int unit = 0;
  for (; value >= 999.5 && unit < 2; ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof(text), value < 99.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return text;
}

std::string Count(size_t count, const std::string& noun) {
  std::string plural = noun.ends_with("ch") ? noun + "es" : noun + "s";
  return std::to_string(count) + " " + (count == 1 ? noun : plural);
}

static bool IsNumber(const std::string& column) { return column.starts_with('#'); }

std::string Print(const Table& table) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& column : table.columns) {
    out +=
        IsNumber(column) ? "<th class=\"n\">" + Escape(column.substr(1)) : "<th>" + Escape(column);
    out += "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (size_t c = 0; c < row.size(); ++c) {
      out += (IsNumber(table.columns[c]) ? "<td class=\"n\">" : "<td>") + row[c] + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string Section(const std::string& title, const std::string& body) {
  return "<section><h2>" + Escape(title) + "</h2>\n" + body + "</section>\n";
}

}  // namespace webnnc::bundle
