// Where the nodes of a program for a GPU run: on it, or on the host beside it, which is wasm.
//
// On the host runs what a GPU has no numbers for, f64 and integers of more than 32 bits, and what
// decides what runs next, or for which sizes: the program would otherwise wait for the GPU. So a
// node runs there if its result is wanted there, is small, and is made of what is on the host
// already: inputs, which come from the page, constants, and other such nodes.
//
//   %n: i64[1] = gather(%shape, %i)      on the host: %shape is an input, and what defines a size
//   %s: i64[1] = define(%n, ...)         wants it there
//   %y: f32[s] = ...                     on the GPU
//
// What the host wants and only the GPU has is read back, which waits.
#pragma once

#include <map>
#include <vector>

#include "graph/graph.h"
#include "plan/program.h"

namespace webnnc::plan {

class NodePlaces {
 public:
  // Of a program for the CPU all is at one place, the device.
  NodePlaces(const graph::Graph& graph, const Target& target);

  // Where a node that is no region runs.
  const std::vector<Place>& Of(const graph::Graph& graph) const { return of_.at(&graph).nodes; }
  // Where a value is that a region makes, or that its body is given in each iteration.
  Place Of(const graph::Graph& graph, graph::ValueId id) const;
  // Whether nodes of a graph, or of bodies in it, read the value there.
  bool IsRead(const graph::Graph& graph, graph::ValueId id, Place place) const;
  // Where what decides must be.
  Place host() const { return host_; }

 private:
  struct Facts {
    // Of values: whether the host has it without waiting, and whether it wants it.
    std::vector<bool> available, wanted;
    // Of values: whether they hold integers that 32 bits do not, as far as constants tell.
    std::vector<bool> wide;
    std::vector<Place> nodes;
  };

  bool IsReadByRegion(const graph::Graph& graph, const graph::Node& node, graph::ValueId id,
                      Place place) const;
  bool Available(const graph::Graph& graph, graph::ValueId id) const;
  bool NeedsHost(const graph::Graph& graph, graph::ValueId id) const;
  bool MustBeOnHost(const graph::Graph& graph, const graph::Node& node) const;
  bool MayBeOnHost(const graph::Graph& graph, const graph::Node& node) const;
  bool FindAvailable(const graph::Graph& graph);
  bool FindAvailable(const graph::Graph& graph, const graph::Node& node);
  bool FindWanted(const graph::Graph& graph);
  bool FindWanted(const graph::Graph& graph, const graph::Node& node);
  bool Lose(const graph::Graph& graph, graph::ValueId id, bool is_available);
  bool Want(const graph::Graph& graph, graph::ValueId id);
  bool FindWide(const graph::Graph& graph);
  bool FindWide(const graph::Graph& graph, const graph::Node& node);
  bool MarkWide(const graph::Graph& graph, graph::ValueId id, bool is_wide);
  void Decide(const graph::Graph& graph);

  Place host_;
  std::map<const graph::Graph*, Facts> of_;
};

}  // namespace webnnc::plan
