// The bytes of out/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/output_folder.h"
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

// Writes all files, and gives what Description says of them. `modules` have their section.
Result<std::string> Write(const Contents& contents, const std::vector<Module>& modules,
                          const ReportOptions& report, OutputFolder& folder);

// The folder to write to. Files of a bundle's names that are of somebody else are refused, a
// project's own package.json among them, unless `force` is given. model.js appears last.
Result<OutputFolder> CreateFolder(const std::string& path, bool force);

}  // namespace webnnc::bundle
