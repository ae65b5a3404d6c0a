// How wide panels of weights should be where a tile of few rows is wider than those that all
// targets read: then a tile is one stream, which is read ahead of use, and not several beside each
// other, each of which has to be found.
#pragma once

#include <vector>

#include "schedule/view.h"

namespace webnnc::schedule {

// The columns of each of these, which are read in panels; nothing if one cannot be packed.
std::vector<int64_t> ColumnsOf(const loop::Kernel& plain,
                               const std::vector<loop::BufferId>& panels);

// Whether so many columns may be in panels of `width`. They take no more memory then: those that
// are filled up with zeros are no more than they were.
bool CanPack(const std::vector<int64_t>& columns, int64_t width);

double BytesOfPanels(const NestView& view, const std::vector<loop::BufferId>& panels);

// Of tiles of `width` columns, where panels are `panel` columns wide.
double StreamsOf(int64_t columns, int64_t width, int64_t panel);

}  // namespace webnnc::schedule
