// Random numbers. A model has no memory between runs, so each run has the same: those of a counter,
// an element's place, by a key, which is the node's seed. They are the same on all backends, up to
// the last bits of what functions give.
#include <bit>
#include <cmath>

#include "onnx/formula.h"
#include "onnx/operators.h"

namespace webnnc::onnx {

namespace {

// triple32 (Wellons, "Hash function prospector", 2018).
uint32_t Hash(uint32_t x) {
  x = (x ^ x >> 17) * 0xed5ad4bb;
  x = (x ^ x >> 11) * 0xac4c1b51;
  x = (x ^ x >> 15) * 0x31848bab;
  return x ^ x >> 14;
}

// The key is made of the bits of the seed, as ONNX's models hold it. Nodes without one differ by
// what their results are called.
graph::RandomBits KeyOf(NodeContext& c, const Shape& shape) {
  // Dropout's is an integer.
  uint32_t seed = c.op_type() == "Dropout"
                      ? static_cast<uint32_t>(c.Int("seed", 0))
                      : std::bit_cast<uint32_t>(static_cast<float>(c.Float("seed", 0)));
  if (!c.HasAttribute("seed")) {
    // FNV-1a
    seed = 2166136261;
    for (char letter : c.result_name()) seed = (seed ^ static_cast<uint8_t>(letter)) * 16777619;
  }
  graph::RandomBits bits{shape};
  uint32_t key = Hash(seed);
  bits.key0 = key;
  bits.key1 = Hash(key + 1);
  return bits;
}

// Numbers in [0, 1): multiples of 2^-24, or 2^-53 in f64.
Term Uniform(Formula& f, graph::RandomBits bits, DType real) {
  Term first = f.Add(bits, {});
  if (real != DType::kF64) return Cast(first >> 8, DType::kF32) * 0x1p-24;
  bits.word = 1;
  Term high = Cast(first >> 5, real), low = Cast(f.Add(bits, {}) >> 6, real);
  return (high * 0x1p26 + low) * 0x1p-53;
}

// Box and Muller: sqrt(-2 log(u)) * cos(2 pi v) with u in (0, 1].
Term Normal(Formula& f, graph::RandomBits bits, DType real) {
  Term u = Cast(f.Add(bits, {}) >> 8, real) * 0x1p-24 + 0x1p-24;
  bits.word = 1;
  Term v = Cast(f.Add(bits, {}) >> 8, real) * 0x1p-24;
  return Sqrt(Log(u) * -2) * Cos(v * (2 * M_PI));
}

DType RealType(DType dtype) { return dtype == DType::kF64 ? DType::kF64 : DType::kF32; }

Result<DType> DTypeOr(NodeContext& c, DType otherwise) {
  if (!c.HasAttribute("dtype")) return otherwise;
  return ElementType(static_cast<int32_t>(c.Int("dtype", 0)));
}

Result<Values> UniformOf(NodeContext& c, const Shape& shape, DType dtype) {
  if (!IsFloat(dtype)) return Error{"random numbers of " + std::string(Name(dtype))};
  double low = c.Float("low", 0), high = c.Float("high", 1);
  Formula f(c);
  Term unit = Uniform(f, KeyOf(c, shape), RealType(dtype));
  TRY_ASSIGN(auto result, f.Result(Cast(unit * (high - low) + low, dtype)));
  return Values{result};
}

Result<Values> NormalOf(NodeContext& c, const Shape& shape, DType dtype) {
  if (!IsFloat(dtype)) return Error{"random numbers of " + std::string(Name(dtype))};
  Formula f(c);
  Term normal = Normal(f, KeyOf(c, shape), RealType(dtype));
  Term moved = normal * c.Float("scale", 1) + c.Float("mean", 0);
  TRY_ASSIGN(auto result, f.Result(Cast(moved, dtype)));
  return Values{result};
}

Result<Shape> ShapeAttribute(NodeContext& c) {
  Shape shape;
  for (int64_t size : c.Ints("shape")) {
    if (size < 0) return Error{"a size is " + std::to_string(size)};
    shape.push_back(size);
  }
  return shape;
}

}  // namespace

static Result<Values> ImportRandomUniform(NodeContext& c) {
  TRY_ASSIGN(auto shape, ShapeAttribute(c));
  TRY_ASSIGN(auto dtype, DTypeOr(c, DType::kF32));
  return UniformOf(c, shape, dtype);
}

static Result<Values> ImportRandomUniformLike(NodeContext& c) {
  TRY_ASSIGN(auto dtype, DTypeOr(c, c.Type(0).dtype));
  return UniformOf(c, c.Type(0).shape, dtype);
}

static Result<Values> ImportRandomNormal(NodeContext& c) {
  TRY_ASSIGN(auto shape, ShapeAttribute(c));
  TRY_ASSIGN(auto dtype, DTypeOr(c, DType::kF32));
  return NormalOf(c, shape, dtype);
}

static Result<Values> ImportRandomNormalLike(NodeContext& c) {
  TRY_ASSIGN(auto dtype, DTypeOr(c, c.Type(0).dtype));
  return NormalOf(c, c.Type(0).shape, dtype);
}

// 1 with the probability that x gives.
static Result<Values> ImportBernoulli(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto dtype, DTypeOr(c, type.dtype));
  DType real = RealType(type.dtype);
  Formula f(c);
  Term one = Uniform(f, KeyOf(c, type.shape), real) < Cast(f(c[0]), real);
  TRY_ASSIGN(auto result, f.Result(Cast(one, dtype)));
  return Values{result};
}

// Classes drawn by the logarithms of their probabilities, x[batch, classes]. The class with the
// largest x - log(-log(u)) is one, where u is uniform (Gumbel).
static Result<Values> ImportMultinomial(NodeContext& c) {
  const TensorType type = c.Type(0);
  int64_t samples = c.Int("sample_size", 1);
  if (type.rank() != 2 || !IsFloat(type.dtype) || samples < 1)
    return Error{std::to_string(samples) + " samples of " + Print(type)};
  TRY_ASSIGN(auto dtype, DTypeOr(c, DType::kI32));
  DType real = RealType(type.dtype);
  const Shape shape{type.shape[0], samples, type.shape[1]};
  Formula f(c);
  // In (0, 1).
  Term u = Uniform(f, KeyOf(c, shape), real) + 0x1p-25;
  Term x = Reshape(Cast(f(c[0]), real), {shape[0], 1, shape[2]});
  Term scores = x - Log(-Log(u));
  Term drawn = f.Add(graph::ArgReduce{false, 2, false, false}, {scores});
  TRY_ASSIGN(auto result, f.Result(Cast(drawn, dtype)));
  return Values{result};
}

namespace {

// Whether a Dropout drops anything, if that is known: only in training, and not at a ratio of 0.
Result<std::optional<bool>> KnownToDrop(NodeContext& c) {
  const std::optional<bool> no = false, not_known;
  if (!c.Has(2)) return no;
  TRY_ASSIGN(auto training, c.FindIntegers(2));
  if (training && (training->empty() || (*training)[0] == 0)) return no;
  if (!c.Has(1)) return training ? std::optional(true) : not_known;
  TRY_ASSIGN(auto ratio, c.FindReals(1));
  if (ratio && !ratio->empty() && (*ratio)[0] == 0) return no;
  return training && ratio ? std::optional(true) : not_known;
}

}  // namespace

// Each element is 0 with the probability `ratio`; the others make up for them.
static Result<Values> ImportDropout(NodeContext& c) {
  const TensorType type = c.Type(0);
  TRY_ASSIGN(auto drops, KnownToDrop(c));
  Formula f(c);
  if (drops == false) {
    if (!c.Wants(1)) return Values{c[0]};
    TRY_ASSIGN(auto mask, f.Result(Expand(f.Number(1, DType::kBool), type.shape)));
    return Values{c[0], mask};
  }
  DType real = RealType(type.dtype);
  Term ratio = c.Has(1) ? Cast(Reshape(f(c[1]), {}), real) : f.Number(0.5, real);
  Term kept = ratio <= Uniform(f, KeyOf(c, type.shape), real);
  // At a ratio of 1 nothing is kept, at one of 0 all.
  Term scaled = Cast(f(c[0]), real) * (f.Number(1, real) / Max(-ratio + 1, 1e-30));
  Term result = Where(kept, Cast(scaled, type.dtype), f.Number(0, type.dtype));
  if (!drops) {
    Term trains = Cast(Reshape(f(c[2]), {}), DType::kBool);
    result = Where(trains, result, f(c[0]));
    kept = kept | Not(trains);
  }
  TRY_ASSIGN(auto id, f.Result(result));
  TRY_ASSIGN(auto mask, f.Result(kept));
  return Values{id, mask};
}

static constexpr Operator kOperators[] = {
    {"", "Bernoulli", 1, ImportBernoulli},
    {"", "Dropout", 1, ImportDropout},
    {"", "Multinomial", 1, ImportMultinomial},
    {"", "RandomNormal", 0, ImportRandomNormal, kAnyOpset},
    {"", "RandomNormalLike", 1, ImportRandomNormalLike, kAnyOpset},
    {"", "RandomUniform", 0, ImportRandomUniform, kAnyOpset},
    {"", "RandomUniformLike", 1, ImportRandomUniformLike, kAnyOpset},
};

std::span<const Operator> RandomOperators() { return kOperators; }

}  // namespace webnnc::onnx
