#include "plan/place_nodes.h"

#include <algorithm>

#include "plan/group_nodes.h"

namespace webnnc::plan {

using graph::Graph;
using graph::Node;
using graph::ValueId;

// What is small, in elements: shapes, counts, flags and what is computed from them.
static constexpr int64_t kMostElements = 64, kMostOperandElements = 4096;

static bool IsSmall(const TensorType& type, int64_t most) {
  return IsStatic(type.shape) && ElementCount(type.shape).value() <= most;
}

NodePlaces::NodePlaces(const Graph& graph, const Target& target)
    : host_(target.IsGpu() ? Place::kHost : Place::kDevice) {
  graph::ForEachGraph(graph, [&](const Graph& inner) {
    Facts& facts = of_[&inner];
    auto count = static_cast<size_t>(inner.values.size());
    // Available until it is found not to be, wanted when it is found to be.
    facts.available.assign(count, true);
    facts.wanted.assign(count, false);
    facts.wide.assign(count, false);
    facts.nodes.assign(inner.nodes.size(), Place::kDevice);
  });
  if (!target.IsGpu()) return;
  while (FindWide(graph)) {
  }
  while (FindAvailable(graph)) {
  }
  while (FindWanted(graph)) {
  }
  graph::ForEachGraph(graph, [&](const Graph& inner) { Decide(inner); });
}

bool NodePlaces::Available(const Graph& graph, ValueId id) const {
  return of_.at(&graph).available[static_cast<size_t>(id.index)];
}

bool NodePlaces::Lose(const Graph& graph, ValueId id, bool is_available) {
  auto available = of_.at(&graph).available.begin() + id.index;
  if (is_available || !*available) return false;
  *available = false;
  return true;
}

bool NodePlaces::Want(const Graph& graph, ValueId id) {
  auto wanted = of_.at(&graph).wanted.begin() + id.index;
  if (*wanted) return false;
  *wanted = true;
  return true;
}

// ---- What a GPU has no numbers for

static bool HasWideElements(const Tensor& tensor) {
  bool is_signed = tensor.type.dtype == DType::kI64;
  if (!is_signed && tensor.type.dtype != DType::kU64) return false;
  int64_t count = ElementCount(tensor.type.shape).value();
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = tensor.data.At(tensor.type.dtype, i).integer;
    bool fits = is_signed ? value >= INT32_MIN && value <= INT32_MAX
                          : static_cast<uint64_t>(value) <= UINT32_MAX;
    if (!fits) return true;
  }
  return false;
}

bool NodePlaces::MarkWide(const Graph& graph, ValueId id, bool is_wide) {
  auto wide = of_.at(&graph).wide.begin() + id.index;
  DType dtype = graph.values[id].type.dtype;
  bool may_be = dtype == DType::kI64 || dtype == DType::kU64;
  if (!is_wide || !may_be || *wide) return false;
  *wide = true;
  return true;
}

bool NodePlaces::FindWide(const Graph& graph) {
  bool changed = false;
  for (const Node& node : graph.nodes) changed |= FindWide(graph, node);
  return changed;
}

// What is computed from a wide integer may be one.
bool NodePlaces::FindWide(const Graph& graph, const Node& node) {
  bool changed = false;
  if (auto* constant = std::get_if<graph::Constant>(&node.op))
    return MarkWide(graph, node.result(), HasWideElements(constant->value));
  const std::vector<bool>& wide = of_.at(&graph).wide;
  bool any = false;
  for (ValueId operand : node.operands) any |= wide[static_cast<size_t>(operand.index)];
  for (const Graph& body : node.bodies) {
    for (const graph::Port& input : body.inputs) changed |= MarkWide(body, input.value, any);
    changed |= FindWide(body);
    for (const graph::Port& output : body.outputs)
      any |= of_.at(&body).wide[static_cast<size_t>(output.value.index)];
  }
  for (ValueId result : node.results) changed |= MarkWide(graph, result, any);
  return changed;
}

bool NodePlaces::NeedsHost(const Graph& graph, ValueId id) const {
  return graph.values[id].type.dtype == DType::kF64 ||
         of_.at(&graph).wide[static_cast<size_t>(id.index)];
}

bool NodePlaces::MustBeOnHost(const Graph& graph, const Node& node) const {
  auto needs_host = [&](ValueId id) { return NeedsHost(graph, id); };
  return std::any_of(node.operands.begin(), node.operands.end(), needs_host) ||
         std::any_of(node.results.begin(), node.results.end(), needs_host);
}

// ---- What is small

bool NodePlaces::MayBeOnHost(const Graph& graph, const Node& node) const {
  auto is_small = [&](int64_t most) {
    return [&, most](ValueId id) { return IsSmall(graph.values[id].type, most); };
  };
  return std::all_of(node.results.begin(), node.results.end(), is_small(kMostElements)) &&
         std::all_of(node.operands.begin(), node.operands.end(), is_small(kMostOperandElements)) &&
         std::all_of(node.operands.begin(), node.operands.end(),
                     [&](ValueId id) { return Available(graph, id); });
}

bool NodePlaces::FindAvailable(const Graph& graph) {
  bool changed = false;
  for (const Node& node : graph.nodes) changed |= FindAvailable(graph, node);
  return changed;
}

bool NodePlaces::FindAvailable(const Graph& graph, const Node& node) {
  bool changed = false;
  if (node.operands.empty() && node.bodies.empty()) return false;
  if (std::holds_alternative<graph::Define>(node.op))
    return Lose(graph, node.result(), Available(graph, node.operands[0]));
  if (node.bodies.empty()) {
    bool is_available = MustBeOnHost(graph, node) || MayBeOnHost(graph, node);
    for (ValueId result : node.results) changed |= Lose(graph, result, is_available);
    return changed;
  }
  auto input = [](const Graph& body, size_t i) { return body.inputs[i].value; };
  auto output = [](const Graph& body, size_t i) { return body.outputs[i].value; };
  if (auto* loop = std::get_if<graph::Loop>(&node.op)) {
    const Graph& body = node.bodies[0];
    const size_t first = loop->first_carried(), carried = static_cast<size_t>(loop->carried);
    for (size_t i = 0; i < carried; ++i) {
      ValueId end = output(body, size_t{loop->condition} + i);
      const TensorType& type = graph.values[node.results[i]].type;
      bool stays = Available(graph, node.operands[first + i]) && Available(body, end) &&
                   IsSmall(type, kMostElements);
      stays |= NeedsHost(graph, node.results[i]);
      changed |= Lose(body, input(body, 1 + i), stays);
      changed |= Lose(graph, node.results[i], stays);
    }
    for (size_t i = first + carried; i < node.operands.size(); ++i)
      changed |= Lose(body, input(body, 1 + i - first), Available(graph, node.operands[i]));
    for (size_t i = carried; i < node.results.size(); ++i)
      changed |=
          Lose(graph, node.results[i], Available(body, output(body, size_t{loop->condition} + i)));
  } else {
    for (const Graph& body : node.bodies) {
      for (size_t i = 1; i < node.operands.size(); ++i)
        changed |= Lose(body, input(body, i - 1), Available(graph, node.operands[i]));
      for (size_t i = 0; i < node.results.size(); ++i) {
        bool is_small = IsSmall(graph.values[node.results[i]].type, kMostElements);
        bool stays = is_small && Available(body, output(body, i));
        changed |= Lose(graph, node.results[i], stays || NeedsHost(graph, node.results[i]));
      }
    }
  }
  for (const Graph& body : node.bodies) changed |= FindAvailable(body);
  return changed;
}

bool NodePlaces::FindWanted(const Graph& graph) {
  bool changed = false;
  for (size_t n = graph.nodes.size(); n-- > 0;) changed |= FindWanted(graph, graph.nodes[n]);
  return changed;
}

bool NodePlaces::FindWanted(const Graph& graph, const Node& node) {
  bool changed = false;
  // Made on the host, since that can be and is wanted.
  auto is_made = [&](const Graph& in, ValueId id) {
    return NeedsHost(in, id) ||
           (of_.at(&in).wanted[static_cast<size_t>(id.index)] && Available(in, id));
  };
  if (std::holds_alternative<graph::Define>(node.op)) return Want(graph, node.operands[0]);
  if (node.bodies.empty()) {
    bool on_host =
        MustBeOnHost(graph, node) || std::any_of(node.results.begin(), node.results.end(),
                                                 [&](ValueId id) { return is_made(graph, id); });
    if (!on_host) return false;
    for (ValueId operand : node.operands) changed |= Want(graph, operand);
    return changed;
  }
  for (const Graph& body : node.bodies) changed |= FindWanted(body);
  if (auto* loop = std::get_if<graph::Loop>(&node.op)) {
    const Graph& body = node.bodies[0];
    const size_t first = loop->first_carried(), carried = static_cast<size_t>(loop->carried);
    for (size_t i = 0; i < first; ++i) changed |= Want(graph, node.operands[i]);
    if (loop->condition) changed |= Want(body, body.outputs[0].value);
    for (size_t i = 0; i < carried; ++i) {
      ValueId inside = body.inputs[1 + i].value;
      // What the host makes in an iteration for another reason is carried there: else each
      // iteration would send it up.
      bool stays = Available(graph, node.results[i]) &&
                   is_made(body, body.outputs[size_t{loop->condition} + i].value);
      if (!stays && !is_made(graph, node.results[i]) && !is_made(body, inside)) continue;
      changed |= Want(graph, node.results[i]);
      changed |= Want(body, inside);
      changed |= Want(graph, node.operands[first + i]);
      changed |= Want(body, body.outputs[size_t{loop->condition} + i].value);
    }
    for (size_t i = first + carried; i < node.operands.size(); ++i) {
      ValueId inside = body.inputs[1 + i - first].value;
      if (of_.at(&body).wanted[static_cast<size_t>(inside.index)])
        changed |= Want(graph, node.operands[i]);
    }
    for (size_t i = carried; i < node.results.size(); ++i) {
      if (is_made(graph, node.results[i]))
        changed |= Want(body, body.outputs[size_t{loop->condition} + i].value);
    }
    return changed;
  }
  changed |= Want(graph, node.operands[0]);
  for (const Graph& body : node.bodies) {
    for (size_t i = 0; i < node.results.size(); ++i) {
      if (is_made(graph, node.results[i])) changed |= Want(body, body.outputs[i].value);
    }
    for (size_t i = 1; i < node.operands.size(); ++i) {
      ValueId inside = body.inputs[i - 1].value;
      if (of_.at(&body).wanted[static_cast<size_t>(inside.index)])
        changed |= Want(graph, node.operands[i]);
    }
  }
  return changed;
}

void NodePlaces::Decide(const Graph& graph) {
  Facts& facts = of_.at(&graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (Decides(node)) continue;
    bool wanted = std::any_of(node.results.begin(), node.results.end(), [&](ValueId id) {
      return facts.wanted[static_cast<size_t>(id.index)];
    });
    if (MustBeOnHost(graph, node) || (wanted && MayBeOnHost(graph, node)))
      facts.nodes[n] = Place::kHost;
  }
}

Place NodePlaces::Of(const Graph& graph, ValueId id) const {
  if (host_ == Place::kDevice) return host_;
  const Facts& facts = of_.at(&graph);
  auto i = static_cast<size_t>(id.index);
  bool is_there = NeedsHost(graph, id) || (facts.available[i] && facts.wanted[i]);
  return is_there ? Place::kHost : Place::kDevice;
}

bool NodePlaces::IsRead(const Graph& graph, ValueId id, Place place) const {
  const Facts& facts = of_.at(&graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    bool uses = std::count(node.operands.begin(), node.operands.end(), id) > 0;
    if (!uses) continue;
    if (std::holds_alternative<graph::Define>(node.op)) {
      if (place == host_) return true;
    } else if (node.bodies.empty()) {
      if (facts.nodes[n] == place) return true;
    } else if (IsReadByRegion(graph, node, id, place)) {
      return true;
    }
  }
  return std::any_of(graph.outputs.begin(), graph.outputs.end(), [&](const graph::Port& port) {
    return port.value == id && Of(graph, id) == place;
  });
}

bool NodePlaces::IsReadByRegion(const Graph& graph, const Node& node, ValueId id,
                                Place place) const {
  auto* loop = std::get_if<graph::Loop>(&node.op);
  const size_t own = loop ? loop->first_carried() : 1;
  const size_t carried = loop ? static_cast<size_t>(loop->carried) : 0;
  for (size_t i = 0; i < node.operands.size(); ++i) {
    if (node.operands[i] != id) continue;
    if (i < own) {
      if (place == host_) return true;
    } else if (i < own + carried) {
      if (Of(graph, node.results[i - own]) == place) return true;
    } else {
      for (const Graph& body : node.bodies) {
        if (IsRead(body, body.inputs[i - own + (loop ? 1 : 0)].value, place)) return true;
      }
    }
  }
  return false;
}

}  // namespace webnnc::plan
