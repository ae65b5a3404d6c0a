// Sequences and optionals. They are lists that the importer keeps: how many elements they have is
// known when the model is compiled, and nothing is left of them.
#include <algorithm>

#include "onnx/formula.h"
#include "onnx/operators.h"

namespace webnnc::onnx {

namespace {

Result<List> ListOf(NodeContext& c, size_t i) {
  auto list = c.scope().FindList(c[i]);
  if (list && !list->is_none) return *list;
  return Error{"operand " + std::to_string(i) +
               (list ? " is an optional without an element" : " is " + Print(c.Type(i))) +
               ", not a sequence"};
}

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

static Result<Values> ImportSequenceEmpty(NodeContext& c) { return Listed(c, {}); }

static Result<Values> ImportSequenceLength(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
  TRY_ASSIGN(auto result, c.Scalar(DType::kI64, static_cast<double>(list.elements.size())));
  return Values{result};
}

static Result<Values> ImportSequenceInsert(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
  auto place = static_cast<int64_t>(list.elements.size());
  if (c.Has(2)) {
    TRY_ASSIGN(place, PlaceIn(c, 2, list.elements.size()));
  }
  list.elements.insert(list.elements.begin() + place, c[1]);
  return Listed(c, std::move(list.elements));
}

static Result<Values> ImportSequenceErase(NodeContext& c) {
  TRY_ASSIGN(auto list, ListOf(c, 0));
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
  if (list.elements.empty()) return Error{"the sequence is empty"};
  TRY_ASSIGN(auto known, c.FindIntegers(1));
  if (!known) {
    for (ValueId element : list.elements) {
      if (c.TypeOf(element) != c.TypeOf(list.elements[0]))
        return Error{"which element it takes is decided in a run, and they are " +
                     Print(c.TypeOf(list.elements[0])) + " and " + Print(c.TypeOf(element))};
    }
    TRY_ASSIGN(auto all, Stacked(c, list.elements, 0));
    TRY_ASSIGN(auto place, c.Reshape(c[1], {}));
    TRY_ASSIGN(auto result, c.Add(graph::Gather{0}, {all, place}));
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
  if (list.elements.empty()) return Error{"the sequence is empty"};
  int64_t given = c.Int("axis", 0);
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

// The sizes of the parts: those given, or parts of one size of which the last may be smaller.
Result<graph::SizeElements> PartsOf(NodeContext& c, const Dim& size) {
  int64_t each = 1;
  if (c.Has(1)) {
    if (c.Type(1).rank() == 1) return c.Sizes(1);
    TRY_ASSIGN(auto sizes, c.Integers(1));
    each = sizes[0];
  }
  if (each < 1) return Error{"parts have the size " + std::to_string(each)};
  if (!size.IsConstant())
    return Error{"how many parts " + Print(size) + " elements make must be known",
                 {},
                 {"fix the size with --dim"}};
  constexpr int64_t kMostParts = 1024;
  graph::SizeElements parts;
  for (int64_t at = 0; at < size.value(); at += each) {
    if (static_cast<int64_t>(parts.size()) == kMostParts)
      return Error{"it has more than " + std::to_string(kMostParts) + " parts"};
    parts.push_back(std::min(each, size.value() - at));
  }
  return parts;
}

}  // namespace

static Result<Values> ImportSplitToSequence(NodeContext& c) {
  Shape shape = c.Type(0).shape;
  TRY_ASSIGN(auto axis, c.Axis(c.Int("axis", 0), c.Type(0).rank()));
  auto d = static_cast<size_t>(axis);
  TRY_ASSIGN(auto parts, PartsOf(c, shape[d]));
  Dim all = 0;
  for (const Dim& size : parts) all = all + size;
  if (all.IsConstant() && shape[d].IsConstant() && all != shape[d])
    return Error{"the parts make " + Print(all) + ", not " + Print(shape[d])};
  if (all != shape[d]) c.AssumeEqual(shape[d], all);
  bool squeezes = !c.Has(1) && c.Int("keepdims", 1) == 0;
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

// Its graph for each element; what is no sequence is the same for all.
static Result<Values> ImportSequenceMap(NodeContext& c) {
  TRY_ASSIGN(auto first, ListOf(c, 0));
  std::vector<std::optional<List>> lists;
  for (size_t i = 0; i < c.count(); ++i) {
    lists.push_back(c.scope().FindList(c[i]));
    if (lists.back() && lists.back()->elements.size() != first.elements.size())
      return Error{"its sequences have " + std::to_string(first.elements.size()) + " and " +
                   std::to_string(lists.back()->elements.size()) + " elements"};
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

static bool IsThere(NodeContext& c) {
  if (!c.Has(0)) return false;
  auto list = c.scope().FindList(c[0]);
  return !list || !list->is_none;
}

static Result<Values> ImportOptionalHasElement(NodeContext& c) {
  TRY_ASSIGN(auto result, c.Scalar(DType::kBool, IsThere(c)));
  return Values{result};
}

static Result<Values> ImportOptionalGetElement(NodeContext& c) {
  if (!IsThere(c)) return Error{"the optional has no element"};
  return Values{c[0]};
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
