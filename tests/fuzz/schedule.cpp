// Whatever schedule there is for a plain kernel, applying it gives an error, or a kernel that
// verifies. The text is a kernel and a schedule behind it.
#include "schedule/schedule.h"

#include <cstdint>

#include "loop/text.h"
#include "loop/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  webnnc::Lexer lexer({reinterpret_cast<const char*>(data), size});
  auto kernel = webnnc::loop::Parse(lexer);
  if (!kernel || !webnnc::loop::Verify(kernel.value()) ||
      !webnnc::loop::VerifyPlain(kernel.value()))
    return 0;
  auto schedule = webnnc::schedule::ParseSchedule(lexer);
  if (!schedule) return 0;
  std::string text = webnnc::schedule::Print(schedule.value());
  webnnc::Lexer printed(text);
  auto again = webnnc::schedule::ParseSchedule(printed);
  CHECK(again);
  CHECK(webnnc::schedule::Print(again.value()) == text);
  auto scheduled = webnnc::schedule::Apply(kernel.value(), schedule.value());
  if (scheduled) CHECK(webnnc::loop::Verify(scheduled.value()));
  return 0;
}
