#pragma once

#include <functional>

#include "loop/lowering.h"

namespace webnnc::graph {

// Rows of which the first `count` elements are wanted in order: the largest or the smallest, of
// equal ones the first. NaN is larger than all numbers.
struct SortedRows {
  DType dtype;
  Shape rows;
  Dim size, count;
  bool smallest = false;
};

// Writes the stages of a radix sort; `element` loads one of a row. Gives a temporary i32[rows...,
// count]: where in their row the first elements are.
//
// Elements become keys, integers in the order that is wanted, which are put in order of their
// lowest digit, then of the next one, and so on, each time keeping what is equal in order. Where
// few of many are wanted, rows are seen as blocks: the first `count` of a row are in those `count`
// blocks whose own first come first, and only what is in these is sorted.
loop::BufferId FirstByDigits(
    loop::Lowering& to, const SortedRows& rows,
    const std::function<loop::ExprId(const loop::Index& row, loop::ExprId place)>& element);

}  // namespace webnnc::graph
