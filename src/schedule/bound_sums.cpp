#include "schedule/bound_sums.h"

#include <algorithm>
#include <set>

#include "loop/kernel.h"
#include "schedule/accuracy.h"
#include "schedule/nest.h"

namespace webnnc::schedule {

namespace {

// How large sizes may be, if the tensors of the kernel are as large as tensors may be.
class Largest {
 public:
  explicit Largest(const loop::Kernel& plain) {
    for (const loop::Buffer& buffer : plain.buffers) {
      Dim bytes = ElementCount(buffer.type.shape) * ByteSize(buffer.type.dtype);
      if (!bytes.IsConstant()) tensors_.push_back(bytes);
    }
  }

  int64_t operator()(const Dim& dim) const {
    if (dim.IsConstant()) return dim.value();
    std::set<std::string> symbols;
    dim.CollectSymbols(symbols);
    int64_t value = 1;
    while (value < INT32_MAX / 2 && Fits(dim, symbols, value * 2)) value *= 2;
    // Between this power of two and the next.
    for (int64_t step = value / 2; step > 0; step /= 2) {
      if (Fits(dim, symbols, value + step)) value += step;
    }
    return ValueAt(dim, symbols, value);
  }

 private:
  // What `dim` is where `symbols` have this value, and others are 1.
  static int64_t ValueAt(const Dim& dim, const std::set<std::string>& symbols, int64_t value) {
    std::set<std::string> all;
    dim.CollectSymbols(all);
    SymbolValues values;
    for (const std::string& symbol : all) values[symbol] = symbols.count(symbol) ? value : 1;
    return dim.Evaluate(values);
  }

  bool Fits(const Dim& dim, const std::set<std::string>& symbols, int64_t value) const {
    auto fits = [&](const Dim& size) { return ValueAt(size, symbols, value) <= INT32_MAX; };
    return fits(dim) && std::all_of(tensors_.begin(), tensors_.end(), fits);
  }

  std::vector<Dim> tensors_;
};

class Bounder {
 public:
  Bounder(const loop::Kernel& plain, Nests& nests) : largest_(plain), nests_(nests) {
    for (const Nest& nest : nests.nests) is_hosted_ |= nest.host.has_value();
  }

  Schedule Run() {
    for (Nest& nest : nests_.nests) {
      bool rounds = nest.Reduces() && nest.update == loop::Update::kAdd &&
                    IsFloat(nests_.kernel.exprs[nest.value()].dtype);
      // Fragments are summed where they are, and products of bytes as integers.
      bool is_apart = std::any_of(
          nest.main.loops.begin(), nest.main.loops.end(),
          [](const NestLoop& loop) { return loop.kind == loop::LoopKind::kMatrix || loop.dot; });
      if (!rounds || is_apart) continue;
      for (LoopList* list : nest.Lists()) Walk(nest, *list);
    }
    return std::move(schedule_);
  }

 private:
  // From the innermost loop out: `terms` is how many go into the variable that is added to there.
  void Walk(const Nest& nest, const LoopList& list) {
    const int64_t most = MostTerms(nest);
    Dim terms = 1;
    for (size_t i = list.loops.size(); i-- > 0;) {
      const NestLoop& loop = list.loops[i];
      if (!loop.reduction || loop.combined) continue;
      int64_t inside = largest_(terms);
      int64_t cut = PartOf(nest, list, loop);
      terms = cut > 0 ? CeilDiv(ExtentOf(loop), cut) : terms * ExtentOf(loop);
      if (largest_(terms) <= most) continue;
      int64_t every = cut > 0 ? cut * kPart : 2;
      while (cut == 0 && every * 2 * inside <= kPart) every *= 2;
      terms = Cut(loop, list.stage, every, most);
    }
  }

  // Squares are no products of two tensors, of which a thread keeps many.
  static int64_t MostTerms(const Nest& nest) {
    bool is_product = nest.product && nest.product->left != nest.product->right;
    return is_product ? kMostProducts : kMostTerms;
  }

  // What is left behind whole tiles is known to be few, if not how few.
  static Dim ExtentOf(const NestLoop& loop) {
    auto most = UpperBound(loop.extent);
    return most && *most <= kPart ? Dim(*most) : loop.extent;
  }

  // How many iterations of the loop are summed apart already; 0 if none.
  static int64_t PartOf(const Nest& nest, const LoopList& list, const NestLoop& loop) {
    int64_t part = 0;
    for (const Subtotal& subtotal : nest.subtotals) {
      bool counts = subtotal.at.name == loop.name && (subtotal.every > 1 || &list == &nest.main);
      if (counts) part = std::max(part, subtotal.every);
    }
    return part;
  }

  // Gives how many terms there are outside of the parts.
  Dim Cut(const NestLoop& loop, int stage, int64_t every, int64_t most) {
    for (;; every *= kPart) {
      // Loops of a stage inside another one's may be called as that one's.
      Subtotal subtotal{is_hosted_ ? LoopId(loop.name, stage) : LoopId(loop.name), every};
      CHECK(ApplySubtotal(nests_, subtotal));
      schedule_.push_back(subtotal);
      Dim left = CeilDiv(ExtentOf(loop), every);
      // No loop has more iterations than i32 has numbers, whatever its size says.
      if (largest_(left) <= most || every > INT32_MAX / kPart) return left;
    }
  }

  Largest largest_;
  Nests& nests_;
  bool is_hosted_ = false;
  Schedule schedule_;
};

}  // namespace

void BoundSums(const loop::Kernel& plain, Schedule& schedule) {
  Nests nests = ExtractNests(plain);
  if (!ApplyAll(nests, schedule)) return;
  for (Directive& directive : Bounder(plain, nests).Run()) schedule.push_back(std::move(directive));
}

}  // namespace webnnc::schedule
