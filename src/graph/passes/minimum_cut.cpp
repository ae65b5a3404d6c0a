// By maximum flow along shortest augmenting paths (Edmonds and Karp, 1972): graphs here have some
// hundred items.
#include "graph/passes/minimum_cut.h"

#include <algorithm>
#include <queue>

namespace webnnc::graph {

int MinimumCut::AddItem() {
  edges_.emplace_back();
  return static_cast<int>(edges_.size()) - 3;
}

void MinimumCut::AddEdge(int from, int to, double capacity) {
  if (capacity <= 0) return;
  auto &out = edges_[static_cast<size_t>(from)], &in = edges_[static_cast<size_t>(to)];
  out.push_back({to, capacity, in.size()});
  in.push_back({from, 0, out.size() - 1});
}

// The first side is the source's: an item there has the edge to the sink cut.
void MinimumCut::AddPrice(int item, double first, double second) {
  AddEdge(kSource, item + 2, second);
  AddEdge(item + 2, kSink, first);
}

void MinimumCut::AddApart(int a, int b, double price) { AddEdge(a + 2, b + 2, price); }

bool MinimumCut::Augment() {
  constexpr double kNothing = 1e-12;
  std::vector<std::pair<int, size_t>> came(edges_.size(), {-1, 0});
  std::queue<int> open;
  open.push(kSource);
  came[kSource] = {kSource, 0};
  while (!open.empty() && came[kSink].first < 0) {
    int at = open.front();
    open.pop();
    const auto& out = edges_[static_cast<size_t>(at)];
    for (size_t e = 0; e < out.size(); ++e) {
      auto to = static_cast<size_t>(out[e].to);
      if (out[e].left <= kNothing || came[to].first >= 0) continue;
      came[to] = {at, e};
      open.push(out[e].to);
    }
  }
  if (came[kSink].first < 0) return false;
  auto step = [&](int at) -> Edge& {
    auto [from, e] = came[static_cast<size_t>(at)];
    return edges_[static_cast<size_t>(from)][e];
  };
  double flow = step(kSink).left;
  for (int at = kSink; at != kSource; at = came[static_cast<size_t>(at)].first)
    flow = std::min(flow, step(at).left);
  for (int at = kSink; at != kSource; at = came[static_cast<size_t>(at)].first) {
    Edge& edge = step(at);
    edge.left -= flow;
    edges_[static_cast<size_t>(at)][edge.back].left += flow;
  }
  return true;
}

std::vector<bool> MinimumCut::Solve() {
  while (Augment()) {
  }
  // What the source still reaches is on the first side.
  std::vector<bool> reached(edges_.size());
  std::vector<int> stack{kSource};
  reached[kSource] = true;
  while (!stack.empty()) {
    int at = stack.back();
    stack.pop_back();
    for (const Edge& edge : edges_[static_cast<size_t>(at)]) {
      if (edge.left <= 1e-12 || reached[static_cast<size_t>(edge.to)]) continue;
      reached[static_cast<size_t>(edge.to)] = true;
      stack.push_back(edge.to);
    }
  }
  std::vector<bool> second;
  for (size_t i = 2; i < reached.size(); ++i) second.push_back(!reached[i]);
  return second;
}

}  // namespace webnnc::graph
