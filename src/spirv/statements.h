#pragma once

#include "spirv/expressions.h"
#include "spirv/grid.h"

namespace webnnc::spirv {

// The number of threads in a workgroup: the largest extent of a thread loop.
int64_t WorkgroupSize(const loop::Kernel& kernel);

// Writes the statements of a prepared kernel into the function that `code` builds.
//
//   for i in .. workgroup.x { }   what is inside, with workgroup_id.x for i, or as grid.h says
//   for t in n thread { }         what is inside, with local_invocation_index for t, if it is below
//   n for k in n { }                a loop
void EmitStatements(loop::Kernel& kernel, const Grid& grid, CodeBuilder& code,
                    Expressions& expressions, loop::Simplifier& simplify);

}  // namespace webnnc::spirv
