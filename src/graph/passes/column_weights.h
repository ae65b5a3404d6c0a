#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace webnnc::graph {

// A matrix that is computed of constants, each column of it of the same part of each: a constant
// itself, or integers of few bits with a scale for each column or for each block of one.
struct ColumnWeight {
  struct Part {
    Node node;
    // Along which its result has a column's part; none if all columns have all of it.
    std::optional<size_t> axis;
  };

  // Operands before what uses them. The last is the matrix.
  std::vector<Part> parts;

  ValueId matrix() const { return parts.back().node.result(); }
  // The constants that columns have parts of.
  std::vector<const Constant*> Divided() const;
};

// `matrix` by its columns, which are along `axis`; nothing if it is none, or something else uses
// what it is computed of.
std::optional<ColumnWeight> ColumnWeightOf(const Graph& graph, const Links& links, ValueId matrix,
                                           size_t axis);

// Whether the two are computed in the same way, so that columns of one may stand behind those of
// the other.
bool MatchColumns(const Graph& graph, const ColumnWeight& a, const ColumnWeight& b);

// The matrix of the columns of all, which match: constants behind each other, and what is computed
// of them.
ValueId ConcatenateColumns(Builder& build, const std::vector<const ColumnWeight*>& weights,
                           const std::string& name);

// The tensors behind each other along an axis.
Tensor Concatenated(const std::vector<Tensor>& tensors, size_t axis);

}  // namespace webnnc::graph
