// Text for report.html.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace webnnc::bundle {

// Text as it stands in HTML, in content and in attributes.
std::string Escape(std::string_view text);

// "1.2 MB", "640 B"
std::string SizeText(int64_t bytes);

// "1 kernel", "2 kernels"
std::string Count(size_t count, const std::string& noun);

// A table. A column whose title starts with '#' holds numbers, which stand at the right. Cells are
// HTML.
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};
std::string Print(const Table& table);

// A section of the page: its heading and what is under it, which is HTML.
std::string Section(const std::string& title, const std::string& body);

}  // namespace webnnc::bundle
