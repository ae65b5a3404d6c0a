#pragma once

#include "plan/program.h"

namespace webnnc::plan {

// Lays weights out as products read them: a weight whose index `o` runs along the result's
// innermost dimension is cut into panels of Machine::kPanelWidth neighbours, filled up with zeros,
// and within a panel what is summed over comes in the order of the loops:
//
//   %w: f32[3,3,64,100]  %w[k0, k1, c, o]   ->   %w: f32[13,3,3,64,8]  %w[o/8, k0, k1, c, o%8]
//
// Elements of less than a byte are words: neighbours along the innermost loop that is summed over.
//
//   %w: i4[64,128]  %w[o, k]   ->   %w: i32[8,16,8]  shr(shl(%w[o/8, k/8, o%8], (7 - k%8)*4), 28)
//
// Data may choose which of several matrices is read, as long as all of a sum is in one:
// %w[chosen[i], o, k] becomes %w[chosen[i], o/8, k, o%8].
//
// This is the form of plain kernels; a schedule may ask for panels of another width, which
// RepackWeights makes of them.
//
// So the innermost loop walks through memory, on the CPU a vector at a time, and a GPU's threads
// read whole lines. Both targets read the same bytes. Weights that are not read this way stay.
void PackWeights(Program& program, IdVector<WeightTag, Weight>& weights);

// After all programs: kernels with other reductions beside the product, a normalisation say, would
// read their weights as well as they are, and take the layout that another kernel reads them in. So
// the weights of a decoder that computes a token at a time are those of one that takes many. Tables
// whose rows are looked up are read out of panels where a product reads the same bytes so.
void PackLikeOthers(Program& program, IdVector<WeightTag, Weight>& weights);

}  // namespace webnnc::plan
