// What the compiled model, the C++ runtime and model.js agree on: records in the wasm memory.
//
// All fields are 32-bit little-endian; pointers are addresses in the wasm memory. The compiler
// writes these records into the module's data; the runtime fills in those marked "set by Prepare".
// model.js reads them at the offsets that follow from the order of the fields, so a change here is
// a change of kAbiVersion.
#pragma once

#include <stdint.h>

namespace webnnc::abi {

constexpr uint32_t kAbiVersion = 2;

// A size: at least 0 is the size itself; less than 0 is entry ~value of Model::dims.
using Size = int32_t;

struct Buffer {
  uint32_t kind;  // BufferKind
  Size bytes;
  // Of kWeights: where in the weights file, or kNoOffset if no step of the program reads it.
  // Otherwise set by Prepare: the address (CPU) or the offset in the arena (GPU).
  uint32_t offset;
  // The steps between which the buffer is in use, both included. An input is in use from step 0,
  // an output until the last.
  uint32_t first_step, last_step;
};

enum BufferKind : uint32_t { kArena = 0, kWeights = 1 };
constexpr uint32_t kNoOffset = 0xffffffff;

// An input or output of the model.
struct Port {
  const char* name;  // UTF-8, 0-terminated
  uint32_t dtype;    // webnnc::DType
  uint32_t rank;
  const Size* shape;
  // Of an input whose elements index tables: what they may be. Of others INT32_MIN and INT32_MAX.
  int32_t low, high;
};
// The last output, if it has this name, is not for callers: it tells of each index that is computed
// in a run the least element, the largest, and the size of the dimension that it is an index of.
constexpr char kIndexOutput[] = "webnnc.indices";

// One dispatch of a GPU program. `parameters` is where in Program::parameters the sizes are that
// the shader is told, as i32; or kNoParameters.
struct Dispatch {
  uint32_t kernel;
  uint32_t x, y, z;
  uint32_t parameters, parameter_bytes;
  uint32_t argument_count;
  const uint32_t* arguments;  // indices into Program::buffers
};
constexpr uint32_t kNoParameters = 0xffffffff;
// WebGPU's alignment of offsets in bindings.
constexpr uint32_t kBindingAlignment = 256;

enum ProgramKind : uint32_t { kCpu = 0, kGpu = 1 };

// The model for one kind of device. A model has at most one program for the CPU and one for each
// set of GPU features that it makes use of.
struct Program {
  uint32_t kind;  // ProgramKind
  uint32_t buffer_count;
  Buffer* buffers;
  const uint32_t* input_buffers;   // one a Model::inputs
  const uint32_t* output_buffers;  // one a Model::outputs
  uint32_t step_count;
  // Set by Prepare: bytes of the arena.
  uint32_t arena_bytes;
  Dispatch* dispatches;  // of a GPU program: one a step
  uint32_t parameter_bytes;
  uint8_t* parameters;
};

struct Model {
  uint32_t abi_version;
  // Symbols come first in dims; set by the caller. The others are set by Prepare.
  uint32_t symbol_count;
  const char* const* symbol_names;
  // How many of dims are sizes, which may not be negative. Behind them are terms of indices.
  uint32_t dim_count;
  int32_t* dims;
  uint32_t input_count;
  const Port* inputs;
  uint32_t output_count;
  const Port* outputs;
  uint32_t program_count;
  Program* programs;
  uint32_t weights_bytes;
  // Set by webnnc_weights and by Prepare of a CPU program: the address that the weights file's
  // bytes go to.
  uint32_t weights;
  // The id that the weights file must have, which is the XXH64 of what is behind its header.
  uint32_t weights_id_low, weights_id_high;
};

// The header of the weights file: kWeightsMagic, then the id.
constexpr uint32_t kWeightsHeaderBytes = 256, kWeightsIdOffset = 16;
constexpr char kWeightsMagic[kWeightsIdOffset] = "webnnc weights\n";

// What webnnc_sizes and Prepare give.
enum Status : uint32_t {
  kOk = 0,
  kOutOfMemory = 1,
  kSizeOutOfRange = 2,  // a size that sizes are computed from makes another negative or too large
};

}  // namespace webnnc::abi
