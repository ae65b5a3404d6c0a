#include "compile/code.h"

namespace webnnc {

wasm::ModelInput WasmInput(const Code& code, const std::optional<plan::Program>& cpu) {
  wasm::ModelInput input{cpu ? &*cpu : nullptr, {}, &code.weights};
  for (const GpuCode& gpu : code.gpu) input.gpu.push_back({&gpu.program, gpu.launches});
  return input;
}

bundle::Contents BundleContents(const Code& code, const std::string& name) {
  bundle::Contents contents{name, code.cpu ? &*code.cpu : nullptr, {}, &code.weights};
  for (const GpuCode& gpu : code.gpu) contents.gpu.push_back({&gpu.program, gpu.half, gpu.shaders});
  return contents;
}

}  // namespace webnnc
