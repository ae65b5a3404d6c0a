// As much of Vulkan as compute needs: a device, buffers, pipelines. The loader is opened when the
// program runs, so that it starts where it was not built.
#pragma once

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include <cstdint>
#include <string>
#include <vector>

// Vulkan's functions, by name.
// clang-format off
#define WEBNNC_INSTANCE_FUNCTIONS(X) \
  X(EnumeratePhysicalDevices) X(GetPhysicalDeviceProperties) X(GetPhysicalDeviceFeatures) \
  X(GetPhysicalDeviceMemoryProperties) X(GetPhysicalDeviceQueueFamilyProperties) \
  X(CreateDevice) X(GetDeviceProcAddr)
#define WEBNNC_DEVICE_FUNCTIONS(X) \
  X(GetDeviceQueue) X(CreateBuffer) X(GetBufferMemoryRequirements) X(AllocateMemory) \
  X(BindBufferMemory) X(MapMemory) X(CreateShaderModule) X(CreateDescriptorSetLayout) \
  X(CreatePipelineLayout) X(CreateComputePipelines) X(CreateDescriptorPool) \
  X(AllocateDescriptorSets) X(UpdateDescriptorSets) X(CreateCommandPool) \
  X(AllocateCommandBuffers) X(BeginCommandBuffer) X(EndCommandBuffer) X(QueueSubmit) \
  X(CreateFence) X(WaitForFences) X(ResetFences) X(CreateQueryPool) X(GetQueryPoolResults) \
  X(CmdBindPipeline) X(CmdBindDescriptorSets) X(CmdDispatch) X(CmdPipelineBarrier) \
  X(CmdCopyBuffer) X(CmdWriteTimestamp) X(CmdResetQueryPool)
// clang-format on

struct Vulkan {
#define X(name) PFN_vk##name name = nullptr;
  WEBNNC_INSTANCE_FUNCTIONS(X)
  WEBNNC_DEVICE_FUNCTIONS(X)
#undef X
};

// A buffer with memory of its own, and where that is in the host's if it is there.
struct Memory {
  VkBuffer buffer = VK_NULL_HANDLE;
  uint64_t bytes = 0;
  uint8_t* mapped = nullptr;
};

class Device {
 public:
  // The first device that is no emulation, or the first. Throws std::runtime_error if there is
  // none.
  Device();

  const std::string& name() const { return name_; }
  // Milliseconds that a step of its clock stands for.
  double clock_ms() const { return clock_ms_; }

  Memory Allocate(uint64_t bytes, bool is_on_host);
  // Bindings are storage buffers.
  VkPipeline MakePipeline(const std::vector<uint32_t>& words, VkPipelineLayout layout);
  VkDescriptorSetLayout MakeSetLayout(size_t bindings);
  VkPipelineLayout MakeLayout(VkDescriptorSetLayout set);
  VkDescriptorSet MakeSet(VkDescriptorSetLayout layout,
                          const std::vector<VkDescriptorBufferInfo>& buffers);
  // Room for so many sets and their bindings.
  void MakeSetPool(uint32_t sets, uint32_t bindings);

  VkCommandBuffer Begin();
  void End(VkCommandBuffer commands);
  // Runs commands, and waits until they have ended.
  void Run(VkCommandBuffer commands);
  // All that was written is seen by all that comes.
  void Barrier(VkCommandBuffer commands);

  VkQueryPool MakeStamps(uint32_t count);
  std::vector<uint64_t> ReadStamps(VkQueryPool stamps, uint32_t count);

  Vulkan vk;

 private:
  void Open(VkPhysicalDevice physical);
  uint32_t MemoryType(uint32_t allowed, VkMemoryPropertyFlags wanted) const;

  std::string name_;
  double clock_ms_ = 0;
  VkPhysicalDevice physical_ = VK_NULL_HANDLE;
  VkDevice device_ = VK_NULL_HANDLE;
  VkQueue queue_ = VK_NULL_HANDLE;
  uint32_t family_ = 0;
  VkCommandPool commands_ = VK_NULL_HANDLE;
  VkDescriptorPool sets_ = VK_NULL_HANDLE;
  VkFence fence_ = VK_NULL_HANDLE;
};
