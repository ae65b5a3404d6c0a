// Tiles whose words are several narrow integers, which a dot multiplies: two of 16 bits, or four of
// 8.
#include <algorithm>

#include "schedule/bytes.h"
#include "schedule/nest_builder.h"

namespace webnnc::schedule {

using loop::ExprId;
using loop::Space;

static constexpr int64_t kWordBits = 32, kHalfBits = 16;

bool NestBuilder::DotsBytes() const {
  if (list_->loops.empty()) return false;
  const NestLoop& innermost = list_->loops.back();
  return innermost.dot && innermost.extent.Is(kBytesInWord) && nest_.product &&
         IsByte(kernel_, nest_.product->left) && IsByte(kernel_, nest_.product->right);
}

std::string NestBuilder::WordOf(const Stage& stage) {
  const NestLoop& innermost = list_->loops.back();
  bool left_out = innermost.dot && std::find(stage.layout.begin(), stage.layout.end(),
                                             innermost.name) == stage.layout.end();
  bool is_side = stage.operand.part == Operand::kLeft || stage.operand.part == Operand::kRight;
  if (!left_out) return "";
  if (DotsBytes()) return is_side ? innermost.name : "";
  bool alone = stage.space == Space::kRegister && !thread_.valid();
  const DType dtype = build_.dtype(StagedOperand(stage));
  bool fits = dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI16;
  return alone && fits && innermost.extent.Is(2) ? innermost.name : "";
}

ExprId NestBuilder::StagedValue(const Stage& stage) {
  if (!WordOf(stage).empty()) return DotsBytes() ? ByteWord(stage.operand) : PairWord(stage);
  ExprId raw = RawOperand(stage.operand), staged = StagedOperand(stage);
  return staged == raw ? OperandValue(stage.operand) : GuardedOperand(stage.operand, staged);
}

ExprId NestBuilder::MakeWord(const NestLoop& loop, const std::function<ExprId()>& element) {
  auto number = [&](int64_t value) { return build_.Constant(Scalar::Integer(DType::kI32, value)); };
  const int64_t count = loop.extent.value(), bits = kWordBits / count;
  ExprId word = number(0);
  for (int64_t n = 0; n < count; ++n) {
    env_[loop.var] = build_.Int(n);
    ExprId part = build_.Convert(element(), DType::kI32);
    if (n + 1 < count) part = build_.And(part, number((int64_t{1} << bits) - 1));
    if (n > 0) part = build_.Apply(loop::BinaryOp::kShiftLeft, part, number(n * bits));
    word = n > 0 ? build_.Or(word, part) : part;
  }
  return word;
}

ExprId NestBuilder::PairWord(const Stage& stage) {
  const ExprId staged = StagedOperand(stage);
  return MakeWord(list_->loops.back(), [&] {
    return staged == RawOperand(stage.operand) ? OperandValue(stage.operand)
                                               : GuardedOperand(stage.operand, staged);
  });
}

ExprId NestBuilder::ElementOfPair(ExprId word, const std::string& pair) {
  ExprId bits = build_.Constant(Scalar::Integer(DType::kI32, kHalfBits));
  const Scalar* number = build_.ConstantValue(ValueOf(*list_->Find(pair)));
  bool first = number && number->IsZero();
  ExprId top = first ? build_.Apply(loop::BinaryOp::kShiftLeft, word, bits) : word;
  return build_.Apply(loop::BinaryOp::kShiftRight, top, bits);
}

ExprId NestBuilder::ByteWord(const Operand& operand) {
  if (auto tile = tiles_.find(operand); tile != tiles_.end() && !tile->second.word.empty())
    return build_.Load(tile->second.buffer, TileIndex(tile->second));
  const ExprId raw = RawOperand(operand);
  if (auto* either = DotByteOf(kernel_, raw)) {
    const ExprId number = either->a;
    ExprId word = MakeWord(list_->loops.back(), [&] { return GuardedOperand(operand, number); });
    return build_.Apply(loop::UnaryOp::kDotBytes, word);
  }
  const ExprId factor = ByteAsInteger(kernel_, raw);
  return MakeWord(list_->loops.back(), [&] { return GuardedOperand(operand, factor); });
}

ExprId NestBuilder::LoadTile(const Tile& tile) {
  ExprId element = build_.Load(tile.buffer, TileIndex(tile));
  return tile.word.empty() ? element : ElementOfPair(element, tile.word);
}

}  // namespace webnnc::schedule
