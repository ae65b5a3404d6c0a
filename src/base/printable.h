// Text of others (names in models, file names, arguments) in messages for a terminal.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace webnnc {

// The length of what begins at `at` and must not reach a terminal as it is: a control character
// (C0, DEL, C1, those that turn the direction of text), or a byte that is no UTF-8. 0 if it may.
size_t UnprintableAt(std::string_view text, size_t at);

// "\x1b"
std::string Escaped(char byte);

// The text as messages show it: what must not reach a terminal is escaped, and what nobody reads is
// cut out of words and texts that are too long. Lines stay lines.
std::string Printable(std::string_view text);
// The same for all that an error says; of thousands of causes the first hundred.
Error Printable(Error error);

}  // namespace webnnc
