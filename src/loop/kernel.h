// The kernel IR says how to compute one fused group: loops over scalar expressions on buffers.
//
// Statements form a tree of values; expressions form a DAG in the kernel's pool, where equal
// expressions have equal ids. A Kernel is therefore a value: a tuner copies one, schedules the
// copy, and throws it away.
//
// The life of a kernel, and what is true of it from each point on:
//
//   plain      As the operations' Lower wrote it: a sequence of stages, each a perfect nest of
//              serial loops around one store or one Reduce, which do not load what they store. The
//              iterations of a stage are independent, or a reducer combines them. So any order of
//              its loops is right, and a schedule may split, reorder and bind them without
//              analysing anything. What must happen in order stands in an `ordered` loop around
//              stages: a recurrence, whose stages find what the iteration before left, or a
//              scatter, whose places are computed and may coincide. Checked by VerifyPlain.
//   scheduled  Loops are tiled and bound, stages merged, tiles staged. Its meaning is still what
//              the loops say when they run in order, one iteration after another; see Loops below.
//   flat       Every access is one-dimensional, vector loops have become vector expressions,
//              unrolled loops copies. Ready for spirv/ or wasm/. Checked by VerifyFlat.
//
// Loops. A kernel's meaning never depends on parallelism: loops of every kind may run in order.
// What a kind adds is a promise that the target may use:
//
//   workgroup  Iterations touch disjoint memory, except for what they only read. Outermost; at
//              most one of each axis; nothing else at their level.
//   thread     One region that all threads of a workgroup run side by side. Iterations exchange
//              data only through workgroup memory and only across a barrier, and a barrier stands
//              between regions, never inside one. A register buffer whose first dimension is the
//              thread is private to it: each iteration touches its own row only.
//   combined   A region as of `thread` whose iterations update the same places of workgroup memory,
//              and do nothing else but to start them: what threads contribute may be combined in
//              any order. A target may use the places behind them, one for each
//              kSmallestSubgroup threads, which nothing else touches.
//   subgroup   A region as of `thread` that subgroups run: an iteration each, its threads together.
//              In it are matrix loops, and loops and conditions around them.
//   matrix     Iterations are elements of fragments, Machine::kFragment of each: of a store inside
//              two of these loops, which sets, moves or multiplies fragments (spirv/fragments.h).
//   parallel   Iterations touch disjoint memory, except for what they only read or store alike, and
//              none leaves anything in registers for what comes after it. Outermost, or all that
//              stands inside of another one; on CPUs, whose threads may share the iterations.
//   vector     Iterations are lanes of one instruction.
//   unrolled   Copied, not looped.
//   ordered    No promise, which serial loops of plain kernels give: one iteration comes after
//              another. In plain kernels only, around one or more stages.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/id.h"
#include "tensor/scalar.h"
#include "tensor/type.h"

namespace webnnc::loop {

using ExprId = Id<struct ExprTag>;
using BufferId = Id<struct BufferTag>;
using VarId = Id<struct VarTag>;

// One expression a dimension, all of type i32.
using Index = std::vector<ExprId>;

// ---- Expressions: no side effects, evaluated where a statement uses them. ---------------------
//
// Every expression has an element type and a number of lanes; operands agree in both unless said
// otherwise. Arithmetic is as tensor/scalar.h says. Loops' variables and indices are i32 and
// never overflow: tensors have fewer than 2^31 elements.

struct Constant {
  Scalar value;
  friend bool operator==(const Constant&, const Constant&) = default;
};

struct Variable {
  VarId var;
  friend bool operator==(const Variable&, const Variable&) = default;
};

// A size that is known when the model runs, as i32.
struct Size {
  Dim dim;
  friend bool operator==(const Size&, const Size&) = default;
};

// The element at `index`, which must be inside the buffer. With more than one lane (flat kernels
// only) the elements from index[0] on.
struct Load {
  BufferId buffer;
  Index index;
  friend bool operator==(const Load&, const Load&) = default;
};

enum class UnaryOp : uint8_t {
  kNegate,
  kAbs,
  kSign,    // -1, 0 or 1
  kNot,     // of a bool
  kBitNot,  // of an integer
  kFloor,
  kCeil,
  kRound,  // half to even
  kTrunc,
  kExp,
  kLog,
  kSqrt,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kTanh,
  kAsinh,
  kAcosh,
  kAtanh,
  kErf,
  kIsNan,     // gives bool
  kIsInf,     // gives bool
  kBits,      // of f32 and f64: their bits, as i32 and i64
  kFromBits,  // of i32 and i64: the f32 and f64 of these bits
  // Of an i32 from 0 to 255: it, or less 128, whichever a processor's products of bytes take as
  // second factor. So it is a constant only where the program runs.
  kDotByte,
  kDotBytes,  // of an i32: of each of its four bytes, for kDot4
};
inline constexpr int kUnaryOpCount = 31;

struct Unary {
  UnaryOp op;
  ExprId a;
  friend bool operator==(const Unary&, const Unary&) = default;
};

enum class BinaryOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,       // integers: toward zero; by zero gives 0
  kMod,       // what kDiv leaves, with the sign of a; floats: fmod
  kFloorDiv,  // integers only: toward minus infinity; by zero gives 0
  kFloorMod,  // integers only: what kFloorDiv leaves, with the sign of b
  kPow,
  kMin,  // floats: NaN if either is, as far as the target can
  kMax,
  kAnd,  // of bools or of integers' bits
  kOr,
  kXor,
  kShiftLeft,   // by less than the width
  kShiftRight,  // arithmetic for signed types
  kDot4,        // of i32 only: the sum of the products of their four bytes, each an i8
  kEqual,       // comparisons give bool
  kNotEqual,
  kLess,
  kLessEqual,
};
inline constexpr int kBinaryOpCount = 20;

struct Binary {
  BinaryOp op;
  ExprId a, b;
  friend bool operator==(const Binary&, const Binary&) = default;
};

// Evaluates only the chosen side, so a condition may guard a load.
struct Select {
  ExprId condition;  // bool
  ExprId yes, no;
  friend bool operator==(const Select&, const Select&) = default;
};

// `a` converted to the expression's type. What a model converts to f16 by a node of its own is
// `rounded`: it becomes a number that f16 has, also where a target keeps f16 in more bits.
struct Convert {
  ExprId a;
  bool rounded = false;
  friend bool operator==(const Convert&, const Convert&) = default;
};

// ---- Vectors, in flat kernels only.

// `a` in every lane.
struct Splat {
  ExprId a;
  friend bool operator==(const Splat&, const Splat&) = default;
};

// base, base + 1, ...
struct Ramp {
  ExprId base;
  friend bool operator==(const Ramp&, const Ramp&) = default;
};

// One expression a lane.
struct Pack {
  std::vector<ExprId> lanes;
  friend bool operator==(const Pack&, const Pack&) = default;
};

struct Expr {
  std::variant<Constant, Variable, Size, Load, Unary, Binary, Select, Convert, Splat, Ramp, Pack>
      node;
  DType dtype = DType::kI32;
  int32_t lanes = 1;
  friend bool operator==(const Expr&, const Expr&) = default;
};

// The expressions of a kernel. Equal expressions are stored once; operands come before users.
class ExprPool {
 public:
  ExprId Add(Expr expr);
  const Expr& operator[](ExprId id) const { return items_[id]; }
  int32_t size() const { return items_.size(); }

 private:
  IdVector<ExprTag, Expr> items_;
  std::unordered_multimap<size_t, ExprId> by_hash_;
};

// ---- Statements -------------------------------------------------------------------------------

struct Stmt;
using Block = std::vector<Stmt>;

enum class LoopKind : uint8_t {
  kSerial,
  kUnrolled,
  kVector,
  kThread,
  kCombined,
  kSubgroup,
  kMatrix,
  kOrdered,
  kParallel,
  kWorkgroupX,
  kWorkgroupY,
  kWorkgroupZ,
};
inline constexpr int kLoopKindCount = 12;

// A region of a workgroup's threads.
inline bool IsRegion(LoopKind kind) {
  return kind == LoopKind::kThread || kind == LoopKind::kCombined || kind == LoopKind::kSubgroup;
}
inline bool IsWorkgroup(LoopKind kind) { return kind >= LoopKind::kWorkgroupX; }

// Runs body with var = 0, 1, ..., extent - 1.
struct For {
  VarId var;
  Dim extent;
  LoopKind kind = LoopKind::kSerial;
  Block body;
};

// Names a value for the rest of the block.
struct Let {
  VarId var;
  ExprId value;
};

// How a store combines with what is there: =, +=, *=, max=, min=. Those behind combine tuples, in
// reductions only (loop/reducer.h): argmax=, argmin=.
enum class Update : uint8_t { kSet, kAdd, kMul, kMax, kMin, kArgMax, kArgMin };
inline constexpr int kUpdateCount = 7;

struct Store {
  BufferId buffer;
  Index index;
  ExprId value;
  Update update = Update::kSet;
};

// One result of a reduction: what each iteration contributes, and what the result starts from.
struct Part {
  BufferId buffer;
  ExprId term, start;
};

// For each place: combines what the result starts from with the terms of all iterations of the
// loops that the place does not name; where these loops never run, the start is the result. `start`
// speaks of loops that the place names. In plain kernels only, as all that a nest of loops is
// around; loop/stage.h sees it as data, and scheduling makes registers and stores of it.
struct Reduce {
  Update update = Update::kAdd;  // not kSet
  Index place;                   // the same in the buffer of each part
  std::vector<Part> parts;
};

// Runs body if the condition holds. Conditions do not differ between threads where a barrier is
// inside.
struct If {
  ExprId condition;
  Block body;
};

// Threads of a workgroup wait for each other; what they stored in workgroup memory is seen by all.
struct Barrier {};

struct Stmt : std::variant<For, Let, Store, Reduce, If, Barrier> {
  using variant::variant;
};

// ---- Kernels ----------------------------------------------------------------------------------

enum class Space : uint8_t {
  kIn,         // a parameter, only read
  kOut,        // a parameter, written; never read before it is written
  kTemporary,  // plain kernels only: holds what flows between stages
  kWorkgroup,  // shared by the threads of a workgroup
  kRegister,   // of one thread (see the thread loop above), or of the one thread there is
};
inline constexpr int kSpaceCount = 5;

struct Buffer {
  std::string name;
  TensorType type;
  Space space = Space::kIn;
  // The last dimension is the place within a panel: of as many neighbours as the panel is wide
  // (plan::PackWeights).
  bool panels = false;
};

// A loop's variable (i32) or a Let's.
struct Var {
  std::string name;
  DType dtype = DType::kI32;
  int32_t lanes = 1;
};

struct Kernel {
  std::string name;
  IdVector<BufferTag, Buffer> buffers;
  IdVector<VarTag, Var> vars;
  ExprPool exprs;
  Block body;
};

// ---- Walking ----------------------------------------------------------------------------------

std::vector<ExprId> Operands(const Expr& expr);
// `expr` with its operands replaced, in the order Operands gives them.
Expr WithOperands(Expr expr, const std::vector<ExprId>& operands);

bool IsComparison(BinaryOp op);
// The type of what `op` gives of `operand`.
DType ResultType(UnaryOp op, DType operand);

// The names that the text form uses, by enumerator: "exp", "max", "workgroup.x".
std::string_view Name(UnaryOp op);
std::string_view Name(BinaryOp op);
std::string_view Name(LoopKind kind);
std::string_view Name(Space space);
std::string_view Name(Update update);

// For updates of one value: the result of combining `old` with `value`, and what leaves any value
// as it is.
ExprId Combine(Kernel& kernel, Update update, ExprId old, ExprId value);
Scalar Neutral(Update update, DType dtype);

}  // namespace webnnc::loop
