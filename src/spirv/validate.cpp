#include <spirv-tools/libspirv.hpp>

#include "spirv/emit.h"

namespace webnnc::spirv {

Status Validate(const std::vector<uint32_t>& words) {
  spvtools::SpirvTools tools(SPV_ENV_VULKAN_1_1);
  std::string message;
  tools.SetMessageConsumer(
      [&](spv_message_level_t, const char*, const spv_position_t& position, const char* text) {
        if (message.empty())
          message = std::string(text) + ", at word " + std::to_string(position.index);
      });
  if (tools.Validate(words)) return kSuccess;
  return Error{"spirv-val: " + message};
}

std::string Disassemble(const std::vector<uint32_t>& words) {
  spvtools::SpirvTools tools(SPV_ENV_VULKAN_1_1);
  std::string text;
  bool valid = tools.Disassemble(words, &text,
                                 SPV_BINARY_TO_TEXT_OPTION_INDENT |
                                     SPV_BINARY_TO_TEXT_OPTION_FRIENDLY_NAMES |
                                     SPV_BINARY_TO_TEXT_OPTION_NO_HEADER);
  return valid ? text : "not a SPIR-V module\n";
}

}  // namespace webnnc::spirv
