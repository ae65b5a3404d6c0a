#include "graph/passes/merge_siblings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "graph/passes/column_weights.h"
#include "tensor/beginning.h"

namespace webnnc::graph {

namespace {

// One of the products: x times a matrix of constants, and perhaps the sum with a constant row.
struct Sibling {
  const Node* product = nullptr;
  const Node* sum = nullptr;
  TensorType type;  // the matrix's
  ColumnWeight weight;
  std::optional<Tensor> bias = {};

  ValueId result() const { return (sum ? sum : product)->result(); }
  const MatMul& op() const { return std::get<MatMul>(product->op); }
  size_t column_axis() const { return ColumnAxis(op()); }
  static size_t ColumnAxis(const MatMul& op) { return op.transpose_b ? 0 : 1; }
  int64_t columns() const { return type.shape[column_axis()].value(); }
  int64_t depth() const { return type.shape[1 - column_axis()].value(); }
};
using Siblings = std::vector<Sibling>;

// Numbers weights by what they hold.
class WeightNumbers {
 public:
  int Of(const Tensor& tensor) {
    for (const auto& [known, number] : like_[BeginningOf(tensor.data)]) {
      if (known.type == tensor.type && known.data == tensor.data) return number;
    }
    like_[BeginningOf(tensor.data)].push_back({tensor, count_});
    return count_++;
  }
  std::vector<int> Of(const Siblings& siblings) {
    std::vector<int> numbers;
    for (const Sibling& sibling : siblings) {
      for (const Constant* constant : sibling.weight.Divided())
        numbers.push_back(Of(constant->value));
    }
    return numbers;
  }

 private:
  std::map<Beginning, std::vector<std::pair<Tensor, int>>> like_;
  int count_ = 0;
};

// ---- Finding them

class Finder {
 public:
  Finder(const Graph& graph, const Machine& machine)
      : graph_(graph), links_(graph), costs_(machine.siblings), cores_(machine.cores) {}

  std::vector<Siblings> Run() const {
    // By the matrix, how both sides lie, and how many rows the constants have.
    std::map<std::tuple<ValueId, bool, bool, int64_t>, std::vector<Siblings>> by_left;
    for (const Node& node : graph_.nodes) {
      auto sibling = SiblingOf(node);
      if (!sibling) continue;
      const MatMul& op = sibling->op();
      auto& groups = by_left[{node.operands[0], op.transpose_a, op.transpose_b, sibling->depth()}];
      GroupOf(*sibling, groups).push_back(std::move(*sibling));
    }
    std::vector<Siblings> found;
    for (auto& [left, groups] : by_left) {
      for (Siblings& group : groups) {
        if (group.size() > 1) found.push_back(std::move(group));
      }
    }
    return found;
  }

  const Links& links() const { return links_; }

 private:
  // The last one of the same form. What keeps the machine busy gains nothing, and would be kept in
  // memory for its last user.
  Siblings& GroupOf(const Sibling& sibling, std::vector<Siblings>& groups) const {
    for (size_t g = groups.size(); g-- > 0;) {
      if (!MatchColumns(graph_, groups[g][0].weight, sibling.weight)) continue;
      if (!KeepsBusy(groups[g])) return groups[g];
      break;
    }
    return groups.emplace_back();
  }

  std::optional<Sibling> SiblingOf(const Node& node) const {
    auto* op = std::get_if<MatMul>(&node.op);
    if (!op || graph_.values[node.operands[1]].type.rank() != 2) return std::nullopt;
    auto weight = ColumnWeightOf(graph_, links_, node.operands[1], Sibling::ColumnAxis(*op));
    if (!weight) return std::nullopt;
    Sibling sibling{&node, nullptr, graph_.values[node.operands[1]].type, std::move(*weight)};
    // Slices begin where vectors do.
    if (sibling.columns() % Machine::kLanes != 0) return std::nullopt;
    const auto& users = links_.UsersOf(node.result());
    if (users.size() == 1 && !links_.IsOutput(node.result())) {
      if (auto* bias = BiasOf(*users[0], node.result(), sibling.columns())) {
        sibling.sum = users[0];
        sibling.bias = bias->value;
      }
    }
    bool stays = IsStored(sibling.result()) || IsTakenIn(sibling.result());
    return stays ? std::nullopt : std::optional(std::move(sibling));
  }

  // The constant row that `sum` adds to the product.
  const Constant* BiasOf(const Node& sum, ValueId product, int64_t columns) const {
    auto* binary = std::get_if<Binary>(&sum.op);
    if (!binary || binary->op != loop::BinaryOp::kAdd) return nullptr;
    auto* bias = links_.As<Constant>(sum.operands[sum.operands[0] == product ? 1 : 0]);
    if (!bias) return nullptr;
    const Shape& shape = bias->value.type.shape;
    bool is_row = !shape.empty() && shape.back().Is(columns) && ElementCount(shape).Is(columns) &&
                  graph_.values[sum.result()].type == graph_.values[product].type;
    return is_row ? bias : nullptr;
  }

  static bool IsView(const Node& node) {
    return std::holds_alternative<Reshape>(node.op) || std::holds_alternative<Transpose>(node.op) ||
           std::holds_alternative<Refine>(node.op);
  }
  static bool IsElementwise(const Node& node) {
    return std::holds_alternative<Unary>(node.op) || std::holds_alternative<Binary>(node.op) ||
           std::holds_alternative<Where>(node.op) || std::holds_alternative<Cast>(node.op);
  }

  // Whether someone needs it in memory of its own: callers, and what decides.
  bool IsStored(ValueId id) const {
    if (links_.IsOutput(id)) return true;
    const auto& users = links_.UsersOf(id);
    return std::any_of(users.begin(), users.end(), [&](const Node* user) {
      return !user->bodies.empty() || std::holds_alternative<Define>(user->op) ||
             (IsView(*user) && IsStored(user->result()));
    });
  }

  // Whether all that use it compute element by element, which the product's kernel does itself.
  bool IsTakenIn(ValueId id) const {
    const auto& users = links_.UsersOf(id);
    return std::all_of(users.begin(), users.end(), [&](const Node* user) {
      return IsElementwise(*user) || (IsView(*user) && IsTakenIn(user->result()));
    });
  }

  bool KeepsBusy(const Siblings& siblings) const {
    const Shape& shape = graph_.values[siblings[0].product->result()].type.shape;
    int64_t columns = 0;
    for (const Sibling& sibling : siblings) columns += sibling.columns();
    Dim rows = ElementCount({shape.begin(), shape.end() - 1});
    std::set<std::string> symbols;
    rows.CollectSymbols(symbols);
    SymbolValues values;
    for (const std::string& symbol : symbols) values[symbol] = costs_.open_size;
    Dim tiles = CeilDiv(rows.Evaluate(values), costs_.tile) * CeilDiv(columns, costs_.tile);
    return ProvablyLessEqual(costs_.tiles_per_core * cores_, tiles);
  }

  const Graph& graph_;
  const Links links_;
  const Machine::Siblings& costs_;
  const int64_t cores_;
};

// In what companies each weight is used, by their numbers; alone is an empty one.
using Companies = std::map<int, std::set<std::vector<int>>>;

void AddCompanies(const Graph& graph, const Links& links, const std::vector<Siblings>& groups,
                  WeightNumbers& numbers, Companies& companies) {
  std::map<const Node*, std::vector<int>> company_of;
  for (const Siblings& siblings : groups) {
    std::vector<int> company = numbers.Of(siblings);
    for (const Sibling& sibling : siblings) {
      company_of[sibling.product] = company;
      for (const ColumnWeight::Part& part : sibling.weight.parts)
        company_of[links.DefinitionOf(part.node.result())] = company;
    }
  }
  for (const Node& node : graph.nodes) {
    auto* constant = std::get_if<Constant>(&node.op);
    if (!constant || constant->value.type.rank() == 0) continue;
    auto& uses = companies[numbers.Of(constant->value)];
    if (links.IsOutput(node.result())) uses.insert({});
    for (const Node* user : links.UsersOf(node.result())) uses.insert(company_of[user]);
  }
}

// ---- Merging them

class Merger {
 public:
  Merger(Graph& graph, const std::vector<Siblings>& groups) : graph_(graph), rewrite_(graph) {
    for (const Siblings& siblings : groups) {
      for (const Sibling& sibling : siblings) {
        siblings_of_[sibling.product->result()] = &siblings;
        if (sibling.sum) sums_.insert(sibling.sum->result());
      }
    }
  }

  void Run() {
    for (Node& node : rewrite_.nodes()) {
      auto found = node.results.size() == 1 ? siblings_of_.find(node.result()) : siblings_of_.end();
      if (found == siblings_of_.end()) {
        // What was added is in the slice that has taken its place.
        bool is_sum = node.results.size() == 1 && sums_.count(node.result());
        if (!is_sum) rewrite_.Keep(std::move(node));
        continue;
      }
      const Siblings& siblings = *found->second;
      // All constants are there, so the product can stand where its first part does.
      if (merged_.insert(&siblings).second) Merge(siblings);
    }
  }

 private:
  void Merge(const Siblings& siblings) {
    std::vector<std::string> origins;
    for (const Sibling& sibling : siblings) {
      for (const Node* node : {sibling.product, sibling.sum}) {
        if (node) origins.insert(origins.end(), node->origins.begin(), node->origins.end());
      }
    }
    rewrite_.build.SetOrigins(origins);
    ValueId all = Sum(siblings, Product(siblings));
    rewrite_.build.SetOrigins({});
    Shape shape = rewrite_.build.type(all).shape;
    Slice slice{Sizes1D(shape.size(), 0), shape, Integers(shape.size(), 1)};
    for (const Sibling& sibling : siblings) {
      slice.sizes.back() = sibling.columns();
      const std::string name = graph_.values[sibling.result()].name;
      rewrite_.Replace(sibling.result(), rewrite_.build.Add(slice, {all}, name));
      slice.starts.back() = slice.starts.back() + sibling.columns();
    }
  }

  ValueId Product(const Siblings& siblings) {
    std::vector<const ColumnWeight*> weights;
    std::string name;
    for (const Sibling& sibling : siblings) {
      weights.push_back(&sibling.weight);
      name += (name.empty() ? "" : "+") + graph_.values[sibling.product->operands[1]].name;
    }
    ValueId left = siblings[0].product->operands[0],
            right = ConcatenateColumns(rewrite_.build, weights, name);
    name = graph_.values[siblings[0].product->result()].name;
    return rewrite_.build.Add(siblings[0].op(), {left, right}, name);
  }

  ValueId Sum(const Siblings& siblings, ValueId product) {
    std::vector<Tensor> biases;
    bool is_any = false;
    for (const Sibling& sibling : siblings) {
      TensorType row{sibling.type.dtype, {sibling.columns()}};
      auto bytes = static_cast<size_t>(ByteSize(row).value());
      biases.push_back({row, sibling.bias ? sibling.bias->data
                                          : TensorData::Own(std::vector<uint8_t>(bytes, 0))});
      is_any |= sibling.bias.has_value();
    }
    if (!is_any) return product;
    const std::string name = graph_.values[siblings[0].result()].name;
    ValueId bias = rewrite_.build.AddConstant(Concatenated(biases, 0), name + ".bias");
    return rewrite_.build.Add(Binary{loop::BinaryOp::kAdd}, {product, bias}, name);
  }

  Graph& graph_;
  Rewriter rewrite_;
  std::map<ValueId, const Siblings*> siblings_of_;
  std::set<ValueId> sums_;
  std::set<const Siblings*> merged_;
};

}  // namespace

void MergeSiblings(const std::vector<Graph*>& graphs, const Machine& machine) {
  WeightNumbers numbers;
  Companies companies;
  std::vector<std::vector<Siblings>> found;
  for (const Graph* graph : graphs) {
    Finder finder(*graph, machine);
    found.push_back(finder.Run());
    AddCompanies(*graph, finder.links(), found.back(), numbers, companies);
  }
  for (size_t g = 0; g < graphs.size(); ++g) {
    std::erase_if(found[g], [&](const Siblings& siblings) {
      std::vector<int> company = numbers.Of(siblings);
      return std::any_of(company.begin(), company.end(),
                         [&](int weight) { return companies[weight].size() > 1; });
    });
    if (!found[g].empty()) Merger(*graphs[g], found[g]).Run();
  }
}

}  // namespace webnnc::graph
