// Sequences and optionals of which nobody knows before a run how many tensors they have. They are
// packed: one tensor has the elements of all, another one their shapes. Of the sequence
// [f32[2,3], f32[1,4]] these are f32[10] and i64[2,2] = [[2,3],[1,4]]. So what is done with lists
// is done by operations on tensors whose sizes are decided in a run, and whatever runs those runs
// lists: branches give them, loops carry them.
//
// An optional tensor is a list of at most one. Where ranks differ, -1 stands behind the shorter
// shapes. What a list has is a tensor again when its rank is known.
#pragma once

#include "onnx/node_context.h"

namespace webnnc::onnx {

// Shapes of elements whose rank nobody knows have this many columns.
inline constexpr int64_t kMostListRank = 8;

// The form of a list or, as an optional that is there, of a tensor.
Result<ListForm> FormOf(NodeContext& c, ValueId id);
// The form that holds both. Errors: elements of two types, a tensor and a sequence.
Result<ListForm> Join(const ListForm& a, const ListForm& b);
// A list of this form, which holds that of the value. Without a type of elements: bools.
Result<PackedList> Pack(NodeContext& c, ValueId id, const ListForm& form);
bool SameForm(const ListForm& a, const ListForm& b);

// A size that is the same all through a run, which all tensors of a list may have; nothing of
// others.
std::optional<Dim> Lasting(Scope& scope, const Dim& size);

// The tensors that a packed list is, and the list that such are.
Values PartsOf(const PackedList& packed);
PackedList FromParts(const ListForm& form, Values::const_iterator& next);
// How many those of a form are.
size_t PartCount(const ListForm& form);

// How many tensors it has.
Dim CountOf(NodeContext& c, const PackedList& packed);
// The tensor at a place, from the end if it is negative; an invalid one is the last.
Result<ValueId> ElementAt(NodeContext& c, const PackedList& packed, ValueId place);
// With a tensor before the one at a place, or at the end; without the one at a place, or the last.
Result<PackedList> Insert(NodeContext& c, const PackedList& packed, ValueId tensor, ValueId place);
Result<PackedList> Erase(NodeContext& c, const PackedList& packed, ValueId place);
// All behind each other along an axis, or a new one.
Result<ValueId> Joined(NodeContext& c, const PackedList& packed, int64_t axis, bool is_new);

}  // namespace webnnc::onnx
