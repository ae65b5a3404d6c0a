#include "runtime/wasi.h"

#include <string.h>
#include <wasi/api.h>

namespace webnnc::wasi {

// In both functions by itself, of which a module has one.
[[gnu::always_inline]] static inline Arguments Read() {
  constexpr size_t kMostBytes = 32768;
  static uint8_t* values[kMostArguments];
  static uint8_t text[kMostBytes];
  size_t count = 0, bytes = 0;
  if (__wasi_args_sizes_get(&count, &bytes) != 0 || count > kMostArguments || bytes > kMostBytes)
    return {};
  if (__wasi_args_get(values, text) != 0) return {};
  return {static_cast<uint32_t>(count), reinterpret_cast<const char* const*>(values)};
}

Arguments ReadAllArguments() { return Read(); }
__attribute__((weak)) Arguments ReadArguments() { return Read(); }

// Without what says "here".
static const char* SkipHere(const char* path) {
  for (;;) {
    if (path[0] == '/') {
      ++path;
    } else if (path[0] == '.' && (path[1] == '/' || path[1] == 0)) {
      ++path;
    } else {
      return path;
    }
  }
}

// `path` as seen from `folder`; null if it is not in there.
static const char* Within(const char* folder, const char* path) {
  if ((*folder == '/') != (*path == '/')) return nullptr;
  folder = SkipHere(folder);
  path = SkipHere(path);
  size_t length = strlen(folder);
  while (length > 0 && folder[length - 1] == '/') --length;
  if (length == 0) return path;
  if (strncmp(folder, path, length) != 0) return nullptr;
  if (path[length] != '/' && path[length] != 0) return nullptr;
  return SkipHere(path + length);
}

int32_t Open(const char* path, Access access) {
  // Those that were opened ahead are numbered from here.
  constexpr __wasi_fd_t kFirst = 3;
  constexpr size_t kMostBytes = 4096;
  static char name[kMostBytes];
  __wasi_fd_t best = 0;
  const char* rest = nullptr;
  __wasi_prestat_t folder;
  for (__wasi_fd_t fd = kFirst; __wasi_fd_prestat_get(fd, &folder) == 0; ++fd) {
    size_t length = folder.u.dir.pr_name_len;
    if (length >= kMostBytes) continue;
    if (__wasi_fd_prestat_dir_name(fd, reinterpret_cast<uint8_t*>(name), length) != 0) continue;
    name[length] = 0;
    const char* within = Within(name, path);
    // The innermost folder's.
    if (!within || (rest && strlen(within) >= strlen(rest))) continue;
    best = fd;
    rest = within;
  }
  if (!rest || !*rest) return -1;
  bool reads = access == Access::kRead;
  __wasi_rights_t rights = reads ? __WASI_RIGHTS_FD_READ : __WASI_RIGHTS_FD_WRITE;
  __wasi_oflags_t flags = 0;
  if (!reads) flags = __WASI_OFLAGS_CREAT | __WASI_OFLAGS_TRUNC;
  __wasi_fd_t file = 0;
  if (__wasi_path_open(best, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, rest, flags, rights, 0, 0, &file))
    return -1;
  return static_cast<int32_t>(file);
}

void Close(int32_t file) { (void)__wasi_fd_close(static_cast<__wasi_fd_t>(file)); }

int64_t Read(int32_t file, void* to, uint32_t bytes) {
  __wasi_iovec_t part{static_cast<uint8_t*>(to), bytes};
  size_t got = 0;
  if (__wasi_fd_read(static_cast<__wasi_fd_t>(file), &part, 1, &got) != 0) return -1;
  return static_cast<int64_t>(got);
}

int64_t Write(int32_t file, const void* from, uint32_t bytes) {
  __wasi_ciovec_t part{static_cast<const uint8_t*>(from), bytes};
  size_t put = 0;
  if (__wasi_fd_write(static_cast<__wasi_fd_t>(file), &part, 1, &put) != 0) return -1;
  return static_cast<int64_t>(put);
}

void Exit(uint32_t status) { __wasi_proc_exit(status); }

}  // namespace webnnc::wasi
