#include "base/size_text.h"

#include <cstdio>

namespace webnnc {

std::string SizeText(int64_t bytes) {
  char text[32];
  bool mega = bytes >= 1000000;
  std::snprintf(text, sizeof(text), mega ? "%.2f MB" : "%.1f kB",
                static_cast<double>(bytes) / (mega ? 1e6 : 1e3));
  return text;
}

}  // namespace webnnc
