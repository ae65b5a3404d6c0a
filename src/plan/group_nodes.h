// Which nodes of a graph one kernel computes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "graph/graph.h"
#include "loop/kernel.h"
#include "loop/passes/inline_maps.h"
#include "plan/program.h"
#include "schedule/classify.h"
#include "tensor/likely_sizes.h"

namespace webnnc::plan {

// Nodes that one kernel computes; the last one's result is the kernel's.
struct Group {
  std::vector<size_t> nodes;  // in the graph's order
  loop::Kernel kernel;        // plain, inlined, not yet collapsed
  schedule::Kind kind = schedule::Kind::kMap;
  // Only moves elements, or makes them from nothing: computing it again costs nothing much.
  bool is_free = false;
  // An upper bound of the arithmetic operations an element of a map takes.
  int64_t work = 0;
  // Nothing but one pass over its rows makes a kernel of it (loop::StreamRows): of blocks so long,
  // by so many parts side by side, in that time.
  int64_t block = 0, parts = 1;
  double seconds = 0;

  bool streams() const { return block > 0; }
  // Its reductions are parts of one (loop::JoinReductions).
  bool joins = false;
};

// What is no kernel: it decides what kernels run, or for which sizes.
bool Decides(const graph::Node& node);

// See FormKernels. Groups are formed anew whenever they are asked for their buffers.
class NodeGroups {
 public:
  // `places` says where each node runs. Nodes that `stand_alone` are no kernels.
  NodeGroups(const graph::Graph& graph, const graph::Links& links, const Target& device,
             const Target& host, const LikelySizes& sizes, std::vector<Place> places,
             std::set<size_t> stand_alone = {});

  // The groups that are needed, in the order in which they run: each when its last node does. A
  // node that decides or stands alone is in a group of its own.
  std::vector<Group*> InOrder();

  // What is part of the code of whoever uses it: scalars and sizes.
  bool IsInlineSource(const graph::Node& node) const;
  bool IsWeight(const graph::Node& node) const;

  size_t IndexOf(const graph::Node* node) const {
    return static_cast<size_t>(node - graph_.nodes.data());
  }
  const graph::Node& NodeAt(size_t n) const { return graph_.nodes[n]; }
  Place PlaceOf(const Group& group) const { return places_[group.nodes.back()]; }

  // Lowers the group to its kernel. Fails if no rule could schedule it, or if it would be so much
  // code that what it reads is better stored: an index that is looked up at an index that is looked
  // up, or both sides of a concatenation, are there once more at each use.
  bool Form(Group& group);
  // Appends the loops of node `n` to a kernel. Operands that nodes `inside` compute, or a node that
  // is an inline source, are there already or are lowered first; `last`: its results are the
  // kernel's.
  void LowerNode(loop::Kernel& kernel, size_t n, const std::set<size_t>& inside, bool last);
  // The buffers of the kernel that Form or LowerNode made last.
  std::map<graph::ValueId, loop::BufferId> buffers;

 private:
  static constexpr size_t kNoGroup = SIZE_MAX;
  // Those of networks have at most 13. LLVM takes a time that grows with the square of a kernel's
  // length.
  static constexpr size_t kMostStages = 24;
  // Forming a group takes time that grows with it, and a longer chain saves nothing more.
  static constexpr size_t kMostNodes = 32;
  // Columns that one pass over rows takes at a time.
  static constexpr int64_t kBlocks[] = {32, 48, 64, 96, 128}, kParts[] = {1, 2, 4, 8};

  const Target& TargetOf(const Group& group) const {
    return PlaceOf(group) == Place::kHost ? host_ : device_;
  }
  const Machine::Fusion& CostsOf(const Group& group) const {
    return TargetOf(group).machine->fusion;
  }
  const std::vector<graph::ValueId>& ResultsOf(const Group& group) const {
    return NodeAt(group.nodes.back()).results;
  }
  // Whether a node is no kernel.
  bool StandsAlone(const graph::Node& node) const {
    return Decides(node) || stand_alone_.count(IndexOf(&node)) > 0;
  }
  bool IsUsed(graph::ValueId id) const {
    return links_.IsOutput(id) || !links_.UsersOf(id).empty();
  }

  // Grouping.
  size_t GroupOf(graph::ValueId id) const;
  void AddNode(size_t n);
  bool MergeSomeOperand(size_t into);
  bool TryMerge(size_t from, size_t into);
  bool IsUsedElsewhere(size_t from, size_t into) const;
  void Replace(const std::vector<size_t>& from, size_t into, Group merged);
  bool TryStream(size_t into);
  bool TryStream(size_t scores, size_t rows, size_t into);
  bool MayMerge(const Group& producer, const Group& consumer) const;
  bool Fits(const Group& group, const loop::Kernel& kernel) const;

  static std::optional<loop::Kernel> Joined(schedule::Kind kind, const loop::Kernel& collapsed);

  // What merging is worth.
  std::pair<bool, int64_t> WorkOf(const Group& group) const;
  double Count(const Group& group, const Dim& dim) const;
  double Repeats(const Group& producer, const Group& merged) const;
  bool HasWindowsOfRuns(const Group& producer, const Group& merged) const;
  // `stays`: the producer's result is stored all the same.
  bool Worth(const Group& producer, const Group& consumer, const Group& merged, bool stays) const;
  bool MultipliesWeights(const Group& group) const;
  bool FillingIsWorth(const Group& producer, const Group& consumer, const Group& merged) const;
  bool RepeatingIsWorth(const Group& producer, const Group& consumer, const Group& merged) const;
  bool MultipliesLongRows(const Group& group) const;
  bool JoiningIsWorth(const Group& producer, const Group& consumer, const Group& merged) const;
  bool ChooseBlock(Group& group) const;
  double StreamSeconds(const Group& group, const loop::Kernel& collapsed, int64_t block,
                       int64_t parts) const;
  double Seconds(const Group& group) const;
  double SecondsOf(const loop::Kernel& kernel, const Target& target) const;
  double ScheduledSeconds(const loop::Kernel& kernel, const Target& target) const;
  double BytesOfParameters(const loop::Kernel& kernel) const;
  double BytesOf(const TensorType& type) const;
  static double OperationsASecond(const Machine& gpu);
  double OperationsOf(const Group& group) const;
  double StoringSeconds(const Group& producer) const;
  bool HasSeveralSources(const Group& producer) const;
  bool WidensWeights(const Group& producer) const;
  static bool MovesNeighbours(const Group& producer);

  // What is needed.
  bool NeedsAny(const std::set<graph::ValueId>& needed, const Group& group) const;
  std::set<graph::ValueId> NeededResults(const std::vector<size_t>& order) const;

  const graph::Graph& graph_;
  const graph::Links& links_;
  Target device_, host_;
  const LikelySizes& sizes_;
  std::vector<Place> places_;
  std::set<size_t> stand_alone_;
  std::vector<Group> groups_;
  std::vector<size_t> group_of_;
};

}  // namespace webnnc::plan
