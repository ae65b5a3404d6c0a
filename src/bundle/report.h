// report.html: what was built, for people. One page that needs nothing else and holds nothing that
// differs between two compilations of the same model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/contents.h"

namespace webnnc::bundle {

struct ReportedFile {
  std::string name;
  int64_t bytes = 0;
  // As a server sends it; absent where compressing gains nothing.
  std::optional<int64_t> gzip_bytes;
};

int64_t GzipSize(std::string_view bytes);

std::string Report(const Contents& contents, const std::vector<ReportedFile>& files);

}  // namespace webnnc::bundle
