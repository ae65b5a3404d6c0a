#include <algorithm>

#include "onnx/assume.h"
#include "onnx/operators.h"
#include "onnx/size_arithmetic.h"

namespace webnnc::onnx {

using Integers = std::vector<int64_t>;
using graph::ReduceKind;
using graph::SizeElements;

// 0 is x's own size, and -1 what is left.
static Result<Shape> ShapeFromData(NodeContext& c, bool zero_copies) {
  const Shape from = c.Type(0).shape;
  TRY_ASSIGN(int64_t rank, c.Length(1));
  Formula f(c);
  Term zero = f.Number(0, DType::kI64), one = f.Number(1, DType::kI64);
  Term wanted = IntegersOf(f, 1, rank);
  if (zero_copies) {
    SizeElements own = from;
    own.resize(static_cast<size_t>(rank), 0);
    wanted = Where(wanted == 0, f.Sizes(own), wanted);
  }
  Term is_free = wanted == -1;
  Term others = Reduce(ReduceKind::kProd, Where(is_free, one, wanted), {0});
  Term left = FloorDiv(f.Size(ElementCount(from), DType::kI64), Max(others, 1));
  Term sizes = Where(is_free, Where(others == 0, zero, left), wanted);
  TRY_ASSIGN(auto vector, f.Result(sizes));
  return c.DefineSizes(vector, "shape");
}

static Result<Values> ImportReshape(NodeContext& c) {
  const Shape from = c.Type(0).shape;
  if (!c.Has(1)) return Error{"the shape is missing"};
  bool zero_copies = c.Int("allowzero", 0) == 0;
  TRY_ASSIGN(auto known, c.FindSizes(1));
  if (!known) {
    TRY_ASSIGN(auto shape, ShapeFromData(c, zero_copies));
    TRY_ASSIGN(auto result, c.Reshape(c[0], shape));
    return Values{result};
  }
  const SizeElements& wanted = *known;
  Shape shape;
  std::optional<size_t> free;
  for (size_t d = 0; d < wanted.size(); ++d) {
    if (wanted[d].Is(-1)) {
      if (free) return Error{"two sizes are -1"};
      free = d;
      shape.push_back(1);
    } else if (wanted[d].Is(0) && zero_copies) {
      if (d >= from.size())
        return Error{"size " + std::to_string(d) + " is 0, but x is " + Print(c.Type(0))};
      shape.push_back(from[d]);
    } else {
      shape.push_back(wanted[d]);
    }
  }
  if (free) {
    Dim all = ElementCount(from), others = ElementCount(shape);
    if (others.Is(0)) {
      shape[*free] = 0;
    } else if (auto size = ExactDiv(all, others)) {
      shape[*free] = *size;
    } else if (all.IsConstant() && others.IsConstant()) {
      return Error{"cannot reshape " + Print(c.Type(0)) + ": " + Print(others) +
                   " does not divide " + Print(all)};
    } else {
      shape[*free] = FloorDiv(all, others);
    }
  }
  TRY_ASSIGN(auto result, c.Reshape(c[0], shape));
  return Values{result};
}

static Result<Values> ImportFlatten(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  int64_t rank = c.Type(0).rank(), axis = c.Int("axis", 1);
  if (axis < -rank || axis > rank)
    return Error{"axis " + std::to_string(axis) + " of " + Print(c.Type(0))};
  if (axis < 0) axis += rank;
  Dim rows = ElementCount(Shape(shape.begin(), shape.begin() + axis));
  Dim columns = ElementCount(Shape(shape.begin() + axis, shape.end()));
  TRY_ASSIGN(auto result, c.Reshape(c[0], {rows, columns}));
  return Values{result};
}

// Whether operand 1 are axes that only a run knows.
static Result<bool> AxesAreData(NodeContext& c) {
  if (c.HasAttribute("axes") || !c.Has(1)) return false;
  TRY_ASSIGN(auto axes, c.FindIntegers(1));
  return !axes.has_value();
}

// Which dimensions go is data, how many is not.
static Result<Values> SqueezeByData(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  int64_t rank = c.Type(0).rank();
  TRY_ASSIGN(int64_t count, c.Length(1));
  if (count > rank) return Error{std::to_string(count) + " axes of " + Print(c.Type(0))};
  Formula f(c);
  Term squeezed = AnyOf(PlacesOf(f, IntegersOf(f, 1, count), rank));
  TRY_ASSIGN(auto sizes, f.Result(Selected(f.Sizes(shape), Not(squeezed), rank - count)));
  TRY_ASSIGN(auto out, c.DefineSizes(sizes, "shape"));
  TRY_ASSIGN(auto result, c.Reshape(c[0], out));
  return Values{result};
}

static Result<Values> UnsqueezeByData(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  TRY_ASSIGN(int64_t count, c.Length(1));
  int64_t rank = c.Type(0).rank() + count;
  Formula f(c);
  Term added = AnyOf(PlacesOf(f, IntegersOf(f, 1, count), rank));
  Term order = f.Add(graph::Cumulate{ReduceKind::kSum, 0, true}, {Cast(Not(added), DType::kI64)});
  Term one = f.Number(1, DType::kI64);
  // Behind x's last dimension there are only added ones, which do not ask for a size of x.
  Term last = f.Number(static_cast<double>(c.Type(0).rank()) - 1, DType::kI64);
  Term own = shape.empty() ? one : f.Add(graph::Gather{0}, {f.Sizes(shape), Min(order, last)});
  TRY_ASSIGN(auto sizes, f.Result(Where(added, one, own)));
  TRY_ASSIGN(auto out, c.DefineSizes(sizes, "shape"));
  TRY_ASSIGN(auto result, c.Reshape(c[0], out));
  return Values{result};
}

static Result<Values> ImportSqueeze(NodeContext& c) {
  TRY_ASSIGN(bool by_data, AxesAreData(c));
  if (by_data) return SqueezeByData(c);
  const Shape shape = c.Type(0).shape;
  bool given = c.HasAttribute("axes") || c.Has(1);
  TRY_ASSIGN(auto axes, c.IntsOrOperand("axes", 1, {}));
  TRY_ASSIGN(axes, c.Axes(axes, c.Type(0).rank()));
  Shape out, known = shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    bool named = std::count(axes.begin(), axes.end(), static_cast<int64_t>(d)) > 0;
    if (named && !shape[d].Is(1)) {
      if (shape[d].IsConstant())
        return Error{"dimension " + std::to_string(d) + " of " + Print(c.Type(0)) + " is not 1"};
      c.AssumeEqual(shape[d], 1);
      known[d] = 1;
    }
    // Where there is no more than one element, there is one in any run that has some.
    const bool is_one = shape[d].Is(1) || (!shape[d].IsConstant() && c.LargestOf(shape[d]) == 1);
    if (!given && is_one && !shape[d].IsConstant()) {
      c.AssumeEqual(shape[d], 1);
      known[d] = 1;
    }
    bool drops = given ? named : is_one;
    if (drops) continue;
    // Which dimensions are left cannot depend on the run: this one stays.
    if (!given && !ProvablyLessEqual(2, shape[d]) && !shape[d].IsConstant())
      c.AssumeLessEqual(2, shape[d]);
    out.push_back(shape[d]);
  }
  ValueId x = c[0];
  if (known != shape) {
    TRY_ASSIGN(x, c.Add(graph::Refine{known}, {x}));
  }
  TRY_ASSIGN(auto result, c.Reshape(x, out));
  return Values{result};
}

static Result<Values> ImportUnsqueeze(NodeContext& c) {
  TRY_ASSIGN(bool by_data, AxesAreData(c));
  if (by_data) return UnsqueezeByData(c);
  const Shape shape = c.Type(0).shape;
  TRY_ASSIGN(auto axes, c.IntsOrOperand("axes", 1, {}));
  int64_t rank = c.Type(0).rank() + static_cast<int64_t>(axes.size());
  TRY_ASSIGN(axes, c.Axes(axes, rank));
  Shape out;
  size_t next = 0;
  for (int64_t d = 0; d < rank; ++d) {
    bool added = std::count(axes.begin(), axes.end(), d) > 0;
    out.push_back(added ? Dim(1) : shape[next++]);
  }
  TRY_ASSIGN(auto result, c.Reshape(c[0], out));
  return Values{result};
}

// ONNX Runtime's: Unsqueeze with one axis.
static Result<Values> ImportExpandDims(NodeContext& c) {
  TRY_ASSIGN(auto axes, c.Integers(1));
  if (axes.size() != 1) return Error{"the axis is " + Print(c.Type(1))};
  Shape shape = c.Type(0).shape;
  TRY_ASSIGN(auto axis, c.Axis(axes[0], c.Type(0).rank() + 1));
  shape.insert(shape.begin() + axis, 1);
  TRY_ASSIGN(auto result, c.Reshape(c[0], shape));
  return Values{result};
}

static Result<Values> ImportTranspose(NodeContext& c) {
  int64_t rank = c.Type(0).rank();
  Integers order = c.Ints("perm");
  if (order.empty()) {
    for (int64_t d = rank; d-- > 0;) order.push_back(d);
  }
  TRY_ASSIGN(auto result, c.Transpose(c[0], order));
  return Values{result};
}

// Both broadcast; of sizes that must be equal, that which was asked for.
static Result<Shape> ExpandedShape(NodeContext& c, const Shape& from, const Shape& wanted) {
  Shape shape(std::max(from.size(), wanted.size()), 1);
  std::copy(wanted.begin(), wanted.end(), shape.end() - static_cast<int64_t>(wanted.size()));
  for (size_t d = 0; d < from.size(); ++d) {
    Dim& size = shape[shape.size() - from.size() + d];
    if (size.Is(1)) {
      size = from[d];
    } else if (size.IsConstant() && from[d].IsConstant() && size != from[d] && !from[d].Is(1)) {
      return Error{"cannot expand " + Print(from) + " to " + Print(wanted)};
    } else if (!from[d].Is(1) && !MustBeEqual(size, from[d])) {
      size = c.AssumeBroadcast(from[d], size);
    }
  }
  return shape;
}

static Result<Values> ImportExpand(NodeContext& c) {
  TRY_ASSIGN(auto wanted, c.Sizes(1));
  TRY_ASSIGN(auto shape, ExpandedShape(c, c.Type(0).shape, wanted));
  if (shape == c.Type(0).shape) return Values{c[0]};
  TRY_ASSIGN(auto result, c.Add(graph::Expand{shape}, {c[0]}));
  return Values{result};
}

static Result<Values> ImportTile(NodeContext& c) {
  TRY_ASSIGN(auto repeats, c.Sizes(1));
  TRY_ASSIGN(auto result, c.Add(graph::Tile{repeats}, {c[0]}));
  return Values{result};
}

static Result<Values> ImportConcat(NodeContext& c) {
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  if (c.count() == 1) return Values{c[0]};
  std::vector<ValueId> operands;
  for (size_t i = 0; i < c.count(); ++i) operands.push_back(c[i]);
  TRY_ASSIGN(auto result, c.Add(graph::Concat{axis}, operands));
  return Values{result};
}

namespace {

// What is added to each dimension at both ends; before, where what is kept of it starts, and how
// many elements that are.
struct Pads {
  SizeElements begin, end, start, kept;
};

Result<Pads> KnownPads(NodeContext& c, const SizeElements& pads, Integers axes, bool all) {
  const Shape shape = c.Type(0).shape;
  size_t rank = shape.size();
  for (size_t d = 0; all && d < rank; ++d) axes.push_back(static_cast<int64_t>(d));
  if (pads.size() != 2 * axes.size()) return Error{"pads do not fit " + Print(c.Type(0))};
  const SizeElements none(rank, 0);
  Pads known{none, none, none, shape};
  for (size_t i = 0; i < axes.size(); ++i) {
    TRY_ASSIGN(auto axis, c.Axis(axes[i], static_cast<int64_t>(rank)));
    auto d = static_cast<size_t>(axis);
    const Dim begin = pads[i], end = pads[i + axes.size()], zero = 0;
    known.begin[d] = Max(begin, 0);
    known.end[d] = Max(end, 0);
    known.start[d] = Max(zero - begin, 0);
    // What is cut away must be there.
    const Dim cut = known.start[d] + Max(zero - end, 0);
    if (!ProvablyLessEqual(cut, shape[d])) c.AssumeLessEqual(cut, shape[d]);
    known.kept[d] = shape[d] - cut;
  }
  return known;
}

// The result's sizes are symbols by themselves, instead of sums of what is added and cut.
Result<Pads> PadsFromData(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  int64_t rank = c.Type(0).rank();
  TRY_ASSIGN(int64_t length, c.Length(1));
  int64_t given = rank;
  if (c.Has(3)) {
    TRY_ASSIGN(given, c.Length(3));
  }
  if (length != 2 * given) return Error{"pads do not fit " + Print(c.Type(0))};
  Formula f(c);
  Term pads = IntegersOf(f, 1, length), zero = f.Number(0, DType::kI64);
  Term axes = c.Has(3) ? IntegersOf(f, 3, given) : f.Iota(given, DType::kI64);
  Term places = PlacesOf(f, axes, rank), sizes = f.Sizes(shape);
  Term begin = AtAxes(places, Slice(pads, 0, 0, given), zero);
  Term end = AtAxes(places, Slice(pads, 0, given, given), zero);
  Term start = Max(-begin, 0), kept = sizes + Min(begin, 0) + Min(end, 0);
  TRY_ASSIGN(auto vector, f.Result(Concat({Max(begin, 0), sizes + begin + end, start, kept}, 0)));
  TRY_ASSIGN(auto known, c.DefineSizes(vector, "pads"));
  auto part = [&](int64_t i) {
    return SizeElements(known.begin() + i * rank, known.begin() + (i + 1) * rank);
  };
  Pads found{part(0), part(1), part(2), part(3)};
  for (size_t d = 0; d < shape.size(); ++d)
    found.end[d] = found.end[d] - found.begin[d] - found.kept[d];
  return found;
}

// Pads are an attribute up to opset 10 and operands since. Negative pads cut.
Result<Pads> ReadPads(NodeContext& c) {
  if (c.HasAttribute("pads")) {
    Integers given = c.Ints("pads");
    return KnownPads(c, {given.begin(), given.end()}, {}, true);
  }
  if (!c.Has(1)) return Error{"pads are missing"};
  TRY_ASSIGN(auto pads, c.FindSizes(1));
  std::optional<Integers> axes = Integers();
  if (c.Has(3)) {
    TRY_ASSIGN(axes, c.FindIntegers(3));
  }
  return pads && axes ? KnownPads(c, *pads, *axes, !c.Has(3)) : PadsFromData(c);
}

}  // namespace

static Result<Values> ImportPad(NodeContext& c) {
  const Shape shape = c.Type(0).shape;
  TRY_ASSIGN(auto pads, ReadPads(c));
  graph::Pad pad{pads.begin, pads.end, graph::PadMode::kConstant};
  graph::Slice cut{pads.start, pads.kept, Integers(shape.size(), 1)};
  bool pads_any = false;
  for (size_t d = 0; d < shape.size(); ++d) pads_any |= !pad.begin[d].Is(0) || !pad.end[d].Is(0);
  bool cuts_any = pads.kept != shape;
  std::string mode = c.String("mode", "constant");
  ValueId x = c[0];
  if (cuts_any) {
    TRY_ASSIGN(x, c.Add(cut, {x}));
  }
  if (!pads_any) return Values{x};
  std::vector<ValueId> operands{x};
  if (mode == "constant") {
    ValueId value;
    if (c.Has(2)) {
      TRY_ASSIGN(value, c.Reshape(c[2], {}));
    } else {
      TRY_ASSIGN(value, c.Scalar(c.Type(0).dtype, c.Float("value", 0)));
    }
    operands.push_back(value);
  } else if (mode == "reflect") {
    pad.mode = graph::PadMode::kReflect;
  } else if (mode == "edge") {
    pad.mode = graph::PadMode::kEdge;
  } else if (mode == "wrap") {
    pad.mode = graph::PadMode::kWrap;
  } else {
    return Error{"the mode is " + mode};
  }
  TRY_ASSIGN(auto result, c.Add(pad, operands));
  return Values{result};
}

static Result<Values> ImportDepthToSpace(NodeContext& c) {
  const Shape s = c.Type(0).shape;
  int64_t block = c.Int("blocksize", 0);
  if (s.size() != 4 || block < 1)
    return Error{"x is " + Print(c.Type(0)) + ", the block " + std::to_string(block)};
  auto depth = ExactDiv(s[1], Dim(block) * block);
  if (!depth)
    return Error{"blocks of " + std::to_string(block) + " do not divide " + Print(s[1]) +
                 " channels"};
  std::string mode = c.String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return Error{"the mode is " + mode};
  bool depth_first = mode == "DCR";
  Shape apart = depth_first ? Shape{s[0], block, block, *depth, s[2], s[3]}
                            : Shape{s[0], *depth, block, block, s[2], s[3]};
  Integers order = depth_first ? Integers{0, 3, 4, 1, 5, 2} : Integers{0, 1, 4, 2, 5, 3};
  TRY_ASSIGN(auto split, c.Reshape(c[0], apart));
  TRY_ASSIGN(auto moved, c.Transpose(split, order));
  TRY_ASSIGN(auto result, c.Reshape(moved, {s[0], *depth, s[2] * block, s[3] * block}));
  return Values{result};
}

// How many blocks a size has: a whole number, which is assumed of a size that is open.
static Result<Dim> Blocks(NodeContext& c, const Dim& size, int64_t block) {
  if (auto count = ExactDiv(size, block)) return *count;
  if (size.IsConstant())
    return Error{"blocks of " + std::to_string(block) + " do not divide " + Print(c.Type(0))};
  Dim count = FloorDiv(size, block);
  c.AssumeEqual(size, count * block);
  return count;
}

static Result<Values> ImportSpaceToDepth(NodeContext& c) {
  const Shape s = c.Type(0).shape;
  int64_t block = c.Int("blocksize", 0);
  if (s.size() != 4 || block < 1)
    return Error{"x is " + Print(c.Type(0)) + ", the block " + std::to_string(block)};
  TRY_ASSIGN(auto height, Blocks(c, s[2], block));
  TRY_ASSIGN(auto width, Blocks(c, s[3], block));
  ValueId x = c[0];
  const Shape known{s[0], s[1], height * block, width * block};
  if (known != s) {
    TRY_ASSIGN(x, c.Add(graph::Refine{known}, {x}));
  }
  TRY_ASSIGN(auto split, c.Reshape(x, {s[0], s[1], height, block, width, block}));
  TRY_ASSIGN(auto moved, c.Transpose(split, {0, 3, 5, 1, 2, 4}));
  TRY_ASSIGN(auto result, c.Reshape(moved, {s[0], s[1] * block * block, height, width}));
  return Values{result};
}

static constexpr Operator kOperators[] = {
    {"", "Concat", 1, ImportConcat},
    {"", "DepthToSpace", 1, ImportDepthToSpace, kAnyOpset},
    {"", "Expand", 2, ImportExpand},
    {"", "Flatten", 1, ImportFlatten, kAnyOpset},
    {"", "Pad", 1, ImportPad},
    {"", "Reshape", 1, ImportReshape},
    {"", "SpaceToDepth", 1, ImportSpaceToDepth, kAnyOpset},
    {"", "Squeeze", 1, ImportSqueeze, kAnyOpset},
    {"", "Tile", 2, ImportTile},
    {"", "Transpose", 1, ImportTranspose, kAnyOpset},
    {"", "Unsqueeze", 1, ImportUnsqueeze, kAnyOpset},
    {"com.microsoft", "ExpandDims", 2, ImportExpandDims},
    {"com.microsoft", "Pad", 2, ImportPad},
};

std::span<const Operator> ShapeOperators() { return kOperators; }

}  // namespace webnnc::onnx
