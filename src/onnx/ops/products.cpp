#include <algorithm>
#include <map>

#include "onnx/operators.h"
#include "onnx/ops/activations.h"

namespace webnnc::onnx {

using loop::BinaryOp;

// Vectors become matrices of one row or column, which the result then loses.
static Result<Values> ImportMatMul(NodeContext& c) {
  ValueId a = c[0], b = c[1];
  if (c.TypeOf(a).rank() == 0 || c.TypeOf(b).rank() == 0) return Error{"an operand is a scalar"};
  bool vector_a = c.TypeOf(a).rank() == 1, vector_b = c.TypeOf(b).rank() == 1;
  if (vector_a) {
    TRY_ASSIGN(a, c.Reshape(a, {1, c.TypeOf(a).shape[0]}));
  }
  if (vector_b) {
    TRY_ASSIGN(b, c.Reshape(b, {c.TypeOf(b).shape[0], 1}));
  }
  TRY_ASSIGN(auto product, c.Add(graph::MatMul{}, {a, b}));
  Shape shape = c.TypeOf(product).shape;
  if (vector_b) shape.pop_back();
  if (vector_a) shape.erase(shape.end() - (vector_b ? 1 : 2));
  TRY_ASSIGN(auto result, c.Reshape(product, shape));
  return Values{result};
}

// The sum with the sizes of the product, which C must not make larger: ONNX's unidirectional
// broadcasting.
static Result<ValueId> WithSizesOf(NodeContext& c, ValueId product, ValueId sum) {
  const Shape wanted = c.TypeOf(product).shape, shape = c.TypeOf(sum).shape;
  if (shape == wanted) return sum;
  bool fits = shape.size() == wanted.size();
  for (size_t d = 0; fits && d < shape.size(); ++d)
    fits = shape[d] == wanted[d] || !shape[d].IsConstant() || !wanted[d].IsConstant();
  if (!fits) return Error{"C does not broadcast to " + Print(wanted) + ", the shape of A * B"};
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != wanted[d]) c.AssumeEqual(shape[d], wanted[d]);
  }
  return c.Add(graph::Refine{wanted}, {sum});
}

static Result<Values> ImportGemm(NodeContext& c) {
  double alpha = c.Float("alpha", 1), beta = c.Float("beta", 1);
  graph::MatMul op{c.Int("transA", 0) != 0, c.Int("transB", 0) != 0};
  TRY_ASSIGN(auto result, c.Add(op, {c[0], c[1]}));
  if (alpha != 1) {
    TRY_ASSIGN(result, c.Binary(BinaryOp::kMul, result, alpha));
  }
  if (c.Has(2) && beta != 0) {
    ValueId bias = c[2];
    if (beta != 1) {
      TRY_ASSIGN(bias, c.Binary(BinaryOp::kMul, bias, beta));
    }
    TRY_ASSIGN(auto sum, c.Binary(BinaryOp::kAdd, result, bias));
    TRY_ASSIGN(result, WithSizesOf(c, result, sum));
  }
  return Values{result};
}

// A product of which either side's last two dimensions may be swapped, or its first be moved in
// front of the last.
static Result<Values> ImportFusedMatMul(NodeContext& c) {
  std::vector<ValueId> sides;
  for (const char* side : {"A", "B"}) {
    ValueId x = c[sides.size()];
    int64_t rank = c.TypeOf(x).rank();
    std::vector<int64_t> order;
    for (int64_t d = 0; d < rank; ++d) order.push_back(d);
    // [m, batch..., k] as [batch..., m, k]
    if (c.Int(std::string("transBatch") + side, 0) != 0 && rank > 2)
      std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
    if (c.Int(std::string("trans") + side, 0) != 0 && rank > 1)
      std::swap(order[order.size() - 1], order[order.size() - 2]);
    TRY_ASSIGN(auto turned, c.Transpose(x, order));
    sides.push_back(turned);
  }
  NodeContext turned = c.WithOperand(0, sides[0]).WithOperand(1, sides[1]);
  TRY_ASSIGN(auto results, ImportMatMul(turned));
  double alpha = c.Float("alpha", 1);
  if (alpha != 1) {
    TRY_ASSIGN(results[0], c.Binary(BinaryOp::kMul, results[0], alpha));
  }
  return results;
}

static Result<Values> ImportFusedGemm(NodeContext& c) {
  TRY_ASSIGN(auto results, ImportGemm(c));
  std::string activation = c.String("activation", "");
  if (activation.empty()) return results;
  std::vector<double> parameters;
  for (const char* name : {"activation_alpha", "activation_beta"}) {
    if (c.HasAttribute(name)) parameters.push_back(c.Float(name, 0));
  }
  TRY_ASSIGN(results[0], Activated(c, activation, parameters, results[0]));
  return results;
}

namespace {

// ONNX's equation in full: an ellipsis becomes letters, a missing result is written out, and a
// letter that an operand repeats is taken along the diagonal by the definition of einsum.
class EquationWriter {
 public:
  explicit EquationWriter(NodeContext& c) : c_(c) {}

  Result<std::string> Run(std::string text) {
    text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
    size_t arrow = text.find("->");
    bool implicit = arrow == std::string::npos;
    std::vector<std::string> operands{""};
    for (char ch : text.substr(0, arrow)) {
      if (ch == ',') {
        operands.emplace_back();
      } else {
        operands.back() += ch;
      }
    }
    if (operands.size() != c_.count()) return Error{"the equation does not fit the operands"};
    for (char ch : text) used_[ch] = true;
    for (size_t i = 0; i < operands.size(); ++i) {
      TRY_ASSIGN(operands[i], Expand(operands[i], c_.Type(i).rank()));
    }
    std::string result;
    if (implicit) {
      result = ellipsis_ + Once(operands);
    } else {
      result = text.substr(arrow + 2);
      size_t dots = result.find("...");
      if (dots != std::string::npos) result.replace(dots, 3, ellipsis_);
    }
    std::string out;
    for (size_t i = 0; i < operands.size(); ++i) out += (i ? "," : "") + operands[i];
    return out + "->" + result;
  }

 private:
  Result<std::string> Expand(std::string labels, int64_t rank) {
    size_t dots = labels.find("...");
    if (dots == std::string::npos) return labels;
    int64_t hidden = rank - static_cast<int64_t>(labels.size()) + 3;
    if (hidden < 0) return Error{"the equation does not fit the operands"};
    // The ellipsis is aligned to the right, as broadcasting is.
    while (static_cast<int64_t>(ellipsis_.size()) < hidden) {
      char letter = 0;
      for (char ch = 'A'; ch <= 'z' && !letter; ++ch) {
        bool is_letter = ch <= 'Z' || ch >= 'a';
        if (is_letter && !used_[ch]) letter = ch;
      }
      if (!letter) return Error{"the equation has too many dimensions"};
      used_[letter] = true;
      ellipsis_ = letter + ellipsis_;
    }
    return labels.replace(dots, 3,
                          ellipsis_.substr(ellipsis_.size() - static_cast<size_t>(hidden)));
  }

  // The letters that occur once, in alphabetical order.
  std::string Once(const std::vector<std::string>& operands) {
    std::map<char, int> count;
    for (const std::string& labels : operands) {
      for (char ch : labels) ++count[ch];
    }
    std::string out;
    for (auto [letter, times] : count) {
      if (times == 1 && ellipsis_.find(letter) == std::string::npos) out += letter;
    }
    return out;
  }

  NodeContext& c_;
  std::map<char, bool> used_;
  std::string ellipsis_;
};

}  // namespace

static Result<Values> ImportEinsum(NodeContext& c) {
  TRY_ASSIGN(auto equation, EquationWriter(c).Run(c.String("equation", "")));
  std::vector<ValueId> operands;
  for (size_t i = 0; i < c.count(); ++i) operands.push_back(c[i]);
  TRY_ASSIGN(auto result, c.Add(graph::Einsum{equation}, operands));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Einsum", 1, ImportEinsum},
    {"", "Gemm", 2, ImportGemm},
    {"", "MatMul", 2, ImportMatMul, kAnyOpset},
    {"com.microsoft", "FusedGemm", 2, ImportFusedGemm},
    {"com.microsoft", "FusedMatMul", 2, ImportFusedMatMul},
    {"com.microsoft", "TransposeMatMul", 2, ImportFusedMatMul},
};

std::span<const Operator> ProductOperators() { return kOperators; }

}  // namespace webnnc::onnx
