// WASI's calls as far as the command needs them. wasi-libc's open, malloc and start would make the
// module some 6 kB larger, gzipped, which pages download that run it without relaxed SIMD.
#pragma once

#include <stdint.h>

namespace webnnc::wasi {

struct Arguments {
  uint32_t count = 0;
  const char* const* values = nullptr;  // the program's name first; {} if they are too long
};
constexpr uint32_t kMostArguments = 256;
Arguments ReadAllArguments();
// Those for the model. Weak: of several models models.cpp has it, and takes from them which one.
Arguments ReadArguments();

enum class Access : uint8_t { kRead, kReplace };

// A file in one of the folders that the engine lets the command see; -1 if there is none.
int32_t Open(const char* path, Access access);
void Close(int32_t file);
// The number of bytes, which may be less than what was asked for, 0 at the end; -1 for an error.
int64_t Read(int32_t file, void* to, uint32_t bytes);
int64_t Write(int32_t file, const void* from, uint32_t bytes);

[[noreturn]] void Exit(uint32_t status);

}  // namespace webnnc::wasi
