// Whatever bytes a model file has, the importer gives a graph that verifies, or an error.
#include "onnx/import.h"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "graph/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "webnnc-fuzz.XXXXXX").string();
    CHECK(mkdtemp(pattern.data()));
    return pattern;
  }();
  // In a folder of its own, so that external data can be nothing but this file.
  std::string path = folder + "/model.onnx";
  CHECK(webnnc::WriteFile(path, {reinterpret_cast<const char*>(data), size}));
  auto graph = webnnc::onnx::Import(path);
  if (graph) CHECK(webnnc::graph::Verify(graph.value()));
  return 0;
}
