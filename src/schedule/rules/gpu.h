// Rules for the GPU, one for each kind of kernel. Each gives schedules in the order in which they
// should be tried; the first that fits is taken.
//
// What all share: a thread computes whole vectors of four where elements are neighbours;
// neighbouring threads touch neighbouring memory; there are enough workgroups for the device's
// cores, and if the results alone are too few, threads share the work on one of them.
#pragma once

#include <vector>

#include "schedule/candidate.h"
#include "schedule/schedule.h"
#include "schedule/view.h"
#include "target/target.h"

namespace webnnc::schedule {

// Elementwise work, moves, gathers: a thread an element, or four of them.
std::vector<Schedule> GpuMap(NestView& view, const Machine& machine);

// Any single stage: a thread a result, which computes it step by step. For what the other rules'
// schedules do not fit.
Schedule GpuThreadEach(NestView& view, const Machine& machine);

// Reductions and products that share all their loops: depthwise convolution, pooling, sums, matrix
// times vector. Threads divide the results first and then, if those are few, what is summed.
std::vector<Schedule> GpuReduction(NestView& view, const Target& target);

// The same of a product of few rows: each thread computes all of the loops `rows`.
Schedule GpuFewRows(NestView& view, const Target& target, const std::vector<std::string>& rows);

// Products of two tensors with loops of their own: matmul and convolution as implicit matmul. A
// workgroup computes a tile of the result from tiles of both operands in workgroup memory, a thread
// a small tile in registers. Tile sizes are chosen by a cost model (gpu_tiling.h).
std::vector<Candidate> GpuContraction(NestView& view, const Target& target, const Sample& sample);

// Several stages that share the loops `rows`: softmax, normalisation. Long rows get a workgroup
// each, short ones a thread each. None where a likely number of rows would leave most of the device
// idle for long: then each stage is better a dispatch of its own.
std::vector<Schedule> GpuRows(const loop::Kernel& plain, const std::vector<std::string>& rows,
                              const Target& target, const LikelySizes& sizes);

// Stages in ordered loops, which share the loops `rows`: recurrences, scatters. A workgroup a row
// where stages have loops of their own to divide among its threads, else a thread a row.
std::vector<Schedule> GpuOrdered(const loop::Kernel& plain, const std::vector<std::string>& rows,
                                 const Machine& machine, const LikelySizes& sizes);

// Of these, those that multiply rows of what flows between the stages with columns, and combine
// each row (loop::StreamRows): a workgroup for a tile of rows that read the same columns. None for
// others.
std::vector<Candidate> GpuStream(const loop::Kernel& plain, const std::vector<std::string>& rows,
                                 const Machine& machine, const LikelySizes& sizes,
                                 const Sample& sample);

}  // namespace webnnc::schedule
