#include "base/printable.h"

#include <algorithm>
#include <cstdint>

namespace webnnc {

namespace {

// The length of the UTF-8 sequence at `at` and what it encodes; length 0 if there is none.
struct Character {
  size_t length = 0;
  uint32_t code = 0;
};

Character CharacterAt(std::string_view text, size_t at) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(at);
  if (lead < 0x80) return {1, lead};
  size_t length = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : 2;
  if (lead < 0xc2 || lead >= 0xf5 || at + length > text.size()) return {};
  uint32_t code = lead & (0x7fu >> length);
  for (size_t i = at + 1; i < at + length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < kSmallest[length] || code > 0x10ffff || surrogate) return {};
  return {length, code};
}

bool IsControl(uint32_t code) {
  bool turns = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
               code == 0x200e || code == 0x200f || code == 0x061c;
  bool breaks = code == 0x2028 || code == 0x2029;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || turns || breaks;
}

bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The first and last bytes of a text, cut between characters.
std::string Cut(const std::string& text, size_t first, size_t last) {
  size_t begin = first, end = text.size() - last;
  while (begin > 0 && ContinuesCharacter(text[begin])) --begin;
  while (end < text.size() && ContinuesCharacter(text[end])) ++end;
  return text.substr(0, begin) + "...[" + std::to_string(end - begin) + " bytes]..." +
         text.substr(end);
}

std::string Escape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t bad = text[i] == '\n' ? 0 : UnprintableAt(text, i);
    if (bad == 0) {
      out += text[i++];
    } else {
      for (; bad > 0; --bad) out += Escaped(text[i++]);
    }
  }
  return out;
}

std::string CutWords(const std::string& text) {
  constexpr size_t kLongestWord = 400;
  std::string out;
  for (size_t i = 0; i <= text.size();) {
    size_t end = std::min(text.find_first_of(" \n", i), text.size());
    std::string word = text.substr(i, end - i);
    out += word.size() > kLongestWord ? Cut(word, kLongestWord / 4, kLongestWord / 8) : word;
    if (end < text.size()) out += text[end];
    i = end + 1;
  }
  return out;
}

}  // namespace

size_t UnprintableAt(std::string_view text, size_t at) {
  Character character = CharacterAt(text, at);
  if (character.length == 0) return 1;
  return IsControl(character.code) ? character.length : 0;
}

std::string Escaped(char byte) {
  static constexpr char kHex[] = "0123456789abcdef";
  return {'\\', 'x', kHex[(byte >> 4) & 15], kHex[byte & 15]};
}

std::string Printable(std::string_view text) {
  constexpr size_t kLongest = 4000;
  std::string out = CutWords(Escape(text));
  return out.size() > kLongest ? Cut(out, kLongest / 2, kLongest / 8) : out;
}

Error Printable(Error error) {
  constexpr size_t kMostCauses = 100;
  error.message = Printable(error.message);
  error.where.node = Printable(error.where.node);
  for (std::string& note : error.notes) note = Printable(note);
  if (error.causes.size() > kMostCauses) {
    error.notes.push_back("the first " + std::to_string(kMostCauses) + " of " +
                          std::to_string(error.causes.size()) + " problems are listed");
    error.causes.resize(kMostCauses);
  }
  for (Error& cause : error.causes) cause = Printable(std::move(cause));
  return error;
}

}  // namespace webnnc
