// Whatever text there is, the parser of graphs gives an error, or a graph that is printed and read
// back as itself.
#include <cstdint>

#include "graph/text.h"
#include "graph/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto graph = webnnc::graph::Parse({reinterpret_cast<const char*>(data), size});
  if (!graph || !webnnc::graph::Verify(graph.value())) return 0;
  std::string text = webnnc::graph::Print(graph.value());
  if (text.find("elided=") != std::string::npos) return 0;
  auto again = webnnc::graph::Parse(text);
  CHECK(again);
  CHECK(webnnc::graph::Print(again.value()) == text);
  return 0;
}
