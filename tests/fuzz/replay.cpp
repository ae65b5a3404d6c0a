// Stands in for libFuzzer: runs a fuzzer on files that once were interesting.
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <set>

#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    std::set<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
      paths.insert(entry.path().string());
    for (const std::string& path : paths) {
      auto bytes = webnnc::ReadFile(path);
      CHECK(bytes);
      // What is to be seen when one of them aborts.
      std::cout << path << std::endl;
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.value().data()),
                             bytes.value().size());
      ++count;
    }
  }
  std::cout << count << " files\n";
  return count == 0;
}
