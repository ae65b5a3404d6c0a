// The text form of the kernel IR. Parse(Print(k)) is k, up to ids.
//
//   kernel @rows(in %x: f32[n,64], out %y: f32[n,64]) {
//     temporary %max: f32[n]
//     for i in n {
//       for j in 64 {
//         %max[i] max= %x[i, j]
//       }
//     }
//     for i in n {
//       for j in 64 vector {
//         let d = %x[i, j] - %max[i]
//         if j < size(n) {
//           %y[i, j] = select(d < -8.0, 0.0, exp(d))
//         }
//       }
//     }
//   }
//
// A literal is i32 when it is an integer and f32 when it has a point, an exponent or is inf or
// nan; other types follow a colon: 3:i64, 0.5:f16. size(...) is a Size, f16(...) a Convert.
// A '%' with a space behind it is the remainder, else it begins a buffer's name.
// Flat kernels also have %x[i : 4] (a load or store of 4 lanes), splat(x, 4), ramp(x, 4) and
// pack(a, b, c, d).
#pragma once

#include <string>
#include <string_view>

#include "loop/kernel.h"

namespace webnnc::loop {

std::string Print(const Kernel& kernel);
Result<Kernel> Parse(std::string_view text);
// As Parse, leaving the lexer behind the closing brace.
Result<Kernel> Parse(Lexer& lexer);

}  // namespace webnnc::loop
