// Sequences and optionals. Where how many elements they have is known when the model is compiled,
// they are lists that the importer keeps, and nothing is left of them; else they are packed.
#include <algorithm>

#include "onnx/formula.h"
#include "onnx/operators.h"
#include "onnx/ops/bodies.h"
#include "onnx/ops/lists.h"

namespace webnnc::onnx {

namespace {

Result<List> ListOf(NodeContext& c, size_t i) {
  auto list = c.scope().FindList(c[i]);
  bool is_optional = list && (list->is_none || (list->packed && list->packed->form.may_be_none));
  if (list && !is_optional && (!list->packed || list->packed->form.is_sequence == true))
    return *list;
  return Error{"operand " + std::to_string(i) +
               (list ? " is an optional" : " is " + Print(c.Type(i))) + ", not a sequence"};
}

// The operand, which is a sequence, packed.
Result<PackedList> Packed(NodeContext& c, size_t i) {
  TRY_ASSIGN(auto form, FormOf(c, c[i]));
  return Pack(c, c[i], form);
}

Result<Values> PackedResult(NodeContext& c, Result<PackedList> packed) {
  if (!packed) return packed.error();
  return Values{c.scope().AddList({{}, false, {}, packed.value()}, c.result_name())};
}

// Whether what stands at a place of a list, if it is said, is known when the model is compiled.
Result<bool> IsKnownPlace(NodeContext& c, const List& list, size_t operand) {
  if (list.packed) return false;
  if (!c.Has(operand)) return true;
  if (!ElementCount(c.Type(operand).shape).Is(1)) return Error{"the position is not a scalar"};
  TRY_ASSIGN(auto known, c.FindIntegers(operand));
  return known.has_value();
}

ValueId PlaceOf(NodeContext& c, size_t operand) { return c.Has(operand) ? c[operand] : ValueId(); }

// A place in a list of `count`, counted from the front.
Result<int64_t> PlaceIn(NodeContext& c, size_t operand, size_t count) {
  TRY_ASSIGN(auto places, c.Integers(operand));
  auto size = static_cast<int64_t>(count);
  if (places.size() != 1) return Error{"the position is not a scalar"};
  int64_t place = places[0] < 0 ? places[0] + size : places[0];
  if (place < 0 || place > size)
    return Error{"position " + std::to_string(places[0]) + " is outside a sequence of " +
                 std::to_string(count)};
  return place;
}

Values Listed(NodeContext& c, Values elements) {
  return {c.scope().AddList({std::move(elements), false}, c.result_name())};
}

// The elements behind each other along a new axis.
Result<ValueId> Stacked(NodeContext& c, const Values& elements, int64_t axis) {
  Values raised;
  for (ValueId element : elements) {
    Shape shape = c.TypeOf(element).shape;
    TRY_ASSIGN(auto at, c.Axis(axis, static_cast<int64_t>(shape.size()) + 1));
    shape.insert(shape.begin() + at, 1);
    TRY_ASSIGN(auto id, c.Reshape(element, shape));
    raised.push_back(id);
  }
  TRY_ASSIGN(auto at, c.Axis(axis, c.TypeOf(raised[0]).rank()));
  if (raised.size() == 1) return raised[0];
  return c.Add(graph::Concat{at}, raised);
}

}  // namespace

static Result<Values> ImportSequenceConstruct(NodeContext& c) {
  Values elements;
  for (size_t i = 0; i < c.count(); ++i) elements.push_back(c[i]);
  return Listed(c, std::move(elements));
}

static Result<Values> ImportSequenceEmpty(NodeContext& c) {
  TRY_ASSIGN(auto dtype, ElementType(static_cast<int32_t>(c.Int("dtype", pb::TensorProto::FLOAT))));
  return Values{c.scope().AddList({{}, false, dtype}, c.result_name())};
}

static Result<Values> ImportSequenceLength(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
  Dim count = static_cast<int64_t>(list.elements.size());
  if (list.packed) count = CountOf(c, *list.packed);
  TRY_ASSIGN(auto result, c.Add(graph::Sizes{{count}, true}, {}));
  return Values{result};
}

static Result<Values> ImportSequenceInsert(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
  TRY_ASSIGN(bool is_known, IsKnownPlace(c, list, 2));
  if (!is_known) {
    TRY_ASSIGN(auto packed, Packed(c, 0));
    return PackedResult(c, Insert(c, packed, c[1], PlaceOf(c, 2)));
  }
  auto place = static_cast<int64_t>(list.elements.size());
  if (c.Has(2)) {
    TRY_ASSIGN(place, PlaceIn(c, 2, list.elements.size()));
  }
  list.elements.insert(list.elements.begin() + place, c[1]);
  return Listed(c, std::move(list.elements));
}

static Result<Values> ImportSequenceErase(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
  TRY_ASSIGN(bool is_known, IsKnownPlace(c, list, 1));
  if (!is_known) {
    TRY_ASSIGN(auto packed, Packed(c, 0));
    return PackedResult(c, Erase(c, packed, PlaceOf(c, 1)));
  }
  auto place = static_cast<int64_t>(list.elements.size()) - 1;
  if (c.Has(1)) {
    TRY_ASSIGN(place, PlaceIn(c, 1, list.elements.size()));
  }
  if (place < 0 || place == static_cast<int64_t>(list.elements.size()))
    return Error{"the sequence has no element to erase there"};
  list.elements.erase(list.elements.begin() + place);
  return Listed(c, std::move(list.elements));
}

// Of a position that is data, elements of one type can be told apart.
static Result<Values> ImportSequenceAt(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
  if (!list.packed && list.elements.empty()) return Error{"the sequence is empty"};
  TRY_ASSIGN(bool is_known, IsKnownPlace(c, list, 1));
  bool alike = !list.packed && std::all_of(list.elements.begin(), list.elements.end(), [&](auto e) {
    return c.TypeOf(e) == c.TypeOf(list.elements[0]);
  });
  if (!is_known && alike) {
    TRY_ASSIGN(auto all, Stacked(c, list.elements, 0));
    TRY_ASSIGN(auto place, c.Reshape(c[1], {}));
    TRY_ASSIGN(auto result, c.Add(graph::Gather{0}, {all, place}));
    return Values{result};
  }
  if (!is_known) {
    TRY_ASSIGN(auto packed, Packed(c, 0));
    TRY_ASSIGN(auto result, ElementAt(c, packed, c[1]));
    return Values{result};
  }
  TRY_ASSIGN(int64_t place, PlaceIn(c, 1, list.elements.size()));
  if (place == static_cast<int64_t>(list.elements.size()))
    return Error{"position " + std::to_string(place) + " is outside a sequence of " +
                 std::to_string(place)};
  return Values{list.elements[static_cast<size_t>(place)]};
}

static Result<Values> ImportConcatFromSequence(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
  int64_t given = c.Int("axis", 0);
  if (list.packed) {
    TRY_ASSIGN(auto result, Joined(c, *list.packed, given, c.Int("new_axis", 0) != 0));
    return Values{result};
  }
  if (list.elements.empty()) return Error{"the sequence is empty"};
  if (c.Int("new_axis", 0) != 0) {
    TRY_ASSIGN(auto stacked, Stacked(c, list.elements, given));
    return Values{stacked};
  }
  if (list.elements.size() == 1) return Values{list.elements[0]};
  TRY_ASSIGN(auto axis, c.Axis(given, c.TypeOf(list.elements[0]).rank()));
  TRY_ASSIGN(auto result, c.Add(graph::Concat{axis}, list.elements));
  return Values{result};
}

namespace {

// The size of the parts if they have one, the last at most that; nothing if each has its own.
Result<std::optional<int64_t>> SizeOfParts(NodeContext& c) {
  if (!c.Has(1)) return std::optional<int64_t>(1);
  if (c.Type(1).rank() == 1) return std::optional<int64_t>();
  TRY_ASSIGN(auto sizes, c.Integers(1));
  if (sizes[0] < 1) return Error{"parts have the size " + std::to_string(sizes[0])};
  return std::optional(sizes[0]);
}

graph::SizeElements PartsOf(int64_t size, int64_t each) {
  graph::SizeElements parts;
  for (int64_t at = 0; at < size; at += each) parts.push_back(std::min(each, size - at));
  return parts;
}

// Parts of one size, of a size that is open: those that are whole, and then what is left.
Result<PackedList> SplitOpen(NodeContext& c, size_t d, int64_t each, bool squeezes) {
  const TensorType type = c.Type(0);
  const Dim whole = FloorDiv(type.shape[d], each), rest = Mod(type.shape[d], each);
  Shape part = type.shape, last = type.shape, cut = type.shape;
  part[d] = each;
  last[d] = rest;
  // A dimension for the parts comes first.
  cut[d] = whole;
  cut.insert(cut.begin() + static_cast<int64_t>(d) + 1, each);
  std::vector<int64_t> order{static_cast<int64_t>(d)};
  for (int64_t i = 0; i < static_cast<int64_t>(cut.size()); ++i) {
    if (i != order[0]) order.push_back(i);
  }
  Formula f(c);
  Term x = f(c[0]);
  auto axis = static_cast<int64_t>(d);
  Term all = Transpose(Reshape(Slice(x, axis, 0, whole * each), cut), order);
  all = Reshape(all, {whole * ElementCount(part)});
  if (squeezes) part.erase(part.begin() + axis);
  const auto rank = static_cast<int64_t>(part.size());
  Term shapes = Expand(Reshape(f.Sizes(part), {1, rank}), {whole, rank});
  if (each > 1) {
    const Dim start = whole * each;
    all = Concat({all, Reshape(Slice(x, axis, start, rest), {ElementCount(last)})}, 0);
    shapes = Concat({shapes, Expand(Reshape(f.Sizes(last), {1, rank}), {Min(rest, 1), rank})}, 0);
  }
  ListForm form{true, false, type.dtype, true, std::max<int64_t>(rank, 1)};
  form.sizes.emplace();
  for (const Dim& size : part) form.sizes->push_back(Lasting(c.scope(), size));
  if (each > 1) form.sizes->at(d).reset();
  if (rank == 0) shapes = Expand(f.Number(-1, DType::kI64), {whole, 1});
  PackedList packed{form, {}, {}, {}};
  TRY_ASSIGN(packed.data, f.Result(all));
  TRY_ASSIGN(packed.shapes, f.Result(shapes));
  return packed;
}

}  // namespace

static Result<Values> ImportSplitToSequence(NodeContext& c) {
  Shape shape = c.Type(0).shape;
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  auto d = static_cast<size_t>(axis);
  TRY_ASSIGN(auto each, SizeOfParts(c));
  bool squeezes = !c.Has(1) && c.Int("keepdims", 1) == 0;
  // As many values of their own would be as much code.
  constexpr int64_t kMostParts = 1024;
  bool is_open = each && (!shape[d].IsConstant() || shape[d].value() > *each * kMostParts);
  if (is_open) return PackedResult(c, SplitOpen(c, d, *each, squeezes));
  graph::SizeElements parts;
  if (each) {
    parts = PartsOf(shape[d].value(), *each);
  } else {
    TRY_ASSIGN(parts, c.Sizes(1));
  }
  Dim all = 0;
  for (const Dim& size : parts) all = all + size;
  if (all.IsConstant() && shape[d].IsConstant() && all != shape[d])
    return Error{"the parts make " + Print(all) + ", not " + Print(shape[d])};
  if (all != shape[d]) c.AssumeEqual(shape[d], all);
  Values elements;
  Dim start = 0;
  for (const Dim& size : parts) {
    graph::Slice slice{graph::Sizes1D(shape.size(), 0), shape, graph::Integers(shape.size(), 1)};
    slice.starts[d] = start;
    slice.sizes[d] = size;
    start = start + size;
    TRY_ASSIGN(auto part, c.Add(slice, {c[0]}));
    if (squeezes) {
      Shape rest = shape;
      rest.erase(rest.begin() + axis);
      TRY_ASSIGN(part, c.Reshape(part, rest));
    }
    elements.push_back(part);
  }
  return Listed(c, std::move(elements));
}

namespace {

// A loop over places, which carries the sequences that it makes.
Result<Values> MapPacked(NodeContext& c) {
  std::vector<std::optional<PackedList>> lists(c.count());
  std::optional<Dim> count;
  for (size_t i = 0; i < c.count(); ++i) {
    if (!c.scope().FindList(c[i])) continue;
    TRY_ASSIGN(lists[i], Packed(c, i));
    const Dim own = CountOf(c, *lists[i]);
    if (count && own != *count) c.AssumeEqual(own, *count);
    if (!count) count = own;
  }
  LoopBody loop;
  TRY_ASSIGN(loop.trips, c.Add(graph::Sizes{{*count}, true}, {}));
  loop.known_trips = *count;
  for (size_t i = 0; i < c.result_count(); ++i)
    loop.carried.push_back({c.result_name(), c.scope().AddList({}, c.result_name())});
  Values operands;
  for (size_t i = 0; i < c.count(); ++i) {
    operands.push_back(lists[i] ? c.scope().AddList({{}, false, {}, lists[i]}, c.result_name())
                                : c[i]);
  }
  const Frame& around = c.frame();
  loop.iterate = [&](NodeContext& inside, ValueId iteration,
                     const Values& carried) -> Result<Values> {
    Values inputs, outputs;
    for (ValueId operand : operands) {
      inputs.push_back(Here(inside, around, operand));
      auto list = inside.scope().FindList(inputs.back());
      if (!list) continue;
      TRY_ASSIGN(inputs.back(), ElementAt(inside, *list->packed, iteration));
    }
    TRY_ASSIGN(auto results, inside.Body("body", inputs));
    if (results.size() < carried.size())
      return Error{"its graph has " + std::to_string(results.size()) + " outputs"};
    for (size_t i = 0; i < carried.size(); ++i) {
      TRY_ASSIGN(auto form, FormOf(inside, carried[i]));
      TRY_ASSIGN(auto packed, Pack(inside, carried[i], form));
      TRY_ASSIGN(auto longer, Insert(inside, packed, results[i], ValueId()));
      outputs.push_back(inside.scope().AddList({{}, false, {}, longer}, c.result_name()));
    }
    return outputs;
  };
  return AddLoop(c, loop);
}

}  // namespace

// Its graph for each element; what is no sequence is the same for all.
static Result<Values> ImportSequenceMap(NodeContext& c) {
  TRY_ASSIGN(auto first, ListOf(c, 0));
  std::vector<std::optional<List>> lists;
  bool is_packed = false;
  for (size_t i = 0; i < c.count(); ++i) {
    lists.push_back(c.scope().FindList(c[i]));
    is_packed |= lists.back() && lists.back()->packed;
  }
  if (is_packed) return MapPacked(c);
  for (const std::optional<List>& list : lists) {
    if (list && list->elements.size() != first.elements.size())
      return Error{"its sequences have " + std::to_string(first.elements.size()) + " and " +
                   std::to_string(list->elements.size()) + " elements"};
  }
  std::vector<Values> outputs(c.result_count());
  for (size_t k = 0; k < first.elements.size(); ++k) {
    Values inputs;
    for (size_t i = 0; i < c.count(); ++i)
      inputs.push_back(lists[i] ? lists[i]->elements[k] : c[i]);
    TRY_ASSIGN(auto results, c.Body("body", inputs));
    if (results.size() < outputs.size())
      return Error{"its graph has " + std::to_string(results.size()) + " outputs"};
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(results[i]);
  }
  Values results;
  for (Values& elements : outputs)
    results.push_back(c.scope().AddList({std::move(elements), false}, c.result_name()));
  return results;
}

// ---- Optionals: what there is stands for itself.

static Result<Values> ImportOptional(NodeContext& c) {
  if (c.Has(0)) return Values{c[0]};
  return Values{c.scope().AddList({{}, true}, c.result_name())};
}

namespace {

// A list that may be none, if the operand is one.
std::optional<PackedList> FindOptional(NodeContext& c) {
  auto list = c.Has(0) ? c.scope().FindList(c[0]) : std::nullopt;
  return list && list->packed && list->packed->form.may_be_none ? list->packed : std::nullopt;
}

bool IsThere(NodeContext& c) {
  if (!c.Has(0)) return false;
  auto list = c.scope().FindList(c[0]);
  return !list || !list->is_none;
}

}  // namespace

static Result<Values> ImportOptionalHasElement(NodeContext& c) {
  if (auto optional = FindOptional(c)) {
    if (optional->there.valid()) return Values{optional->there};
    Formula f(c);
    TRY_ASSIGN(auto result, f.Result(Not(f.Size(CountOf(c, *optional), DType::kI64) == 0.0)));
    return Values{result};
  }
  TRY_ASSIGN(auto result, c.Scalar(DType::kBool, IsThere(c)));
  return Values{result};
}

// A run in which there is none is refused.
static Result<Values> ImportOptionalGetElement(NodeContext& c) {
  if (!IsThere(c)) return Error{"the optional has no element"};
  auto optional = FindOptional(c);
  if (!optional) return Values{c[0]};
  if (!optional->there.valid()) {
    TRY_ASSIGN(auto result, ElementAt(c, *optional, ValueId()));
    return Values{result};
  }
  Formula f(c);
  TRY_ASSIGN(auto there, f.Result(Reshape(Cast(f(optional->there), DType::kI64), {1})));
  TRY_ASSIGN(auto count, c.DefineSizes(there, "there"));
  c.AssumeEqual(count[0], 1);
  optional->there = {};
  optional->form.may_be_none = false;
  return PackedResult(c, *optional);
}

static constexpr Operator kOperators[] = {
    {"", "ConcatFromSequence", 1, ImportConcatFromSequence, kAnyOpset, true},
    {"", "Optional", 0, ImportOptional, kAnyOpset, true},
    {"", "OptionalGetElement", 1, ImportOptionalGetElement, kAnyOpset, true},
    {"", "OptionalHasElement", 0, ImportOptionalHasElement, kAnyOpset, true},
    {"", "SequenceAt", 2, ImportSequenceAt, kAnyOpset, true},
    {"", "SequenceConstruct", 1, ImportSequenceConstruct, kAnyOpset},
    {"", "SequenceEmpty", 0, ImportSequenceEmpty, kAnyOpset},
    {"", "SequenceErase", 1, ImportSequenceErase, kAnyOpset, true},
    {"", "SequenceInsert", 2, ImportSequenceInsert, kAnyOpset, true},
    {"", "SequenceLength", 1, ImportSequenceLength, kAnyOpset, true},
    {"", "SequenceMap", 1, ImportSequenceMap, kAnyOpset, true},
    {"", "SplitToSequence", 1, ImportSplitToSequence, kAnyOpset},
};

std::span<const Operator> SequenceOperators() { return kOperators; }

}  // namespace webnnc::onnx
