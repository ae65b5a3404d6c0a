// LLD initialises every target that LLVM was configured with, and LLVM's LTO asks for Polly. The
// compiler links neither: these stand in for them.
#include "wasm/llvm.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <llvm/Passes/PassPlugin.h>
#pragma GCC diagnostic pop

extern "C" {
#define WEBNNC_NO_TARGET(name)               \
  void LLVMInitialize##name##TargetInfo() {} \
  void LLVMInitialize##name##Target() {}     \
  void LLVMInitialize##name##TargetMC() {}   \
  void LLVMInitialize##name##AsmPrinter() {} \
  void LLVMInitialize##name##AsmParser() {}
WEBNNC_NO_TARGET(AArch64)
WEBNNC_NO_TARGET(AMDGPU)
WEBNNC_NO_TARGET(ARM)
WEBNNC_NO_TARGET(AVR)
WEBNNC_NO_TARGET(BPF)
WEBNNC_NO_TARGET(Hexagon)
WEBNNC_NO_TARGET(Lanai)
WEBNNC_NO_TARGET(LoongArch)
WEBNNC_NO_TARGET(M68k)
WEBNNC_NO_TARGET(MSP430)
WEBNNC_NO_TARGET(Mips)
WEBNNC_NO_TARGET(NVPTX)
WEBNNC_NO_TARGET(PowerPC)
WEBNNC_NO_TARGET(RISCV)
WEBNNC_NO_TARGET(Sparc)
WEBNNC_NO_TARGET(SystemZ)
WEBNNC_NO_TARGET(VE)
WEBNNC_NO_TARGET(X86)
WEBNNC_NO_TARGET(XCore)
WEBNNC_NO_TARGET(Xtensa)
#undef WEBNNC_NO_TARGET
}

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "none", "0", [](llvm::PassBuilder&) {}};
}
