// Rows: what operations that reduce along some axes of a tensor share. The other axes say which
// row; loops over axis d are named "i<d>" in every stage.
#pragma once

#include "graph/ops/shapes.h"
#include "loop/reducer.h"

namespace webnnc::graph {

class Rows {
 public:
  Rows(loop::Lowering& to, const Shape& shape, const Integers& axes);

  // The sizes of the axes that are not reduced, and of those that are.
  const Shape& rows() const { return rows_; }
  const Shape& within() const { return within_; }

  // A temporary with an element a row.
  loop::BufferId Temporary(const std::string& name, DType dtype);

  // buffer[row] update= value(element) over each row's elements, from the update's neutral element
  // on. The value is given the element's whole index and its row's.
  using Value = std::function<loop::ExprId(const loop::Index& at, const loop::Index& row)>;
  void Reduce(loop::BufferId buffer, loop::Update update, const Value& value);
  // The same of a reducer of several parts.
  using Values = std::function<loop::Tuple(const loop::Index& at, const loop::Index& row)>;
  void Reduce(const std::vector<loop::BufferId>& buffers, loop::Update update,
              const Values& values);
  // buffer[row] = value(row)
  void ForEachRow(loop::BufferId buffer,
                  const std::function<loop::ExprId(const loop::Index& row)>& value);
  // buffer[place(row)] = value(row)
  using Place = std::function<loop::Index(const loop::Index& row)>;
  void ForEachRowAt(loop::BufferId buffer, const Place& place,
                    const std::function<loop::ExprId(const loop::Index& row)>& value);
  // result[at] = value(at, row) for every element.
  void ForEach(const Value& value);

  // As Reduce of one part, storing at place(row) instead of row.
  void ReduceAt(loop::BufferId buffer, loop::Update update, const Place& place, const Value& value);

 private:
  // body(at, row) in loops over all elements, the rows outside.
  void ForEachTerm(const std::function<void(const loop::Index&, const loop::Index&)>& body);

  loop::Lowering& to_;
  loop::Builder& b_;
  Shape shape_, rows_, within_;
  std::vector<bool> reduced_;
  std::vector<std::string> row_names_, within_names_;
};

}  // namespace webnnc::graph
