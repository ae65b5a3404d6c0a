#pragma once

#include "graph/evaluate.h"

namespace webnnc::graph {

// What is quantised stands for (q - z) * s, an integer of at most nine bits by a scale. Products of
// such with constant weights become exact sums of products of integers, and scales factors behind
// them:
//
//   conv((q - z) * s, (v - y) * t)    ->    f32(conv(q - z, v - y)) * (s * t)
//
// What is added for zero points is so too, and padding is 0. Before numbers are quantised again all
// factors become one, and what clamps them is done to the integers:
//
//   u8(round(relu(f32(c) * s + b) / r) + z)    ->    clamp(round(f32(c) * (s / r) + b / r), ...)
//
// Integers less their zero point are what kernels pass on, as i16, which is what processors
// multiply; what moves elements or takes the largest of some moves these. Where a number quantised
// anew by the scale it had is looked at, nothing is left.
//
// Sums are exact where they were sums of integers in the model, and are otherwise as exact as a sum
// can be; a quantised result may differ from the model's by a step where it is in the middle
// between two. In other ways of quantising, and where sums may not fit in 32 bits, nothing changes.
void KeepIntegers(Graph& graph, EvaluationBudget& budget);

}  // namespace webnnc::graph
