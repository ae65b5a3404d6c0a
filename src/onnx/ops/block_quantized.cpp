// ONNX Runtime's operators whose weights are of a few bits, with a scale for each block of a row.
// The bytes that a model has become constants of elements of so many bits: these stay as they are
// in the weights file and in memory, and kernels widen what they read.

#include "onnx/ops/block_quantized.h"

#include "onnx/operators.h"
#include "onnx/ops/quantization.h"

namespace webnnc::onnx {

Result<DType> UnsignedOf(int64_t bits) {
  switch (bits) {
    case 2: return DType::kU2;
    case 4: return DType::kU4;
    case 8: return DType::kU8;
    default: return Error{"elements of " + std::to_string(bits) + " bits are not supported"};
  }
}

int64_t InWholeBytes(int64_t count, DType dtype) {
  int64_t per_byte = 8 / BitSize(dtype);
  return (count + per_byte - 1) / per_byte * per_byte;
}

Result<int64_t> BlockSize(NodeContext& c, int64_t otherwise) {
  int64_t block = c.Int("block_size", otherwise);
  if (block < 1 || block > INT32_MAX || block % 4 != 0)
    return Error{"block_size is " + std::to_string(block)};
  return block;
}

namespace {

DType SignedOf(DType dtype) {
  switch (dtype) {
    case DType::kU2: return DType::kI2;
    case DType::kU4: return DType::kI4;
    default: return DType::kI8;
  }
}

// Operand `i`, bytes, as elements of fewer bits: as many as its rows have room for.
Result<Tensor> ElementsOf(Formula& f, size_t i, DType dtype, Shape shape) {
  NodeContext& c = f.context();
  TRY_ASSIGN(auto known, c.KnownConstant(i));
  if (!known)
    return Error{"operand " + std::to_string(i) + " must be known when the model is compiled"};
  const TensorType type{dtype, std::move(shape)};
  if (known->type.dtype != DType::kU8 || ByteSize(type) != ByteSize(known->type))
    return Error{"operand " + std::to_string(i) + " is " + Print(known->type) +
                 ", which has no room for " + Print(type)};
  return Tensor{type, known->data};
}

Term Named(Formula& f, size_t i, Tensor tensor) {
  NodeContext& c = f.context();
  const std::string name = c.scope().graph.values[c[i]].name;
  return f.Take(c.scope().Add(graph::Constant{std::move(tensor), name}, {}, name));
}

// The halves of bytes that have the first element in the upper half, where ours have it in the
// lower.
Tensor WithHalvesSwapped(Tensor tensor) {
  std::span<const uint8_t> bytes = tensor.data.bytes();
  std::vector<uint8_t> swapped(bytes.begin(), bytes.end());
  for (uint8_t& byte : swapped) byte = static_cast<uint8_t>(byte << 4 | byte >> 4);
  tensor.data = TensorData::Own(std::move(swapped));
  return tensor;
}

// The sizes of a matrix of weights, [N, K].
struct Sizes {
  int64_t rows, depth;
};
Result<Sizes> SizesOf(NodeContext& c) {
  int64_t rows = c.Int("N", 0), depth = c.Int("K", 0);
  if (rows < 1 || depth < 1 || rows > INT32_MAX || depth > INT32_MAX)
    return Error{"N and K are " + std::to_string(rows) + " and " + std::to_string(depth)};
  return Sizes{rows, depth};
}

}  // namespace

Result<Term> Elements(Formula& f, size_t i, DType dtype, Shape shape) {
  TRY_ASSIGN(auto tensor, ElementsOf(f, i, dtype, std::move(shape)));
  return Named(f, i, std::move(tensor));
}

Result<Term> CentredElements(Formula& f, size_t i, DType dtype, Shape shape) {
  TRY_ASSIGN(auto tensor, ElementsOf(f, i, dtype, std::move(shape)));
  uint8_t tops = 0;
  for (int64_t bit = BitSize(dtype); bit <= 8; bit += BitSize(dtype)) tops |= 1 << (bit - 1);
  std::span<const uint8_t> bytes = tensor.data.bytes();
  std::vector<uint8_t> turned(bytes.begin(), bytes.end());
  for (uint8_t& byte : turned) byte ^= tops;
  tensor.type.dtype = SignedOf(dtype);
  tensor.data = TensorData::Own(std::move(turned));
  return Named(f, i, std::move(tensor));
}

// y[..., n] = sum over k of a[..., k] * w[n, k] + bias[n], where w[n, k] is (b[n, k] - zero) *
// scale with those of block k / block_size, or of block g_idx[k]. accuracy_level allows to compute
// less exactly, which is not made use of.
static Result<Values> ImportMatMulNBits(NodeContext& c) {
  enum Operands : size_t { kA, kB, kScales, kZeros, kGroups, kBias };
  Formula f(c);
  TRY_ASSIGN(auto sizes, SizesOf(c));
  auto [rows, depth] = sizes;
  if (c.Int("weight_prepacked", 0) != 0) return Error{"the weights are packed for one processor"};
  TRY_ASSIGN(auto dtype, UnsignedOf(c.Int("bits", 4)));
  TRY_ASSIGN(auto block, BlockSize(c, 32));
  const int64_t blocks = (depth + block - 1) / block;
  const Shape shape{rows, blocks * block};
  TRY_ASSIGN(auto b,
             c.Has(kZeros) ? Elements(f, kB, dtype, shape) : CentredElements(f, kB, dtype, shape));
  // Differences of elements are exact in f16, so that scales may stay as they are.
  const bool float_zeros = c.Has(kZeros) && IsFloat(c.Type(kZeros).dtype);
  const bool mixed = float_zeros || c.Type(kScales).dtype != c.Type(kA).dtype;
  const DType real = mixed ? DType::kF32 : c.Type(kA).dtype;
  Term scales = Cast(Reshape(f(c[kScales]), {rows, blocks}), real);
  std::optional<Term> zeros;
  if (float_zeros) {
    zeros = Cast(Reshape(f(c[kZeros]), {rows, blocks}), real);
  } else if (c.Has(kZeros)) {
    TRY_ASSIGN(auto packed, Elements(f, kZeros, dtype, {rows, InWholeBytes(blocks, dtype)}));
    zeros = Slice(Cast(packed, real), 1, 0, blocks);
  }
  Term weights = Slice(Cast(b, real), 1, 0, depth);
  auto spread = [&](Term by) {
    if (c.Has(kGroups)) return f.Add(graph::Gather{1}, {by, f(c[kGroups])});
    return Repeated(by, 1, block, depth);
  };
  if (zeros) weights = weights - spread(*zeros);
  weights = Cast(weights * spread(scales), c.Type(kA).dtype);
  Term product = f.Add(graph::MatMul{false, true}, {f(c[kA]), weights});
  if (c.Has(kBias)) product = product + f(c[kBias]);
  TRY_ASSIGN(auto result, f.Result(product));
  return Values{result};
}

// What bitsandbytes' elements of 4 bits stand for, as parts of the largest in their block: NF4 are
// quantiles of a normal distribution, FP4 floats with two bits of exponent and one of the fraction.
static constexpr double kNf4[] = {-1.0,         -0.696192801, -0.525073051, -0.394917488,
                                  -0.284441382, -0.184773430, -0.091050036, 0.0,
                                  0.0795802996, 0.160930201,  0.246112302,  0.337915242,
                                  0.440709829,  0.562617004,  0.722956836,  1.0};
static constexpr double kFp4[] = {
    0.0,  0.00520833333,  0.66666667,  1.0,  0.33333333,  0.5,  0.16666667,  0.25,
    -0.0, -0.00520833333, -0.66666667, -1.0, -0.33333333, -0.5, -0.16666667, -0.25};

static Tensor TableOf(std::span<const double> numbers) {
  std::vector<uint8_t> bytes(numbers.size() * sizeof(float));
  for (size_t i = 0; i < numbers.size(); ++i)
    WriteScalar(bytes.data(), static_cast<int64_t>(i), Scalar::Real(DType::kF32, numbers[i]));
  return {{DType::kF32, {static_cast<int64_t>(numbers.size())}}, TensorData::Own(std::move(bytes))};
}

// y[..., n] = sum over k of a[..., k] * w[n, k], where w[n, k] is what element n * K + k stands for
// times the largest number of its block: blocks are of all elements in a row, not of each row's.
static Result<Values> ImportMatMulBnb4(NodeContext& c) {
  enum Operands : size_t { kA, kB, kLargest };
  Formula f(c);
  TRY_ASSIGN(auto sizes, SizesOf(c));
  auto [rows, depth] = sizes;
  TRY_ASSIGN(auto block, BlockSize(c, 64));
  int64_t kind = c.Int("quant_type", 0);
  if (kind != 0 && kind != 1) return Error{"quant_type is " + std::to_string(kind)};
  if (c.Int("transB", 1) != 1) return Error{"transB is 0: the weights lie [K, N]"};
  TRY_ASSIGN(auto packed, ElementsOf(f, kB, DType::kU4, {rows, depth}));
  Term elements = Named(f, kB, WithHalvesSwapped(std::move(packed)));
  Term table = f.Take(c.AddConstant(TableOf(kind == 0 ? kFp4 : kNf4)));
  Term parts = f.Add(graph::Gather{0}, {table, Cast(elements, DType::kI32)});
  const int64_t count = rows * depth;
  Term largest = Cast(f(c[kLargest]), DType::kF32);
  Term spread =
      depth % block == 0
          ? Repeated(Reshape(largest, {rows, depth / block}), 1, block, depth)
          : Reshape(Repeated(Reshape(largest, {(count + block - 1) / block}), 0, block, count),
                    {rows, depth});
  Term weights = Cast(parts * spread, c.Type(kA).dtype);
  TRY_ASSIGN(auto result, f.Result(f.Add(graph::MatMul{false, true}, {f(c[kA]), weights})));
  return Values{result};
}

// Rows of a quantised table: these are widened, not the table.
static Result<Values> ImportGatherBlockQuantized(NodeContext& c) {
  enum Operands : size_t { kData, kIndices, kScales, kZeros };
  Formula f(c);
  const TensorType table = c.Type(kData);
  TRY_ASSIGN(auto along, c.Axis(c.Int("gather_axis", 0), table.rank()));
  TRY_ASSIGN(auto axis, c.Axis(c.Int("quantize_axis", 1), table.rank()));
  TRY_ASSIGN(auto block, BlockSize(c, 128));
  if (along == axis) return Error{"gather_axis is quantize_axis"};
  for (size_t i : {size_t{kScales}, size_t{kZeros}}) {
    if (c.Has(i) && c.Type(i).rank() != table.rank())
      return Error{"the table is " + Print(table) + ", and operand " + std::to_string(i) + " " +
                   Print(c.Type(i))};
  }
  Term data = f(c[kData]), scales = f(c[kScales]);
  std::optional<Term> zeros;
  if (c.Has(kZeros)) zeros = f(c[kZeros]);
  // Bytes have several elements of the last dimension.
  bool is_bytes = table.dtype == DType::kU8 && !c.NarrowOf(kData);
  if (is_bytes) {
    TRY_ASSIGN(auto dtype, UnsignedOf(c.Int("bits", 4)));
    auto widened = [&](size_t i) -> Result<Term> {
      Shape shape = c.Type(i).shape;
      if (dtype == DType::kU8) return f(c[i]);
      shape.back() = shape.back() * (8 / BitSize(dtype));
      TRY_ASSIGN(auto elements, Elements(f, i, dtype, shape));
      return Cast(elements, DType::kU8);
    };
    TRY_ASSIGN(data, widened(kData));
    if (zeros) {
      TRY_ASSIGN(zeros, widened(kZeros));
    } else {
      zeros = f.Number(static_cast<double>(1 << (BitSize(dtype) - 1)), DType::kU8);
    }
  }
  auto gathered = [&](Term x) { return f.Add(graph::Gather{along}, {x, f(c[kIndices])}); };
  const Dim size = f.TypeOf(data).shape[static_cast<size_t>(axis)];
  // Spread before they are looked up: a lookup of those of blocks would be read by each of their
  // elements, and be stored for that.
  auto spread = [&](Term blocks) {
    const Shape shape = f.TypeOf(blocks).shape;
    if (shape.empty()) return blocks;
    // Zero points in whole bytes may be more than there are blocks.
    auto at = static_cast<size_t>(axis);
    if (at < shape.size() && shape[at] != CeilDiv(size, block))
      blocks = Slice(blocks, axis, 0, CeilDiv(size, block));
    return gathered(Repeated(blocks, at, block, size));
  };
  Quantization by{spread(scales), std::nullopt};
  if (zeros) by.zero = spread(*zeros);
  TRY_ASSIGN(auto real, f.Result(Dequantized(gathered(data), by)));
  TRY_ASSIGN(auto result, c.CastExactly(real, c.Type(kScales).dtype));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"com.microsoft", "GatherBlockQuantized", 3, ImportGatherBlockQuantized},
    {"com.microsoft", "MatMulBnb4", 3, ImportMatMulBnb4},
    {"com.microsoft", "MatMulNBits", 3, ImportMatMulNBits},
};

std::span<const Operator> BlockQuantizedOperators() { return kOperators; }

}  // namespace webnnc::onnx
