// Threads that share a kernel's work. In modules whose memory is shared: the page has an instance
// of the module in each of its workers, all with the one memory.
#pragma once

#include <stdint.h>

extern "C" {

// A part of a kernel: items `begin` to `end`, one at least, of a loop whose iterations are
// independent.
using Part = void(const void* context, uint32_t begin, uint32_t end);

// Runs all `items` of a part, of which each takes about `work` operations, and comes back when all
// are done. Called by kernels in the thread that runs the model. If there is little to do, or no
// other thread has time for it, that thread does it alone; it never waits for one that has not
// begun.
void webnnc_parallel(Part* part, const void* context, uint32_t items, float work);

// ---- Called by the page's workers

// Helps whoever calls webnnc_parallel, until there was nothing to do for `patience` microseconds or
// the thread is dismissed.
void webnnc_help(uint32_t patience);

// A thread has failed in webnnc_help: whoever waits for what it took traps.
void webnnc_fail();

// ---- Called by the page, in the thread that runs the model

// Makes room for the stack of one more thread, and gives where it begins: at its end. 0 if there is
// not enough memory.
uint32_t webnnc_stack();

// How many threads take part, counting its own.
void webnnc_threads(uint32_t count);

// How many are in webnnc_help. A run is about to begin: those that sleep wake up meanwhile.
uint32_t webnnc_helpers();

// Ends webnnc_help in all threads as soon as they have done what they took.
void webnnc_dismiss();
}
