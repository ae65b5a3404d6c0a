#include "target/machine.h"

namespace webnnc {

const Machine& WasmMachine() {
  // What neither registers nor the stack have room for are variables of the module.
  static const Machine kWasm{.name = "wasm",
                             .description = "a thread of a wasm engine",
                             .workgroup_bytes = 1 << 20,
                             .register_bytes = 1 << 20,
                             .spilled_bytes = 1 << 26,
                             .bandwidth = 1e10};
  return kWasm;
}

static Machine Gpu(std::string_view name, std::string_view description) {
  Machine machine{.name = name, .description = description};
  machine.max_buffers = 8;
  machine.max_threads = 256;
  machine.workgroup_bytes = 16384;
  // What WGSL promises a function: 8,192 bytes of variables.
  machine.register_bytes = 8192;
  machine.spilled_bytes = 1 << 18;
  // Much work is small for a large GPU and large for a small one: schedules for many cores lose
  // less on few than the other way round.
  machine.cores = 120;
  machine.clock = 1.98e9;
  machine.launch = 2.5e-6;
  machine.bandwidth = 1.5e12;
  machine.threads_per_core = 1024;
  return machine;
}

// What `large` counts with was measured on an H200; `generic` was compared with it there. Of
// `small` nothing was measured.
static std::vector<Machine> MakeGpus() {
  Machine generic = Gpu("generic", "any GPU: WebGPU's default limits");
  Machine large = Gpu("large", "a GPU for desktops or servers with 100 cores or more");
  large.workgroup_bytes = 32768;
  large.cores = 132;
  large.launch = 2e-6;
  large.bandwidth = 3e12;
  Machine small = Gpu("small", "a GPU of a phone or inside a processor");
  small.max_threads = 128;
  small.cores = 12;
  small.clock = 1e9;
  small.launch = 10e-6;
  small.bandwidth = 5e10;
  small.threads_per_core = 512;
  return {generic, large, small};
}

const std::vector<Machine>& GpuMachines() {
  static const std::vector<Machine> kGpus = MakeGpus();
  return kGpus;
}

const Machine* FindGpuMachine(std::string_view name) {
  for (const Machine& machine : GpuMachines()) {
    if (machine.name == name) return &machine;
  }
  return nullptr;
}

}  // namespace webnnc
