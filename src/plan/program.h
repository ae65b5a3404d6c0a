// A program says where and when: which kernels run on which buffers in which order, on one target.
//
// The life of a program:
//
//   formed      FormKernels grouped the graph's nodes; every kernel is plain.
//   scheduled   Each kernel has its schedule, and is flat: ready for a back end.
//
// Where buffers are is decided when the model runs, for the sizes of that run (plan/memory.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "graph/graph.h"
#include "loop/kernel.h"
#include "schedule/schedule.h"
#include "target/target.h"
#include "tensor/data.h"

namespace webnnc::plan {

using BufferId = Id<struct ProgramBufferTag>;
using KernelId = Id<struct ProgramKernelTag>;
using WeightId = Id<struct WeightTag>;

// A constant tensor in the weights file, in the order its kernels read it.
struct Weight {
  std::string name;
  TensorType type;  // as laid out, padding included
  TensorData data;
  // The weight that this is another layout of, and which (PackWeights).
  WeightId packed_from = {};
  std::string packing = {};
  // Byte offset in the weights file, a multiple of kWeightAlignment; -1 if no program reads it.
  int64_t offset = -1;
};
inline constexpr int64_t kWeightAlignment = 256;

enum class BufferKind : uint8_t { kInput, kOutput, kWeight, kActivation };

// Memory that kernels read and write. Several values of the graph may be in one, when they are the
// same bytes under different shapes.
struct Buffer {
  std::string name;
  DType dtype = DType::kF32;
  Dim elements;
  BufferKind kind = BufferKind::kActivation;
  WeightId weight = {};  // of kWeight
};

struct Kernel {
  loop::Kernel plain;
  schedule::Schedule schedule;
  loop::Kernel flat;
};

// Runs a kernel. Arguments are in the order of the kernel's parameters.
struct Step {
  KernelId kernel;
  std::vector<BufferId> arguments;
  // The ONNX nodes that it computes.
  std::vector<std::string> origins;
};

// What a caller sees: the model's name and type for it, and where it is.
struct Port {
  std::string name;
  TensorType type;
  BufferId buffer;
  // As in the graph.
  bool hidden = false;
};

struct Program {
  std::string name;
  Target target = {};
  IdVector<ProgramBufferTag, Buffer> buffers;
  IdVector<ProgramKernelTag, Kernel> kernels;
  std::vector<Step> steps;
  std::vector<Port> inputs, outputs;
};

// The ONNX nodes that a kernel computes, in all steps that run it.
std::vector<std::string> OriginsOf(const Program& program, KernelId kernel);

// What a buffer is to kernels; and what a kernel's parameters are, in order, on which all steps
// that run it agree (MergeKernels).
Storage StorageOf(const Buffer& buffer);
std::vector<Storage> ParametersOf(const Program& program, KernelId kernel);

// The bytes of a buffer, as its target stores elements.
Dim ByteSize(const Program& program, const Buffer& buffer);

// The text form: buffers, then steps.
std::string Print(const Program& program);

}  // namespace webnnc::plan
