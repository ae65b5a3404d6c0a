#pragma once

#include "wgsl/syntax.h"

namespace webnnc::wgsl {

// Makes a function's statements what one would have written by hand.
//
//   var i: i32;                        for (var i = 0; i < n; i += 1) {
//   var sum: f32;                        let x = a[i];
//   i = 0;                               var sum = x;
//   loop {                         ->    ...
//     if (!(i < n)) { break; }         }
//     let x = a[i];
//     sum = x;
//     ...
//     continuing { i += 1; }
//   }
void Tidy(Module& module, Block& body);

}  // namespace webnnc::wgsl
