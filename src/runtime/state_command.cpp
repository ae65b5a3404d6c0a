// The command of models that keep states in memory of their own (abi::kState). It is linked for
// these alone, in the place of command.cpp's.
#define WEBNNC_STATES
#include "runtime/command.cpp"

// By which the linker is told to take this one.
extern "C" void webnnc_state_command() {}
