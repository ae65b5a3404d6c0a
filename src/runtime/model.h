// What the compiled model offers: the compiler writes these (src/wasm/model_emitter.cpp).
#pragma once

#include "webnnc/abi.h"

extern "C" {

// Of several models in one module, models.cpp has these: they are those of the chosen one.
extern webnnc::abi::Model webnnc_model;

// Computes the sizes that depend on symbols: dims from symbol_count on. A size that is negative or
// does not fit is stored as -1.
void webnnc_model_dims();

// Runs a step of the CPU's program; those behind are the host's of programs for GPUs.
void webnnc_model_step(uint32_t step);

// Fills in what of GPU programs' dispatches depends on sizes.
void webnnc_model_encode();

// Of a model with commands: computes the sizes of a plan, as webnnc_model_dims does those of plan
// 0. Gives for what they fit, as flags (abi::Fit): none of these is negative or too large then.
uint32_t webnnc_model_plan(uint32_t plan);

// Sets symbols to sizes as they are now, all at once.
void webnnc_model_assign(uint32_t list);

// Of models with states in memory of their own: those that are appended in place, and the axis that
// grows, which comes first in memory. The last row is of no model.
struct AppendedState {
  const webnnc::abi::Model* model;
  uint32_t input, output, axis;
};
extern const AppendedState webnnc_model_states[];

// ---- The runtime's own (model.cpp), called by the page and by the command.

// What has been added to the offsets of weights in the CPU's program, to make addresses of them.
extern uint32_t webnnc_added_to_weights;

// Makes room for the weights file, whose size does not depend on symbols, and gives the address
// that its bytes go to; 0 if there is not enough memory. A page calls it to load them before it
// knows the sizes of the first run.
uint32_t webnnc_weights();

// Makes room for bytes on their way to the GPU, and gives its address; 0 if there is not enough
// memory. It is there until the next call, or until a CPU program is prepared.
uint32_t webnnc_staging(uint32_t bytes);

// Call after setting the symbols' values in webnnc_model.dims: computes sizes. It takes no memory,
// so that inputs which do not fit them can be refused before.
webnnc::abi::Status webnnc_sizes();

// Call after webnnc_sizes: places buffers, and makes room for them (CPU) or fills in the dispatches
// (GPU).
webnnc::abi::Status webnnc_prepare(uint32_t program);

// Runs a prepared CPU program on what is in its inputs. One with commands that is refused ends by
// webnnc_refuse.
void webnnc_run(uint32_t program);

// ---- Of models with commands (commands.cpp). There, webnnc_prepare also starts a run: it makes
// plan 0, by which inputs have their places, and the first command is behind the walk then. So it
// comes before each run.

// Goes on with the run until there is something that the page has to do, and gives the number of
// that command: of a GPU's program what is done on the GPU, and after plans, so that the arena can
// grow. If `one` is not 0, also after each step in wasm, and whenever the walk goes back, so that
// the page can see whether the run is to end. Behind the last command it gives their number. A run
// that is refused gives kWalkOutOfMemory or kWalkOutOfRange with the command's number.
uint32_t webnnc_walk(uint32_t one);

// The step that webnnc_walk ran last.
uint32_t webnnc_walked();

// Tells the command's user why a run ended (command.cpp).
void webnnc_refuse(webnnc::abi::Status status);
}
