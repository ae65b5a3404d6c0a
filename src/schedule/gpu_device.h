// What a rule for the GPU needs to know of the device: WebGPU's limits, which bound what a shader
// may use, and how wide the machine is, which decides how far work is cut up. Results are the same
// on every device that meets the limits.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webnnc::schedule {

struct GpuDevice {
  std::string_view name;
  std::string_view description;

  // Limits that the page must ask for, if they are more than WebGPU's defaults.
  int64_t max_threads = 256;        // maxComputeInvocationsPerWorkgroup
  int64_t workgroup_bytes = 16384;  // maxComputeWorkgroupStorageSize
  int64_t max_storage_buffers = 8;  // maxStorageBuffersPerShaderStage

  // Workgroups run side by side on this many cores.
  int64_t cores = 64;
  // Threads that one core needs to hide the time that memory takes.
  int64_t threads_per_core = 512;
};

// All that are known; the first is the default: WebGPU's own limits and a machine of moderate size.
const std::vector<GpuDevice>& GpuDevices();
const GpuDevice* FindGpuDevice(std::string_view name);

}  // namespace webnnc::schedule
