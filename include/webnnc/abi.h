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

constexpr uint32_t kAbiVersion = 2;

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
enum BufferKind : uint32_t { kArena = 0, kWeights = 1 };
// Buffer::offset of weights that no step reads.
constexpr uint32_t kNoOffset = 0xffffffff;
// Dispatch::parameters of a kernel that is told no sizes.
constexpr uint32_t kNoParameters = 0xffffffff;
// WebGPU's alignment of offsets in bindings.
constexpr uint32_t kBindingAlignment = 256;
// That of buffers on the CPU.
constexpr uint32_t kCpuAlignment = 64;
// The bytes of `webnnc_zeros`, which kernels read where a window stands over the edge of its input.
constexpr uint32_t kZeroBytes = 32768;
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
