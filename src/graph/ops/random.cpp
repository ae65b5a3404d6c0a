// random_bits.
#include "graph/ops/shapes.h"

namespace webnnc::graph {

Result<Types> RandomBits::Infer(std::span<const TensorType>) const {
  for (int64_t key : {key0, key1}) {
    if (key < 0 || key > UINT32_MAX) return Error{"random_bits: a key has 32 bits"};
  }
  if (word != 0 && word != 1) return Error{"random_bits: there are words 0 and 1"};
  return Types{{DType::kU32, shape}};
}

// The hash takes shifts, products and exclusive ors of 32 bits, which all targets have. Each x ^ x
// >> n names x twice, so a kernel's expression, which is a tree, doubles four times. Generators
// with more rounds (Philox, Threefry) would need a stage for every few of them.
void RandomBits::Lower(loop::Lowering& to) const {
  using loop::BinaryOp;
  loop::Builder& b = to.build;
  auto constant = [&](int64_t value) {
    return b.Constant(Scalar::Integer(DType::kU32, static_cast<uint32_t>(value)));
  };
  auto exclusive_or = [&](loop::ExprId x, loop::ExprId y) { return b.Apply(BinaryOp::kXor, x, y); };
  auto mix = [&](loop::ExprId x, int64_t bits) {
    return exclusive_or(x, b.Apply(BinaryOp::kShiftRight, x, constant(bits)));
  };
  LowerMap(to, [&](const loop::Index& at) {
    loop::ExprId place = b.Int(0);
    for (size_t d = 0; d < shape.size(); ++d) place = b.Add(b.Mul(place, b.Size(shape[d])), at[d]);
    loop::ExprId x = b.Mul(b.Convert(place, DType::kU32), constant(2));
    x = exclusive_or(b.Add(x, constant(word)), constant(key0));
    x = exclusive_or(b.Mul(mix(x, 17), constant(0xed5ad4bb)), constant(key1));
    x = b.Mul(mix(x, 11), constant(0xac4c1b51));
    x = b.Mul(mix(x, 15), constant(0x31848bab));
    return mix(x, 14);
  });
}

}  // namespace webnnc::graph
