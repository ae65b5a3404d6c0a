// Sizes that may broadcast are equal in most runs. For these a kernel has a version that knows it,
// where elements lie side by side again: loops collapse, and vectors are read at once.
//
//   for i in h { for j in broadcast(m,n) { %y[i, j] = %a[i, size(max(0,min(1,n-1))) * j] + ... } }
//     ->   if m == n && 2 <= m { for i in h*m { %y[i] = %a[i] + %b[i] } }
//          if !(m == n && 2 <= m) { ... }
//
// That pays where what lies behind the size is short. A matrix of few long rows is read as fast
// either way, and has one version.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "loop/kernel.h"
#include "target/machine.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

struct EqualVersion {
  loop::Kernel plain;
  // The runs that it is for: these sizes are equal, and these at least 2.
  std::vector<std::pair<Dim, Dim>> equal;
  std::vector<Dim> several;
};

// The version of a plain kernel whose sizes are equal; nothing if it has no use for one.
std::optional<EqualVersion> VersionOf(const loop::Kernel& plain, const LikelySizes& sizes,
                                      const Machine& machine);

// Makes one flat kernel of both: `flat` is that of the version.
void AddVersion(loop::Kernel& general, const EqualVersion& version, const loop::Kernel& flat);

}  // namespace webnnc::plan
