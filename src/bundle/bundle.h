// The bytes of out/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "bundle/contents.h"
#include "bundle/manifest.h"

namespace webnnc::bundle {

struct ReportOptions {
  bool wanted = true;
  // What Report takes besides.
  std::optional<std::string> previous = {};
  std::string profile = {};
};

// Writes all files. `module` and `relaxed` are the whole modules, with their sections.
Status Write(const Contents& contents, const std::string& module, const std::string& relaxed,
             const ReportOptions& report, OutputFolder& folder);

// The names of all files of a bundle.
std::vector<std::string> FileNames();

// The folder to write to. One with a project's own package.json is refused, not replaced.
Result<OutputFolder> CreateFolder(const std::string& path);

}  // namespace webnnc::bundle
