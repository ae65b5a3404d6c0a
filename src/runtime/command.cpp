// The model as a WASI command:
//
//   model.wasm --weights model.weights.bin --input image=x.npy --output probs=y.npy
//
// computes on the CPU. Tensors are .npy files (NumPy's format, versions 1 and 2, C order).
#include <string.h>

#include "runtime/hash.h"
#include "runtime/memory.h"
#include "runtime/model.h"
#include "runtime/wasi.h"

using namespace webnnc;

namespace {

constexpr int32_t kStandardError = 2;
void Say(const char* text) { wasi::Write(kStandardError, text, strlen(text)); }

[[noreturn]] void Fail(const char* a, const char* b = "", const char* c = "") {
  Say("error: ");
  Say(a);
  Say(b);
  Say(c);
  Say("\n");
  wasi::Exit(1);
}

// ---- Element types, as NumPy writes them. In the order of webnnc::DType.
struct Element {
  const char* npy;
  uint32_t bytes;
};
constexpr Element kElements[] = {{"|b1", 1}, {"|i1", 1}, {"|u1", 1}, {"<i2", 2},
                                 {"<u2", 2}, {"<i4", 4}, {"<u4", 4}, {"<i8", 8},
                                 {"<u8", 8}, {"<f2", 2}, {"<f4", 4}, {"<f8", 8}};

// Whether an input is a table beside a picture ("image:rows"), which model.js makes.
bool IsBesidePicture(const char* name) {
  const char* colon = strrchr(name, ':');
  return colon && (strcmp(colon, ":rows") == 0 || strcmp(colon, ":columns") == 0);
}

int32_t Value(abi::Size size) { return size >= 0 ? size : webnnc_model.dims[~size]; }

// ---- Arguments: each flag may come several times.

wasi::Arguments arguments;

// The value of the n-th use of `flag`, or null.
const char* Flag(const char* flag, int n) {
  for (uint32_t i = 1; i + 1 < arguments.count; i += 2) {
    if (strcmp(arguments.values[i], flag) == 0 && n-- == 0) return arguments.values[i + 1];
  }
  return nullptr;
}

// For "image=x.npy" and port "image": "x.npy". Null for other ports.
const char* PathFor(const char* assignment, const char* name) {
  size_t length = strlen(name);
  bool matches = strncmp(assignment, name, length) == 0 && assignment[length] == '=';
  return matches ? assignment + length + 1 : nullptr;
}

const char* PathOf(const char* flag, const char* name) {
  for (int n = 0;; ++n) {
    const char* assignment = Flag(flag, n);
    if (!assignment) return nullptr;
    if (const char* path = PathFor(assignment, name)) return path;
  }
}

void CheckArguments() {
  const abi::Model& model = webnnc_model;
  if (arguments.count == 0) Fail("the arguments are too long");
  if (arguments.count % 2 == 0)
    Fail("each flag takes a value: ", arguments.values[arguments.count - 1]);
  for (uint32_t i = 1; i < arguments.count; i += 2) {
    const char *flag = arguments.values[i], *value = arguments.values[i + 1];
    bool input = strcmp(flag, "--input") == 0, output = strcmp(flag, "--output") == 0;
    if (strcmp(flag, "--weights") == 0) continue;
    if (!input && !output) Fail("unknown flag ", flag, " (there are --weights, --input, --output)");
    uint32_t count = input ? model.input_count : model.output_count;
    const abi::Port* ports = input ? model.inputs : model.outputs;
    bool known = false;
    for (uint32_t p = 0; p < count; ++p) known |= PathFor(value, ports[p].name) != nullptr;
    if (!known) Fail(flag, " does not name a tensor of the model: ", value);
  }
}

// ---- Files

// Engines of 32 bits count what a call reads or writes by signed numbers.
constexpr uint64_t kMostAtOnce = 1 << 30;

uint32_t AtOnce(uint64_t bytes) {
  return static_cast<uint32_t>(bytes < kMostAtOnce ? bytes : kMostAtOnce);
}

void ReadAll(int32_t file, const char* path, uint8_t* to, uint64_t bytes) {
  while (bytes > 0) {
    int64_t got = wasi::Read(file, to, AtOnce(bytes));
    if (got < 0) Fail("cannot read ", path);
    if (got == 0) Fail("cannot read ", path, ": it is too short");
    to += got;
    bytes -= static_cast<uint64_t>(got);
  }
}

void WriteAll(int32_t file, const char* path, const void* from, uint64_t bytes) {
  auto* at = static_cast<const uint8_t*>(from);
  while (bytes > 0) {
    int64_t put = wasi::Write(file, at, AtOnce(bytes));
    if (put <= 0) Fail("cannot write ", path);
    at += put;
    bytes -= static_cast<uint64_t>(put);
  }
}

int32_t OpenFile(const char* path, wasi::Access access) {
  int32_t file = wasi::Open(path, access);
  if (file < 0)
    Fail(access == wasi::Access::kRead ? "cannot read " : "cannot write ", path,
         ": is it in a folder that the engine lets the command see?");
  return file;
}

char header[4096];

// Reads the header and leaves the file at the elements. `shape` has room for 32 sizes.
uint32_t ReadHeader(int32_t file, const char* path, const abi::Port& port, uint32_t* shape) {
  uint8_t magic[12];
  ReadAll(file, path, magic, 10);
  if (memcmp(magic, "\x93NUMPY", 6) != 0) Fail(path, " is not a .npy file");
  uint32_t length = magic[8] | magic[9] << 8;
  if (magic[6] > 1) {
    ReadAll(file, path, magic + 10, 2);
    length |= static_cast<uint32_t>(magic[10]) << 16;
  }
  if (length >= sizeof(header)) Fail(path, " has too long a header");
  ReadAll(file, path, reinterpret_cast<uint8_t*>(header), length);
  header[length] = 0;
  const char* type = kElements[port.dtype].npy;
  const char* described = strstr(header, "'descr': '");
  // '=' and '|' may stand for the byte order of this machine and of none.
  if (!described || strncmp(described + 11, type + 1, strlen(type) - 1) != 0 ||
      described[10] == '>') {
    Fail(path, " does not hold elements of type ", type);
  }
  if (strstr(header, "'fortran_order': True")) Fail(path, " is in Fortran order");
  const char* at = strstr(header, "'shape': (");
  if (!at) Fail(path, " is not a .npy file");
  uint32_t rank = 0;
  for (at += 10; *at && *at != ')' && rank < 32;) {
    if (*at < '0' || *at > '9') {
      ++at;
      continue;
    }
    uint32_t size = 0;
    for (; *at >= '0' && *at <= '9'; ++at) size = size * 10 + static_cast<uint32_t>(*at - '0');
    shape[rank++] = size;
  }
  return rank;
}

constexpr int32_t kUnbound = -1;

// Symbols take the sizes of the inputs' files; those a second input has must agree.
void BindSizes(const abi::Port& port, const char* path) {
  uint32_t shape[32];
  int32_t file = OpenFile(path, wasi::Access::kRead);
  uint32_t rank = ReadHeader(file, path, port, shape);
  wasi::Close(file);
  if (rank != port.rank) Fail(path, " has another number of dimensions than input ", port.name);
  for (uint32_t d = 0; d < rank; ++d) {
    abi::Size size = port.shape[d];
    uint32_t dim = static_cast<uint32_t>(~size);
    bool takes = size < 0 && dim < webnnc_model.symbol_count && webnnc_model.dims[dim] == kUnbound;
    if (takes) webnnc_model.dims[dim] = static_cast<int32_t>(shape[d]);
  }
}

uint64_t Bytes(const abi::Port& port) {
  uint64_t bytes = kElements[port.dtype].bytes;
  for (uint32_t d = 0; d < port.rank; ++d) bytes *= static_cast<uint64_t>(Value(port.shape[d]));
  return bytes;
}

// The CPU's program, and where its tensors are.
abi::Program* program;

uint32_t ProgramIndex() {
  for (uint32_t p = 0; p < webnnc_model.program_count; ++p) {
    if (webnnc_model.programs[p].kind == abi::kCpu) return p;
  }
  Fail("this model was compiled without the wasm target");
}

uint8_t* Address(uint32_t buffer) {
  return reinterpret_cast<uint8_t*>(program->buffers[buffer].offset);
}

// ---- State: in the command what is given, as all inputs are, and what is to be written

#ifdef WEBNNC_STATES
runtime::Region states, turning;

void PlaceStates() {
  uint64_t end = 0;
  auto place = [&](abi::Buffer& buffer, bool is_set) {
    if (buffer.kind != abi::kState) return;
    if (is_set) buffer.offset = static_cast<uint32_t>(states.base + end);
    // A vector load may touch the bytes behind the last element.
    end +=
        (static_cast<uint64_t>(Value(buffer.bytes)) / abi::kCpuAlignment + 2) * abi::kCpuAlignment;
  };
  for (uint32_t b = 0; b < program->buffer_count; ++b) place(program->buffers[b], false);
  if (!runtime::Reserve(states, end)) Fail("there is not enough memory");
  end = 0;
  for (uint32_t b = 0; b < program->buffer_count; ++b) place(program->buffers[b], true);
}

// Which axis of an input or output is the first one in memory.
uint32_t FirstAxis(uint32_t AppendedState::* port, uint32_t index) {
  for (const AppendedState* state = webnnc_model_states; state->model; ++state) {
    // Of several models the chosen one is there as a copy.
    if (state->model->inputs == webnnc_model.inputs && state->*port == index) return state->axis;
  }
  return 0;
}

// Elements of [a, b, rest] as [b, a, rest], in place.
bool Turn(uint8_t* at, uint64_t a, uint64_t b, uint64_t bytes) {
  if (a <= 1 || b <= 1 || bytes == 0) return true;
  if (!runtime::Reserve(turning, bytes)) return false;
  auto* from = reinterpret_cast<uint8_t*>(turning.base);
  uint64_t rest = bytes / a / b;
  memcpy(from, at, bytes);
  for (uint64_t i = 0; i < a; ++i) {
    for (uint64_t j = 0; j < b; ++j)
      memcpy(at + (j * a + i) * rest, from + (i * b + j) * rest, rest);
  }
  return true;
}

// Between the order that callers see and the one that it is kept in.
void TurnPort(const abi::Port& port, uint32_t axis, uint8_t* at, bool is_input) {
  uint64_t before = 1;
  for (uint32_t d = 0; d < axis; ++d) before *= static_cast<uint64_t>(Value(port.shape[d]));
  auto size = static_cast<uint64_t>(Value(port.shape[axis]));
  if (axis > 0 && !Turn(at, is_input ? before : size, is_input ? size : before, Bytes(port)))
    Fail("there is not enough memory");
}
#endif

void ReadInput(uint32_t index, const char* path) {
  const abi::Port& port = webnnc_model.inputs[index];
  uint32_t shape[32];
  int32_t file = OpenFile(path, wasi::Access::kRead);
  ReadHeader(file, path, port, shape);
  for (uint32_t d = 0; d < port.rank; ++d) {
    if (shape[d] != static_cast<uint32_t>(Value(port.shape[d]))) {
      Fail(path, " has other sizes than the model takes for input ", port.name);
    }
  }
  ReadAll(file, path, Address(program->input_buffers[index]), Bytes(port));
  wasi::Close(file);
#ifdef WEBNNC_STATES
  TurnPort(port, FirstAxis(&AppendedState::input, index), Address(program->input_buffers[index]),
           true);
#endif
}

void CheckWeights(const char* path) {
  const abi::Model& model = webnnc_model;
  const auto* file = reinterpret_cast<const uint8_t*>(model.weights);
  uint32_t id[2];
  memcpy(id, file + abi::kWeightsIdOffset, sizeof(id));
  if (memcmp(file, abi::kWeightsMagic, sizeof(abi::kWeightsMagic)) != 0)
    Fail(path, " is not a weights file of webnnc");
  if (id[0] != model.weights_id_low || id[1] != model.weights_id_high)
    Fail(path, " belongs to another build of the model");
  uint64_t hash =
      webnnc_hash(file + abi::kWeightsHeaderBytes, model.weights_bytes - abi::kWeightsHeaderBytes);
  if (static_cast<uint32_t>(hash) != id[0] || static_cast<uint32_t>(hash >> 32) != id[1])
    Fail(path, " is damaged: copy it again");
}

char* AppendNumber(char* at, uint32_t n) {
  char digits[10];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + n % 10);
    n /= 10;
  } while (n > 0);
  while (count > 0) *at++ = digits[--count];
  return at;
}

// ---- Indices: a table has no rows for some of them.

// "-12"; the text is there until the next call but one.
const char* Text(int32_t n) {
  static char texts[4][16];
  static int next = 0;
  char* text = texts[next++ % 4];
  char* at = text;
  if (n < 0) *at++ = '-';
  *AppendNumber(at, n < 0 ? 0u - static_cast<uint32_t>(n) : static_cast<uint32_t>(n)) = 0;
  return text;
}

[[noreturn]] void RefuseIndex(const char* input, int64_t value, int32_t low, int32_t high) {
  bool small = value >= INT32_MIN && value <= INT32_MAX;
  Say("error: input ");
  Say(input);
  Say(" has or makes the index ");
  Say(small ? Text(static_cast<int32_t>(value)) : "of more than 32 bits");
  Say("; the model takes ");
  Say(Text(low));
  Say(" to ");
  Say(Text(high));
  Say("\n");
  wasi::Exit(1);
}

void CheckInput(uint32_t index) {
  const abi::Port& port = webnnc_model.inputs[index];
  if (port.low == INT32_MIN && port.high == INT32_MAX) return;
  const uint8_t* at = Address(program->input_buffers[index]);
  uint32_t bytes = kElements[port.dtype].bytes;
  bool is_signed = kElements[port.dtype].npy[1] == 'i';
  for (uint64_t left = Bytes(port) / bytes; left > 0; --left, at += bytes) {
    int64_t value = 0;
    memcpy(&value, at, bytes);
    uint32_t unused = 64 - 8 * bytes;
    if (is_signed) value = static_cast<int64_t>(static_cast<uint64_t>(value) << unused) >> unused;
    if (value < port.low || value > port.high) RefuseIndex(port.name, value, port.low, port.high);
  }
}

void CheckComputed() {
  const abi::Model& model = webnnc_model;
  uint32_t last = model.output_count - 1;
  if (strcmp(model.outputs[last].name, abi::kIndexOutput) != 0) return;
  auto* told = reinterpret_cast<const int32_t*>(Address(program->output_buffers[last]));
  for (uint64_t left = Bytes(model.outputs[last]) / 12; left > 0; --left, told += 3) {
    int32_t least = told[0], most = told[1], size = told[2];
    if (least > most || (least >= -size && most < size)) continue;
    RefuseIndex("(computed)", most >= size ? most : least, -size, size - 1);
  }
}

char* Append(char* at, const char* text) {
  while (*text) *at++ = *text++;
  return at;
}

void WriteOutput(uint32_t index, const char* path) {
  const abi::Port& port = webnnc_model.outputs[index];
  char* at = Append(header + 10, "{'descr': '");
  at = Append(at, kElements[port.dtype].npy);
  at = Append(at, "', 'fortran_order': False, 'shape': (");
  for (uint32_t d = 0; d < port.rank; ++d) {
    at = Append(AppendNumber(at, static_cast<uint32_t>(Value(port.shape[d]))), ", ");
  }
  at = Append(at, "), }");
  // The elements start at a multiple of 64 bytes.
  while ((at - header + 1) % 64 != 0) *at++ = ' ';
  *at++ = '\n';
  auto length = static_cast<uint32_t>(at - header - 10);
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  header[8] = static_cast<char>(length & 0xff);
  header[9] = static_cast<char>(length >> 8);
  int32_t file = OpenFile(path, wasi::Access::kReplace);
  WriteAll(file, path, header, static_cast<uint64_t>(at - header));
#ifdef WEBNNC_STATES
  TurnPort(port, FirstAxis(&AppendedState::output, index), Address(program->output_buffers[index]),
           false);
#endif
  WriteAll(file, path, Address(program->output_buffers[index]), Bytes(port));
  wasi::Close(file);
}

void Run() {
  arguments = wasi::ReadArguments();
  abi::Model& model = webnnc_model;
  uint32_t index = ProgramIndex();
  program = &model.programs[index];
  CheckArguments();
  for (uint32_t i = 0; i < model.symbol_count; ++i) model.dims[i] = kUnbound;
  for (uint32_t i = 0; i < model.input_count; ++i) {
    const char* path = PathOf("--input", model.inputs[i].name);
    if (!path && IsBesidePicture(model.inputs[i].name))
      Fail("the model takes pictures, which a page prepares: compile it without --image");
    if (!path) Fail("there is no --input for ", model.inputs[i].name);
    BindSizes(model.inputs[i], path);
  }
  if (webnnc_sizes() != abi::kOk || webnnc_prepare(index) != abi::kOk)
    Fail("the inputs' sizes do not fit together, or there is not enough memory");
#ifdef WEBNNC_STATES
  PlaceStates();
#endif
  if (model.weights_bytes > 0) {
    const char* path = Flag("--weights", 0);
    if (!path) Fail("there is no --weights");
    int32_t file = OpenFile(path, wasi::Access::kRead);
    ReadAll(file, path, reinterpret_cast<uint8_t*>(model.weights), model.weights_bytes);
    wasi::Close(file);
    CheckWeights(path);
  }
  for (uint32_t i = 0; i < model.input_count; ++i) {
    ReadInput(i, PathOf("--input", model.inputs[i].name));
    CheckInput(i);
  }
  webnnc_run(index);
  CheckComputed();
  for (uint32_t i = 0; i < model.output_count; ++i) {
    if (const char* path = PathOf("--output", model.outputs[i].name)) WriteOutput(i, path);
  }
}

}  // namespace

// Called by models with commands alone, of which what is asked for may depend on data.
extern "C" void webnnc_refuse(abi::Status status) {
  Fail(status == abi::kOutOfMemory
           ? "there is not enough memory"
           : "a size that is computed from the inputs is negative or too large");
}

extern "C" __attribute__((export_name("_start"))) void _start() { Run(); }
