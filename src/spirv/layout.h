// Where the buffers of a kernel live in the shader, and what an access to one means there.
//
// A buffer of the host or of the workgroup is an array, of vectors where all that is stored are
// whole, aligned vectors: two threads that write different components of one vector would race.
// Registers become one variable for each element or vector, if all indices are constants; loops
// have normally been unrolled until they are. Only else are they an array, which drivers may put
// into memory. Those that matrix loops access are fragments, a variable each.
//
//   %x[8*i : 4]   with elements vec4   ->   x[2*i]
//   %x[4*i + 1]   with elements vec4   ->   x[i].y
//   %x[i : 4]     with elements f32    ->   x[i], x[i + 1], x[i + 2], x[i + 3]
//   %acc[8 : 4]   in variables         ->   acc_2
//   %h[4*i : 4]   of f16 in words      ->   the halves of x[i].x and x[i].y
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "loop/kernel.h"
#include "loop/passes/simplify.h"
#include "target/target.h"

namespace webnnc::spirv {

struct Layout {
  enum class Kind : uint8_t { kParameter, kWorkgroup, kArray, kVariables, kFragments };
  Kind kind = Kind::kParameter;
  // Of a parameter of f16 where the device has none: elements are u32, and hold two each.
  bool halves = false;
  // Lanes of the array's elements: 1, 2 or 4; 8 of f16, as the words that hold them.
  int32_t width = 1;
  // The array's elements, or the fragments; 0 for a parameter, which has as many as the host gives
  // it.
  int64_t count = 0;

  // In variables: the lanes of each, and where each element of the buffer is. An element that is
  // never accessed is nowhere.
  struct Slot {
    int32_t variable = -1, lane = 0;
  };
  std::vector<int32_t> variables;
  std::vector<Slot> slots;
};

// A part of an access: one vector or scalar of the shader's memory.
struct Place {
  int32_t variable = 0;                   // of a buffer in variables
  std::optional<loop::ExprId> element;    // else the array's element,
  std::optional<loop::ExprId> component;  // and its lane, if not the whole element is meant
  int32_t lanes = 1;
};

// Chooses the layout of each buffer of a prepared kernel. Tells `simplify` the range of every loop
// and the value of every Let that loads nothing.
Result<std::vector<Layout>> ChooseLayouts(const loop::Kernel& kernel, loop::Simplifier& simplify,
                                          FeatureSet features = {Feature::kF16});

// Where `lanes` elements from `index` on are, in this order. Not of halves.
std::vector<Place> PlacesOf(loop::Kernel& kernel, loop::Simplifier& simplify, const Layout& layout,
                            loop::ExprId index, int32_t lanes);

}  // namespace webnnc::spirv
