#include "base/lexer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/printable.h"

namespace webnnc {

static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
static bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool IsWordCharacter(char c) { return IsWordStart(c) || IsDigit(c) || c == '.'; }

void Lexer::SkipSpace() {
  while (at_ < text_.size()) {
    if (std::isspace(static_cast<unsigned char>(text_[at_]))) {
      ++at_;
    } else if (text_[at_] == ';') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else {
      return;
    }
  }
}

bool Lexer::Sees(std::string_view token) {
  SkipSpace();
  if (text_.substr(at_, token.size()) != token) return false;
  size_t end = at_ + token.size();
  return !(IsWordCharacter(token.back()) && end < text_.size() && IsWordCharacter(text_[end]));
}

bool Lexer::Eat(std::string_view token) {
  if (!Sees(token)) return false;
  at_ += token.size();
  return true;
}

Status Lexer::Expect(std::string_view token) {
  if (Eat(token)) return kSuccess;
  return Fail("expected '" + std::string(token) + "'");
}

Result<std::string> Lexer::Word() {
  SkipSpace();
  size_t begin = at_;
  if (at_ < text_.size() && !IsDigit(text_[at_]) && text_[at_] != '.') {
    while (at_ < text_.size() && IsWordCharacter(text_[at_])) ++at_;
  }
  if (at_ == begin) return Fail("expected a name");
  return std::string(text_.substr(begin, at_ - begin));
}

static int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Result<std::string> Lexer::Name() {
  SkipSpace();
  if (at_ == text_.size() || text_[at_] != '"') {
    // A value's name may be a bare number, as in %12.
    size_t begin = at_;
    while (at_ < text_.size() && IsWordCharacter(text_[at_])) ++at_;
    if (at_ == begin) return Fail("expected a name");
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string out;
  for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
    if (text_[at_] != '\\') {
      out += text_[at_];
      continue;
    }
    if (++at_ == text_.size()) break;
    char escape = text_[at_];
    if (escape == 'n') {
      out += '\n';
    } else if (escape == 'x' && at_ + 2 < text_.size() && HexDigit(text_[at_ + 1]) >= 0 &&
               HexDigit(text_[at_ + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text_[at_ + 1]) * 16 + HexDigit(text_[at_ + 2]));
      at_ += 2;
    } else {
      out += escape;
    }
  }
  if (at_ == text_.size()) return Fail("expected '\"'");
  ++at_;
  return out;
}

Result<int64_t> Lexer::Integer() {
  TRY_ASSIGN(auto number, ParseNumber());
  if (!number.is_integer) return Fail("expected an integer");
  return number.integer;
}

bool Lexer::SeesNumber() {
  SkipSpace();
  size_t at = at_ + (at_ < text_.size() && text_[at_] == '-');
  if (at == text_.size()) return false;
  if (IsDigit(text_[at]) || text_[at] == '.') return true;
  auto word = text_.substr(at, 3);
  bool ends = at + 3 >= text_.size() || !IsWordCharacter(text_[at + 3]);
  return ends && (word == "inf" || word == "nan");
}

Result<Lexer::Number> Lexer::ParseNumber() {
  if (!SeesNumber()) return Fail("expected a number");
  const char* begin = text_.data() + at_;
  const char* end = text_.data() + text_.size();
  bool negative = begin < end && *begin == '-';
  const char* digits = begin + negative;
  auto word = std::string_view(digits, static_cast<size_t>(end - digits)).substr(0, 3);
  if (word == "inf" || word == "nan") {
    at_ += negative + 3;
    double value = word == "inf" ? std::numeric_limits<double>::infinity()
                                 : std::numeric_limits<double>::quiet_NaN();
    return Number{false, 0, negative ? -value : value};
  }
  uint64_t magnitude = 0;
  auto [integer_end, integer_error] = std::from_chars(digits, end, magnitude);
  Number number;
  auto [real_end, real_error] = std::from_chars(digits, end, number.real);
  if (real_error == std::errc::invalid_argument) return Fail("expected a number");
  if (negative) number.real = -number.real;
  number.is_integer = integer_end == real_end && integer_error == std::errc();
  number.integer = static_cast<int64_t>(negative ? ~magnitude + 1 : magnitude);
  at_ = static_cast<size_t>(real_end - text_.data());
  return number;
}

bool Lexer::AtEnd() {
  SkipSpace();
  return at_ == text_.size();
}

Error Lexer::Fail(std::string message) const {
  // At the end of a line, the error is there and not where the next line begins.
  size_t at = at_;
  while (at > 0 && std::isspace(static_cast<unsigned char>(text_[at - 1]))) --at;
  if (text_.substr(at, at_ - at).find('\n') == std::string_view::npos) at = at_;
  auto seen = text_.substr(0, at);
  int line = 1 + static_cast<int>(std::count(seen.begin(), seen.end(), '\n'));
  size_t line_begin = seen.find_last_of('\n') + 1;  // npos + 1 == 0: the first line
  return {std::move(message), {line, 1 + static_cast<int>(at - line_begin), ""}};
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (size_t bad = UnprintableAt(text, i); bad > 0) {
      for (size_t end = i + bad; i < end; ++i) out += Escaped(text[i]);
      --i;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string QuoteName(std::string_view name) {
  bool bare = !name.empty() && std::all_of(name.begin(), name.end(), IsWordCharacter);
  return bare ? std::string(name) : Quote(name);
}

std::string PrintReal(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  CHECK(error == std::errc());
  return std::string(buffer, end);
}

}  // namespace webnnc
