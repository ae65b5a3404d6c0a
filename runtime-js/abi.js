// The records that the page reads in the wasm memory: offsets of their fields in words, and constants. They are
// those of include/webnnc/abi.def and abi.h by the same names, which tests/web/abi.test.mjs checks. Only what is
// read stands here; each by itself, so that the page's files have numbers in its place.

export const ABI_VERSION = 3;

export const MODEL_ABI_VERSION = 0, MODEL_SYMBOL_COUNT = 1, MODEL_SYMBOL_NAMES = 2, MODEL_DIMS = 4, MODEL_INPUTS = 6,
  MODEL_OUTPUTS = 8, MODEL_PROGRAMS = 10;
export const PORT_SHAPE = 3, PORT_WORDS = 6;
export const PROGRAM_BUFFER_COUNT = 1, PROGRAM_BUFFERS = 2, PROGRAM_INPUT_BUFFERS = 3, PROGRAM_OUTPUT_BUFFERS = 4,
  PROGRAM_STEP_COUNT = 5, PROGRAM_ARENA_BYTES = 6, PROGRAM_DISPATCHES = 7, PROGRAM_PARAMETER_BYTES = 8,
  PROGRAM_PARAMETERS = 9, PROGRAM_COMMAND_COUNT = 10, PROGRAM_COMMANDS = 11, PROGRAM_WORDS = 13;
export const COMMAND_KIND = 0, COMMAND_A = 1, COMMAND_B = 2, COMMAND_C = 3, COMMAND_D = 4, COMMAND_WORDS = 5;
export const BUFFER_KIND = 0, BUFFER_BYTES = 1, BUFFER_OFFSET = 2, BUFFER_WORDS = 5;
export const DISPATCH_KERNEL = 0, DISPATCH_X = 1, DISPATCH_Y = 2, DISPATCH_Z = 3, DISPATCH_PARAMETERS = 4,
  DISPATCH_PARAMETER_BYTES = 5, DISPATCH_ARGUMENT_COUNT = 6, DISPATCH_ARGUMENTS = 7, DISPATCH_WORDS = 8;

export const ARENA = 0, WEIGHTS = 1, HOST = 2, DATA = 3, GROWN = 4, HOST_GROWN = 5, STATE = 6, TOLD = 7;
export const RUN = 0, HOST_STEPS = 1, PLAN = 2, DEFINE = 5, STACK = 8, UPLOAD = 9, READ_BACK = 10, RECOMPUTE = 14;
export const WALK_OUT_OF_MEMORY = 0x80000000, WALK_OUT_OF_RANGE = 0x40000000;
export const NO_OFFSET = 0xffffffff, NO_PARAMETERS = 0xffffffff, TOLD_ON_DEVICE = 0x80000000, BINDING_ALIGNMENT = 256;
export const WEIGHTS_ID_OFFSET = 16;
export const OUT_OF_MEMORY = 1, SIZE_OUT_OF_RANGE = 2;
