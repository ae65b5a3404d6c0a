// The lexer that the text forms of every IR share. A comment runs from ';' to the end of line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace webnnc {

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // Consumes `token` if it comes next. A word does not match the front of a longer word.
  bool Eat(std::string_view token);
  bool Sees(std::string_view token);
  Status Expect(std::string_view token);

  // Letters, digits, '_' and '.', starting with none of "0123456789.".
  Result<std::string> Word();
  // A name as Word, or any text in double quotes with \" \\ \n and \xNN escapes.
  Result<std::string> Name();
  Result<int64_t> Integer();

  struct Number {
    bool is_integer = true;
    int64_t integer = 0;  // wraps as two's complement for unsigned 64-bit literals
    double real = 0;      // the value, also when is_integer
  };
  // 12, -3, 1.5e9, inf, -inf, nan.
  bool SeesNumber();
  Result<Number> ParseNumber();

  bool AtEnd();
  Error Fail(std::string message) const;

  // Guards recursive-descent parsers against input that nests without bound.
  static constexpr int kMaxDepth = 200;
  int depth = 0;

 private:
  void SkipSpace();

  std::string_view text_;
  size_t at_ = 0;
};

// A name as the text forms print it: bare when Lexer::Word would read it back, else quoted.
std::string QuoteName(std::string_view name);
std::string Quote(std::string_view text);

// The shortest decimal form that reads back as the same double; integers get no point.
std::string PrintReal(double value);

}  // namespace webnnc
