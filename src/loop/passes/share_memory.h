#pragma once

#include "loop/kernel.h"

namespace webnnc::loop {

// Lets workgroup memory that is used at different times be one buffer, as far as a barrier stands
// between its uses, in each direction where they stand in a loop. So more workgroups run side by
// side on a core:
//
//   workgroup %keys: f32[64]         ->    workgroup %keys: f32[64]
//   workgroup %values: f32[32]             for b in 8 { ... %keys ... barrier ... %keys ... barrier
//   } for b in 8 {
//     ... %keys ... barrier ... %values ... barrier
//   }
//
// Where one more barrier makes that possible, and saves an eighth of the memory or more, it is
// added. `kernel` is flat. Buffers stay apart if one of them alone is stored by whole vectors,
// since a shader has arrays of one kind.
void ShareMemory(Kernel& kernel);

}  // namespace webnnc::loop
