// Tiles of products on the CPU: which there are, and what each costs.
//
// The space is which loop is cut into tiles of how many rows and panels, or which two that become
// one, and whether panels or rows come first. The cost is what is computed, with tiles that stand
// over the end, what registers have no room for, and what the caches have to deliver.
#pragma once

#include <algorithm>
#include <list>
#include <vector>

#include "schedule/rules/rules.h"

namespace webnnc::schedule {

// How the rows of the result are cut.
struct RowTile {
  const NestLoop* loop = nullptr;  // none: there are no rows
  // What it is made of, if it is two: a tile of an image's pixels goes on in the next row of them.
  const NestLoop *outer = nullptr, *inner = nullptr;
  Border border;  // iterations that run apart
  int64_t rows = 1;
  Tail tail = Tail::kShift;
  // Numbers that differ by less than this find their elements at different places: they are not in
  // one tile (transposed convolutions).
  int64_t phases = 1;
  double tiles = 1;  // of all loops over rows
};

// What runs outside of what.
struct Placement {
  size_t outside = 0;     // loops over rows outside the loop over panels
  int64_t block = 0;      // of tiles inside it, if the next loop is the tile's and is cut once more
  double iterations = 1;  // of all that is outside
};

// The part of the rule for contractions (cpu_contraction.cpp) that knows the loops and chooses
// among tiles.
class ContractionTiles {
 public:
  struct Point {
    RowTile tile;
    int64_t panels = 1;  // side by side in a tile
    Placement placement = {};
    double computed = 0, seconds = 0;
  };

  explicit ContractionTiles(Problem& problem)
      : view_(problem.view()),
        machine_(problem.machine()),
        paired_(view_.SumsPairs()),
        fuses_(problem.target().Has(Feature::kRelaxedSimd)) {}

  bool Fits() {
    if (view_.ReductionLoops().empty() || !FindSides()) return false;
    SortLoops();
    return true;
  }

  // First comes what does best of what was measured on x64: of all tiles the one that computes
  // least, and then what moves least.
  std::vector<Point> Space();

  double Seconds(const Point& point) { return point.seconds; }

 protected:
  using Loops = std::vector<const NestLoop*>;

  static NestLoop AsOne(const NestLoop& outer, const NestLoop& inner);

  int64_t PhasesOf(const NestLoop& loop) const;

  // The tile's loop is the innermost of the rows.
  Loops RowsAround(const RowTile& tile) const;

  // Whether a panel is made of what is stored, once for all rows.
  bool Widens(const RowTile& tile) const;

  // Whether elements of a few bits are cut out of words.
  bool IsWidened() const;

  // Whether four products of bytes are summed up at once: of words, whose panels are made once for
  // all rows.
  bool SumsBytes(const RowTile& tile) const;

  NestView& view_;
  const Machine& machine_;
  const bool paired_;
  const bool fuses_;
  // The side that is read by vectors along `lane_`, and the other; or both are along `sum_`.
  loop::ExprId vectors_, elements_;
  const NestLoop *lane_ = nullptr, *sum_ = nullptr;
  // Whether neighbours along `lane_` are apart in memory, and become panels once for all rows.
  bool transposes_ = false;
  Loops batch_, rows_, columns_, sums_;

 private:
  double Product(const Loops& loops) const;

  // Iterations; an open size may be none.
  double Count(const NestLoop& loop) const { return std::max(1.0, view_.Estimate(loop.extent)); }

  bool FindSides();

  // Whether `vectors` is read by vectors along a loop that `elements` does not depend on. Best is
  // one along which the result is `stored` by vectors too.
  bool FindLanes(loop::ExprId vectors, loop::ExprId elements, bool stored);

  // Both sides run along what is summed over.
  bool FindSum();

  // Of these, whether panels of one side can be transposed for enough rows of the other: that costs
  // less than to add up the lanes of each element of the result.
  bool FindTransposed(loop::ExprId vectors, loop::ExprId elements);

  void SortLoops();

  // Products of pairs are multiplied apart and added then, whatever the engine has for floats.
  int64_t TileRows() const;

  // Whether a tile has the columns of several panels. Few rows share fewer sets of the first cache
  // where they are long: a multiple of 2 KiB apart, five of them took twice as long as two.
  bool IsWide(const Border& border) const;

  bool HasWholePanels(int64_t panels) const;

  // Whether pairs to multiply are to be made of what is stored. Where iterations run apart, these
  // would need a panel of their own.
  bool MakesPairs(const Border& border) const;

  // Whether floats to multiply are stored as others, or as integers, of less than 32 bits.
  bool IsNarrow(const Border& border) const;

  // How many panels a tile may have, best first. Several at once where there are no rows to share
  // one.
  std::vector<int64_t> PanelsOf(const RowTile& tile) const;

  // Of a tile of one panel, whose sums fit into the registers of some machine.
  static int64_t MostRows() { return kMostSums / Machine::kPanelVectors; }

  // A size that is known only when the model runs may be 1, a batch for instance: its loop is cut
  // if there is no other. The loop that is fastest in memory comes first, for all else may be
  // equal.
  std::vector<RowTile> RowTiles();

  static bool IsFixed(const NestLoop* loop);

  // Loops directly inside each other, with one code for all iterations.
  bool BecomeOne(const NestLoop& outer, const NestLoop& inner) const;

  // The tile with all numbers of rows.
  void AddTiles(RowTile tile, std::vector<RowTile>& tiles) const;

  // Cycles of all products. Registers hold a tile's sums and the vectors of its panels; sums that
  // they have no room for go to memory and back.
  double Computed(const RowTile& tile, int64_t panels);

  // In rows, to find where each row is of a tile that goes on in the next row of an image.
  double Addresses(const RowTile& tile);

  // Where a sum runs through a few elements only before a condition is looked at again, conditions
  // cost more than the ends of the loop do if these run apart.
  Border BorderToPeel(const NestLoop& loop) const;

  // Bytes of a batch.
  struct Traffic {
    double vectors, elements, panels;
  };
  Traffic TrafficOfBatch() const;

  // Cycles for the memory of a batch: panels are read anew for each iteration of the rows outside,
  // and rows for each panel.
  double Moved(const Traffic& traffic, const RowTile& tile, const Placement& placement) const;

  std::vector<Placement> Placements(const RowTile& tile) const;

  static constexpr int64_t kWidePanels = 2;
  // Vectors of sums, on machines with 32 registers.
  static constexpr int64_t kMostSums = 24;

  std::list<NestLoop> flat_;  // of rows
};

}  // namespace webnnc::schedule
