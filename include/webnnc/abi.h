// What the compiled model, the C++ runtime and model.js agree on: records in the wasm memory, whose
// fields are in abi.def.
//
// All fields are 32-bit little-endian; pointers are addresses in the wasm memory. The compiler
// writes these records into the module's data; the runtime fills in those marked "set by Prepare".
// model.js reads them at the offsets that follow from the order of the fields, so a change there or
// here is a change of kAbiVersion.
#pragma once

#include <stdint.h>

namespace webnnc::abi {

constexpr uint32_t kAbiVersion = 3;

// A size: at least 0 is the size itself; less than 0 is entry ~value of Model::dims.
using Size = int32_t;

// clang-format off
#define RECORD(record) struct record {
#define FIELD(record, type, field) type field;
#define END(record) };
// clang-format on
#include "webnnc/abi.def"

#ifdef __wasm__
// A word a field, so that the number of a field is its offset in words.
#define RECORD(record) static_assert(sizeof(record) == 4 * (0
#define FIELD(record, type, field) +(sizeof(record::field) == 4)
#define END(record) ));
#include "webnnc/abi.def"
#endif

// Buffer::kind.
enum BufferKind : uint32_t {
  kArena = 0,
  kWeights = 1,
  kHost = 2,       // of a GPU's program: in the wasm memory, in an arena of its own
  kData = 3,       // a constant in the module's data, `offset` is its address
  kGrown = 4,      // memory of its own, which grows as slices are added (kStack)
  kHostGrown = 5,  // the same, of a GPU's program in the wasm memory
  kState = 6,      // kept from run to run: whoever runs the program sets the address (CPU)
  kTold = 7,       // of a GPU's program: sizes and workgroups of dispatches that are told there
};
// Program::plans of what no plan places.
constexpr uint32_t kNoPlan = 0xffffffff;
// Buffer::offset of weights that no step reads.
constexpr uint32_t kNoOffset = 0xffffffff;
// Dispatch::parameters of a kernel that is told no sizes.
constexpr uint32_t kNoParameters = 0xffffffff;
// Added to Dispatch::parameters of one that is told on the device: what is there is the offset in
// the program's buffer kTold of its sizes, and behind these are the workgroups, x, y and z. Those
// of the record are the most that there can be.
constexpr uint32_t kToldOnDevice = 0x80000000;
// WebGPU's alignment of offsets in bindings.
constexpr uint32_t kBindingAlignment = 256;
// That of buffers on the CPU.
constexpr uint32_t kCpuAlignment = 64;
// The bytes of `webnnc_zeros`, which kernels read where a window stands over the edge of its input.
constexpr uint32_t kZeroBytes = 32768;
// Command::kind. Commands follow each other but where one says so; behind the last the run ends.
// Buffers that are not said to be on the device are in the wasm memory. Elements are integers of
// 1, 4 or 8 bytes (`bytes`).
enum CommandKind : uint32_t {
  kRun = 0,        // steps (CPU) or dispatches (GPU) from a on, before b
  kHostSteps = 1,  // of a GPU's program: webnnc_model_step from a on, before b
  kPlan = 2,  // plan a: computes its sizes (webnnc_model_plan), places its buffers; b is the step
              // number of the plan, by which others are in use or not
  kSet = 3,   // buffer a's first element becomes b; d: bytes
  kIncrement = 4,  // buffer a's first element, i64, by one
  kDefine = 5,     // entry a of Model::dims becomes element c of buffer b; d: bytes. A run in which
                   // that is no size is refused (kSizeOutOfRange)
  kAssign = 6,     // webnnc_model_assign(a)
  kSwap = 7,       // buffers a and b change places
  kStack = 8,   // buffer a to buffer b, of which it is slice number i, which is c's first element;
                // d: bytes of a slice. If b is kGrown there is room for it then
  kUpload = 9,  // buffer a in the wasm memory to buffer b on the device; d: DType
  kReadBack = 10,  // buffer a on the device to buffer b in the wasm memory; d: DType
  kBranch = 11,    // to command b if buffer a's first element, a bool, is false
  kJump = 12,      // to command a
  kWhile = 13,  // to command d unless buffer a's element, the iteration, is less than b's, if b is
                // not kNone, and c's, if c is not kNone, is true
  kRecompute = 14,  // computes the sizes of plan a (webnnc_model_plan), and places nothing
};
constexpr uint32_t kNone = 0xffffffff;
// What webnnc_walk gives instead of a command for the page: the number of one that was refused,
// with the reason.
constexpr uint32_t kWalkOutOfMemory = 0x80000000;
constexpr uint32_t kWalkOutOfRange = 0x40000000;
// What webnnc_model_plan gives: whether the sizes that its loop needs for another iteration are
// sizes, and those behind it. Of a plan that is no loop's all are behind it.
enum Fit : uint32_t { kFitsIteration = 1, kFitsEnd = 2 };
// Program::kind.
enum ProgramKind : uint32_t { kCpu = 0, kGpu = 1 };

// The last output, if it has this name, is not for callers: it tells of each index that is computed
// in a run the least element, the largest, and the size of the dimension that it is an index of.
constexpr char kIndexOutput[] = "webnnc.indices";

// The header of the weights file: kWeightsMagic, then the id.
constexpr uint32_t kWeightsHeaderBytes = 256;
constexpr uint32_t kWeightsIdOffset = 16;
constexpr char kWeightsMagic[kWeightsIdOffset] = "webnnc weights\n";

// What webnnc_sizes and Prepare give.
enum Status : uint32_t {
  kOk = 0,
  kOutOfMemory = 1,
  kSizeOutOfRange = 2,  // a size that sizes are computed from makes another negative or too large
};

}  // namespace webnnc::abi
