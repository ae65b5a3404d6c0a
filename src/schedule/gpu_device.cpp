#include "schedule/gpu_device.h"

namespace webnnc::schedule {

const std::vector<GpuDevice>& GpuDevices() {
  static const std::vector<GpuDevice> kDevices = {
      {"generic", "any GPU: WebGPU's default limits", 256, 16384, 8, 64, 1024},
      {"large", "a GPU for desktops or servers with 100 cores or more", 256, 32768, 8, 132, 1024},
      {"small", "a GPU of a phone or inside a processor", 128, 16384, 8, 12, 512},
  };
  return kDevices;
}

const GpuDevice* FindGpuDevice(std::string_view name) {
  for (const GpuDevice& device : GpuDevices()) {
    if (device.name == name) return &device;
  }
  return nullptr;
}

}  // namespace webnnc::schedule
