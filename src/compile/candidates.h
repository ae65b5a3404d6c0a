// Schedules that kernels may have, each as code and with what is known of it, as data: for who runs
// them and measures (webnnc tune).
#pragma once

#include <string>

#include "base/result.h"
#include "compile/code.h"

namespace webnnc {

// What --emit candidates prints: JSON, of at most `most_kernels` kernels of each target, those with
// the same target and key once, most expensive first by what is estimated. For each at most `most`
// schedules: the one in use, and others that its rule has; where those are few, variations of them.
// Of the CPU's kernels those that have several. Sizes that are open are what they are likely to be.
//
//   { "targets": [{ "name": "generic", "features": [] }, ...],
//     "kernels": [{ "target": "generic", "key": "8d2f...", "title": "matmul f32[...] -> ...",
//       "launches": 2, "operations": 1e9, "bytes": 1e6,
//       "buffers": [{ "type": "f32", "bytes": 4096, "isWeight": false }, ...],
//       "candidates": [{ "schedule": "schedule {...}", "seconds": 1e-5, "wgsl": "...",
//           "bindings": "wwr", "workgroups": [8, 4, 1], "sizes": [], "features": [],
//           "traits": [6, 5, ...] }, ...] }] }
//
// `bindings` are as plan::Shader has them, `sizes` what its uniform buffer holds. `traits` are
// figures that times depend on, most of them logarithms. `seconds` is the cost model's guess, 0
// where there is none. A kernel of the CPU has candidates with a schedule, seconds, sizes and
// traits alone; its "wasm" is a module of all of them (wasm::CompileKernels) in hexadecimal digits.
Result<std::string> PrintCandidates(const Code& code, size_t most, size_t most_kernels);

}  // namespace webnnc
