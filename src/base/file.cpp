#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

namespace webnnc {

static Error SystemError(const std::string& what, const std::string& path) {
  return Error{what + " " + path + ": " + std::strerror(errno)};
}

Result<MappedFile> MapFile(const std::string& path) {
  if (path.find('\0') != std::string::npos)
    return Error{"cannot read " + path + ": its name holds NUL"};
  // What is no file is refused below, and must not be waited for before.
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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

Result<MappedFile> ReadStandardInput() {
  auto bytes = std::make_shared<std::vector<uint8_t>>();
  uint8_t block[1 << 16];
  for (;;) {
    ssize_t count = read(STDIN_FILENO, block, sizeof(block));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("cannot read", "standard input");
    if (count == 0) return MappedFile{{bytes->data(), bytes->size()}, bytes};
    bytes->insert(bytes->end(), block, block + count);
    // More than any reader of it takes; a stream may be endless.
    constexpr size_t kMost = size_t{1} << 31;
    if (bytes->size() > kMost) return Error{"standard input has over 2 GiB"};
  }
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

}  // namespace webnnc
