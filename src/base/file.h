// Files, as the compiler reads and writes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace webnnc {

// A file mapped read-only. Its bytes stay valid while any copy of `keep_alive` lives.
struct MappedFile {
  std::span<const uint8_t> bytes;
  std::shared_ptr<const void> keep_alive;
};

// Errors name the file and the reason the system gave. An empty file maps to empty bytes.
Result<MappedFile> MapFile(const std::string& path);
// All that comes from standard input.
Result<MappedFile> ReadStandardInput();
Result<std::string> ReadFile(const std::string& path);
Status WriteFile(const std::string& path, std::string_view bytes);

}  // namespace webnnc
