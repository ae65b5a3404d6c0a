#include "base/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "base/file.h"

namespace webnnc {

namespace fs = std::filesystem;

namespace {

// What is unfinished: hidden folders, and the folders that were made for each.
std::mutex unfinished_mutex;
std::map<std::string, std::vector<std::string>>& Unfinished() {
  static std::map<std::string, std::vector<std::string>> unfinished;
  return unfinished;
}

void Remove(const std::string& temporary, const std::vector<std::string>& made) {
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  // A linker that was started may have written into it meanwhile; without its folder it ends.
  for (int times = 0; times < 20 && fs::exists(temporary, ignored); ++times) {
    usleep(10'000);
    fs::remove_all(temporary, ignored);
  }
  // Only what is empty: somebody else may have put something there.
  for (auto folder = made.rbegin(); folder != made.rend(); ++folder) fs::remove(*folder, ignored);
}

Error CannotWrite(const std::string& path, const std::string& why) {
  return Error{"cannot write " + path + ": " + why};
}

// The folders up to `path` that are missing, outermost first.
std::vector<std::string> Missing(fs::path path) {
  std::vector<std::string> missing;
  std::error_code error;
  for (; !path.empty() && !fs::exists(path, error); path = path.parent_path()) {
    missing.insert(missing.begin(), path.string());
    if (path == path.parent_path()) break;
  }
  return missing;
}

bool HoldsEarlierResult(const fs::path& path, const OutputFolder::Options& options) {
  auto file = ReadFile((path / options.marker_file).string());
  return file && file.value().starts_with(options.marker);
}

Status CheckContents(const std::string& given, const fs::path& path,
                     const OutputFolder::Options& options) {
  if (options.force || HoldsEarlierResult(path, options)) return kSuccess;
  std::error_code error;
  for (const std::string& name : options.own_files) {
    if (!fs::exists(path / name, error)) continue;
    return Error{"cannot write " + given + ": it holds " + name + ", which webnnc did not write",
                 {},
                 {"name another folder, or replace such files with --force"}};
  }
  return kSuccess;
}

// While it lives, nobody else moves files into the folder: the result is one compilation's.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path)
      : file_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    // Some file systems have no locks; then the files of two compilations may mix, which the page
    // notices by their build.
    if (file_ >= 0) (void)!flock(file_, LOCK_EX);
  }
  ~FolderLock() {
    if (file_ >= 0) close(file_);
  }
  FolderLock(const FolderLock&) = delete;

 private:
  int file_;
};

}  // namespace

Result<OutputFolder> OutputFolder::Create(const std::string& given, const Options& options) {
  std::error_code error;
  fs::path path = fs::absolute(given, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  std::vector<std::string> made = Missing(path);
  fs::create_directories(path, error);
  if (error) {
    std::string why = error.message();
    Remove("", made);
    if (fs::exists(path, error) && !fs::is_directory(path, error))
      why = "it exists and is not a folder";
    return CannotWrite(given, why);
  }
  if (!fs::is_directory(path, error)) return CannotWrite(given, "it exists and is not a folder");
  TRY(CheckContents(given, path, options));
  std::string pattern = (path / ".webnnc.XXXXXX").string();
  if (!mkdtemp(pattern.data())) {
    std::string why = std::strerror(errno);
    Remove("", made);
    return CannotWrite(given, why);
  }
  NoteUnfinished(pattern, made);
  return OutputFolder(path.string(), pattern, std::move(made), options);
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, "")),
      made_(std::move(other.made_)),
      options_(std::move(other.options_)) {}

OutputFolder::~OutputFolder() {
  if (temporary_.empty()) return;
  Remove(temporary_, made_);
  ForgetUnfinished(temporary_);
}

std::string OutputFolder::PathOf(const std::string& name) const { return temporary_ + "/" + name; }

Status OutputFolder::Write(const std::string& name, std::string_view bytes) {
  CHECK(std::find(options_.own_files.begin(), options_.own_files.end(), name) !=
        options_.own_files.end());
  return WriteFile(PathOf(name), bytes);
}

Status OutputFolder::Commit() {
  std::error_code error;
  FolderLock lock(path_);
  bool replaces = HoldsEarlierResult(path_, options_) || options_.force;
  for (const std::string& name : options_.own_files) {
    if (fs::exists(PathOf(name), error)) {
      fs::rename(PathOf(name), path_ + "/" + name, error);
      if (error) return CannotWrite(path_ + "/" + name, error.message());
    } else if (replaces) {
      fs::remove(path_ + "/" + name, error);
    }
  }
  made_.clear();
  return kSuccess;
}

void NoteUnfinished(const std::string& folder, std::vector<std::string> made) {
  std::lock_guard lock(unfinished_mutex);
  Unfinished()[folder] = std::move(made);
}

void ForgetUnfinished(const std::string& folder) {
  std::lock_guard lock(unfinished_mutex);
  Unfinished().erase(folder);
}

void RemoveUnfinished() {
  std::lock_guard lock(unfinished_mutex);
  for (const auto& [temporary, made] : Unfinished()) Remove(temporary, made);
  Unfinished().clear();
}

}  // namespace webnnc
