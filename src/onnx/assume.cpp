#include "onnx/assume.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

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
    } else if (std::holds_alternative<graph::Attention>(op)) {
      AddAttention();
    } else if (auto* conv = std::get_if<graph::Conv>(&op)) {
      // filter[o, c/groups, k...]
      if (Rank(0) > 1 && Rank(1) > 1)
        groups_.push_back({{{0, 1}}, false, shapes_[1][1] * conv->groups});
    } else if (auto* einsum = std::get_if<graph::Einsum>(&op)) {
      AddEinsum(*einsum);
    } else if (std::holds_alternative<graph::ConvTranspose>(op)) {
      // filter[c, o/groups, k...]
      if (Rank(0) > 1 && Rank(1) > 0) groups_.push_back({{{0, 1}}, false, shapes_[1][0]});
    } else if (std::holds_alternative<graph::ScatterElements>(op)) {
      for (size_t d = 0; d < Rank(1) && d < Rank(2); ++d) groups_.push_back({{{1, d}, {2, d}}});
    } else if (std::holds_alternative<graph::ScatterND>(op)) {
      AddScatterND();
    } else if (auto* expand = std::get_if<graph::Expand>(&op)) {
      AddExpand(*expand);
    } else if (std::holds_alternative<graph::Sample>(op)) {
      // One set of places an image, or an image's index for each.
      groups_.push_back({{{shapes_.size() == 3 ? size_t{2} : size_t{0}, 0}, {1, 0}}});
    }
    return std::move(groups_);
  }

 private:
  size_t Rank(size_t operand) const { return shapes_[operand].size(); }

  // updates[i..., s...] of indices[i..., depth] and x[depth..., s...].
  void AddScatterND() {
    if (Rank(1) < 1 || !shapes_[1].back().IsConstant()) return;
    auto depth = static_cast<size_t>(shapes_[1].back().value());
    for (size_t d = 0; d < Rank(2); ++d) {
      size_t from_x = d + 1 - Rank(1) + depth;
      if (d + 1 < Rank(1)) groups_.push_back({{{1, d}, {2, d}}});
      if (d + 1 >= Rank(1) && from_x < Rank(0)) groups_.push_back({{{0, from_x}, {2, d}}});
    }
  }

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

  // q[b..., h, i, d], k[b..., h/g, j, d], v[b..., h/g, j, e]
  void AddAttention() {
    size_t rank = Rank(0);
    if (rank < 3 || Rank(1) != rank || Rank(2) != rank) return;
    for (size_t d = 0; d + 3 < rank; ++d) groups_.push_back({{{0, d}, {1, d}, {2, d}}});
    groups_.push_back({{{1, rank - 3}, {2, rank - 3}}});
    groups_.push_back({{{1, rank - 2}, {2, rank - 2}}});
    groups_.push_back({{{0, rank - 1}, {1, rank - 1}}});
  }

  // A label is one size. It broadcasts between operands, but not along a diagonal.
  void AddEinsum(const graph::Einsum& einsum) {
    std::map<char, Group> by_label;
    Slot slot{0, 0};
    for (char label : einsum.equation.substr(0, einsum.equation.find("->"))) {
      if (label == ',') {
        slot = {slot.operand + 1, 0};
        continue;
      }
      if (slot.operand >= shapes_.size() || slot.dimension >= Rank(slot.operand)) return;
      auto [found, is_new] = by_label.emplace(label, Group{{}, true});
      Group& group = found->second;
      bool repeats = !is_new && group.slots.back().operand == slot.operand;
      group.broadcasts &= !repeats;
      group.slots.push_back(slot);
      ++slot.dimension;
    }
    for (auto& [label, group] : by_label) groups_.push_back(std::move(group));
  }

  void AddExpand(const graph::Expand& expand) {
    size_t rank = expand.shape.size();
    for (size_t d = 0; d < Rank(0); ++d) {
      size_t from_end = Rank(0) - d;
      if (from_end > rank) continue;
      const Dim& wanted = expand.shape[rank - from_end];
      // What broadcasts to it in the run stays as it is.
      bool equal = MustBeEqual(shapes_[0][d], wanted);
      if (!wanted.Is(1) && equal) groups_.push_back({{{0, d}}, true, wanted});
    }
  }

  std::vector<Shape> shapes_;
  std::vector<Group> groups_;
};

std::set<std::string> SymbolsOf(const Dim& dim) {
  std::set<std::string> symbols;
  dim.CollectSymbols(symbols);
  return symbols;
}

bool IsSimpler(const Dim& a, const Dim& b) {
  auto rank = [](const Dim& dim) { return dim.IsConstant() ? 0 : SymbolOf(dim) ? 1 : 2; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  return Print(a).size() < Print(b).size();
}

// Whether some run of ordinary sizes makes them equal. What models round up and down, they do to
// multiples of small numbers, or of powers of two.
bool CanBeEqual(const Dim& a, const Dim& b) {
  std::set<std::string> symbols = SymbolsOf(a);
  symbols.merge(SymbolsOf(b));
  constexpr int64_t kEach = 128, kStep = 32, kMost = 2048;
  for (int64_t value = 2; value <= kMost; value += value < kEach ? 1 : kStep) {
    SymbolValues values;
    for (const std::string& symbol : symbols) values[symbol] = value;
    int64_t size = a.Evaluate(values);
    if (size > 1 && size == b.Evaluate(values)) return true;
  }
  return false;
}

// The sizes by what must be equal. Several classes broadcast.
std::vector<std::vector<Dim>> Classes(const std::vector<Dim>& sizes) {
  std::vector<std::vector<Dim>> classes;
  for (const Dim& size : sizes) {
    auto found = std::find_if(classes.begin(), classes.end(), [&](const std::vector<Dim>& known) {
      return MustBeEqual(known[0], size);
    });
    if (found == classes.end()) found = classes.insert(classes.end(), std::vector<Dim>());
    found->push_back(size);
  }
  return classes;
}

// The simplest of sizes; nothing if they cannot be equal.
std::optional<Dim> SimplestOf(const std::vector<Dim>& sizes) {
  const Dim simplest = *std::min_element(sizes.begin(), sizes.end(), IsSimpler);
  bool differ = std::any_of(sizes.begin(), sizes.end(),
                            [&](const Dim& size) { return size.IsConstant() && size != simplest; });
  return differ ? std::nullopt : std::optional(simplest);
}

// What a size that was broadcast has been assumed to be; or else `size`.
Dim KnownSize(const graph::Graph& graph, const Dim& size) {
  if (BroadcastParts(size).size() == 1) return size;
  for (const Assumption& known : graph.assumptions) {
    if (known.relation == Assumption::Relation::kEqual && known.left == size) return known.right;
  }
  return size;
}

// What sizes broadcast to that have not been broadcast themselves, with assumptions that they do:
// each with what is never 1, or else each with each.
Dim AssumeAllBroadcast(graph::Graph& graph, const std::vector<Dim>& parts,
                       const std::string& origin) {
  Dim all = 1;
  for (const Dim& part : parts) all = BroadcastSize(all, part);
  auto assume = [&](const Dim& a, const Dim& b) {
    if (a != b) Assume(graph, {a, Assumption::Relation::kBroadcasts, b, origin});
  };
  for (auto part = parts.begin(); part != parts.end(); ++part) {
    if (!MayBeOne(all)) {
      assume(*part, all);
    } else {
      std::for_each(parts.begin(), part, [&](const Dim& other) { assume(other, *part); });
    }
  }
  const Dim known = KnownSize(graph, all);
  if (known == all) return all;
  // What is already known to follow is written down, since expansions rely on it.
  for (const Dim& part : parts) {
    for (const Dim& other : BroadcastParts(known)) assume(part, other);
  }
  return known;
}

// Makes sizes of operands equal: first those that must be (`refined`), then those that broadcast
// (`expanded`).
class Reconciler {
 public:
  Reconciler(graph::Graph& graph, std::vector<Shape> shapes, const std::string& origin)
      : refined(shapes),
        expanded(shapes),
        origin_(origin),
        graph_(graph),
        shapes_(std::move(shapes)) {}

  void Apply(const Group& group) {
    if (group.broadcasts && !group.fixed) {
      Broadcast(group);
    } else {
      Equate(group);
    }
  }

  std::vector<Shape> refined, expanded;

 private:
  const Dim& SizeOf(const Slot& slot) const { return shapes_[slot.operand][slot.dimension]; }

  std::vector<Dim> PartsOf(const Slot& slot) const {
    return BroadcastParts(KnownSize(graph_, SizeOf(slot)));
  }

  void Refine(const Slot& slot, const Dim& size) {
    refined[slot.operand][slot.dimension] = expanded[slot.operand][slot.dimension] = size;
    if (SizeOf(slot) != size)
      Assume(graph_, {SizeOf(slot), Assumption::Relation::kEqual, size, origin_});
  }

  void Equate(const Group& group) {
    std::vector<Dim> sizes;
    for (const Slot& slot : group.slots) sizes.push_back(SizeOf(slot));
    if (group.fixed) sizes.push_back(*group.fixed);
    if (group.broadcasts) std::erase_if(sizes, [](const Dim& size) { return size.Is(1); });
    std::optional<Dim> common = sizes.empty() ? std::nullopt : SimplestOf(sizes);
    // Expand's sizes are its result's: only x gives way.
    const Dim target = group.fixed ? *group.fixed : common.value_or(1);
    bool cannot = !common || (group.fixed && !group.fixed->IsConstant() && common->IsConstant());
    // Inference tells what is wrong.
    if (cannot) return;
    for (const Slot& slot : group.slots) {
      bool stays = group.broadcasts && SizeOf(slot).Is(1);
      if (!stays) Refine(slot, target);
    }
  }

  // What has been broadcast takes part as the sizes that it is made of.
  void Broadcast(const Group& group) {
    std::vector<Dim> parts, commons;
    for (const Slot& slot : group.slots) {
      for (const Dim& part : PartsOf(slot)) {
        if (!part.Is(1)) parts.push_back(part);
      }
    }
    std::map<Dim, Dim> common_of;
    for (const std::vector<Dim>& equal : Classes(parts)) {
      std::optional<Dim> common = SimplestOf(equal);
      // Inference tells what is wrong.
      if (!common) return;
      for (const Dim& part : equal) common_of[part] = *common;
      commons.push_back(*common);
    }
    Dim all = AssumeAllBroadcast(graph_, commons, origin_);
    for (const Slot& slot : group.slots) {
      if (SizeOf(slot).Is(1)) continue;
      Dim own = 1;
      for (const Dim& part : PartsOf(slot)) own = BroadcastSize(own, common_of.at(part));
      Refine(slot, own);
      expanded[slot.operand][slot.dimension] = all;
    }
  }

  const std::string& origin_;
  graph::Graph& graph_;
  std::vector<Shape> shapes_;
};

}  // namespace

bool MustBeEqual(const Dim& a, const Dim& b) {
  if (!MayBeOne(a) && !MayBeOne(b)) return true;
  return SymbolsOf(a) == SymbolsOf(b) && CanBeEqual(a, b);
}

void Assume(graph::Graph& graph, Assumption assumption) {
  auto& all = graph.assumptions;
  if (std::find(all.begin(), all.end(), assumption) == all.end())
    all.push_back(std::move(assumption));
}

Dim AssumeBroadcast(graph::Graph& graph, const Dim& a, const Dim& b, const std::string& origin) {
  std::vector<Dim> parts = BroadcastParts(a);
  for (const Dim& part : BroadcastParts(b)) {
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
  }
  return AssumeAllBroadcast(graph, parts, origin);
}

std::vector<Assumption> EqualBroadcasts(const graph::Graph& graph) {
  std::vector<Assumption> equal;
  for (const Assumption& known : graph.assumptions) {
    bool of_broadcast = BroadcastParts(known.left).size() > 1;
    if (of_broadcast && known.relation == Assumption::Relation::kEqual) equal.push_back(known);
  }
  return equal;
}

std::vector<ValueId> Reconcile(graph::Graph& graph, graph::Builder& build, const graph::Op& op,
                               std::vector<ValueId> operands, const std::string& origin) {
  std::vector<Shape> shapes;
  for (ValueId operand : operands) shapes.push_back(graph.values[operand].type.shape);
  Reconciler sizes(graph, shapes, origin);
  for (const Group& group : Groups(shapes).Of(op)) sizes.Apply(group);
  for (size_t i = 0; i < operands.size(); ++i) {
    const std::string name = graph.values[operands[i]].name;
    if (sizes.refined[i] != shapes[i])
      operands[i] = build.Add(graph::Refine{sizes.refined[i]}, {operands[i]}, name + ".refined");
    if (sizes.expanded[i] != sizes.refined[i])
      operands[i] = build.Add(graph::Expand{sizes.expanded[i]}, {operands[i]}, name + ".expanded");
  }
  return operands;
}

}  // namespace webnnc::onnx
