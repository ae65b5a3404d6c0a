#include "graph/ops/rows.h"

#include <algorithm>

namespace webnnc::graph {

Rows::Rows(loop::Lowering& to, const Shape& shape, const Integers& axes)
    : to_(to), b_(to.build), shape_(shape), reduced_(shape.size()) {
  for (int64_t axis : axes) reduced_[static_cast<size_t>(axis)] = true;
  for (size_t d = 0; d < shape.size(); ++d) {
    (reduced_[d] ? within_ : rows_).push_back(shape[d]);
    (reduced_[d] ? within_names_ : row_names_).push_back("i" + std::to_string(d));
  }
}

loop::BufferId Rows::Temporary(const std::string& name, DType dtype) {
  return to_.Temporary(name, {dtype, rows_});
}

void Rows::Reduce(loop::BufferId buffer, loop::Update update, const Value& value) {
  ReduceAt(buffer, update, [](const loop::Index& row) { return row; }, value);
}

void Rows::ReduceAt(loop::BufferId buffer, loop::Update update, const Place& place,
                    const Value& value) {
  ForEachTerm([&](const loop::Index& at, const loop::Index& row) {
    b_.Reduce(buffer, place(row), value(at, row), update);
  });
}

void Rows::Reduce(const std::vector<loop::BufferId>& buffers, loop::Update update,
                  const Values& values) {
  ForEachTerm([&](const loop::Index& at, const loop::Index& row) {
    b_.Reduce(buffers, row, values(at, row), update);
  });
}

// Rows outside, so that a stage reads like the others.
void Rows::ForEachTerm(const std::function<void(const loop::Index&, const loop::Index&)>& body) {
  Shape domain = rows_;
  domain.insert(domain.end(), within_.begin(), within_.end());
  std::vector<std::string> names = row_names_;
  names.insert(names.end(), within_names_.begin(), within_names_.end());
  b_.ForEach(
      domain,
      [&](const loop::Index& loops) {
        loop::Index row(loops.begin(), loops.begin() + static_cast<int64_t>(rows_.size())), at;
        size_t next_row = 0, next_within = rows_.size();
        for (bool reduced : reduced_) at.push_back(loops[reduced ? next_within++ : next_row++]);
        body(at, row);
      },
      names);
}

void Rows::ForEachRow(loop::BufferId buffer,
                      const std::function<loop::ExprId(const loop::Index&)>& value) {
  ForEachRowAt(buffer, [](const loop::Index& row) { return row; }, value);
}

void Rows::ForEachRowAt(loop::BufferId buffer, const Place& place,
                        const std::function<loop::ExprId(const loop::Index&)>& value) {
  b_.ForEach(
      rows_, [&](const loop::Index& row) { b_.Store(buffer, place(row), value(row)); }, row_names_);
}

void Rows::ForEach(const Value& value) {
  std::vector<std::string> names;
  for (size_t d = 0; d < shape_.size(); ++d) names.push_back("i" + std::to_string(d));
  b_.ForEach(
      shape_,
      [&](const loop::Index& at) {
        loop::Index row;
        for (size_t d = 0; d < at.size(); ++d) {
          if (!reduced_[d]) row.push_back(at[d]);
        }
        b_.Store(to_.results[0], at, value(at, row));
      },
      names);
}

}  // namespace webnnc::graph
