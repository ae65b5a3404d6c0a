// Errors as values. A function that can fail because of its input returns Result<T>; a broken
// invariant of ours is not an error but a bug, and goes through CHECK.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace webnnc {

// Where in the input an error was found. For a text form this is a line and column; for an
// ONNX model it is the node, since that is the name its author can search for.
struct Location {
  int line = 0;
  int column = 0;
  std::string node;
};

struct Error {
  std::string message;
  Location where = {};
  // What would help, one sentence each.
  std::vector<std::string> notes = {};
  // The problems that a summary sums up.
  std::vector<Error> causes = {};
};

struct Success {};
inline constexpr Success kSuccess;

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  Error& error() { return std::get<1>(state_); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

using Status = Result<Success>;

}  // namespace webnnc

#define WEBNNC_CONCAT_(a, b) a##b
#define WEBNNC_CONCAT(a, b) WEBNNC_CONCAT_(a, b)

// TRY(F()) returns F's error from the enclosing function, if it has one.
// TRY_ASSIGN(auto x, F()) also declares x as F's value.
#define TRY(...) \
  if (auto status = (__VA_ARGS__); !status) return std::move(status.error())
#define TRY_ASSIGN(declaration, ...) \
  TRY_ASSIGN_(WEBNNC_CONCAT(result_, __LINE__), declaration, __VA_ARGS__)
#define TRY_ASSIGN_(result, declaration, ...)    \
  auto result = (__VA_ARGS__);                   \
  if (!result) return std::move(result.error()); \
  declaration = std::move(result.value())

#define CHECK(condition)                                                                         \
  ((condition) ? void(0)                                                                         \
               : (std::fprintf(stderr, "%s:%d: internal error: CHECK(%s)\n", __FILE__, __LINE__, \
                               #condition),                                                      \
                  std::abort()))
