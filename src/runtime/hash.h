#pragma once

#include <stdint.h>

// XXH64 (Y. Collet) with seed 0.
extern "C" uint64_t webnnc_hash(const uint8_t* bytes, uint32_t count);
