#include "tests/wgsl/kernel_file.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/diagnostics.h"
#include "base/file.h"
#include "loop/passes/flatten.h"
#include "loop/passes/legalize_for_gpu.h"
#include "loop/text.h"
#include "loop/verify.h"
#include "lower/lower_kernel.h"
#include "schedule/schedule.h"

namespace webnnc::tests {

// ---- Reading ----------------------------------------------------------------------------------

static double ParseNumber(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

static Status ParseDirective(KernelFile& file, const std::string& line) {
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word == "symbols") {
    while (words >> word) {
      size_t equals = word.find('=');
      if (equals == std::string::npos) return Error{"expected symbol=value, not " + word};
      file.symbols[word.substr(0, equals)] = std::stoll(word.substr(equals + 1));
    }
  } else if (word == "tolerance") {
    words >> file.tolerance;
  } else if (word == "legalize") {
    file.legalize = true;
    while (words >> word) {
      if (word == "half") file.features = {};
      if (word.starts_with("%")) file.weights.insert(word.substr(1));
    }
  } else if (word == "input") {
    std::string name, kind;
    words >> name >> kind;
    InputSpec spec{kind == "range", {}};
    while (words >> word) spec.numbers.push_back(ParseNumber(word));
    bool fits = name.size() > 1 && (spec.is_range ? spec.numbers.size() == 2 : kind == "values");
    if (!fits) return Error{"expected '; input %name range low high', or values"};
    file.inputs[name.substr(1)] = spec;
  }
  return kSuccess;
}

static Target TargetOf(const KernelFile& file) { return WebGpu(file.features); }

static std::vector<Storage> ParametersOf(const KernelFile& file) {
  std::vector<Storage> parameters;
  for (const loop::Buffer& buffer : file.written.buffers) {
    if (buffer.space != loop::Space::kIn && buffer.space != loop::Space::kOut) continue;
    bool is_weight = file.weights.count(buffer.name) > 0;
    parameters.push_back(is_weight ? Storage::kWeight : Storage::kActivation);
  }
  return parameters;
}

static Status Lower(KernelFile& file, Lexer& lexer) {
  TRY_ASSIGN(auto schedule, schedule::ParseSchedule(lexer));
  TRY(loop::VerifyPlain(file.written));
  lower::Options options{.target = TargetOf(file), .parameters = ParametersOf(file)};
  TRY_ASSIGN(auto lowered, lower::LowerKernel(file.written, schedule, options));
  file.flat = std::move(lowered.flat);
  file.narrows_64_bits = lowered.narrows_64_bits;
  file.legalize = true;
  return kSuccess;
}

// A kernel without a schedule is what a back end is given, but for buffers of several dimensions.
static Status MakeFlat(KernelFile& file) {
  TRY(loop::Verify(file.written));
  file.flat = file.written;
  loop::Flatten(file.flat);
  if (!file.legalize) return kSuccess;
  TRY_ASSIGN(auto legalization,
             loop::LegalizeForGpu(file.flat, ParametersOf(file), TargetOf(file)));
  file.narrows_64_bits = legalization.narrows_64_bits;
  return kSuccess;
}

Result<KernelFile> ParseKernelFile(const std::string& text) {
  KernelFile file;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("; ")) TRY(ParseDirective(file, line.substr(2)));
  }
  Lexer lexer(text);
  auto kernel = loop::Parse(lexer);
  if (!kernel) return Error{Describe(kernel.error(), text)};
  file.written = std::move(kernel.value());
  Status status = lexer.Sees("schedule") ? Lower(file, lexer) : MakeFlat(file);
  if (!status) return Error{Describe(status.error(), text)};
  return file;
}

Result<KernelFile> ReadKernelFile(const std::string& path) {
  TRY_ASSIGN(auto text, ReadFile(path));
  return ParseKernelFile(text);
}

// ---- Data -------------------------------------------------------------------------------------

// A fixed number from 0 to 1 for each element.
static double Hash(int64_t buffer, int64_t element) {
  auto x = static_cast<uint64_t>(buffer * 0x9e3779b9 + element * 0x85ebca6b + 1);
  x ^= x >> 31;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 29;
  x *= 0x94d049bb133111ebu;
  x ^= x >> 32;
  return static_cast<double>(x >> 11) * 0x1p-53;
}

static double NumberAt(const InputSpec& spec, DType dtype, int64_t buffer, int64_t element) {
  if (!spec.is_range) {
    return spec.numbers[static_cast<size_t>(element) % spec.numbers.size()];
  }
  double low = spec.numbers[0], high = spec.numbers[1], hash = Hash(buffer, element);
  if (IsFloat(dtype)) return low + (high - low) * hash;
  return low + std::floor((high - low + 1) * hash);
}

loop::Memory MakeMemory(const KernelFile& file) {
  loop::Memory memory;
  for (int32_t b = 0; b < file.written.buffers.size(); ++b) {
    const loop::Buffer& buffer = file.written.buffers[loop::BufferId{b}];
    auto& bytes = memory.emplace_back();
    if (buffer.space != loop::Space::kIn && buffer.space != loop::Space::kOut) continue;
    DType dtype = buffer.type.dtype;
    int64_t count = ElementCount(buffer.type.shape).Evaluate(file.symbols);
    bytes.assign(static_cast<size_t>(count * ByteSize(dtype)), 0x7b);
    if (buffer.space == loop::Space::kOut) continue;
    InputSpec spec{true, IsFloat(dtype) ? std::vector<double>{-2, 2} : std::vector<double>{-9, 9}};
    auto own = file.inputs.find(buffer.name);
    if (own != file.inputs.end()) spec = own->second;
    for (int64_t i = 0; i < count; ++i) {
      double number = NumberAt(spec, dtype, b, i);
      // Wraps, so that u32 takes negative numbers.
      Scalar value = IsFloat(dtype) ? Scalar::Real(dtype, number)
                                    : Scalar::Integer(dtype, static_cast<int64_t>(number));
      WriteScalar(bytes.data(), i, value);
    }
  }
  return memory;
}

// As 32 bits carry integers: numbers of 64 bits that are too large become the largest.
static Scalar Carried(const Scalar& value, DType to) {
  if (IsFloat(to) || value.dtype == DType::kBool) return Convert(value, to);
  if (value.dtype == DType::kU64 && value.integer < 0) return Highest(to);
  return Scalar::Integer(to, std::clamp(value.integer, Lowest(to).integer, Highest(to).integer));
}

std::vector<uint8_t> Carry(const KernelFile& file, loop::BufferId id,
                           const std::vector<uint8_t>& bytes) {
  const loop::Buffer& buffer = file.written.buffers[id];
  DType from = buffer.type.dtype;
  std::vector<uint8_t> carried = bytes;
  if (!file.legalize) return carried;
  if (file.weights.count(buffer.name)) {
    if (!IsFloat(from)) carried.resize((bytes.size() + 3) / 4 * 4);
    return carried;
  }
  DType to = StoredType(TargetOf(file), from, Storage::kActivation);
  auto count = static_cast<int64_t>(bytes.size()) / ByteSize(from);
  carried.resize(static_cast<size_t>(count * ByteSize(to)));
  for (int64_t i = 0; i < count; ++i) {
    WriteScalar(carried.data(), i, Carried(ReadScalar(bytes.data(), from, i), to));
  }
  return carried;
}

}  // namespace webnnc::tests
