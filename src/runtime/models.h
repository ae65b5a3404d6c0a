// The table of a module's models, if it has several: the compiler writes it
// (src/wasm/model_emitter.cpp).
#pragma once

#include "webnnc/abi.h"

namespace webnnc::runtime {

struct Entry {
  abi::Model* model;
  // What a user of the command calls it.
  const char* key;
  // What model.h says of webnnc_model_dims and so on; the last two of models with commands alone.
  void (*dims)();
  void (*step)(uint32_t step);
  void (*encode)();
  uint32_t (*plan)(uint32_t plan);
  void (*assign)(uint32_t list);
  // While another one is chosen: webnnc_added_to_weights of this one.
  uint32_t added_to_weights;
};

}  // namespace webnnc::runtime

extern "C" {

extern webnnc::runtime::Entry webnnc_models[];
extern const uint32_t webnnc_model_count;
}
