// The hash of bytes in the wasm memory, by which a page and the command check the weights file.
#include "runtime/hash.h"

// Engines load words from any address as fast.
#define XXH_FORCE_ALIGN_CHECK 0
#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include <xxhash.h>

extern "C" __attribute__((export_name("webnnc_hash"))) uint64_t webnnc_hash(const uint8_t* bytes,
                                                                            uint32_t count) {
  return XXH64(bytes, count, 0);
}
