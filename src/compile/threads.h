// Whether a bundle has modules for several threads.
#pragma once

#include "compile/code.h"

namespace webnnc {

// Whether runs on the CPU take long enough, of likely sizes, that threads gain by sharing them.
bool IsWorthThreads(const Code& code);

}  // namespace webnnc
