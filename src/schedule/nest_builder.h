// Writes the loops of one nest whose directives have been applied.
//
// A reduction becomes, at the loop it is kept inside of, three pieces: its registers are set to
// the start, the loops run, and the result is stored by its writers:
//
//   for i.0 { for j.0 {
//     for i.1 { for j.1 { acc[i.1, j.1] = 0 } }
//     for k { for i.1 { for j.1 { acc[i.1, j.1] += a[...] * b[...] } } }
//     for i.1 { for j.1 { c[...] = relu(acc[i.1, j.1]) } }
//   } }
//
// Loops bound to `thread` together become one loop over the thread's number; a region of it ends
// where threads must have finished before others go on. Barriers are put between regions last.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "loop/builder.h"
#include "loop/passes/simplify.h"
#include "loop/reducer.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

// A staged operand's tile.
struct Tile {
  loop::BufferId buffer;
  bool per_thread = false;
  std::vector<std::string> layout;
  // The last loops of the layout that share the last dimension: a row, which `pad` makes longer.
  size_t row = 1;
  // The loop whose iterations share a word, if they do: a dot's, which the layout leaves out.
  std::string word;
};

// Of temporaries that are computed inside a nest's loops: the variables of these.
using Hosted = std::map<loop::BufferId, std::set<loop::VarId>>;

// What loops are called now: their variables' values in the place that is being written.
using Env = std::unordered_map<loop::VarId, loop::ExprId>;

class NestBuilder {
 public:
  NestBuilder(Nests& nests, loop::Simplifier& simplify, Nest& nest, Env outer, loop::ExprId thread,
              Hosted& hosted)
      : nests_(nests),
        hosted_(hosted),
        kernel_(nests.kernel),
        build_(kernel_),
        simplify_(simplify),
        nest_(nest),
        env_(std::move(outer)),
        thread_(thread) {}

  Result<loop::Block> Run(size_t from);

 private:
  using Leaf = std::function<loop::Block()>;
  void Fail(std::string message);
  // Directives that came later may have taken away the loops that earlier ones speak of.
  Status CheckNames();
  Status FindKeep();
  // The thread's number, and what a loop's variable is here; errors where there is neither.
  loop::ExprId Thread();
  loop::ExprId ValueOf(const NestLoop& loop);

  // ---- Loops and expressions (nest_builder.cpp)

  static std::vector<const NestLoop*> Names(const std::vector<NestLoop>& loops, size_t from);

  // The nest from loop from_ + i on, as it was scheduled.
  loop::Block Emit(const std::vector<const NestLoop*>& loops, size_t i);

  // One loop, or the neighbouring loops bound to thread, around what `inner` gives for the next.
  loop::Block EmitLoop(const std::vector<const NestLoop*>& loops, size_t i,
                       const std::function<loop::Block(size_t)>& inner);

  // All of `loops` around `leaf`, with no staging on the way.
  loop::Block EmitAround(const std::vector<const NestLoop*>& loops, size_t i, const Leaf& leaf);
  loop::Stmt ThreadLoop(int64_t count, const std::function<loop::Block(loop::ExprId)>& body,
                        loop::LoopKind kind = loop::LoopKind::kThread);
  static void Append(loop::Block& to, loop::Block from);

  // A new variable for a loop of this extent.
  loop::VarId NewLoop(const std::string& name, const Dim& extent);

  // `id` in terms of the loops as they are written now.
  loop::ExprId Resolve(loop::ExprId id);
  loop::Index Resolve(const loop::Index& index);
  std::set<loop::VarId> VariablesOf(loop::ExprId id);
  // Whether `id` depends on a variable of the guard: by itself, or because a variable of its own is
  // defined by one. The guard of a fused loop is on the fused variable.
  bool DependsOnGuard(loop::ExprId id, const Guard& guard);
  loop::ExprId AllOf(const std::vector<loop::ExprId>& conditions);

  // The guards of these kinds on loops that `id` depends on.
  loop::ExprId GuardsOf(loop::ExprId id, bool spatial, bool reduction);

  // Guards on what a result's place depends on.
  loop::ExprId SpatialGuards();

  // Whether every load of `id`, in terms of the loops there are now, finds an element whatever
  // guards say: it is inside its buffer, and was written.
  bool IsThere(loop::ExprId id);
  loop::Block Guarded(loop::ExprId condition, loop::Block body);
  // Where several threads compute the same, the first stores what all share.
  loop::Block StoredOnce(loop::Block stores);
  loop::Block EmitPlainStore();

  // ---- Operands and their tiles (build_tiles.cpp)

  // One side of the product, as it was before it was widened where sums are narrow.
  loop::ExprId SideOf(const Operand& operand);
  // What a part sums, in original variables.
  loop::ExprId TermOf(size_t part) const;
  // Whether subgroups multiply fragments, and what the product's loops must be for that.
  bool HasFragments() const;
  Status CheckFragments();
  bool IsStagedHalf(const Operand& operand) const;

  // An operand of the product, or the whole value, in original variables.
  loop::ExprId RawOperand(const Operand& operand);

  // For select(x % 2 == 0 && inside, a, 0): select(inside, a, 0), and the condition on a remainder.
  loop::ExprId WithoutRemainders(loop::ExprId side, std::vector<loop::ExprId>& remainders);

  // Where an iteration is not skipped, in original variables.
  loop::ExprId NotSkipped();

  // The operand where it is used: its tile's element, or itself. Past the end of a reduction it is
  // the neutral element; past the end of other loops only if it could not be loaded there, since
  // what comes of it is not stored.
  loop::ExprId OperandValue(const Operand& operand);
  // What a tile of it has: in registers of no thread, integers stay as narrow as they are.
  loop::ExprId StagedOperand(const Stage& stage);
  // Neutral where it is not computed.
  loop::ExprId GuardedOperand(const Operand& operand, loop::ExprId raw);
  // Loads that have tiles, which are current terms already, from there.
  loop::ExprId WithTiles(loop::ExprId value);
  // `raw`, or `neutral` where it is guarded.
  loop::ExprId GuardedValue(loop::ExprId raw, loop::ExprId neutral);
  loop::ExprId LoadTile(const Tile& tile);

  // ---- Words (build_words.cpp)

  // Whether what is summed are products of four bytes at once.
  bool DotsBytes() const;
  // A tile has words if the stage's layout leaves out a dot's loop: of two iterations of integers
  // of 16 bits or less in registers, or of four of bytes. That loop's name, or none.
  std::string WordOf(const Stage& stage);
  // What a tile has at a place.
  loop::ExprId StagedValue(const Stage& stage);
  // The numbers of a word's iterations, the first at the bottom.
  loop::ExprId MakeWord(const NestLoop& loop, const std::function<loop::ExprId()>& element);
  loop::ExprId PairWord(const Stage& stage);
  loop::ExprId ElementOfPair(loop::ExprId word, const std::string& pair);
  // Of bytes: from the operand's tile, or made.
  loop::ExprId ByteWord(const Operand& operand);

  loop::Index TileIndex(const Tile& tile);
  // Reductions ran past their ends, and what is summed is not neutral by itself, unless this holds.
  loop::ExprId Needed(bool whole);
  // What an iteration contributes: the neutral element where a reduction ran past its end.
  loop::Tuple Terms();
  // Whether operands are neutral where the guard does not hold, and so is what comes of them; of
  // `whole` values, which are not products. Those that do not depend on the loop are as they are.
  bool MakesNeutral(const Guard& guard, bool whole);
  std::vector<Stage> StagesAt(const NestLoop& loop);

  // Makes the tile, and checks that what goes into it depends on nothing else inside the loop.
  Tile MakeTile(const Stage& stage);
  void CheckDependence(const Stage& stage);

  // Sets the variables of the layout's loops for element number `element` of the tile, counted in
  // vectors of `lanes`; the last loop of `order` is the fastest.
  void Decode(const std::vector<std::string>& order, int64_t lanes, loop::ExprId element,
              loop::ExprId lane);
  int64_t TileSize(const Stage& stage);

  // One region in which all threads visit the elements of a tile together, by vectors.
  // visit(k) is given the number of the vector among the thread's own.
  loop::Block FillRegion(const Stage& stage, const std::function<loop::Block(loop::ExprId)>& visit);
  loop::Block Fill(const Stage& stage, const Tile& tile);
  loop::Block FillRegisters(const Stage& stage, const Tile& tile);

  // The registers that hold the next tile on its way.
  loop::BufferId AheadRegisters(const Stage& stage);
  loop::Block LoadAhead(const Stage& stage, loop::BufferId registers);

  // What must happen before the loop starts: the first tile is on its way.
  loop::Block BeforeLoop(const NestLoop& loop);

  // What happens first in each iteration of `loop`: stages that have their place there are
  // computed, and its tiles are filled.
  loop::Block Prologue(const NestLoop& loop);
  loop::Block Guests(const NestLoop& loop);
  void CheckTiles(const Nest& guest);

  // ---- Reductions (build_reduction.cpp)

  std::vector<const NestLoop*> Inside(const std::function<bool(const NestLoop&)>& wanted);
  static bool IsPart(const NestLoop& loop) { return !loop.reduction || loop.combined; }
  static bool IsThread(const NestLoop& loop) { return IsRegion(loop.kind); }
  static bool IsLane(const NestLoop& loop) { return loop.combined && !IsThread(loop); }

  // Registers for the parts of the result, of one shape.
  using Registers = std::vector<loop::BufferId>;
  Registers AddRegisters(const std::string& name, loop::Space space,
                         const std::vector<DType>& dtypes, const Shape& shape);
  // Of what is added up, and of the results.
  std::vector<DType> DTypes();
  std::vector<DType> ResultTypes();
  loop::Tuple Neutrals(const std::vector<DType>& dtypes) {
    return loop::NeutralTuple(kernel_, nest_.update, dtypes);
  }
  loop::Tuple LoadAll(const Registers& registers, const loop::Index& index);
  static loop::Block StoreAll(const Registers& registers, const loop::Index& index,
                              const loop::Tuple& values);

  loop::Index AccumulatorIndex();
  loop::Block EmitKept();
  loop::Block EmitUpdate(const std::vector<const NestLoop*>& loops, size_t i);

  // An update by the sum of what the iterations of a dot, the innermost loop, add.
  loop::Block EmitDot(const std::vector<const NestLoop*>& loops, size_t i);
  // One iteration of Narrow::at or Subtotal::at: the loops inside it onto registers of their own,
  // of this name and these types.
  loop::Block EmitApart(const std::vector<const NestLoop*>& loops, size_t i,
                        const std::string& name, const std::vector<DType>& dtypes);

  // Takes factors out of what is summed that are the same for all that is summed inside `at`: they
  // multiply the sum, and not each of its terms. Of each part, in original variables.
  using Factors = std::vector<std::vector<loop::ExprId>>;
  Factors TakeFactors(const std::string& at);
  void TakeFactorsOfSides(const std::set<loop::VarId>& summed, std::vector<loop::ExprId>& factors);
  bool IsSame(loop::ExprId value, const std::set<loop::VarId>& summed);
  loop::ExprId WithoutFactors(loop::ExprId side, const std::set<loop::VarId>& summed,
                              std::vector<loop::ExprId>& factors);

  // Registers like the accumulator's, and what is done with them around loop `at`: for all parts
  // inside of it, which are loops to be written.
  Registers ApartRegisters(const std::string& name, const std::vector<DType>& dtypes);
  std::vector<const NestLoop*> PartsInside(const std::string& at);
  loop::Block SetNeutral(const Registers& registers, const std::vector<const NestLoop*>& parts);
  loop::Block AddTo(const Registers& total, const Registers& registers,
                    const std::vector<const NestLoop*>& parts, const Factors& factors = {});

  // Subtotal::every of a loop, the smallest first, as far as it runs longer.
  std::vector<int64_t> PartsOf(const NestLoop& loop) const;

  // The loop `loops[i]` of `body`s that sums parts of so many iterations each apart, and parts of
  // these: totals[0] is what the innermost adds to, the last one the result.
  loop::Block EmitInParts(const std::vector<const NestLoop*>& loops, size_t i,
                          const std::vector<int64_t>& parts,
                          const std::function<loop::Block(size_t)>& body);
  // At the end of iteration `var`: adds the parts that end with it to what they are part of.
  loop::Block EndParts(const std::vector<int64_t>& parts, const std::vector<Registers>& totals,
                       size_t level, loop::ExprId var, const std::vector<const NestLoop*>& inside);
  // The accumulator's index in one of all combinations of these loops' iterations.
  loop::Index LanePlace(const std::vector<const NestLoop*>& lanes, int64_t number);
  // Combines the lanes of these loops in their first, inside of `around`.
  loop::Block CombineLanes(const std::vector<const NestLoop*>& lanes,
                           const std::vector<const NestLoop*>& around);
  // The accumulator with its lanes combined, after what is appended to `before`.
  loop::Tuple LanesCombined(loop::Block& before);

  // Stores the final `results` through the writers.
  loop::Block WriteResult(loop::Tuple results);
  loop::Block EmitResult();
  // Keep::apart: results to memory, then the writers' loops.
  loop::Block EmitResultApart(const std::vector<const NestLoop*>& spatial);
  // Loops of which only so much is unrolled that a few vectors are side by side.
  loop::Block EmitInBlocks(std::vector<const NestLoop*> loops, const Leaf& leaf);

  // The number of an iteration of these loops among all of them.
  loop::ExprId NumberOf(const std::vector<const NestLoop*>& loops);

  // Of subgroups that multiplied fragments: one fragment of each to workgroup memory, from where
  // all threads store it by vectors; then the next.
  loop::Block EmitFragments(const std::vector<const NestLoop*>& spatial);
  // Sets the variables of these loops for iteration `number` of all of them.
  void SetLoops(const std::vector<const NestLoop*>& loops, loop::ExprId number);

  // Threads put their parts into workgroup memory; then either each of the first threads adds up
  // one element's parts, or, where there are many parts, halves are added to halves until one is
  // left.
  loop::Block EmitThreadCombine(const std::vector<const NestLoop*>& combined,
                                const std::vector<const NestLoop*>& spatial);

  // By subgroups: all threads update the results' places, which the target combines.
  bool CombineBySubgroups(const std::vector<const NestLoop*>& combined,
                          const std::vector<const NestLoop*>& spatial);
  // Each thread combines all parts, for itself.
  loop::Block CombineEverywhere(const Registers& partial, int64_t parts,
                                const std::vector<const NestLoop*>& own,
                                const std::vector<const NestLoop*>& spatial);
  loop::Block EmitSubgroupCombine(const std::vector<const NestLoop*>& spatial);
  // The last of it: the first threads add up what `parts` there are of each element, and store it.
  loop::Stmt FinishCombine(const Registers& partial, int64_t parts, int64_t elements,
                           const std::vector<const NestLoop*>& spatial);

  // A region in which threads take `count` items in turn.
  loop::Stmt Distribute(int64_t count, int64_t threads,
                        const std::function<loop::Block(loop::ExprId)>& body);

  Nests& nests_;
  Hosted& hosted_;
  loop::Kernel& kernel_;
  loop::Builder build_;
  loop::Simplifier& simplify_;  // knows the loops that have been written
  Nest& nest_;
  Env env_;
  loop::ExprId thread_;  // the thread's number inside a region, else invalid
  // Threads of the workgroup, and those or the subgroups that the nest's loops are bound to.
  Dim threads_ = 1, bound_ = 1;
  size_t from_ = 0, keep_ = SIZE_MAX;
  LoopList* list_ = nullptr;
  bool staging_enabled_ = true;
  std::map<Operand, Tile> tiles_;
  std::map<Operand, loop::BufferId> ahead_;
  std::vector<loop::BufferId> accumulator_;
  // A side of the product, or a part of several, without the factors that were taken out of it.
  std::map<Operand::Part, loop::ExprId> sides_;
  std::map<size_t, loop::ExprId> terms_;
  bool has_thread_rows_ = false;
  std::vector<std::string> part_names_;
  std::optional<Error> error_;
};

}  // namespace webnnc::schedule
