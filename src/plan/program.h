// A program says where and when: which kernels run on which buffers in which order, on one target.
//
// The life of a program:
//
//   formed      FormKernels grouped the graph's nodes; every kernel is plain.
//   scheduled   Each kernel has its schedule, and is flat: ready for a back end.
//
// Where buffers are is decided when the model runs, for the sizes of that run (plan/memory.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "graph/graph.h"
#include "graph/state.h"
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
  // Byte offset in the weights file, a multiple of kWeightAlignment if a GPU reads it; -1 if no
  // program reads it.
  int64_t offset = -1;
};
inline constexpr int64_t kWeightAlignment = 256;

// Where buffers are and kernels run: on the program's device or, of a program for a GPU, on the
// host beside it, which is wasm. Of a program for the CPU all is on the device.
enum class Place : uint8_t { kDevice, kHost };

// kExchange is what goes to the other place or comes from there: elements are as in inputs.
// kState is an input or an output, or both in one, that is kept from run to run in memory of its
// own, which whoever runs the program gives: at least as large as the buffer. kTold is what
// shaders are told of sizes that the device alone knows, and how many workgroups of them run.
enum class BufferKind : uint8_t { kInput, kOutput, kWeight, kActivation, kExchange, kState, kTold };

// Memory that kernels read and write. Several values of the graph may be in one, when they are the
// same bytes under different shapes.
struct Buffer {
  std::string name;
  DType dtype = DType::kF32;
  Dim elements;
  BufferKind kind = BufferKind::kActivation;
  WeightId weight = {};  // of kWeight
  Place place = Place::kDevice;
  // It has no place of its own, but takes that of what it is swapped with.
  bool takes_places = false;
  // On a GPU: its integers lie side by side in words (PackActivations).
  bool packed = false;
  // Slices are added to it until nobody knows when: it has memory of its own, which grows.
  bool grows = false;
};

struct Kernel {
  loop::Kernel plain;
  schedule::Schedule schedule;
  loop::Kernel flat;
  // What it consists of where it is several that run side by side (JoinLaunches): they have the
  // schedules, it has none.
  std::vector<Kernel> parts = {};
};

// ---- Steps
//
// A list of steps with brackets, as WebAssembly's code has: what stands between If and EndIf or
// Loop and EndLoop is a region. Most programs have nothing but launches.

// Runs a kernel. Arguments are in the order of the kernel's parameters.
struct Launch {
  KernelId kernel;
  std::vector<BufferId> arguments;
  // The ONNX nodes that it computes.
  std::vector<std::string> origins;
  Place place = Place::kDevice;
  // Where in its buffer each argument begins, in elements; empty if all begin at 0. A GPU's kernel
  // that is flat adds it itself, since bindings begin at multiples of 256 bytes alone.
  std::vector<Dim> begins = {};
};

// Sizes become known: what mentions these symbols is computed, and buffers until the next plan get
// their places. Plan 0 is not written: it is at the start and knows the inputs' symbols.
struct Plan {
  int number = 0;
  std::vector<std::string> symbols;
  // A run in which one of these is negative is refused: what a branch assumes.
  std::vector<Dim> not_negative = {};
};

// A symbol takes the value of an element of an integer buffer on the host.
struct Define {
  std::string symbol;
  BufferId buffer;
  int64_t element = 0;
  // The most that it can be, if that is known.
  std::optional<Dim> most = {};
};

// Symbols take the values of sizes, all at once.
struct Assign {
  std::map<std::string, Dim> sizes;
};

// A symbol is the value of an element of an integer buffer on the device, which stays there: on the
// host it stands for the most that it can be.
struct Bound {
  std::string symbol;
  BufferId buffer;
  int64_t element = 0;
  Assign most;
};

// The sizes of a plan become what they are for the symbols as they are now. No buffer moves.
struct Recompute {
  int plan = 0;
};

// The same elements in the other place: an upload, or a wait for the device.
struct Transfer {
  BufferId from, to;
  // The ONNX node that needs it there.
  std::string reason;
};
// Slice number `index` of a buffer, which are the elements of another one; the number is on the
// host.
struct Stack {
  BufferId from, to, index;
  Dim elements;
};
// Two buffers become each other.
struct Swap {
  BufferId a, b;
};

// An integer on the host.
struct Set {
  BufferId buffer;
  int64_t value = 0;
};
struct Increment {
  BufferId buffer;
};

// What is until Else, if the first element of a buffer on the host is true; otherwise what is
// until EndIf.
struct If {
  BufferId condition;
};
struct Else {};
struct EndIf {};

// What is until EndLoop, as long as the iteration is less than the number of trips, if there is
// such a buffer, and the condition, if there is one, is true. All are on the host. A plan is made
// before each of these tests.
struct Loop {
  BufferId iteration;
  BufferId trips = {}, condition = {};
  std::optional<Plan> plan = {};
};
struct EndLoop {};

using Step = std::variant<Launch, Plan, Define, Assign, Bound, Recompute, Transfer, Stack, Swap,
                          Set, Increment, If, Else, EndIf, Loop, EndLoop>;

// What a caller sees: the model's name and type for it, and where it is. Of a state that is
// appended the axis that grows is the first one in the buffer.
struct Port {
  std::string name;
  TensorType type;
  BufferId buffer;
  // As in the graph.
  bool hidden = false;
};

using Kernels = IdVector<ProgramKernelTag, Kernel>;

struct Program {
  std::string name;
  Target target = {};
  IdVector<ProgramBufferTag, Buffer> buffers;
  // Of the device, and of the host beside it.
  Kernels kernels, host_kernels;
  std::vector<Step> steps;
  std::vector<Port> inputs, outputs;
  // What is kept from run to run.
  std::vector<graph::State> states = {};

  Kernels& KernelsAt(Place place) { return place == Place::kHost ? host_kernels : kernels; }
  const Kernels& KernelsAt(Place place) const {
    return place == Place::kHost ? host_kernels : kernels;
  }
  // The target of what is there: of the host wasm, as every engine runs it.
  Target TargetAt(Place place) const;
};

// The launches among the steps, in order: all, or those at a place.
std::vector<const Launch*> LaunchesOf(const Program& program);
std::vector<Launch*> LaunchesOf(Program& program);
std::vector<const Launch*> LaunchesOf(const Program& program, Place place);

// Whether the steps are launches on the device alone, which run once each in their order.
bool IsStraight(const Program& program);

// The buffers that a step reads or writes.
std::vector<BufferId> BuffersOf(const Step& step);
// The program's buffer for a weight, which gets one if there is none.
BufferId WeightBuffer(Program& program, const IdVector<WeightTag, Weight>& weights, WeightId id);

// The ONNX nodes that a kernel computes, in all launches of it.
std::vector<std::string> OriginsOf(const Program& program, KernelId kernel,
                                   Place place = Place::kDevice);

// The symbols of the inputs' shapes, in the order in which they appear there.
std::vector<std::string> InputSymbols(const Program& program);
// Behind these, those that plans make known. It is the order in which a run has their values.
std::vector<std::string> SymbolsOf(const Program& program);
std::vector<const Plan*> PlansOf(const Program& program);

// What a buffer is to kernels; and what a kernel's parameters are, in order, on which all launches
// of it agree (MergeKernels).
Storage StorageOf(const Buffer& buffer);
std::vector<Storage> ParametersOf(const Program& program, KernelId kernel,
                                  Place place = Place::kDevice);

// The bytes of a buffer, as elements are stored where it is.
Dim ByteSize(const Program& program, const Buffer& buffer);
// The bytes of so many elements of it.
Dim ByteSize(const Program& program, const Buffer& buffer, const Dim& elements);

// The text form: buffers, then steps.
std::string Print(const Program& program);

}  // namespace webnnc::plan
