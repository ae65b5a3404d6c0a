#include "wgsl/print.h"

#include "wgsl/lower.h"
#include "wgsl/refuse.h"
#include "wgsl/write.h"

namespace webnnc::wgsl {

Result<std::string> Print(const std::vector<uint32_t>& words) {
  TRY(Refuse(words));
  try {
    Source source(words);
    TRY_ASSIGN(auto module, Lower(source));
    return Write(module);
  } catch (const spirv_cross::CompilerError& error) {
    return Error{std::string("SPIRV-Cross: ") + error.what()};
  }
}

}  // namespace webnnc::wgsl
