// Typed indices. IR nodes live in vectors and name each other by index, so an IR is a value:
// copying it copies the vectors, and nothing dangles.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"

namespace webnnc {

template <typename Tag>
struct Id {
  int32_t index = -1;

  bool valid() const { return index >= 0; }
  friend auto operator<=>(Id, Id) = default;
};

// A vector of T that only an Id<Tag> can index.
template <typename Tag, typename T>
class IdVector {
 public:
  Id<Tag> Add(T item) {
    items_.push_back(std::move(item));
    return {static_cast<int32_t>(items_.size()) - 1};
  }

  T& operator[](Id<Tag> id) {
    CHECK(id.valid() && id.index < size());
    return items_[id.index];
  }
  const T& operator[](Id<Tag> id) const {
    CHECK(id.valid() && id.index < size());
    return items_[id.index];
  }

  int32_t size() const { return static_cast<int32_t>(items_.size()); }

  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<T> items_;
};

}  // namespace webnnc

template <typename Tag>
struct std::hash<webnnc::Id<Tag>> {
  size_t operator()(webnnc::Id<Tag> id) const noexcept { return static_cast<size_t>(id.index); }
};
