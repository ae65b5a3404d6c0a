#include <algorithm>

#include "onnx/formula.h"
#include "onnx/operators.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;

namespace {

// Numbers that are looked for in a row, one after another or with a distance between them.
struct Grams {
  int64_t length = 0, count = 0;
  Integers numbers;  // [count, length]
};

Result<std::vector<Grams>> ReadPool(NodeContext& c) {
  if (c.HasAttribute("pool_strings"))
    return Error{
        "words are not supported", {}, {"look them up in the page: cut the model behind it"}};
  Integers pool = c.Ints("pool_int64s"), begins = c.Ints("ngram_counts");
  std::vector<Grams> all;
  for (size_t i = 0; i < begins.size(); ++i) {
    auto size = static_cast<int64_t>(pool.size());
    int64_t begin = begins[i], end = i + 1 < begins.size() ? begins[i + 1] : size;
    Grams grams{static_cast<int64_t>(i) + 1, 0, {}};
    if (begin < 0 || begin > end || end > size || (end - begin) % grams.length != 0)
      return Error{"ngram_counts does not fit the pool"};
    grams.count = (end - begin) / grams.length;
    grams.numbers.assign(pool.begin() + begin, pool.begin() + end);
    all.push_back(std::move(grams));
  }
  return all;
}

// How often each of the grams is in x[rows, n], where their numbers are `distance` apart: [rows,
// count], or nothing where x is known to be too short.
std::optional<Term> CountsAt(Formula& f, Term x, const Dim& rows, const Dim& n, const Grams& grams,
                             int64_t distance) {
  const Dim places = Max(n - (grams.length - 1) * distance, 0);
  if (places.Is(0)) return std::nullopt;
  Term pool = Reshape(f.Take(f.context().IntegerConstant(DType::kI64, grams.numbers)),
                      {1, grams.count, 1, grams.length});
  std::optional<Term> hits;
  for (int64_t k = 0; k < grams.length; ++k) {
    Term number = Reshape(Slice(x, 1, k * distance, places), {rows, 1, places});
    Term wanted = Reshape(Slice(pool, 3, k, 1), {1, grams.count, 1});
    Term equal = number == wanted;
    hits = hits ? *hits & equal : equal;
  }
  return Reduce(graph::ReduceKind::kSum, Cast(*hits, DType::kF32), {2});
}

}  // namespace

// How often each gram of a pool is in a row of integers.
static Result<Values> ImportTfIdfVectorizer(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto pool, ReadPool(c));
  Integers columns = c.Ints("ngram_indexes");
  std::vector<double> weights = c.Floats("weights");
  int64_t shortest = c.Int("min_gram_length", 1), longest = c.Int("max_gram_length", 1);
  int64_t skips = c.Int("max_skip_count", 0), known = 0;
  std::string mode = c.String("mode", "TF");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") return Error{"the mode is " + mode};
  if (type.rank() < 1 || type.rank() > 2 || !IsInteger(type.dtype))
    return Error{"x is " + Print(type) + ", not rows of integers"};
  for (const Grams& grams : pool) known += grams.count;
  Integers sorted = columns;
  std::sort(sorted.begin(), sorted.end());
  bool fits = static_cast<int64_t>(columns.size()) == known && !columns.empty() &&
              sorted.front() >= 0 && sorted.back() < known &&
              std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  if (!fits) return Error{"ngram_indexes does not number the pool"};
  if (!weights.empty() && static_cast<int64_t>(weights.size()) != known)
    return Error{"there are " + std::to_string(weights.size()) + " weights for " +
                 std::to_string(known) + " grams"};
  constexpr int64_t kMostSums = 64;
  if (shortest < 1 || skips < 0 || skips >= kMostSums || longest >= kMostSums ||
      (skips + 1) * longest > kMostSums)
    return Error{"grams of " + std::to_string(longest) + " numbers with " + std::to_string(skips) +
                 " skips are not supported"};
  const Dim rows = type.rank() == 2 ? type.shape[0] : Dim(1), n = type.shape.back();
  Formula f(c);
  Term x = Reshape(Cast(f(c[0]), DType::kI64), {rows, n});
  std::vector<Term> counts;
  for (const Grams& grams : pool) {
    if (grams.count == 0) continue;
    Term sum = Expand(f.Number(0, DType::kF32), {rows, grams.count});
    bool counted = grams.length >= shortest && grams.length <= longest;
    // A single number has no distance to another.
    int64_t most = !counted ? 0 : grams.length == 1 ? 1 : skips + 1;
    for (int64_t distance = 1; distance <= most; ++distance) {
      if (auto found = CountsAt(f, x, rows, n, grams, distance)) sum = sum + *found;
    }
    counts.push_back(sum);
  }
  // Column j of the result is the gram whose index is j.
  Integers order(columns.size());
  for (size_t i = 0; i < columns.size(); ++i)
    order[static_cast<size_t>(columns[i])] = static_cast<int64_t>(i);
  Term places = f.Take(c.IntegerConstant(DType::kI64, order));
  Term result = f.Add(graph::Gather{1}, {Concat(counts, 1), places});
  if (mode == "IDF") result = Cast(f.Number(0, DType::kF32) < result, DType::kF32);
  if (mode != "TF" && !weights.empty()) {
    // Weights come in the order of the pool.
    std::vector<uint8_t> bytes(weights.size() * 4);
    for (size_t i = 0; i < weights.size(); ++i)
      WriteScalar(bytes.data(), static_cast<int64_t>(i),
                  Scalar::Real(DType::kF32, weights[static_cast<size_t>(order[i])]));
    result =
        result * f.Take(c.AddConstant({{DType::kF32, {known}}, TensorData::Own(std::move(bytes))}));
  }
  Shape shape{known};
  if (type.rank() == 2) shape.insert(shape.begin(), rows);
  TRY_ASSIGN(auto id, f.Result(Reshape(result, shape)));
  return Values{id};
}

static constexpr Operator kOperators[] = {
    {"", "TfIdfVectorizer", 1, ImportTfIdfVectorizer},
};

std::span<const Operator> NgramOperators() { return kOperators; }

}  // namespace webnnc::onnx
