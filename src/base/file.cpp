#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace webnnc {

namespace fs = std::filesystem;

static Error SystemError(const std::string& what, const std::string& path) {
  return Error{what + " " + path + ": " + std::strerror(errno)};
}

Result<MappedFile> MapFile(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return SystemError("cannot read", path);
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(file);
    return Error{"cannot read " + path + ": it is not a regular file"};
  }
  auto size = static_cast<size_t>(info.st_size);
  if (size == 0) {
    close(file);
    return MappedFile{};
  }
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (address == MAP_FAILED) return SystemError("cannot read", path);
  std::shared_ptr<const void> keep(address,
                                   [size](const void* p) { munmap(const_cast<void*>(p), size); });
  return MappedFile{{static_cast<const uint8_t*>(address), size}, keep};
}

Result<std::string> ReadFile(const std::string& path) {
  TRY_ASSIGN(auto file, MapFile(path));
  return std::string(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
}

Status WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return SystemError("cannot write", path);
  return kSuccess;
}

Result<OutputFolder> OutputFolder::Create(const std::string& given,
                                          const std::vector<std::string>& own_files) {
  std::error_code error;
  fs::path path = fs::absolute(given, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (!fs::is_directory(path.parent_path(), error)) {
    return Error{"cannot write " + given + ": there is no folder " + path.parent_path().string()};
  }
  if (fs::exists(path, error)) {
    if (!fs::is_directory(path, error)) {
      return Error{"cannot write " + given + ": it exists and is not a folder"};
    }
    for (const auto& entry : fs::directory_iterator(path, error)) {
      std::string name = entry.path().filename().string();
      if (std::find(own_files.begin(), own_files.end(), name) != own_files.end()) continue;
      return Error{"cannot write " + given + ": it holds " + name + ", which webnnc did not write",
                   {},
                   {"name a new folder, or empty this one"}};
    }
  }
  std::string pattern =
      (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
  if (!mkdtemp(pattern.data())) return SystemError("cannot write", given);
  chmod(pattern.c_str(), 0755);
  return OutputFolder(path.string(), pattern, own_files);
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, "")),
      own_files_(std::move(other.own_files_)) {}

OutputFolder::~OutputFolder() {
  std::error_code error;
  if (!temporary_.empty()) fs::remove_all(temporary_, error);
}

std::string OutputFolder::PathOf(const std::string& name) const { return temporary_ + "/" + name; }

Status OutputFolder::Write(const std::string& name, std::string_view bytes) {
  CHECK(std::find(own_files_.begin(), own_files_.end(), name) != own_files_.end());
  return WriteFile(PathOf(name), bytes);
}

Status OutputFolder::Commit() {
  std::error_code error;
  // rename() replaces only an empty folder, so the old one moves aside first.
  std::string old = temporary_ + ".old";
  bool replaces = fs::exists(path_, error);
  if (replaces) fs::rename(path_, old, error);
  if (!error) fs::rename(temporary_, path_, error);
  if (error) {
    std::error_code ignored;
    if (replaces && !fs::exists(path_, ignored)) fs::rename(old, path_, ignored);
    return Error{"cannot write " + path_ + ": " + error.message()};
  }
  temporary_.clear();
  if (replaces) fs::remove_all(old, error);
  return kSuccess;
}

}  // namespace webnnc
