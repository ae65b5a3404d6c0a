// `webnnc tune`: measures on GPUs and CPUs. What does it is a script for Node, which the compiler
// holds (runtime-js/tune) and starts.
#pragma once

namespace webnnc::cli {

// Whether the command line asks for it.
bool IsTune(int count, char** values);

// Becomes the script. Comes back only where it cannot be started, with how the program ends.
int StartTuning(int count, char** values);

}  // namespace webnnc::cli
