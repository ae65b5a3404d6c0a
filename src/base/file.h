// Files, as the compiler reads and writes them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace webnnc {

// A file mapped read-only. Its bytes stay valid while any copy of `keep_alive` lives.
struct MappedFile {
  std::span<const uint8_t> bytes;
  std::shared_ptr<const void> keep_alive;
};

// Errors name the file and the reason the system gave. An empty file maps to empty bytes.
Result<MappedFile> MapFile(const std::string& path);
Result<std::string> ReadFile(const std::string& path);
Status WriteFile(const std::string& path, std::string_view bytes);

// A folder that appears whole or not at all: files are written beside `path` under a temporary
// name, and Commit renames. Destroying it without Commit leaves no trace.
class OutputFolder {
 public:
  // Fails if the parent folder does not exist or is not writable. A folder that is already at
  // `path` is replaced by Commit, provided that it holds only files this compiler writes.
  static Result<OutputFolder> Create(const std::string& path,
                                     const std::vector<std::string>& own_files);
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;
  ~OutputFolder();

  Status Write(const std::string& name, std::string_view bytes);
  Status Commit();
  // Where a file is until Commit, for writers that stream.
  std::string PathOf(const std::string& name) const;

 private:
  OutputFolder(std::string path, std::string temporary, std::vector<std::string> own_files)
      : path_(std::move(path)),
        temporary_(std::move(temporary)),
        own_files_(std::move(own_files)) {}

  std::string path_;
  std::string temporary_;
  std::vector<std::string> own_files_;
};

}  // namespace webnnc
