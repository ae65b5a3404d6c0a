// Runs a GPU's program by Vulkan, without a page: all dispatches in one command buffer, with a
// barrier behind each, timed by the GPU's clock. It tells what WebGPU adds to the same SPIR-V.
//
//   webnnc MODEL.onnx --emit dispatches > program.txt
//   vulkan_host program.txt --weights out/model.weights.bin [--target NAME] [--runs 50] [--kernels]
//               [--input NAME=FILE]... [--output NAME=FILE]...
//
// Files of inputs and outputs hold elements as GPUs do: words of 32 bits. An input without a file
// is of zeros. --kernels also prints the time of each kernel, by stamps around each dispatch.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

#include "program.h"
#include "vulkan.h"

namespace {

struct Options {
  std::string program, weights, target;
  std::map<std::string, std::string> inputs, outputs;
  int runs = 50;
  bool kernels = false;
};

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    if (flag.rfind("--", 0) != 0) {
      options.program = flag;
      continue;
    }
    if (flag == "--kernels") {
      options.kernels = true;
      continue;
    }
    if (++i == argc) throw std::runtime_error(flag + " needs a value");
    std::string value = argv[i];
    size_t equals = value.find('=');
    if (flag == "--weights")
      options.weights = value;
    else if (flag == "--target")
      options.target = value;
    else if (flag == "--runs")
      options.runs = std::stoi(value);
    else if ((flag == "--input" || flag == "--output") && equals != std::string::npos)
      (flag == "--input" ? options.inputs : options.outputs)[value.substr(0, equals)] =
          value.substr(equals + 1);
    else
      throw std::runtime_error("there is no " + flag + " " + value);
  }
  if (options.program.empty() || options.runs < 1) throw std::runtime_error("which program?");
  return options;
}

std::vector<uint8_t> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A program on a device.
class Runner {
 public:
  Runner(const Program& program, const std::vector<uint8_t>& weights) : program_(program) {
    arena_ = device_.Allocate(std::max<uint64_t>(program.arena_bytes, 256), false);
    host_ = device_.Allocate(arena_.bytes, true);
    std::memset(host_.mapped, 0, host_.bytes);
    if (!weights.empty()) Upload(weights);
    Prepare();
  }

  Device& device() { return device_; }

  void SetInput(const Port& port, const std::vector<uint8_t>& bytes) {
    const Buffer& buffer = program_.buffers[port.buffer];
    if (bytes.size() != buffer.bytes)
      throw std::runtime_error(port.name + " has " + std::to_string(buffer.bytes) + " bytes");
    std::memcpy(host_.mapped + buffer.offset, bytes.data(), bytes.size());
  }

  // All dispatches; a pair of stamps around each `every` of them.
  VkCommandBuffer Record(VkQueryPool stamps, uint32_t every) {
    VkCommandBuffer commands = device_.Begin();
    device_.vk.CmdResetQueryPool(commands, stamps, 0, 2 * StampPairs(every));
    // Inputs may have been overwritten in the run before.
    for (const Port& port : program_.inputs)
      Copy(commands, host_, arena_, program_.buffers[port.buffer]);
    device_.Barrier(commands);
    for (uint32_t d = 0; d < program_.dispatches.size(); ++d) {
      uint32_t pair = d / every;
      if (d % every == 0) Stamp(commands, stamps, 2 * pair);
      RecordDispatch(commands, d);
      device_.Barrier(commands);
      if ((d + 1) % every == 0 || d + 1 == program_.dispatches.size())
        Stamp(commands, stamps, 2 * pair + 1);
    }
    device_.End(commands);
    return commands;
  }

  uint32_t StampPairs(uint32_t every) const {
    return (static_cast<uint32_t>(program_.dispatches.size()) + every - 1) / every;
  }

  std::vector<uint8_t> ReadOutput(const Port& port) {
    const Buffer& buffer = program_.buffers[port.buffer];
    Memory copy = device_.Allocate(std::max<uint64_t>(buffer.bytes, 4), true);
    VkCommandBuffer commands = device_.Begin();
    VkBufferCopy region{buffer.offset, 0, buffer.bytes};
    device_.vk.CmdCopyBuffer(commands, arena_.buffer, copy.buffer, 1, &region);
    device_.Barrier(commands);
    device_.End(commands);
    device_.Run(commands);
    return {copy.mapped, copy.mapped + buffer.bytes};
  }

 private:
  void Upload(const std::vector<uint8_t>& weights) {
    // Shaders read vectors, the last of which may have room only.
    weights_ = device_.Allocate((weights.size() + 255) / 256 * 256, false);
    Memory staging = device_.Allocate(weights_.bytes, true);
    std::memcpy(staging.mapped, weights.data(), weights.size());
    VkCommandBuffer commands = device_.Begin();
    VkBufferCopy region{0, 0, weights.size()};
    device_.vk.CmdCopyBuffer(commands, staging.buffer, weights_.buffer, 1, &region);
    device_.End(commands);
    device_.Run(commands);
  }

  void Prepare() {
    uint32_t bindings = 0;
    for (const Dispatch& dispatch : program_.dispatches)
      bindings += static_cast<uint32_t>(dispatch.buffers.size());
    device_.MakeSetPool(static_cast<uint32_t>(program_.dispatches.size()), bindings);
    std::vector<VkDescriptorSetLayout> set_layouts;
    for (const Shader& shader : program_.shaders) {
      if (shader.bindings.find('u') != std::string::npos)
        throw std::runtime_error(shader.name + " is told sizes");
      set_layouts.push_back(device_.MakeSetLayout(shader.bindings.size()));
      layouts_.push_back(device_.MakeLayout(set_layouts.back()));
      pipelines_.push_back(device_.MakePipeline(shader.words, layouts_.back()));
    }
    for (const Dispatch& dispatch : program_.dispatches) {
      std::vector<VkDescriptorBufferInfo> buffers;
      for (size_t b : dispatch.buffers) {
        const Buffer& buffer = program_.buffers[b];
        if (buffer.is_weight && !weights_.buffer) throw std::runtime_error("--weights is missing");
        uint64_t range = std::max<uint64_t>((buffer.bytes + 15) / 16 * 16, 16);
        buffers.push_back({(buffer.is_weight ? weights_ : arena_).buffer, buffer.offset, range});
      }
      sets_.push_back(device_.MakeSet(set_layouts[dispatch.shader], buffers));
    }
  }

  void Copy(VkCommandBuffer commands, const Memory& from, const Memory& to, const Buffer& buffer) {
    VkBufferCopy region{buffer.offset, buffer.offset, buffer.bytes};
    device_.vk.CmdCopyBuffer(commands, from.buffer, to.buffer, 1, &region);
  }

  void Stamp(VkCommandBuffer commands, VkQueryPool stamps, uint32_t at) {
    device_.vk.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, stamps, at);
  }

  void RecordDispatch(VkCommandBuffer commands, uint32_t d) {
    const Dispatch& dispatch = program_.dispatches[d];
    const auto& [x, y, z] = dispatch.workgroups;
    device_.vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                               pipelines_[dispatch.shader]);
    device_.vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                                     layouts_[dispatch.shader], 0, 1, &sets_[d], 0, nullptr);
    device_.vk.CmdDispatch(commands, x, y, z);
  }

  const Program& program_;
  Device device_;
  // The host's memory has inputs where the arena has them.
  Memory arena_, weights_, host_;
  std::vector<VkPipelineLayout> layouts_;
  std::vector<VkPipeline> pipelines_;
  std::vector<VkDescriptorSet> sets_;
};

// Medians of some runs, in ms: by the GPU's clock, the best of that, and by ours.
struct Times {
  double gpu, best, wall;
};

double Median(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Times Measure(Runner& runner, uint32_t dispatches, int runs) {
  Device& device = runner.device();
  VkQueryPool stamps = device.MakeStamps(2);
  VkCommandBuffer commands = runner.Record(stamps, std::max(dispatches, 1u));
  std::vector<double> gpu, wall;
  // The first runs raise the clock.
  for (int run = -runs / 2; run < runs; ++run) {
    auto start = std::chrono::steady_clock::now();
    device.Run(commands);
    std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
    std::vector<uint64_t> values = device.ReadStamps(stamps, 2);
    if (run < 0) continue;
    gpu.push_back(static_cast<double>(values[1] - values[0]) * device.clock_ms());
    wall.push_back(passed.count());
  }
  double median = Median(gpu);
  return {median, gpu[0], Median(wall)};
}

// Prints the kernels that take longest.
void PrintKernels(Runner& runner, const Program& program, int runs) {
  Device& device = runner.device();
  uint32_t count = static_cast<uint32_t>(program.dispatches.size());
  VkQueryPool stamps = device.MakeStamps(2 * count);
  VkCommandBuffer commands = runner.Record(stamps, 1);
  std::map<std::string, double> total;
  for (int run = 0; run < runs; ++run) {
    device.Run(commands);
    std::vector<uint64_t> values = device.ReadStamps(stamps, 2 * count);
    for (uint32_t d = 0; d < count; ++d) {
      double ms = static_cast<double>(values[2 * d + 1] - values[2 * d]) * device.clock_ms();
      total[program.shaders[program.dispatches[d].shader].name] += ms / runs;
    }
  }
  std::vector<std::pair<double, std::string>> all;
  for (const auto& [name, ms] : total) all.emplace_back(ms, name);
  std::sort(all.rbegin(), all.rend());
  for (const auto& [ms, name] : all) std::printf("  %8.1f us  %s\n", ms * 1000, name.c_str());
}

int Run(const Options& options) {
  Program program = ReadProgram(options.program, options.target);
  if (program.dispatches.empty()) throw std::runtime_error("the program has no dispatches");
  Runner runner(program,
                options.weights.empty() ? std::vector<uint8_t>{} : ReadFile(options.weights));
  for (const Port& port : program.inputs) {
    auto given = options.inputs.find(port.name);
    if (given != options.inputs.end()) runner.SetInput(port, ReadFile(given->second));
  }
  Times times = Measure(runner, static_cast<uint32_t>(program.dispatches.size()), options.runs);
  std::printf("%s\ngpu %.4f ms, best %.4f ms, wall %.4f ms, %zu dispatches\n",
              runner.device().name().c_str(), times.gpu, times.best, times.wall,
              program.dispatches.size());
  if (options.kernels) PrintKernels(runner, program, options.runs);
  for (const Port& port : program.outputs) {
    auto wanted = options.outputs.find(port.name);
    if (wanted == options.outputs.end()) continue;
    std::vector<uint8_t> bytes = runner.ReadOutput(port);
    std::ofstream(wanted->second, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(ParseOptions(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
