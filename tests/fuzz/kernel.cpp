// Whatever text there is, the parser of kernels gives an error, or a kernel that is printed and
// read back as itself.
#include <cstdint>

#include "loop/text.h"
#include "loop/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto kernel = webnnc::loop::Parse({reinterpret_cast<const char*>(data), size});
  if (!kernel || !webnnc::loop::Verify(kernel.value())) return 0;
  std::string text = webnnc::loop::Print(kernel.value());
  auto again = webnnc::loop::Parse(text);
  CHECK(again);
  CHECK(webnnc::loop::Print(again.value()) == text);
  return 0;
}
