#include "bundle/weights_file.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <span>

#include "webnnc/abi.h"

namespace webnnc::bundle {

namespace {

using Weights = IdVector<plan::WeightTag, plan::Weight>;

// Who reads a weight, in the order of the file: a page downloads the part that its program reads,
// from the first of its weights to the last.
enum class Readers : uint8_t { kNone, kCpu, kBoth, kGpu };

template <typename Visit>
void ForEachWeight(const plan::Program& program, Visit visit) {
  for (const plan::Launch* launch : LaunchesOf(program, plan::Place::kDevice)) {
    for (plan::BufferId argument : launch->arguments) {
      const plan::Buffer& buffer = program.buffers[argument];
      if (buffer.kind == plan::BufferKind::kWeight) visit(buffer.weight);
    }
  }
}

std::vector<Readers> ReadersOf(const WeightReaders& all, int32_t count) {
  std::vector<Readers> readers(static_cast<size_t>(count));
  for (const auto& programs : all) {
    for (const plan::Program* program : programs) {
      Readers reader = program->target.IsGpu() ? Readers::kGpu : Readers::kCpu;
      ForEachWeight(*program, [&](plan::WeightId weight) {
        Readers& known = readers[static_cast<size_t>(weight.index)];
        known = known == Readers::kNone || known == reader ? reader : Readers::kBoth;
      });
    }
  }
  return readers;
}

int64_t AlignUp(int64_t offset, int64_t alignment = plan::kWeightAlignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

int64_t EndOf(const plan::Weight& weight) { return weight.offset + ByteSize(weight.type).value(); }

// Without elements.
bool IsNowhere(const plan::Weight& weight) { return EndOf(weight) == weight.offset; }

WeightRange RangeOf(const std::vector<const plan::Program*>& programs, const Weights& weights) {
  WeightRange range;
  bool any = false;
  for (const plan::Program* program : programs) {
    ForEachWeight(*program, [&](plan::WeightId id) {
      const plan::Weight& weight = weights[id];
      if (IsNowhere(weight)) return;
      range.first = any ? std::min(range.first, weight.offset) : weight.offset;
      range.end = std::max(range.end, EndOf(weight));
      any = true;
    });
  }
  return range;
}

// In the order of the file.
std::vector<const plan::Weight*> Placed(const Weights& weights) {
  std::vector<const plan::Weight*> placed;
  for (const plan::Weight& weight : weights) {
    if (weight.offset >= 0 && !IsNowhere(weight)) placed.push_back(&weight);
  }
  std::sort(placed.begin(), placed.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  return placed;
}

std::array<uint8_t, kWeightsHeader> HeaderOf(uint64_t id) {
  static_assert(kWeightsHeader == abi::kWeightsHeaderBytes);
  std::array<uint8_t, kWeightsHeader> header = {};
  std::copy(std::begin(abi::kWeightsMagic), std::end(abi::kWeightsMagic), header.begin());
  for (size_t byte = 0; byte < sizeof(id); ++byte)
    header[abi::kWeightsIdOffset + byte] = static_cast<uint8_t>(id >> (8 * byte));
  return header;
}

// Gives the bytes behind the header to `put`, in order.
template <typename Put>
void ForEachChunk(const Weights& weights, Put put) {
  static constexpr uint8_t kZeros[plan::kWeightAlignment] = {};
  int64_t at = kWeightsHeader;
  for (const plan::Weight* weight : Placed(weights)) {
    put(std::span<const uint8_t>(kZeros, static_cast<size_t>(weight->offset - at)));
    put(weight->data.bytes());
    at = EndOf(*weight);
  }
}

// Where pieces end: where a program's part begins or ends, and in between often enough.
std::vector<int64_t> CutsOf(const WeightsFile& file) {
  constexpr int64_t kLeastPiece = 1 << 20, kMostPieces = 256;
  std::set<int64_t> edges = {kWeightsHeader, file.bytes};
  for (const WeightRange& range : file.ranges) {
    if (range.end > range.first) edges.insert({range.first, range.end});
  }
  int64_t most = std::max(kLeastPiece, AlignUp(file.bytes / kMostPieces));
  std::vector<int64_t> cuts;
  int64_t at = kWeightsHeader;
  for (int64_t edge : edges) {
    for (; at < edge; cuts.push_back(at)) at = std::min(at + most, edge);
  }
  return cuts;
}

class Hash {
 public:
  Hash() { Reset(); }
  void Add(std::span<const uint8_t> bytes) {
    if (!bytes.empty()) XXH64_update(&state_, bytes.data(), bytes.size());
  }
  // The hash of what was added since the last call.
  uint64_t Take() {
    uint64_t hash = XXH64_digest(&state_);
    Reset();
    return hash;
  }

 private:
  void Reset() { XXH64_reset(&state_, 0); }
  XXH64_state_t state_;
};

}  // namespace

void PlaceWeights(const WeightReaders& all, IdVector<plan::WeightTag, plan::Weight>& weights) {
  std::vector<Readers> readers = ReadersOf(all, weights.size());
  // A CPU's vectors are not cut by the lines of a cache.
  constexpr int64_t kVectorBytes = 16;
  int64_t end = kWeightsHeader;
  for (plan::Weight& weight : weights) weight.offset = -1;
  for (Readers group : {Readers::kCpu, Readers::kBoth, Readers::kGpu}) {
    for (int32_t w = 0; w < weights.size(); ++w) {
      if (readers[static_cast<size_t>(w)] != group) continue;
      plan::Weight& weight = weights[plan::WeightId{w}];
      weight.offset = AlignUp(end, group == Readers::kCpu ? kVectorBytes : plan::kWeightAlignment);
      end = EndOf(weight);
    }
  }
}

WeightsFile DescribeWeights(const WeightReaders& readers,
                            const IdVector<plan::WeightTag, plan::Weight>& weights) {
  WeightsFile file;
  for (const auto& programs : readers) file.ranges.push_back(RangeOf(programs, weights));
  std::vector<const plan::Weight*> placed = Placed(weights);
  if (placed.empty()) return file;
  file.bytes = EndOf(*placed.back());
  // What follows begins aligned, so that every piece can be written to a GPU by itself.
  // Whoever reads the first weight reads the header too: servers compress whole files.
  for (WeightRange& range : file.ranges) {
    range.end = std::min(AlignUp(range.end), file.bytes);
    if (range.first == kWeightsHeader) range.first = 0;
  }
  std::vector<int64_t> cuts = CutsOf(file);
  file.pieces.push_back({kWeightsHeader, 0});
  Hash piece, all;
  int64_t at = kWeightsHeader;
  ForEachChunk(weights, [&](std::span<const uint8_t> bytes) {
    all.Add(bytes);
    while (!bytes.empty()) {
      int64_t cut = cuts[file.pieces.size() - 1];
      size_t count = std::min(bytes.size(), static_cast<size_t>(cut - at));
      piece.Add(bytes.first(count));
      bytes = bytes.subspan(count);
      at += static_cast<int64_t>(count);
      if (at == cut) file.pieces.push_back({cut, piece.Take()});
    }
  });
  file.id = all.Take();
  std::array<uint8_t, kWeightsHeader> header = HeaderOf(file.id);
  piece.Add(header);
  file.pieces[0].hash = piece.Take();
  return file;
}

Status WriteWeights(const WeightsFile& file, const IdVector<plan::WeightTag, plan::Weight>& weights,
                    const std::string& path) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (file.bytes > 0) {
    auto write = [&](std::span<const uint8_t> bytes) {
      out.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
    };
    write(HeaderOf(file.id));
    ForEachChunk(weights, write);
  }
  out.close();
  if (!out) return Error{"cannot write " + path + ": " + std::strerror(errno)};
  return kSuccess;
}

std::string Hexadecimal(uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace webnnc::bundle
