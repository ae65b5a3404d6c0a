#include "graph/passes/block_cumulations.h"

#include "graph/passes/in_parts.h"

namespace webnnc::graph {

namespace {

// How many elements a block has, or 0 where the row stays one: a power of two, and about as many as
// there are blocks.
int64_t BlockSize(const TensorType& x, const Cumulate& op, const Machine::Cumulations& limits) {
  // A zero before a block whose own product overflows must stay a zero.
  bool is_exact = op.kind == ReduceKind::kSum || !IsFloat(x.dtype);
  if (!IsStatic(x.shape) || !is_exact) return 0;
  int64_t length = x.shape[static_cast<size_t>(op.axis)].value();
  int64_t rows = length == 0 ? 0 : ElementCount(x.shape).value() / length;
  if (length < limits.shortest || rows > limits.most_rows) return 0;
  int64_t size = 1;
  while (size * size < length) size *= 2;
  return size;
}

class Blocks {
 public:
  Blocks(Builder& build, const Node& node, const Cumulate& op, int64_t size, std::string name)
      : build_(build), node_(node), op_(op), size_(size), name_(std::move(name)) {}

  ValueId Run() {
    ValueId x = node_.operands[0];
    const TensorType type = build_.type(x);
    auto along = static_cast<size_t>(op_.axis);
    // Of f16 nothing is rounded before the end.
    if (type.dtype == DType::kF16) x = build_.Add(Cast{DType::kF32}, {x}, name_);
    double neutral = op_.kind == ReduceKind::kSum ? 0 : 1;
    ValueId blocks = InParts(build_, x, op_.axis, size_, neutral, name_, name_ + "_blocks");
    Cumulate within = op_, across = op_;
    within.axis = op_.axis + 1;
    across.exclusive = true;
    ValueId own = build_.Add(within, {blocks}, name_ + "_own");
    ValueId totals = build_.Add(Reduce{op_.kind, {within.axis}, true}, {blocks}, name_ + "_totals");
    ValueId before = build_.Add(across, {totals}, name_ + "_before");
    loop::BinaryOp combine =
        op_.kind == ReduceKind::kSum ? loop::BinaryOp::kAdd : loop::BinaryOp::kMul;
    ValueId all = build_.Add(Binary{combine}, {own, before}, name_);
    ValueId row = InOne(build_, all, op_.axis, type.shape[along], name_);
    return type.dtype == DType::kF16 ? build_.Add(Cast{DType::kF16}, {row}, name_) : row;
  }

 private:
  Builder& build_;
  const Node& node_;
  Cumulate op_;
  int64_t size_;
  std::string name_;
};

}  // namespace

void BlockCumulations(Graph& graph, const Machine::Cumulations& limits) {
  Rewriter rewrite(graph);
  for (Node& node : rewrite.nodes()) {
    auto* op = std::get_if<Cumulate>(&node.op);
    int64_t size = op ? BlockSize(graph.values[node.operands[0]].type, *op, limits) : 0;
    if (size == 0) {
      rewrite.Keep(std::move(node));
      continue;
    }
    rewrite.build.SetOrigins(node.origins);
    Blocks blocks(rewrite.build, node, *op, size, graph.values[node.result()].name);
    rewrite.Replace(node, blocks.Run());
  }
}

}  // namespace webnnc::graph
