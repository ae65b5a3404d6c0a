#include "loop/passes/words_in_memory.h"

#include <array>
#include <utility>

#include "loop/builder.h"

namespace webnnc::loop {

namespace {

constexpr size_t kBytesInWord = 4;

bool IsNumber(const Kernel& kernel, ExprId id, int64_t number) {
  if (auto* splat = std::get_if<Splat>(&kernel.exprs[id].node)) id = splat->a;
  auto* constant = std::get_if<Constant>(&kernel.exprs[id].node);
  return constant && IsInteger(constant->value.dtype) && constant->value.integer == number;
}

std::optional<std::pair<ExprId, ExprId>> OperandsOf(const Kernel& kernel, BinaryOp op, ExprId id) {
  auto* binary = std::get_if<Binary>(&kernel.exprs[id].node);
  if (!binary || binary->op != op || kernel.exprs[id].dtype != DType::kI32) return std::nullopt;
  return std::pair(binary->a, binary->b);
}

class Finder {
 public:
  Finder(Kernel& kernel, Simplifier& simplify)
      : kernel_(kernel), build_(kernel), simplify_(simplify) {}

  std::optional<WordsInMemory> Run(ExprId id) {
    auto parts = BytesOfWord(kernel_, id);
    if (!parts) return std::nullopt;
    WordsInMemory words;
    for (int32_t lane = 0; lane < kernel_.exprs[id].lanes; ++lane) {
      auto first = ByteOf((*parts)[0], lane);
      if (!first) return std::nullopt;
      const Polynomial begin = simplify_.ToPolynomial(first->index);
      bool fits = simplify_.KnownDivisor(begin) % static_cast<int64_t>(kBytesInWord) == 0;
      for (size_t n = 1; n < kBytesInWord && fits; ++n) {
        auto byte = ByteOf((*parts)[n], lane);
        Polynomial next = begin;
        next.constant += static_cast<int64_t>(n);
        fits = byte && byte->buffer == first->buffer && byte->conditions == first->conditions &&
               simplify_.ToPolynomial(byte->index) == next;
      }
      if (lane == 0) {
        words.buffer = first->buffer;
        words.conditions = first->conditions;
      }
      if (!fits || words.buffer != first->buffer || words.conditions != first->conditions)
        return std::nullopt;
      words.first.push_back(first->index);
    }
    return words;
  }

 private:
  struct Byte {
    BufferId buffer;
    ExprId index;
    std::vector<ExprId> conditions;
  };

  bool IsZero(ExprId id) const { return IsNumber(kernel_, id, 0); }

  // A lane of what is loaded, widened and chosen.
  std::optional<Byte> ByteOf(ExprId id, int32_t lane) {
    const Expr expr = kernel_.exprs[id];
    if (auto* pack = std::get_if<Pack>(&expr.node))
      return ByteOf(pack->lanes[static_cast<size_t>(lane)], 0);
    if (auto* convert = std::get_if<Convert>(&expr.node)) {
      bool widens = IsInteger(expr.dtype) && IsInteger(build_.dtype(convert->a)) &&
                    ByteSize(expr.dtype) >= ByteSize(build_.dtype(convert->a));
      return widens ? ByteOf(convert->a, lane) : std::nullopt;
    }
    if (auto* select = std::get_if<Select>(&expr.node)) {
      auto byte = ByteOf(select->yes, lane);
      const ExprId condition = LaneOf(select->condition, lane);
      if (!byte || !condition.valid() || !IsZero(select->no)) return std::nullopt;
      byte->conditions.push_back(condition);
      return byte;
    }
    auto* load = std::get_if<Load>(&expr.node);
    bool fits = load && expr.dtype == DType::kI8;
    if (!fits) return std::nullopt;
    ExprId index = load->index[0];
    if (lane > 0) index = build_.Add(index, build_.Int(lane));
    return Byte{load->buffer, index, {}};
  }

  // Invalid if it is not to be seen.
  ExprId LaneOf(ExprId id, int32_t lane) const {
    const Expr& expr = kernel_.exprs[id];
    if (auto* splat = std::get_if<Splat>(&expr.node)) return splat->a;
    if (auto* pack = std::get_if<Pack>(&expr.node)) return pack->lanes[static_cast<size_t>(lane)];
    return expr.lanes == 1 ? id : ExprId();
  }

  Kernel& kernel_;
  Builder build_;
  Simplifier& simplify_;
};

}  // namespace

std::optional<std::array<ExprId, kBytesInWord>> BytesOfWord(const Kernel& kernel, ExprId id) {
  // A byte that has no sign needs no mask.
  auto unmasked = [&](ExprId part) -> std::optional<ExprId> {
    auto masked = OperandsOf(kernel, BinaryOp::kAnd, part);
    if (masked && IsNumber(kernel, masked->second, UINT8_MAX)) return masked->first;
    auto* convert = std::get_if<Convert>(&kernel.exprs[part].node);
    bool is_byte = convert && kernel.exprs[convert->a].dtype == DType::kU8;
    return is_byte ? std::optional(part) : std::nullopt;
  };
  std::array<ExprId, kBytesInWord> parts;
  for (size_t n = kBytesInWord; n-- > 0;) {
    parts[n] = id;
    if (n > 0) {
      auto either = OperandsOf(kernel, BinaryOp::kOr, id);
      auto shifted =
          either ? OperandsOf(kernel, BinaryOp::kShiftLeft, either->second) : std::nullopt;
      if (!shifted || !IsNumber(kernel, shifted->second, static_cast<int64_t>(8 * n)))
        return std::nullopt;
      id = either->first;
      parts[n] = shifted->first;
    }
    if (n + 1 == kBytesInWord) continue;
    auto part = unmasked(parts[n]);
    if (!part) return std::nullopt;
    parts[n] = *part;
  }
  return parts;
}

std::optional<WordsInMemory> FindWords(Kernel& kernel, Simplifier& simplify, ExprId id) {
  return Finder(kernel, simplify).Run(id);
}

}  // namespace webnnc::loop
