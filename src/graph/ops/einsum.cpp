#include <map>

#include "graph/ops/shapes.h"

namespace webnnc::graph {

namespace {

struct Labels {
  std::vector<std::string> operands;
  std::string result;
  std::map<char, Dim> sizes;
};

// The equation's labels, checked against the operands.
Result<Labels> ParseEquation(const std::string& equation, std::span<const TensorType> operands) {
  Error malformed{"einsum: cannot read the equation \"" + equation + "\""};
  size_t arrow = equation.find("->");
  if (arrow == std::string::npos) return malformed;
  Labels labels{{""}, equation.substr(arrow + 2), {}};
  for (char c : equation.substr(0, arrow)) {
    if (c == ',') {
      labels.operands.emplace_back();
    } else {
      labels.operands.back() += c;
    }
  }
  for (char c : equation.substr(0, arrow) + labels.result) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ',';
    if (!letter) return malformed;
  }
  if (labels.operands.size() != operands.size()) {
    return Error{"einsum \"" + equation + "\" has " + std::to_string(operands.size()) +
                 " operands"};
  }
  for (size_t o = 0; o < operands.size(); ++o) {
    if (operands[o].shape.size() != labels.operands[o].size()) {
      return Error{"einsum \"" + equation + "\": operand " + std::to_string(o) + " is " +
                   Print(operands[o])};
    }
    for (size_t d = 0; d < labels.operands[o].size(); ++d) {
      const Dim& size = operands[o].shape[d];
      auto [found, is_new] = labels.sizes.emplace(labels.operands[o][d], size);
      if (is_new || found->second == size || size.Is(1)) continue;
      if (!found->second.Is(1)) {
        return Error{"einsum \"" + equation + "\": the sizes of " + labels.operands[o][d] +
                     " are " + Print(found->second) + " and " + Print(size)};
      }
      found->second = size;
    }
  }
  for (size_t i = 0; i < labels.result.size(); ++i) {
    char c = labels.result[i];
    if (!labels.sizes.count(c) || labels.result.find(c, i + 1) != std::string::npos)
      return malformed;
  }
  return labels;
}

}  // namespace

Result<Types> Einsum::Infer(std::span<const TensorType> operands) const {
  for (const TensorType& operand : operands) {
    if (operand.dtype != operands[0].dtype || operand.dtype == DType::kBool) {
      return Error{Describe(kName, operands) + ": it takes numbers of one type"};
    }
  }
  TRY_ASSIGN(auto labels, ParseEquation(equation, operands));
  Shape shape;
  for (char c : labels.result) shape.push_back(labels.sizes.at(c));
  return Types{{operands[0].dtype, shape}};
}

// A label is one size. It broadcasts between operands, but not along a diagonal.
std::vector<EqualSizes> Einsum::Equal(std::span<const TensorType> operands) const {
  std::map<char, EqualSizes> by_label;
  EqualSizes::Place place{0, 0};
  for (char label : equation.substr(0, equation.find("->"))) {
    if (label == ',') {
      place = {place.operand + 1, 0};
      continue;
    }
    bool exists =
        place.operand < operands.size() && place.dimension < operands[place.operand].shape.size();
    if (!exists) return {};
    auto [found, is_new] = by_label.emplace(label, EqualSizes{{}, true});
    EqualSizes& sizes = found->second;
    sizes.broadcast &= is_new || sizes.places.back().operand != place.operand;
    sizes.places.push_back(place);
    ++place.dimension;
  }
  std::vector<EqualSizes> equal;
  for (auto& [label, sizes] : by_label) equal.push_back(std::move(sizes));
  return equal;
}

void Einsum::Lower(loop::Lowering& to) const {
  loop::Builder& b = to.build;
  std::vector<TensorType> types;
  for (size_t i = 0; i < to.operands.size(); ++i) types.push_back(to.Operand(i));
  Labels labels = ParseEquation(equation, types).value();

  loop::BufferId sum = AccumulatorFor(to);
  DType dtype = AccumulatorType(to.Result().dtype);
  std::vector<std::string> names;
  Shape domain;
  std::string order = labels.result;
  for (const auto& [label, size] : labels.sizes) {
    if (order.find(label) == std::string::npos) order += label;
  }
  for (char c : order) {
    names.push_back(std::string(1, c));
    domain.push_back(labels.sizes.at(c));
  }
  bool reduces = order.size() > labels.result.size();
  b.ForEach(
      domain,
      [&](const loop::Index& at) {
        loop::ExprId product;
        for (size_t o = 0; o < labels.operands.size(); ++o) {
          loop::Index index;
          for (char c : labels.operands[o]) index.push_back(at[order.find(c)]);
          loop::ExprId factor = b.Convert(b.LoadBroadcast(to.operands[o], index), dtype);
          product = product.valid() ? b.Mul(product, factor) : factor;
        }
        loop::Index result(at.begin(), at.begin() + static_cast<int64_t>(labels.result.size()));
        if (reduces) return b.Reduce(sum, result, product, loop::Update::kAdd);
        b.Store(sum, result, product);
      },
      names);
  Finish(to, sum);
}

}  // namespace webnnc::graph
