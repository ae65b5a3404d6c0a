#include "onnx/assume.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace webnnc::onnx {

using graph::EqualSizes;
using graph::ValueId;

namespace {

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

  void Apply(const EqualSizes& equal) {
    if (equal.broadcast && !equal.fixed) {
      Broadcast(equal);
    } else {
      Equate(equal);
    }
  }

  std::vector<Shape> refined, expanded;

 private:
  const Dim& SizeOf(const EqualSizes::Place& place) const {
    return shapes_[place.operand][place.dimension];
  }

  std::vector<Dim> PartsOf(const EqualSizes::Place& place) const {
    return BroadcastParts(KnownSize(graph_, SizeOf(place)));
  }

  void Refine(const EqualSizes::Place& place, const Dim& size) {
    refined[place.operand][place.dimension] = expanded[place.operand][place.dimension] = size;
    if (SizeOf(place) != size)
      Assume(graph_, {SizeOf(place), Assumption::Relation::kEqual, size, origin_});
  }

  void Equate(const EqualSizes& equal) {
    std::vector<Dim> sizes;
    for (const EqualSizes::Place& place : equal.places) sizes.push_back(SizeOf(place));
    if (equal.fixed) sizes.push_back(*equal.fixed);
    if (equal.broadcast) std::erase_if(sizes, [](const Dim& size) { return size.Is(1); });
    std::optional<Dim> common = sizes.empty() ? std::nullopt : SimplestOf(sizes);
    // Expand's sizes are its result's: only x gives way.
    const Dim target = equal.fixed ? *equal.fixed : common.value_or(1);
    bool cannot = !common || (equal.fixed && !equal.fixed->IsConstant() && common->IsConstant());
    // Inference tells what is wrong.
    if (cannot) return;
    for (const EqualSizes::Place& place : equal.places) {
      // What may be 1 in the run broadcasts to it then.
      bool fits = !equal.fixed || MustBeEqual(SizeOf(place), *equal.fixed);
      bool stays = equal.broadcast && (SizeOf(place).Is(1) || !fits);
      if (!stays) Refine(place, target);
    }
  }

  // What has been broadcast takes part as the sizes that it is made of.
  void Broadcast(const EqualSizes& equal) {
    std::vector<Dim> parts, commons;
    for (const EqualSizes::Place& place : equal.places) {
      for (const Dim& part : PartsOf(place)) {
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
    for (const EqualSizes::Place& place : equal.places) {
      if (SizeOf(place).Is(1)) continue;
      Dim own = 1;
      // What was broadcast may have been found to be 1.
      for (const Dim& part : PartsOf(place)) {
        if (!part.Is(1)) own = BroadcastSize(own, common_of.at(part));
      }
      Refine(place, own);
      expanded[place.operand][place.dimension] = all;
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
  graph::Types types;
  std::vector<Shape> shapes;
  for (ValueId operand : operands) {
    types.push_back(graph.values[operand].type);
    shapes.push_back(types.back().shape);
  }
  Reconciler sizes(graph, shapes, origin);
  for (const EqualSizes& equal : graph::EqualSizesOf(op, types)) sizes.Apply(equal);
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
