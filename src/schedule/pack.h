// How weights lie in memory is part of a schedule. The kernel that it is for reads them in panels
// of Machine::kPanelWidth (plan::PackWeights), and `pack` makes these wider or narrower:
//
//   pack %w 16     %w: f32[13,3,64,8]  %w[o/8, k, c, o%8]   ->   %w: f32[7,3,64,16]  %w[o/16, k, c,
//   o%16]
//
// Panels of one column are rows of what is summed over, one behind the other, and a panel as wide
// as the matrix is the matrix row by row. What a kernel is given must lie as its schedule says: of
// a program plan::RepackWeights sees to it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "loop/kernel.h"
#include "schedule/schedule.h"

namespace webnnc::schedule {

// What a directive makes of a parameter of the kernel.
struct Packed {
  loop::BufferId buffer;
  // The dimension that counts panels. The last is the place within one.
  size_t counts = 0;
  TensorType from, to;
};

// How many columns the panels of this parameter hold, those that fill up the last one included;
// nothing if `pack` is not for it.
std::optional<int64_t> PackableColumns(const loop::Kernel& plain, const std::string& name);

bool Packs(const Schedule& schedule);

// Of all directives that pack, in their order; those that do not fit the kernel are left out.
std::vector<Packed> PackedBy(const loop::Kernel& plain, const Schedule& schedule);

// The elements in their new places. Columns that were not there are zeros.
std::vector<uint8_t> Repack(std::span<const uint8_t> bytes, const Packed& packed);

// The schedule with its weights packed as in another one for the same parameters.
Schedule PackedLike(Schedule schedule, const Schedule& other);

}  // namespace webnnc::schedule
