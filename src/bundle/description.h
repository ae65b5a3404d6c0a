// What was built, as data: what report.html shows and --json prints.
#pragma once

#include <string>

#include "bundle/contents.h"

namespace webnnc::bundle {

struct DescribedFile {
  std::string name;
  int64_t bytes = 0;
  // As a server sends it; absent where it was not measured.
  std::optional<int64_t> gzip_bytes;
};

int64_t GzipSize(std::string_view bytes);

// JSON, described in docs/bundle.md. The same for the same model, flags and compiler.
std::string Description(const Contents& contents, const std::vector<DescribedFile>& files);

}  // namespace webnnc::bundle
