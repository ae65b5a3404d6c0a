#include "onnx/assume.h"

#include <algorithm>
#include <optional>

namespace webnnc::onnx {

using graph::ValueId;

namespace {

// A dimension of an operand.
struct Slot {
  size_t operand, dimension;
};

// Sizes that must be equal; where they broadcast, those that are 1 need not.
struct Group {
  std::vector<Slot> slots;
  bool broadcasts = false;
  // One more size, which no operand has.
  std::optional<Dim> fixed = {};
};

class Groups {
 public:
  explicit Groups(std::vector<Shape> shapes) : shapes_(std::move(shapes)) {}

  std::vector<Group> Of(const graph::Op& op) {
    if (std::holds_alternative<graph::Binary>(op) || std::holds_alternative<graph::Where>(op)) {
      Broadcast(0);
    } else if (auto* concat = std::get_if<graph::Concat>(&op)) {
      AddConcat(*concat);
    } else if (auto* product = std::get_if<graph::MatMul>(&op)) {
      AddProduct(*product);
    } else if (auto* conv = std::get_if<graph::Conv>(&op)) {
      // filter[o, c/groups, k...]
      if (Rank(0) > 1 && Rank(1) > 1)
        groups_.push_back({{{0, 1}}, false, shapes_[1][1] * conv->groups});
    } else if (std::holds_alternative<graph::ConvTranspose>(op)) {
      // filter[c, o/groups, k...]
      if (Rank(0) > 1 && Rank(1) > 0) groups_.push_back({{{0, 1}}, false, shapes_[1][0]});
    } else if (auto* expand = std::get_if<graph::Expand>(&op)) {
      AddExpand(*expand);
    }
    return std::move(groups_);
  }

 private:
  size_t Rank(size_t operand) const { return shapes_[operand].size(); }

  // Dimensions are aligned at the last one; the last `apart` of each operand do not take part.
  void Broadcast(size_t apart) {
    size_t most = 0;
    for (const Shape& shape : shapes_) most = std::max(most, shape.size());
    for (size_t from_end = apart; from_end < most; ++from_end) {
      Group group{{}, true};
      for (size_t i = 0; i < shapes_.size(); ++i) {
        if (from_end < Rank(i)) group.slots.push_back({i, Rank(i) - 1 - from_end});
      }
      groups_.push_back(std::move(group));
    }
  }

  void AddConcat(const graph::Concat& concat) {
    for (size_t d = 0; d < Rank(0); ++d) {
      if (static_cast<int64_t>(d) == concat.axis) continue;
      Group group;
      for (size_t i = 0; i < shapes_.size(); ++i) {
        if (d < Rank(i)) group.slots.push_back({i, d});
      }
      groups_.push_back(std::move(group));
    }
  }

  void AddProduct(const graph::MatMul& product) {
    if (Rank(0) < 2 || Rank(1) < 2) return;
    groups_.push_back({{{0, Rank(0) - (product.transpose_a ? 2 : 1)},
                        {1, Rank(1) - (product.transpose_b ? 1 : 2)}}});
    Broadcast(2);
  }

  void AddExpand(const graph::Expand& expand) {
    size_t rank = expand.shape.size();
    for (size_t d = 0; d < Rank(0); ++d) {
      size_t from_end = Rank(0) - d;
      if (from_end > rank) continue;
      const Dim& wanted = expand.shape[rank - from_end];
      if (!wanted.Is(1)) groups_.push_back({{{0, d}}, true, wanted});
    }
  }

  std::vector<Shape> shapes_;
  std::vector<Group> groups_;
};

bool IsSimpler(const Dim& a, const Dim& b) {
  auto rank = [](const Dim& dim) { return dim.IsConstant() ? 0 : SymbolOf(dim) ? 1 : 2; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  return Print(a).size() < Print(b).size();
}

}  // namespace

void Assume(graph::Graph& graph, Assumption assumption) {
  auto& all = graph.assumptions;
  if (std::find(all.begin(), all.end(), assumption) == all.end())
    all.push_back(std::move(assumption));
}

std::vector<ValueId> Reconcile(graph::Graph& graph, graph::Builder& build, const graph::Op& op,
                               std::vector<ValueId> operands, const std::string& origin) {
  std::vector<Shape> shapes;
  for (ValueId operand : operands) shapes.push_back(graph.values[operand].type.shape);
  std::vector<Shape> refined = shapes;
  for (const Group& group : Groups(shapes).Of(op)) {
    std::vector<Dim> sizes;
    for (const Slot& slot : group.slots) sizes.push_back(shapes[slot.operand][slot.dimension]);
    if (group.fixed) sizes.push_back(*group.fixed);
    if (group.broadcasts) std::erase_if(sizes, [](const Dim& size) { return size.Is(1); });
    if (sizes.empty()) continue;
    const Dim common = *std::min_element(sizes.begin(), sizes.end(), IsSimpler);
    bool differ = std::any_of(sizes.begin(), sizes.end(),
                              [&](const Dim& size) { return size.IsConstant() && size != common; });
    // Expand's sizes are its result's: only x gives way.
    const Dim target = group.fixed ? *group.fixed : common;
    if (differ || (group.fixed && !group.fixed->IsConstant() && common.IsConstant())) continue;
    for (const Slot& slot : group.slots) {
      Dim& size = refined[slot.operand][slot.dimension];
      if (size == target || (group.broadcasts && size.Is(1))) continue;
      Assume(graph, {size, Assumption::Relation::kEqual, target, origin});
      size = target;
    }
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    if (refined[i] == shapes[i]) continue;
    operands[i] = build.Add(graph::Refine{refined[i]}, {operands[i]},
                            graph.values[operands[i]].name + ".refined");
  }
  return operands;
}

}  // namespace webnnc::onnx
