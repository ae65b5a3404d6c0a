#include "vulkan.h"

#include <dlfcn.h>

#include <stdexcept>

namespace {

void Check(VkResult result, const char* what) {
  if (result != VK_SUCCESS)
    throw std::runtime_error(std::string(what) + " fails: VkResult " + std::to_string(result));
}

template <typename T>
T Made(VkStructureType type) {
  T made{};
  made.sType = type;
  return made;
}

PFN_vkGetInstanceProcAddr Loader() {
  void* library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error("there is no libvulkan.so.1");
  return reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
}

}  // namespace

Device::Device() {
  PFN_vkGetInstanceProcAddr find = Loader();
  auto create = reinterpret_cast<PFN_vkCreateInstance>(find(VK_NULL_HANDLE, "vkCreateInstance"));
  auto application = Made<VkApplicationInfo>(VK_STRUCTURE_TYPE_APPLICATION_INFO);
  application.apiVersion = VK_API_VERSION_1_1;
  auto info = Made<VkInstanceCreateInfo>(VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
  info.pApplicationInfo = &application;
  VkInstance instance = VK_NULL_HANDLE;
  Check(create(&info, nullptr, &instance), "vkCreateInstance");
#define X(name) vk.name = reinterpret_cast<PFN_vk##name>(find(instance, "vk" #name));
  WEBNNC_INSTANCE_FUNCTIONS(X)
#undef X
  uint32_t count = 0;
  Check(vk.EnumeratePhysicalDevices(instance, &count, nullptr), "vkEnumeratePhysicalDevices");
  std::vector<VkPhysicalDevice> devices(count);
  vk.EnumeratePhysicalDevices(instance, &count, devices.data());
  if (devices.empty()) throw std::runtime_error("Vulkan finds no device");
  physical_ = devices[0];
  for (VkPhysicalDevice device : devices) {
    VkPhysicalDeviceProperties properties;
    vk.GetPhysicalDeviceProperties(device, &properties);
    if (properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU) continue;
    physical_ = device;
    break;
  }
  Open(physical_);
}

void Device::Open(VkPhysicalDevice physical) {
  VkPhysicalDeviceProperties properties;
  vk.GetPhysicalDeviceProperties(physical, &properties);
  name_ = properties.deviceName;
  clock_ms_ = static_cast<double>(properties.limits.timestampPeriod) / 1e6;
  uint32_t count = 0;
  vk.GetPhysicalDeviceQueueFamilyProperties(physical, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vk.GetPhysicalDeviceQueueFamilyProperties(physical, &count, families.data());
  while (family_ < count && !(families[family_].queueFlags & VK_QUEUE_COMPUTE_BIT)) ++family_;
  if (family_ == count) throw std::runtime_error(name_ + " has no queue for compute");

  float priority = 1;
  auto queue = Made<VkDeviceQueueCreateInfo>(VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO);
  queue.queueFamilyIndex = family_;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  VkPhysicalDeviceFeatures features;
  vk.GetPhysicalDeviceFeatures(physical, &features);
  // WebGPU has its own ways of it.
  features.robustBufferAccess = VK_FALSE;
  auto info = Made<VkDeviceCreateInfo>(VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO);
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  info.pEnabledFeatures = &features;
  Check(vk.CreateDevice(physical, &info, nullptr, &device_), "vkCreateDevice");
#define X(name) vk.name = reinterpret_cast<PFN_vk##name>(vk.GetDeviceProcAddr(device_, "vk" #name));
  WEBNNC_DEVICE_FUNCTIONS(X)
#undef X
  vk.GetDeviceQueue(device_, family_, 0, &queue_);
  auto pool = Made<VkCommandPoolCreateInfo>(VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO);
  pool.queueFamilyIndex = family_;
  Check(vk.CreateCommandPool(device_, &pool, nullptr, &commands_), "vkCreateCommandPool");
  auto fence = Made<VkFenceCreateInfo>(VK_STRUCTURE_TYPE_FENCE_CREATE_INFO);
  Check(vk.CreateFence(device_, &fence, nullptr, &fence_), "vkCreateFence");
}

uint32_t Device::MemoryType(uint32_t allowed, VkMemoryPropertyFlags wanted) const {
  VkPhysicalDeviceMemoryProperties properties;
  vk.GetPhysicalDeviceMemoryProperties(physical_, &properties);
  for (uint32_t type = 0; type < properties.memoryTypeCount; ++type) {
    bool fits = (properties.memoryTypes[type].propertyFlags & wanted) == wanted;
    if (fits && (allowed >> type & 1)) return type;
  }
  throw std::runtime_error("there is no memory of the kind that is needed");
}

Memory Device::Allocate(uint64_t bytes, bool is_on_host) {
  Memory memory{VK_NULL_HANDLE, bytes, nullptr};
  auto info = Made<VkBufferCreateInfo>(VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
  info.size = bytes;
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
               VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  Check(vk.CreateBuffer(device_, &info, nullptr, &memory.buffer), "vkCreateBuffer");
  VkMemoryRequirements needs;
  vk.GetBufferMemoryRequirements(device_, memory.buffer, &needs);
  auto allocate = Made<VkMemoryAllocateInfo>(VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
  allocate.allocationSize = needs.size;
  allocate.memoryTypeIndex =
      MemoryType(needs.memoryTypeBits, is_on_host ? VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                                        VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
                                                  : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
  VkDeviceMemory own = VK_NULL_HANDLE;
  Check(vk.AllocateMemory(device_, &allocate, nullptr, &own), "vkAllocateMemory");
  Check(vk.BindBufferMemory(device_, memory.buffer, own, 0), "vkBindBufferMemory");
  if (!is_on_host) return memory;
  void* mapped = nullptr;
  Check(vk.MapMemory(device_, own, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory");
  memory.mapped = static_cast<uint8_t*>(mapped);
  return memory;
}

VkDescriptorSetLayout Device::MakeSetLayout(size_t bindings) {
  std::vector<VkDescriptorSetLayoutBinding> all(bindings);
  for (size_t i = 0; i < bindings; ++i) {
    all[i] = {static_cast<uint32_t>(i), VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
              VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
  }
  auto info =
      Made<VkDescriptorSetLayoutCreateInfo>(VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO);
  info.bindingCount = static_cast<uint32_t>(bindings);
  info.pBindings = all.data();
  VkDescriptorSetLayout layout = VK_NULL_HANDLE;
  Check(vk.CreateDescriptorSetLayout(device_, &info, nullptr, &layout),
        "vkCreateDescriptorSetLayout");
  return layout;
}

VkPipelineLayout Device::MakeLayout(VkDescriptorSetLayout set) {
  auto info = Made<VkPipelineLayoutCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO);
  info.setLayoutCount = 1;
  info.pSetLayouts = &set;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  Check(vk.CreatePipelineLayout(device_, &info, nullptr, &layout), "vkCreatePipelineLayout");
  return layout;
}

VkPipeline Device::MakePipeline(const std::vector<uint32_t>& words, VkPipelineLayout layout) {
  auto code = Made<VkShaderModuleCreateInfo>(VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO);
  code.codeSize = words.size() * sizeof(uint32_t);
  code.pCode = words.data();
  VkShaderModule module = VK_NULL_HANDLE;
  Check(vk.CreateShaderModule(device_, &code, nullptr, &module), "vkCreateShaderModule");
  auto info = Made<VkComputePipelineCreateInfo>(VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO);
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module;
  info.stage.pName = "main";
  info.layout = layout;
  VkPipeline pipeline = VK_NULL_HANDLE;
  Check(vk.CreateComputePipelines(device_, VK_NULL_HANDLE, 1, &info, nullptr, &pipeline),
        "vkCreateComputePipelines");
  return pipeline;
}

void Device::MakeSetPool(uint32_t sets, uint32_t bindings) {
  VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, bindings};
  auto info = Made<VkDescriptorPoolCreateInfo>(VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO);
  info.maxSets = sets;
  info.poolSizeCount = 1;
  info.pPoolSizes = &size;
  Check(vk.CreateDescriptorPool(device_, &info, nullptr, &sets_), "vkCreateDescriptorPool");
}

VkDescriptorSet Device::MakeSet(VkDescriptorSetLayout layout,
                                const std::vector<VkDescriptorBufferInfo>& buffers) {
  auto info = Made<VkDescriptorSetAllocateInfo>(VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO);
  info.descriptorPool = sets_;
  info.descriptorSetCount = 1;
  info.pSetLayouts = &layout;
  VkDescriptorSet set = VK_NULL_HANDLE;
  Check(vk.AllocateDescriptorSets(device_, &info, &set), "vkAllocateDescriptorSets");
  auto write = Made<VkWriteDescriptorSet>(VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET);
  write.dstSet = set;
  write.descriptorCount = static_cast<uint32_t>(buffers.size());
  write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
  write.pBufferInfo = buffers.data();
  vk.UpdateDescriptorSets(device_, 1, &write, 0, nullptr);
  return set;
}

VkCommandBuffer Device::Begin() {
  auto info = Made<VkCommandBufferAllocateInfo>(VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO);
  info.commandPool = commands_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  Check(vk.AllocateCommandBuffers(device_, &info, &commands), "vkAllocateCommandBuffers");
  auto begin = Made<VkCommandBufferBeginInfo>(VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO);
  Check(vk.BeginCommandBuffer(commands, &begin), "vkBeginCommandBuffer");
  return commands;
}

void Device::End(VkCommandBuffer commands) {
  Check(vk.EndCommandBuffer(commands), "vkEndCommandBuffer");
}

void Device::Run(VkCommandBuffer commands) {
  auto submit = Made<VkSubmitInfo>(VK_STRUCTURE_TYPE_SUBMIT_INFO);
  submit.commandBufferCount = 1;
  submit.pCommandBuffers = &commands;
  Check(vk.QueueSubmit(queue_, 1, &submit, fence_), "vkQueueSubmit");
  Check(vk.WaitForFences(device_, 1, &fence_, VK_TRUE, UINT64_MAX), "vkWaitForFences");
  Check(vk.ResetFences(device_, 1, &fence_), "vkResetFences");
}

void Device::Barrier(VkCommandBuffer commands) {
  auto barrier = Made<VkMemoryBarrier>(VK_STRUCTURE_TYPE_MEMORY_BARRIER);
  barrier.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                          VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_HOST_READ_BIT;
  constexpr VkPipelineStageFlags kBoth =
      VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  vk.CmdPipelineBarrier(commands, kBoth, kBoth | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0,
                        nullptr, 0, nullptr);
}

VkQueryPool Device::MakeStamps(uint32_t count) {
  auto info = Made<VkQueryPoolCreateInfo>(VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO);
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = count;
  VkQueryPool stamps = VK_NULL_HANDLE;
  Check(vk.CreateQueryPool(device_, &info, nullptr, &stamps), "vkCreateQueryPool");
  return stamps;
}

std::vector<uint64_t> Device::ReadStamps(VkQueryPool stamps, uint32_t count) {
  std::vector<uint64_t> values(count);
  Check(vk.GetQueryPoolResults(device_, stamps, 0, count, count * sizeof(uint64_t), values.data(),
                               sizeof(uint64_t), VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
        "vkGetQueryPoolResults");
  return values;
}
