#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace webnnc::graph {

// The cheapest way to put each of some items on one of two sides, where items have a price for each
// side and pairs a price for being apart.
class MinimumCut {
 public:
  explicit MinimumCut(int items) : edges_(static_cast<size_t>(items) + 2) {}

  // One more item.
  int AddItem();
  // What it costs to put an item on the first or the second side.
  void AddPrice(int item, double first, double second);
  // What it costs if `a` is on the first side and `b` on the second.
  void AddApart(int a, int b, double price);

  // For each item whether it is on the second side.
  std::vector<bool> Solve();

 private:
  struct Edge {
    int to;
    double left;  // capacity that flow has not used
    size_t back;  // the opposite edge
  };
  void AddEdge(int from, int to, double capacity);
  bool Augment();

  static constexpr int kSource = 0, kSink = 1;
  std::vector<std::vector<Edge>> edges_;
};

}  // namespace webnnc::graph
