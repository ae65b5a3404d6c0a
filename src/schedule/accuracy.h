// How many terms of a sum one variable takes: promises about results, which hold on every machine
// and whatever a schedule says.
//
// A variable adds to a sum an error of at most 2^-24 of the sum of all magnitudes for each term
// that it takes, and parts of parts add theirs. So a sum is off by at most 2^-13 of its magnitudes
// (two levels of 512 and one of 1024 are enough for 2^28 terms in one variable), and a sum of
// products by 2^-10: registers are dear there. Errors of both signs cancel: what is seen is below
// 10^-5.
#pragma once

#include <cstdint>

namespace webnnc::schedule {

// Terms that one variable takes, and products of two tensors.
inline constexpr int64_t kMostTerms = 1024, kMostProducts = 16384;
// Of a sum that has more, parts of this many are summed apart.
inline constexpr int64_t kPart = 512;

// Rules sum more exactly than they must where that costs little: sums of at least kLongSum terms in
// parts of kShortestPart to kLongestPart.
inline constexpr double kLongSum = 2048, kShortestPart = 64, kLongestPart = 1024;

// Products summed in f16, where an error is 2^-11 for each.
inline constexpr int64_t kMostNarrow = 64;

}  // namespace webnnc::schedule
