// What rules look at: a nest's loops, and how its accesses move with each of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop/passes/simplify.h"
#include "schedule/nest.h"
#include "tensor/likely_sizes.h"

namespace webnnc::schedule {

// How far an access moves in memory when a loop's variable grows by one.
enum class Stride : uint8_t {
  kZero,   // it does not depend on the loop
  kOne,    // to the next element, at least within aligned groups of four: panels count
  kOther,  // anything else
};

// How many of a loop's first and last iterations must be looked at to know whether conditions hold.
struct Border {
  int64_t first = 0, last = 0;
};

class NestView {
 public:
  // Sees nest number `n` of a plain kernel. `sizes` outlives it.
  NestView(const loop::Kernel& plain, size_t n, const LikelySizes& sizes);

  size_t nest_count() const { return nest_count_; }
  const loop::Kernel& kernel() const { return kernel_; }
  const Nest& nest() const { return nest_; }
  const std::vector<NestLoop>& loops() const { return nest_.main.loops; }
  const LikelySizes& sizes() const { return sizes_; }
  // What a size is typically.
  double Estimate(const Dim& dim) const { return sizes_.Typical(dim); }
  bool is_reduction() const { return nest_.Reduces(); }
  bool is_product() const { return nest_.product.has_value(); }
  // The sides of the product; of other values the value is on the left.
  loop::ExprId left() const { return nest_.product ? nest_.product->left : nest_.value(); }
  loop::ExprId right() const { return nest_.product ? nest_.product->right : loop::ExprId(); }

  bool DependsOn(loop::ExprId value, const NestLoop& loop) const;
  // How the loads of `value` move: kOther as soon as one does.
  Stride StrideOf(loop::ExprId value, const NestLoop& loop);
  // Whether the loads of `value` move by so few elements, more than one, that vectors of what is
  // between hold several of them; or not at all, or by one.
  bool MovesInShortSteps(loop::ExprId value, const NestLoop& loop);
  // Whether an iteration of `outer` moves the loads of `value` as far as all of `inner` do.
  bool RunsOn(loop::ExprId value, const NestLoop& outer, const NestLoop& inner);
  // How the result, or what the writers store, moves.
  Stride StoreStride(const NestLoop& loop);
  // The type of what `value` converts, if it converts something.
  std::optional<DType> WidenedFrom(loop::ExprId value) const;
  // Whether `value` is a float that is stored in less than 32 bits.
  bool IsNarrow(loop::ExprId value) const;
  // Whether products of integers of at most 16 bits are summed up in i32.
  bool SumsPairs() const;
  // Whether `value` is a byte as products of four take their second factor, or one with a sign.
  bool TakesEither(loop::ExprId value) const;
  bool IsSignedByte(loop::ExprId value) const;
  // Whether `value` is an integer that is made of bytes.
  bool IsMadeOfBytes(loop::ExprId value) const;
  // Whether `value` is read in panels along the loop (plan::PackWeights): w[o/8, k, o%8].
  bool IsPanelled(loop::ExprId value, const NestLoop& loop) const;
  // The parameters that `value` reads in panels along the loop, each once.
  std::vector<loop::BufferId> PanelsAlong(loop::ExprId value, const NestLoop& loop) const;
  // How many elements along the loop `value` reads out of each word that it loads
  // (plan::PackWeights); 1 if it does not.
  int64_t ElementsInWord(loop::ExprId value, const NestLoop& loop) const;
  // Whether all that it loads flows between the stages of the kernel.
  bool FlowsAll(loop::ExprId value) const;
  // The bytes that the loads of `value` may touch, each buffer counted once.
  Dim Footprint(loop::ExprId value) const;

  // Outside its border, conditions in `value` hold as far as they depend on the loop alone and on
  // what is summed over: a window is inside its input. Nothing if that cannot be seen.
  std::optional<Border> BorderOf(loop::ExprId value, const NestLoop& loop);

  // What remainders of the loop's variable decide in `value`: 2 where only even or only odd numbers
  // find something at a place; 1 if nothing does.
  int64_t PhasesOf(loop::ExprId value, const NestLoop& loop) const;

  // How many iterations of the loop in a row compute `value` each in a way of its own: as many as
  // remainders of its variable are told apart, or all of few where the variable is. 1 if none is.
  int64_t WaysOf(loop::ExprId value, const NestLoop& loop) const;

  // Whether the writers compute functions like exp, many instructions each.
  bool HasFunctions() const;

  // The spatial loops in the order of the stored result's dimensions, slowest first.
  std::vector<const NestLoop*> SpatialLoops() const;
  std::vector<const NestLoop*> ReductionLoops() const;

 private:
  bool ReadsPanels(loop::ExprId value) const;
  // Widens `border` to where `condition` may fail; false if that cannot be seen.
  bool WidenBorder(loop::ExprId condition, const NestLoop& loop, Border& border);
  Stride AccessStride(loop::BufferId buffer, const loop::Index& index, const NestLoop& loop);
  std::vector<loop::Load> LoadsOf(loop::ExprId value) const;
  // The index of the element among all of the buffer.
  loop::ExprId FlatIndex(loop::BufferId buffer, const loop::Index& index);
  // What an iteration adds to the index, if that is always the same.
  std::optional<int64_t> StepOf(const loop::Polynomial& index, const NestLoop& loop) const;

  const LikelySizes& sizes_;
  loop::Kernel kernel_;
  Nest nest_;
  size_t nest_count_ = 0;
  std::unique_ptr<loop::Simplifier> simplify_;
};

// How long a loop runs within a row, or over what is summed: an open size there is no batch, and
// may be long where nothing is known of it.
double LikelyLength(const NestLoop& loop, const LikelySizes& sizes);

}  // namespace webnnc::schedule
