#include "graph/passes/part_scatters.h"

#include <algorithm>

#include "graph/passes/in_parts.h"

namespace webnnc::graph {

namespace {

// What a scatter looks up: dimensions of x, and by how many updates of each row.
struct Lookup {
  int64_t first = 0, count = 1;
  Dim updates;
};

Lookup LookupOf(const Graph& graph, const Node& node) {
  const Shape& indices = graph.values[node.operands[1]].type.shape;
  if (auto* op = std::get_if<ScatterElements>(&node.op))
    return {op->axis, 1, indices[static_cast<size_t>(op->axis)]};
  return {0, indices.back().value(), ElementCount({indices.begin(), indices.end() - 1})};
}

// How many elements of what is looked up a part has, or 0 where it stays in one.
int64_t PartSize(const Shape& x, const Lookup& lookup, const Machine::Scatters& limits) {
  if (!IsStatic(x) || ElementCount(x).Is(0)) return 0;
  if (lookup.updates.IsConstant() && lookup.updates.value() < limits.fewest) return 0;
  auto begin = x.begin() + lookup.first;
  int64_t length = ElementCount({begin, begin + lookup.count}).value();
  int64_t rows = ElementCount(x).value() / length;
  int64_t parts = std::min(length, limits.most_parts / rows);
  return parts < 2 ? 0 : (length + parts - 1) / parts;
}

ValueId Parted(Builder& build, Node node, const Lookup& lookup, int64_t size,
               const std::string& name) {
  ValueId x = node.operands[0];
  const Shape shape = build.type(x).shape;
  auto begin = shape.begin() + lookup.first;
  Shape whole(begin, begin + lookup.count), flat = shape;
  flat.erase(flat.begin() + lookup.first, flat.begin() + lookup.first + lookup.count);
  flat.insert(flat.begin() + lookup.first, ElementCount(whole));
  if (flat != shape) x = build.Add(Reshape{flat}, {x}, name);
  node.operands[0] = InParts(build, x, lookup.first, size, 0, name, name + "_parts");
  if (auto* op = std::get_if<ScatterElements>(&node.op)) op->whole = whole;
  if (auto* op = std::get_if<ScatterND>(&node.op)) op->whole = whole;
  ValueId parts = build.Add(node.op, node.operands, name);
  ValueId row = InOne(build, parts, lookup.first, ElementCount(whole), name);
  return flat == shape ? row : build.Add(Reshape{shape}, {row}, name);
}

}  // namespace

void PartScatters(Graph& graph, const Machine::Scatters& limits) {
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    bool scatters = std::holds_alternative<ScatterElements>(node.op) ||
                    std::holds_alternative<ScatterND>(node.op);
    Lookup lookup = scatters ? LookupOf(graph, node) : Lookup{};
    int64_t size =
        scatters ? PartSize(graph.values[node.operands[0]].type.shape, lookup, limits) : 0;
    if (size == 0) {
      rewrite.Keep(std::move(node));
      continue;
    }
    rewrite.build.SetOrigins(node.origins);
    std::string name = graph.values[node.result()].name;
    rewrite.Replace(node, Parted(rewrite.build, node, lookup, size, name));
  }
}

}  // namespace webnnc::graph
