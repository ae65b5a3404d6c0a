// model.weights.bin: where each weight is in it, and how a page tells that it has the right bytes.
//
//     0     "webnnc weights\n" and a zero, then the id in 8 bytes, least significant first
//     256   the weights, each at a multiple of 256, or of 16 where no GPU reads it; between them
//           zeros
//
// The id is a hash of the bytes behind the header. They are also hashed in pieces, so that a page
// can check them as they arrive. No piece straddles the end of what one program reads. The hash is
// XXH64, which finds damage and files of another build; it does not protect from an attacker, who
// could change model.js as well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/program.h"

namespace webnnc::bundle {

inline constexpr int64_t kWeightsHeader = plan::kWeightAlignment;

// Part of the file, from its first byte to the one behind its last.
struct WeightRange {
  int64_t first = 0, end = 0;
};

struct WeightPiece {
  int64_t end = 0;  // the first one is the header
  uint64_t hash = 0;
};

struct WeightsFile {
  int64_t bytes = 0;  // 0 if there are no weights, and then no file to read
  uint64_t id = 0;
  std::vector<WeightPiece> pieces;
  // What each program of the manifest reads.
  std::vector<WeightRange> ranges;
};

// For each program of the manifest those that may stand for it: a page has read what any of a CPU's
// programs reads before it knows which one its engine runs.
using WeightReaders = std::vector<std::vector<const plan::Program*>>;

// Gives the weights that any of the programs reads their place in the file, and no others.
void PlaceWeights(const WeightReaders& readers, IdVector<plan::WeightTag, plan::Weight>& weights);

// Reads all weights once. They have their places.
WeightsFile DescribeWeights(const WeightReaders& readers,
                            const IdVector<plan::WeightTag, plan::Weight>& weights);

// Weights are not gathered in memory: they may be larger than it.
Status WriteWeights(const WeightsFile& file, const IdVector<plan::WeightTag, plan::Weight>& weights,
                    const std::string& path);

// An id or hash as 16 hexadecimal digits.
std::string Hexadecimal(uint64_t hash);

}  // namespace webnnc::bundle
