#include "loop/passes/packed_words.h"

#include <algorithm>

#include "loop/builder.h"

namespace webnnc::loop {

namespace {

constexpr int64_t kWordBits = 32;

class Reader {
 public:
  Reader(Kernel& kernel, Simplifier& simplify, BufferId buffer, DType dtype)
      : build_(kernel),
        simplify_(simplify),
        buffer_(buffer),
        word_(WordType(dtype)),
        is_bool_(dtype == DType::kBool),
        bits_(BitSize(dtype)) {}

  ExprId Load(ExprId index, int32_t lanes) {
    int64_t per_word = kWordBits / std::min(bits_, kWordBits);
    int64_t divisor = simplify_.KnownDivisor(simplify_.ToPolynomial(index));
    if (per_word > 1 && lanes == per_word && divisor % per_word == 0) return LoadWord(index, lanes);
    if (per_word > 1 && lanes % per_word == 0 && divisor % per_word == 0)
      return LoadWords(index, lanes, static_cast<int32_t>(per_word));
    std::vector<ExprId> elements;
    for (int32_t lane = 0; lane < lanes; ++lane) {
      elements.push_back(LoadElement(simplify_(build_.Add(index, build_.Int(lane)))));
    }
    return lanes == 1 ? elements[0] : build_.Pack(elements);
  }

 private:
  ExprId WordAt(ExprId index) { return build_.Load(buffer_, {simplify_(index)}); }
  ExprId Number(int64_t value) { return build_.Constant(Scalar::Integer(word_, value)); }

  // All elements of one word.
  ExprId LoadWord(ExprId index, int32_t lanes) {
    ExprId word = WordAt(build_.FloorDiv(index, build_.Int(lanes)));
    std::vector<ExprId> positions;
    for (int32_t lane = 0; lane < lanes; ++lane) positions.push_back(Number(ShiftOf(lane)));
    return Cut(build_.Splat(word, lanes), build_.Pack(positions), lanes);
  }

  // All elements of several.
  ExprId LoadWords(ExprId index, int32_t lanes, int32_t per_word) {
    std::vector<ExprId> words, positions;
    for (int32_t lane = 0; lane < lanes; ++lane) {
      ExprId first = simplify_(build_.Add(index, build_.Int(lane / per_word * per_word)));
      words.push_back(WordAt(build_.FloorDiv(first, build_.Int(per_word))));
      positions.push_back(Number(ShiftOf(lane % per_word)));
    }
    return Cut(build_.Pack(words), build_.Pack(positions), lanes);
  }

  ExprId LoadElement(ExprId index) {
    if (bits_ >= kWordBits) {
      return WordAt(build_.Mul(index, build_.Int(bits_ / kWordBits)));
    }
    ExprId per_word = build_.Int(kWordBits / bits_);
    ExprId word = WordAt(build_.FloorDiv(index, per_word));
    ExprId position = simplify_(build_.FloorMod(index, per_word));
    ExprId shift = build_.Mul(position, build_.Int(ShiftOf(1) - ShiftOf(0)));
    shift = simplify_(build_.Add(shift, build_.Int(ShiftOf(0))));
    return Cut(word, build_.Convert(shift, word_), 1);
  }

  // By how much the element at `position` is shifted: to the top if it has a sign, else to the
  // bottom.
  int64_t ShiftOf(int64_t position) const {
    return IsSigned(word_) ? kWordBits - bits_ - position * bits_ : position * bits_;
  }

  ExprId Cut(ExprId word, ExprId shift, int32_t lanes) {
    auto all = [&](int64_t value) { return build_.Splat(Number(value), lanes); };
    if (IsSigned(word_)) {
      ExprId top = build_.Apply(BinaryOp::kShiftLeft, word, shift);
      return build_.Apply(BinaryOp::kShiftRight, top, all(kWordBits - bits_));
    }
    ExprId bottom = build_.Apply(BinaryOp::kShiftRight, word, shift);
    ExprId element = build_.And(bottom, all((int64_t{1} << bits_) - 1));
    return is_bool_ ? build_.Convert(element, DType::kBool) : element;
  }

  Builder build_;
  Simplifier& simplify_;
  BufferId buffer_;
  DType word_;
  bool is_bool_;
  int64_t bits_;
};

}  // namespace

DType WordType(DType dtype) { return IsSigned(dtype) ? DType::kI32 : DType::kU32; }

Dim WordCount(DType dtype, const Dim& count) { return CeilDiv(count * BitSize(dtype), kWordBits); }

ExprId LoadFromWords(Kernel& kernel, Simplifier& simplify, BufferId buffer, DType dtype,
                     ExprId index, int32_t lanes) {
  return Reader(kernel, simplify, buffer, dtype).Load(index, lanes);
}

ExprId WordsOf(Kernel& kernel, BufferId elements, DType dtype) {
  Builder build(kernel);
  const int64_t bits = BitSize(dtype), per_word = kWordBits / bits,
                count = kernel.buffers[elements].type.shape[0].value();
  auto number = [&](int64_t n) { return build.Constant(Scalar::Integer(WordType(dtype), n)); };
  std::vector<ExprId> words;
  for (int64_t first = 0; first < count; first += per_word) {
    ExprId word;
    for (int64_t n = 0; n < per_word; ++n) {
      ExprId part = build.Load(elements, {build.Int(first + n)});
      if (n + 1 < per_word) part = build.And(part, number((int64_t{1} << bits) - 1));
      if (n > 0) part = build.Apply(BinaryOp::kShiftLeft, part, number(n * bits));
      word = n > 0 ? build.Or(word, part) : part;
    }
    words.push_back(word);
  }
  return words.size() == 1 ? words[0] : build.Pack(words);
}

}  // namespace webnnc::loop
