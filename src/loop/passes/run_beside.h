#pragma once

#include <cstddef>
#include <vector>

#include "loop/kernel.h"

namespace webnnc::loop {

// Whether other workgroups may do something else than those of a flat kernel: they have neither
// memory nor barriers.
bool MayRunBeside(const Kernel& flat);

// Flat kernels of which that holds as one, in which each has workgroups of its own:
//
//   for i in 2 workgroup.x {              for g in 5 workgroup.x {
//     for t in 64 thread { A[i, t] }        if g < 2 {
//   }                                         let i = g
//                                   ->        for t in 64 thread { A[i, t] }
//   for i in 3 workgroup.x {                }
//     for t in 64 thread { B[i, t] }        if 2 <= g {
//   }                                         let i = g - 2
//                                             for t in 64 thread { B[i, t] }
//                                           }
//                                         }
//
// None may need what another one stores. `parameters` says for each kernel which of the result's
// its own are: the first that is new has the next number.
Kernel RunBeside(const std::vector<const Kernel*>& flats,
                 const std::vector<std::vector<size_t>>& parameters);

// Plain kernels as one, in which their stages stand behind each other. It has the parameters of
// all.
Kernel RunBehind(const std::vector<const Kernel*>& plains);

}  // namespace webnnc::loop
