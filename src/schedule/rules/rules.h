// The table of rules. Of several that fit a kernel the first in the table is taken, and those after
// it where its schedules do not fit.
#pragma once

#include "schedule/rule.h"

namespace webnnc::schedule {

extern const Rule kCpuOneRow, kCpuContraction, kCpuReduction, kCpuMap, kCpuRows, kCpuOrdered,
    kCpuPanels;
extern const Rule kGpuFewRows, kGpuContraction, kGpuDots, kGpuFragments, kGpuReduction, kGpuMap,
    kGpuRows, kGpuRowsAhead, kGpuStream, kGpuOrdered, kGpuThreadEach;

struct RuleEntry {
  const Rule* rule;
  // It goes before the rule above it where it is faster by the machine's cost model.
  bool is_rival = false;
};

inline constexpr RuleEntry kRules[] = {
    {&kCpuOneRow},      {&kCpuContraction}, {&kCpuReduction},       {&kCpuMap},
    {&kCpuRows},        {&kCpuOrdered},     {&kCpuPanels},          {&kGpuFewRows},
    {&kGpuContraction}, {&kGpuDots, true},  {&kGpuFragments, true}, {&kGpuReduction},
    {&kGpuMap},         {&kGpuRows},        {&kGpuRowsAhead},       {&kGpuStream},
    {&kGpuOrdered},     {&kGpuThreadEach},
};

}  // namespace webnnc::schedule
