// Of several models in one module: the one that was chosen takes the place that the only one has
// elsewhere. It is linked where the compiler wrote no `webnnc_model`, but a table of models.
#include "runtime/models.h"

#include <string.h>

#include "runtime/model.h"
#include "runtime/wasi.h"

using namespace webnnc;
using runtime::Entry;

extern "C" {

// A copy of the chosen one's record. What it points to is the model's own.
abi::Model webnnc_model;

}  // extern "C"

namespace {

Entry* chosen = webnnc_models;

abi::Model* Choose(uint32_t index) {
  // Weights are the same for all, and where they are; but the offsets of each program have become
  // addresses or not.
  uint32_t weights = webnnc_model.weights;
  chosen->added_to_weights = webnnc_added_to_weights;
  chosen = webnnc_models + index;
  webnnc_added_to_weights = chosen->added_to_weights;
  webnnc_model = *chosen->model;
  webnnc_model.weights = weights;
  return chosen->model;
}

constexpr int32_t kStandardError = 2;
void Say(const char* text) { wasi::Write(kStandardError, text, strlen(text)); }

[[noreturn]] void FailWithoutModel(const char* a, const char* b) {
  Say("error: ");
  Say(a);
  Say(b);
  Say("; the models are");
  for (uint32_t m = 0; m < webnnc_model_count; ++m) {
    Say(m > 0 ? ", " : " ");
    Say(webnnc_models[m].key);
  }
  Say("\n");
  wasi::Exit(1);
}

void ChooseByKey(const char* key) {
  for (uint32_t m = 0; m < webnnc_model_count; ++m) {
    if (strcmp(webnnc_models[m].key, key) == 0) {
      Choose(m);
      return;
    }
  }
  FailWithoutModel("there is no model ", key);
}

}  // namespace

extern "C" {

void webnnc_model_dims() { chosen->dims(); }
void webnnc_model_step(uint32_t step) { chosen->step(step); }
void webnnc_model_encode() { chosen->encode(); }
uint32_t webnnc_model_plan(uint32_t plan) { return chosen->plan(plan); }
void webnnc_model_assign(uint32_t list) { chosen->assign(list); }

// Makes a model the one that all other functions work on. What another one has prepared is void
// when this one is prepared: they have their memory in common.
__attribute__((export_name("webnnc_model"))) abi::Model* webnnc_model_address(uint32_t index) {
  return Choose(index);
}

}  // extern "C"

// The command's arguments without --model, which is done then.
wasi::Arguments wasi::ReadArguments() {
  static const char* values[kMostArguments];
  Arguments all = ReadAllArguments();
  if (all.count == 0) return all;
  const char* key = nullptr;
  uint32_t count = 0;
  for (uint32_t i = 0; i < all.count; ++i) {
    if (i % 2 == 1 && i + 1 < all.count && strcmp(all.values[i], "--model") == 0) {
      if (key) FailWithoutModel("--model is given twice", "");
      key = all.values[++i];
    } else {
      values[count++] = all.values[i];
    }
  }
  if (!key) FailWithoutModel("--model does not say which model is to run", "");
  ChooseByKey(key);
  return {count, values};
}
