#include "onnx/ops/lists.h"

#include <algorithm>

#include "onnx/formula.h"

namespace webnnc::onnx {

std::optional<Dim> Lasting(Scope& scope, const Dim& size) {
  std::set<std::string> symbols;
  size.CollectSymbols(symbols);
  const std::set<std::string>& inputs = scope.state().input_symbols;
  bool lasts = std::all_of(symbols.begin(), symbols.end(),
                           [&](const std::string& symbol) { return inputs.count(symbol) > 0; });
  return lasts ? std::optional(size) : std::nullopt;
}

namespace {

ListForm FormOfTensor(NodeContext& c, ValueId id) {
  const TensorType& type = c.TypeOf(id);
  ListForm form{false, false, type.dtype, true, std::max<int64_t>(type.rank(), 1)};
  form.sizes.emplace();
  for (const Dim& size : type.shape) form.sizes->push_back(Lasting(c.scope(), size));
  return form;
}

}  // namespace

Result<ListForm> FormOf(NodeContext& c, ValueId id) {
  auto list = c.scope().FindList(id);
  if (!list) return FormOfTensor(c, id);
  if (list->packed) return list->packed->form;
  ListForm form;
  form.dtype = list->dtype;
  form.may_be_none = list->is_none;
  if (list->is_none) return form;
  form.is_sequence = true;
  for (ValueId element : list->elements) {
    ListForm own = FormOfTensor(c, element);
    own.is_sequence = true;
    TRY_ASSIGN(form, Join(form, own));
  }
  return form;
}

Result<ListForm> Join(const ListForm& a, const ListForm& b) {
  ListForm form = a;
  if (a.is_sequence && b.is_sequence && a.is_sequence != b.is_sequence)
    return Error{"it is a tensor in one case and a sequence in another"};
  if (!form.is_sequence) form.is_sequence = b.is_sequence;
  form.may_be_none |= b.may_be_none;
  if (a.dtype && b.dtype && a.dtype != b.dtype)
    return Error{"its elements are of " + std::string(Name(*a.dtype)) + " and of " +
                 std::string(Name(*b.dtype))};
  if (!form.dtype) form.dtype = b.dtype;
  form.columns = std::max(a.columns, b.columns);
  form.has_shape |= b.has_shape;
  if (!a.has_shape) {
    form.sizes = b.sizes;
  } else if (b.has_shape) {
    bool alike = a.sizes && b.sizes && a.sizes->size() == b.sizes->size();
    if (!alike) form.sizes.reset();
    for (size_t d = 0; alike && d < form.sizes->size(); ++d) {
      if ((*a.sizes)[d] != (*b.sizes)[d]) (*form.sizes)[d].reset();
    }
  }
  return form;
}

bool SameForm(const ListForm& a, const ListForm& b) {
  return a.is_sequence == b.is_sequence && a.may_be_none == b.may_be_none && a.dtype == b.dtype &&
         a.has_shape == b.has_shape && a.columns == b.columns && a.sizes == b.sizes;
}

namespace {

// Of tensors that are values: their shapes, one behind the other, and their elements.
struct Parts {
  graph::Sizes1D sizes;
  std::vector<Term> elements;
};

void Add(Formula& f, Term tensor, int64_t columns, Parts& parts) {
  Shape shape = f.TypeOf(tensor).shape;
  parts.elements.push_back(Reshape(tensor, {ElementCount(shape)}));
  shape.resize(static_cast<size_t>(columns), -1);
  parts.sizes.insert(parts.sizes.end(), shape.begin(), shape.end());
}

Term Empty(Formula& f, const ListForm& form) {
  return Expand(f.Number(0, form.dtype.value_or(DType::kBool)), {0});
}

// A list's elements in one of this form.
Term DataAs(Formula& f, const PackedList& packed, const ListForm& form) {
  return packed.form.dtype ? f(packed.data) : Empty(f, form);
}

// More columns for the shapes of fewer dimensions.
Term Widened(Formula& f, Term shapes, int64_t columns) {
  const Shape shape = f.TypeOf(shapes).shape;
  if (shape[1].Is(columns)) return shapes;
  return Concat({shapes, Expand(f.Number(-1, DType::kI64), {shape[0], columns - shape[1]})}, 1);
}

}  // namespace

Result<PackedList> Pack(NodeContext& c, ValueId id, const ListForm& form) {
  Formula f(c);
  PackedList packed{form, {}, {}, {}};
  auto list = c.scope().FindList(id);
  if (list && list->packed) {
    TRY_ASSIGN(packed.data, f.Result(DataAs(f, *list->packed, form)));
    TRY_ASSIGN(packed.shapes, f.Result(Widened(f, f(list->packed->shapes), form.columns)));
    packed.there = list->packed->there;
  } else {
    Parts parts;
    for (ValueId element : list ? list->elements : Values{id})
      Add(f, f(element), form.columns, parts);
    if (parts.elements.empty()) parts.elements.push_back(Empty(f, form));
    Dim count = static_cast<int64_t>(parts.sizes.size()) / form.columns;
    TRY_ASSIGN(packed.data, f.Result(Concat(parts.elements, 0)));
    TRY_ASSIGN(packed.shapes, f.Result(Reshape(f.Sizes(parts.sizes), {count, form.columns})));
  }
  bool has_flag = PartCount(form) == 3;
  if (!has_flag) packed.there = {};
  if (has_flag && !packed.there.valid()) {
    TRY_ASSIGN(packed.there, c.Scalar(DType::kBool, !(list && list->is_none)));
  }
  return packed;
}

size_t PartCount(const ListForm& form) {
  return form.may_be_none && form.is_sequence.value_or(true) ? 3 : 2;
}

Values PartsOf(const PackedList& packed) {
  Values parts{packed.data, packed.shapes};
  if (packed.there.valid()) parts.push_back(packed.there);
  return parts;
}

PackedList FromParts(const ListForm& form, Values::const_iterator& next) {
  PackedList packed{form, *next++, *next++, {}};
  if (PartCount(form) == 3) packed.there = *next++;
  return packed;
}

Dim CountOf(NodeContext& c, const PackedList& packed) { return c.TypeOf(packed.shapes).shape[0]; }

namespace {

// How many elements each tensor has: i64[count].
Term ElementCounts(Term shapes) { return Reduce(graph::ReduceKind::kProd, Abs(shapes), {1}); }

// One tensor of a list: its number, and where its elements are.
struct Element {
  Dim place, start, size;
};

// Where the tensor at a place is, which is refused in a run unless it is one of the list or, with
// `or_end`, the end. An invalid place is the end or, without `or_end`, the last.
Result<Element> Find(NodeContext& c, const PackedList& packed, ValueId place, bool or_end) {
  const Dim count = CountOf(c, packed), all = c.TypeOf(packed.data).shape[0];
  if (!place.valid() && or_end) return Element{count, all, 0};
  Formula f(c);
  Term shapes = f(packed.shapes), size = f.Size(count, DType::kI64);
  Term at = place.valid() ? Reshape(Cast(f(place), DType::kI64), {}) : size - 1.0;
  at = Where(at < 0.0, at + size, at);
  Term counts = ElementCounts(shapes), places = f.Iota(count, DType::kI64);
  Term none = f.Number(0, DType::kI64);
  auto sum = [](Term each) { return Reduce(graph::ReduceKind::kSum, each, {0}); };
  Term start = sum(Where(places < at, counts, none)), own = sum(Where(places == at, counts, none));
  // As sizes these must not be negative, which they are if there is no such place, or if shapes are
  // of more elements than there are.
  Term is_place = Cast(f.Iota(or_end ? count + 1 : count, DType::kI64) == at, DType::kI64);
  Term found = sum(is_place) - 1.0, rest = f.Size(all, DType::kI64) - start - own;
  std::vector<Term> parts;
  for (Term part : {at, start, own, found, rest}) parts.push_back(Reshape(part, {1}));
  TRY_ASSIGN(auto vector, f.Result(Concat(parts, 0)));
  TRY_ASSIGN(auto sizes, c.DefineSizes(vector, "element"));
  return Element{sizes[0], sizes[1], sizes[2]};
}

Result<PackedList> WithParts(const PackedList& packed, const Formula& f, Term data, Term shapes) {
  PackedList result = packed;
  TRY_ASSIGN(result.data, f.Result(data));
  TRY_ASSIGN(result.shapes, f.Result(shapes));
  return result;
}

Error UnknownRank() {
  return Error{"its operand's tensors may have different ranks",
               {},
               {"what its input's tensors are is said by --input NAME:SHAPE"}};
}

}  // namespace

Result<ValueId> ElementAt(NodeContext& c, const PackedList& packed, ValueId place) {
  if (!packed.form.sizes) return UnknownRank();
  TRY_ASSIGN(auto element, Find(c, packed, place, false));
  Formula f(c);
  Shape shape;
  std::vector<int64_t> open;
  for (const std::optional<Dim>& size : *packed.form.sizes) {
    if (!size) open.push_back(static_cast<int64_t>(shape.size()));
    shape.push_back(size.value_or(0));
  }
  if (!open.empty()) {
    Term row = Reshape(Slice(f(packed.shapes), 0, element.place, 1), {packed.form.columns});
    TRY_ASSIGN(auto sizes, f.Result(f.Add(graph::Gather{0}, {row, f.Integers(open)})));
    TRY_ASSIGN(auto known, c.DefineSizes(sizes, "size"));
    for (size_t i = 0; i < open.size(); ++i) shape[static_cast<size_t>(open[i])] = known[i];
  }
  return f.Result(Reshape(Slice(f(packed.data), 0, element.start, element.size), shape));
}

Result<PackedList> Insert(NodeContext& c, const PackedList& packed, ValueId tensor, ValueId place) {
  ListForm own = FormOfTensor(c, tensor);
  own.is_sequence = true;
  TRY_ASSIGN(auto form, Join(packed.form, own));
  Formula f(c);
  TRY_ASSIGN(auto at, Find(c, packed, place, true));
  Parts parts;
  Add(f, f(tensor), form.columns, parts);
  Term row = Reshape(f.Sizes(parts.sizes), {1, form.columns});
  auto around = [](Term all, Term added, const Dim& where) {
    const Dim size = all.formula->TypeOf(all).shape[0];
    if (where == size) return Concat({all, added}, 0);
    return Concat({Slice(all, 0, 0, where), added, Slice(all, 0, where, size - where)}, 0);
  };
  PackedList result{form, {}, {}, {}};
  return WithParts(result, f, around(DataAs(f, packed, form), parts.elements[0], at.start),
                   around(Widened(f, f(packed.shapes), form.columns), row, at.place));
}

Result<PackedList> Erase(NodeContext& c, const PackedList& packed, ValueId place) {
  Formula f(c);
  TRY_ASSIGN(auto at, Find(c, packed, place, false));
  auto without = [](Term all, const Dim& start, const Dim& size) {
    const Dim end = all.formula->TypeOf(all).shape[0] - start - size;
    return Concat({Slice(all, 0, 0, start), Slice(all, 0, start + size, end)}, 0);
  };
  return WithParts(packed, f, without(f(packed.data), at.start, at.size),
                   without(f(packed.shapes), at.place, 1));
}

namespace {

// The sizes that all tensors must have but along `axis`, where they are 0; a run in which they
// differ is refused.
Result<Shape> CommonSizes(NodeContext& c, const PackedList& packed, int64_t axis) {
  Formula f(c);
  const auto& known = *packed.form.sizes;
  Shape shape;
  std::vector<int64_t> open;
  for (size_t d = 0; d < known.size(); ++d) {
    bool is_open = !known[d] && static_cast<int64_t>(d) != axis;
    if (is_open) open.push_back(static_cast<int64_t>(d));
    shape.push_back(static_cast<int64_t>(d) == axis ? Dim(0) : known[d].value_or(0));
  }
  if (open.empty()) return shape;
  Term sizes = f.Add(graph::Gather{1}, {f(packed.shapes), f.Integers(open)});
  TRY_ASSIGN(auto high, f.Result(Reduce(graph::ReduceKind::kMax, sizes, {0})));
  TRY_ASSIGN(auto low, f.Result(Reduce(graph::ReduceKind::kMin, sizes, {0})));
  TRY_ASSIGN(auto largest, c.DefineSizes(high, "size"));
  TRY_ASSIGN(auto smallest, c.DefineSizes(low, "size.smallest"));
  for (size_t i = 0; i < open.size(); ++i) {
    c.AssumeEqual(smallest[i], largest[i]);
    shape[static_cast<size_t>(open[i])] = largest[i];
  }
  return shape;
}

}  // namespace

// Along the first axis, or a new one, the elements are in their order already. Along another one
// result[o, t, i] is the element o * stride[t] + base[t] + i, where stride and base are those of
// the tensor that has t.
Result<ValueId> Joined(NodeContext& c, const PackedList& packed, int64_t given, bool is_new) {
  if (!packed.form.sizes) return UnknownRank();
  Formula f(c);
  const Dim count = CountOf(c, packed);
  auto rank = static_cast<int64_t>(packed.form.sizes->size());
  TRY_ASSIGN(auto axis, c.Axis(given, rank + (is_new ? 1 : 0)));
  TRY_ASSIGN(auto shape, CommonSizes(c, packed, is_new ? -1 : axis));
  c.AssumeLessEqual(1, count);
  if (is_new) {
    shape.insert(shape.begin(), count);
    std::vector<int64_t> order;
    for (int64_t d = 1; d <= rank; ++d) order.push_back(d);
    order.insert(order.begin() + axis, 0);
    return f.Result(Transpose(Reshape(f(packed.data), shape), order));
  }
  Term sizes = Reshape(Slice(f(packed.shapes), 1, axis, 1), {count});
  TRY_ASSIGN(auto sum, f.Result(Reshape(Reduce(graph::ReduceKind::kSum, sizes, {0}), {1})));
  TRY_ASSIGN(auto all, c.DefineSizes(sum, "size"));
  shape[static_cast<size_t>(axis)] = all[0];
  if (axis == 0) return f.Result(Reshape(f(packed.data), shape));
  auto at = shape.begin() + axis;
  const Dim outer = ElementCount({shape.begin(), at}), inner = ElementCount({at + 1, shape.end()});
  auto starts = [&](Term of) {
    return f.Add(graph::Cumulate{graph::ReduceKind::kSum, 0, true}, {of});
  };
  Term begins = starts(sizes), places = f.Iota(all[0], DType::kI64);
  // Which tensor has t: the last one that begins at t or before, of which those are behind that
  // are empty.
  Term is_before = Reshape(begins + sizes, {1, count}) <= Reshape(places, {all[0], 1});
  Term which = Reduce(graph::ReduceKind::kSum, Cast(is_before, DType::kI64), {1});
  auto of = [&](Term each) { return f.Add(graph::Gather{0}, {each, which}); };
  Term base = of(starts(ElementCounts(f(packed.shapes)))) +
              (places - of(begins)) * f.Size(inner, DType::kI64);
  Term stride = of(sizes) * f.Size(inner, DType::kI64);
  auto small = [&](Term each) { return Reshape(Cast(each, DType::kI32), {all[0], 1}); };
  Term index = Reshape(f.Iota(outer, DType::kI32), {outer, 1, 1}) * small(stride) +
               (small(base) + f.Iota(inner, DType::kI32));
  return f.Result(Reshape(f.Add(graph::Gather{0}, {f(packed.data), index}), shape));
}

}  // namespace webnnc::onnx
