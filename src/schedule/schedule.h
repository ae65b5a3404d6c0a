// A schedule is data: a list of loop transformations that turns a plain kernel into a fast one.
// It can make a kernel slow, never wrong; the interpreter proves it in tests.
//
//   schedule {
//     split i 16 4
//     split j 16 4 tail=shift
//     split k 16
//     order i.0 j.0 k.0 i.1 j.1 k.1 i.2 j.2
//     bind i.0 workgroup.y
//     bind j.0 workgroup.x
//     bind i.1 j.1 thread
//     keep j.0
//     stage left k.0 workgroup i.1 i.2 k.1
//     unroll i.2
//     vector j.2
//   }
//
// A directive speaks of loops by handles: of one stage's, s1.k.0, or of those of every stage that
// has a loop of that name, k.0. It may speak of loops only as earlier directives left them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "loop/kernel.h"

namespace webnnc::schedule {

// A loop: of the stage with this number, or of every stage that has one of that name. Stages are
// counted as nests are (ExtractNests): what a reduction's result is used for is one with it.
struct LoopId {
  static constexpr int kEveryStage = -1;

  LoopId() = default;
  LoopId(std::string name, int stage = kEveryStage) : name(std::move(name)), stage(stage) {}
  LoopId(const char* name) : name(name) {}
  bool empty() const { return name.empty(); }

  std::string name;
  int stage = kEveryStage;

  friend bool operator==(const LoopId&, const LoopId&) = default;
};

struct LoopIds : std::vector<LoopId> {
  using std::vector<LoopId>::vector;
  LoopIds(const std::vector<std::string>& names, int stage = LoopId::kEveryStage) {
    for (const std::string& name : names) emplace_back(name, stage);
  }
};

// What happens where the factors do not divide the extent.
enum class Tail : uint8_t {
  kGuard,  // iterations past the end do nothing; loads there give the neutral element
  kShift,  // the last tile moves back to end with the loop and computes some elements twice; a loop
           // that is shorter than the tile runs one by one
  kPeel,   // the loop is run in whole tiles, and what is left one by one behind it
};

// `loop` becomes loop.0, of ceil(extent / product of factors), loop.1 of factors[0], ...
struct Split {
  LoopId loop;
  std::vector<int64_t> factors;
  Tail tail = Tail::kGuard;
};

// The first and the last iterations run apart from the others, with the same directives. So what
// holds in the middle alone, that a window is inside its input, is known there.
struct Peel {
  LoopId loop;
  int64_t first = 0, last = 0;
};

// Loops that are directly inside each other become one, the first named the slowest.
struct Fuse {
  LoopIds loops;
  std::string into;
};

// All loops of the stages that have exactly these, outermost first.
struct Order {
  LoopIds loops;
};

// Stages share their outermost loops, which these name, and run one after another inside them.
// What flows between the stages stays in workgroup memory or registers.
struct Merge {
  LoopIds loops;
};

// Computes a stage inside a loop of a later one, also one that the later stage sums over: at the
// start of each iteration, as much as the iteration reads. The stage's results, which nothing else
// reads but stages behind it that are computed in the same loop, have room for that alone, in
// workgroup memory or registers, and the stage's loops are as long. Comes after what changes the
// loop and those around it, and before all that changes the stage.
//
//   at s0 s1.k.0     for m { for k.0 { s0: h[k.1] = relu(sum_j x[m, j] * w[j, 8*k.0 + k.1])
//                                      s1: y[m, n] += h[k.1] * v[8*k.0 + k.1, n] } }
struct At {
  int stage = 0;
  LoopId loop;
};

// Runs a loop in parallel, unrolled or as a vector. Several loops may be bound to `thread`
// together: neighbours, the first the slowest.
struct Bind {
  LoopIds loops;
  loop::LoopKind kind;
};

// The reduction's result stays in registers for all iterations of what is inside `at`, and is
// stored once. `at` may be "" for all loops. `apart`: results go from their registers to memory
// first, and a loop computes from there what is to be stored, a few vectors at once. So functions
// of many instructions are in the code once, and take no registers from the reduction.
struct Keep {
  LoopId at;
  bool apart = false;
};

// Iterations of a sum of products are skipped where a side is zero because some remainder is not
// what a condition asks for: the holes of transposed convolutions. With the loops unrolled that the
// remainder is of, nothing is left of those iterations.
struct Skip {};

// A loop of a reduction that is bound to `thread` or `vector`, or unrolled: each thread, lane or
// copy reduces its own part, and the parts are combined at the end. Of threads, `kBySubgroups`:
// with the instructions that reduce over a subgroup, where all threads share each result; or
// `kEverywhere`: each of them combines all parts, and has the result for itself.
struct Combine {
  enum How : uint8_t { kOnce, kBySubgroups, kEverywhere };

  LoopId loop;
  How how = kOnce;
};

// Inside of a loop of a map so many threads compute the same, each for itself: what it stores for
// later stages stays in registers, if their threads use it as these do. Results of the kernel are
// stored by the first of them. `into` names the threads' loop.
struct Replicate {
  LoopId at;
  std::string into;
  int64_t threads = 1;
};

// The innermost loop of a sum of i32: what its iterations add is summed up first and then added to
// the result, as instructions do that multiply pairs of integers of 16 bits.
struct Dot {
  LoopId loop;
};

// A sum of products of elements that were widened first: within each iteration of `at` they are
// multiplied and summed as they are in memory, and what comes of it is widened and added to the
// result. For types of which there are few enough in one iteration not to lose much: f16.
struct Narrow {
  LoopId at;
};

// What one iteration of `at` adds to a sum is summed apart first; with `every`, what so many of
// them add, a power of two. A sum of many terms in one variable loses what is below the last bit of
// a long sum; sums of sums lose much less (pairwise summation). A loop may have several, one within
// another.
struct Subtotal {
  LoopId at;
  int64_t every = 1;

  friend bool operator==(const Subtotal&, const Subtotal&) = default;
};

// What of a reduction: a side of its product, the whole value, or what it loads from a buffer, at
// one place in each iteration.
struct Operand {
  enum Part : uint8_t { kLeft, kRight, kValue, kLoad };

  Operand(Part part, std::string buffer = "") : part(part), buffer(std::move(buffer)) {}

  Part part;
  std::string buffer;  // of a load

  friend auto operator<=>(const Operand&, const Operand&) = default;
};

// Computes an operand of the reduction for all iterations inside `at` once, ahead of them, into
// memory laid out by `layout`: loops inside `at`, the last the fastest. All threads together fill a
// tile in workgroup memory, in the order of `fill` and by vectors of `lanes`.
struct Stage {
  Operand operand = Operand::kLeft;
  LoopId at;
  loop::Space space = loop::Space::kWorkgroup;
  std::vector<std::string> layout;
  std::vector<std::string> fill = {};  // empty: as `layout`
  int64_t lanes = 1;
  // Elements added to each row of the last dimensions, so that rows start in different banks.
  int64_t pad = 0;
  // How many of the last loops of `layout` form a row for `pad`.
  int64_t row = 1;
  // The next tile is loaded into registers while this one is used.
  bool ahead = false;
};

// A weight that the kernel reads in panels lies in memory in panels of so many columns
// (schedule/pack.h).
struct Pack {
  std::string buffer;
  int64_t width = 1;
};

using Directive = std::variant<Split, Peel, Fuse, Order, Merge, At, Bind, Keep, Skip, Combine,
                               Replicate, Dot, Narrow, Subtotal, Stage, Pack>;
using Schedule = std::vector<Directive>;

// "k.0", or "s1.k.0".
std::string Print(const LoopId& loop);
std::string Print(const Directive& directive);
// "schedule {\n  split i 64 4\n}\n"
std::string Print(const Schedule& schedule);
Result<Schedule> ParseSchedule(Lexer& lexer);

// Applies `schedule` to a plain kernel. What comes out is a scheduled kernel; it computes the same.
// Fails when a directive does not fit the kernel: names no loop, or asks for what its comment above
// rules out.
Result<loop::Kernel> Apply(const loop::Kernel& plain, const Schedule& schedule);

}  // namespace webnnc::schedule
