// Knuth, The Art of Computer Programming, 5.2.5: sorting by distribution.
#include "graph/ops/sort_digits.h"

#include <cmath>
#include <limits>

namespace webnnc::graph {

namespace {

using loop::BinaryOp;
using loop::BufferId;
using loop::ExprId;
using loop::Index;
using loop::UnaryOp;

// How keys are read: so many digits of so many bits.
struct Digits {
  int64_t count, bits;
  int64_t values() const { return int64_t{1} << bits; }
};

// What sorting takes: each digit looks at each element twice and at each value of a digit twice.
double CostOf(double elements, const Digits& digits) {
  return static_cast<double>(digits.count) *
         (5 * elements + 2 * static_cast<double>(digits.values()));
}

// The fastest way to read keys of so many bits. Where nothing is known of how many there are it is
// for some thousands, and as right for others.
Digits DigitsFor(const Dim& elements, int64_t bits) {
  constexpr int64_t kOpen = 2000, kMostBits = 11;
  auto number = static_cast<double>(elements.IsConstant() ? elements.value() : kOpen);
  Digits best{bits, 1};
  for (int64_t width = 2; width <= kMostBits; ++width) {
    Digits digits{(bits + width - 1) / width, width};
    if (CostOf(number, digits) < CostOf(number, best)) best = digits;
  }
  return best;
}

class DigitSort {
 public:
  DigitSort(loop::Lowering& to, const SortedRows& rows,
            const std::function<ExprId(const Index& row, ExprId place)>& element)
      : to_(to), b_(to.build), rows_(rows), element_(element) {
    int64_t own = 8 * ByteSize(rows.dtype);
    bits_ = IsFloat(rows.dtype) ? std::max<int64_t>(own, 32) : own;
    key_ = bits_ > 32 ? DType::kI64 : DType::kI32;
  }

  BufferId Run() {
    Dim block = BlockSize();
    if (block.Is(1)) {
      BufferId keys = Keys("keys", rows_.size,
                           [&](const Index& row, ExprId i) { return KeyOf(element_(row, i)); });
      return Sort(keys, rows_.size, "places");
    }
    return SortSome(block);
  }

 private:
  // ---- Keys

  // Integers of `bits_` bits with their sign, as i32 or i64, of which the smallest comes first.
  ExprId KeyOf(ExprId x) {
    ExprId key = IsFloat(rows_.dtype) ? KeyOfReal(x) : KeyOfInteger(x);
    return rows_.smallest ? key : b_.Apply(UnaryOp::kBitNot, key);
  }

  ExprId KeyOfReal(ExprId x) {
    if (bits_ == 32) x = b_.Convert(x, DType::kF32);
    // Those of negative numbers have the sign's bit, and get larger as the number gets smaller.
    ExprId bits = b_.Apply(UnaryOp::kBits, x);
    ExprId sign = b_.Apply(BinaryOp::kShiftRight, bits, Number(bits_ - 1));
    ExprId key = b_.Apply(BinaryOp::kXor, bits, b_.And(sign, Number(Largest())));
    key = b_.Select(b_.Equal(x, b_.Real(b_.dtype(x), 0)), Number(0), key);
    return b_.Select(b_.Apply(UnaryOp::kIsNan, x), Number(Largest()), key);
  }

  ExprId KeyOfInteger(ExprId x) {
    ExprId key = b_.Convert(x, key_);
    if (IsSigned()) return key;
    return bits_ < 32 ? b_.Sub(key, Number(int64_t{1} << (bits_ - 1)))
                      : b_.Apply(BinaryOp::kXor, key, Number(-Largest() - 1));
  }

  bool IsSigned() const {
    return rows_.dtype == DType::kI8 || rows_.dtype == DType::kI16 || rows_.dtype == DType::kI32 ||
           rows_.dtype == DType::kI64;
  }
  int64_t Largest() const { return std::numeric_limits<int64_t>::max() >> (64 - bits_); }
  ExprId Number(int64_t value) { return b_.Constant(webnnc::Scalar::Integer(key_, value)); }

  // ---- Stages

  Shape RowsBy(const Dim& size) const {
    Shape shape = rows_.rows;
    shape.push_back(size);
    return shape;
  }
  BufferId Temporary(const std::string& name, DType dtype, const Dim& size) {
    return to_.Temporary(name, {dtype, RowsBy(size)});
  }
  static Index At(Index row, ExprId place) {
    row.push_back(place);
    return row;
  }

  using Value = std::function<ExprId(const Index& row, ExprId place)>;
  BufferId Map(const std::string& name, DType dtype, const Dim& size, const Value& value) {
    BufferId buffer = Temporary(name, dtype, size);
    b_.ForEach(RowsBy(size), [&](const Index& at) {
      b_.Store(buffer, at, value({at.begin(), at.end() - 1}, at.back()));
    });
    return buffer;
  }
  BufferId Zeros(const std::string& name, const Dim& size) {
    return Map(name, DType::kI32, size, [&](const Index&, ExprId) { return b_.Int(0); });
  }
  BufferId Keys(const std::string& name, const Dim& size, const Value& value) {
    return Map(name, key_, size, value);
  }
  // For ordered loops: buffer[row, place(row)] = value(row)
  using OfRow = std::function<ExprId(const Index& row)>;
  void Set(BufferId buffer, const OfRow& place, const OfRow& value) {
    b_.ForEach(rows_.rows,
               [&](const Index& row) { b_.Store(buffer, At(row, place(row)), value(row)); });
  }
  // buffer[row, place(row)] += value(row)
  void Add(BufferId buffer, const OfRow& place, const OfRow& value) {
    Set(buffer, place,
        [&](const Index& row) { return b_.Add(b_.Load(buffer, At(row, place(row))), value(row)); });
  }
  const OfRow zero = [this](const Index&) { return b_.Int(0); };
  const OfRow one = [this](const Index&) { return b_.Int(1); };

  // ---- Sorting

  // Gives where the keys are, in order.
  BufferId Sort(BufferId keys, const Dim& size, const std::string& name) {
    Digits digits = DigitsFor(size, bits_);
    std::vector<BufferId> begins = BeginsOf(keys, size, digits, name);
    BufferId where{};
    for (int64_t d = 0; d < digits.count; ++d) {
      BufferId begin = begins[static_cast<size_t>(d)], from = keys, before = where;
      where = Temporary(name, DType::kI32, size);
      bool goes_on = d + 1 < digits.count;
      if (goes_on) keys = Temporary(name + "_keys", key_, size);
      b_.ForOrdered("i", size, [&](ExprId i) {
        auto digit = [&](const Index& row) {
          return DigitOf(b_.Load(from, At(row, i)), digits, d);
        };
        auto place = [&](const Index& row) { return b_.Load(begin, At(row, digit(row))); };
        Set(where, place,
            [&](const Index& row) { return d == 0 ? i : b_.Load(before, At(row, i)); });
        if (goes_on) Set(keys, place, [&](const Index& row) { return b_.Load(from, At(row, i)); });
        Add(begin, digit, one);
      });
    }
    return where;
  }

  // The lowest digit is digit 0. The highest bit of a key is its sign.
  ExprId DigitOf(ExprId key, const Digits& digits, int64_t d) {
    ExprId digit = b_.Apply(BinaryOp::kShiftRight, key, Number(d * digits.bits));
    digit = b_.And(digit, Number(digits.values() - 1));
    if (d + 1 == digits.count) digit = b_.Apply(BinaryOp::kXor, digit, Number(digits.values() / 2));
    return b_.Convert(digit, DType::kI32);
  }

  // For each digit, and each of its values, where elements with it begin.
  std::vector<BufferId> BeginsOf(BufferId keys, const Dim& size, const Digits& digits,
                                 const std::string& name) {
    std::vector<BufferId> counts, begins, totals;
    for (int64_t d = 0; d < digits.count; ++d)
      counts.push_back(Zeros(name + "_counts", digits.values()));
    b_.ForOrdered("i", size, [&](ExprId i) {
      for (int64_t d = 0; d < digits.count; ++d) {
        auto digit = [&](const Index& row) {
          return DigitOf(b_.Load(keys, At(row, i)), digits, d);
        };
        Add(counts[static_cast<size_t>(d)], digit, one);
      }
    });
    for (int64_t d = 0; d < digits.count; ++d) {
      totals.push_back(Zeros(name + "_total", 1));
      begins.push_back(Temporary(name + "_begins", DType::kI32, digits.values()));
    }
    b_.ForOrdered("v", digits.values(), [&](ExprId v) {
      for (size_t d = 0; d < counts.size(); ++d) {
        Set(
            begins[d], [&](const Index&) { return v; },
            [&](const Index& row) { return b_.Load(totals[d], At(row, zero(row))); });
        Add(totals[d], zero, [&](const Index& row) { return b_.Load(counts[d], At(row, v)); });
      }
    });
    return begins;
  }

  // ---- Few of many

  // How many elements a block has, a power of two: 1 where all are sorted.
  Dim BlockSize() const {
    const Dim &size = rows_.size, &count = rows_.count;
    if (count == size) return 1;
    // What is sorted is at most a sixteenth more than all, whatever the sizes are.
    constexpr int64_t kOpen = 16, kLargest = 1024;
    if (!size.IsConstant() || !count.IsConstant()) return kOpen;
    auto elements = static_cast<double>(size.value()), wanted = static_cast<double>(count.value());
    // Finding the first of each block, by vectors.
    double looked_at = elements / 2, best = CostOfAll(elements);
    int64_t chosen = 1;
    for (int64_t block = 4; block <= kLargest; block *= 2) {
      auto length = static_cast<double>(block);
      double blocks = std::ceil(elements / length);
      double cost =
          looked_at + CostOfAll(blocks) + 4 * blocks + CostOfAll(std::min(wanted, blocks) * length);
      if (cost < best) {
        best = cost;
        chosen = block;
      }
    }
    return chosen;
  }
  double CostOfAll(double elements) const {
    Dim number = static_cast<int64_t>(elements);
    return CostOf(elements, DigitsFor(number, bits_));
  }

  // The key of an element of the row, or one that comes last behind its end.
  ExprId KeyAt(const Index& row, ExprId place) {
    ExprId inside = b_.Less(place, b_.Size(rows_.size));
    return b_.Select(inside, KeyOf(element_(row, place)), Number(Largest()));
  }

  BufferId SortSome(const Dim& block) {
    const Dim blocks = CeilDiv(rows_.size, block), chosen = Min(rows_.count, blocks);
    BufferId taken = TakenBlocks(block, blocks, chosen);
    auto place = [&](const Index& row, ExprId i) {
      ExprId size = b_.Size(block);
      ExprId begin = b_.Mul(b_.Load(taken, At(row, b_.FloorDiv(i, size))), size);
      return b_.Add(begin, b_.FloorMod(i, size));
    };
    const Dim left = chosen * block;
    BufferId keys =
        Keys("keys", left, [&](const Index& row, ExprId i) { return KeyAt(row, place(row, i)); });
    BufferId order = Sort(keys, left, "places");
    return Map("where", DType::kI32, rows_.count,
               [&](const Index& row, ExprId i) { return place(row, b_.Load(order, At(row, i))); });
  }

  // Which blocks have the first elements, in the order in which they are in the row, so that of
  // equal elements the first stays first.
  BufferId TakenBlocks(const Dim& block, const Dim& blocks, const Dim& chosen) {
    BufferId firsts = Temporary("firsts", key_, blocks);
    Shape domain = RowsBy(blocks);
    domain.push_back(block);
    b_.ForEach(domain, [&](const Index& all) {
      Index at(all.begin(), all.end() - 1), row(all.begin(), all.end() - 2);
      ExprId place = b_.Add(b_.Mul(at.back(), b_.Size(block)), all.back());
      b_.Reduce(firsts, at, KeyAt(row, place), loop::Update::kMin, Number(Largest()));
    });
    BufferId order = Sort(firsts, blocks, "blocks");
    BufferId is_taken = Zeros("is_taken", blocks), count = Zeros("count", 1);
    b_.ForOrdered("i", chosen, [&](ExprId i) {
      Set(is_taken, [&](const Index& row) { return b_.Load(order, At(row, i)); }, one);
    });
    // What is not taken goes behind the others, where the next one takes its place.
    BufferId taken = Temporary("taken", DType::kI32, chosen + 1);
    b_.ForOrdered("i", blocks, [&](ExprId i) {
      auto counted = [&](const Index& row) { return b_.Load(count, At(row, zero(row))); };
      Set(taken, counted, [&](const Index&) { return i; });
      Add(count, zero, [&](const Index& row) { return b_.Load(is_taken, At(row, i)); });
    });
    return taken;
  }

  loop::Lowering& to_;
  loop::Builder& b_;
  const SortedRows& rows_;
  const std::function<ExprId(const Index& row, ExprId place)>& element_;
  int64_t bits_;
  DType key_;
};

}  // namespace

BufferId FirstByDigits(loop::Lowering& to, const SortedRows& rows,
                       const std::function<ExprId(const Index& row, ExprId place)>& element) {
  return DigitSort(to, rows, element).Run();
}

}  // namespace webnnc::graph
