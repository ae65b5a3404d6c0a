// Tiles whose words are pairs of integers of 16 bits: what a dot of two iterations multiplies.
#include <algorithm>

#include "schedule/nest_builder.h"

namespace webnnc::schedule {

using loop::ExprId;
using loop::Space;

static constexpr int64_t kHalfBits = 16;

std::string NestBuilder::PairOf(const Stage& stage) {
  const NestLoop& innermost = list_->loops.back();
  bool alone = stage.space == Space::kRegister && !thread_.valid();
  bool left_out =
      innermost.dot && innermost.extent.Is(2) &&
      std::find(stage.layout.begin(), stage.layout.end(), innermost.name) == stage.layout.end();
  if (!alone || !left_out) return "";
  const DType dtype = build_.dtype(StagedOperand(stage));
  bool fits = dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI16;
  return fits ? innermost.name : "";
}

ExprId NestBuilder::PairWord(const std::string& pair, const std::function<ExprId()>& element) {
  auto number = [&](int64_t value) { return build_.Constant(Scalar::Integer(DType::kI32, value)); };
  auto at = [&](int64_t n) {
    env_[list_->Find(pair)->var] = build_.Int(n);
    return build_.Convert(element(), DType::kI32);
  };
  ExprId first = build_.And(at(0), number((int64_t{1} << kHalfBits) - 1));
  return build_.Or(first, build_.Apply(loop::BinaryOp::kShiftLeft, at(1), number(kHalfBits)));
}

ExprId NestBuilder::ElementOfPair(ExprId word, const std::string& pair) {
  ExprId bits = build_.Constant(Scalar::Integer(DType::kI32, kHalfBits));
  const Scalar* number = build_.ConstantValue(ValueOf(*list_->Find(pair)));
  bool first = number && number->IsZero();
  ExprId top = first ? build_.Apply(loop::BinaryOp::kShiftLeft, word, bits) : word;
  return build_.Apply(loop::BinaryOp::kShiftRight, top, bits);
}

ExprId NestBuilder::LoadTile(const Tile& tile) {
  ExprId element = build_.Load(tile.buffer, TileIndex(tile));
  return tile.pair.empty() ? element : ElementOfPair(element, tile.pair);
}

}  // namespace webnnc::schedule
