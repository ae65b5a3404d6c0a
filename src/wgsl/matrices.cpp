#include "wgsl/matrices.h"

#include <span>
#include <spirv_cross/spirv.hpp>

namespace webnnc::wgsl {

Matrices::Matrices(const std::vector<uint32_t>& from) {
  constexpr size_t kHeader = 5;
  words.assign(from.begin(), from.begin() + kHeader);
  std::unordered_map<uint32_t, uint32_t> constants;
  for (size_t at = kHeader; at < from.size(); at += from[at] >> spv::WordCountShift) {
    auto op = static_cast<spv::Op>(from[at] & spv::OpCodeMask);
    std::span instruction(&from[at], from[at] >> spv::WordCountShift);
    if (op == spv::OpConstant) constants[instruction[2]] = instruction[3];
    if (op == spv::OpCooperativeMatrixMulAddNV) right.insert(instruction[4]);
    if (op == spv::OpTypeCooperativeMatrixNV) {
      uint32_t id = instruction[1], component = instruction[2];
      types[id] = {constants[instruction[4]], constants[instruction[5]]};
      words.insert(words.end(), {3u << spv::WordCountShift | spv::OpTypeStruct, id, component});
    } else {
      words.insert(words.end(), instruction.begin(), instruction.end());
    }
  }
}

}  // namespace webnnc::wgsl
