// Numbers of bytes, for people.
#pragma once

#include <cstdint>
#include <string>

namespace webnnc {

// "13.95 MB" or "3.1 kB": of 1,000,000 and 1000 bytes, as file managers and browsers count.
std::string SizeText(int64_t bytes);

}  // namespace webnnc
